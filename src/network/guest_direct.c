/*
 * Two programs of one host joined directly, where both were started so (`--loopback=direct`): their
 * AF_UNIX sockets are connected to each other by the supervisor of the one that connects, and no byte
 * and no word comes by here.
 *
 * The ports are this process's all the same. It says which listener a connect() would reach, where that
 * is beyond doubt, and says so again when a listener comes or goes; and it leases a supervisor ports for
 * the connecting ends. A leased port is a bound socket of the stack's. It has SO_REUSEADDR, so that a
 * server that has it too gets the port.
 *
 * A connection that lasts is told, and is a name in listings.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/guest_private.h"

/* Supervisors that have ended, for what they have joined may not be accepted yet: as many as the queue
 * of a listener can be of. */
#define PAST_MAX 4096

#define LEASES_MAX 4096 /* a session: of the 28,232 that all clients of a host share */

struct lease {
	struct list node;
	struct reeve_tcp *tcp;
	uint16_t port;
};

static void nothing(struct socket_owner *owner)
{
	(void)owner;
}

static void no_event(struct socket_owner *owner, const struct reeve_event *event)
{
	(void)owner;
	(void)event;
}

static const struct socket_owner_ops quiet_ops = { .event = no_event, .resume = nothing };

void guest_direct_init(struct guest_session *session)
{
	for (unsigned i = 0; i < LEASE_BUCKETS; i++)
		list_init(&session->leases[i]);
	socket_owner_init(&session->lessor, &quiet_ops, session->host);
}

static void end_lease(struct guest_session *session, struct lease *lease)
{
	list_remove(&lease->node);
	reeve_tcp_close(lease->tcp);
	free(lease);
	session->lease_count--;
	session->host->own_sockets--;
}

void guest_direct_deinit(struct guest_session *session)
{
	for (unsigned i = 0; i < LEASE_BUCKETS; i++)
		list_for_each_safe(node, &session->leases[i])
			end_lease(session, list_entry(node, struct lease, node));
	socket_owner_deinit(&session->lessor);
}

/* Returns the port, or 0. */
static uint16_t lease(struct guest_session *session)
{
	const struct reeve_sockaddr any = { .address = reeve_any_ipv6 };
	struct lease *l = calloc(1, sizeof(*l));
	struct reeve_sockaddr name = { 0 };

	if (!l)
		return 0;
	l->tcp = reeve_tcp_new(session->host->stack, REEVE_IPV6, &session->lessor);
	if (!l->tcp) {
		free(l);
		return 0;
	}
	list_init(&l->node);
	session->lease_count++;
	session->host->own_sockets++;
	if (reeve_tcp_bind(l->tcp, &any) < 0 || reeve_tcp_local(l->tcp, &name) < 0) {
		end_lease(session, l);
		return 0;
	}
	/* Not before, or it might share its port with another. */
	reeve_tcp_set(l->tcp, REEVE_TCP_REUSE_ADDRESS, 1);
	l->port = name.port;
	list_append(&session->leases[l->port % LEASE_BUCKETS], &l->node);
	return l->port;
}

static struct lease *find_lease(struct guest_session *session, uint16_t port)
{
	list_for_each(node, &session->leases[port % LEASE_BUCKETS]) {
		struct lease *l = list_entry(node, struct lease, node);

		if (l->port == port)
			return l;
	}
	return NULL;
}

void guest_direct_return(struct guest_call *call)
{
	uint16_t port;

	for (size_t at = 0; at + sizeof(port) <= call->message->data_length; at += sizeof(port)) {
		memcpy(&port, call->data + at, sizeof(port));
		struct lease *l = find_lease(call->session, port);

		if (l)
			end_lease(call->session, l);
	}
}

/* As Linux chooses it for a socket that connects there. */
static bool find_source(const struct network_host *host, const struct reeve_sockaddr *to,
			struct reeve_address *ret)
{
	struct reeve_udp *probe = reeve_udp_new(host->stack, REEVE_IPV6, NULL);
	struct reeve_sockaddr name;
	bool is_found;

	if (!probe)
		return false;
	is_found = reeve_udp_connect(probe, to) == 0 && reeve_udp_local(probe, &name) == 0;
	reeve_udp_close(probe);
	if (is_found)
		*ret = name.address;
	return is_found;
}

/* The listener that whoever connects there reaches, or NULL: none, one of several, or one that wants
 * more than to be joined. */
static struct guest_socket *find(const struct network_host *host, const struct reeve_sockaddr *to)
{
	const struct reeve_sockaddr from = { .address = to->address };
	struct guest_socket *s;

	if (!reeve_address_is_loopback(&to->address) &&
	    !reeve_address_equal(&to->address, &host->address))
		return NULL;
	s = guest_listener_find(host, to, &from);
	return s && s->session->is_direct && s->path && strlen(s->path) < GUEST_FILE &&
			       reeve_tcp_get(s->tcp, REEVE_TCP_REUSE_PORT) == 0 &&
			       reeve_tcp_get(s->tcp, REEVE_TCP_DEFER_ACCEPT_S) == 0
		       ? s
		       : NULL;
}

void guest_direct_find(struct guest_call *call)
{
	struct guest_session *session = call->session;
	const struct guest_message *m = call->message;
	struct guest_found found = { .wanted = (uint32_t)m->value };
	const struct guest_socket *listener =
		session->is_direct ? find(session->host, &m->remote) : NULL;
	uint16_t port;

	session->has_found = true;
	if (!listener || !find_source(session->host, &m->remote, &found.source)) {
		guest_answer(call, -ENOENT, NULL);
		return;
	}
	while (found.count < m->value && found.count < GUEST_PORTS_MAX &&
	       session->lease_count < LEASES_MAX && (port = lease(session)))
		found.ports[found.count++] = port;
	snprintf(found.file, sizeof(found.file), "%s", listener->path);
	guest_answer_data(call, &found, sizeof(found));
}

static struct guest_session *find_misled(const struct guest_server *server)
{
	list_for_each(node, &server->sessions) {
		struct guest_session *session = list_entry(node, struct guest_session, node);

		if (session->has_found && session->host->has_changed)
			return session;
	}
	return NULL;
}

/* Each time from the first, as one that can't be told ends. */
static void tell_changes(struct loop_timer *timer)
{
	struct guest_server *server = container_of(timer, struct guest_server, changed_timer);
	const struct guest_message m = { .type = GUEST_FORGET };
	struct guest_session *session;

	while ((session = find_misled(server))) {
		session->has_found = false;
		guest_send(session, &m, NULL, 0);
	}
	for (struct network_host *host = host_first(server->network); host; host = host_next(host))
		host->has_changed = false;
}

/* Later, and not in the midst of whatever ends a listener. Until then a connection may be joined to one
 * that is still there, or go the ordinary way. */
void guest_direct_changed(struct network_host *host)
{
	struct network *n = host->station.network;

	if (host->has_changed)
		return;
	host->has_changed = true;
	loop_timer_arm(n->loop, &n->guests->changed_timer, network_now(n));
}

void guest_direct_start(struct guest_server *server)
{
	loop_timer_init(&server->changed_timer, tell_changes);
}

void guest_direct_stop(struct guest_server *server)
{
	loop_timer_disarm(server->network->loop, &server->changed_timer);
}

void guest_direct_remember(const struct guest_session *session)
{
	struct network_host *host = session->host;

	if (!session->is_direct)
		return;
	if (!host->past)
		host->past = calloc(PAST_MAX, sizeof(host->past[0]));
	if (host->past)
		host->past[host->past_count++ % PAST_MAX] = session->supervisor;
}

static bool is_supervisor(const struct guest_session *of, pid_t pid)
{
	const struct network_host *host = of->host;

	list_for_each(node, &of->server->sessions) {
		const struct guest_session *s = list_entry(node, struct guest_session, node);

		if (s->is_direct && s->host == host && s->supervisor == pid)
			return true;
	}
	for (uint32_t i = 0; host->past && i < PAST_MAX; i++)
		if (host->past[i] == pid)
			return true;
	return false;
}

void guest_direct_vouch(struct guest_call *call)
{
	const pid_t pid = (pid_t)call->message->value;

	/* 0 is a process that nobody can name. */
	guest_answer(call, pid > 0 && is_supervisor(call->session, pid) ? 0 : -EPERM, NULL);
}

void guest_direct_joined(struct guest_call *call)
{
	struct guest_session *session = call->session;
	const struct guest_message *m = call->message;
	struct guest_socket *s = NULL;

	if (session->is_direct && !(m->socket & GUEST_INCOMING) &&
	    !guest_socket_find(session, m->socket))
		s = guest_socket_add(session, m->socket);
	if (!s)
		return;
	socket_owner_init(&s->owner, &quiet_ops, session->host);
	s->owner.program = session->command;
	s->owner.pid = m->pid;
	s->is_direct = true;
	s->local = m->local;
	s->remote = m->remote;
	list_append(&session->host->direct, &s->direct);
	session->host->direct_count++;
}

void guest_direct_left(struct guest_socket *s)
{
	if (!s->is_direct)
		return;
	list_remove(&s->direct);
	s->session->host->direct_count--;
}

const struct guest_socket *guest_next_direct(const struct network_host *host,
					     const struct guest_socket *after,
					     struct reeve_socket_info *ret)
{
	struct list *const node = after ? after->direct.next : host->direct.next;
	struct guest_socket *s;

	if (node == &host->direct)
		return NULL;
	s = list_entry(node, struct guest_socket, direct);
	*ret = (struct reeve_socket_info){
		.kind = REEVE_TCP,
		.state = REEVE_TCP_ESTABLISHED,
		.local = s->local,
		.remote = s->remote,
		.user = &s->owner,
	};
	return s;
}
