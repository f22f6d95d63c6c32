/* Owns sending on streams: sendto(2), sendmsg(2), sendmmsg(2). */
#include "guest/stream.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/message.h"
#include "guest/supervisor.h"
#include "guest/sys.h"

/* The signal would have come from the kernel. */
static void send_signal(struct supervisor *s, const struct call *c)
{
	(void)syscall(SYS_tgkill, descriptor_process(&s->descriptors, c->trapped.tid),
		      c->trapped.tid, SIGPIPE);
}

/* The error that a reset has left is said once, before EPIPE. */
static int pending_error(const struct call *c)
{
	struct guest_socket *socket = c->socket;
	int native = 0;
	socklen_t length = sizeof(native);

	/* What the program has read natively is said. */
	if (socket->state != SOCKET_FRESH &&
	    ((socket->state != SOCKET_RESET && socket->state != SOCKET_FAILED) ||
	     getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &native, &length) < 0 || native == 0))
		return 0;
	const int error = socket->error;

	socket->error = 0;
	return error;
}

static int64_t send_error(struct supervisor *s, const struct call *c, int flags, int error)
{
	/* Of a socket without a peer TCP says the same as of one whose sending has ended. */
	if (error == ENOTCONN)
		error = EPIPE;
	if (error != EPIPE)
		return -error;
	const int pending = pending_error(c);

	if (pending)
		return -pending;
	if (c->socket->error == EPIPE)
		c->socket->error = 0;
	if (!(flags & MSG_NOSIGNAL))
		send_signal(s, c);
	return -EPIPE;
}

/* As much as there is room for. The bytes so far, those of earlier attempts with them, or an error
 * if there is none. */
static int64_t put(struct supervisor *s, struct call *c, struct message *m)
{
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (m->flags & (MSG_OOB | MSG_MORE));

	memory_skip(&m->memory, c->progress);
	do {
		const int64_t n =
			memory_gather(c->trapped.tid, &m->memory, s->scratch, GUEST_DATA_MAX);
		const ssize_t done = n < 0 ? 0 : send(c->fd, s->scratch, (size_t)n, flags);

		if (n < 0 || done < 0) {
			if (c->progress)
				return (int64_t)c->progress;
			return n < 0 ? n : send_error(s, c, m->flags, errno);
		}
		c->progress += (uint64_t)done;
		memory_skip(&m->memory, (size_t)done);
		if (done < n)
			break;
	} while (m->memory.total > 0);
	return (int64_t)c->progress;
}

/* Control data mean nothing to TCP but these; what is of no known kind is refused. */
static int check_control(int type)
{
	switch (type) {
	case SCM_RIGHTS:
	case SCM_CREDENTIALS:
	case SO_MARK:
	case SO_PRIORITY:
	case SO_TIMESTAMPING:
		return 0;
	default:
		return -EINVAL;
	}
}

static int read_control(const struct call *c, const struct message *m)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[1024];
	} control;
	struct msghdr h = {
		.msg_control = &control,
		.msg_controllen = m->memory.header.msg_controllen,
	};

	if (!m->memory.header.msg_control || h.msg_controllen == 0)
		return 0;
	if (h.msg_controllen > sizeof(control))
		return -ENOBUFS;
	int r = memory_read(c->trapped.tid, (uint64_t)(uintptr_t)m->memory.header.msg_control,
			    &control, h.msg_controllen);

	for (struct cmsghdr *e = CMSG_FIRSTHDR(&h); e && r == 0; e = CMSG_NXTHDR(&h, e)) {
		if (e->cmsg_len < sizeof(*e) ||
		    e->cmsg_len > h.msg_controllen - (size_t)((uint8_t *)e - control.bytes))
			r = -EINVAL;
		else if (e->cmsg_level == SOL_SOCKET)
			r = check_control(e->cmsg_type);
	}
	return r;
}

static bool may_wait(const struct call *c, int flags)
{
	return !(flags & MSG_DONTWAIT) && !descriptor_is_nonblocking(c->fd);
}

/* One message: bytes, an error, or -EINPROGRESS when the call has to wait. */
static int64_t send_message(struct supervisor *s, struct call *c, struct message *m)
{
	const size_t total = m->memory.total;
	const int r = read_control(c, m);

	if (r < 0)
		return r;
	if (total == 0 && c->socket->state == SOCKET_CONNECTED)
		return 0;
	const int64_t n = put(s, c, m);

	if ((n == -EAGAIN || (n >= 0 && (size_t)n < total)) && may_wait(c, m->flags))
		return -EINPROGRESS;
	return n;
}

static void wait_for_room(struct supervisor *s, struct call *c, call_retry *retry)
{
	if (c->is_kept) {
		c->retry = retry;
	} else {
		c->timeout_error = EAGAIN;
		call_keep(s, c, retry, call_timeout_ms(c, SO_SNDTIMEO));
	}
	if (c->watch.fd < 0)
		(void)watch_start(s->epoll_fd, &c->watch, c->fd, EPOLLOUT | EPOLLET);
}

static int read_one(const struct call *c, struct message *ret)
{
	if (c->trapped.number == SYS_sendto)
		return message_read_plain(c, ret);
	return message_read_header(c, c->trapped.arguments[1], call_int(c, 2), ret);
}

/* Of others than connections the kernel says what AF_UNIX does. */
static bool is_native(const struct call *c, const struct message *m)
{
	const struct msghdr *h = &m->memory.header;
	const enum socket_state state = c->socket->state;

	return (state == SOCKET_CONNECTED || state == SOCKET_CONNECTING) && !h->msg_name &&
	       (!h->msg_control || h->msg_controllen == 0) && !(m->flags & MSG_FASTOPEN) &&
	       (!(m->flags & MSG_OOB) || m->memory.total > 0);
}

static void send_one(struct supervisor *s, struct call *c)
{
	struct message m;
	int64_t r = read_one(c, &m);

	if (r == 0) {
		r = send_message(s, c, &m);
		message_deinit(&m);
	}
	c->partial = (int64_t)c->progress;
	if (r == -EINPROGRESS)
		wait_for_room(s, c, send_one);
	else
		(void)call_answer(s, c, r);
}

/* The connect that MSG_FASTOPEN asked for is done. */
static void connected(struct supervisor *s, struct call *c)
{
	c->progress = 0;
	c->interrupt = NULL;
	send_one(s, c);
}

/* There is never a cookie: so nothing travels with the SYN, and a call that does not wait has sent
 * nothing. */
static void open_fast(struct supervisor *s, struct call *c, const struct msghdr *h)
{
	if (c->socket->state == SOCKET_CONNECTED || c->socket->state == SOCKET_RESET)
		(void)call_answer(s, c, -EISCONN);
	else if (!h->msg_name)
		(void)call_answer(s, c, -EINVAL);
	else
		connect_then(s, c, (uint64_t)(uintptr_t)h->msg_name, h->msg_namelen, connected);
}

void stream_send(struct supervisor *s, struct call *c)
{
	struct message m;
	const int r = read_one(c, &m);

	if (r < 0) {
		(void)call_answer(s, c, r);
		return;
	}
	const struct msghdr header = m.memory.header;
	const bool native = is_native(c, &m), fast = m.flags & MSG_FASTOPEN;

	message_deinit(&m);
	if (native)
		call_continue(s, c);
	else if (fast)
		open_fast(s, c, &header);
	else
		send_one(s, c);
}

static int64_t send_next(struct supervisor *s, struct call *c)
{
	const uint64_t at = c->trapped.arguments[1] + c->index * sizeof(struct mmsghdr);
	struct message m;
	int64_t r = message_read_header(c, at, call_int(c, 3), &m);

	if (r < 0)
		return r;
	r = m.flags & MSG_FASTOPEN ? -EOPNOTSUPP : send_message(s, c, &m);
	message_deinit(&m);
	if (r < 0)
		return r;
	const uint32_t length = (uint32_t)r;

	r = memory_write(c->trapped.tid, at + offsetof(struct mmsghdr, msg_len), &length,
			 sizeof(length));
	return r < 0 ? r : 0;
}

void stream_send_many(struct supervisor *s, struct call *c)
{
	const uint32_t most = (uint32_t)c->trapped.arguments[2];
	const uint32_t count = most < MEMORY_VECTORS ? most : MEMORY_VECTORS;
	int64_t r = 0;

	while (c->index < count) {
		r = send_next(s, c);
		if (r < 0)
			break;
		c->index++;
		c->progress = 0;
	}
	c->partial = c->index;
	if (r == -EINPROGRESS)
		wait_for_room(s, c, stream_send_many);
	else
		(void)call_answer(s, c, c->index ? (int64_t)c->index : r);
}
