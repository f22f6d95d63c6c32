/* sendto(2), sendmsg(2) and sendmmsg(2): datagrams with a name go to the network process. */
#include "guest/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/control.h"
#include "guest/message.h"
#include "guest/names.h"
#include "guest/netlink.h"
#include "guest/peer.h"
#include "guest/stream.h"
#include "guest/supervisor.h"
#include "reeve/udp.h"

static void sent(struct supervisor *s, struct request *r, const struct guest_message *answer,
		 const uint8_t *data)
{
	struct guest_socket *socket = socket_by_number(&s->sockets, r->socket);

	(void)data;
	/* It has a port now, which getsockname() asks for. */
	if (socket && !socket->is_bound && answer->error == 0) {
		socket->is_bound = true;
		socket->local.address =
			socket->family == AF_INET6 ? reeve_any_ipv6 : reeve_any_ipv4;
		socket->local.port = 0;
	}
	if (r->call)
		(void)call_answer(s, r->call,
				  answer->error ? -answer->error : (int64_t)r->call->progress);
}

/* All zeroes: to where the socket is connected. */
static int read_target(const struct call *c, const struct message *m, struct name *ret)
{
	const struct msghdr *h = &m->memory.header;
	const struct guest_socket *socket = c->socket;

	/* sendmsg() takes a name without a byte for none, sendto() for a wrong one. */
	if (!h->msg_name || (m->header && h->msg_namelen == 0)) {
		*ret = (struct name){ .family = socket->family };
		return socket->state == SOCKET_CONNECTED ? 0 : -EDESTADDRREQ;
	}
	const int r =
		name_read(c, (uint64_t)(uintptr_t)h->msg_name, h->msg_namelen, socket->family, ret);

	if (r == -EAFNOSUPPORT && socket->family == AF_INET6)
		return -EINVAL;
	if (r < 0)
		return r;
	if (ret->family == AF_UNSPEC)
		return -EAFNOSUPPORT;
	if (socket->family == AF_INET6 && ret->family == AF_INET &&
	    socket_option(&socket->options, IPPROTO_IPV6, IPV6_V6ONLY))
		return -ENETUNREACH;
	name_make_destination(&ret->socket);
	return ret->socket.port == 0 && !socket->is_echo ? -EINVAL : 0;
}

/* Prepares the message and gathers its data in the scratch memory; the checks in Linux's order. */
static int prepare(struct supervisor *s, struct call *c, const struct message *m, unsigned flags,
		   struct guest_message *ret)
{
	struct guest_socket *socket = c->socket;
	struct control_sent control = { .ttl = -1, .tos = -1 };
	struct name name = { 0 };

	if (s->channel.is_lost)
		return -ENETDOWN;
	if (m->memory.total > UINT16_MAX)
		return -EMSGSIZE;
	if (m->flags & MSG_OOB && socket->family == AF_INET)
		return -EOPNOTSUPP;
	int r = read_target(c, m, &name);

	if (r == 0)
		r = control_read(c, m, &control);
	if (r < 0)
		return r;
	if (socket->error)
		return -peer_take_error(socket, c->fd);
	if (socket->is_mute)
		return m->memory.total > REEVE_UDP_MAX ? -EMSGSIZE : -EPIPE;
	const int64_t n = memory_gather(c->trapped.tid, &m->memory, s->scratch, GUEST_DATA_MAX);

	if (n < 0)
		return (int)n;
	const struct guest_sending sending = {
		.ttl = (uint16_t)(control.ttl + 1),
		.tos = (uint16_t)(control.tos + 1),
		.out = (uint16_t)control.out,
		.flags = (uint16_t)(flags |
				    (m->flags & MSG_DONTROUTE ? GUEST_SENDING_DONT_ROUTE : 0) |
				    (m->flags & MSG_MORE ? GUEST_SENDING_MORE : 0)),
	};

	socket->is_portless = false;
	*ret = peer_message(socket, GUEST_SEND, -1);
	ret->local = control.local;
	ret->remote = name.socket;
	ret->data_length = (uint32_t)n;
	memcpy(&ret->value2, &sending, sizeof(sending));
	return 0;
}

static void send_datagram(struct supervisor *s, struct call *c, const struct message *m)
{
	struct guest_message out = { 0 };
	int r = prepare(s, c, m, 0, &out);

	if (r == 0) {
		c->progress = out.data_length;
		peer_tell_options(s, c->socket);
		r = call_ask(s, c, &out, s->scratch, sent);
	}
	if (r < 0)
		(void)call_answer(s, c, r);
	else
		peer_attach(s, c->socket);
}

static int read_one(const struct call *c, struct message *ret)
{
	if (c->trapped.number == SYS_sendto)
		return message_read_plain(c, ret);
	return message_read_header(c, c->trapped.arguments[1], call_int(c, 2), ret);
}

static void send_netlink(struct supervisor *s, struct call *c, const struct message *m)
{
	const int64_t n = memory_gather(c->trapped.tid, &m->memory, s->scratch, GUEST_DATA_MAX);

	if (n > 0)
		netlink_input(s, c->socket, s->scratch, (size_t)n);
	(void)call_answer(s, c, n);
}

static bool is_native(const struct guest_socket *socket, const struct message *m, int fd)
{
	const struct msghdr *h = &m->memory.header;

	return socket->kind == SOCKET_UDP && socket->state == SOCKET_CONNECTED && !h->msg_name &&
	       !h->msg_controllen && !(m->flags & (MSG_MORE | MSG_DONTROUTE | MSG_OOB)) &&
	       m->memory.total <= REEVE_UDP_MAX && !socket->error && !socket->is_echo &&
	       !peer_error_is_on_its_way(socket, fd);
}

static void send_one(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);
	struct message m;

	if (!socket) {
		call_continue(s, c);
		return;
	}
	if (socket->kind == SOCKET_TCP) {
		stream_send(s, c);
		return;
	}
	const int r = read_one(c, &m);

	if (r < 0) {
		(void)call_answer(s, c, r);
		return;
	}
	if (is_native(socket, &m, c->fd))
		call_continue(s, c);
	else if (socket->kind == SOCKET_UDP)
		send_datagram(s, c, &m);
	else
		send_netlink(s, c, &m);
	message_deinit(&m);
}

void sys_sendto(struct supervisor *s, struct call *c)
{
	send_one(s, c);
}

void sys_sendmsg(struct supervisor *s, struct call *c)
{
	send_one(s, c);
}

static int send_next(struct supervisor *s, struct call *c, uint64_t at, bool is_first)
{
	struct guest_message out = { 0 };
	struct message m;
	int r = message_read_header(c, at, call_int(c, 3), &m);

	if (r < 0)
		return r;
	r = prepare(s, c, &m, GUEST_SENDING_CHAINED | (is_first ? GUEST_SENDING_FIRST : 0), &out);
	message_deinit(&m);
	if (r == 0)
		r = memory_write(c->trapped.tid, at + offsetof(struct mmsghdr, msg_len),
				 &out.data_length, sizeof(out.data_length));
	if (r == 0)
		channel_send(s, &out, s->scratch, -1);
	return r;
}

/* How many went out; the error of the first that did not, if it was the first of all. */
static void all_sent(struct supervisor *s, struct request *r, const struct guest_message *answer,
		     const uint8_t *data)
{
	struct guest_message first = *answer;

	if (r->call)
		r->call->progress = (uint64_t)answer->value2;
	if (answer->value2 > 0)
		first.error = 0;
	sent(s, r, &first, data);
}

void sys_sendmmsg(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);
	const uint32_t most = (uint32_t)c->trapped.arguments[2];
	const uint32_t count = most < MEMORY_VECTORS ? most : MEMORY_VECTORS;
	uint32_t i = 0;
	int r = 0;

	if (socket && socket->kind == SOCKET_TCP) {
		stream_send_many(s, c);
		return;
	}
	if (!socket || socket->kind != SOCKET_UDP) {
		call_continue(s, c);
		return;
	}
	peer_tell_options(s, socket);
	while (i < count && r == 0) {
		r = send_next(s, c, c->trapped.arguments[1] + i * sizeof(struct mmsghdr), i == 0);
		if (r == 0 && i++ == 0)
			peer_attach(s, socket);
	}
	if (i == 0) {
		(void)call_answer(s, c, r);
		return;
	}
	struct guest_message end = peer_message(socket, GUEST_SENT, -1);

	r = call_ask(s, c, &end, NULL, all_sent);
	if (r < 0)
		(void)call_answer(s, c, r);
}
