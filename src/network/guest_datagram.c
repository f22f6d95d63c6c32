/*
 * A UDP or echo socket of a program: datagrams between the attached AF_UNIX end, which keeps their
 * boundaries, and the stack's socket. The names that come with them go by message, in the same
 * order. What the program has no room for waits in the stack's socket, and is dropped there when
 * that is full.
 *
 * Both ends are SOCK_DGRAM sockets, connected to each other. Nobody is told when such a socket is
 * closed: the supervisor finds out by and by, or a datagram finds nobody, and is then what it would
 * have been if the program's socket had gone at once (reeve_udp_forsake()). In return the program's
 * end can be made to say that there is an error: when a datagram socket leaves a peer that is
 * connected to it and from which it has not read all, the peer's next call fails with ECONNRESET.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "network/charge.h"
#include "network/guest_private.h"

#define DATAGRAMS_A_TURN 128
#define CATCH_UP_TURNS   8
#define QUOTE_MAX        1500

/* When it was by the calendar. The stack's clock stands still while the loop makes a turn: what has come
 * in this one may have been sent in it, too, after it began. */
static int64_t realtime_ns(const struct guest_socket *s, struct reeve_time arrived)
{
	const bool is_new = !reeve_time_before(arrived, loop_now(s->session->network->loop));
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * REEVE_NS_PER_S + now.tv_nsec -
	       (is_new ? 0 : reeve_time_since(loop_clock(), arrived));
}

#define EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)

static void say(struct guest_socket *s, const struct reeve_datagram *d)
{
	const struct guest_arrival arrival = {
		.length = (uint32_t)d->length,
		.charge = charge_of(s->session->server->charges, (uint32_t)d->length),
	};
	struct guest_message m = {
		.type = GUEST_DATAGRAM,
		.flags = (uint16_t)(d->ttl << 8 | d->tos),
		.socket = s->number,
		.error = (int32_t)d->iface + 1,
		.pid = reeve_udp_lost(s->udp),
		.local = d->local,
		.remote = d->remote,
		.value2 = realtime_ns(s, d->arrived),
	};

	memcpy(&m.value, &arrival, sizeof(m.value));
	guest_send(s->session, &m, NULL, 0);
}

/* Room is watched for only while there is none, or each read of the program's would wake us. */
static void watch_for_room(struct guest_socket *s, bool wanted)
{
	loop_change(s->session->network->loop, &s->source, wanted ? EVENTS | EPOLLOUT : EVENTS);
}

static void say_closed(struct guest_socket *s)
{
	const struct guest_message m = { .type = GUEST_CLOSED, .socket = s->number };
	struct guest_session *session = s->session;

	guest_socket_drop(s);
	if (!session->gone)
		guest_send(session, &m, NULL, 0);
}

/* The program has closed it, and nobody knew. */
static void forsake(struct guest_socket *s)
{
	reeve_udp_forsake(s->udp);
	s->udp = NULL;
	say_closed(s);
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
		if (n < 0 && (errno == ECONNREFUSED || errno == ENOTCONN)) {
			forsake(s);
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

/* Sent without a name: to where the socket is connected. True when the turn is used up. */
static bool pass_out(struct guest_socket *s)
{
	uint8_t *buffer = s->session->server->datagram;

	for (unsigned i = 0; s->can_read && i < DATAGRAMS_A_TURN; i++) {
		const ssize_t n =
			recv(s->source.fd, buffer, DATAGRAM_BUFFER, MSG_DONTWAIT | MSG_TRUNC);
		struct iovec iov = { buffer, n > 0 ? (size_t)n : 0 };

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			s->can_read = false;
			return false;
		}
		/* What cannot be sent is lost; the reason, an ICMP error for one, comes as an
		 * event. */
		if (n <= DATAGRAM_BUFFER)
			reeve_udp_send(s->udp, NULL, NULL, &iov, 1);
	}
	return s->can_read;
}

void guest_datagram_catch_up(struct guest_socket *s)
{
	if (s->source.fd < 0)
		return;
	s->can_read = true;
	/* More than its socket holds, or one that writes all the time would keep us here. */
	for (unsigned i = 0; i < CATCH_UP_TURNS && pass_out(s); i++)
		;
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
	if (more)
		socket_owner_resume(&s->owner);
}

static bool say_problem(struct guest_socket *s, const struct reeve_udp_problem *p, int error)
{
	struct {
		struct guest_problem head;
		uint8_t quote[QUOTE_MAX];
	} data = {
		.head = {
			.error = p->error,
			.is_local = p->is_local,
			.type = p->type,
			.code = p->code,
			.ttl = p->ttl,
			.tos = p->tos,
			.info = p->info,
			.iface = p->iface + 1,
			.offender = p->offender,
			.local = p->local,
			.realtime_ns = realtime_ns(s, p->arrived),
		},
	};
	const struct guest_message m = {
		.type = GUEST_PROBLEM,
		.socket = s->number,
		.error = error,
		.remote = p->remote,
	};
	size_t length = 0;

	for (size_t i = 0; i < p->iov_count; i++) {
		const size_t left = sizeof(data.quote) - length;
		const size_t n = p->iov[i].iov_len < left ? p->iov[i].iov_len : left;

		memcpy(data.quote + length, p->iov[i].iov_base, n);
		length += n;
	}
	return guest_send(s->session, &m, &data, offsetof(typeof(data), quote) + length);
}

/*
 * The program's end polls an error, and its next call fails. A byte of our own lies unread when we
 * leave it. What it writes meanwhile, some microseconds long, is lost, as datagrams may be; and so
 * is what anybody else may have sent to our end while it had no peer.
 */
void guest_datagram_poke(struct guest_socket *s)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC },
			      unnamed = { .sa_family = AF_UNIX };
	struct sockaddr_un program, own;
	socklen_t length = sizeof(program), own_length = sizeof(own);
	const int fd = s->source.fd;

	guest_datagram_catch_up(s);
	(void)bind(fd, &unnamed, sizeof(sa_family_t)); /* the kernel chooses a name, once */
	if (fd < 0 || getpeername(fd, (struct sockaddr *)&program, &length) < 0 ||
	    length <= sizeof(sa_family_t) ||
	    getsockname(fd, (struct sockaddr *)&own, &own_length) < 0)
		return;
	(void)connect(fd, &nobody, sizeof(nobody));
	(void)sendto(fd, "", 1, MSG_DONTWAIT, (const struct sockaddr *)&own, own_length);
	(void)connect(fd, (const struct sockaddr *)&program, length);
	(void)connect(fd, &nobody, sizeof(nobody));
	(void)connect(fd, (const struct sockaddr *)&program, length);
	while (recv(fd, s->session->server->datagram, DATAGRAM_BUFFER, MSG_DONTWAIT) >= 0)
		;
}

/* The end polls an error before it is said which, so that a call that is made then waits for that. And
 * a problem is said with its error in one, or a call between the two would find one of them alone. False
 * when the session has gone. */
static bool say_error(struct guest_socket *s)
{
	const struct guest_message m = {
		.type = GUEST_SOCKET_ERROR,
		.socket = s->number,
		.error = reeve_udp_error(s->udp),
	};
	bool is_said = m.error == 0;
	struct reeve_udp_problem p;

	while (reeve_udp_problem(s->udp, &p)) {
		guest_datagram_poke(s);
		(void)reeve_udp_problem(s->udp, &p); /* others may have come behind it */
		if (!say_problem(s, &p, m.error ? m.error : p.error))
			return false;
		reeve_udp_consume_problem(s->udp);
		is_said = true;
	}
	if (is_said)
		return true;
	guest_datagram_poke(s);
	return guest_send(s->session, &m, NULL, 0);
}

static void datagram_event(struct socket_owner *owner, const struct reeve_event *event)
{
	struct guest_socket *s = container_of(owner, struct guest_socket, owner);

	if (!(event->what & REEVE_FAILED) || say_error(s))
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
