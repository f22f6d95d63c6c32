/*
 * connect(2).
 *
 * Every connect is kept for as long as the network process needs, a non-blocking one for a moment
 * only: if the answer comes within that moment, as it does inside one machine, no filler is needed,
 * and the program finds the socket ready at its first poll(). Otherwise, or when a signal or
 * SO_SNDTIMEO ends the wait, the socket is filled and the connect goes on without the call.
 */
#include "guest/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/disconnect.h"
#include "guest/guard.h"
#include "guest/memory.h"
#include "guest/names.h"
#include "guest/netlink.h"
#include "guest/peer.h"
#include "guest/replace.h"
#include "guest/supervisor.h"

#define MOMENT_MS 1

enum { WAITS = 1, DOES_NOT_WAIT = 2 }; /* a call's progress */

static int read_remote(const struct call *c, uint64_t at, uint32_t length, struct name *ret)
{
	const struct guest_socket *socket = c->socket;
	const int r = name_read(c, at, length, socket->family, ret);

	if (r < 0)
		return r;
	if (ret->family == AF_UNSPEC)
		return 0;
	const bool mixed = socket->kind == SOCKET_UDP && ret->family == AF_INET &&
			   !socket_option(&socket->options, IPPROTO_IPV6, IPV6_V6ONLY);

	if (ret->family != socket->family && !mixed)
		return -EAFNOSUPPORT;
	name_make_destination(&ret->socket);
	return 0;
}

/* The connect goes on in the background. */
static void go_on(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = c->socket;

	if (!socket || socket->state != SOCKET_CONNECTING || socket->is_asked || socket->end >= 0)
		return;
	const int r = peer_fill(s, socket, c->fd);

	if (r < 0)
		supervisor_log(s, "cannot join a socket: error %d", -r);
}

static call_retry try_connect;

static void wait_for(struct supervisor *s, struct call *c)
{
	const bool waits = !descriptor_is_nonblocking(c->fd);

	c->progress = waits ? WAITS : DOES_NOT_WAIT;
	c->interrupt = go_on;
	c->timeout_error = EINPROGRESS;
	call_keep(s, c, try_connect, waits ? call_timeout_ms(c, SO_SNDTIMEO) : MOMENT_MS);
}

/* What the state of the socket means to a call that waits for it. */
static void try_connect(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = c->socket;

	switch (socket->state) {
	case SOCKET_CONNECTING:
		if (!socket->is_asked)
			wait_for(s, c);
		return;
	case SOCKET_CONNECTED:
		if (c->progress == DOES_NOT_WAIT) {
			(void)call_answer(s, c, -EINPROGRESS);
		} else if (c->then) {
			socket->is_confirmed = true;
			c->then(s, c);
		} else {
			socket->is_confirmed = call_answer(s, c, 0);
		}
		return;
	case SOCKET_FRESH:
	case SOCKET_FAILED:
	case SOCKET_RESET:
	case SOCKET_LISTENING:
		break;
	}
	if (c->progress == DOES_NOT_WAIT) {
		(void)call_answer(s, c, -EINPROGRESS);
		return;
	}
	if (call_answer(s, c, socket->error ? -socket->error : -ECONNABORTED))
		socket->error = 0;
}

static struct call *first_waiting(struct guest_socket *socket)
{
	list_for_each(node, &socket->calls) {
		struct call *c = list_entry(node, struct call, waiting);

		if (c->retry == try_connect && c->fd >= 0)
			return c;
	}
	return NULL;
}

/* Being connected wakes nobody who waits for an edge of EPOLLOUT; a changed size does. */
static void make_edge(int fd)
{
	int size = 0;
	socklen_t length = sizeof(size);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) < 0)
		return;
	size /= 2; /* the kernel doubles what it is given */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int join(struct supervisor *s, struct guest_socket *socket)
{
	const struct call *c = first_waiting(socket);

	if (socket->end >= 0) {
		peer_unfill(s, socket);
		return 0;
	}
	if (!c)
		return -ENOENT;
	socket->end = rendezvous_join(&s->rendezvous, c->fd);
	if (socket->end >= 0 && c->progress == DOES_NOT_WAIT)
		make_edge(c->fd);
	return socket->end < 0 ? socket->end : 0;
}

static void fail(struct supervisor *s, struct guest_socket *socket, int error)
{
	struct call *c = first_waiting(socket);

	socket->error = error;
	socket->state = SOCKET_FRESH;
	if (socket->end < 0 && c && c->progress == WAITS)
		return; /* the program learns of it at once, and its end is as it was */
	if (socket->end < 0 && c && peer_fill(s, socket, c->fd) < 0)
		return;
	if (socket->end >= 0)
		close(socket->end);
	socket->end = -1;
	socket->filler = 0;
	socket->state = SOCKET_FAILED;
}

static void connected(struct supervisor *s, struct request *r, const struct guest_message *answer,
		      const uint8_t *data)
{
	struct guest_socket *socket = socket_by_number(&s->sockets, r->socket);
	int error = answer->error;

	(void)data;
	if (!socket || socket->state != SOCKET_CONNECTING)
		return;
	const int joined = error ? 0 : join(s, socket);

	if (joined < 0) {
		peer_tell(s, socket, GUEST_ABORT);
		socket->is_known = false;
		error = joined == -ECONNREFUSED ? ECONNREFUSED : ECONNABORTED;
	}
	if (error == 0) {
		socket->local = answer->local;
		socket->remote = answer->remote;
		socket->is_bound = true;
		socket->state = SOCKET_CONNECTED;
		liveness_remove(&s->liveness, socket);
	} else {
		fail(s, socket, error);
	}
	call_retry_all(s, socket);
	/* Behind the answer: what the program writes at once is met with the end itself. */
	if (error == 0)
		peer_attach(s, socket);
}

static bool is_own(const struct supervisor *s, const struct reeve_address *a)
{
	return reeve_address_is_loopback(a) || reeve_address_equal(a, &s->welcome.address);
}

/* By way of the network process. */
static void start(struct supervisor *s, struct call *c, const struct reeve_sockaddr *to)
{
	struct guest_socket *socket = c->socket;
	struct guest_message m = peer_message(socket, GUEST_CONNECT, c->fd);

	m.remote = *to;
	peer_bind_again(s, socket);
	peer_tell_options(s, socket);
	struct request *r = channel_request(s, &m, NULL, connected);

	if (!r) {
		(void)call_answer(s, c, -ENOBUFS);
		return;
	}
	socket->remote = *to;
	socket->error = 0;
	socket->state = SOCKET_CONNECTING;
	socket->hint_fd = call_int(c, 0);
	wait_for(s, c);
}

/* By this process itself: 0, and the call is answered. */
static int start_directly(struct supervisor *s, struct call *c, const struct reeve_sockaddr *to)
{
	struct guest_socket *socket = c->socket;
	const int flags = fcntl(c->fd, F_GETFL);
	const int r = flags < 0 ? -errno : direct_join(s, socket, c->fd, flags, to);

	if (r < 0)
		return r;
	socket->error = 0;
	socket->state = SOCKET_CONNECTED;
	socket->hint_fd = call_int(c, 0);
	c->progress = flags & O_NONBLOCK ? DOES_NOT_WAIT : WAITS;
	if (flags & O_NONBLOCK)
		make_edge(c->fd);
	try_connect(s, c);
	return 0;
}

/* When the network process has said where to. */
static void start_asked(struct supervisor *s, struct call *c)
{
	const struct guest_socket *socket = c->socket;

	if (socket->is_asked)
		return;
	if (c->request) /* disconnected meanwhile */
		try_connect(s, c);
	else if (start_directly(s, c, &socket->remote) < 0)
		start(s, c, &socket->remote);
}

/* Nothing but the connection itself is wanted. */
static bool may_be_direct(const struct supervisor *s, const struct call *c,
			  const struct reeve_sockaddr *to)
{
	const struct guest_socket *socket = c->socket;

	return s->is_direct && !c->then && !socket->is_bound && !socket->is_known &&
	       !socket->is_fast_open && is_own(s, &to->address);
}

static void begin(struct supervisor *s, struct call *c, const struct reeve_sockaddr *to)
{
	int r = c->socket->state == SOCKET_FAILED ? replace_end(s, c, false) : 0;

	if (r < 0) {
		(void)call_answer(s, c, r);
		return;
	}
	r = may_be_direct(s, c, to) ? start_directly(s, c, to) : -ENOENT;
	if (r < 0 && (r != -EAGAIN || direct_ask(s, c, to, start_asked) < 0))
		start(s, c, to);
}

static void connect_stream(struct supervisor *s, struct call *c, const struct name *name)
{
	struct guest_socket *socket = c->socket;

	c->tells_itself = !c->then; /* there is nothing to take */
	switch (socket->state) {
	case SOCKET_LISTENING:
		(void)call_answer(s, c, -EISCONN);
		return;
	case SOCKET_CONNECTED:
		(void)call_answer(s, c, socket->is_confirmed ? -EISCONN : 0);
		socket->is_confirmed = true;
		return;
	case SOCKET_CONNECTING:
		if (descriptor_is_nonblocking(c->fd)) {
			(void)call_answer(s, c, -EALREADY);
			return;
		}
		wait_for(s, c);
		c->timeout_error = EALREADY;
		return;
	case SOCKET_FAILED:
		/* The first connect() after it says why, the next one starts anew. */
		if (!socket->is_confirmed) {
			socket->is_confirmed = true;
			(void)call_answer(s, c, socket->error ? -socket->error : -ECONNABORTED);
			socket->error = 0;
			return;
		}
		break;
	case SOCKET_RESET:
		(void)call_answer(s, c, -EISCONN);
		return;
	case SOCKET_FRESH:
		break;
	}
	socket->is_confirmed = false;
	socket->is_fast_open =
		c->then || socket_option(&socket->options, IPPROTO_TCP, TCP_FASTOPEN_CONNECT) != 0;
	begin(s, c, &name->socket);
}

static void connected_datagram(struct supervisor *s, struct request *r,
			       const struct guest_message *answer, const uint8_t *data)
{
	struct guest_socket *socket = socket_by_number(&s->sockets, r->socket);

	(void)data;
	if (socket && answer->error == 0) {
		const bool is_connected = answer->remote.port != 0;

		socket->local = answer->local;
		socket->remote = answer->remote;
		socket->is_bound = answer->local.port != 0;
		socket->state = is_connected ? SOCKET_CONNECTED : SOCKET_FRESH;
	}
	if (r->call)
		(void)call_answer(s, r->call, -answer->error);
}

static void connect_datagram(struct supervisor *s, struct call *c, const struct name *name)
{
	struct guest_message m = peer_message(c->socket, GUEST_CONNECT, c->fd);

	if (name->family != AF_UNSPEC)
		m.remote = name->socket;
	peer_tell_options(s, c->socket);
	const int r = call_ask(s, c, &m, NULL, connected_datagram);

	if (r < 0)
		(void)call_answer(s, c, r);
	else
		peer_attach(s, c->socket);
}

void sys_connect(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);
	struct name name;

	if (!socket) {
		const int refusal = guard_check(s, c);

		if (refusal < 0)
			(void)call_answer(s, c, refusal);
		else
			call_continue(s, c);
		return;
	}
	if (socket->kind == SOCKET_NETLINK) {
		netlink_connect(s, c);
		return;
	}
	const int r = s->channel.is_lost ? -ENETDOWN
					 : read_remote(c, c->trapped.arguments[1],
						       (uint32_t)c->trapped.arguments[2], &name);

	if (r < 0)
		(void)call_answer(s, c, r);
	else if (socket->kind == SOCKET_UDP)
		connect_datagram(s, c, &name);
	else if (name.family == AF_UNSPEC)
		(void)call_answer(s, c, disconnect(s, c));
	else
		connect_stream(s, c, &name);
}

void connect_then(struct supervisor *s, struct call *c, uint64_t name, uint32_t length,
		  call_retry *then)
{
	struct name n;
	int r = s->channel.is_lost ? -ENETDOWN : read_remote(c, name, length, &n);

	if (r == 0 && n.family == AF_UNSPEC)
		r = -EOPNOTSUPP;
	c->then = then;
	if (r < 0)
		(void)call_answer(s, c, r);
	else
		connect_stream(s, c, &n);
}
