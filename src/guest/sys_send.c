/* sendto(2), sendmsg(2) and sendmmsg(2): datagrams with a name go to the network process. */
#include "guest/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int read_target(const struct call *c, const struct message *m, struct name *ret)
{
	const struct msghdr *h = &m->memory.header;
	const struct guest_socket *socket = c->socket;

	if (!h->msg_name || h->msg_namelen == 0) {
		*ret = (struct name){ .family = socket->family, .socket = socket->remote };
		return socket->state == SOCKET_CONNECTED ? 0 : -EDESTADDRREQ;
	}
	const int r =
		name_read(c, (uint64_t)(uintptr_t)h->msg_name, h->msg_namelen, socket->family, ret);

	if (r < 0)
		return r;
	if (ret->family == AF_UNSPEC)
		return -EAFNOSUPPORT;
	if (socket->family == AF_INET6 && ret->family == AF_INET &&
	    socket_option(&socket->options, IPPROTO_IPV6, IPV6_V6ONLY))
		return -ENETUNREACH;
	name_make_destination(&ret->socket);
	if (ret->socket.port == 0)
		return -EINVAL;
	return reeve_address_is_broadcast(&ret->socket.address) &&
			       !socket_option(&socket->options, SOL_SOCKET, SO_BROADCAST)
		       ? -EACCES
		       : 0;
}

struct datagram {
	struct guest_message message;
	struct message_control control;
};

static void set_for_one(struct supervisor *s, const struct guest_socket *socket, int setting,
			int32_t value)
{
	struct guest_message m = peer_message(socket, GUEST_SET, -1);

	m.value = setting;
	m.value2 = value;
	channel_send(s, &m, NULL, -1);
}

/* What control data want for this datagram is set before it, and set back behind it: messages are
 * handled in the order of sending. */
static void set_around(struct supervisor *s, const struct guest_socket *socket,
		       const struct message_control *control, bool back)
{
	const bool v6 = socket->family == AF_INET6;
	const struct socket_options *o = &socket->options;

	if (control->ttl >= 0)
		set_for_one(s, socket, REEVE_UDP_TTL,
			    !back ? control->ttl
			    : v6  ? socket_option(o, IPPROTO_IPV6, IPV6_UNICAST_HOPS)
				  : socket_option(o, IPPROTO_IP, IP_TTL));
	if (control->tos >= 0)
		set_for_one(s, socket, REEVE_UDP_TOS,
			    !back ? control->tos
			    : v6  ? socket_option(o, IPPROTO_IPV6, IPV6_TCLASS)
				  : socket_option(o, IPPROTO_IP, IP_TOS));
}

/* Prepares the message and gathers its data in the scratch memory. */
static int prepare(struct supervisor *s, struct call *c, const struct message *m,
		   struct datagram *ret)
{
	struct guest_socket *socket = c->socket;
	struct name name = { 0 };

	if (socket->error) {
		const int error = socket->error;

		socket->error = 0;
		return -error;
	}
	if (s->channel.is_lost)
		return -ENETDOWN;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->memory.total > REEVE_UDP_MAX)
		return -EMSGSIZE;
	ret->message = peer_message(socket, GUEST_SEND, -1);
	int r = read_target(c, m, &name);

	if (r == 0)
		r = message_read_control(c, m, &ret->control);
	if (r < 0)
		return r;
	const int64_t n = memory_gather(c->trapped.tid, &m->memory, s->scratch, GUEST_DATA_MAX);

	if (n < 0)
		return (int)n;
	ret->message.local = ret->control.local;
	ret->message.remote = name.socket;
	ret->message.data_length = (uint32_t)n;
	return 0;
}

static void send_datagram(struct supervisor *s, struct call *c, const struct message *m)
{
	struct datagram out = { 0 };
	const int r = prepare(s, c, m, &out);

	if (r < 0) {
		(void)call_answer(s, c, r);
		return;
	}
	c->progress = out.message.data_length;
	peer_tell_options(s, c->socket);
	set_around(s, c->socket, &out.control, false);
	c->request = channel_request(s, &out.message, s->scratch, sent);
	set_around(s, c->socket, &out.control, true);
	if (!c->request) {
		(void)call_answer(s, c, -ENOBUFS);
		return;
	}
	c->request->call = c;
	peer_attach(s, c->socket);
	call_keep(s, c, NULL, -1);
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

static bool is_native(const struct guest_socket *socket, const struct message *m)
{
	const struct msghdr *h = &m->memory.header;

	return socket->kind == SOCKET_UDP && socket->state == SOCKET_CONNECTED && !h->msg_name &&
	       !h->msg_controllen && !socket->error;
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
	if (is_native(socket, &m))
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

static int send_next(struct supervisor *s, struct call *c, uint64_t at, bool is_last)
{
	struct datagram out = { 0 };
	struct message m;
	int r = message_read_header(c, at, call_int(c, 3), &m);

	if (r < 0)
		return r;
	r = prepare(s, c, &m, &out);
	message_deinit(&m);
	if (r == 0)
		r = memory_write(c->trapped.tid, at + offsetof(struct mmsghdr, msg_len),
				 &out.message.data_length, sizeof(out.message.data_length));
	if (r < 0)
		return r;
	set_around(s, c->socket, &out.control, false);
	if (is_last)
		c->request = channel_request(s, &out.message, s->scratch, sent);
	else
		channel_send(s, &out.message, s->scratch, -1);
	set_around(s, c->socket, &out.control, true);
	if (!is_last)
		return 0;
	if (!c->request)
		return -ENOBUFS;
	c->request->call = c;
	return 0;
}

/* Only the last one's answer is waited for; it says how all have fared as far as anybody may know. */
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
		r = send_next(s, c, c->trapped.arguments[1] + i * sizeof(struct mmsghdr),
			      i + 1 == count);
		if (r == 0)
			i++;
		if (i == 1)
			peer_attach(s, socket);
	}
	c->progress = i;
	if (c->request)
		call_keep(s, c, NULL, -1);
	else
		(void)call_answer(s, c, i ? (int64_t)i : r);
}
