/*
 * A TCP listener of a program: whether it is still there.
 *
 * No call of a program says that it closes. But each listener is one of AF_UNIX with a file, and the
 * file refuses from the moment on in which the last holder has closed it, or has ended. So it is
 * asked before a SYN sets out for it, and who connects is refused, as by Linux. What is closed while
 * the SYN is under way, or is connected to by a station of a link, is missed when the connection is
 * to be handed over, and that is reset.
 *
 * The file's queue is as long as the kernel allows, and longer than what this process lets wait there.
 * But supervisors that join directly put theirs into it, too, and of a full one nothing tells when it has
 * room: then it is tried again.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "network/guest_private.h"

#define FULL_MS 10

int guest_listener_join(const struct guest_socket *listener, int fd)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", listener->path);
	return connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : 0;
}

/* Without a file its supervisor has missed it already, and is about to say so. */
bool guest_listener_is_missing(int error)
{
	return error == -ECONNREFUSED || error == -ENOENT;
}

/* One without a name is not open yet: who comes waits. The socket that asks is of another type, so
 * that it never connects. */
static bool is_closed(const struct guest_socket *listener)
{
	const int fd = listener->session->server->probe_fd;

	return listener->path && guest_listener_is_missing(guest_listener_join(listener, fd));
}

void guest_listener_miss(struct guest_socket *listener)
{
	const struct guest_message m = { .type = GUEST_STALE, .socket = listener->number };
	struct guest_session *session = listener->session;

	reeve_tcp_close(listener->tcp);
	host_activate(session->host);
	guest_socket_drop(listener);
	guest_send(session, &m, NULL, 0);
}

struct guest_socket *guest_listener_find(const struct network_host *host,
					 const struct reeve_sockaddr *to,
					 const struct reeve_sockaddr *from)
{
	struct socket_owner *owner = reeve_tcp_listener(host->stack, to, from);

	return owner && owner->ops == &guest_stream_ops
		       ? container_of(owner, struct guest_socket, owner)
		       : NULL;
}

void guest_listener_look(const struct guest_socket *s)
{
	struct network_host *host = s->session->host;
	struct reeve_sockaddr from, to;
	struct guest_socket *listener;

	if (reeve_tcp_local(s->tcp, &from) < 0 || reeve_tcp_remote(s->tcp, &to) < 0)
		return;
	if (!reeve_address_is_loopback(&to.address))
		host = host_by_address(s->session->network, &to.address);
	if (!host)
		return;
	/* With each that is closed another of its group may be next. */
	while ((listener = guest_listener_find(host, &to, &from)) && is_closed(listener))
		guest_listener_miss(listener);
}

struct reeve_tcp *guest_listener_take_held(struct guest_socket *listener)
{
	struct reeve_tcp *tcp = listener->held;

	listener->held = NULL;
	list_remove(&listener->full);
	return tcp;
}

void guest_listener_hold(struct guest_socket *listener, struct reeve_tcp *tcp_take)
{
	struct guest_server *server = listener->session->server;
	struct network *n = server->network;

	listener->held = tcp_take;
	list_append(&server->full, &listener->full);
	if (server->is_retrying)
		return;
	server->is_retrying = true;
	loop_timer_arm(n->loop, &server->full_timer, reeve_time_add_ms(network_now(n), FULL_MS));
}

static void try_again(struct loop_timer *timer)
{
	struct guest_server *server = container_of(timer, struct guest_server, full_timer);

	server->is_retrying = false;
	list_for_each(node, &server->full) {
		struct guest_socket *listener = list_entry(node, struct guest_socket, full);

		socket_owner_resume(&listener->owner);
		host_activate(listener->session->host);
	}
}

void guest_listener_init(struct guest_server *server)
{
	list_init(&server->full);
	loop_timer_init(&server->full_timer, try_again);
}

void guest_listener_deinit(struct guest_server *server)
{
	loop_timer_disarm(server->network->loop, &server->full_timer);
}
