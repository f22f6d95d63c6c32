/*
 * The fifth check of RFC 9293, 3.10.7.4: what a segment acknowledges, the window it offers, and
 * what follows from both.
 */
#include "stack/tcp/conn_private.h"

/* RFC 9293, 3.10.7.4: SND.WL1 and SND.WL2 keep an old segment from changing the window. */
void tcp_update_window(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	const struct tcp_seq seq = { s->h.sequence }; /* before anything was trimmed */

	if (!seq_before(tcp->wl1, seq) &&
	    !(seq_equal(tcp->wl1, seq) && seq_until(tcp->wl2, s->ack)))
		return;
	if (s->window > tcp->send_window)
		tcp_mark_dirty(tcp);
	if (tcp->send_window == 0 && s->window > 0 &&
	    tcp->busy->retransmit_mode == TCP_MODE_PERSIST)
		tcp->rtt.backoff = 0;
	tcp->send_window = s->window;
	tcp->wl1 = seq;
	tcp->wl2 = s->ack;
	if (s->window > tcp->send_window_max)
		tcp->send_window_max = s->window;
}

/* RFC 6298, 3: by a segment that was sent once, or by the timestamp (RFC 7323, 4). */
static void measure(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;

	if (tcp->timing && !seq_before(s->ack, tcp->busy->timed_end)) {
		tcp->timing = false;
		rtt_sample(&tcp->rtt, reeve_time_since(tcp_now(tcp), tcp->busy->timed_at));
		tcp->rtt.backoff = 0;
	} else if ((!tcp->timing || tcp->busy->recovery != TCP_RECOVERY_OPEN) && tcp->timestamps &&
		   o->has_timestamps && o->timestamp_echo) {
		const uint32_t ms = tcp_timestamp(tcp_of(tcp), tcp->ts_offset) - o->timestamp_echo;

		if (ms >= RTO_MAX_MS)
			return;
		tcp->rtt.backoff = 0;
		/* Less than the clock's tick tells nothing when more is known. */
		if (ms > 0 || !rtt_is_known(&tcp->rtt))
			rtt_sample(&tcp->rtt, ms * REEVE_NS_PER_MS);
	}
}

static void tell_writable(struct reeve_tcp *tcp)
{
	const uint32_t limit = tcp_send_limit(tcp);

	if (!tcp->wants_write || tcp->busy->send.length > limit - limit / 3)
		return;
	tcp->wants_write = false;
	tcp_raise(tcp, REEVE_WRITABLE);
}

/* True when the FIN is acknowledged by this. */
static bool advance(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	const uint32_t acked = seq_distance(tcp->una, s->ack);
	const bool fin_acked = tcp->fin_sent && seq_equal(s->ack, tcp->nxt);

	send_queue_ack(&tcp->busy->send, acked - fin_acked);
	tcp->una = s->ack;
	scoreboard_ack(&tcp->busy->scoreboard, tcp->una);
	sent_times_ack(&tcp->busy->sent_times, tcp->una);
	tcp->bytes_acked += acked - fin_acked;
	tcp->busy->stalled_since = tcp_now(tcp);
	tcp->soft_error = 0;
	tcp->busy->small_end = seq_max(tcp->busy->small_end, tcp->una);
	measure(tcp, s);
	if (tcp->urgent_out && !seq_before(tcp->una, tcp->busy->urgent_end))
		tcp->urgent_out = false;
	/* Restarted, if anything is still in flight, when the output is done (RFC 6298, 5.3). */
	tcp_timer_clear(tcp, TCP_DEADLINE_RETRANSMIT);
	tcp_path_acked(tcp);
	tcp_recovery_acked(tcp, s, acked);
	tell_writable(tcp);
	tcp_mark_dirty(tcp);
	return fin_acked;
}

/* What our FIN's acknowledgment changes. False: the connection has ended. */
static bool fin_acknowledged(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	switch ((enum reeve_tcp_state)tcp->state) {
	case REEVE_TCP_FIN_WAIT_1:
		tcp_set_state(tcp, REEVE_TCP_FIN_WAIT_2);
		tcp_timer_keepalive(tcp);
		return true;
	case REEVE_TCP_CLOSING:
		tcp_segment_done(s);
		tcp_enter_time_wait(tcp);
		return false;
	case REEVE_TCP_LAST_ACK:
		tcp_segment_done(s);
		tcp_finish(tcp);
		return false;
	case REEVE_TCP_CLOSED:
	case REEVE_TCP_LISTEN:
	case REEVE_TCP_SYN_SENT:
	case REEVE_TCP_SYN_RECEIVED:
	case REEVE_TCP_ESTABLISHED:
	case REEVE_TCP_FIN_WAIT_2:
	case REEVE_TCP_CLOSE_WAIT:
	case REEVE_TCP_TIME_WAIT:
		break;
	}
	return true;
}

/* RFC 5681, 2: a duplicate, where there are no reports. With them, it is what brings news. */
static bool is_duplicate(const struct reeve_tcp *tcp, const struct tcp_segment *s, uint32_t sacked,
			 uint32_t window_before)
{
	if (!seq_equal(s->ack, tcp->una) || seq_equal(tcp->una, tcp->nxt))
		return false;
	if (tcp->sack)
		return sacked > 0;
	return s->length == 0 && !(s->h.flags & (TCP_SYN | TCP_FIN)) &&
	       window_before == tcp->send_window;
}

static void refuse_ack(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	tcp_challenge(tcp);
	tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_ACK);
}

/* RFC 7323, 4.3, (2); after the acknowledgment's check, so that nobody who guesses only the
 * sequence number can make all that the peer sends look old. */
static void note_timestamp(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;
	const struct tcp_seq seq = { s->h.sequence };

	if (tcp->timestamps && o->has_timestamps && seq_until(seq, tcp->busy->ack_sent) &&
	    (s->begins_clock || (int32_t)(o->timestamp - tcp->ts_recent) >= 0))
		tcp->ts_recent = o->timestamp;
}

/* How things stood before an acknowledgment. */
struct standing {
	struct tcp_seq una;
	uint32_t window, sacked, dup_acks;
};

/* RFC 9937, 6.2: what the peer has now and had not before, as far as it can be known. */
static uint32_t delivered_since(const struct reeve_tcp *tcp, const struct standing *before)
{
	const uint32_t acked = seq_distance(before->una, tcp->una);
	const uint64_t guessed = (uint64_t)before->dup_acks * tcp->mss;

	if (tcp->sack)
		return acked + tcp->busy->scoreboard.sacked_bytes - before->sacked;
	if (acked == 0)
		return tcp->busy->dup_acks > before->dup_acks ? tcp->mss : 0;
	return guessed < acked ? acked - (uint32_t)guessed : 0;
}

static void judge_delivery(struct reeve_tcp *tcp, const struct tcp_segment *s,
			   const struct standing *before)
{
	const uint32_t delivered = delivered_since(tcp, before);
	const bool has_advanced = !seq_equal(tcp->una, before->una);

	tcp_recovery_check(tcp, delivered, has_advanced);
	if (tcp_ecn_is_echo(tcp, s))
		tcp_recovery_marked(tcp, delivered, has_advanced);
}

bool tcp_acknowledge(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	const struct standing before = {
		.una = tcp->una,
		.window = tcp->send_window,
		.sacked = tcp->busy->scoreboard.sacked_bytes,
		.dup_acks = tcp->busy->dup_acks,
	};
	uint32_t sacked;

	/* RFC 5961, 5.2: neither of what was not sent nor older than any window that was offered. */
	if (seq_after(s->ack, tcp->nxt) ||
	    seq_before(s->ack, seq_sub(tcp->una, tcp->send_window_max))) {
		refuse_ack(tcp, s);
		return false;
	}
	note_timestamp(tcp, s);
	tcp->retries = 0;
	if (seq_before(s->ack, tcp->una))
		return true;
	tcp_update_window(tcp, s);
	tcp_recovery_sack(tcp, s, &sacked);

	bool goes_on = true;

	/* Probes are for silence; reports are none. */
	if (sacked > 0 && tcp->busy->retransmit_mode == TCP_MODE_PROBE)
		tcp_timer_clear(tcp, TCP_DEADLINE_RETRANSMIT);
	if (is_duplicate(tcp, s, sacked, before.window)) {
		tcp_recovery_duplicate(tcp);
		tcp_mark_dirty(tcp);
	} else if (sacked > 0) {
		tcp_mark_dirty(tcp);
	}
	if (seq_after(s->ack, tcp->una) && advance(tcp, s))
		goes_on = fin_acknowledged(tcp, s);
	if (goes_on)
		judge_delivery(tcp, s, &before);
	return goes_on;
}
