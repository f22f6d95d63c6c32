#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "network/guest_private.h"

#define FIRST_BUCKETS 64u
#define MAX_SOCKETS   (1u << 20) /* a session */

/* The numbers are the supervisor's own; it can only make its own look-ups slow. */
static uint32_t bucket_of(uint64_t number, uint32_t buckets)
{
	return (uint32_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (buckets - 1);
}

static bool grow(struct guest_session *session)
{
	const uint32_t buckets = session->buckets ? 2 * session->buckets : FIRST_BUCKETS;
	struct guest_socket **table = calloc(buckets, sizeof(struct guest_socket *));

	if (!table)
		return session->buckets > 0;
	for (uint32_t i = 0; i < session->buckets; i++) {
		struct guest_socket *s = session->sockets[i];

		while (s) {
			struct guest_socket *next = s->next;
			const uint32_t b = bucket_of(s->number, buckets);

			s->next = table[b];
			table[b] = s;
			s = next;
		}
	}
	free(session->sockets);
	session->sockets = table;
	session->buckets = buckets;
	return true;
}

struct guest_socket *guest_socket_find(struct guest_session *session, uint64_t number)
{
	struct guest_socket *s;

	if (session->buckets == 0)
		return NULL;
	s = session->sockets[bucket_of(number, session->buckets)];
	while (s && s->number != number)
		s = s->next;
	return s;
}

static void attached_ready(struct loop_source *source, uint32_t events)
{
	struct guest_socket *s = container_of(source, struct guest_socket, source);

	if (events & EPOLLOUT)
		s->can_write = true;
	if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->can_read = true;
	/* Unless what it spoke of has been read since. */
	s->is_plain = (events & EPOLLIN) && !(events & EPOLLPRI) &&
		      s->read_at != loop_now(s->session->network->loop).ns;
	if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->read_on = true;
	if (events & (EPOLLHUP | EPOLLERR))
		s->hung_up = true;
	s->owner.ops->resume(&s->owner);
	host_activate(s->owner.host);
}

struct guest_socket *guest_socket_add(struct guest_session *session, uint64_t number)
{
	struct guest_socket *s;
	uint32_t b;

	if (session->count >= MAX_SOCKETS)
		return NULL;
	if (session->count >= session->buckets && !grow(session))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->session = session;
	s->number = number;
	list_init(&s->dead);
	list_init(&s->direct);
	list_init(&s->full);
	loop_source_init(&s->source, attached_ready);
	b = bucket_of(number, session->buckets);
	s->next = session->sockets[b];
	session->sockets[b] = s;
	session->count++;
	return s;
}

static int64_t flag(const struct guest_message *m, unsigned bit)
{
	return (m->flags & bit) != 0;
}

/* As the socket has them when the call is made. IPV6_ONLY is refused on a bound socket, where it
 * does not change any more. */
static void apply_flags(struct guest_socket *s, const struct guest_message *m)
{
	const bool is_setup =
		m->type == GUEST_BIND || m->type == GUEST_LISTEN || m->type == GUEST_CONNECT;

	if (!is_setup)
		return;
	if (s->udp) {
		reeve_udp_set(s->udp, REEVE_UDP_REUSE_ADDRESS, flag(m, GUEST_REUSE_ADDRESS));
		reeve_udp_set(s->udp, REEVE_UDP_REUSE_PORT, flag(m, GUEST_REUSE_PORT));
		reeve_udp_set(s->udp, REEVE_UDP_IPV6_ONLY, flag(m, GUEST_IPV6_ONLY));
		return;
	}
	reeve_tcp_set(s->tcp, REEVE_TCP_REUSE_ADDRESS, flag(m, GUEST_REUSE_ADDRESS));
	reeve_tcp_set(s->tcp, REEVE_TCP_REUSE_PORT, flag(m, GUEST_REUSE_PORT));
	reeve_tcp_set(s->tcp, REEVE_TCP_IPV6_ONLY, flag(m, GUEST_IPV6_ONLY));
}

static bool make_stack_socket(struct guest_socket *s, const struct guest_message *m)
{
	struct guest_session *session = s->session;
	struct reeve_host *stack = session->host->stack;
	const enum reeve_family family = m->flags & GUEST_IPV6 ? REEVE_IPV6 : REEVE_IPV4;

	if (m->flags & GUEST_UDP) {
		socket_owner_init(&s->owner, &guest_datagram_ops, session->host);
		s->udp = m->flags & GUEST_ECHO ? reeve_udp_new_echo(stack, &s->owner)
					       : reeve_udp_new(stack, family, &s->owner);
		if (s->udp)
			reeve_udp_set(s->udp, REEVE_UDP_OWNER, session->uid);
	} else {
		socket_owner_init(&s->owner, &guest_stream_ops, session->host);
		s->tcp = reeve_tcp_new(stack, family, &s->owner);
		if (s->tcp)
			reeve_tcp_set(s->tcp, REEVE_TCP_OWNER, session->uid);
	}
	s->owner.program = session->command;
	s->owner.pid = m->pid;
	return s->tcp || s->udp;
}

struct guest_socket *guest_socket_get(const struct guest_call *call)
{
	const struct guest_message *m = call->message;
	struct guest_socket *s = guest_socket_find(call->session, m->socket);

	if (s && s->is_direct)
		return NULL; /* nothing can be asked of a name */
	if (s) {
		if (s->udp)
			guest_datagram_catch_up(s);
		apply_flags(s, m);
		return s;
	}
	/* Those of incoming connections are ours to give. */
	if (m->socket & GUEST_INCOMING)
		return NULL;
	s = guest_socket_add(call->session, m->socket);
	if (!s)
		return NULL;
	if (!make_stack_socket(s, m)) {
		guest_socket_drop(s);
		return NULL;
	}
	apply_flags(s, m);
	return s;
}

/* One connection less waits for the program to accept it. */
static void uncount(struct guest_socket *s)
{
	struct guest_socket *listener;

	if (!s->is_pending)
		return;
	s->is_pending = false;
	listener = guest_socket_find(s->session, s->listener);
	if (listener && listener->pending > 0) {
		listener->pending--;
		socket_owner_resume(&listener->owner);
	}
}

void guest_stream_accepted(struct guest_socket *s)
{
	uncount(s);
}

void guest_socket_drop(struct guest_socket *s)
{
	struct guest_session *session = s->session;
	struct guest_socket **at = &session->sockets[bucket_of(s->number, session->buckets)];
	const int fd = s->source.fd;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	session->count--;
	uncount(s);
	guest_direct_left(s);
	reeve_tcp_abort(guest_listener_take_held(s));
	if (s->owner.host)
		socket_owner_deinit(&s->owner);
	if (fd >= 0) {
		loop_remove(session->network->loop, &s->source);
		close(fd);
	}
	free(s->path);
	s->path = NULL;
	s->tcp = NULL;
	s->udp = NULL;
	list_append(&session->server->dead, &s->dead);
	if (s->is_listener)
		guest_direct_changed(session->host);
	if (session->is_delivering && session->count == 0)
		guest_session_over(session);
}

void guest_socket_drop_all(struct guest_session *session, bool deliver)
{
	for (uint32_t i = 0; i < session->buckets; i++) {
		struct guest_socket *next;

		for (struct guest_socket *s = session->sockets[i]; s; s = next) {
			next = s->next;
			if (deliver && s->is_both)
				guest_stream_closed(s);
			if (s->udp && deliver)
				guest_datagram_catch_up(s);
			else if (deliver && s->source.fd >= 0)
				continue;
			reeve_tcp_abort(s->tcp);
			reeve_udp_close(s->udp);
			guest_socket_drop(s);
		}
	}
	if (session->host)
		host_activate(session->host);
}

void guest_socket_name(const struct guest_socket *s, struct guest_message *values)
{
	if (s->udp) {
		reeve_udp_local(s->udp, &values->local);
		reeve_udp_remote(s->udp, &values->remote);
	} else {
		reeve_tcp_local(s->tcp, &values->local);
		reeve_tcp_remote(s->tcp, &values->remote);
	}
}
