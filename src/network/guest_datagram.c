/*
 * A UDP socket of a program: datagrams between the attached AF_UNIX end, which keeps their
 * boundaries, and the stack's socket. The names that come with them go by message, in the same
 * order. What the program has no room for waits in the stack's socket, and is dropped there when
 * that is full.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "network/guest_private.h"

#define DATAGRAMS_A_TURN 128

#define EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)

static void say(struct guest_socket *s, const struct reeve_datagram *d)
{
	const struct guest_message m = {
		.type = GUEST_DATAGRAM,
		.socket = s->number,
		.local = d->local,
		.remote = d->remote,
		.value = (int64_t)d->length,
		.value2 = (int64_t)(d->ttl << 8 | d->tos),
	};

	guest_send(s->session, &m, NULL, 0);
}

/* Room is watched for only while there is none, or each read of the program's would wake us. */
static void watch_for_room(struct guest_socket *s, bool wanted)
{
	loop_change(s->session->network->loop, &s->source, wanted ? EVENTS | EPOLLOUT : EVENTS);
}

/* From the network to the program. True when the turn is used up. */
static bool pass_in(struct guest_socket *s)
{
	struct reeve_datagram d;

	for (unsigned i = 0; s->can_write && s->udp && i < DATAGRAMS_A_TURN; i++) {
		if (!reeve_udp_peek(s->udp, &d)) {
			watch_for_room(s, false);
			return false;
		}
		const struct msghdr header = { .msg_iov = d.iov, .msg_iovlen = d.iov_count };
		const ssize_t n = sendmsg(s->source.fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			s->can_write = false;
			watch_for_room(s, true);
			return false;
		}
		/* One that the AF_UNIX socket does not take at all is lost. */
		if (n >= 0)
			say(s, &d);
		if (s->udp)
			reeve_udp_consume(s->udp);
	}
	return s->can_write && s->udp;
}

/* An empty datagram and the end look alike to recv(). */
static bool is_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* Sent without a name: to where the socket is connected. True when the turn is used up. */
static bool pass_out(struct guest_socket *s)
{
	uint8_t *buffer = s->session->server->buffer;

	for (unsigned i = 0; s->can_read && i < DATAGRAMS_A_TURN; i++) {
		const ssize_t n = recv(s->source.fd, buffer, sizeof(s->session->server->buffer),
				       MSG_DONTWAIT | MSG_TRUNC);
		struct iovec iov = { buffer, n > 0 ? (size_t)n : 0 };

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n == 0 && is_end(s->source.fd))) {
			s->can_read = false;
			s->read_ended = n == 0 || errno != EAGAIN;
			return false;
		}
		if (n > REEVE_UDP_MAX)
			continue;
		/* What cannot be sent is lost; the reason, an ICMP error for one, comes as an
		 * event. */
		reeve_udp_send(s->udp, NULL, NULL, &iov, 1);
	}
	return s->can_read;
}

static void pump(struct guest_socket *s)
{
	bool more;

	if (s->source.fd < 0)
		return;
	more = pass_in(s);
	if (!s->udp)
		return;
	more |= pass_out(s);
	if (s->read_ended && s->hung_up) {
		const struct guest_message m = { .type = GUEST_CLOSED, .socket = s->number };

		reeve_udp_close(s->udp);
		s->udp = NULL;
		guest_socket_drop(s);
		guest_send(s->session, &m, NULL, 0);
	} else if (more) {
		socket_owner_resume(&s->owner);
	}
}

static void datagram_event(struct socket_owner *owner, const struct reeve_event *event)
{
	struct guest_socket *s = container_of(owner, struct guest_socket, owner);
	struct guest_message m = { .type = GUEST_SOCKET_ERROR, .socket = s->number };

	if (event->what & REEVE_FAILED) {
		m.error = reeve_udp_error(s->udp);
		if (m.error && !guest_send(s->session, &m, NULL, 0))
			return;
	}
	pump(s);
}

static void datagram_resume(struct socket_owner *owner)
{
	pump(container_of(owner, struct guest_socket, owner));
}

const struct socket_owner_ops guest_datagram_ops = {
	.event = datagram_event,
	.resume = datagram_resume,
};

void guest_datagram_attach(struct guest_socket *s, int fd_take)
{
	if (loop_add(s->session->network->loop, &s->source, fd_take, EVENTS) < 0) {
		close(fd_take);
		return;
	}
	s->can_read = true;
	s->can_write = true;
	pump(s);
}
