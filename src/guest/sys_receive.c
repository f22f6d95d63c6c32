/*
 * recvfrom(2), recvmsg(2) and recvmmsg(2), where they need more than the kernel's AF_UNIX sockets
 * know: a datagram's source and control data; streams are stream.h's.
 *
 * A datagram's bytes lie in the program's end, its addresses in a queue of the supervisor's. The
 * program may take datagrams without a trap, by read() or recv(): then the addresses count more
 * than what lies in the program's end, and what is too much at their front is dropped.
 */
#include "guest/sys.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "guest/control.h"
#include "guest/message.h"
#include "guest/names.h"
#include "guest/peer.h"
#include "guest/stream.h"
#include "guest/supervisor.h"

/* A datagram's bytes come before its addresses, and an error before what it was; mostly so long. Then
 * the network process is asked. */
#define MOMENT_MS 2

/* What lies unread counts in our end; what the addresses count beyond that, the program has read
 * without a trap. */
static void align_datagrams(struct guest_socket *socket)
{
	struct socket_datagrams *d = &socket->datagrams;
	int unread = 0;

	if (ioctl(socket->end, SIOCOUTQ, &unread) < 0)
		return;
	while (d->count && d->charged > (uint64_t)unread)
		socket_datagram_pop(d);
}

/* The address of a datagram of that length, the oldest; false when it is still on its way. */
static bool find_address(struct socket_datagrams *d, int64_t length, struct socket_datagram *ret)
{
	/* Never but when the kernel counts otherwise than it did. */
	while (d->count && socket_datagram_first(d)->length != (uint32_t)length)
		socket_datagram_pop(d);
	if (!d->count)
		return false;
	*ret = *socket_datagram_first(d);
	return true;
}

static bool waits(const struct call *c, int flags)
{
	return !(flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) && !descriptor_is_nonblocking(c->fd);
}

static int64_t copy_out(const struct call *c, const struct message *m, const uint8_t *bytes,
			int64_t length)
{
	const size_t room = m->memory.total;
	const size_t n = (size_t)length < room ? (size_t)length : room;
	const int r = memory_scatter(c->trapped.tid, &m->memory, bytes, n);

	return r < 0 ? r : (int64_t)n;
}

/* The first datagram's length, its bytes in the scratch memory. *ret_poke: the end has told its error,
 * and is to poll it again, when the datagram has been taken: before, a read would find it once more. */
static int64_t look_at_first(struct supervisor *s, const struct call *c, bool *ret_poke)
{
	const int flags = MSG_DONTWAIT | MSG_TRUNC | MSG_PEEK;
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int64_t length;

	/* The end's own error stays while it stands for problems that nobody has read yet. */
	if (c->socket->problems.count && (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN)))
		return -EAGAIN;
	length = recv(c->fd, s->scratch, GUEST_DATA_MAX, flags);
	if (length >= 0 || errno != ECONNRESET)
		return length < 0 ? -errno : length;
	*ret_poke = c->socket->problems.count > 0;
	length = recv(c->fd, s->scratch, GUEST_DATA_MAX, flags);
	return length < 0 ? -errno : length;
}

static int64_t give_datagram(struct supervisor *s, const struct call *c, const struct message *m,
			     const struct socket_datagram *d)
{
	char name[sizeof(struct sockaddr_storage)];
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_MAX];
	} control;
	const struct message_result result = {
		.name = name,
		.name_length = name_format(&d->remote, c->socket->family, name),
		.control = control.bytes,
		.control_length = m->header ? control_of_datagram(s, c, d, control.bytes) : 0,
		.flags = d->length > m->memory.total ? MSG_TRUNC : 0,
	};
	const int64_t n = copy_out(c, m, s->scratch, d->length);
	const int r = n < 0 ? (int)n : message_write_result(c, m, &result);

	if (r < 0)
		return r;
	return m->flags & MSG_TRUNC ? d->length : n;
}

/* One datagram: the value of the call, -EAGAIN, or -EINPROGRESS: in a moment. */
static int64_t receive_datagram(struct supervisor *s, struct call *c, const struct message *m)
{
	struct guest_socket *socket = c->socket;
	struct socket_datagram d;
	bool is_poked = false;

	if (socket->error)
		return -peer_take_error(socket, c->fd);
	/* One that waits is tried again when the message comes. */
	const bool may_wait = waits(c, m->flags);

	if (!may_wait && peer_error_is_on_its_way(socket, c->fd))
		return -EINPROGRESS;
	align_datagrams(socket);
	const int64_t length = look_at_first(s, c, &is_poked);
	const bool is_known = length >= 0 && find_address(&socket->datagrams, length, &d);

	if (is_known && !(m->flags & MSG_PEEK)) {
		(void)recv(c->fd, NULL, 0, MSG_DONTWAIT);
		socket_datagram_pop(&socket->datagrams);
	}
	if (is_poked)
		peer_tell(s, socket, GUEST_POKE);
	if (length < 0)
		return length == -EAGAIN && socket->is_deaf && may_wait ? 0 : length;
	return is_known ? give_datagram(s, c, m, &d) : -EINPROGRESS;
}

/* The oldest problem; the next one's errno is what is pending then. */
static int64_t receive_problem(struct supervisor *s, struct call *c, const struct message *m)
{
	struct guest_socket *socket = c->socket;
	const struct problem *p = socket->problems.first;
	char name[sizeof(struct sockaddr_storage)];
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_MAX];
	} control;

	if (!p)
		return peer_error_is_on_its_way(socket, c->fd) ? -EINPROGRESS : -EAGAIN;
	const struct message_result result = {
		.name = name,
		.name_length = name_format(&p->remote, socket->family, name),
		.control = control.bytes,
		.control_length = control_of_problem(s, c, p, control.bytes),
		.flags = MSG_ERRQUEUE | (p->length > m->memory.total ? MSG_TRUNC : 0),
	};
	const int64_t n = copy_out(c, m, p->quote, p->length);
	const int r = n < 0 ? (int)n : message_write_result(c, m, &result);

	problems_pop(&socket->problems);
	(void)peer_take_error(socket, c->fd);
	if (socket->problems.first && !socket->problems.first->what.is_local)
		socket->error = socket->problems.first->what.error;
	return r < 0 ? r : n;
}

static int64_t receive_netlink(struct supervisor *s, struct call *c, const struct message *m)
{
	const int64_t length = recv(c->fd, s->scratch, GUEST_DATA_MAX,
				    MSG_DONTWAIT | MSG_TRUNC | (m->flags & MSG_PEEK));
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct message_result result = {
		.name = &kernel,
		.name_length = sizeof(kernel),
		.flags = (size_t)length > m->memory.total ? MSG_TRUNC : 0,
	};

	if (length < 0)
		return -errno;
	const int64_t n = copy_out(c, m, s->scratch, length);
	const int r = n < 0 ? (int)n : message_write_result(c, m, &result);

	if (r < 0)
		return r;
	return m->flags & MSG_TRUNC ? length : n;
}

static int64_t receive(struct supervisor *s, struct call *c, const struct message *m)
{
	if (m->flags & MSG_ERRQUEUE)
		return c->socket->kind == SOCKET_UDP ? receive_problem(s, c, m) : -EAGAIN;
	switch (c->socket->kind) {
	case SOCKET_TCP:
		break; /* stream_receive.c */
	case SOCKET_UDP:
		return receive_datagram(s, c, m);
	case SOCKET_NETLINK:
		return receive_netlink(s, c, m);
	}
	return -EOPNOTSUPP;
}

/* Nothing was on its way: what the end says of an error was old. */
static void forget_error(const struct call *c)
{
	if (c->socket->kind == SOCKET_UDP && !c->socket->problems.count)
		peer_clear_end(c->fd);
}

static void wait_more(struct supervisor *s, struct call *c, call_retry *retry, bool may_wait)
{
	if (c->is_kept)
		return;
	c->timeout_error = EAGAIN;
	if (!may_wait)
		c->overdue = call_catch_up;
	call_keep(s, c, retry, may_wait ? call_timeout_ms(c, SO_RCVTIMEO) : MOMENT_MS);
	/* Datagrams come with a message, which retries. */
	if (c->socket->kind != SOCKET_UDP)
		(void)watch_start(s->epoll_fd, &c->watch, c->fd, EPOLLIN | EPOLLRDHUP);
}

/* Answers, or keeps the call, as its flags and the socket's want. */
static void conclude(struct supervisor *s, struct call *c, call_retry *retry, int flags,
		     int64_t result)
{
	const bool may_wait = waits(c, flags);

	if (result == -EINPROGRESS && c->is_abreast) {
		forget_error(c);
		result = -EAGAIN;
	}
	if (result == -EINPROGRESS || (result == -EAGAIN && may_wait))
		wait_more(s, c, retry, may_wait);
	else
		(void)call_answer(s, c, result);
}

static void try_recvfrom(struct supervisor *s, struct call *c)
{
	struct message m;
	int64_t r = message_read_plain(c, &m);

	if (r < 0) {
		(void)call_answer(s, c, r);
		return;
	}
	r = receive(s, c, &m);
	const int flags = m.flags;

	message_deinit(&m);
	conclude(s, c, try_recvfrom, flags, r);
}

void sys_recvfrom(struct supervisor *s, struct call *c)
{
	const struct guest_socket *socket = call_socket(s, c);

	if (!socket)
		call_continue(s, c);
	else if (socket->kind == SOCKET_TCP)
		stream_receive(s, c);
	else
		try_recvfrom(s, c);
}

static void try_recvmsg(struct supervisor *s, struct call *c)
{
	struct message m;
	int64_t r = message_read_header(c, c->trapped.arguments[1], call_int(c, 2), &m);

	if (r < 0) {
		(void)call_answer(s, c, r);
		return;
	}
	r = receive(s, c, &m);
	const int flags = m.flags;

	message_deinit(&m);
	conclude(s, c, try_recvmsg, flags, r);
}

void sys_recvmsg(struct supervisor *s, struct call *c)
{
	const struct guest_socket *socket = call_socket(s, c);

	if (!socket)
		call_continue(s, c);
	else if (socket->kind == SOCKET_TCP)
		stream_receive(s, c);
	else
		try_recvmsg(s, c);
}

static int64_t receive_next(struct supervisor *s, struct call *c, uint64_t at, int flags)
{
	struct message m;
	int64_t r = message_read_header(c, at, flags, &m);

	if (r < 0)
		return r;
	r = receive(s, c, &m);
	message_deinit(&m);
	if (r < 0)
		return r;
	const uint32_t length = (uint32_t)r;

	return memory_write(c->trapped.tid, at + offsetof(struct mmsghdr, msg_len), &length,
			    sizeof(length));
}

/* What is left of the time that the call was given, in ns; -1: it was given none. -EINVAL, -EFAULT */
static int time_left(const struct supervisor *s, const struct call *c, int64_t *ret_ns)
{
	struct timespec t;

	*ret_ns = -1;
	if (!c->trapped.arguments[4])
		return 0;
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[4], &t, sizeof(t));

	if (r < 0)
		return r;
	if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= REEVE_NS_PER_S)
		return -EINVAL;
	const int64_t most = INT64_MAX / REEVE_NS_PER_S - 1;
	const int64_t given = (t.tv_sec < most ? t.tv_sec : most) * REEVE_NS_PER_S + t.tv_nsec;
	const int64_t left = given - reeve_time_since(s->now, c->begun);

	*ret_ns = left > 0 ? left : 0;
	return 0;
}

/* Some have come. What went wrong behind them is for the next call to say. */
static void end_several(struct supervisor *s, struct call *c, int64_t error, int64_t left_ns)
{
	const struct timespec left = { left_ns / REEVE_NS_PER_S, left_ns % REEVE_NS_PER_S };
	int64_t value = (int64_t)c->progress;

	if (error < 0 && error != -EAGAIN && error != -EINPROGRESS)
		c->socket->error = (int)-error;
	if (left_ns >= 0 &&
	    memory_write(c->trapped.tid, c->trapped.arguments[4], &left, sizeof(left)) < 0)
		value = -EFAULT;
	(void)call_answer(s, c, value);
}

/* As in the kernel the time is looked at behind each datagram, and by nobody while none comes. */
static void try_recvmmsg(struct supervisor *s, struct call *c)
{
	const uint32_t most = (uint32_t)c->trapped.arguments[2];
	const uint32_t count = most < MEMORY_VECTORS ? most : MEMORY_VECTORS;
	const int asked = call_int(c, 3);
	int flags = asked & ~MSG_WAITFORONE;
	int64_t left_ns = -1;
	int64_t r = time_left(s, c, &left_ns);

	if (r < 0 || count == 0) {
		(void)call_answer(s, c, r);
		return;
	}
	for (bool goes_on = true; goes_on && r == 0;) {
		if (c->progress && asked & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		r = receive_next(s, c,
				 c->trapped.arguments[1] + c->progress * sizeof(struct mmsghdr),
				 flags);
		c->progress += r == 0;
		goes_on = c->progress < count && left_ns != 0;
	}
	c->partial = (int64_t)c->progress;

	if (c->progress && (r == 0 || !waits(c, flags) || (r != -EAGAIN && r != -EINPROGRESS)))
		end_several(s, c, r, left_ns);
	else
		conclude(s, c, try_recvmmsg, flags, r);
}

/* The kernel looks at the time before anything else. */
static int check_time(const struct call *c)
{
	struct timespec t = { 0 };
	const int r = c->trapped.arguments[4]
			      ? memory_read(c->trapped.tid, c->trapped.arguments[4], &t, sizeof(t))
			      : 0;

	return r == 0 && (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= REEVE_NS_PER_S) ? -EINVAL
											: r;
}

void sys_recvmmsg(struct supervisor *s, struct call *c)
{
	const struct guest_socket *socket = call_socket(s, c);
	const int r = socket ? check_time(c) : 0;

	if (!socket)
		call_continue(s, c);
	else if (r < 0)
		(void)call_answer(s, c, r);
	else if (socket->kind == SOCKET_TCP)
		stream_receive_many(s, c);
	else
		try_recvmmsg(s, c);
}
