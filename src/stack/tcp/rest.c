/*
 * Rest and work. A connection on which nothing goes on, for longer than its timeout and a second, gives
 * back its struct tcp_busy: nothing is queued, in flight, owed or missing then, so that what is in it
 * follows from the rest, but for what congestion control, RACK and the search for the path's MTU have
 * learned, which is remembered. It is made again by the first segment, call or timer that has work for
 * it; without memory, the segment is lost, the call finds no room, the timer comes back.
 *
 * A rest begins by a deadline and not with the last acknowledgment: whoever asks and answers by turns
 * allocates nothing.
 */
#include "stack/tcp/conn_private.h"

#define REST_MS 1000

static bool is_resting_state(const struct reeve_tcp *tcp)
{
	return tcp->state == REEVE_TCP_ESTABLISHED || tcp->state == REEVE_TCP_CLOSE_WAIT ||
	       tcp->state == REEVE_TCP_FIN_WAIT_2;
}

/* Nothing but the keepalive's deadline may be pending. */
static bool waits_for_nothing(const struct tcp_busy *b)
{
	return reeve_time_is_never(b->deadlines[TCP_DEADLINE_RETRANSMIT]) &&
	       reeve_time_is_never(b->deadlines[TCP_DEADLINE_ACK]) &&
	       reeve_time_is_never(b->deadlines[TCP_DEADLINE_REORDER]) &&
	       reeve_time_is_never(b->deadlines[TCP_DEADLINE_MEMORY]) &&
	       reeve_time_is_never(b->deadlines[TCP_DEADLINE_PACE]);
}

static bool is_quiet(const struct reeve_tcp *tcp)
{
	const struct tcp_busy *const b = tcp->busy;

	return is_resting_state(tcp) && seq_equal(tcp->una, tcp->nxt) && b->send.length == 0 &&
	       b->receive.length == 0 && b->receive.range_count == 0 && b->unacked_bytes == 0 &&
	       b->recovery == TCP_RECOVERY_OPEN && waits_for_nothing(b) &&
	       !list_is_linked(&tcp->dirty) && !tcp->ack_due && !tcp->probe_due &&
	       !tcp->fin_known && !tcp->has_dsack && !tcp->urgent_in && !tcp->urgent_out &&
	       tcp->retries == 0 && (!tcp->fin_queued || tcp->fin_sent);
}

void tcp_consider_rest(struct reeve_tcp *tcp)
{
	if (tcp->busy && reeve_time_is_never(tcp->busy->deadlines[TCP_DEADLINE_REST]) &&
	    is_quiet(tcp))
		tcp_timer_set(tcp, TCP_DEADLINE_REST, reeve_time_add_ms(tcp_now(tcp), REST_MS));
}

static void rest(struct reeve_tcp *tcp)
{
	struct tcp_busy *const b = take(tcp->busy);
	const struct reeve_time keepalive = b->deadlines[TCP_DEADLINE_KEEPALIVE];

	if (tcp->bytes_sent > 0)
		congestion_idle(&b->congestion, INT64_MAX, rtt_timeout_ms(&tcp->rtt), tcp_now(tcp));
	congestion_remember(&b->congestion, &tcp->learned.congestion);
	tcp->learned.rack_multiplier = b->rack.multiplier;
	tcp->learned.rack_persist = b->rack.persist;
	tcp->learned.is_reordering = b->rack.is_reordering;
	tcp_path_remember(&b->path, &tcp->learned);
	tcp->timing = tcp->is_probing_tail = false;
	tcp_busy_free(tcp_of(tcp), b);
	timer_disarm(&tcp->host->timers, &tcp->timer);
	if (!reeve_time_is_never(keepalive))
		timer_arm(&tcp->host->timers, &tcp->timer, keepalive);
}

void tcp_rest_deadline(struct reeve_tcp *tcp)
{
	const int64_t timeout_ms = rtt_timeout_ms(&tcp->rtt);
	const int64_t least_ms = timeout_ms > REST_MS ? timeout_ms : REST_MS;
	const struct reeve_time last = reeve_time_before(tcp->last_received, tcp->busy->last_sent)
					       ? tcp->busy->last_sent
					       : tcp->last_received;
	const struct reeve_time due = reeve_time_add_ms(last, least_ms);

	if (!is_quiet(tcp))
		return; /* considered again when it is */
	if (reeve_time_before(tcp_now(tcp), due))
		tcp_timer_set(tcp, TCP_DEADLINE_REST, due);
	else
		rest(tcp);
}

bool tcp_wake(struct reeve_tcp *tcp)
{
	struct tcp_busy *const b = tcp->busy ? NULL : slab_new(&tcp_of(tcp)->busy);

	if (!b)
		return tcp->busy;
	tcp->busy = b;
	for (unsigned i = 0; i < TCP_DEADLINES; i++)
		b->deadlines[i] = REEVE_NEVER;
	if (timer_is_armed(&tcp->timer))
		b->deadlines[TCP_DEADLINE_KEEPALIVE] = tcp->timer.expires;
	scoreboard_init(&b->scoreboard);
	sent_times_init(&b->sent_times);
	send_queue_init(&b->send);
	receive_queue_init(&b->receive);
	list_init(&b->gaps);
	b->small_end = b->resent_high = tcp->una;
	b->ack_sent = tcp->rcv_nxt;
	b->rack = (struct tcp_rack){
		.high = tcp->una,
		.round = tcp->una,
		.multiplier = tcp->learned.rack_multiplier,
		.persist = tcp->learned.rack_persist,
		.is_reordering = tcp->learned.is_reordering,
	};
	if (tcp->learned.congestion.window > 0)
		congestion_recall(&b->congestion, (enum reeve_congestion)tcp->settings.congestion,
				  tcp->mss, &tcp->learned.congestion);
	b->last_sent = b->stalled_since = b->round_start = tcp_now(tcp);
	b->paced_to = (struct reeve_time){ INT64_MIN };
	tcp_path_recall(tcp);
	return true;
}

void tcp_busy_free(struct tcp_host *t, struct tcp_busy *b)
{
	if (!b)
		return;
	scoreboard_clear(&b->scoreboard);
	sent_times_clear(&b->sent_times);
	send_queue_deinit(&b->send);
	receive_queue_deinit(&b->receive);
	tcp_fast_free(b);
	list_remove(&b->gaps);
	slab_free(&t->busy, b);
}
