/*
 * Intercept: connections that no socket takes go to the embedder, who lets each proceed or refuses
 * it. The SYN waits with the connection until then; nothing is said to the peer before.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "stack/icmp.h"
#include "stack/tcp/conn_private.h"

#define ICMP_UNREACHABLE         3 /* RFC 792; codes by RFC 1122, 3.2.2.1, RFC 1812, 5.2.7.1 */
#define ICMP_NETWORK_UNREACHABLE 0
#define ICMP_HOST_UNREACHABLE    1
#define ICMP_PROHIBITED          13

struct tcp_intercepted {
	struct tcp_listener *listener;
	struct reeve_packet *packet; /* the SYN */
	struct ip_received how;
};

static bool is_same(const struct tcp_listener *l, const struct reeve_prefix *to, uint16_t port)
{
	return l->port.port == port && l->prefix.length == to->length &&
	       reeve_address_equal(&l->prefix.address, &to->address) &&
	       l->matches_all == (to->length == 0);
}

static bool is_better(const struct tcp_listener *a, const struct tcp_listener *b)
{
	if (a->prefix.length != b->prefix.length)
		return a->prefix.length > b->prefix.length;
	return a->port.port != 0 && b->port.port == 0;
}

/* The longest prefix, then the given port. */
static struct tcp_listener *find(struct tcp_host *t, const struct reeve_address *to, uint16_t port)
{
	struct tcp_listener *best = NULL;

	for (uint32_t i = 0; i < t->intercept_count; i++) {
		struct tcp_listener *const l = t->intercept[i];

		if (l->port.port != 0 && l->port.port != port)
			continue;
		if (!l->matches_all && !reeve_prefix_contains(&l->prefix, to))
			continue;
		if (!best || is_better(l, best))
			best = l;
	}
	return best;
}

int reeve_tcp_intercept(struct reeve_host *host, const struct reeve_prefix *to, uint16_t port,
			void *user, struct reeve_tcp **ret)
{
	struct tcp_host *const t = host->tcp;
	const struct reeve_prefix all = { .address = reeve_any_ipv4, .length = 0 };
	const struct reeve_prefix *const prefix = to ? to : &all;

	if (prefix->length > (reeve_address_is_ipv4(&prefix->address) ? 32 : 128))
		return -EINVAL;
	for (uint32_t i = 0; i < t->intercept_count; i++)
		if (is_same(t->intercept[i], prefix, port))
			return -EADDRINUSE;
	if (t->intercept_count >= TCP_INTERCEPTS_MAX)
		return -ENOBUFS;

	struct reeve_tcp *const tcp = reeve_tcp_new(host, REEVE_IPV4, user);

	if (!tcp)
		return -ENOBUFS;
	tcp->listener = tcp_listener_new(tcp, TCP_INTERCEPT_WAIT);
	if (!tcp->listener) {
		reeve_tcp_close(tcp);
		return -ENOMEM;
	}
	tcp->listener->is_intercept = true;
	tcp->listener->matches_all = prefix->length == 0;
	tcp->listener->prefix = *prefix;
	tcp->listener->port.port = port;
	tcp->flow.local_port = port;
	t->intercept[t->intercept_count++] = tcp->listener;
	tcp_set_state(tcp, REEVE_TCP_LISTEN);
	*ret = tcp;
	return 0;
}

/* Those that wait for a decision lose their listener, but stay the embedder's. */
void tcp_intercept_remove(struct tcp_host *t, struct tcp_listener *l)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->intercept_count; i++)
		if (t->intercept[i] != l)
			t->intercept[kept++] = t->intercept[i];
	t->intercept_count = kept;
	list_for_each(node, &t->sockets) {
		struct reeve_tcp *const tcp = list_entry(node, struct reeve_tcp, node);

		if (tcp->intercepted && tcp->intercepted->listener == l)
			tcp->intercepted->listener = NULL;
	}
}

static void fill(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;

	tcp->flow.local_address = s->how->destination;
	tcp->flow.remote_address = s->how->source;
	tcp->flow.local_port = s->h.destination_port;
	tcp->flow.remote_port = s->h.source_port;
	tcp->irs = s->seq;
	tcp->rcv_nxt = seq_add(s->seq, 1);
	tcp->send_window = s->h.window;
	tcp->send_window_max = s->h.window;
	tcp->wl1 = s->seq;
	tcp->peer_mss = o->mss ? o->mss : TCP_MSS_DEFAULT;
	tcp->timestamps = o->has_timestamps;
	tcp->ts_recent = o->timestamp;
	tcp->sack = o->sack_permitted;
	tcp->scaling = o->has_window_scale;
	tcp->ecn = tcp->settings.ecn != REEVE_ECN_OFF && tcp_ecn_is_asked(s);
	if (tcp->scaling) {
		tcp->send_scale = o->window_scale < TCP_SCALE_MAX ? o->window_scale : TCP_SCALE_MAX;
		tcp->receive_scale = tcp_window_scale(tcp_of(tcp), &tcp->settings);
	}
	tcp->is_accepted = true;
	tcp_window_init(tcp);
}

static struct reeve_tcp *make_connection(struct tcp_listener *l, const struct tcp_segment *s)
{
	struct tcp_host *const t = tcp_of(l->tcp);
	const bool ipv4 = reeve_address_is_ipv4(&s->how->destination);
	struct reeve_tcp *const tcp = tcp_allocate(t->host, ipv4 ? REEVE_IPV4 : REEVE_IPV6);

	if (!tcp)
		return NULL;
	tcp->settings = l->tcp->settings;
	tcp->intercepted = calloc(1, sizeof(*tcp->intercepted));
	fill(tcp, s);
	if (!tcp->intercepted || port_demux_add_flow(t->demux, &tcp->flow) < 0) {
		tcp_dispose(tcp);
		return NULL;
	}
	tcp->has_flow = true;
	tcp->iss = tcp_initial_sequence(t, &tcp->flow);
	tcp->una = tcp->iss;
	tcp->nxt = tcp->iss;
	tcp->ts_offset = tcp_timestamp_offset(t, &tcp->flow);
	tcp->owned = true;
	tcp->events.user = l->tcp->events.user;
	return tcp;
}

bool tcp_intercept_input(struct tcp_host *t, struct tcp_segment *s)
{
	struct tcp_listener *const l = find(t, &s->how->destination, s->h.destination_port);

	if (!l)
		return false;
	if (l->half_open_count >= TCP_INTERCEPT_WAIT) {
		tcp_segment_drop(t, s, REEVE_DROP_TCP_BACKLOG);
		return true;
	}

	struct reeve_tcp *const tcp = make_connection(l, s);

	if (!tcp) {
		tcp_segment_drop(t, s, REEVE_DROP_NO_MEMORY);
		return true;
	}
	l->half_open_count++;
	tcp->intercepted->listener = l;
	tcp->intercepted->packet = take(s->packet);
	tcp->intercepted->how = *s->how;
	tcp_set_state(tcp, REEVE_TCP_SYN_RECEIVED);
	tcp_raise(tcp, REEVE_INTERCEPTED);
	return true;
}

void tcp_intercepted_free(struct reeve_tcp *tcp)
{
	struct tcp_intercepted *const i = tcp->intercepted;

	if (i->listener)
		i->listener->half_open_count--;
	reeve_packet_free(i->packet);
	free(i);
	tcp->intercepted = NULL;
}

void reeve_tcp_proceed(struct reeve_tcp *tcp)
{
	if (!tcp->intercepted)
		return;
	tcp_intercepted_free(tcp);
	tcp->host->stats.tcp_passive_opens++;
	tcp->syn_due = true;
	tcp_mark_dirty(tcp);
}

static void refuse_with_reset(struct reeve_tcp *tcp)
{
	struct tcp_emit e = {
		.flow = &tcp->flow,
		.ttl = tcp->settings.ttl,
		.header = { .flags = TCP_RST | TCP_ACK, .acknowledgment = tcp->rcv_nxt.n },
	};

	tcp_emit_empty(tcp_of(tcp), &e);
}

static void refuse_with_icmp(struct reeve_tcp *tcp, uint8_t code)
{
	struct tcp_intercepted *const i = tcp->intercepted;

	icmp_refuse_take(tcp->host, take(i->packet), &i->how, ICMP_UNREACHABLE, code,
			 REEVE_DROP_TCP_NO_PORT);
}

void reeve_tcp_refuse(struct reeve_tcp *tcp, enum reeve_refusal refusal)
{
	struct tcp_host *const t = tcp_of(tcp);

	if (tcp->intercepted) {
		switch (refusal) {
		case REEVE_REFUSE_RESET:
			refuse_with_reset(tcp);
			break;
		case REEVE_REFUSE_NETWORK_UNREACHABLE:
			refuse_with_icmp(tcp, ICMP_NETWORK_UNREACHABLE);
			break;
		case REEVE_REFUSE_HOST_UNREACHABLE:
			refuse_with_icmp(tcp, ICMP_HOST_UNREACHABLE);
			break;
		case REEVE_REFUSE_PROHIBITED:
			refuse_with_icmp(tcp, ICMP_PROHIBITED);
			break;
		}
	}
	tcp_dispose(tcp);
	tcp_reap(t);
}
