/* What is said to a supervisor: what it does not take now waits, within a limit, in order. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "network/guest_private.h"

#define MAX_OUTGOING (16u << 20) /* bytes that wait for a supervisor */

struct outgoing {
	struct outgoing *next;
	size_t length;
	int fd; /* that goes along, or -1 */
	uint8_t bytes[];
};

/* Up to three pieces of one datagram, and a descriptor that goes along. */
struct datagram {
	struct iovec iov[3];
	size_t count;
	int fd;
};

static bool put_off(struct guest_session *session, const struct datagram *d)
{
	size_t length = 0;
	struct outgoing *o = NULL;

	for (size_t i = 0; i < d->count; i++)
		length += d->iov[i].iov_len;
	if (session->outgoing_bytes + length <= MAX_OUTGOING)
		o = malloc(sizeof(*o) + length);
	if (!o) {
		guest_session_end(session, "takes no messages");
		return false;
	}
	o->next = NULL;
	/* Without a descriptor left the connection goes on without a copy: should this process be
	 * killed, the program takes that for an end. */
	o->fd = d->fd >= 0 ? fcntl(d->fd, F_DUPFD_CLOEXEC, 0) : -1;
	o->length = 0;
	for (size_t i = 0; i < d->count; i++) {
		memcpy(o->bytes + o->length, d->iov[i].iov_base, d->iov[i].iov_len);
		o->length += d->iov[i].iov_len;
	}
	*session->last = o;
	session->last = &o->next;
	session->outgoing_bytes += length;
	loop_change(session->network->loop, &session->source, EPOLLIN | EPOLLOUT);
	return true;
}

static struct outgoing *outgoing_free(struct outgoing *o)
{
	struct outgoing *next = o->next;

	if (o->fd >= 0)
		close(o->fd);
	free(o);
	return next;
}

/* 1 sent, 0 not now, -1 never. */
static int send_iov(struct guest_session *session, struct iovec *iov, size_t count, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = count };

	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	for (;;) {
		if (sendmsg(session->source.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 1;
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

/* Now, or when there is room. */
static bool pass(struct guest_session *session, struct datagram *d)
{
	const int sent = session->first ? 0 : send_iov(session, d->iov, d->count, d->fd);

	if (sent < 0)
		guest_session_end(session, "hears nothing");
	return sent > 0 || (sent == 0 && put_off(session, d));
}

/* What waits for company goes first. `m` may be NULL. */
static bool transmit(struct guest_session *session, const struct guest_message *m, const void *data,
		     size_t length, int fd)
{
	struct guest_message head = m ? *m : (struct guest_message){ 0 };
	struct parcel *parcel = &session->parcel;
	struct datagram d = { .fd = fd };
	union {
		const void *in;
		void *out;
	} body = { .in = data }; /* sendmsg() only reads it */

	if (session->gone)
		return false;
	head.data_length = (uint32_t)length;
	if (parcel->count)
		d.iov[d.count++] = (struct iovec){ parcel->messages,
						   parcel->count * sizeof(parcel->messages[0]) };
	if (m)
		d.iov[d.count++] = (struct iovec){ &head, sizeof(head) };
	if (length)
		d.iov[d.count++] = (struct iovec){ body.out, length };
	const bool good = pass(session, &d);

	parcel->count = 0;
	loop_timer_disarm(session->network->loop, &session->parcel_timer);
	return good;
}

bool guest_send(struct guest_session *session, const struct guest_message *message,
		const void *data, size_t length)
{
	return transmit(session, message, data, length, -1);
}

bool guest_send_descriptor(struct guest_session *session, const struct guest_message *message,
			   int fd)
{
	return transmit(session, message, NULL, 0, fd);
}

void guest_send_later(struct guest_session *session, const struct guest_message *message)
{
	const struct reeve_time now = network_now(session->network);

	if (session->gone)
		return;
	if (parcel_add(&session->parcel, message))
		(void)transmit(session, NULL, NULL, 0, -1);
	else if (session->parcel.count == 1)
		loop_timer_arm(session->network->loop, &session->parcel_timer,
			       reeve_time_add_ms(now, PARCEL_MS));
}

static void parcel_is_due(struct loop_timer *timer)
{
	struct guest_session *session = container_of(timer, struct guest_session, parcel_timer);

	(void)transmit(session, NULL, NULL, 0, -1);
}

static struct guest_message make_answer(const struct guest_call *call, int error,
					const struct guest_message *values)
{
	struct guest_message m = values ? *values : (struct guest_message){ 0 };

	m.type = GUEST_ANSWER;
	m.flags = 0;
	m.request = call->message->request;
	m.socket = call->message->socket;
	m.error = -error;
	return m;
}

void guest_answer(const struct guest_call *call, int error, const struct guest_message *values)
{
	const struct guest_message m = make_answer(call, error, values);

	if (m.request)
		guest_send(call->session, &m, NULL, 0);
}

static void transmit_settled(struct guest_session *session)
{
	struct parcel *parcel = &session->settled;
	struct datagram d = { .fd = -1, .count = 1 };

	d.iov[0] = (struct iovec){ parcel->messages, parcel->count * sizeof(parcel->messages[0]) };
	if (parcel->count && !session->gone)
		(void)pass(session, &d);
	parcel->count = 0;
}

/* Not with the parcel, which other messages take along before the turn is over. */
void guest_answer_settled(const struct guest_call *call, int error,
			  const struct guest_message *values)
{
	struct guest_session *session = call->session;
	const struct guest_message m = make_answer(call, error, values);

	if (m.request == 0 || session->gone)
		return;
	if (error < 0) {
		guest_send(session, &m, NULL, 0);
		return;
	}
	if (parcel_add(&session->settled, &m))
		transmit_settled(session);
	if (!session->gone && !list_is_linked(&session->answering))
		list_append(&session->server->answering, &session->answering);
}

void guest_send_settled(struct guest_server *server)
{
	for (struct list *node = list_pop(&server->answering); node;
	     node = list_pop(&server->answering))
		transmit_settled(list_entry(node, struct guest_session, answering));
}

void guest_answer_data(const struct guest_call *call, const void *data, size_t length)
{
	const struct guest_message m = make_answer(call, 0, NULL);

	if (m.request)
		guest_send(call->session, &m, data, length);
}

void guest_flush(struct guest_session *session)
{
	while (session->first && !session->gone) {
		struct outgoing *o = session->first;
		struct iovec iov = { o->bytes, o->length };
		const int sent = send_iov(session, &iov, 1, o->fd);

		if (sent == 0)
			return;
		if (sent < 0) {
			guest_session_end(session, "hears nothing");
			return;
		}
		session->first = o->next;
		if (!session->first)
			session->last = &session->first;
		session->outgoing_bytes -= o->length;
		outgoing_free(o);
	}
	if (!session->gone)
		loop_change(session->network->loop, &session->source, EPOLLIN);
}

void guest_outgoing_init(struct guest_session *session)
{
	session->last = &session->first;
	loop_timer_init(&session->parcel_timer, parcel_is_due);
}

void guest_outgoing_stop(struct guest_session *session)
{
	loop_timer_disarm(session->network->loop, &session->parcel_timer);
}

void guest_outgoing_free(struct guest_session *session)
{
	while (session->first)
		session->first = outgoing_free(session->first);
}
