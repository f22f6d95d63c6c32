/*
 * recvfrom(2), recvmsg(2) and recvmmsg(2), where they need more than the kernel's AF_UNIX sockets
 * know: a datagram's source and control data; streams are stream.h's.
 *
 * A datagram's bytes lie in the program's end, its addresses in a queue of the supervisor's. The
 * program may take bytes without a trap, by read() or recv(): then the addresses queue holds more
 * bytes than the program's end, and what is too much at its front is dropped.
 */
#include "guest/sys.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "guest/message.h"
#include "guest/names.h"
#include "guest/stream.h"
#include "guest/supervisor.h"

/* A datagram whose addresses are on their way; the bytes come a moment earlier. */
#define MOMENT_MS 2

/* Datagrams without a byte are not seen in a count of bytes: the one at hand is looked at. */
static int align_empty(struct socket_datagrams *d, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };
	const ssize_t length = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	const int error = length < 0 ? errno : 0;

	while (d->count && socket_datagram_first(d)->length == 0 && length != 0)
		socket_datagram_pop(d);
	if (error)
		return -error;
	if (d->count)
		return 0;
	return length == 0 && poll(&p, 1, 0) > 0 ? 0 : -EINPROGRESS;
}

/* 0: the first address is that of the first datagram. */
static int align_datagrams(struct guest_socket *socket, int fd)
{
	struct socket_datagrams *d = &socket->datagrams;
	int unread = 0;

	if (ioctl(fd, FIONREAD, &unread) < 0)
		return -errno;
	while (d->count && d->bytes > (uint64_t)unread)
		socket_datagram_pop(d);
	if (d->bytes < (uint64_t)unread)
		return -EINPROGRESS;
	if (d->count == 0 || socket_datagram_first(d)->length == 0)
		return align_empty(d, fd);
	return 0;
}

static int64_t copy_out(const struct call *c, const struct message *m, const uint8_t *bytes,
			int64_t length)
{
	const size_t room = m->memory.total;
	const size_t n = (size_t)length < room ? (size_t)length : room;
	const int r = memory_scatter(c->trapped.tid, &m->memory, bytes, n);

	return r < 0 ? r : (int64_t)n;
}

/* One datagram: the value of the call, -EAGAIN, or -EINPROGRESS: in a moment. */
static int64_t receive_datagram(struct supervisor *s, struct call *c, const struct message *m)
{
	struct guest_socket *socket = c->socket;

	if (socket->error) {
		const int error = socket->error;

		socket->error = 0;
		return -error;
	}
	const int aligned = align_datagrams(socket, c->fd);

	if (aligned < 0)
		return aligned;
	const int64_t length = recv(c->fd, s->scratch, GUEST_DATA_MAX,
				    MSG_DONTWAIT | MSG_TRUNC | (m->flags & MSG_PEEK));

	if (length < 0)
		return -errno;
	const struct socket_datagram *first = socket_datagram_first(&socket->datagrams);

	/* Nothing and no address: the program has shut the socket down. */
	if (!first)
		return 0;
	const struct socket_datagram d = *first;

	if (!(m->flags & MSG_PEEK))
		socket_datagram_pop(&socket->datagrams);
	char name[sizeof(struct sockaddr_storage)];
	union {
		struct cmsghdr align;
		uint8_t bytes[MESSAGE_CONTROL];
	} control;
	const struct message_result result = {
		.name = name,
		.name_length = name_format(&d.remote, socket->family, name),
		.control = control.bytes,
		.control_length = message_build_control(s, socket, &d, control.bytes),
		.flags = (size_t)length > m->memory.total ? MSG_TRUNC : 0,
	};
	const int64_t n = copy_out(c, m, s->scratch, length);
	const int r = n < 0 ? (int)n : message_write_result(c, m, &result);

	if (r < 0)
		return r;
	return m->flags & MSG_TRUNC ? length : n;
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
		return -EAGAIN;
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

static void wait_more(struct supervisor *s, struct call *c, call_retry *retry, bool waits,
		      bool for_moment)
{
	if (c->is_kept)
		return;
	c->timeout_error = EAGAIN;
	call_keep(s, c, retry,
		  waits ? call_timeout_ms(c, SO_RCVTIMEO) : (for_moment ? MOMENT_MS : 0));
	/* Datagrams come with a message, which retries. */
	if (c->socket->kind != SOCKET_UDP)
		(void)watch_start(s->epoll_fd, &c->watch, c->fd, EPOLLIN | EPOLLRDHUP);
}

/* Answers, or keeps the call, as its flags and the socket's want. */
static void conclude(struct supervisor *s, struct call *c, call_retry *retry, int flags,
		     int64_t result)
{
	const bool waits =
		!(flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) && !descriptor_is_nonblocking(c->fd);

	if (result == -EINPROGRESS || (result == -EAGAIN && waits))
		wait_more(s, c, retry, waits, result == -EINPROGRESS);
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

static int64_t receive_next(struct supervisor *s, struct call *c, uint64_t at)
{
	struct message m;
	int64_t r = message_read_header(c, at, call_int(c, 3) & ~MSG_WAITFORONE, &m);

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

/* Waits for the first only: then it takes what is there. */
static void try_recvmmsg(struct supervisor *s, struct call *c)
{
	const uint32_t most = (uint32_t)c->trapped.arguments[2];
	const uint32_t count = most < MEMORY_VECTORS ? most : MEMORY_VECTORS;
	uint32_t i = 0;
	int64_t r = 0;

	while (i < count && r == 0) {
		r = receive_next(s, c, c->trapped.arguments[1] + i * sizeof(struct mmsghdr));
		if (r == 0)
			i++;
	}
	conclude(s, c, try_recvmmsg, call_int(c, 3), i ? (int64_t)i : r);
}

void sys_recvmmsg(struct supervisor *s, struct call *c)
{
	const struct guest_socket *socket = call_socket(s, c);

	if (!socket)
		call_continue(s, c);
	else if (socket->kind == SOCKET_TCP)
		stream_receive_many(s, c);
	else
		try_recvmmsg(s, c);
}
