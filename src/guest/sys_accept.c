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

/* The program's new end belongs to the oldest of the queue that the same process has joined: theirs
 * have one order. NULL when it is not announced yet. */
static struct guest_socket *announced(const struct guest_socket *listener, pid_t joiner)
{
	list_for_each(node, &listener->queue) {
		struct guest_socket *socket = list_entry(node, struct guest_socket, queue);

		if (socket->joiner == joiner)
			return socket;
	}
	return NULL;
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

/* A connection of the network process's, or of another program's supervisor where those may join;
 * strangers' are closed, and the token. -EAGAIN when there is none. */
static int accept_known(const struct supervisor *s, const struct call *c, pid_t *ret_joiner)
{
	const bool is_nonblocking = (int)c->progress & SOCK_NONBLOCK;

	for (;;) {
		const int fd = rendezvous_accept(c->fd, is_nonblocking, ret_joiner);

		if (fd < 0 || s->is_direct || *ret_joiner == (pid_t)s->welcome.pid)
			return fd;
		if (*ret_joiner == getpid())
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
		const int fd = rendezvous_accept(c->fd, false, &listener->early_joiner);

		if (fd < 0)
			return;
		listener->has_token = listener->early_joiner != getpid();
		if (listener->early_joiner == (pid_t)s->welcome.pid)
			listener->early_fd = fd;
		else
			close(fd);
	}
}

/* The program has no descriptor left for it, or has ended: as in Linux the connection stays where it
 * was, and whoever polls finds the listener ready. */
static void give_back(struct supervisor *s, struct guest_socket *listener,
		      struct guest_socket *socket, int fd)
{
	socket->listener = listener;
	list_prepend(&listener->queue, &socket->queue);
	listener->early_fd = fd;
	listener->early_joiner = socket->joiner;
	/* Where others may join, one that comes from here may be a connection. */
	if (!listener->has_token && !s->is_direct)
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
		if (!socket->has_reset)
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
	if (socket->has_reset) {
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

/* The program's new end, and in *ret_socket what it is; -EAGAIN: there is none. While its
 * announcement is still on its way it stays with the listener, and may then be another call's. */
static int next_end(const struct supervisor *s, const struct call *c,
		    struct guest_socket **ret_socket)
{
	struct guest_socket *listener = c->socket;

	for (;;) {
		const int fd = take_end(s, c);

		*ret_socket = fd >= 0 ? announced(listener, listener->early_joiner) : NULL;
		if (fd < 0 || *ret_socket)
			return fd;
		if (!s->channel.is_lost) {
			listener->early_fd = fd;
			return fd;
		}
		close(fd); /* nobody is left to announce it */
	}
}

static void try_accept(struct supervisor *s, struct call *c)
{
	struct guest_socket *listener = c->socket, *socket = NULL;

	if (listener->state != SOCKET_LISTENING) {
		(void)call_answer(s, c, -EINVAL);
		return;
	}
	/* Nothing is taken that is not announced. */
	const bool waits = list_is_empty(&listener->queue) && !s->channel.is_lost &&
			   !descriptor_is_nonblocking(c->fd);
	const int fd = waits ? -EAGAIN : next_end(s, c, &socket);

	if (fd < 0 && fd != -EAGAIN) {
		(void)call_answer(s, c, fd == -EMFILE ? -ENFILE : fd);
		return;
	}
	if (socket) {
		list_remove(&socket->queue);
		socket->listener = NULL;
		hand_over(s, c, socket, fd);
		return;
	}
	/* One that is there and not yet announced will be at any moment: then it is tried again. */
	if (fd < 0 && !waits && descriptor_is_nonblocking(c->fd)) {
		(void)call_answer(s, c, -EAGAIN);
		return;
	}
	/* A direct one is announced before it is there. */
	if (!list_is_empty(&listener->queue) && c->watch.fd < 0)
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
