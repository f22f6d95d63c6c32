/*
 * Listeners: the SYN that finds one, and the queue of connections that wait to be accepted (RFC
 * 9293, 3.10.7.2). As in Linux, backlog + 1 connections may wait, and a SYN is dropped while they
 * do.
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

/* The oldest half-open connection gives way when its SYN and ACK was already sent again: its peer
 * is slow, or is not there (RFC 4987, 3.3). */
static bool make_room(struct tcp_host *t, struct tcp_listener *l)
{
	if (l->half_open_count < half_open_limit(l))
		return true;

	struct tcp_half_open *const oldest =
		list_entry(list_first(&l->half_open), struct tcp_half_open, node);

	if (oldest->retries == 0)
		return false;
	tcp_half_open_free(t, oldest);
	return true;
}

static void learn(struct tcp_half_open *h, const struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;
	const struct tcp_settings *const settings = &h->listener->tcp->settings;

	h->irs = s->seq;
	h->window = s->h.window;
	h->peer_mss = o->mss ? o->mss : TCP_MSS_DEFAULT;
	h->timestamps = o->has_timestamps;
	h->ts_recent = o->timestamp;
	h->sack = o->sack_permitted;
	h->scaling = o->has_window_scale;
	if (h->scaling) {
		h->send_scale = o->window_scale < TCP_SCALE_MAX ? o->window_scale : TCP_SCALE_MAX;
		h->receive_scale = tcp_window_scale(tcp_of(h->listener->tcp), settings);
	}
}

/* Data and FIN in a SYN are not kept: the peer sends them again. */
void tcp_listen_syn(struct tcp_listener *l, struct tcp_segment *s, const struct tcp_seq *iss)
{
	struct tcp_host *const t = tcp_of(l->tcp);

	if (tcp_listener_is_full(l) || !make_room(t, l)) {
		tcp_segment_drop(t, s, REEVE_DROP_TCP_BACKLOG);
		return;
	}

	struct tcp_half_open *const h = tcp_half_open_new(l, s);

	if (!h) {
		tcp_segment_drop(t, s, REEVE_DROP_NO_MEMORY);
		return;
	}
	learn(h, s);
	h->iss = iss ? *iss : tcp_initial_sequence(t, &h->flow);
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
	/* Answered by a RST, whoever listens. */
	if (s->h.flags & TCP_ACK)
		return false;
	if (is_syn && is_land(s)) {
		tcp_segment_drop(t, s, REEVE_DROP_IP_SOURCE);
		return true;
	}

	struct port_listener *const found = port_demux_find_listener(t->demux, &local, &remote);

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
