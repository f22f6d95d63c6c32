/* bind(2), listen(2) and shutdown(2). */
#include "guest/sys.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/disconnect.h"
#include "guest/memory.h"
#include "guest/names.h"
#include "guest/netlink.h"
#include "guest/peer.h"
#include "guest/supervisor.h"

/* inet_bind() and inet6_bind(): AF_UNSPEC will do for the wildcard of AF_INET. */
static int read_local(const struct call *c, const struct guest_socket *socket, struct name *ret)
{
	const int r = name_read(c, c->trapped.arguments[1], (uint32_t)c->trapped.arguments[2],
				socket->family, ret);

	if (r < 0)
		return r;
	if (socket->family == AF_INET && ret->family == AF_UNSPEC) {
		if ((uint32_t)c->trapped.arguments[2] < sizeof(struct sockaddr_in))
			return -EINVAL;
		char bytes[sizeof(struct sockaddr_in)];

		if (memory_read(c->trapped.tid, c->trapped.arguments[1], bytes, sizeof(bytes)) < 0)
			return -EFAULT;
		((struct sockaddr_in *)(void *)bytes)->sin_family = AF_INET;
		(void)name_parse(bytes, sizeof(bytes), AF_INET, ret);
		return reeve_address_is_unspecified(&ret->socket.address) ? 0 : -EAFNOSUPPORT;
	}
	if (ret->family != socket->family)
		return (uint32_t)c->trapped.arguments[2] < NAME_IPV6_LEAST &&
				       socket->family == AF_INET6
			       ? -EINVAL
			       : -EAFNOSUPPORT;
	return socket->is_bound || socket->state != SOCKET_FRESH ? -EINVAL : 0;
}

static void ask_bind(struct supervisor *s, struct call *c, const struct name *name);

/* inet6_bind(): one that has an address of IPv6 is for IPv6 only, and says so. */
static void note_family(struct guest_socket *socket)
{
	const struct reeve_address *a = &socket->local.address;

	if (socket->family == AF_INET6 && !reeve_address_is_ipv4(a) &&
	    !reeve_address_is_unspecified(a))
		socket_option_set(&socket->options, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

static void bound(struct supervisor *s, struct request *r, const struct guest_message *answer,
		  const uint8_t *data)
{
	struct guest_socket *socket = socket_by_number(&s->sockets, r->socket);
	struct call *c = r->call;

	(void)data;
	if (socket && answer->error == 0) {
		socket->local = answer->local;
		socket->is_bound = true;
		socket->is_portless =
			!socket->is_named &&
			socket_option(&socket->options, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
		note_family(socket);
	}
	if (socket && answer->error)
		socket->is_named = socket->has_address = false;
	if (!c)
		return;
	if (answer->error == EADDRINUSE && c->progress == 0) {
		/* A socket that was closed just now may not have been missed yet. */
		struct name name;

		c->progress = 1;
		if (c->socket && read_local(c, c->socket, &name) == 0) {
			supervisor_look_at_port(s, name.socket.port);
			ask_bind(s, c, &name);
			return;
		}
	}
	(void)call_answer(s, c, -answer->error);
}

static void ask_bind(struct supervisor *s, struct call *c, const struct name *name)
{
	struct guest_message m = peer_message(c->socket, GUEST_BIND, c->fd);

	m.local = name->socket;
	c->socket->is_named = name->socket.port != 0;
	c->socket->has_address = !reeve_address_is_unspecified(&name->socket.address);
	peer_tell_options(s, c->socket);
	const int r = call_ask(s, c, &m, NULL, bound);

	if (r < 0)
		(void)call_answer(s, c, r);
	else if (c->socket->kind == SOCKET_UDP)
		peer_attach(s, c->socket);
}

void sys_bind(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);
	struct name name;

	if (!socket) {
		call_continue(s, c);
		return;
	}
	if (socket->kind == SOCKET_NETLINK) {
		netlink_bind(s, c);
		return;
	}
	const int r = s->channel.is_lost ? -ENETDOWN : read_local(c, socket, &name);

	if (r < 0)
		(void)call_answer(s, c, r);
	else
		ask_bind(s, c, &name);
}

/* From now on connections can come. */
static int open_listener(struct supervisor *s, const struct call *c, struct guest_socket *socket)
{
	struct guest_message m = peer_message(socket, GUEST_OPEN, -1);
	char path[RENDEZVOUS_FILE];
	const int r = rendezvous_listen(&s->rendezvous, c->fd, &socket->path);

	if (r < 0) {
		supervisor_log(s, "cannot listen in %s", s->rendezvous.directory);
		return r;
	}
	m.data_length = rendezvous_file(&s->rendezvous, socket->path, path);
	channel_send(s, &m, path, -1);
	socket->state = SOCKET_LISTENING;
	liveness_remove(&s->liveness, socket);
	listeners_add(&s->listeners, socket);
	supervisor_sweep_later(s);
	return 0;
}

static void ask_listen(struct supervisor *s, struct call *c);

static void listening(struct supervisor *s, struct request *r, const struct guest_message *answer,
		      const uint8_t *data)
{
	struct guest_socket *socket = socket_by_number(&s->sockets, r->socket);
	struct call *c = r->call;
	int64_t result = -answer->error;

	(void)data;
	/* Without the caller there is nobody's end to listen on: the sweep ends the socket. */
	if (!socket || !c)
		return;
	if (answer->error == EADDRINUSE && c->progress == 0) {
		c->progress = 1; /* as in bound() */
		supervisor_look_at_port(s, socket->local.port);
		ask_listen(s, c);
		return;
	}
	if (result == 0 && socket->state == SOCKET_FRESH) {
		socket->local = answer->local;
		socket->is_bound = true;
		result = open_listener(s, c, socket);
	}
	(void)call_answer(s, c, result);
}

static void ask_listen(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = c->socket;
	struct guest_message m = peer_message(socket, GUEST_LISTEN, c->fd);

	m.value = socket->backlog;
	peer_tell_options(s, socket);
	const int r = call_ask(s, c, &m, NULL, listening);

	if (r < 0)
		(void)call_answer(s, c, r);
}

void sys_listen(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);

	if (!socket) {
		call_continue(s, c);
		return;
	}
	if (socket->kind != SOCKET_TCP) {
		(void)call_answer(s, c, -EOPNOTSUPP);
		return;
	}
	if (s->channel.is_lost ||
	    (socket->state != SOCKET_FRESH && socket->state != SOCKET_LISTENING)) {
		(void)call_answer(s, c, s->channel.is_lost ? -ENETDOWN : -EINVAL);
		return;
	}
	const int backlog = call_int(c, 1), most = rendezvous_most_waiting();

	/* As the kernel does: a negative one is a very large one. */
	socket->backlog = (uint32_t)(backlog < 0 || backlog > most ? most : backlog);
	socket->hint_fd = call_int(c, 0);
	peer_bind_again(s, socket);
	ask_listen(s, c);
}

/* Not connected: it is remembered all the same. */
static int shut_unconnected(const struct call *c, int how)
{
	if (how != SHUT_WR)
		c->socket->has_shut_read = true;
	(void)shutdown(c->fd, how);
	return -ENOTCONN;
}

/* As in the kernel an unconnected one is shut down too, though the answer is that it can't be. */
static void shut_datagrams(struct supervisor *s, struct call *c, int how)
{
	struct guest_socket *socket = c->socket;

	socket->is_deaf |= how != SHUT_WR;
	socket->is_mute |= how != SHUT_RD;
	(void)shutdown(c->fd, how);
	(void)call_answer(s, c, socket->state == SOCKET_CONNECTED ? 0 : -ENOTCONN);
	call_retry_all(s, socket);
}

/* Here, and not by the program's own call, which might not come to it: the end must follow the mark. */
static void shut(struct supervisor *s, struct call *c)
{
	/* If the sending has not been shut down before. */
	if (c->progress && c->socket->is_marked && c->socket->state == SOCKET_CONNECTED)
		peer_leave_mark(s, c->socket, c->fd);
	(void)call_answer(s, c, shutdown(c->fd, call_int(c, 1)) < 0 ? -errno : 0);
}

static bool sending_has_ended(const struct guest_socket *socket)
{
	struct pollfd p = { .fd = socket->end, .events = POLLRDHUP };

	return socket->end >= 0 && poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP);
}

static void end_is_known(struct supervisor *s, struct request *r,
			 const struct guest_message *answer, const uint8_t *data)
{
	struct guest_socket *socket = socket_by_number(&s->sockets, r->socket);

	(void)answer;
	(void)data;
	if (r->call && r->call->socket) {
		shut(s, r->call);
		return;
	}
	if (!socket)
		return;
	/* Its caller has ended before. */
	peer_take_back_both(s, socket);
	if (sending_has_ended(socket))
		return;
	socket->is_shut = false;
	peer_take_back_mark(s, socket);
}

/* What was said of the end is still here, behind much else: an answer to what comes behind it says
 * that it has been heard. */
static void shut_later(struct supervisor *s, struct call *c)
{
	struct guest_message m = peer_message(c->socket, GUEST_NAME, c->fd);

	if (call_ask(s, c, &m, NULL, end_is_known) == 0)
		return;
	peer_take_back_both(s, c->socket);
	if (c->progress)
		peer_take_back_mark(s, c->socket);
	shut(s, c);
}

static void shut_stream(struct supervisor *s, struct call *c, int how)
{
	struct guest_socket *socket = c->socket;
	const bool is_first = how != SHUT_RD && !socket->is_shut;

	socket->is_shut |= how != SHUT_RD;
	socket->has_shut_read |= how != SHUT_WR;
	const bool is_last = socket->is_shut && socket->has_shut_read && !socket->is_both &&
			     peer_watch_both(s, socket, c->fd);

	c->progress = is_first;
	if (is_first || is_last)
		peer_announce_shut(s, socket, is_first);
	if ((is_first || is_last) && !list_is_empty(&s->channel.queue))
		shut_later(s, c);
	else
		shut(s, c);
}

void sys_shutdown(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);
	const int how = call_int(c, 1);

	if (!socket || (socket->state == SOCKET_CONNECTED && socket->kind != SOCKET_UDP)) {
		if (!socket || socket->kind != SOCKET_TCP || socket->is_direct || how < SHUT_RD ||
		    how > SHUT_RDWR)
			call_continue(s, c);
		else
			shut_stream(s, c, how);
		return;
	}
	if (how < SHUT_RD || how > SHUT_RDWR)
		(void)call_answer(s, c, -EINVAL);
	else if (socket->kind == SOCKET_NETLINK)
		(void)call_answer(s, c, -EOPNOTSUPP);
	else if (socket->state == SOCKET_LISTENING && how == SHUT_WR)
		(void)call_answer(s, c, 0);
	else if (socket->kind == SOCKET_UDP)
		shut_datagrams(s, c, how);
	else if (socket->state == SOCKET_LISTENING || socket->state == SOCKET_CONNECTING)
		(void)call_answer(s, c, disconnect(s, c));
	else
		(void)call_answer(s, c, shut_unconnected(c, how));
}
