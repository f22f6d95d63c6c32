/*
 * Loss: how it is seen and what is sent again (RFC 5681, 3.2; RFC 6675; RFC 6582 for peers without
 * SACK; RFC 8985, 7.4 for what a tail loss probe has found out).
 *
 * Nothing is taken back from `nxt`. In recovery there is an edge: what lies below it, is not
 * reported and was not sent again is lost. Fast recovery takes the edge from the reports, and always
 * counts the oldest segment as lost; after a timeout everything sent before it is below the edge.
 */
#include "stack/tcp/conn_private.h"

#define DUP_THRESH 3

struct tcp_seq tcp_lost_edge(const struct reeve_tcp *tcp, struct tcp_seq *ret_sack_edge)
{
	const struct tcp_seq reported =
		tcp->sack ? scoreboard_lost_edge(&tcp->scoreboard, tcp->una, tcp->mss) : tcp->una;
	struct tcp_seq edge = tcp->una;

	*ret_sack_edge = reported;
	switch ((enum tcp_recovery)tcp->recovery) {
	case TCP_RECOVERY_OPEN:
		break;
	case TCP_RECOVERY_FAST:
		edge = seq_max(reported, seq_min(seq_add(tcp->una, tcp->mss), tcp->nxt));
		break;
	case TCP_RECOVERY_LOSS:
		edge = seq_max(reported, tcp->recover);
		break;
	}
	return edge;
}

uint32_t tcp_pipe(const struct reeve_tcp *tcp)
{
	const struct scoreboard_range flight = { tcp->una, tcp->nxt };
	struct tcp_seq sack_edge;
	const struct tcp_seq lost = tcp_lost_edge(tcp, &sack_edge);
	const uint32_t pipe = scoreboard_pipe(&tcp->scoreboard, &flight, lost, sack_edge);

	if (tcp->sack)
		return pipe;

	/* Each duplicate says that a segment has left the network. */
	const uint64_t gone = (uint64_t)tcp->dup_acks * tcp->mss;

	return gone < pipe ? pipe - (uint32_t)gone : 0;
}

void tcp_recovery_sack(struct reeve_tcp *tcp, const struct tcp_segment *s, uint32_t *ret_sacked)
{
	const struct tcp_options *const o = &s->h.options;
	uint32_t sacked = 0;

	*ret_sacked = 0;
	if (!tcp->sack)
		return;
	for (unsigned i = 0; i < o->sack_count; i++) {
		const struct tcp_seq start = { o->sack[i].start }, end = { o->sack[i].end };

		/* A first block below the acknowledgment tells of a duplicate (RFC 2883, 4); one
		 * outside of what is in flight, or reversed, tells nothing. */
		if (i == 0 && !seq_after(end, s->ack) && seq_before(start, end)) {
			tcp->is_probing_tail = false;
			continue;
		}
		if (!seq_before(start, end) || !seq_within(start, tcp->una, tcp->nxt) ||
		    !seq_within(end, tcp->una, tcp->nxt))
			continue;
		sacked += scoreboard_sack(&tcp->scoreboard, start, end);
	}
	*ret_sacked = sacked;
}

static void leave(struct reeve_tcp *tcp)
{
	tcp->recovery = TCP_RECOVERY_OPEN;
	tcp->resend_due = false;
	tcp->dup_acks = 0;
}

/* RFC 8985, 7.4.2: the probe was needed, so there was a loss. */
static void check_tail(struct reeve_tcp *tcp)
{
	if (!tcp->is_probing_tail || seq_before(tcp->una, tcp->tail_end))
		return;
	tcp->is_probing_tail = false;
	if (seq_after(tcp->una, tcp->tail_end) && tcp->recovery == TCP_RECOVERY_OPEN)
		congestion_lost(&tcp->congestion, tcp_in_flight(tcp));
}

void tcp_recovery_acked(struct reeve_tcp *tcp, uint32_t acked)
{
	const uint32_t segments = (acked + tcp->mss - 1) / tcp->mss;
	struct tcp_congestion *const c = &tcp->congestion;
	const bool is_full = tcp->window_limited || (congestion_in_slow_start(c) &&
						     tcp_in_flight(tcp) + acked > c->window / 2);

	check_tail(tcp);
	switch ((enum tcp_recovery)tcp->recovery) {
	case TCP_RECOVERY_OPEN:
		tcp->dup_acks = 0;
		if (is_full)
			congestion_acked(c, acked, tcp_now(tcp), tcp->rtt.smoothed_us);
		break;
	case TCP_RECOVERY_FAST:
		tcp->dup_acks = segments < tcp->dup_acks ? tcp->dup_acks - segments : 0;
		tcp->resend_due = !tcp->sack; /* RFC 6582, 3.2, partial acknowledgment */
		break;
	case TCP_RECOVERY_LOSS:
		tcp->dup_acks = 0;
		congestion_acked(c, acked, tcp_now(tcp), tcp->rtt.smoothed_us);
		break;
	}
	if (tcp->recovery != TCP_RECOVERY_OPEN && !seq_before(tcp->una, tcp->recover))
		leave(tcp);
}

void tcp_recovery_duplicate(struct reeve_tcp *tcp)
{
	tcp->dup_acks++;
}

void tcp_recovery_check(struct reeve_tcp *tcp)
{
	if (tcp->recovery != TCP_RECOVERY_OPEN || seq_equal(tcp->una, tcp->nxt))
		return;

	const struct tcp_seq edge = scoreboard_lost_edge(&tcp->scoreboard, tcp->una, tcp->mss);

	if (tcp->dup_acks < DUP_THRESH && !(tcp->sack && seq_after(edge, tcp->una)))
		return;
	congestion_lost(&tcp->congestion, tcp_in_flight(tcp));
	tcp->recovery = TCP_RECOVERY_FAST;
	tcp->recover = tcp->nxt;
	tcp->resend_due = true;
	tcp->is_probing_tail = false;
	tcp->tail_due = false;
	tcp->host->stats.tcp_fast_recoveries++;
	tcp_mark_dirty(tcp);
}

static void lose_all(struct reeve_tcp *tcp)
{
	/* The receiver had reported the oldest byte and not acknowledged it: it has forgotten what
	 * it reported (RFC 2018, 8). */
	if (scoreboard_is_sacked(&tcp->scoreboard, tcp->una))
		scoreboard_clear(&tcp->scoreboard);
	scoreboard_forget_resent(&tcp->scoreboard);
	tcp->recovery = TCP_RECOVERY_LOSS;
	tcp->recover = tcp->nxt;
	tcp->dup_acks = 0;
	tcp->resend_due = true;
	tcp->timing = false;
	tcp->is_probing_tail = false;
	tcp->tail_due = false;
}

void tcp_recovery_timeout(struct reeve_tcp *tcp)
{
	const bool again = tcp->recovery == TCP_RECOVERY_LOSS && tcp->rtt.backoff > 0;

	congestion_timeout(&tcp->congestion, tcp_in_flight(tcp), again);
	lose_all(tcp);
	tcp_mark_dirty(tcp);
}

void tcp_recovery_resize(struct reeve_tcp *tcp)
{
	if (seq_equal(tcp->una, tcp->nxt) || !tcp_is_synchronized(tcp))
		return;
	lose_all(tcp);
	tcp_mark_dirty(tcp);
}
