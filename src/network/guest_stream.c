/*
 * A TCP socket of a program: bytes between the attached AF_UNIX end and the stack's socket, read
 * straight into the send queue's buffers and written straight from the received packets.
 *
 * The attached end is watched edge-triggered, so it costs no call to start and stop listening to
 * it: can_read and can_write say whether more can be expected of it. Room is watched for only while
 * there is none, or the program would wake this process each time it reads. Whichever side has
 * become ready, pump() moves what can be moved, then looks at what has ended:
 *
 *	the program will write no more (EOF)	FIN to the network
 *	the program has closed (HUP)		close, or reset if it left data unread
 *	it has shut down both (GUEST_SHUT, HUP)	FIN to the network; whether it has closed, the
 *						supervisor says (GUEST_CLOSE)
 *	FIN from the network			shutdown of the attached end, which stays open
 *	the connection failed			RESET, when what came before it is passed on
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "base/check.h"
#include "guest/urgent.h"
#include "network/guest_private.h"
#include "network/log.h"

#define VECTORS      24
#define READ_LEAST   1024u
#define READ_MOST    (256u << 10)
#define BYTES_A_TURN (1u << 20) /* each way, before others have their turn */

#define EVENTS (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET)

static void say_closed(struct guest_socket *s)
{
	const struct guest_message m = { .type = GUEST_CLOSED, .socket = s->number };

	guest_send_later(s->session, &m);
}

static void say_reset(struct guest_socket *s, int error, bool peer_closed)
{
	const struct guest_message m = {
		.type = GUEST_RESET,
		.socket = s->number,
		.error = error,
		.value = peer_closed,
	};

	guest_send(s->session, &m, NULL, 0);
}

/* In order: what is still in the send queue is the stack's to deliver. */
static void end_in_order(struct guest_socket *s)
{
	char mark;

	/* A copy of the program's end may be left elsewhere. */
	if (s->is_shut)
		(void)recv(s->source.fd, &mark, sizeof(mark), MSG_DONTWAIT);
	if (s->reset_on_close)
		reeve_tcp_abort(s->tcp);
	else
		reeve_tcp_close(s->tcp);
	s->tcp = NULL;
	guest_socket_drop(s);
	say_closed(s);
}

/* The program has closed with data unread: Linux sends RST then (RFC 2525, 2.17). */
static void end_unread(struct guest_socket *s)
{
	reeve_tcp_abort(s->tcp);
	s->tcp = NULL;
	guest_socket_drop(s);
	say_closed(s);
}

static void end_failed(struct guest_socket *s)
{
	const bool peer_closed = reeve_tcp_peer_closed(s->tcp);
	const int error = s->failed;

	reeve_tcp_close(s->tcp);
	s->tcp = NULL;
	/* Before our end closes, so that the supervisor can make the program see the reason. */
	say_reset(s, error, peer_closed);
	if (!list_is_linked(&s->dead))
		guest_socket_drop(s);
}

/* Keeps of the vectors what lies in front of `length` bytes. Returns how many are left. */
static size_t cut(struct iovec *iov, size_t count, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (iov[i].iov_len >= length) {
			iov[i].iov_len = length;
			return i + 1;
		}
		length -= iov[i].iov_len;
	}
	return count;
}

/* The bytes to pass on next, up to where urgent data ends. *ret_flags is for sendmsg(). */
static size_t next_bytes(struct guest_socket *s, struct iovec *iov, int *ret_flags)
{
	size_t count = reeve_tcp_peek(s->tcp, iov, VECTORS);
	/* Asked of the stack and not of its event, which comes later than the byte may be met. */
	const int64_t urgent = s->no_urgent ? -1 : reeve_tcp_urgent_offset(s->tcp);

	*ret_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
	if (urgent <= 0 || count == 0)
		return count;
	if (urgent == 1) {
		/* AF_UNIX has urgent data of one byte too: SIGURG, EPOLLPRI and SO_OOBINLINE at
		 * the program's end are the kernel's own. */
		*ret_flags |= MSG_OOB;
		count = cut(iov, count, 1);
	} else {
		count = cut(iov, count, (size_t)urgent - 1);
	}
	return count;
}

/* What the program does not want to hear any more is received all the same, as Linux does after
 * shutdown(SHUT_RD). */
static void throw_away(struct guest_socket *s)
{
	const size_t bytes = reeve_tcp_readable(s->tcp);

	s->thrown_away |= bytes > 0;
	reeve_tcp_consume(s->tcp, bytes);
}

static void watch_for_room(struct guest_socket *s, bool wanted)
{
	loop_change(s->session->network->loop, &s->source, wanted ? EVENTS | EPOLLOUT : EVENTS);
}

/* From the network to the program. True when the turn is used up. */
static bool pass_in(struct guest_socket *s)
{
	struct iovec iov[VECTORS];
	struct msghdr header = { .msg_iov = iov };
	size_t moved = 0;
	int flags;

	while (s->can_write && !s->deaf) {
		if (moved >= BYTES_A_TURN)
			return true;
		header.msg_iovlen = next_bytes(s, iov, &flags);
		if (header.msg_iovlen == 0)
			break;
		const ssize_t n = sendmsg(s->source.fd, &header, flags);

		if (n > 0) {
			reeve_tcp_consume(s->tcp, (size_t)n);
			moved += (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			s->can_write = false;
			watch_for_room(s, true);
		} else if (n < 0 && errno == EOPNOTSUPP && (flags & MSG_OOB)) {
			s->no_urgent = true;
		} else if (n < 0 && errno != EINTR) {
			s->deaf = true;
			s->can_read = true; /* and look why */
		}
	}
	if (s->can_write)
		watch_for_room(s, false);
	if (s->deaf)
		throw_away(s);
	return false;
}

enum head { HEAD_NOTHING, HEAD_DATA, HEAD_URGENT, HEAD_MARK };

/* An urgent byte is at the head: the program's own, or the one that stands behind its last
 * (GUEST_SHUT) and stays there as long as the program may be told of a reset by it. */
static enum head at_urgent_byte(struct guest_socket *s, short revents)
{
	const bool is_last = revents & POLLRDHUP;
	const int on = 1;
	int unread = 0;
	char mark;

	/* Else it would be lost to reads. */
	(void)setsockopt(s->source.fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	/* It may have been put there a moment ago; or could not be, which is said before the end. */
	if (!s->is_shut || is_last)
		guest_session_hear(s->session);
	if (s->source.fd < 0)
		return HEAD_NOTHING;
	if (!s->is_shut)
		return HEAD_URGENT;
	if (!is_last)
		return HEAD_NOTHING; /* the end follows */
	if ((s->is_both || !(revents & POLLHUP)) && ioctl(s->source.fd, FIONREAD, &unread) == 0 &&
	    unread == 1)
		return HEAD_MARK;
	/* There is nobody to be told; or another thread has written behind it. */
	(void)recv(s->source.fd, &mark, sizeof(mark), MSG_DONTWAIT);
	return HEAD_DATA;
}

/* What a read would begin with. Urgent data are read by themselves, so that they can be marked. */
static enum head look_ahead(struct guest_socket *s)
{
	struct pollfd p = { .fd = s->source.fd, .events = POLLIN | POLLPRI | POLLRDHUP };
	int at = 0;

	/* An event that spoke of data and not of urgent ones vouches for the first read. Later ones
	 * may meet what came since, before its own event. */
	if (s->is_plain) {
		s->is_plain = false;
		return HEAD_DATA;
	}
	if (poll(&p, 1, 0) <= 0)
		return HEAD_NOTHING;
	if (!(p.revents & POLLPRI) && urgent_is_polled())
		return HEAD_DATA;
	if (ioctl(s->source.fd, SIOCATMARK, &at) < 0 || at == 0)
		return HEAD_DATA;
	return at_urgent_byte(s, p.revents);
}

/* Small requests take small buffers, a stream of data large ones. */
static void learn_read_size(struct guest_socket *s, size_t bytes)
{
	if (bytes >= s->read_size && s->read_size < READ_MOST)
		s->read_size *= 4;
	else if (bytes < s->read_size / 8 && s->read_size > READ_LEAST)
		s->read_size /= 2;
}

/* The event of a close may come behind its end of file: then no FIN may go out first. */
static bool has_hung_up(const struct guest_socket *s)
{
	struct pollfd p = { .fd = s->source.fd };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

static void end_reading(struct guest_socket *s)
{
	s->can_read = false;
	s->read_ended = true;
	/* Of what a close has left unread a read behind it would have told. */
	s->left_nothing = s->hung_up;
	s->hung_up = s->hung_up || has_hung_up(s);
}

/* One read. False when nothing more can be read now. */
static bool pass_out_once(struct guest_socket *s, size_t *moved)
{
	struct iovec iov[VECTORS];
	struct msghdr header = { .msg_iov = iov };
	const enum head head = look_ahead(s);
	size_t room = 0;
	ssize_t n;

	if (s->source.fd < 0)
		return false;
	if (head == HEAD_MARK)
		end_reading(s);
	if (head == HEAD_NOTHING)
		s->can_read = false;
	if (head == HEAD_MARK || head == HEAD_NOTHING)
		return false;
	header.msg_iovlen = reeve_tcp_reserve(s->tcp, s->read_size, iov, VECTORS);
	if (header.msg_iovlen == 0)
		return false; /* REEVE_WRITABLE follows */
	if (head == HEAD_URGENT)
		header.msg_iovlen = cut(iov, header.msg_iovlen, 1);
	for (size_t i = 0; i < header.msg_iovlen; i++)
		room += iov[i].iov_len;
	s->read_at = loop_now(s->session->network->loop).ns;
	n = recvmsg(s->source.fd, &header, MSG_DONTWAIT);
	if (n > 0) {
		/* Less than there was room for is all there was; whatever comes makes an event. Only
		 * an end, urgent data and a descriptor (MSG_CTRUNC) cut a read short. */
		if ((size_t)n < room && !s->read_on && !(header.msg_flags & MSG_CTRUNC))
			s->can_read = false;
		reeve_tcp_commit(s->tcp, (size_t)n);
		learn_read_size(s, (size_t)n);
		*moved += (size_t)n;
		if (head == HEAD_URGENT)
			reeve_tcp_mark_urgent(s->tcp);
		return true;
	}
	const int error = n < 0 ? errno : 0;

	reeve_tcp_commit(s->tcp, 0); /* the room is given back */
	if (error == EINTR)
		return true;
	s->can_read = false;
	if (n == 0) {
		end_reading(s);
	} else if (error != EAGAIN) {
		s->read_ended = true;
		s->hung_up = true;
		s->deaf = true;
		s->reset_on_close = true;
	}
	return false;
}

/* From the program to the network. True when the turn is used up. */
static bool pass_out(struct guest_socket *s)
{
	size_t moved = 0;

	while (s->can_read && !s->read_ended) {
		if (moved >= BYTES_A_TURN)
			return true;
		if (!pass_out_once(s, &moved))
			break;
	}
	return false;
}

/* No read tells when its writes have ended before. */
static bool has_left_unread(const struct guest_socket *s)
{
	int error = 0;
	socklen_t length = sizeof(error);

	return !s->left_nothing &&
	       getsockopt(s->source.fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 &&
	       error == ECONNRESET;
}

/* What has ended. The socket may be gone afterwards. */
static void settle(struct guest_socket *s)
{
	if (s->failed) {
		if (s->deaf || s->hung_up || reeve_tcp_readable(s->tcp) == 0)
			end_failed(s);
		return;
	}
	if (s->is_both && s->fin_sent && reeve_tcp_state(s->tcp) == REEVE_TCP_CLOSED) {
		end_in_order(s);
		return;
	}
	if (s->read_ended && s->hung_up && !s->is_both) {
		const bool fin_is_due = s->is_shut && !s->fin_sent;

		if (!s->deaf && has_left_unread(s))
			s->deaf = s->reset_on_close = true;
		if (fin_is_due) {
			s->fin_sent = true;
			reeve_tcp_shutdown(s->tcp);
		}
		/* With SO_LINGER 0 too what was written before has been sent by the kernel, as far
		 * as the peer's window lets it; and the FIN of a shutdown. */
		if (s->reset_on_close && !s->reset_put_off &&
		    (fin_is_due || reeve_tcp_unsent(s->tcp) > 0)) {
			s->reset_put_off = true;
			socket_owner_resume(&s->owner);
			return;
		}
		/* An event has us look before the turn has come. */
		if (s->reset_put_off && list_is_linked(&s->owner.resume))
			return;
		/* What we held of data that it has never read counts as unread too. */
		if (s->thrown_away || (s->deaf && s->reset_on_close))
			end_unread(s);
		else
			end_in_order(s);
		return;
	}
	if (s->read_ended && !s->fin_sent) {
		s->fin_sent = true;
		reeve_tcp_shutdown(s->tcp);
	}
	if (!s->fin_passed && !s->is_both && reeve_tcp_peer_closed(s->tcp) &&
	    reeve_tcp_readable(s->tcp) == 0) {
		s->fin_passed = true;
		shutdown(s->source.fd, SHUT_WR);
	}
}

static void pump(struct guest_socket *s)
{
	bool more;

	if (s->source.fd < 0)
		return;
	more = pass_in(s);
	if (!s->failed)
		more |= pass_out(s);
	if (s->source.fd < 0)
		return;
	if (s->read_ended && s->hung_up && !s->all_heard) {
		/* What the program has said before it closed, SO_LINGER say, may still wait. */
		s->all_heard = true;
		guest_session_hear(s->session);
		if (s->source.fd < 0)
			return;
	}
	if (more)
		socket_owner_resume(&s->owner);
	settle(s);
}

/* The handshake is done, or has failed: the program's connect() returns. */
static void answer_connect(struct guest_socket *s, int error)
{
	struct guest_message m = {
		.type = GUEST_ANSWER,
		.request = s->connect_request,
		.socket = s->number,
		.error = error,
	};

	s->connecting = false;
	s->connected = error == 0;
	if (error == 0)
		guest_socket_name(s, &m);
	if (m.request)
		guest_send(s->session, &m, NULL, 0);
}

/* The program's listener becomes ready by it, and what it then takes has to be announced: so all
 * that may fail comes first. 0 or a negative errno. */
static int join(struct guest_socket *s, const struct guest_socket *listener)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (!guest_stream_attach(s, fd))
		return -ENOMEM;
	return guest_listener_join(listener, fd);
}

/* Nobody can take it: the peer sees a reset. */
static void turn_away(struct guest_socket *listener, struct reeve_tcp *tcp, int error)
{
	reeve_tcp_abort(tcp);
	if (guest_listener_is_missing(error))
		guest_listener_miss(listener);
	else
		log_line("a connection for '%s' is turned away: %s", listener->session->command,
			 strerror(-error));
}

static struct guest_socket *accepted_new(const struct guest_socket *listener)
{
	struct guest_session *session = listener->session;
	struct guest_socket *s = guest_socket_add(session, GUEST_INCOMING | session->next_incoming);

	if (!s)
		return NULL;
	socket_owner_init(&s->owner, &guest_stream_ops, session->host);
	s->owner.program = session->command;
	s->owner.pid = listener->owner.pid;
	s->connected = true;
	return s;
}

/* False when the session or the listener is gone, or can take no more now. */
static bool announce(struct guest_socket *listener, struct reeve_tcp *tcp)
{
	struct guest_session *session = listener->session;
	struct guest_message m = {
		.type = GUEST_INCOMING_CONNECTION,
		.value = (int64_t)listener->number,
	};
	struct guest_socket *s = accepted_new(listener);
	const int r = !s ? -ENOMEM : join(s, listener);

	if (r < 0) {
		if (s)
			guest_socket_drop(s);
		if (r == -EAGAIN) {
			guest_listener_hold(listener, tcp);
			return false;
		}
		turn_away(listener, tcp, r);
		return !session->gone && listener->path;
	}
	session->next_incoming++;
	s->tcp = tcp;
	s->is_pending = true;
	s->listener = listener->number;
	listener->pending++;
	reeve_tcp_set_user(tcp, &s->owner);
	/* While it was nobody's, its events were, too. */
	if (reeve_tcp_state(tcp) == REEVE_TCP_CLOSED) {
		const int error = reeve_tcp_error(tcp);

		s->failed = error ? error : ECONNRESET;
	}
	m.socket = s->number;
	guest_socket_name(s, &m);
	return guest_send_descriptor(session, &m, s->source.fd);
}

/* The stack holds on to what is over the backlog until the program has accepted some: it answers no
 * more SYN when its own queue is as long as that. */
void guest_stream_accept(struct guest_socket *listener)
{
	while (listener->path && listener->pending <= listener->backlog) {
		struct reeve_tcp *tcp = guest_listener_take_held(listener);

		if (!tcp)
			tcp = reeve_tcp_accept(listener->tcp, NULL);
		if (!tcp || !announce(listener, tcp))
			return;
	}
}

static void stream_event(struct socket_owner *owner, const struct reeve_event *event)
{
	struct guest_socket *s = container_of(owner, struct guest_socket, owner);

	if (s->is_listener) {
		if (event->what & REEVE_ACCEPTABLE)
			guest_stream_accept(s);
		return;
	}
	if (event->what & REEVE_FAILED) {
		const int error = reeve_tcp_error(s->tcp);

		if (s->connecting) {
			answer_connect(s, error ? error : ECONNREFUSED);
			return;
		}
		s->failed = error ? error : ECONNRESET;
	} else if (s->connecting && (event->what & REEVE_CONNECTED)) {
		answer_connect(s, 0);
	}
	pump(s);
}

static void stream_resume(struct socket_owner *owner)
{
	struct guest_socket *s = container_of(owner, struct guest_socket, owner);

	if (s->is_listener) {
		guest_stream_accept(s);
		return;
	}
	pump(s);
}

const struct socket_owner_ops guest_stream_ops = {
	.event = stream_event,
	.resume = stream_resume,
};

bool guest_stream_attach(struct guest_socket *s, int fd_take)
{
	if (!s->connected || loop_add(s->session->network->loop, &s->source, fd_take, EVENTS) < 0) {
		close(fd_take);
		return false;
	}
	s->read_size = READ_LEAST;
	s->can_write = true;
	/* Not at once: this is one message of several, and the end may have been closed. */
	socket_owner_resume(&s->owner);
	return true;
}

void guest_stream_shut(struct guest_socket *s, bool has_mark, bool is_both)
{
	s->is_shut = has_mark;
	s->is_both = is_both;
	if (is_both)
		reeve_tcp_deafen(s->tcp);
}

void guest_stream_closed(struct guest_socket *s)
{
	s->is_both = s->left_nothing = false; /* what was read before was not behind the close */
	s->hung_up = s->can_read = s->read_on = true;
	socket_owner_resume(&s->owner);
}
