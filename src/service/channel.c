#include "service/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 16384

void channel_end_init(struct channel_end *c, int fd_take)
{
	*c = (struct channel_end){ .fd = fd_take };
	(void)fcntl(fd_take, F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd_take, F_SETFL, O_NONBLOCK);
}

void channel_end_deinit(struct channel_end *c)
{
	close(c->fd);
	free(c->in);
	free(c->out);
	*c = (struct channel_end){ .fd = -1, .is_closed = true };
}

static bool make_room(char **bytes, size_t *room, size_t wanted)
{
	char *grown;

	if (wanted <= *room)
		return true;
	grown = realloc(*bytes, 2 * wanted);
	if (!grown)
		return false;
	*bytes = grown;
	*room = 2 * wanted;
	return true;
}

void channel_end_read(struct channel_end *c)
{
	/* Further messages wait in the socket until those that are here have been taken. */
	while (!c->is_closed && c->in_length <= CHANNEL_MESSAGE_MOST) {
		if (!make_room(&c->in, &c->in_room, c->in_length + READ_BYTES)) {
			c->is_closed = true;
			return;
		}
		const ssize_t n = read(c->fd, c->in + c->in_length, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			c->is_closed = true;
		else
			c->in_length += (size_t)n;
	}
}

json_t *channel_end_next(struct channel_end *c)
{
	const char *end = NULL;

	if (c->in_length > c->in_scanned)
		end = memchr(c->in + c->in_scanned, '\0', c->in_length - c->in_scanned);
	if (!end) {
		c->in_scanned = c->in_length;
		c->is_closed |= c->in_length > CHANNEL_MESSAGE_MOST;
		return NULL;
	}
	const size_t length = (size_t)(end - c->in);
	json_t *message = json_loadb(c->in, length, JSON_REJECT_DUPLICATES, NULL);

	c->in_length -= length + 1;
	memmove(c->in, c->in + length + 1, c->in_length);
	c->in_scanned = 0;
	if (json_is_object(message))
		return message;
	json_decref(message);
	c->is_closed = true;
	return NULL;
}

void channel_end_write(struct channel_end *c)
{
	size_t done = 0;

	while (done < c->out_length && !c->is_closed) {
		const ssize_t n = send(c->fd, c->out + done, c->out_length - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			c->is_closed = true;
		else
			done += (size_t)n;
	}
	c->out_length -= done;
	if (done)
		memmove(c->out, c->out + done, c->out_length);
}

void channel_end_send(struct channel_end *c, json_t *message_take)
{
	char *text = json_dumps(message_take, JSON_COMPACT);
	const size_t length = text ? strlen(text) + 1 : 0;

	json_decref(message_take);
	if (!text || c->out_length + length > CHANNEL_WAITING_MOST ||
	    !make_room(&c->out, &c->out_room, c->out_length + length)) {
		c->is_closed = true;
	} else {
		memcpy(c->out + c->out_length, text, length);
		c->out_length += length;
		channel_end_write(c);
	}
	free(text);
}
