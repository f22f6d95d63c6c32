/* What a supervisor asks for, message by message (guest/protocol.h). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "network/guest_private.h"
#include "network/log.h"

#define BACKLOG_MAX 4096 /* Linux's net.core.somaxconn */

static void refuse(struct guest_call *call, int error, const char *text)
{
	const struct guest_message m = { .type = GUEST_REFUSED, .error = error };

	guest_send(call->session, &m, text, strnlen(text, GUEST_ERROR_TEXT - 1) + 1);
	guest_session_end(call->session, "is refused");
}

static bool hello_is_whole(const struct guest_hello *h)
{
	return memchr(h->host, 0, sizeof(h->host)) && memchr(h->command, 0, sizeof(h->command)) &&
	       h->grant.count <= PORT_GRANT_MAX;
}

static bool wants_address(const struct guest_hello *h)
{
	return !reeve_address_equal(&h->address, &reeve_any_ipv6) &&
	       !reeve_address_equal(&h->address, &reeve_any_ipv4);
}

static int failure_errno(enum host_failure failure)
{
	switch (failure) {
	case HOST_OK:
		return 0;
	case HOST_NAME_INVALID:
	case HOST_ADDRESS_INVALID:
		return EINVAL;
	case HOST_NAME_TAKEN:
		return EEXIST;
	case HOST_ADDRESS_TAKEN:
		return EADDRINUSE;
	case HOST_NETWORK_FULL:
		return ENOSPC;
	case HOST_NO_MEMORY:
		return ENOMEM;
	}
	return EINVAL;
}

static void failure_text(enum host_failure failure, const struct guest_hello *h,
			 char text[GUEST_ERROR_TEXT])
{
	char address[REEVE_ADDRESS_TEXT];
	const char *fault;

	reeve_address_format(&h->address, address);
	switch (failure) {
	case HOST_NAME_INVALID:
		fault = host_name_fault(h->host);
		snprintf(text, GUEST_ERROR_TEXT, "'%s' is no host's name: %s", h->host,
			 fault ? fault : "");
		return;
	case HOST_ADDRESS_INVALID:
		fault = host_address_fault(&h->address);
		snprintf(text, GUEST_ERROR_TEXT, "no host can have the address %s: %s", address,
			 fault ? fault : "");
		return;
	case HOST_ADDRESS_TAKEN:
		snprintf(text, GUEST_ERROR_TEXT, "another host has the address %s", address);
		return;
	case HOST_NETWORK_FULL:
		snprintf(text, GUEST_ERROR_TEXT, "the network is full: it has %d hosts",
			 NETWORK_MAX_HOSTS);
		return;
	case HOST_NAME_TAKEN:
	case HOST_NO_MEMORY:
	case HOST_OK:
		snprintf(text, GUEST_ERROR_TEXT, "host '%s': out of memory", h->host);
		return;
	}
}

/* The host that is asked for, made if there is none. NULL and answered. */
static struct network_host *find_host(struct guest_call *call, const struct guest_hello *h)
{
	struct network *n = call->session->network;
	struct network_host *host = host_by_name(n, h->host);
	char text[GUEST_ERROR_TEXT], has[REEVE_ADDRESS_TEXT], asked[REEVE_ADDRESS_TEXT];
	enum host_failure failure;

	if (host && host == host_gateway(n)) {
		refuse(call, EACCES, "no program runs on the network's own gateway");
		return NULL;
	}
	if (host && wants_address(h) && !reeve_address_equal(&host->address, &h->address)) {
		snprintf(text, sizeof(text), "host '%s' has the address %s, not %s", host->name,
			 reeve_address_format(&host->address, has),
			 reeve_address_format(&h->address, asked));
		refuse(call, EADDRNOTAVAIL, text);
		return NULL;
	}
	if (host)
		return host;
	failure = host_add(n, h->host, wants_address(h) ? &h->address : NULL, &host);
	if (failure == HOST_OK)
		return host;
	failure_text(failure, h, text);
	refuse(call, failure_errno(failure), text);
	return NULL;
}

/* Returns how many. */
static unsigned list_interfaces(const struct network_host *host,
				struct guest_interface ret[GUEST_INTERFACES_MAX])
{
	struct reeve_iface_info info;
	unsigned count = 0;

	memset(ret, 0, GUEST_INTERFACES_MAX * sizeof(ret[0]));
	while (count < GUEST_INTERFACES_MAX && reeve_host_iface(host->stack, count, &info) == 0) {
		struct guest_interface *i = &ret[count];
		unsigned n = 0;

		memcpy(i->name, info.name, sizeof(i->name));
		memcpy(i->mac, info.mac, sizeof(i->mac));
		i->index = count + 1; /* Linux counts from 1 */
		i->mtu = info.mtu;
		i->up = info.up;
		i->loopback = count == 0;
		i->rx_packets = info.rx_packets;
		i->rx_bytes = info.rx_bytes;
		i->tx_packets = info.tx_packets;
		i->tx_bytes = info.tx_bytes;
		while (n < array_length(i->addresses) &&
		       reeve_host_address(host->stack, count, n, &i->addresses[n]) == 0)
			n++;
		i->address_count = n;
		count++;
	}
	return count;
}

static void welcome(struct guest_session *session)
{
	const struct guest_message m = { .type = GUEST_WELCOME };
	struct guest_welcome w = {
		.version = GUEST_PROTOCOL_VERSION,
		.pid = (uint32_t)getpid(),
		.address = session->host->address,
		.prefix_length = NETWORK_PREFIX_LENGTH,
		.gateway = reeve_address_from_ipv4(NETWORK_GATEWAY),
	};

	w.interface_count = list_interfaces(session->host, w.interfaces);
	snprintf(w.host, sizeof(w.host), "%s", session->host->name);
	guest_send(session, &m, &w, sizeof(w));
}

static void hello(struct guest_call *call)
{
	struct guest_session *session = call->session;
	struct guest_hello h;
	char text[GUEST_ERROR_TEXT];

	if (call->message->data_length != sizeof(h)) {
		refuse(call, EPROTO, "the network process is of another version of reeve");
		return;
	}
	memcpy(&h, call->data, sizeof(h));
	if (h.version != GUEST_PROTOCOL_VERSION || !hello_is_whole(&h)) {
		snprintf(text, sizeof(text),
			 "the network process speaks version %d of the protocol, not %u",
			 GUEST_PROTOCOL_VERSION, h.version);
		refuse(call, EPROTO, text);
		return;
	}
	if (session->network->ending) {
		refuse(call, ESHUTDOWN, "the network is going down");
		return;
	}
	session->host = find_host(call, &h);
	if (!session->host)
		return;
	host_hold(session->host);
	session->host->programs++;
	session->supervisor = (pid_t)h.supervisor_pid;
	session->program = (pid_t)h.program_pid;
	session->actor = (struct port_actor){ .is_owner = h.uid == geteuid(), .grant = h.grant };
	session->is_direct = h.is_direct;
	guest_direct_init(session);
	memcpy(session->command, h.command, sizeof(session->command));
	tree_add(&session->members, (pid_t)h.program_pid);
	if (call->fd >= 0 &&
	    loop_add(session->network->loop, &session->death, call->fd, EPOLLIN) == 0)
		call->fd = -1;
	welcome(session);
}

static void do_bind(struct guest_call *call)
{
	struct guest_session *session = call->session;
	struct guest_message values = { .local = call->message->local };
	struct guest_socket *s;
	int r = port_policy_may_bind(session->host->well_known, &session->actor,
				     call->message->local.port);

	if (r < 0) {
		guest_answer(call, r, NULL);
		return;
	}
	s = guest_socket_get(call);
	if (!s)
		r = -ENOBUFS;
	else if (s->udp)
		r = reeve_udp_bind(s->udp, &values.local);
	else
		r = reeve_tcp_bind(s->tcp, &values.local);
	guest_answer(call, r, &values);
}

static void do_listen(struct guest_call *call)
{
	const int64_t wanted = call->message->value;
	struct guest_socket *s = guest_socket_get(call);
	struct guest_message values = { 0 };
	int r = !s ? -ENOBUFS : !s->tcp ? -EOPNOTSUPP : 0;

	if (r == 0) {
		s->backlog = wanted < 0 || wanted > BACKLOG_MAX ? BACKLOG_MAX : (uint32_t)wanted;
		r = reeve_tcp_listen(s->tcp, s->backlog);
	}
	if (r == 0) {
		s->is_listener = true;
		s->owner.pid = call->message->pid;
		guest_socket_name(s, &values);
		guest_direct_changed(call->session->host);
	}
	guest_answer(call, r, &values);
	if (r == 0 && !call->session->gone)
		guest_stream_accept(s); /* a longer backlog may let more in */
}

static void do_open(struct guest_call *call)
{
	struct guest_socket *s = guest_socket_find(call->session, call->message->socket);
	const char *path = (const char *)call->data;
	const size_t length = call->message->data_length;

	if (!s || !s->is_listener || s->path || length == 0 || path[length - 1] != '\0')
		return;
	s->path = strndup(path, length);
	guest_direct_changed(s->session->host);
	guest_stream_accept(s);
}

static void connect_stream(struct guest_call *call, struct guest_socket *s)
{
	const int r = reeve_tcp_connect(s->tcp, &call->message->remote,
					network_now(call->session->network));

	if (r < 0) {
		guest_answer(call, r, NULL);
		return;
	}
	s->connecting = true;
	s->connect_request = call->message->request;
	guest_listener_look(s);
}

static void connect_datagram(struct guest_call *call, struct guest_socket *s)
{
	const struct reeve_sockaddr *to = &call->message->remote;
	const bool disconnect = to->port == 0 && reeve_address_is_unspecified(&to->address);
	struct guest_message values = { 0 };
	const int r = reeve_udp_connect(s->udp, disconnect ? NULL : to);

	if (r == 0)
		guest_socket_name(s, &values);
	guest_answer(call, r, &values);
}

static void do_connect(struct guest_call *call)
{
	struct guest_socket *s = guest_socket_get(call);

	if (!s)
		guest_answer(call, -ENOBUFS, NULL);
	else if (s->udp)
		connect_datagram(call, s);
	else
		connect_stream(call, s);
}

/* The end did not come along: this process has no descriptor for it any more. */
static void lose(struct guest_socket *s)
{
	const struct guest_message m = {
		.type = s->tcp ? GUEST_RESET : GUEST_CLOSED,
		.socket = s->number,
		.error = s->tcp ? ENFILE : 0,
	};

	log_line("no descriptor left for a socket of '%s'", s->session->command);
	reeve_tcp_abort(s->tcp);
	reeve_udp_close(s->udp);
	guest_socket_drop(s);
	guest_send(s->session, &m, NULL, 0);
}

static void attach(struct guest_call *call)
{
	struct guest_socket *s = guest_socket_find(call->session, call->message->socket);
	const int fd = call->fd;

	if (!s || s->source.fd >= 0)
		return;
	if (fd < 0) {
		lose(s);
		return;
	}
	call->fd = -1;
	if (s->udp)
		guest_datagram_attach(s, fd);
	else if (!guest_stream_attach(s, fd))
		lose(s);
}

static void accepted(struct guest_call *call)
{
	struct guest_socket *s = guest_socket_find(call->session, call->message->socket);

	if (!s || !s->tcp)
		return;
	s->owner.pid = call->message->pid;
	guest_stream_accepted(s);
}

static void name(struct guest_call *call)
{
	struct guest_socket *s = guest_socket_get(call);
	struct guest_message values = { 0 };
	int r = -ENOBUFS;

	if (s) {
		r = s->udp ? reeve_udp_local(s->udp, &values.local)
			   : reeve_tcp_local(s->tcp, &values.local);
		guest_socket_name(s, &values);
	}
	guest_answer(call, r, &values);
}

static int set_value(struct guest_socket *s, int64_t setting, int64_t value)
{
	if (setting == GUEST_SETTING_LINGER) {
		s->reset_on_close = value == 0;
		return 0;
	}
	if (setting < 0)
		return -ENOPROTOOPT;
	if (s->udp)
		return setting < REEVE_UDP_OPTION_COUNT
			       ? reeve_udp_set(s->udp, (enum reeve_udp_option)setting, value)
			       : -ENOPROTOOPT;
	return setting < REEVE_TCP_OPTION_COUNT
		       ? reeve_tcp_set(s->tcp, (enum reeve_tcp_option)setting, value)
		       : -ENOPROTOOPT;
}

static void set(struct guest_call *call)
{
	struct guest_socket *s = guest_socket_get(call);

	guest_answer(call, s ? set_value(s, call->message->value, call->message->value2) : -ENOBUFS,
		     NULL);
	if (s && s->is_listener)
		guest_direct_changed(call->session->host);
}

static int64_t not_yet_sent(const struct reeve_tcp *tcp)
{
	struct reeve_tcp_info info;

	reeve_tcp_info(tcp, &info);
	return info.bytes_not_sent;
}

static int get_value(const struct guest_socket *s, int64_t setting, int64_t *ret)
{
	if (setting == GUEST_SETTING_LINGER)
		*ret = s->reset_on_close ? 0 : -1;
	else if (setting == GUEST_SETTING_UNSENT)
		*ret = s->tcp ? (int64_t)reeve_tcp_unsent(s->tcp) : 0;
	else if (setting == GUEST_SETTING_NOT_YET_SENT)
		*ret = s->tcp ? not_yet_sent(s->tcp) : 0;
	else if (setting == GUEST_SETTING_ERROR)
		*ret = s->tcp ? reeve_tcp_error(s->tcp) : reeve_udp_error(s->udp);
	else if (s->tcp && setting >= 0 && setting < REEVE_TCP_OPTION_COUNT)
		*ret = reeve_tcp_get(s->tcp, (enum reeve_tcp_option)setting);
	else if (s->udp && setting >= 0 && setting < REEVE_UDP_OPTION_COUNT)
		*ret = reeve_udp_get(s->udp, (enum reeve_udp_option)setting);
	else
		return -ENOPROTOOPT;
	return 0;
}

static void get(struct guest_call *call)
{
	struct guest_socket *s = guest_socket_get(call);
	struct guest_message values = { 0 };
	struct reeve_tcp_info info;
	int r = -ENOBUFS;

	if (s && s->tcp && call->message->value == GUEST_SETTING_TCP_INFO) {
		reeve_tcp_info(s->tcp, &info);
		info.congestion_control = NULL; /* a pointer of this process */
		info.accept_queue += s->pending;
		guest_answer_data(call, &info, sizeof(info));
		return;
	}
	if (s)
		r = get_value(s, call->message->value, &values.value2);
	guest_answer(call, r, &values);
}

static bool is_named(const struct reeve_sockaddr *name)
{
	return name->port != 0 || !reeve_address_is_unspecified(&name->address);
}

static int send_chained(struct guest_socket *s, unsigned flags,
			const struct reeve_udp_message *message, const struct iovec *iov)
{
	if (flags & GUEST_SENDING_FIRST)
		s->chain_sent = 0;
	if (flags & GUEST_SENDING_FIRST)
		s->chain_error = 0;
	if (s->chain_error)
		return s->chain_error;
	s->chain_error = reeve_udp_send_message(s->udp, message, iov, 1);
	s->chain_sent += s->chain_error == 0;
	return s->chain_error;
}

static void do_send(struct guest_call *call)
{
	const struct guest_message *m = call->message;
	struct guest_socket *s = guest_socket_get(call);
	struct guest_sending sending;
	union {
		const uint8_t *in;
		void *out;
	} data = { .in = call->data }; /* is copied */
	struct iovec iov = { data.out, m->data_length };
	int r = !s ? -ENOBUFS : !s->udp ? -EISCONN : 0;

	memcpy(&sending, &m->value2, sizeof(sending));
	const struct reeve_udp_message message = {
		.to = is_named(&m->remote) ? &m->remote : NULL,
		.from = is_named(&m->local) ? &m->local : NULL,
		.out = sending.out,
		.ttl = (int16_t)(sending.ttl - 1),
		.tos = (int16_t)(sending.tos - 1),
		.dont_route = sending.flags & GUEST_SENDING_DONT_ROUTE,
		.more = sending.flags & GUEST_SENDING_MORE,
	};

	if (r == 0 && sending.flags & GUEST_SENDING_CHAINED)
		r = send_chained(s, sending.flags, &message, &iov);
	else if (r == 0)
		r = reeve_udp_send_message(s->udp, &message, &iov, 1);
	/* As on Linux, inside a network it is there when the call returns. */
	guest_answer_settled(call, r, NULL);
}

static void sent(struct guest_call *call)
{
	const struct guest_socket *s = guest_socket_find(call->session, call->message->socket);
	const struct guest_message values = { .value2 = s ? s->chain_sent : 0 };

	guest_answer_settled(call, s ? s->chain_error : -EBADF, &values);
}

static void member(struct guest_call *call)
{
	const struct guest_message *m = call->message;
	struct guest_socket *s = guest_socket_get(call);
	int r = !s ? -ENOBUFS : !s->udp ? -EINVAL : 0;

	if (r == 0 && (m->value < 0 || m->value > REEVE_UDP_UNBLOCK_SOURCE || m->value2 < 0))
		r = -EINVAL;
	if (r == 0)
		r = reeve_udp_member(s->udp, (enum reeve_udp_membership)m->value,
				     &m->remote.address, &m->local.address, (unsigned)m->value2);
	guest_answer(call, r, NULL);
}

static void poke(const struct guest_call *call)
{
	struct guest_socket *s = guest_socket_find(call->session, call->message->socket);

	if (s && s->udp)
		guest_datagram_poke(s);
}

static void shut(struct guest_call *call)
{
	struct guest_socket *s = guest_socket_find(call->session, call->message->socket);

	if (s && s->tcp && s->source.fd >= 0)
		guest_stream_shut(s, call->message->value, call->message->value2);
}

static void do_close(struct guest_call *call)
{
	struct guest_socket *s = guest_socket_find(call->session, call->message->socket);

	if (!s)
		return;
	if (s->is_both && call->message->type == GUEST_CLOSE) {
		guest_stream_closed(s);
		return;
	}
	if (s->udp)
		guest_datagram_catch_up(s);
	if (s->reset_on_close || call->message->type == GUEST_ABORT)
		reeve_tcp_abort(s->tcp);
	else
		reeve_tcp_close(s->tcp);
	reeve_udp_close(s->udp);
	guest_socket_drop(s);
}

static void interfaces(struct guest_call *call)
{
	struct guest_interface list[GUEST_INTERFACES_MAX];
	const unsigned count = list_interfaces(call->session->host, list);

	guest_answer_data(call, list, count * sizeof(list[0]));
}

static void dispatch(struct guest_call *call)
{
	switch ((enum guest_message_type)call->message->type) {
	case GUEST_BIND:
		return do_bind(call);
	case GUEST_LISTEN:
		return do_listen(call);
	case GUEST_OPEN:
		return do_open(call);
	case GUEST_CONNECT:
		return do_connect(call);
	case GUEST_ATTACH:
		return attach(call);
	case GUEST_ACCEPTED:
		return accepted(call);
	case GUEST_NAME:
		return name(call);
	case GUEST_SET:
		return set(call);
	case GUEST_GET:
		return get(call);
	case GUEST_SEND:
		return do_send(call);
	case GUEST_SENT:
		return sent(call);
	case GUEST_MEMBER:
		return member(call);
	case GUEST_SHUT:
		return shut(call);
	case GUEST_POKE:
		return poke(call);
	case GUEST_CLOSE:
	case GUEST_ABORT:
		return do_close(call);
	case GUEST_FIND:
		return guest_direct_find(call);
	case GUEST_RETURN:
		return guest_direct_return(call);
	case GUEST_VOUCH:
		return guest_direct_vouch(call);
	case GUEST_JOINED:
		return guest_direct_joined(call);
	case GUEST_LOOKED:
		return guest_looked(call->session, (uint64_t)call->message->value);
	case GUEST_INTERFACES:
		return interfaces(call);
	case GUEST_SYNC:
		return guest_answer(call, 0, NULL);
	case GUEST_DONE:
		call->session->is_done = true;
		return;
	case GUEST_HELLO:
	case GUEST_ANSWER:
	case GUEST_WELCOME:
	case GUEST_REFUSED:
	case GUEST_INCOMING_CONNECTION:
	case GUEST_STALE:
	case GUEST_FORGET:
	case GUEST_LOOK:
	case GUEST_RESET:
	case GUEST_CLOSED:
	case GUEST_DATAGRAM:
	case GUEST_PROBLEM:
	case GUEST_SOCKET_ERROR:
		break;
	}
	guest_session_end(call->session, "speaks another protocol");
}

void guest_handle(struct guest_call *call)
{
	struct guest_session *session = call->session;

	if (session->refusal) {
		refuse(call, EACCES, session->refusal);
		return;
	}
	if (!session->host) {
		if (call->message->type == GUEST_HELLO)
			hello(call);
		else
			guest_session_end(session, "speaks another protocol");
		return;
	}
	if (call->message->pid)
		tree_add(&session->members, (pid_t)call->message->pid);
	dispatch(call);
	if (session->host)
		host_activate(session->host);
}
