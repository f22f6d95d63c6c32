/*
 * Listeners: the SYN that finds one, and the queue of connections that wait to be accepted (RFC
 * 9293, 3.10.7.2). As in Linux, backlog + 1 connections may wait, and a SYN is dropped while they
 * do; while too many are half open, it gets a cookie (cookie.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

static uint32_t half_open_limit(const struct tcp_listener *l)
{
	const uint32_t wanted = l->backlog + 1;

	if (wanted < TCP_HALF_OPEN_MIN)
		return TCP_HALF_OPEN_MIN;
	return wanted < TCP_HALF_OPEN_MAX ? wanted : TCP_HALF_OPEN_MAX;
}

bool tcp_listener_is_full(const struct tcp_listener *l)
{
	return l->accept_count > l->backlog;
}

/* RFC 7413, 4.2.2: the SYN's data is taken with it, if its cookie is good. False: it is a SYN like any
 * other; *ret_grants then: it is answered with a cookie. */
static bool serve_fast(struct tcp_listener *l, struct tcp_segment *s, const struct tcp_seq *iss,
		       bool *ret_grants)
{
	bool is_old;

	*ret_grants = false;
	if (!s->h.options.fast_open.is_there || !tcp_fast_is_served(l))
		return false;
	if (!tcp_fast_is_granted(tcp_of(l->tcp), s, &is_old)) {
		*ret_grants = true;
		return false;
	}
	/* Who asked to hear of connections by their data does not get this one before. */
	if (s->length == 0 && l->tcp->settings.defer_accept_s > 0)
		return false;
	return tcp_half_open_fast(l, s, iss, is_old);
}

/* Data and FIN in a SYN are not kept, but by Fast Open: the peer sends them again. */
void tcp_listen_syn(struct tcp_listener *l, struct tcp_segment *s, const struct tcp_seq *iss)
{
	struct tcp_host *const t = tcp_of(l->tcp);

	if (tcp_listener_is_full(l)) {
		tcp_segment_drop(t, s, REEVE_DROP_TCP_BACKLOG);
		return;
	}
	/* A number that is to lie beyond an old connection's can't be a cookie; each of those takes a
	 * TIME-WAIT's place, so they are few. */
	if (l->half_open_count >= half_open_limit(l) && !iss) {
		if (tcp_cookie_answer(l, s))
			tcp_segment_done(s);
		else
			tcp_segment_drop(t, s, REEVE_DROP_TCP_BACKLOG);
		return;
	}

	bool grants;

	if (serve_fast(l, s, iss, &grants))
		return;

	struct tcp_half_open *const h = tcp_half_open_new(l, s);

	if (!h) {
		tcp_segment_drop(t, s, REEVE_DROP_NO_MEMORY);
		return;
	}
	h->iss = iss ? *iss : tcp_initial_sequence(t, &h->flow);
	h->grants_cookie = grants;
	tcp_segment_done(s);
	tcp_half_open_answer(t, h);
}

/* A SYN whose two ends are one (LAND, CVE-1999-0016). */
static bool is_land(const struct tcp_segment *s)
{
	return s->h.source_port == s->h.destination_port &&
	       reeve_address_equal(&s->how->source, &s->how->destination);
}

bool tcp_listen_input(struct tcp_host *t, struct tcp_segment *s)
{
	const struct reeve_sockaddr local = {
		.address = s->how->destination,
		.port = s->h.destination_port,
	};
	const struct reeve_sockaddr remote = {
		.address = s->how->source,
		.port = s->h.source_port,
	};
	/* ECE and CWR do not make it anything else (RFC 3168, 6.1.1). */
	const bool is_syn = (s->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;

	if (s->h.flags & TCP_RST) {
		tcp_segment_drop(t, s, REEVE_DROP_TCP_NO_PORT);
		return true;
	}
	if (is_syn && is_land(s)) {
		tcp_segment_drop(t, s, REEVE_DROP_IP_SOURCE);
		return true;
	}

	struct port_listener *const found = port_demux_find_listener(t->demux, &local, &remote);

	/* Answered by a RST, whoever listens, unless it brings a cookie back. */
	if (s->h.flags & TCP_ACK)
		return found && tcp_cookie_input(container_of(found, struct tcp_listener, port), s);
	if (!found)
		return is_syn && tcp_intercept_input(t, s);
	/* RFC 9293, 3.10.7.2, fourth. */
	if (!is_syn) {
		tcp_segment_drop(t, s, REEVE_DROP_TCP_FLAGS);
		return true;
	}
	tcp_listen_syn(container_of(found, struct tcp_listener, port), s, NULL);
	return true;
}

void *reeve_tcp_listener(const struct reeve_host *host, const struct reeve_sockaddr *to,
			 const struct reeve_sockaddr *from)
{
	struct port_listener *const found = port_demux_find_listener(host->tcp->demux, to, from);

	return found ? container_of(found, struct tcp_listener, port)->tcp->events.user : NULL;
}

struct tcp_listener *tcp_listener_new(struct reeve_tcp *tcp, uint32_t backlog)
{
	struct tcp_host *const t = tcp_of(tcp);
	struct tcp_listener *const l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->tcp = tcp;
	l->backlog = backlog;
	l->number = ++t->next_listener;
	list_init(&l->port.node);
	list_init(&l->accept);
	list_init(&l->half_open);
	list_init(&l->pending);
	list_init(&l->node);
	list_append(&t->listeners, &l->node);
	return l;
}

/* RFC 9293, 3.10.4: what waits is reset. Half-open connections vanish; their ACK will be answered
 * with RST, as nobody listens any more. */
void tcp_listener_close(struct reeve_tcp *tcp)
{
	struct tcp_host *const t = tcp_of(tcp);
	struct tcp_listener *const l = tcp->listener;
	struct list *node;

	while ((node = list_first(&l->half_open)) != NULL)
		tcp_half_open_free(t, list_entry(node, struct tcp_half_open, node));
	while ((node = list_first(&l->accept)) != NULL) {
		struct reeve_tcp *const child = list_entry(node, struct reeve_tcp, node);

		list_remove(&child->node);
		child->parent = NULL;
		if (child->state == REEVE_TCP_CLOSED)
			tcp_dispose(child);
		else
			tcp_reset(child, ECONNRESET);
	}
	l->accept_count = 0;
	tcp_fast_listener_close(l);
	if (l->is_intercept)
		tcp_intercept_remove(t, l);
	else
		port_demux_remove_listener(t->demux, &l->port);
	list_remove(&l->node);
	tcp->listener = NULL;
	free(l);
}

struct reeve_tcp *reeve_tcp_accept(struct reeve_tcp *listener, void *user)
{
	struct tcp_listener *const l = listener->listener;
	struct list *const node = l ? list_pop(&l->accept) : NULL;

	if (!node)
		return NULL;

	struct reeve_tcp *const tcp = list_entry(node, struct reeve_tcp, node);
	uint32_t what = 0;

	l->accept_count--;
	list_append(&tcp_of(tcp)->sockets, &tcp->node);
	tcp->parent = NULL;
	tcp->owned = true;
	tcp->events.user = user;
	/* What has happened while it waited is told now. */
	if (tcp_received(tcp) > 0)
		what |= REEVE_READABLE;
	if (tcp->fin_received)
		what |= REEVE_READABLE | REEVE_PEER_CLOSED;
	if (tcp->error)
		what |= REEVE_FAILED;
	if (tcp->urgent_in)
		what |= REEVE_URGENT;
	if (what)
		tcp_raise(tcp, what);
	return tcp;
}
