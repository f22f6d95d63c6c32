/*
 * RACK (RFC 8985): what was sent before something that has arrived, and should have arrived with
 * it, is lost once a reordering window has passed. The window is closed while nothing is known of
 * reordering and there are reports enough (RFC 8985, 6.2, step 4), and grows when duplicates show
 * that segments were only late.
 *
 * First transmissions have their times in sent_times.h, those sent again in the scoreboard.
 */
#include "stack/tcp/conn_private.h"

#define SLACK_US       1000 /* segments and ACKs are handled in batches */
#define DUP_THRESH     3
#define MULTIPLIER_MAX 20
#define PERSIST        16 /* recoveries without duplicates until the window is small again */

uint32_t tcp_now_us(const struct reeve_tcp *tcp)
{
	return (uint32_t)((uint64_t)tcp_now(tcp).ns / (uint64_t)REEVE_NS_PER_US);
}

/* RFC 8985, 6.2, step 1 and 2. Of what was sent twice, an answer that came sooner than any round
 * trip was for the first time. */
static void note_time(struct reeve_tcp *tcp, uint32_t at_us, struct tcp_seq end, bool is_resent)
{
	struct tcp_rack *const k = &tcp->busy->rack;
	const uint32_t rtt_us = tcp_now_us(tcp) - at_us;

	if (is_resent && rtt_us < tcp->rtt.min_us)
		return;
	if (k->is_valid &&
	    (us_before(at_us, k->at_us) || (at_us == k->at_us && !seq_after(end, k->end))))
		return;
	k->is_valid = true;
	k->at_us = at_us;
	k->end = end;
	k->rtt_us = rtt_us;
}

static void note_fresh(struct reeve_tcp *tcp, struct tcp_seq end, struct tcp_seq high)
{
	uint32_t at_us;

	if (sent_times_find(&tcp->busy->sent_times, end, &at_us))
		note_time(tcp, at_us, end, false);
	/* RFC 8985, 6.2, step 3: late, and not because it was lost. After a timeout it is not known
	 * any more what was sent again. */
	if (tcp->busy->rack.is_valid && seq_until(end, high) &&
	    tcp->busy->recovery != TCP_RECOVERY_LOSS)
		tcp->busy->rack.is_reordering = true;
}

void tcp_rack_delivered(struct reeve_tcp *tcp, struct tcp_seq start, struct tcp_seq end,
			struct tcp_seq high)
{
	const struct score *s;
	unsigned cursor = 0;

	if (!tcp->sack)
		return;
	while ((s = scoreboard_next(&tcp->busy->scoreboard, start, end, &cursor)) != NULL) {
		if (seq_before(start, s->start))
			note_fresh(tcp, s->start, high);
		if (s->resent)
			note_time(tcp, s->at_us, seq_min(s->end, end), true);
		start = s->end;
	}
	if (seq_before(start, end))
		note_fresh(tcp, end, high);
}

/* RFC 8985, 6.2, step 4. */
static uint32_t reordering_window_us(const struct reeve_tcp *tcp)
{
	const struct tcp_rack *const k = &tcp->busy->rack;
	const uint64_t grown = (uint64_t)tcp->rtt.min_us / 4 * (1U + k->multiplier);
	const uint32_t bounded =
		grown < tcp->rtt.smoothed_us ? (uint32_t)grown : tcp->rtt.smoothed_us;

	if (!k->is_reordering &&
	    (tcp->busy->recovery != TCP_RECOVERY_OPEN ||
	     tcp->busy->scoreboard.sacked_bytes >= (uint32_t)DUP_THRESH * tcp->mss))
		return SLACK_US;
	return bounded > SLACK_US ? bounded : SLACK_US;
}

/* Below this, fresh bytes are lost if `expired_us` is right. */
static struct tcp_seq edge_at(const struct reeve_tcp *tcp, uint32_t expired_us)
{
	const struct tcp_rack *const k = &tcp->busy->rack;
	struct tcp_seq edge = tcp->una;
	const struct sent_time *t;

	for (unsigned i = 0; (t = sent_times_at(&tcp->busy->sent_times, i)) != NULL; i++) {
		if (us_before(k->at_us, t->at_us) || us_before(expired_us, t->at_us))
			break;
		edge = t->at_us == k->at_us ? seq_min(t->end, k->end) : t->end;
	}
	return seq_max(edge, tcp->una);
}

/* Adds to a view what RACK knows. */
void tcp_rack_view(const struct reeve_tcp *tcp, struct scoreboard_view *v)
{
	const struct tcp_rack *const k = &tcp->busy->rack;
	const uint32_t waited_us = k->rtt_us + reordering_window_us(tcp);

	if (!tcp->sack || !k->is_valid)
		return;
	v->has_rack = true;
	v->rack_us = k->at_us;
	v->rack_end = k->end;
	v->expired_us = tcp_now_us(tcp) - waited_us;
	v->lost = seq_max(v->lost, edge_at(tcp, v->expired_us));
}

static uint32_t time_of(const struct reeve_tcp *tcp, struct tcp_seq start)
{
	unsigned cursor = 0;
	const struct score *const s =
		scoreboard_next(&tcp->busy->scoreboard, start, seq_add(start, 1), &cursor);
	uint32_t at_us = tcp_now_us(tcp);

	if (s)
		return s->at_us;
	sent_times_find(&tcp->busy->sent_times, seq_add(start, 1), &at_us);
	return at_us;
}

/* RFC 8985, 6.2, step 5: looks again when the first of those that are late will be lost. */
void tcp_rack_arm(struct reeve_tcp *tcp)
{
	const struct tcp_rack *const k = &tcp->busy->rack;
	struct scoreboard_view now, later;
	struct scoreboard_range range;

	tcp_timer_clear(tcp, TCP_DEADLINE_REORDER);
	if (!tcp->sack || !k->is_valid || seq_equal(tcp->una, tcp->nxt) ||
	    tcp->busy->scoreboard.count == 0)
		return;
	tcp_recovery_view(tcp, &now);
	later = now;
	later.has_rack = true;
	later.rack_us = k->at_us;
	later.rack_end = k->end;
	later.expired_us = k->at_us;
	later.lost = seq_max(later.lost, edge_at(tcp, k->at_us));
	/* What is lost already waits for leave to be sent, not for time. */
	if (!scoreboard_next_late(&tcp->busy->scoreboard, &now, &later, &range))
		return;

	const uint32_t waited_us = k->rtt_us + reordering_window_us(tcp);
	const uint32_t due_us = time_of(tcp, range.start) + waited_us;
	const int32_t wait_us = (int32_t)(due_us - tcp_now_us(tcp));

	tcp_timer_set(tcp, TCP_DEADLINE_REORDER,
		      reeve_time_add(tcp_now(tcp), (wait_us > 0 ? wait_us : 1) * REEVE_NS_PER_US));
}

/* A duplicate was reported: something was sent again that had only been late. RFC 8985, 6.2, step
 * 4: at most one step a round trip. */
void tcp_rack_duplicate(struct reeve_tcp *tcp)
{
	struct tcp_rack *const k = &tcp->busy->rack;

	if (k->multiplier > 0 && seq_before(tcp->una, k->round))
		return;
	k->round = tcp->nxt;
	k->persist = PERSIST;
	if (k->multiplier < MULTIPLIER_MAX)
		k->multiplier++;
}

void tcp_rack_recovered(struct reeve_tcp *tcp)
{
	struct tcp_rack *const k = &tcp->busy->rack;

	if (k->persist > 0 && --k->persist == 0)
		k->multiplier = 0;
}
