/* accept(2) and accept4(2): the listener is a real one, so what is accepted is, too. */
#include "guest/sys.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/names.h"
#include "guest/peer.h"
#include "guest/supervisor.h"

/* The program's new end belongs to the oldest of the queue: both have one order. */
static struct guest_socket *take(struct guest_socket *listener)
{
	struct list *node = list_pop(&listener->queue);

	if (!node)
		return NULL;
	struct guest_socket *socket = list_entry(node, struct guest_socket, queue);

	socket->listener = NULL;
	return socket;
}

static void give_up(struct supervisor *s, struct guest_socket *socket)
{
	if (!socket->has_reset)
		peer_tell(s, socket, GUEST_ABORT);
	peer_drop(s, socket);
}

/* To the program with it. */
static void hand_over(struct supervisor *s, struct call *c, struct guest_socket *socket, int fd)
{
	const int flags = (int)c->progress, on = 1;
	uint64_t cookie = 0;
	int64_t r = name_write(c, c->trapped.arguments[1], c->trapped.arguments[2], &socket->remote,
			       socket->family);

	if (r == 0 && descriptor_cookie(fd, &cookie) < 0)
		r = -ENOBUFS;
	if (r < 0) {
		give_up(s, socket);
		(void)call_answer(s, c, r);
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
		liveness_add(&s->liveness, socket, fd);
		supervisor_sweep_later(s);
	} else {
		peer_tell(s, socket, GUEST_ACCEPTED);
	}
	socket->hint_fd = call_answer_fd(s, c, fd, flags & SOCK_CLOEXEC);
}

static void try_accept(struct supervisor *s, struct call *c)
{
	struct guest_socket *listener = c->socket;

	if (listener->state != SOCKET_LISTENING) {
		(void)call_answer(s, c, -EINVAL);
		return;
	}
	if (list_is_empty(&listener->queue))
		return;
	const int fd = rendezvous_accept(&s->rendezvous, c->fd, (int)c->progress & SOCK_NONBLOCK);

	if (fd < 0) {
		/* Our queue holds one, so the kernel's must: somebody else has taken it. */
		if (fd == -EAGAIN)
			give_up(s, take(listener));
		if (fd != -EAGAIN || !c->is_kept)
			(void)call_answer(s, c, fd == -EMFILE ? -ENFILE : fd);
		return;
	}
	hand_over(s, c, take(listener), fd);
	close(fd);
}

static void accept_with(struct supervisor *s, struct call *c, int flags)
{
	struct guest_socket *listener = call_socket(s, c);

	if (!listener) {
		call_continue(s, c);
		return;
	}
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) || listener->kind != SOCKET_TCP) {
		(void)call_answer(s, c, listener->kind != SOCKET_TCP ? -EOPNOTSUPP : -EINVAL);
		return;
	}
	c->progress = (uint64_t)flags;
	listener->hint_fd = call_int(c, 0);
	if (listener->state != SOCKET_LISTENING || !list_is_empty(&listener->queue)) {
		try_accept(s, c);
		return;
	}
	if (descriptor_is_nonblocking(c->fd)) {
		(void)call_answer(s, c, -EAGAIN);
		return;
	}
	c->timeout_error = EAGAIN;
	call_keep(s, c, try_accept, call_timeout_ms(c, SO_RCVTIMEO));
}

void sys_accept(struct supervisor *s, struct call *c)
{
	accept_with(s, c, 0);
}

void sys_accept4(struct supervisor *s, struct call *c)
{
	accept_with(s, c, call_int(c, 3));
}
