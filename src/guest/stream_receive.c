/* Owns receiving on streams: recvfrom(2), recvmsg(2), recvmmsg(2). */
#include "guest/stream.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/sockios.h>

#include "guest/message.h"
#include "guest/supervisor.h"

#ifndef MSG_WAITFORONE
#	define MSG_WAITFORONE 0x10000
#endif

static bool is_at_mark(int fd)
{
	int at = 0;

	return ioctl(fd, SIOCATMARK, &at) == 0 && at;
}

static int unread(int fd)
{
	int bytes = 0;

	return ioctl(fd, FIONREAD, &bytes) < 0 ? 0 : bytes;
}

static bool has_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static int receive_error(const struct call *c, int error, int flags)
{
	struct guest_socket *socket = c->socket;

	/* Without an urgent byte TCP says so before it looks whether there is a connection. */
	if (error == EINVAL && flags & MSG_OOB && socket->state != SOCKET_LISTENING)
		return -error;
	/* What an AF_UNIX socket without a peer says to TCP's ENOTCONN. */
	if (error == EINVAL && socket->error == 0)
		return socket->has_shut_read ? 0 : -ENOTCONN;
	if ((error != EINVAL && error != ECONNRESET) || socket->error == 0)
		return -error;
	/* AF_UNIX knows this error alone. */
	const int reason = socket->error;

	socket->error = 0;
	return -reason;
}

/* What has come is handed over, up to urgent data. The bytes so far, those of earlier attempts with
 * them, or an error if there is none. An error behind bytes stays for the next call. */
static int64_t take(struct supervisor *s, struct call *c, struct message *m)
{
	const bool peeks = m->flags & (MSG_PEEK | MSG_OOB);

	memory_skip(&m->memory, c->progress);
	do {
		const size_t left = m->memory.total;
		const ssize_t n =
			recv(c->fd, s->scratch, left < GUEST_DATA_MAX ? left : GUEST_DATA_MAX,
			     MSG_DONTWAIT | (m->flags & (MSG_PEEK | MSG_OOB)));

		if (n < 0)
			return c->progress ? (int64_t)c->progress
					   : receive_error(c, errno, m->flags);
		if (n == 0)
			break;
		const int r = m->flags & MSG_TRUNC ? 0
						   : memory_scatter(c->trapped.tid, &m->memory,
								    s->scratch, (size_t)n);

		if (r < 0)
			return r;
		if (peeks)
			return n;
		c->progress += (uint64_t)n;
		memory_skip(&m->memory, (size_t)n);
	} while (m->memory.total > 0 && !is_at_mark(c->fd) && unread(c->fd) > 0);
	return (int64_t)c->progress;
}

/* With fewer bytes a call that may wait goes on waiting (SO_RCVLOWAT). */
static size_t least(const struct call *c, const struct message *m, size_t total)
{
	int low = 1;
	socklen_t length = sizeof(low);

	if (m->flags & MSG_WAITALL)
		return total;
	if (getsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &low, &length) < 0 || low < 1)
		low = 1;
	return (size_t)low < total ? (size_t)low : total;
}

static bool may_wait(const struct call *c, int flags)
{
	return !(flags & (MSG_DONTWAIT | MSG_OOB)) && !descriptor_is_nonblocking(c->fd);
}

/* Without room for a byte: 0 when there is one, or the end, and after a wait for it. */
static int64_t receive_nothing(const struct call *c, const struct message *m,
			       const struct message_result *result)
{
	const bool ready = c->is_kept || unread(c->fd) > 0 || has_ended(c->fd);
	const int r = ready || may_wait(c, m->flags) ? message_write_result(c, m, result) : -EAGAIN;

	return r < 0 || ready ? r : -EINPROGRESS;
}

/* One message: bytes, an error, or -EINPROGRESS when the call has to wait. A stream's source is not
 * said: the name's length is 0. */
static int64_t receive(struct supervisor *s, struct call *c, struct message *m)
{
	const size_t total = m->memory.total;
	const struct message_result result = {
		.name = "",
		.flags = m->flags & (MSG_CMSG_CLOEXEC | MSG_OOB),
	};

	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (total == 0 && !(m->flags & MSG_OOB) && c->socket->state != SOCKET_LISTENING)
		return receive_nothing(c, m, &result);
	/* Not asked again behind bytes: the answer could be an error, which would be lost. */
	const int64_t n = c->progress && unread(c->fd) == 0 ? (int64_t)c->progress : take(s, c, m);

	if (n == 0 || (n < 0 && n != -EAGAIN) || !may_wait(c, m->flags) ||
	    (n > 0 && ((size_t)n >= least(c, m, total) || is_at_mark(c->fd) || has_ended(c->fd)))) {
		const int r = n < 0 ? (int)n : message_write_result(c, m, &result);

		return r < 0 ? r : n;
	}
	const int r = c->progress ? message_write_result(c, m, &result) : 0;

	return r < 0 ? r : -EINPROGRESS;
}

/* An edge: bytes that are too few do not wake it again. */
static void wait_more(struct supervisor *s, struct call *c, call_retry *retry, size_t room)
{
	if (c->is_kept)
		return;
	c->timeout_error = room ? EAGAIN : 0;
	call_keep(s, c, retry, call_timeout_ms(c, SO_RCVTIMEO));
	(void)watch_start(s->epoll_fd, &c->watch, c->fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

static int read_one(const struct call *c, struct message *ret)
{
	if (c->trapped.number == SYS_recvfrom)
		return message_read_plain(c, ret);
	return message_read_header(c, c->trapped.arguments[1], call_int(c, 2), ret);
}

static bool is_native(const struct call *c, const struct message *m)
{
	const enum socket_state state = c->socket->state;

	return (state == SOCKET_CONNECTED || state == SOCKET_CONNECTING) &&
	       !m->memory.header.msg_name && !(m->flags & (MSG_ERRQUEUE | MSG_TRUNC));
}

void stream_receive(struct supervisor *s, struct call *c)
{
	struct message m;
	int64_t r = read_one(c, &m);

	if (r < 0) {
		(void)call_answer(s, c, r);
		return;
	}
	if (is_native(c, &m)) {
		message_deinit(&m);
		call_continue(s, c);
		return;
	}
	const size_t room = m.memory.total;

	r = receive(s, c, &m);
	message_deinit(&m);
	c->partial = (int64_t)c->progress;
	if (r == -EINPROGRESS)
		wait_more(s, c, stream_receive, room);
	else
		(void)call_answer(s, c, r);
}

static int64_t receive_next(struct supervisor *s, struct call *c)
{
	const uint64_t at = c->trapped.arguments[1] + c->index * sizeof(struct mmsghdr);
	int flags = call_int(c, 3);
	struct message m;

	if (flags & MSG_WAITFORONE && c->index > 0)
		flags |= MSG_DONTWAIT;
	int64_t r = message_read_header(c, at, flags & ~MSG_WAITFORONE, &m);

	if (r < 0)
		return r;
	r = receive(s, c, &m);
	message_deinit(&m);
	if (r < 0)
		return r;
	const uint32_t length = (uint32_t)r;

	r = memory_write(c->trapped.tid, at + offsetof(struct mmsghdr, msg_len), &length,
			 sizeof(length));
	return r < 0 ? r : 0;
}

/* A pending error comes before what was received, here alone. */
static int pending_error(const struct call *c)
{
	int native = 0;
	socklen_t length = sizeof(native);

	if (c->socket->state != SOCKET_RESET ||
	    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &native, &length) < 0)
		return 0;
	return -native;
}

/* Waits for each of them, but with MSG_WAITFORONE. */
void stream_receive_many(struct supervisor *s, struct call *c)
{
	const uint32_t most = (uint32_t)c->trapped.arguments[2];
	const uint32_t count = most < MEMORY_VECTORS ? most : MEMORY_VECTORS;
	int64_t r = c->is_kept ? 0 : pending_error(c);

	while (r == 0 && c->index < count) {
		r = receive_next(s, c);
		if (r < 0)
			break;
		c->index++;
		c->progress = 0;
		if (call_int(c, 3) & MSG_OOB)
			break;
	}
	c->partial = c->index;
	if (r == -EINPROGRESS)
		wait_more(s, c, stream_receive_many, 1);
	else
		(void)call_answer(s, c, c->index ? (int64_t)c->index : r);
}
