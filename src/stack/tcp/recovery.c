/*
 * Loss: how it is seen and what is sent again (RFC 5681, 3.2; RFC 6675; RFC 8985; RFC 6582 for peers
 * without SACK), and what is taken back when it was none (RFC 3522, RFC 3708).
 *
 * Nothing is taken back from `nxt`. In recovery there is an edge: what lies below it, is not
 * reported and was not sent again is lost. Fast recovery takes the edge from the reports and from
 * the times (rack.c); after a timeout everything sent before it is below the edge.
 */
#include "stack/tcp/conn_private.h"

#define DUP_THRESH 3

/* Where RFC 6675 says that losses are; only while the network is not known to reorder. */
static struct tcp_seq reported_edge(const struct reeve_tcp *tcp)
{
	if (!tcp->sack || tcp->busy->rack.is_reordering)
		return tcp->una;
	return scoreboard_lost_edge(&tcp->busy->scoreboard, tcp->una, tcp->mss);
}

static struct tcp_seq first_end(const struct reeve_tcp *tcp)
{
	return seq_min(seq_add(tcp->una, tcp->mss), tcp->nxt);
}

/* As if in fast recovery. */
static void fast_view(const struct reeve_tcp *tcp, struct scoreboard_view *v)
{
	v->sack_edge = reported_edge(tcp);
	v->lost = v->sack_edge;
	tcp_rack_view(tcp, v);
}

void tcp_recovery_view(const struct reeve_tcp *tcp, struct scoreboard_view *ret)
{
	*ret = (struct scoreboard_view){
		.una = tcp->una,
		.next = tcp->nxt,
		.lost = tcp->una,
		.sack_edge = tcp->una,
		.first_lost = tcp->busy->first_lost,
	};
	switch ((enum tcp_recovery)tcp->busy->recovery) {
	case TCP_RECOVERY_OPEN:
		return;
	case TCP_RECOVERY_FAST:
		fast_view(tcp, ret);
		if (!tcp->sack || tcp->busy->first_lost)
			ret->lost = seq_max(ret->lost, first_end(tcp));
		ret->lost = seq_max(ret->lost, seq_min(tcp->busy->resent_high, tcp->nxt));
		break;
	case TCP_RECOVERY_LOSS:
		fast_view(tcp, ret);
		ret->lost = seq_max(ret->lost, tcp->busy->recover);
		break;
	}
}

uint32_t tcp_recovery_pipe(const struct reeve_tcp *tcp, const struct scoreboard_view *v)
{
	const uint32_t pipe = scoreboard_pipe(&tcp->busy->scoreboard, v);

	if (tcp->sack)
		return pipe;

	/* Each duplicate says that a segment has left the network. */
	const uint64_t gone = (uint64_t)tcp->busy->dup_acks * tcp->mss;

	return gone < pipe ? pipe - (uint32_t)gone : 0;
}

static void leave(struct reeve_tcp *tcp)
{
	tcp->busy->recovery = TCP_RECOVERY_OPEN;
	tcp->resend_due = false;
	tcp->busy->first_lost = false;
	tcp->busy->undo = false;
	tcp->busy->path.is_lost_alone = false;
	tcp->busy->dup_acks = 0;
	prr_stop(&tcp->busy->prr);
	tcp_rack_recovered(tcp);
}

/* What may have to be taken back. */
static void remember(struct reeve_tcp *tcp)
{
	tcp->busy->undo = true;
	congestion_save(&tcp->busy->congestion);
	tcp->busy->undo_resends = 0;
	tcp->busy->has_resend_ts = false;
}

/* It was no loss: segments were late. Everything is as before, and reordering is expected. */
static void take_back(struct reeve_tcp *tcp)
{
	congestion_restore(&tcp->busy->congestion);
	tcp->busy->rack.is_reordering = tcp->sack;
	leave(tcp);
}

void tcp_recovery_resent(struct reeve_tcp *tcp, struct tcp_seq end)
{
	tcp->busy->resent_high = seq_max(tcp->busy->resent_high, end);
	tcp->busy->undo_resends++;
	if (!tcp->busy->has_resend_ts)
		tcp->busy->resend_ts = tcp_timestamp(tcp_of(tcp), tcp->ts_offset);
	tcp->busy->has_resend_ts = true;
}

/* RFC 3708: all that was sent again had arrived before. */
static void duplicate_reported(struct reeve_tcp *tcp, uint32_t bytes)
{
	const uint32_t segments = (bytes + tcp->mss - 1) / tcp->mss;

	tcp->is_probing_tail = false;
	tcp_rack_duplicate(tcp);
	if (!tcp->busy->undo || tcp->busy->recovery == TCP_RECOVERY_OPEN ||
	    tcp->busy->undo_resends == 0)
		return;
	tcp->busy->undo_resends -=
		segments < tcp->busy->undo_resends ? segments : tcp->busy->undo_resends;
	if (tcp->busy->undo_resends == 0)
		take_back(tcp);
}

/* A first block below the acknowledgment, or within the second, tells of a duplicate (RFC 2883, 4). */
static bool is_duplicate_report(const struct tcp_segment *s)
{
	const struct tcp_sack_block *const b = s->h.options.sack;
	const struct tcp_seq start = { b[0].start }, end = { b[0].end };

	if (!seq_before(start, end))
		return false;
	if (seq_until(end, s->ack))
		return true;
	return s->h.options.sack_count > 1 && seq_until((struct tcp_seq){ b[1].start }, start) &&
	       seq_until(end, (struct tcp_seq){ b[1].end });
}

/* RFC 8985, 7.4.2: what is behind the probe is acknowledged, and nothing has said that the probe came
 * twice: it was needed, so there was a loss. */
static void check_tail(struct reeve_tcp *tcp)
{
	if (!tcp->is_probing_tail || !seq_after(tcp->una, tcp->busy->tail_end))
		return;
	tcp->is_probing_tail = false;
	if (tcp->busy->recovery != TCP_RECOVERY_OPEN || tcp->busy->prr.is_active)
		return;
	congestion_lost(&tcp->busy->congestion, tcp_in_flight(tcp));
	tcp_ecn_reduced(tcp);
}

/* The same, case 2: an ACK that says nothing new at the probe's end is the answer to a probe that was
 * not needed, of a peer that does not report duplicates. */
static bool is_probes_duplicate(const struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	return tcp->is_probing_tail && s->h.options.sack_count == 0 && s->length == 0 &&
	       seq_equal(s->ack, tcp->una) && seq_equal(tcp->una, tcp->busy->tail_end);
}

void tcp_recovery_sack(struct reeve_tcp *tcp, const struct tcp_segment *s, uint32_t *ret_sacked)
{
	const struct tcp_options *const o = &s->h.options;
	const struct tcp_seq high = tcp->busy->rack.high;
	uint32_t sacked = 0;

	*ret_sacked = 0;
	if (!tcp->sack)
		return;
	if (is_probes_duplicate(tcp, s))
		tcp->is_probing_tail = false;
	if (seq_after(s->ack, tcp->una)) {
		tcp_rack_delivered(tcp, tcp->una, s->ack, high);
		tcp->busy->rack.high = seq_max(tcp->busy->rack.high, s->ack);
	}
	for (unsigned i = 0; i < o->sack_count; i++) {
		const struct tcp_seq start = { o->sack[i].start }, end = { o->sack[i].end };

		if (i == 0 && is_duplicate_report(s)) {
			duplicate_reported(tcp, seq_distance(start, end));
			continue;
		}
		/* One outside of what is in flight, or reversed, tells nothing. */
		if (!seq_before(start, end) || !seq_within(start, tcp->una, tcp->nxt) ||
		    !seq_within(end, tcp->una, tcp->nxt))
			continue;
		tcp_rack_delivered(tcp, start, end, high);
		tcp->busy->rack.high = seq_max(tcp->busy->rack.high, end);
		sacked += scoreboard_sack(&tcp->busy->scoreboard, start, end);
	}
	*ret_sacked = sacked;
}

/* RFC 3522 (Eifel): what brought the acknowledgment on was sent before anything was sent again. */
static bool was_no_loss(const struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	return tcp->busy->undo && tcp->busy->has_resend_ts && tcp->timestamps &&
	       s->h.options.has_timestamps && s->h.options.timestamp_echo != 0 &&
	       (int32_t)(s->h.options.timestamp_echo - tcp->busy->resend_ts) < 0;
}

/* How long the way of what is acknowledged was: RACK knows, if nothing sent later has come before. */
static uint32_t sample_us(const struct reeve_tcp *tcp)
{
	const struct tcp_rack *const k = &tcp->busy->rack;

	return k->is_valid && seq_equal(k->end, tcp->una) ? k->rtt_us : 0;
}

/* In slow start a window that has been filled by half may grow: to twice of what was in flight, as
 * Linux has it, also where a program stops short of it. */
static bool is_window_in_use(const struct reeve_tcp *tcp, uint32_t acked)
{
	const struct tcp_congestion *const c = &tcp->busy->congestion;
	const uint32_t flight = tcp_in_flight(tcp) + acked;
	const uint32_t most = flight > c->used ? flight : c->used;

	return tcp->window_limited || tcp->busy->recovery == TCP_RECOVERY_LOSS ||
	       (congestion_in_slow_start(c) && most > c->window / 2);
}

static void grow_window(struct reeve_tcp *tcp, uint32_t acked)
{
	struct tcp_congestion *const c = &tcp->busy->congestion;
	const struct congestion_news news = {
		.bytes = acked,
		.una = tcp->una,
		.nxt = tcp->nxt,
		.now = tcp_now(tcp),
		.rtt_us = tcp->rtt.smoothed_us,
		.sample_us = sample_us(tcp),
		.is_full = is_window_in_use(tcp, acked),
	};

	congestion_acked(c, &news);
}

void tcp_recovery_acked(struct reeve_tcp *tcp, const struct tcp_segment *s, uint32_t acked)
{
	const uint32_t segments = (acked + tcp->mss - 1) / tcp->mss;

	check_tail(tcp);
	if (tcp_ecn_is_news(tcp))
		tcp->busy->has_reduced = false; /* numbers come round */
	tcp->busy->first_lost = false;
	tcp->busy->probes = 0;
	if (tcp->busy->recovery != TCP_RECOVERY_OPEN && was_no_loss(tcp, s))
		take_back(tcp);
	switch ((enum tcp_recovery)tcp->busy->recovery) {
	case TCP_RECOVERY_OPEN:
		tcp->busy->dup_acks = 0;
		if (!tcp->busy->prr.is_active && !tcp_ecn_is_echo(tcp, s))
			grow_window(tcp, acked);
		if (tcp->busy->prr.is_active && !seq_before(tcp->una, tcp->busy->recover))
			prr_stop(&tcp->busy->prr);
		break;
	case TCP_RECOVERY_FAST:
		tcp->busy->dup_acks =
			segments < tcp->busy->dup_acks ? tcp->busy->dup_acks - segments : 0;
		tcp->resend_due = !tcp->sack; /* RFC 6582, 3.2, partial acknowledgment */
		break;
	case TCP_RECOVERY_LOSS:
		tcp->busy->dup_acks = 0;
		grow_window(tcp, acked);
		break;
	}
	if (tcp->busy->recovery == TCP_RECOVERY_OPEN || seq_before(tcp->una, tcp->busy->recover))
		return;
	if (tcp->busy->path.is_lost_alone && tcp->busy->undo)
		congestion_restore(
			&tcp->busy->congestion); /* RFC 4821, 7.6.2: it was not congestion */
	leave(tcp);
}

void tcp_recovery_duplicate(struct reeve_tcp *tcp)
{
	tcp->busy->dup_acks++;
}

/* What was under way, for the threshold; what piled up behind a gap is no sign of what the path
 * carries. */
static uint32_t flight_size(const struct reeve_tcp *tcp)
{
	const uint32_t in_flight = tcp_in_flight(tcp);

	return in_flight < tcp->busy->congestion.window ? in_flight : tcp->busy->congestion.window;
}

/* What is in the network while nothing is held for lost. */
static uint32_t open_pipe(const struct reeve_tcp *tcp)
{
	const struct scoreboard_view v = {
		.una = tcp->una,
		.next = tcp->nxt,
		.lost = tcp->una,
		.sack_edge = tcp->una,
	};

	return tcp_recovery_pipe(tcp, &v);
}

static void enter_fast(struct reeve_tcp *tcp, uint32_t delivered)
{
	/* What is taken back, if it was no loss, leaves a reduction for an echo of ECN as it is; and a
	 * window that is falling for one falls no further. */
	remember(tcp);
	if (!tcp->busy->prr.is_active) {
		prr_start(&tcp->busy->prr, open_pipe(tcp) + delivered);
		congestion_lost(&tcp->busy->congestion, flight_size(tcp));
	}
	tcp_ecn_reduced(tcp);
	tcp->busy->recovery = TCP_RECOVERY_FAST;
	tcp->busy->recover = tcp->nxt;
	tcp->busy->resent_high = tcp->una;
	tcp->busy->probes = 0;
	tcp->resend_due = true;
	tcp->is_probing_tail = false;
	tcp->tail_due = false;
	tcp->host->stats.tcp_fast_recoveries++;
	tcp_mark_dirty(tcp);
}

/* RFC 9937, 6.2: each acknowledgment says anew how much may be sent. Losses that time brought to
 * light deliver nothing; one segment of theirs keeps the acknowledgments coming. */
static void adjust_rate(struct reeve_tcp *tcp, uint32_t delivered, bool has_advanced)
{
	const uint32_t unreported = tcp_in_flight(tcp) - tcp->busy->scoreboard.sacked_bytes;
	struct scoreboard_view v;

	tcp_recovery_view(tcp, &v);

	const uint32_t pipe = tcp_recovery_pipe(tcp, &v);
	const struct prr_news news = {
		.delivered = delivered,
		.pipe = pipe,
		.lost = tcp->sack ? unreported - pipe : 0,
		.threshold = tcp->busy->congestion.threshold,
		.mss = tcp->mss,
		/* Without reports an acknowledgment that does not end recovery tells of a loss. */
		.has_advanced = has_advanced && tcp->sack,
	};

	if (delivered > 0) {
		prr_acked(&tcp->busy->prr, &news);
		return;
	}
	if (news.lost > tcp->busy->prr.lost)
		tcp->resend_due = true;
	tcp->busy->prr.lost = news.lost;
}

void tcp_recovery_check(struct reeve_tcp *tcp, uint32_t delivered, bool has_advanced)
{
	struct scoreboard_view v = {
		.una = tcp->una,
		.next = tcp->nxt,
	};
	struct scoreboard_range range;

	if (seq_equal(tcp->una, tcp->nxt))
		return;
	if (tcp->busy->recovery == TCP_RECOVERY_OPEN) {
		fast_view(tcp, &v);
		if (tcp->sack ? scoreboard_next_lost(&tcp->busy->scoreboard, &v, &range)
			      : tcp->busy->dup_acks >= DUP_THRESH)
			enter_fast(tcp, delivered);
	}
	if (tcp->busy->prr.is_active)
		adjust_rate(tcp, delivered, has_advanced);
	tcp_rack_arm(tcp);
}

/* RFC 3168, 6.1.2: as a loss, at most once for what is in flight, but nothing is sent again; and what was
 * reduced for losses is not taken back, for there is congestion. */
void tcp_recovery_marked(struct reeve_tcp *tcp, uint32_t delivered, bool has_advanced)
{
	struct tcp_busy *const b = tcp->busy;
	const uint32_t flight = tcp_in_flight(tcp) + (has_advanced ? delivered : 0);
	const uint32_t window = b->congestion.window;

	tcp->delivered_marked += (delivered + tcp->mss - 1) / tcp->mss;
	tcp->busy->undo = false;
	if (b->recovery != TCP_RECOVERY_OPEN || b->prr.is_active || !tcp_ecn_is_news(tcp))
		return;
	congestion_marked(&b->congestion, flight < window ? flight : window);
	tcp_ecn_reduced(tcp);
	if (seq_equal(tcp->una, tcp->nxt))
		return;
	prr_start(&b->prr, open_pipe(tcp) + delivered);
	b->recover = tcp->nxt;
	adjust_rate(tcp, delivered, has_advanced);
}

static void lose_all(struct reeve_tcp *tcp)
{
	/* The receiver had reported the oldest byte and not acknowledged it: it has forgotten what
	 * it reported (RFC 2018, 8). */
	if (scoreboard_is_sacked(&tcp->busy->scoreboard, tcp->una))
		scoreboard_clear(&tcp->busy->scoreboard);
	scoreboard_forget_resent(&tcp->busy->scoreboard);
	tcp->busy->rack.is_valid = false;
	tcp->busy->recovery = TCP_RECOVERY_LOSS;
	tcp->busy->recover = tcp->nxt;
	tcp->busy->dup_acks = 0;
	tcp->resend_due = true;
	tcp->timing = false;
	tcp->busy->first_lost = false;
	tcp->busy->probes = 0;
	tcp->is_probing_tail = false;
	tcp->tail_due = false;
	prr_stop(&tcp->busy->prr);
	tcp_timer_clear(tcp, TCP_DEADLINE_REORDER);
}

void tcp_recovery_timeout(struct reeve_tcp *tcp)
{
	const bool again = tcp->busy->recovery == TCP_RECOVERY_LOSS && tcp->rtt.backoff > 0;

	if (!again)
		remember(tcp);
	congestion_timeout(&tcp->busy->congestion, flight_size(tcp), again);
	tcp_ecn_reduced(tcp);
	lose_all(tcp);
	tcp_mark_dirty(tcp);
}

void tcp_recovery_resize(struct reeve_tcp *tcp)
{
	if (seq_equal(tcp->una, tcp->nxt) || !tcp_is_synchronized(tcp))
		return;
	lose_all(tcp);
	tcp->busy->undo = false;
	tcp_mark_dirty(tcp);
}

/* In recovery, and nothing was heard for long: what was sent again first is lost again, and nothing
 * sent after it has arrived to say so. It goes once more, long before the timeout. */
void tcp_recovery_probe(struct reeve_tcp *tcp)
{
	tcp->busy->first_lost = true;
	tcp->resend_due = true;
	tcp_mark_dirty(tcp);
}
