/* Varlink over an AF_UNIX stream, from the client's side. */
#include "cli/varlink.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/interrupt.h"

#define MESSAGE_MOST (256u << 20) /* a listing of two million sockets is shorter */
#define READ_BYTES   65536u

struct varlink {
	int fd;
	char *buffer; /* what has come and is not yet given out */
	size_t length, room;
	size_t searched; /* so many bytes hold no NUL */
};

struct varlink *varlink_new(int fd_take)
{
	struct varlink *v = calloc(1, sizeof(*v));

	if (!v) {
		close(fd_take);
		return NULL;
	}
	v->fd = fd_take;
	return v;
}

struct varlink *varlink_free(struct varlink *v)
{
	if (!v)
		return NULL;
	close(v->fd);
	free(v->buffer);
	free(v);
	return NULL;
}

/* As much as the socket takes; the descriptor goes with the first byte. */
static ssize_t send_some(int socket, const char *bytes, size_t length, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	/* sendmsg() does not write to the bytes, whatever its type says. */
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);

		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL);
}

static int send_all(int socket, const char *bytes, size_t length, int fd)
{
	while (length > 0) {
		const ssize_t n = send_some(socket, bytes, length, fd);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		length -= (size_t)n;
		fd = -1;
	}
	return 0;
}

int varlink_send(struct varlink *v, const struct varlink_call *call)
{
	json_t *parameters = call->parameters ? call->parameters : json_object();
	json_t *message = json_pack("{s:s, s:o}", "method", call->method, "parameters", parameters);

	if (!message)
		return -ENOMEM;
	if (call->more)
		json_object_set_new(message, "more", json_true());
	char *text = json_dumps(message, JSON_COMPACT);

	json_decref(message);
	if (!text)
		return -ENOMEM;
	const int r = send_all(v->fd, text, strlen(text) + 1, call->fd);

	free(text);
	return r;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the descriptor is readable; `until` < 0: for ever. */
static int await(const struct varlink *v, int64_t until)
{
	int timeout = -1;

	if (until >= 0) {
		const int64_t left = until - now_ms();

		timeout = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
	}
	const int n = interrupt_poll(v->fd, POLLIN, timeout);

	return n < 0 ? n : n == 0 ? -ETIMEDOUT : 0;
}

static int read_some(struct varlink *v)
{
	if (v->room - v->length < READ_BYTES) {
		const size_t room = 2 * v->room + READ_BYTES;
		char *buffer = v->length > MESSAGE_MOST ? NULL : realloc(v->buffer, room);

		if (!buffer)
			return v->length > MESSAGE_MOST ? -EBADMSG : -ENOMEM;
		v->buffer = buffer;
		v->room = room;
	}
	const ssize_t n = recv(v->fd, v->buffer + v->length, v->room - v->length, 0);

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ECONNRESET;
	v->length += (size_t)n;
	return 0;
}

/* {"parameters": {...}, "error": "...", "continues": true}: all of them may be missing. */
static int parse_reply(const char *text, size_t length, struct varlink_reply *ret)
{
	json_t *message = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	json_t *parameters = json_object_get(message, "parameters");
	const json_t *error = json_object_get(message, "error");

	if (!json_is_object(message) || (parameters && !json_is_object(parameters)) ||
	    (error && !json_is_string(error))) {
		json_decref(message);
		return -EBADMSG;
	}
	*ret = (struct varlink_reply){
		.parameters = parameters ? json_incref(parameters) : json_object(),
		.error = error ? strdup(json_string_value(error)) : NULL,
		.continues = json_is_true(json_object_get(message, "continues")),
	};
	json_decref(message);
	return 0;
}

int varlink_receive(struct varlink *v, int timeout_ms, struct varlink_reply *ret)
{
	const int64_t until = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	const char *end = NULL;

	for (;;) {
		if (v->length > v->searched)
			end = memchr(v->buffer + v->searched, '\0', v->length - v->searched);
		if (end)
			break;
		v->searched = v->length;
		int r = await(v, until);

		r = r ? r : read_some(v);
		if (r)
			return r;
	}
	const size_t length = (size_t)(end - v->buffer);
	const int r = parse_reply(v->buffer, length, ret);

	v->length -= length + 1;
	memmove(v->buffer, v->buffer + length + 1, v->length);
	v->searched = 0;
	return r;
}

void varlink_reply_deinit(struct varlink_reply *reply)
{
	json_decref(reply->parameters);
	free(reply->error);
	*reply = (struct varlink_reply){ 0 };
}
