/* Owns the way back from any state of a TCP socket to that of a fresh one. */
#include "guest/disconnect.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/peer.h"
#include "guest/replace.h"
#include "guest/supervisor.h"

/* The network process learns of the socket again when it is used; at once if bind() has given it a
 * name, which the program keeps. */
static void start_anew(struct supervisor *s, struct guest_socket *socket)
{
	watch_stop(s->epoll_fd, &socket->watch);
	if (socket->end >= 0)
		close(socket->end);
	socket->end = -1;
	socket->filler = 0;
	socket->is_known = socket->is_attached = false;
	socket->is_bound = socket->is_named;
	socket->is_portless = false;
	socket->remote = (struct reeve_sockaddr){ 0 };
	socket_options_change_all(&socket->options);
	if (!socket->is_named) {
		socket->local.port = 0;
		return;
	}
	struct guest_message m = peer_message(socket, GUEST_BIND, -1);

	m.local = socket->local;
	channel_send(s, &m, NULL, -1);
	socket->is_known = true;
}

int disconnect(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = c->socket;
	const enum socket_state state = socket->state;
	int native = 0;
	socklen_t length = sizeof(native);

	if (state == SOCKET_FRESH)
		return 0;
	if (state == SOCKET_LISTENING) {
		peer_drop_queue(s, socket);
		listeners_remove(&s->listeners, socket);
	}
	if (socket->path)
		rendezvous_forget(&s->rendezvous, socket->path);
	socket->path = 0;
	/* What the program has read natively is said. */
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &native, &length) == 0 && native == 0 &&
	    socket->error != EPIPE)
		socket->error = 0;
	/* Before the program's end is shut down, for the copies that other processes hold: that would
	 * be an orderly end. */
	if (socket->is_known)
		peer_tell(s, socket, GUEST_ABORT);
	(void)shutdown(c->fd, SHUT_RDWR);
	const int r = replace_end(s, c, true);

	if (r == 0) {
		start_anew(s, socket);
		if (state == SOCKET_CONNECTED || state == SOCKET_CONNECTING)
			socket->error = ECONNRESET;
	}
	call_retry_all(s, socket);
	return r;
}
