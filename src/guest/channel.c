/* Owns the messages to and from the network process, and the requests that are open. */
#include "guest/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/supervisor.h"

#define MESSAGE_MAX (sizeof(struct guest_message) + GUEST_DATA_MAX)

/* For the network process to take what is left, at the end. */
#define FINISH_TRIES   100
#define FINISH_WAIT_MS 50

struct waiting {
	struct list node;
	int fd;
	size_t length;
	uint8_t bytes[];
};

int channel_init(struct channel *c, int fd_take)
{
	*c = (struct channel){ .fd = fd_take, .watch = { .kind = WATCH_CHANNEL, .fd = -1 } };
	list_init(&c->queue);
	for (int i = 0; i < CHANNEL_BUCKETS; i++)
		list_init(&c->buckets[i]);
	c->buffer = malloc(MESSAGE_MAX);
	return c->buffer ? 0 : -ENOMEM;
}

static void waiting_free(struct waiting *w)
{
	list_remove(&w->node);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

void channel_deinit(struct channel *c)
{
	list_for_each_safe(node, &c->queue)
		waiting_free(list_entry(node, struct waiting, node));
	for (struct request *r = channel_take_any(c); r; r = channel_take_any(c))
		free(r);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(c->buffer);
	c->buffer = NULL;
}

static int send_bytes(int channel_fd, const struct iovec *iov, size_t count, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count };

	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	while (sendmsg(channel_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		/* Too many descriptors of ours in flight: they are taken out soon. */
		return errno == ETOOMANYREFS ? -EAGAIN : -errno;
	}
	return 0;
}

static void put_off(struct supervisor *s, const struct iovec iov[2], int fd)
{
	struct channel *c = &s->channel;
	struct waiting *w = malloc(sizeof(*w) + iov[0].iov_len + iov[1].iov_len);

	if (w)
		w->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (!w || (fd >= 0 && w->fd < 0)) {
		/* What is left out can't be made good: the two sides would disagree. */
		supervisor_log(s, "cannot keep a message to the network process");
		(void)shutdown(c->fd, SHUT_RDWR);
		free(w);
		return;
	}
	w->length = iov[0].iov_len + iov[1].iov_len;
	memcpy(w->bytes, iov[0].iov_base, iov[0].iov_len);
	if (iov[1].iov_len)
		memcpy(w->bytes + iov[0].iov_len, iov[1].iov_base, iov[1].iov_len);
	if (list_is_empty(&c->queue))
		(void)watch_start(s->epoll_fd, &c->watch, c->fd, EPOLLIN | EPOLLOUT);
	list_append(&c->queue, &w->node);
}

void channel_send(struct supervisor *s, const struct guest_message *m, const void *data, int fd)
{
	struct channel *c = &s->channel;
	const struct iovec iov[2] = { { (void *)(uintptr_t)m, sizeof(*m) },
				      { (void *)(uintptr_t)data, m->data_length } };

	if (c->is_lost)
		return;
	if (!list_is_empty(&c->queue) ||
	    send_bytes(c->fd, iov, m->data_length ? 2 : 1, fd) == -EAGAIN)
		put_off(s, iov, fd);
}

struct request *channel_request(struct supervisor *s, struct guest_message *m, const void *data,
				request_done *done)
{
	struct channel *c = &s->channel;
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	if (++c->last_request == 0)
		c->last_request = 1;
	r->number = c->last_request;
	r->socket = m->socket;
	r->done = done;
	list_append(&c->buckets[r->number % CHANNEL_BUCKETS], &r->node);
	m->request = r->number;
	channel_send(s, m, data, -1);
	return r;
}

void channel_flush(struct supervisor *s)
{
	struct channel *c = &s->channel;

	while (!list_is_empty(&c->queue)) {
		struct waiting *w = list_entry(list_first(&c->queue), struct waiting, node);
		const struct iovec iov = { w->bytes, w->length };

		if (send_bytes(c->fd, &iov, 1, w->fd) == -EAGAIN)
			return;
		waiting_free(w);
	}
	(void)watch_start(s->epoll_fd, &c->watch, c->fd, EPOLLIN);
}

void channel_finish(struct supervisor *s)
{
	struct pollfd p = { .fd = s->channel.fd, .events = POLLOUT };

	for (int i = 0; i < FINISH_TRIES && !list_is_empty(&s->channel.queue); i++) {
		(void)poll(&p, 1, FINISH_WAIT_MS);
		channel_flush(s);
	}
}

int channel_receive(struct channel *c, struct guest_message *ret, const uint8_t **ret_data)
{
	const ssize_t n = recv(c->fd, c->buffer, MESSAGE_MAX, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n < (ssize_t)sizeof(*ret))
		return -ECONNRESET;
	memcpy(ret, c->buffer, sizeof(*ret));
	if (ret->data_length != (size_t)n - sizeof(*ret))
		return -EPROTO;
	*ret_data = c->buffer + sizeof(*ret);
	return 0;
}

struct request *channel_take_request(struct channel *c, uint32_t number)
{
	list_for_each(node, &c->buckets[number % CHANNEL_BUCKETS]) {
		struct request *r = list_entry(node, struct request, node);

		if (r->number == number) {
			list_remove(&r->node);
			return r;
		}
	}
	return NULL;
}

struct request *channel_take_any(struct channel *c)
{
	for (int i = 0; i < CHANNEL_BUCKETS; i++) {
		struct list *node = list_pop(&c->buckets[i]);

		if (node)
			return list_entry(node, struct request, node);
	}
	return NULL;
}

void request_finish(struct supervisor *s, struct request *r, const struct guest_message *answer,
		    const uint8_t *data)
{
	if (r->call)
		r->call->request = NULL;
	r->done(s, r, answer, data);
	free(r);
}
