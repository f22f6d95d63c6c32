/*
 * Connections of which a listener has seen the SYN only. They are small, since strangers can make
 * them; the whole connection comes with the ACK that shows that the peer is there (RFC 4987, 3.4).
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

#define ANSWER_RETRIES 5 /* of SYN and ACK; as Linux */

void tcp_half_open_learn(struct tcp_half_open *h, struct tcp_listener *l,
			 const struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;
	struct tcp_host *const t = tcp_of(l->tcp);

	*h = (struct tcp_half_open){
		.flow = {
			.local_address = s->how->destination,
			.remote_address = s->how->source,
			.local_port = s->h.destination_port,
			.remote_port = s->h.source_port,
			.kind = TCP_FLOW_HALF_OPEN,
		},
		.listener = l,
		.irs = s->seq,
		.window = s->h.window,
		.peer_mss = o->mss ? o->mss : TCP_MSS_DEFAULT,
		.timestamps = o->has_timestamps,
		.ts_recent = o->timestamp,
		.sack = o->sack_permitted,
		.scaling = o->has_window_scale,
		.ecn = l->tcp->settings.ecn != REEVE_ECN_OFF && tcp_ecn_is_asked(s),
	};
	h->ts_offset = tcp_timestamp_offset(t, &h->flow);
	if (h->scaling) {
		h->send_scale = o->window_scale < TCP_SCALE_MAX ? o->window_scale : TCP_SCALE_MAX;
		h->receive_scale = tcp_window_scale(t, &l->tcp->settings);
	}
}

struct tcp_half_open *tcp_half_open_new(struct tcp_listener *l, const struct tcp_segment *s)
{
	struct tcp_host *const t = tcp_of(l->tcp);

	if (!tcp_take_slot(t))
		return NULL;

	struct tcp_half_open *const h = calloc(1, sizeof(*h));

	if (!h) {
		tcp_give_slot(t);
		return NULL;
	}
	tcp_half_open_learn(h, l, s);
	if (port_demux_add_flow(t->demux, &h->flow) < 0) {
		tcp_give_slot(t);
		free(h);
		return NULL;
	}
	list_init(&h->node);
	list_append(&l->half_open, &h->node);
	l->half_open_count++;
	t->half_open++;
	timer_init(&h->timer, HOST_TIMER_TCP | TCP_TIMER_HALF_OPEN);
	return h;
}

/* Its flow has left the demux, and its slot is another's. */
static void forget(struct tcp_host *t, struct tcp_half_open *h)
{
	timer_disarm(&t->host->timers, &h->timer);
	list_remove(&h->node);
	h->listener->half_open_count--;
	t->half_open--;
	free(h);
}

void tcp_half_open_free(struct tcp_host *t, struct tcp_half_open *h)
{
	port_demux_remove_flow(t->demux, &h->flow);
	tcp_give_slot(t);
	forget(t, h);
}

static uint16_t offered_window(const struct tcp_half_open *h)
{
	const uint32_t room = h->listener->tcp->settings.receive_buffer;

	return room < UINT16_MAX ? (uint16_t)room : UINT16_MAX;
}

/* Doubled each time, as the timer of data is (RFC 6298, 5.5). */
static int64_t timeout_ms(uint16_t retries)
{
	const int64_t most_ms = RTO_MAX_MS;
	const int64_t ms = (int64_t)RTO_INITIAL_MS << (retries < 8 ? retries : 8);

	return ms < most_ms ? ms : most_ms;
}

/* From the first answer to the timer that made this the number of retries. */
static int64_t elapsed_ms(uint16_t retries)
{
	int64_t sum = 0;

	for (uint16_t i = 0; i < retries; i++)
		sum += timeout_ms(i);
	return sum;
}

/* The peer is there, and the listener would rather have it with data. */
static bool is_deferred(const struct tcp_half_open *h)
{
	return elapsed_ms(h->retries) < (int64_t)h->listener->tcp->settings.defer_accept_s * 1000;
}

/* SYN and ACK. */
void tcp_half_open_emit(struct tcp_host *t, const struct tcp_half_open *h, uint32_t timestamp)
{
	const struct tcp_settings *const settings = &h->listener->tcp->settings;
	struct tcp_emit e = {
		.flow = &h->flow,
		.ttl = settings->ttl,
		.tos = settings->tos,
		.header = {
			.sequence = h->iss.n,
			.acknowledgment = seq_add(h->irs, 1).n,
			.flags = TCP_SYN | TCP_ACK | (h->ecn ? TCP_ECE : 0),
			.window = offered_window(h),
		},
	};
	struct tcp_options *const o = &e.header.options;
	struct ip_route route;
	uint16_t mss = TCP_MSS_DEFAULT;

	if (ip_route(t->host, &h->flow.remote_address, &h->flow.local_address, &route) == 0)
		mss = tcp_route_mss(&route, &h->flow.remote_address);
	if (settings->max_segment && settings->max_segment < mss)
		mss = settings->max_segment;
	o->mss = mss;
	o->sack_permitted = h->sack;
	o->has_timestamps = h->timestamps;
	o->timestamp = timestamp;
	o->timestamp_echo = h->ts_recent;
	o->has_window_scale = h->scaling;
	o->window_scale = h->receive_scale;
	if (h->grants_cookie && !h->resent)
		tcp_fast_cookie(t, &h->flow, &o->fast_open);
	tcp_emit_empty(t, &e);
}

void tcp_half_open_answer(struct tcp_host *t, struct tcp_half_open *h)
{
	h->sent_at = t->host->now;
	/* A peer that repeats its SYN does not put off the end. */
	if (!timer_is_armed(&h->timer))
		timer_arm(&t->host->timers, &h->timer,
			  reeve_time_add_ms(t->host->now, timeout_ms(h->retries)));
	tcp_half_open_emit(t, h, tcp_timestamp(t, h->ts_offset));
}

void tcp_half_open_timer(struct tcp_host *t, struct tcp_half_open *h)
{
	const bool waits = h->is_acknowledged && is_deferred(h);

	if (!waits && h->retries >= ANSWER_RETRIES) {
		t->host->stats.tcp_timeouts++;
		t->host->stats.tcp_failed++;
		tcp_half_open_free(t, h);
		return;
	}
	h->retries++;
	if (waits && is_deferred(h)) {
		timer_arm(&t->host->timers, &h->timer,
			  reeve_time_add_ms(t->host->now, timeout_ms(h->retries)));
		return;
	}
	t->host->stats.tcp_timeouts++;
	h->resent = true;
	t->host->stats.tcp_retransmits++;
	tcp_half_open_answer(t, h);
}

/* An ACK that answers what is not right, not more often than any other challenge. */
static void answer_ack(struct tcp_host *t, struct tcp_half_open *h)
{
	struct tcp_emit e = {
		.flow = &h->flow,
		.ttl = h->listener->tcp->settings.ttl,
		.tos = h->listener->tcp->settings.tos,
		.header = {
			.sequence = seq_add(h->iss, 1).n,
			.acknowledgment = seq_add(h->irs, 1).n,
			.flags = TCP_ACK,
			.window = (uint16_t)(offered_window(h) >> h->receive_scale),
		},
	};

	if (h->has_answered &&
	    reeve_time_since(t->host->now, h->last_answer) < TCP_CHALLENGE_MS * REEVE_NS_PER_MS)
		return;
	h->has_answered = true;
	h->last_answer = t->host->now;
	e.header.options.has_timestamps = h->timestamps;
	e.header.options.timestamp = tcp_timestamp(t, h->ts_offset);
	e.header.options.timestamp_echo = h->ts_recent;
	tcp_emit_empty(t, &e);
}

/* What was agreed upon passes to the connection. */
static void hand_over(struct reeve_tcp *tcp, const struct tcp_half_open *h)
{
	tcp->settings = h->listener->tcp->settings;
	tcp->iss = h->iss;
	tcp->una = h->iss;
	tcp->nxt = seq_add(h->iss, 1);
	tcp->irs = h->irs;
	tcp->rcv_nxt = seq_add(h->irs, 1);
	tcp->peer_mss = h->peer_mss;
	tcp->timestamps = h->timestamps;
	tcp->sack = h->sack;
	tcp->scaling = h->scaling;
	tcp->ecn = h->ecn;
	tcp->send_scale = h->send_scale;
	tcp->receive_scale = h->receive_scale;
	tcp->ts_recent = h->ts_recent;
	tcp->ts_offset = h->ts_offset;
	tcp->send_window = h->window;
	tcp->send_window_max = h->window;
	tcp->wl1 = h->irs;
	tcp->wl2 = h->iss;
	tcp->syn_resent = h->resent;
	tcp->timing = !h->resent && !h->by_cookie;
	tcp->busy->timed_end = tcp->nxt;
	tcp->busy->timed_at = h->sent_at;
	tcp->is_accepted = true;
	tcp_window_init(tcp);
}

/* The connection, its flow not in the demux yet; NULL: no memory. */
static struct reeve_tcp *make_connection(struct tcp_host *t, const struct tcp_half_open *h)
{
	struct tcp_listener *const l = h->listener;
	struct reeve_tcp *const tcp = tcp_allocate(t->host, (enum reeve_family)l->tcp->family);

	if (!tcp)
		return NULL;
	if (!tcp_wake(tcp) ||
	    port_space_inherit(t->space, &tcp->port, &l->tcp->port, &h->flow.local_address) < 0) {
		tcp_dispose(tcp);
		return NULL;
	}
	hand_over(tcp, h);
	tcp->flow = h->flow;
	tcp->flow.kind = TCP_FLOW_CONN;
	return tcp;
}

/* Its flow is in the demux: it waits to be accepted. */
static void queue_connection(struct reeve_tcp *tcp, struct tcp_listener *l)
{
	tcp->has_flow = true;
	tcp->parent = l;
	tcp->host->stats.tcp_passive_opens++;
	tcp_set_state(tcp, REEVE_TCP_SYN_RECEIVED);
	list_remove(&tcp->node);
	list_append(&l->accept, &tcp->node);
	l->accept_count++;
}

/* The connection in place of the half-open one, which is gone then; NULL: no memory. */
static struct reeve_tcp *promote(struct tcp_host *t, struct tcp_half_open *h)
{
	/* Its slot passes to the connection: at the limit there may be no other. */
	tcp_give_slot(t);

	struct tcp_listener *const l = h->listener;
	struct reeve_tcp *const tcp = make_connection(t, h);

	if (!tcp) {
		check(tcp_take_slot(t));
		return NULL;
	}
	port_demux_replace_flow(t->demux, &h->flow, &tcp->flow);
	forget(t, h);
	queue_connection(tcp, l);
	return tcp;
}

/* The connection has its first segment. */
static void begin(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	struct reeve_tcp *const listener = tcp->parent->tcp;

	tcp_conn_input(tcp, s);
	tcp_raise(listener, REEVE_ACCEPTABLE);
}

/* The SYN's data, as if it came behind it. A FIN comes again. */
static void take_data(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	const uint32_t room = seq_distance(tcp->rcv_nxt, tcp->rcv_edge);

	packet_strip(s->packet, s->h.length);
	if (s->length > room) {
		packet_trim(s->packet, room);
		s->length = room;
	}
	s->seq = tcp->rcv_nxt;
	s->h.flags = (uint8_t)(s->h.flags & ~(TCP_SYN | TCP_FIN));
	tcp->segments_received += s->pieces;
	if (s->length > 0)
		tcp_take_text(tcp, s);
	else
		tcp_segment_done(s);
	tcp->learned.syn_data = tcp_received(tcp) > 0; /* there may be no memory for it */
}

bool tcp_half_open_fast(struct tcp_listener *l, struct tcp_segment *s, const struct tcp_seq *iss,
			bool renews_cookie)
{
	struct tcp_host *const t = tcp_of(l->tcp);
	struct tcp_half_open h;

	tcp_half_open_learn(&h, l, s);
	h.iss = iss ? *iss : tcp_initial_sequence(t, &h.flow);
	h.by_cookie = true; /* nothing was sent yet */

	struct reeve_tcp *const tcp = make_connection(t, &h);

	if (!tcp)
		return false;
	if (!tcp_fast_serve(tcp, l, renews_cookie) ||
	    port_demux_add_flow(t->demux, &tcp->flow) < 0) {
		tcp_dispose(tcp);
		return false;
	}
	queue_connection(tcp, l);
	tcp_establish(tcp);
	take_data(tcp, s);
	tcp_raise(l->tcp, REEVE_ACCEPTABLE);
	return true;
}

/* Of one that was never in the tables; the segment ends here. */
void tcp_half_open_redeem(struct tcp_host *t, const struct tcp_half_open *h, struct tcp_segment *s)
{
	if (tcp_listener_is_full(h->listener)) {
		tcp_segment_drop(t, s, REEVE_DROP_TCP_BACKLOG);
		return;
	}
	/* Its data brings the cookie once more. */
	if (s->length == 0 && !(s->h.flags & TCP_FIN) && is_deferred(h)) {
		tcp_segment_done(s);
		return;
	}

	struct reeve_tcp *const tcp = make_connection(t, h);

	if (!tcp || port_demux_add_flow(t->demux, &tcp->flow) < 0) {
		if (tcp)
			tcp_dispose(tcp);
		tcp_segment_drop(t, s, REEVE_DROP_NO_MEMORY);
		return;
	}
	queue_connection(tcp, h->listener);
	begin(tcp, s);
}

/* RFC 9293, 3.10.7.4 for SYN-RECEIVED, as far as it can be said before there is a connection.
 * False: the segment ends here. */
static bool check_segment(struct tcp_host *t, struct tcp_half_open *h, struct tcp_segment *s)
{
	const struct tcp_seq next = seq_add(h->irs, 1);
	const uint32_t distance = seq_distance(next, s->seq);

	if ((s->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && seq_equal(s->seq, h->irs)) {
		tcp_segment_drop(t, s, REEVE_DROP_TCP_DUPLICATE);
		if (reeve_time_since(t->host->now, h->sent_at) >=
		    TCP_CHALLENGE_MS * REEVE_NS_PER_MS) {
			h->resent = true; /* Karn's rule: RFC 6298, 3 */
			tcp_half_open_answer(t, h);
		}
		return false;
	}
	if (s->h.flags & TCP_RST) {
		if (!seq_equal(s->seq, next)) {
			if (distance < offered_window(h))
				answer_ack(t, h);
			tcp_segment_drop(t, s, REEVE_DROP_TCP_BLIND);
			return false;
		}
		tcp_segment_done(s);
		t->host->stats.tcp_failed++;
		tcp_half_open_free(t, h);
		return false;
	}
	if (s->h.flags & TCP_SYN) { /* RFC 5961, 4.2 */
		answer_ack(t, h);
		tcp_segment_drop(t, s, REEVE_DROP_TCP_BLIND);
		return false;
	}
	if (h->timestamps && (!s->h.options.has_timestamps ||
			      (int32_t)(s->h.options.timestamp - h->ts_recent) < 0)) {
		answer_ack(t, h);
		tcp_segment_drop(t, s, REEVE_DROP_TCP_PAWS);
		return false;
	}
	if (distance > offered_window(h)) {
		answer_ack(t, h);
		tcp_segment_drop(t, s, REEVE_DROP_TCP_SEQUENCE);
		return false;
	}
	return true;
}

void tcp_half_open_input(struct tcp_host *t, struct tcp_half_open *h, struct tcp_segment *s)
{
	if (!check_segment(t, h, s))
		return;
	if (!(s->h.flags & TCP_ACK)) {
		tcp_segment_drop(t, s, REEVE_DROP_TCP_FLAGS);
		return;
	}
	if (!seq_equal(s->ack, seq_add(h->iss, 1))) {
		tcp_answer_reset(t, s);
		tcp_segment_drop(t, s, REEVE_DROP_TCP_ACK);
		return;
	}
	if (s->length == 0 && !(s->h.flags & TCP_FIN) && is_deferred(h)) {
		h->is_acknowledged = true;
		tcp_segment_done(s);
		return;
	}
	if (tcp_listener_is_full(h->listener)) {
		/* The peer believes that it is connected; it learns better or waits, as the SYN and
		 * ACK is sent again (as Linux does). */
		tcp_segment_drop(t, s, REEVE_DROP_TCP_BACKLOG);
		return;
	}

	struct reeve_tcp *const tcp = promote(t, h);

	if (!tcp) {
		tcp_segment_drop(t, s, REEVE_DROP_NO_MEMORY);
		return;
	}
	begin(tcp, s);
}
