/*
 * A TCP listener of a program: whether it is still there.
 *
 * No call of a program says that it closes. But each listener is one of AF_UNIX with a file, and the
 * file refuses from the moment on in which the last holder has closed it, or has ended. So it is
 * asked before a SYN sets out for it, and who connects is refused, as by Linux. What is closed while
 * the SYN is under way, or is connected to by a station of a link, is missed when the connection is
 * to be handed over, and that is reset.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "network/guest_private.h"

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

static struct guest_socket *find(const struct network_host *host, const struct reeve_sockaddr *to,
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
	while ((listener = find(host, &to, &from)) && is_closed(listener))
		guest_listener_miss(listener);
}
