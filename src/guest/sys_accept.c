/* accept(2) and accept4(2): the listener is a real one, so what is accepted is, too. */
#include "guest/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/names.h"
#include "guest/peer.h"
#include "guest/supervisor.h"

/* The network process joins a listener in the order in which it announces. NULL when it has not yet. */
static struct guest_socket *announced(const struct guest_socket *listener)
{
	return list_is_empty(&listener->queue)
		       ? NULL
		       : list_entry(list_first(&listener->queue), struct guest_socket, queue);
}

/* The backlog has room again: told at once only when much of it has. */
static void report(struct supervisor *s, struct guest_socket *listener,
		   const struct guest_socket *accepted)
{
	if (++listener->unreported <= listener->backlog / 2) {
		peer_tell_later(s, accepted, GUEST_ACCEPTED);
		return;
	}
	listener->unreported = 0;
	peer_tell(s, accepted, GUEST_ACCEPTED);
}

static bool is_connection(const struct supervisor *s, const struct rendezvous_guest *g)
{
	return g->pid == (pid_t)s->welcome.pid ||
	       (s->is_direct && direct_is_name(&g->name, g->name_length));
}

/* A connection of the network process's, or of another program's supervisor where those may join;
 * strangers' are closed, and the token. -EAGAIN when there is none. */
static int accept_known(const struct supervisor *s, const struct call *c, pid_t *ret_joiner)
{
	const bool is_nonblocking = (int)c->progress & SOCK_NONBLOCK;
	struct rendezvous_guest g = { .pid = 0 };

	for (;;) {
		const int fd = rendezvous_accept(c->fd, is_nonblocking, &g);

		*ret_joiner = g.pid;
		if (fd < 0 || is_connection(s, &g))
			return fd;
		if (g.pid == getpid())
			c->socket->has_token = false;
		close(fd);
	}
}

/* One that had been given back is gone: the token is taken away behind it, unless others wait in
 * front of that. What waits behind it keeps the listener ready by itself. */
static void look_for_token(const struct supervisor *s, const struct call *c)
{
	struct guest_socket *listener = c->socket;

	while (listener->has_token && listener->early_fd < 0) {
		struct rendezvous_guest g;
		const int fd = rendezvous_accept(c->fd, false, &g);

		if (fd < 0)
			return;
		listener->early_joiner = g.pid;
		if (is_connection(s, &g)) {
			listener->early_fd = fd;
			continue;
		}
		listener->has_token = g.pid != getpid();
		close(fd);
	}
}

/* The program has no descriptor left for it, or has ended: as in Linux the connection stays where it
 * was, and whoever polls finds the listener ready. */
static void give_back(struct supervisor *s, struct guest_socket *listener,
		      struct guest_socket *socket, int fd)
{
	listener->early_fd = fd;
	listener->early_joiner = socket->is_direct ? s->rendezvous.pid : (pid_t)s->welcome.pid;
	if (socket->is_direct) {
		peer_drop(s, socket); /* its end has all names */
	} else {
		socket->listener = listener;
		list_prepend(&listener->queue, &socket->queue);
	}
	if (!listener->has_token)
		listener->has_token = rendezvous_put_token(&s->rendezvous, listener->path);
}

/* To the program with it. Consumes `fd`. */
static void hand_over(struct supervisor *s, struct call *c, struct guest_socket *socket, int fd)
{
	const int flags = (int)c->progress, on = 1;
	uint64_t cookie = 0;
	int64_t r = c->trapped.arguments[1]
			    ? name_write(c, c->trapped.arguments[1], c->trapped.arguments[2],
					 &socket->remote, socket->family)
			    : 0;

	if (r == 0 && descriptor_cookie(fd, &cookie) < 0)
		r = -ENOBUFS;
	if (r < 0 && notify_is_waiting(&s->notify, &c->trapped)) {
		/* As Linux has it, the connection was accepted and is closed again. */
		if (!socket->has_reset && !socket->is_direct)
			peer_tell(s, socket, GUEST_CLOSE);
		peer_drop(s, socket);
		close(fd);
		look_for_token(s, c);
		(void)call_answer(s, c, r);
		return;
	}
	const int number =
		r < 0 ? (int)r : notify_add(&s->notify, &c->trapped, fd, flags & SOCK_CLOEXEC);

	if (number < 0) {
		give_back(s, c->socket, socket, fd);
		(void)call_answer(s, c, number);
		return;
	}
	/* As on a kernel's TCP socket it comes from the listener. */
	if (socket_option(&socket->options, SOL_SOCKET, SO_KEEPALIVE))
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	peer_set_buffers(socket, fd);
	socket->hint_pid = descriptor_process(&s->descriptors, c->trapped.tid);
	socket_set_cookie(&s->sockets, socket, cookie);
	if (socket->is_direct) {
		socket_set_number(&s->sockets, socket, cookie);
		direct_begin(s, socket);
	} else if (socket->has_reset) {
		socket->state = SOCKET_RESET;
		peer_reset_end(socket, fd);
	} else {
		report(s, c->socket, socket);
	}
	/* Of others the network process's end says when the program has closed. */
	if (socket->has_reset || socket->is_direct) {
		liveness_add(&s->liveness, socket, fd);
		supervisor_sweep_later(s);
	}
	socket->hint_fd = number;
	close(fd);
	look_for_token(s, c);
	(void)call_answer(s, c, number);
}

static int take_end(const struct supervisor *s, const struct call *c)
{
	struct guest_socket *listener = c->socket;
	const bool is_nonblocking = (int)c->progress & SOCK_NONBLOCK;
	const int fd = listener->early_fd;

	if (fd < 0)
		return accept_known(s, c, &listener->early_joiner);
	listener->early_fd = -1;
	(void)fcntl(fd, F_SETFL, is_nonblocking ? O_NONBLOCK : 0);
	return fd;
}

/* Whose the end is: the socket, NULL while nobody can say, or -ECONNABORTED in *ret_error: nobody's. */
static struct guest_socket *identify(struct supervisor *s, const struct guest_socket *listener,
				     int fd, int *ret_error)
{
	*ret_error = -ECONNABORTED;
	if (listener->early_joiner == (pid_t)s->welcome.pid) {
		*ret_error =
			s->channel.is_lost ? -ECONNABORTED : -EAGAIN; /* who would announce it? */
		return announced(listener);
	}
	const int known = direct_is_known(s, listener->early_joiner);

	if (known > 0)
		return direct_accepted(s, listener, fd);
	if (known == -EAGAIN)
		*ret_error = -EAGAIN;
	return NULL;
}

/* The program's new end, and in *ret_socket what it is; -EAGAIN: there is none. While it is not known
 * what it is it stays with the listener, and may then be another call's. */
static int next_end(struct supervisor *s, const struct call *c, struct guest_socket **ret_socket)
{
	struct guest_socket *listener = c->socket;
	int error = 0;

	for (;;) {
		const int fd = take_end(s, c);

		*ret_socket = fd >= 0 ? identify(s, listener, fd, &error) : NULL;
		if (fd < 0 || *ret_socket)
			return fd;
		if (error == -EAGAIN) {
			listener->early_fd = fd;
			/* It may take a while, and the call may end before. */
			if (listener->early_joiner != (pid_t)s->welcome.pid && !listener->has_token)
				listener->has_token =
					rendezvous_put_token(&s->rendezvous, listener->path);
			return fd;
		}
		close(fd);
	}
}

static void try_accept(struct supervisor *s, struct call *c)
{
	struct guest_socket *listener = c->socket, *socket = NULL;

	if (listener->state != SOCKET_LISTENING) {
		(void)call_answer(s, c, -EINVAL);
		return;
	}
	/* What the network process joins, it announces. */
	const bool waits = list_is_empty(&listener->queue) && !s->channel.is_lost &&
			   !s->is_direct && !descriptor_is_nonblocking(c->fd);
	const int fd = waits ? -EAGAIN : next_end(s, c, &socket);

	if (fd < 0 && fd != -EAGAIN) {
		(void)call_answer(s, c, fd == -EMFILE ? -ENFILE : fd);
		return;
	}
	if (socket) {
		if (!socket->is_direct)
			list_remove(&socket->queue);
		socket->listener = NULL;
		hand_over(s, c, socket, fd);
		return;
	}
	/* What one is that is there will be known at any moment: then it is tried again. */
	if (fd < 0 && !waits && descriptor_is_nonblocking(c->fd)) {
		(void)call_answer(s, c, -EAGAIN);
		return;
	}
	/* A direct one is announced by nobody. */
	if (fd >= 0)
		watch_stop(s->epoll_fd, &c->watch);
	else if (s->is_direct && c->watch.fd < 0)
		(void)watch_start(s->epoll_fd, &c->watch, c->fd, EPOLLIN);
	if (c->is_kept)
		return;
	c->timeout_error = EAGAIN;
	call_keep(s, c, try_accept, call_timeout_ms(c, SO_RCVTIMEO));
}

static void accept_with(struct supervisor *s, struct call *c, int flags)
{
	struct guest_socket *listener = call_socket(s, c);

	const bool is_flawed = flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (!listener) {
		call_continue(s, c);
		return;
	}
	if (is_flawed || listener->kind != SOCKET_TCP) {
		(void)call_answer(s, c, is_flawed ? -EINVAL : -EOPNOTSUPP);
		return;
	}
	c->progress = (uint64_t)flags;
	c->tells_itself = true; /* what nobody takes is given back */
	listener->hint_fd = call_int(c, 0);
	try_accept(s, c);
}

void sys_accept(struct supervisor *s, struct call *c)
{
	accept_with(s, c, 0);
}

void sys_accept4(struct supervisor *s, struct call *c)
{
	accept_with(s, c, call_int(c, 3));
}
