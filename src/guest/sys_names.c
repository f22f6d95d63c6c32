/* getsockname(2) and getpeername(2). */
#include "guest/sys.h"

#include <errno.h>
#include <sys/socket.h>

#include "guest/names.h"
#include "guest/netlink.h"
#include "guest/peer.h"
#include "guest/supervisor.h"

static void answer_name(struct supervisor *s, struct call *c, const struct reeve_sockaddr *name)
{
	(void)call_answer(s, c,
			  name_write(c, c->trapped.arguments[1], c->trapped.arguments[2], name,
				     c->socket->family));
}

static void named(struct supervisor *s, struct request *r, const struct guest_message *answer,
		  const uint8_t *data)
{
	struct call *c = r->call;

	(void)data;
	if (!c)
		return;
	if (answer->error) {
		(void)call_answer(s, c, -answer->error);
		return;
	}
	c->socket->local = answer->local;
	answer_name(s, c, &answer->local);
}

void sys_getsockname(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);

	if (!socket) {
		call_continue(s, c);
		return;
	}
	if (socket->kind == SOCKET_NETLINK) {
		netlink_getsockname(s, c);
		return;
	}
	const bool may_have_name = socket->kind == SOCKET_UDP && socket->is_known;

	if (!socket->is_bound && !may_have_name && socket->state != SOCKET_CONNECTING) {
		const struct reeve_sockaddr none = {
			.address = socket->family == AF_INET6 ? reeve_any_ipv6 : reeve_any_ipv4,
		};

		answer_name(s, c, &none);
		return;
	}
	if (socket->local.port != 0 || socket->is_portless) {
		answer_name(s, c, &socket->local);
		return;
	}
	/* A bind to port 0 was put off; now somebody wants to know. */
	struct guest_message m = peer_message(socket, GUEST_NAME, c->fd);

	const int r = call_ask(s, c, &m, NULL, named);

	if (r < 0)
		(void)call_answer(s, c, r);
}

void sys_getpeername(struct supervisor *s, struct call *c)
{
	const struct guest_socket *socket = call_socket(s, c);

	if (!socket)
		call_continue(s, c);
	else if (socket->kind == SOCKET_NETLINK)
		netlink_getpeername(s, c);
	else if (socket->state != SOCKET_CONNECTED)
		(void)call_answer(s, c, -ENOTCONN);
	else
		answer_name(s, c, &socket->remote);
}
