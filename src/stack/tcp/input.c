/*
 * Segments for a connection: RFC 9293, 3.10.7.3 (SYN-SENT) and 3.10.7.4 (all others), one helper a
 * step. Each step returns false when the segment ends there; it is then done with or dropped, and
 * the connection may have ended.
 */
#include <errno.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

#define PAWS_IDLE_S (INT64_C(24) * 24 * 3600) /* RFC 7323, 5.5: a timestamp is old after 24 days */

static bool end_drop(struct reeve_tcp *tcp, struct tcp_segment *s, enum reeve_drop reason)
{
	tcp_segment_drop(tcp_of(tcp), s, reason);
	return false;
}

static uint32_t sequence_length(const struct tcp_segment *s)
{
	return s->length + (s->h.flags & TCP_SYN ? 1 : 0) + (s->h.flags & TCP_FIN ? 1 : 0);
}

/* The peer's SYN says what it can do (RFC 7323, 1.3; RFC 2018, 2; RFC 9293, 3.7.1). What was
 * offered and is not in it is off. */
static void learn_options(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;

	tcp->peer_mss = o->mss ? o->mss : TCP_MSS_DEFAULT;
	tcp->timestamps = tcp->timestamps && o->has_timestamps;
	tcp->sack = tcp->sack && o->sack_permitted;
	tcp->scaling = tcp->scaling && o->has_window_scale;
	tcp->ecn = tcp_ecn_is_agreed(tcp, s);
	if (tcp->timestamps)
		tcp->ts_recent = o->timestamp;
	if (tcp->scaling) {
		tcp->send_scale = o->window_scale < TCP_SCALE_MAX ? o->window_scale : TCP_SCALE_MAX;
	} else {
		tcp->send_scale = 0;
		tcp->receive_scale = 0;
	}
}

static void learn_syn(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	learn_options(tcp, s);
	tcp->irs = s->seq;
	tcp->rcv_nxt = seq_add(s->seq, 1);
	tcp_window_init(tcp);
	tcp->send_window = s->h.window; /* a SYN's is never scaled (RFC 7323, 2.2) */
	tcp->send_window_max = s->h.window;
	tcp->wl1 = s->seq;
	tcp->wl2 = s->ack;
}

/* Our SYN is acknowledged and theirs is here: data can flow. */
void tcp_establish(struct reeve_tcp *tcp)
{
	struct ip_route route;

	tcp->una = seq_add(tcp->iss, 1);
	tcp->nxt = seq_max(tcp->nxt, tcp->una);
	tcp->busy->small_end = tcp->una;
	tcp->busy->resent_high = tcp->una;
	tcp->busy->rack.high = tcp->una;
	tcp->retries = 0;
	tcp->soft_error = 0;
	tcp->rtt.backoff = 0;
	if (tcp->timing) {
		tcp->timing = false;
		rtt_sample(&tcp->rtt, reeve_time_since(tcp_now(tcp), tcp->busy->timed_at));
	} else if (!rtt_is_known(&tcp->rtt) && tcp->syn_resent) {
		tcp->rtt.rto_ms = RTO_AFTER_SYN_MS; /* RFC 6298, 5.7 */
	}
	if (ip_route(tcp->host, &tcp->flow.remote_address, &tcp->flow.local_address, &route) == 0)
		tcp_update_mss(tcp, &route);
	else
		tcp->mss = TCP_MSS_DEFAULT;
	congestion_init(&tcp->busy->congestion, (enum reeve_congestion)tcp->settings.congestion,
			tcp->mss);
	if (tcp->syn_resent) /* RFC 5681, 3.1: a lost SYN */
		tcp->busy->congestion.window = tcp->mss;
	tcp->last_received = tcp_now(tcp);
	tcp->busy->stalled_since = tcp_now(tcp);
	tcp->was_connected = true;
	tcp_timer_clear(tcp, TCP_DEADLINE_RETRANSMIT);
	tcp_set_state(tcp, REEVE_TCP_ESTABLISHED);
	tcp_timer_keepalive(tcp);
	tcp_raise(tcp, REEVE_CONNECTED | REEVE_WRITABLE);
	if (tcp->fin_queued) {
		tcp->fin_queued = false;
		tcp_start_fin(tcp);
	}
	tcp_mark_dirty(tcp);
}

/* RFC 2883, 4: each segment that has come again is reported, so what has not been said yet is said
 * first: the peer counts them to know whether all that it sent again was in vain. */
static void note_dsack(struct reeve_tcp *tcp, struct tcp_seq start, struct tcp_seq end)
{
	if (!seq_before(start, end))
		return;
	if (tcp->has_dsack)
		tcp_send_ack(tcp);
	tcp->has_dsack = true;
	tcp->busy->dsack_start = start;
	tcp->busy->dsack_end = end;
}

/* Cuts what lies outside the window: RFC 9293, 3.10.7.4, "segments with higher beginning". */
static void trim(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	if (seq_before(s->seq, tcp->rcv_nxt)) {
		const uint32_t before = seq_distance(s->seq, tcp->rcv_nxt);
		const uint32_t old = before < s->length ? before : s->length;

		if (tcp->sack)
			note_dsack(tcp, s->seq, seq_add(s->seq, old));
		packet_strip(s->packet, old);
		s->length -= old;
		s->seq = tcp->rcv_nxt;
	}

	const uint32_t room = seq_distance(s->seq, tcp->rcv_edge);

	if (s->length > room) {
		packet_trim(s->packet, room);
		s->length = room;
		s->h.flags = (uint8_t)(s->h.flags & ~TCP_FIN);
	} else if (s->length == room) {
		s->h.flags = (uint8_t)(s->h.flags & ~TCP_FIN);
	}
}

/* What follows a SYN in its segment: data, FIN (RFC 9293, 3.10.7.3, last part of the fourth). */
static void rest_of_syn(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	s->seq = tcp->rcv_nxt;
	s->h.flags = (uint8_t)(s->h.flags & ~TCP_SYN);
	trim(tcp, s);
	if (sequence_length(s) > 0)
		tcp_take_text(tcp, s);
	else
		tcp_segment_done(s);
}

static void syn_sent_syn(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	learn_syn(tcp, s);
	tcp->ack_due = true;
	tcp_mark_dirty(tcp);
	if (s->h.flags & TCP_ACK) {
		tcp->syn_due = false;
		tcp_establish(tcp);
		tcp_fast_established(tcp, s);
		rest_of_syn(tcp, s);
		return;
	}
	/* Simultaneous open: RFC 9293, figure 8. Data in the SYN comes again. */
	tcp_set_state(tcp, REEVE_TCP_SYN_RECEIVED);
	tcp->syn_due = true;
	tcp->ack_due = false;
	tcp_segment_done(s);
}

static void syn_sent_input(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	const bool has_ack = s->h.flags & TCP_ACK;

	if (has_ack && (seq_until(s->ack, tcp->iss) || seq_after(s->ack, tcp->nxt))) {
		tcp_answer_reset(tcp_of(tcp), s);
		tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_ACK);
	} else if (s->h.flags & TCP_RST) {
		if (!has_ack) {
			tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_BLIND);
			return;
		}
		tcp_segment_done(s);
		tcp_fail(tcp, ECONNREFUSED);
	} else if (s->h.flags & TCP_SYN) {
		syn_sent_syn(tcp, s);
	} else {
		tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_FLAGS);
	}
}

/* RFC 7323, 5.3: an old duplicate is told by its timestamp. */
static bool step_paws(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;

	if (!tcp->timestamps || (s->h.flags & TCP_RST))
		return true;
	if (!o->has_timestamps) /* RFC 7323, 3.2 */
		return end_drop(tcp, s, REEVE_DROP_TCP_PAWS);
	if ((int32_t)(o->timestamp - tcp->ts_recent) >= 0)
		return true;
	/* RFC 7323, 5.5: in so long a silence the peer's clock may have come round. */
	if (reeve_time_since(tcp_now(tcp), tcp->last_received) > PAWS_IDLE_S * REEVE_NS_PER_S) {
		s->begins_clock = true;
		return true;
	}
	if (s->length > 0)
		tcp_send_ack(tcp);
	else
		tcp_challenge(tcp);
	return end_drop(tcp, s, REEVE_DROP_TCP_PAWS);
}

/* RFC 9293, 3.10.7.4, table 6. */
static bool is_acceptable(const struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	const uint32_t length = sequence_length(s);
	const uint32_t window = seq_distance(tcp->rcv_nxt, tcp->rcv_edge);
	const struct tcp_seq last = seq_add(s->seq, length - 1);

	if (length == 0 && window == 0)
		return seq_equal(s->seq, tcp->rcv_nxt);
	if (length == 0)
		return seq_until(tcp->rcv_nxt, s->seq) && seq_before(s->seq, tcp->rcv_edge);
	if (window == 0)
		return false;
	return (seq_until(tcp->rcv_nxt, s->seq) && seq_before(s->seq, tcp->rcv_edge)) ||
	       (seq_until(tcp->rcv_nxt, last) && seq_before(last, tcp->rcv_edge)) ||
	       (seq_before(s->seq, tcp->rcv_nxt) && !seq_before(last, tcp->rcv_edge));
}

/* The answer to a SYN and ACK of Fast Open: an acknowledgment of that alone is not one of data that
 * comes again and again. */
static bool step_fast_answer(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	tcp_fast_answered(tcp, s);
	if (sequence_length(s) > 0 || !seq_equal(s->ack, tcp->una))
		return tcp_acknowledge(tcp, s);
	tcp_update_window(tcp, s);
	return true;
}

static bool step_ack(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	if (!(s->h.flags & TCP_ACK))
		return end_drop(tcp, s, REEVE_DROP_TCP_FLAGS);
	if (tcp->state == REEVE_TCP_SYN_RECEIVED || tcp->syn_unanswered) {
		if (seq_until(s->ack, tcp->iss) || seq_after(s->ack, tcp->nxt)) {
			tcp_answer_reset(tcp_of(tcp), s);
			return end_drop(tcp, s, REEVE_DROP_TCP_ACK);
		}
	}
	if (tcp->syn_unanswered)
		return step_fast_answer(tcp, s);
	if (tcp->state == REEVE_TCP_SYN_RECEIVED) {
		tcp->ack_due = tcp->ack_due || tcp->syn_due; /* if the answer has not gone yet */
		tcp->syn_due = false;
		tcp_establish(tcp);
		tcp_fast_established(tcp, s);
		tcp->send_window = s->window;
		tcp->send_window_max = s->window;
		tcp->wl1 = s->seq;
		tcp->wl2 = s->ack;
	}
	return tcp_acknowledge(tcp, s);
}

/* An unacceptable segment is answered, so that the peer learns where we are; without limit only
 * when it carries something, or two peers could answer each other for ever. */
static bool refuse_sequence(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	const struct tcp_seq end = seq_add(s->seq, s->length);
	const bool is_old = seq_until(end, tcp->rcv_nxt);
	const uint32_t window = seq_distance(tcp->rcv_nxt, tcp->rcv_edge);

	if (s->h.flags & TCP_RST)
		return end_drop(tcp, s, REEVE_DROP_TCP_BLIND);
	/* With a closed window a segment that is exactly next still acknowledges (RFC 9293,
	 * 3.10.7.4, "special allowance"). */
	if (window == 0 && seq_equal(s->seq, tcp->rcv_nxt) && !(s->h.flags & TCP_SYN) &&
	    (s->h.flags & TCP_ACK) && tcp_is_synchronized(tcp) && !step_ack(tcp, s))
		return false;
	if (s->length > 0 && is_old && tcp->sack)
		note_dsack(tcp, s->seq, end);
	if (sequence_length(s) > 0 && !(s->h.flags & TCP_SYN)) {
		tcp->ack_due = true;
		tcp_mark_dirty(tcp);
	} else {
		tcp_challenge(tcp);
	}
	return end_drop(tcp, s,
			is_old && s->length > 0 ? REEVE_DROP_TCP_DUPLICATE
						: REEVE_DROP_TCP_SEQUENCE);
}

/* Both ends have sent SYN, and now SYN and ACK: the SYN in it is the one we have (RFC 9293,
 * figure 8), and only the acknowledgment is news. */
static void accept_crossed_syn(const struct reeve_tcp *tcp, struct tcp_segment *s)
{
	if (tcp->state == REEVE_TCP_SYN_RECEIVED && (s->h.flags & TCP_SYN) &&
	    (s->h.flags & TCP_ACK) && !(s->h.flags & TCP_RST) && seq_equal(s->seq, tcp->irs)) {
		s->seq = seq_add(s->seq, 1);
		s->h.flags = (uint8_t)(s->h.flags & ~TCP_SYN);
	}
}

static bool step_sequence(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	accept_crossed_syn(tcp, s);
	if (!step_paws(tcp, s))
		return false;
	if (!is_acceptable(tcp, s))
		return refuse_sequence(tcp, s);
	if (!(s->h.flags & (TCP_SYN | TCP_RST)))
		trim(tcp, s);
	return true;
}

/* RFC 5961, 3.2: only an RST that is exactly next resets. */
static bool step_reset(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	if (!(s->h.flags & TCP_RST))
		return true;
	if (!seq_equal(s->seq, tcp->rcv_nxt)) {
		tcp_challenge(tcp);
		return end_drop(tcp, s, REEVE_DROP_TCP_BLIND);
	}
	tcp_segment_done(s);
	tcp_fast_reset(tcp);
	if (tcp->state == REEVE_TCP_SYN_RECEIVED)
		tcp_fail(tcp, ECONNREFUSED);
	else if (tcp->state == REEVE_TCP_CLOSE_WAIT)
		tcp_fail(tcp, EPIPE);
	else
		tcp_fail(tcp, ECONNRESET);
	return false;
}

/* RFC 5961, 4.2. */
static bool step_syn(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	if (!(s->h.flags & TCP_SYN))
		return true;
	tcp_challenge(tcp);
	return end_drop(tcp, s, REEVE_DROP_TCP_BLIND);
}

/* RFC 9293, 3.8.5 with RFC 6093, 3: the pointer only ever moves a mark; it never makes anything
 * be read from the packet. */
static void step_urgent(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	const struct tcp_seq end = seq_add((struct tcp_seq){ s->h.sequence }, s->h.urgent);

	if (!(s->h.flags & TCP_URG) || s->h.urgent == 0 || !tcp_may_receive(tcp))
		return;
	if (!seq_after(end, seq_sub(tcp->rcv_nxt, tcp->busy->receive.length)))
		return;
	if (tcp->urgent_in && !seq_after(end, tcp->busy->rcv_urgent))
		return;
	tcp->urgent_in = true;
	tcp->busy->rcv_urgent = end;
	tcp_raise(tcp, REEVE_URGENT);
}

/* The SYN of Fast Open once more: the answer got lost. As often as a challenge is sent, at most. */
static bool step_fast_syn(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	const struct reeve_time now = tcp_now(tcp);

	if (!tcp->syn_unanswered || !seq_equal(s->seq, tcp->irs) ||
	    (s->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return true;
	if (!tcp->busy->has_challenged || reeve_time_since(now, tcp->busy->last_challenge) >=
						  TCP_CHALLENGE_MS * REEVE_NS_PER_MS) {
		tcp->busy->has_challenged = true;
		tcp->busy->last_challenge = now;
		tcp->syn_due = tcp->syn_resent = true;
		tcp->timing = false; /* Karn's rule: RFC 6298, 3 */
		tcp_mark_dirty(tcp);
	}
	return end_drop(tcp, s, REEVE_DROP_TCP_DUPLICATE);
}

static void synchronized_input(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	if (!step_fast_syn(tcp, s))
		return;
	if (!step_sequence(tcp, s) || !step_reset(tcp, s) || !step_syn(tcp, s) || !step_ack(tcp, s))
		return;
	tcp->last_received = tcp_now(tcp);
	step_urgent(tcp, s);
	tcp_ecn_received(tcp, s);
	if (sequence_length(s) > 0)
		tcp_take_text(tcp, s);
	else
		tcp_segment_done(s);
}

void tcp_conn_input(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	tcp->segments_received += s->pieces;
	if (tcp->intercepted) { /* nothing is said before the embedder has decided */
		tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_DUPLICATE);
		return;
	}
	if (!tcp_wake(tcp)) {
		tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_NO_MEMORY);
		return;
	}
	s->window = s->h.flags & TCP_SYN ? s->h.window : (uint32_t)s->h.window << tcp->send_scale;
	packet_strip(s->packet, s->h.length);
	switch ((enum reeve_tcp_state)tcp->state) {
	case REEVE_TCP_SYN_SENT:
		syn_sent_input(tcp, s);
		break;
	case REEVE_TCP_SYN_RECEIVED:
	case REEVE_TCP_ESTABLISHED:
	case REEVE_TCP_FIN_WAIT_1:
	case REEVE_TCP_FIN_WAIT_2:
	case REEVE_TCP_CLOSE_WAIT:
	case REEVE_TCP_CLOSING:
	case REEVE_TCP_LAST_ACK:
		synchronized_input(tcp, s);
		tcp_consider_rest(tcp);
		break;
	case REEVE_TCP_CLOSED:
	case REEVE_TCP_LISTEN:
	case REEVE_TCP_TIME_WAIT:
		check(false); /* they have no flow */
		break;
	}
}
