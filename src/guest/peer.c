/* Owns the other sides of the program's sockets. */
#include "guest/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/supervisor.h"
#include "guest/urgent.h"
#include "reeve/tcp.h"
#include "reeve/udp.h"

#define FILLER_FIRST 2048
#define FILLER_NEXT  512
#define FILLER_MOST  16384

struct guest_message peer_message(const struct guest_socket *socket, enum guest_message_type type,
				  int fd)
{
	struct guest_message m = { .type = (uint16_t)type, .socket = socket->number };
	unsigned flags = 0;
	int reuse = 0;
	socklen_t length = sizeof(reuse);

	if (socket->kind == SOCKET_UDP)
		flags |= GUEST_UDP | (socket->is_echo ? GUEST_ECHO : 0);
	if (socket->family == AF_INET6)
		flags |= GUEST_IPV6;
	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &length) == 0 && reuse)
		flags |= GUEST_REUSE_ADDRESS;
	if (socket_option(&socket->options, SOL_SOCKET, SO_REUSEPORT))
		flags |= GUEST_REUSE_PORT;
	if (socket_option(&socket->options, IPPROTO_IPV6, IPV6_V6ONLY))
		flags |= GUEST_IPV6_ONLY;
	m.flags = (uint16_t)flags;
	m.pid = (uint32_t)socket->hint_pid;
	return m;
}

void peer_tell(struct supervisor *s, const struct guest_socket *socket,
	       enum guest_message_type type)
{
	const struct guest_message m = peer_message(socket, type, -1);

	channel_send(s, &m, NULL, -1);
}

void peer_tell_later(struct supervisor *s, const struct guest_socket *socket,
		     enum guest_message_type type)
{
	const struct guest_message m = peer_message(socket, type, -1);

	channel_send_later(s, &m);
}

static int64_t told_value(const struct guest_socket *socket, const struct option_row *row,
			  int32_t value)
{
	/* Sizes are kept as the kernel tells them: twice what was asked for. */
	if (row->level == SOL_SOCKET && (row->name == SO_SNDBUF || row->name == SO_RCVBUF))
		return value / 2;
	if (row->level == SOL_SOCKET && row->name == SO_MAX_PACING_RATE)
		return socket->pacing_max <= REEVE_TCP_PACING_RATE_MOST
			       ? (int64_t)socket->pacing_max
			       : 0;
	if (row->level == IPPROTO_TCP && row->name == TCP_LINGER2 && value < 0)
		return 0;
	if (socket->kind == SOCKET_UDP && row->udp == REEVE_UDP_PROBLEMS)
		return socket_option(&socket->options, IPPROTO_IP, IP_RECVERR) ||
		       socket_option(&socket->options, IPPROTO_IPV6, IPV6_RECVERR);
	if (row->udp == REEVE_UDP_DONT_FRAGMENT && row->name != SO_BROADCAST &&
	    (row->level == IPPROTO_IP || row->level == IPPROTO_IPV6))
		return value == IP_PMTUDISC_DO || value == IP_PMTUDISC_PROBE;
	return value;
}

void peer_tell_options(struct supervisor *s, struct guest_socket *socket)
{
	for (int i = socket_options_next_change(&socket->options); i >= 0;
	     i = socket_options_next_change(&socket->options)) {
		const struct option_row *row = option_at(i);
		const int setting = socket->kind == SOCKET_UDP ? row->udp : row->tcp;

		if (setting < 0)
			continue;
		struct guest_message m = peer_message(socket, GUEST_SET, -1);

		m.value = setting;
		m.value2 = told_value(socket, row, socket->options.values[i]);
		channel_send_later(s, &m);
	}
	socket->is_known = true;
}

/* What Linux starts with (net.ipv4.tcp_wmem and tcp_rmem), and what it finds that ten segments of a
 * path need. */
enum { SEND_FRESH = 16384, SEND_LOOPBACK = 2626560, SEND_LINK = 87040, RECEIVE_FRESH = 131072 };

int peer_send_size(const struct supervisor *s, const struct guest_socket *socket)
{
	const int size = socket_option(&socket->options, SOL_SOCKET, SO_SNDBUF);

	if (size > 0)
		return size;
	if (socket->state != SOCKET_CONNECTED)
		return SEND_FRESH;
	return reeve_address_is_loopback(&socket->remote.address) ||
			       reeve_address_equal(&socket->remote.address, &s->welcome.address)
		       ? SEND_LOOPBACK
		       : SEND_LINK;
}

int peer_receive_size(const struct guest_socket *socket)
{
	const int size = socket_option(&socket->options, SOL_SOCKET, SO_RCVBUF);

	return size > 0 ? size : RECEIVE_FRESH;
}

static void set_half(int fd, int size)
{
	const int half = size / 2; /* the kernel doubles what it is given */

	if (fd >= 0 && size > 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
}

void peer_set_buffers(const struct guest_socket *socket, int fd)
{
	if (socket->kind != SOCKET_TCP)
		return;
	set_half(socket->end, socket_option(&socket->options, SOL_SOCKET, SO_RCVBUF));
	set_half(fd, socket_option(&socket->options, SOL_SOCKET, SO_SNDBUF));
}

int32_t peer_unread(const struct guest_socket *socket)
{
	int bytes = 0;

	if (!socket || socket->end < 0 || ioctl(socket->end, FIONREAD, &bytes) < 0)
		return 0;
	bytes -= socket->filler + socket->is_marked;
	return bytes > 0 ? bytes : 0;
}

void peer_attach(struct supervisor *s, struct guest_socket *socket)
{
	if (socket->is_attached)
		return;
	const struct guest_message m = peer_message(socket, GUEST_ATTACH, -1);

	peer_set_buffers(socket, -1);
	watch_stop(s->epoll_fd, &socket->watch);
	channel_send(s, &m, NULL, socket->end);
	socket->is_attached = true;
}

int peer_fill(struct supervisor *s, struct guest_socket *socket, int fd)
{
	static const char zeroes[FILLER_FIRST];
	socklen_t length = sizeof(socket->send_buffer);
	const int least = 1;
	const int end = rendezvous_join(&s->rendezvous, fd);

	if (end < 0)
		return end;
	socket->end = end;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &socket->send_buffer, &length) < 0)
		socket->send_buffer = 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	ssize_t n = send(fd, zeroes, FILLER_FIRST, MSG_DONTWAIT | MSG_NOSIGNAL);

	while (n > 0 && socket->filler < FILLER_MOST) {
		socket->filler = (uint16_t)(socket->filler + n);
		n = send(fd, zeroes, FILLER_NEXT, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return 0;
}

void peer_unfill(struct supervisor *s, struct guest_socket *socket)
{
	char bytes[FILLER_MOST];

	while (socket->filler > 0) {
		const ssize_t n = recv(socket->end, bytes, socket->filler, MSG_DONTWAIT);

		if (n <= 0)
			break;
		socket->filler = (uint16_t)(socket->filler - n);
	}
	socket->filler = 0;
	/* The kernel doubles what it is given. */
	const int size = socket->send_buffer / 2;
	const int fd =
		descriptor_find(&s->descriptors, socket->hint_pid, socket->hint_fd, socket->cookie);

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	close(fd);
}

void peer_bind_again(struct supervisor *s, struct guest_socket *socket)
{
	if (!socket->has_address || socket->is_bound)
		return;
	struct guest_message m = peer_message(socket, GUEST_BIND, -1);

	m.local = socket->local;
	channel_send(s, &m, NULL, -1);
	socket->is_known = true;
}

static void tell_shut(struct supervisor *s, const struct guest_socket *socket)
{
	struct guest_message m = peer_message(socket, GUEST_SHUT, -1);

	m.value = socket->is_marked;
	m.value2 = socket->is_both;
	channel_send(s, &m, NULL, -1);
}

/* One that the network process has not read yet, and that a second one would make data. */
static bool has_urgent_byte(int end)
{
	struct pollfd p = { .fd = end, .events = POLLPRI };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLPRI);
}

void peer_announce_shut(struct supervisor *s, struct guest_socket *socket, bool wants_mark)
{
	if (wants_mark)
		socket->is_marked = urgent_is_polled() && !has_urgent_byte(socket->end);
	if (socket->is_marked || socket->is_both)
		tell_shut(s, socket);
}

/* Its end's hang-up comes again when the program closes. */
bool peer_watch_both(struct supervisor *s, struct guest_socket *socket, int fd)
{
	liveness_add(&s->liveness, socket, fd);
	socket->is_both =
		socket->set && watch_start(s->epoll_fd, &socket->watch, socket->end, EPOLLET) == 0;
	supervisor_sweep_later(s);
	return socket->is_both;
}

void peer_take_back_both(struct supervisor *s, struct guest_socket *socket)
{
	if (!socket->is_both)
		return;
	socket->is_both = false;
	watch_stop(s->epoll_fd, &socket->watch);
	liveness_remove(&s->liveness, socket);
	tell_shut(s, socket);
}

void peer_take_back_mark(struct supervisor *s, struct guest_socket *socket)
{
	if (!socket->is_marked)
		return;
	socket->is_marked = false;
	tell_shut(s, socket);
}

static bool leave_mark(int fd)
{
	return send(fd, "", 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

void peer_leave_mark(struct supervisor *s, struct guest_socket *socket, int fd)
{
	socklen_t length = sizeof(int);
	int room = 0;

	if (leave_mark(fd))
		return;
	/* The program has filled it. The kernel doubles what it is given, and nothing more will be
	 * sent there. */
	if (errno == EAGAIN && getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &length) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, length) == 0 && leave_mark(fd))
		return;
	peer_take_back_mark(s, socket);
}

/* What lies unread in an end makes its close a reset for the other. */
static void throw_away_unread(int end)
{
	char bytes[4096];

	while (recv(end, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

void peer_reset_end(struct guest_socket *socket, int fd)
{
	int unread = 0;

	/* Behind the peer's FIN reads still end in order. */
	if (socket->has_peer_ended) {
		throw_away_unread(socket->end);
		close(socket->end);
		socket->end = -1;
		return;
	}
	/* Whatever of the program's lies unread in the other end does the same. */
	if (ioctl(socket->end, FIONREAD, &unread) < 0 || unread == 0)
		(void)send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(socket->end);
	socket->end = -1;
}

static int find_end(struct supervisor *s, const struct guest_socket *socket)
{
	return descriptor_find(&s->descriptors, socket->hint_pid, socket->hint_fd, socket->cookie);
}

/* Without its other end. Of one that has been watched before, no duplicate may have been found. */
static void stay_watched(struct supervisor *s, struct guest_socket *socket, int fd)
{
	supervisor_sweep_later(s);
	if (fd < 0)
		return;
	liveness_add(&s->liveness, socket, fd);
	close(fd);
}

/* Both sides have said their last, and the program may hold on to its end: it has shut it down, by
 * which its other end is hung up as by a close. */
static void end_in_order(struct supervisor *s, struct guest_socket *socket)
{
	if (socket->is_marked && socket->end >= 0)
		throw_away_unread(socket->end);

	const bool is_held = socket->is_both ? liveness_is_held(s, socket) : socket->is_shut;
	const int fd = is_held ? find_end(s, socket) : -1;

	if (!is_held || (fd < 0 && !socket->is_both)) {
		peer_drop(s, socket);
		return;
	}
	watch_stop(s->epoll_fd, &socket->watch);
	socket->state = SOCKET_RESET;
	close(socket->end);
	socket->end = -1;
	stay_watched(s, socket, fd);
}

static bool program_has_closed(const struct guest_socket *socket)
{
	struct pollfd p = { .fd = socket->end };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

void peer_reset(struct supervisor *s, struct guest_socket *socket, int error)
{
	/* A direct one is its two programs' own. */
	if (socket->is_direct)
		return;
	socket->error = error;
	socket->is_known = false;
	if (socket->listener) {
		socket->has_reset = true;
		return;
	}
	const bool is_held = socket->is_both ? liveness_is_held(s, socket)
					     : socket->end >= 0 && !program_has_closed(socket);
	const int fd = is_held ? find_end(s, socket) : -1;

	if (!is_held || (fd < 0 && !socket->is_both)) {
		peer_drop(s, socket);
		return;
	}
	watch_stop(s->epoll_fd, &socket->watch);
	socket->state = SOCKET_RESET;
	peer_reset_end(socket, fd);
	stay_watched(s, socket, fd);
	call_retry_all(s, socket);
}

void peer_drop_queue(struct supervisor *s, struct guest_socket *listener)
{
	if (listener->early_fd >= 0)
		close(listener->early_fd);
	listener->early_fd = -1;
	listener->has_token = false;
	for (struct list *node = list_pop(&listener->queue); node;
	     node = list_pop(&listener->queue)) {
		struct guest_socket *waiting = list_entry(node, struct guest_socket, queue);

		waiting->listener = NULL;
		if (!waiting->has_reset)
			peer_tell(s, waiting, GUEST_ABORT);
		peer_drop(s, waiting);
	}
}

void peer_drop(struct supervisor *s, struct guest_socket *socket)
{
	if (socket->listener) {
		socket->listener = NULL;
		list_remove(&socket->queue);
	} else {
		peer_drop_queue(s, socket);
	}
	listeners_remove(&s->listeners, socket);
	liveness_remove(&s->liveness, socket);
	if (socket->path) {
		rendezvous_forget(&s->rendezvous, socket->path);
		socket->path = 0;
	}
	if (socket->is_direct)
		direct_end(s, socket);
	/* Of a stream's attached end the network process sees for itself that it is closed. */
	if (socket->is_known && socket->is_both)
		peer_tell_later(s, socket, GUEST_CLOSE);
	else if (socket->is_known && (!socket->is_attached || socket->kind == SOCKET_UDP))
		peer_tell(s, socket,
			  socket->state == SOCKET_CONNECTING ? GUEST_ABORT : GUEST_CLOSE);
	watch_stop(s->epoll_fd, &socket->watch);
	while (!list_is_empty(&socket->calls)) {
		struct call *c = list_entry(list_first(&socket->calls), struct call, waiting);

		c->socket = NULL;
		(void)call_answer(s, c, socket->error ? -socket->error : -EBADF);
	}
	socket_free(&s->sockets, socket);
}

static void abort_incoming(struct supervisor *s, const struct guest_message *m)
{
	const struct guest_message answer = { .type = GUEST_ABORT, .socket = m->socket };

	channel_send(s, &answer, NULL, -1);
}

struct guest_socket *peer_new_accepted(struct supervisor *s, const struct guest_socket *listener,
				       const struct reeve_sockaddr *local,
				       const struct reeve_sockaddr *remote)
{
	struct guest_socket *socket = socket_new(&s->sockets, SOCKET_TCP, listener->family);

	if (!socket)
		return NULL;
	socket->local = *local;
	socket->remote = *remote;
	socket->options = listener->options;
	socket->pacing_max = listener->pacing_max;
	memset(socket->options.changed, 0, sizeof(socket->options.changed));
	socket->state = SOCKET_CONNECTED;
	socket->is_bound = socket->is_confirmed = true;
	socket->hint_pid = listener->hint_pid;
	return socket;
}

static void incoming(struct supervisor *s, const struct guest_message *m)
{
	struct guest_socket *listener = socket_by_number(&s->sockets, (uint64_t)m->value);

	if (!listener || listener->state != SOCKET_LISTENING ||
	    socket_by_number(&s->sockets, m->socket)) {
		abort_incoming(s, m);
		return;
	}
	struct guest_socket *socket = peer_new_accepted(s, listener, &m->local, &m->remote);

	if (!socket) {
		/* The next accept() would take it for another. */
		channel_give_up(s, "no memory for an incoming connection");
		return;
	}
	socket->end = channel_take_descriptor(&s->channel);
	socket->is_attached = socket->is_known = true;
	socket->listener = listener;
	socket_set_number(&s->sockets, socket, m->socket);
	list_append(&listener->queue, &socket->queue);
	call_retry_all(s, listener);
}

static void datagram(struct supervisor *s, struct guest_socket *socket,
		     const struct guest_message *m)
{
	struct guest_arrival arrival;

	memcpy(&arrival, &m->value, sizeof(arrival));
	const struct socket_datagram d = {
		.remote = m->remote,
		.local = m->local,
		.realtime_ns = m->value2,
		.length = arrival.length,
		.charge = arrival.charge,
		.iface = (uint32_t)m->error,
		.lost = m->pid,
		.ttl = (uint8_t)(m->flags >> 8),
		.tos = (uint8_t)m->flags,
	};

	socket_datagram_push(&socket->datagrams, &d);
	call_retry_all(s, socket);
}

void peer_name_end(int fd)
{
	const struct sockaddr unnamed = { .sa_family = AF_UNIX };

	/* The kernel chooses the name; a socket that has one keeps it. */
	(void)bind(fd, &unnamed, sizeof(unnamed.sa_family));
}

void peer_clear_end(int fd)
{
	int native = 0;
	socklen_t length = sizeof(native);

	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &native, &length);
}

int peer_take_error(struct guest_socket *socket, int fd)
{
	const int error = socket->error;

	socket->error = 0;
	/* As long as there are problems to be read, poll() says so. */
	if (!socket->problems.count)
		peer_clear_end(fd);
	return error;
}

bool peer_error_is_on_its_way(const struct guest_socket *socket, int fd)
{
	struct pollfd p = { .fd = fd };

	return !socket->error && !socket->problems.count && poll(&p, 1, 0) > 0 &&
	       p.revents & POLLERR;
}

static void look(struct supervisor *s, const struct guest_message *m)
{
	const struct guest_message answer = { .type = GUEST_LOOKED, .value = m->value };

	listeners_look_at_all(s);
	(void)liveness_sweep(s);
	direct_tell(s);
	channel_send(s, &answer, NULL, -1);
}

void peer_dispatch(struct supervisor *s, const struct guest_message *m, const uint8_t *data)
{
	if (m->type == GUEST_INCOMING_CONNECTION) {
		incoming(s, m);
		return;
	}
	if (m->type == GUEST_FORGET) {
		direct_forget(&s->direct);
		return;
	}
	if (m->type == GUEST_LOOK) {
		look(s, m);
		return;
	}
	struct guest_socket *socket = socket_by_number(&s->sockets, m->socket);

	if (!socket)
		return;
	switch (m->type) {
	case GUEST_STALE:
		if (socket->state == SOCKET_LISTENING)
			listeners_look(s, socket);
		break;
	case GUEST_RESET:
		socket->has_peer_ended = m->value;
		peer_reset(s, socket, m->error ? m->error : ECONNRESET);
		break;
	case GUEST_CLOSED:
		socket->is_known = false;
		end_in_order(s, socket);
		break;
	case GUEST_DATAGRAM:
		datagram(s, socket, m);
		break;
	case GUEST_PROBLEM:
		problems_push(&socket->problems, &m->remote, data, m->data_length);
		socket->error = m->error;
		call_retry_all(s, socket);
		break;
	case GUEST_SOCKET_ERROR:
		socket->error = m->error;
		call_retry_all(s, socket);
		break;
	default:
		supervisor_log(s, "message %u of the network process is unknown", m->type);
		break;
	}
}

/*
 * As on a machine whose cable is out: a listener and a UDP socket are quiet from here on. One that
 * was ready with an error would make servers turn in circles: they log an accept() that fails and
 * try again. Only a call that waits is told, once. What is sent goes nowhere (receive_end()).
 */
static void lose(struct supervisor *s, struct guest_socket *socket)
{
	if (socket->kind == SOCKET_TCP && socket->state == SOCKET_CONNECTED) {
		peer_reset(s, socket, ECONNRESET);
		return;
	}
	socket->is_known = socket->is_attached = false;
	if (socket->kind == SOCKET_UDP && socket->end >= 0)
		(void)watch_start(s->epoll_fd, &socket->watch, socket->end, EPOLLIN);
	while (!list_is_empty(&socket->calls))
		(void)call_answer(s, list_entry(list_first(&socket->calls), struct call, waiting),
				  -ENETDOWN);
}

void peer_fail_requests(struct supervisor *s)
{
	const struct guest_message answer = { .type = GUEST_ANSWER, .error = ENETDOWN };

	for (struct request *r = channel_take_any(&s->channel); r;
	     r = channel_take_any(&s->channel))
		request_finish(s, r, &answer, NULL);
}

void peer_all_lost(struct supervisor *s)
{
	peer_fail_requests(s);
	list_for_each_safe(node, &s->sockets.all) {
		struct guest_socket *socket = list_entry(node, struct guest_socket, node);

		if (socket->kind != SOCKET_NETLINK)
			lose(s, socket);
	}
}
