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

#define DATAGRAM_MAX (sizeof(struct guest_message) + GUEST_DATA_MAX + sizeof(struct parcel))

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
	*c = (struct channel){ .fd = fd_take,
			       .watch = { .kind = WATCH_CHANNEL, .fd = -1 },
			       .received_fd = -1 };
	list_init(&c->queue);
	timer_init(&c->parcel_timer, SUPERVISOR_TIMER_PARCEL);
	for (int i = 0; i < CHANNEL_BUCKETS; i++)
		list_init(&c->buckets[i]);
	c->buffer = malloc(DATAGRAM_MAX);
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
	if (c->received_fd >= 0)
		close(c->received_fd);
	c->received_fd = -1;
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
		/* Memory runs out for a moment; and of too many descriptors of ours in flight some
		 * are taken out soon. */
		return errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM ? -EAGAIN
										    : -errno;
	}
	return 0;
}

void channel_give_up(struct supervisor *s, const char *why)
{
	supervisor_log(s, "%s", why);
	(void)shutdown(s->channel.fd, SHUT_RDWR);
}

static void put_off(struct supervisor *s, const struct iovec *iov, size_t count, int fd)
{
	struct channel *c = &s->channel;
	size_t length = 0;

	for (size_t i = 0; i < count; i++)
		length += iov[i].iov_len;
	struct waiting *w = malloc(sizeof(*w) + length);

	if (w)
		w->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (!w || (fd >= 0 && w->fd < 0)) {
		channel_give_up(s, "cannot keep a message to the network process");
		free(w);
		return;
	}
	w->length = 0;
	for (size_t i = 0; i < count; i++) {
		memcpy(w->bytes + w->length, iov[i].iov_base, iov[i].iov_len);
		w->length += iov[i].iov_len;
	}
	if (list_is_empty(&c->queue))
		(void)watch_start(s->epoll_fd, &c->watch, c->fd, EPOLLIN | EPOLLOUT);
	list_append(&c->queue, &w->node);
}

/* What waits for company goes first. `m` may be NULL. */
static void transmit(struct supervisor *s, const struct guest_message *m, const void *data, int fd)
{
	struct channel *c = &s->channel;
	struct iovec iov[3] = { 0 };
	size_t count = 0;

	if (c->is_lost)
		return;
	if (c->parcel.count)
		iov[count++] = (struct iovec){ c->parcel.messages,
					       c->parcel.count * sizeof(c->parcel.messages[0]) };
	if (m)
		iov[count++] = (struct iovec){ (void *)(uintptr_t)m, sizeof(*m) };
	if (m && m->data_length)
		iov[count++] = (struct iovec){ (void *)(uintptr_t)data, m->data_length };
	if (!list_is_empty(&c->queue) || send_bytes(c->fd, iov, count, fd) == -EAGAIN)
		put_off(s, iov, count, fd);
	c->parcel.count = 0;
	timer_disarm(&s->timers, &c->parcel_timer);
}

void channel_send(struct supervisor *s, const struct guest_message *m, const void *data, int fd)
{
	transmit(s, m, data, fd);
}

void channel_send_parcel(struct supervisor *s)
{
	if (s->channel.parcel.count)
		transmit(s, NULL, NULL, -1);
}

void channel_send_later(struct supervisor *s, const struct guest_message *m)
{
	struct channel *c = &s->channel;

	if (c->is_lost)
		return;
	if (parcel_add(&c->parcel, m))
		transmit(s, NULL, NULL, -1);
	else if (!timer_is_armed(&c->parcel_timer))
		timer_arm(&s->timers, &c->parcel_timer, reeve_time_add_ms(s->now, PARCEL_MS));
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

int channel_take_descriptor(struct channel *c)
{
	/* It belongs to the last message of its datagram. */
	const int fd = c->at == c->length ? c->received_fd : -1;

	if (fd >= 0)
		c->received_fd = -1;
	return fd;
}

static int descriptor_of(struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int receive_datagram(struct channel *c)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { c->buffer, DATAGRAM_MAX };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (c->received_fd >= 0)
		close(c->received_fd);
	c->received_fd = descriptor_of(&m);
	c->at = 0;
	c->length = (size_t)n;
	return 0;
}

int channel_receive(struct channel *c, struct guest_message *ret, const uint8_t **ret_data,
		    bool *ret_more)
{
	if (c->at == c->length) {
		const int r = receive_datagram(c);

		if (r < 0)
			return r;
	}
	const size_t taken = parcel_next(c->buffer + c->at, c->length - c->at, ret);

	/* Nothing at all is the end. */
	if (taken == 0)
		return c->length == 0 ? -ECONNRESET : -EPROTO;
	*ret_data = c->buffer + c->at + sizeof(*ret);
	c->at += taken;
	*ret_more = c->at < c->length;
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
