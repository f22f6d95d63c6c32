/*
 * The seventh and eighth of RFC 9293, 3.10.7.4: a segment's text, in order or beyond a gap, and
 * FIN.
 */
#include <errno.h>

#include "stack/tcp/conn_private.h"

/* Memory that ranges beyond a gap may hold, in receive buffers: heads and half-empty buffers cost
 * more than the payload. */
#define RANGES_SHARE 3

static void acknowledge_now(struct reeve_tcp *tcp)
{
	tcp->ack_due = true;
	tcp_mark_dirty(tcp);
}

/* Everything before it is here: RFC 9293, 3.10.7.4, eighth. */
static void take_fin(struct reeve_tcp *tcp)
{
	tcp->fin_received = true;
	tcp->fin_known = false;
	tcp->rcv_nxt = seq_add(tcp->rcv_nxt, 1);
	tcp->rcv_edge = seq_max(tcp->rcv_edge, tcp->rcv_nxt);
	receive_queue_prune(&tcp->busy->receive);
	tcp_note_gaps(tcp);
	acknowledge_now(tcp);
	tcp_raise(tcp, REEVE_PEER_CLOSED | REEVE_READABLE);
	switch ((enum reeve_tcp_state)tcp->state) {
	case REEVE_TCP_ESTABLISHED:
		tcp_set_state(tcp, REEVE_TCP_CLOSE_WAIT);
		break;
	case REEVE_TCP_FIN_WAIT_1: /* our FIN is not acknowledged yet */
		tcp_set_state(tcp, REEVE_TCP_CLOSING);
		break;
	case REEVE_TCP_FIN_WAIT_2:
		tcp_send_ack(tcp);
		tcp_enter_time_wait(tcp);
		break;
	case REEVE_TCP_CLOSED:
	case REEVE_TCP_LISTEN:
	case REEVE_TCP_SYN_SENT:
	case REEVE_TCP_SYN_RECEIVED:
	case REEVE_TCP_CLOSE_WAIT:
	case REEVE_TCP_CLOSING:
	case REEVE_TCP_LAST_ACK:
	case REEVE_TCP_TIME_WAIT:
		break;
	}
}

static void note_in_order(struct reeve_tcp *tcp, const struct tcp_segment *s, struct tcp_seq before)
{
	const uint32_t bytes = seq_distance(before, tcp->rcv_nxt);

	tcp->bytes_received += bytes;
	tcp->host->stats.tcp_bytes_in += bytes;
	if (s->piece > tcp->receive_mss)
		tcp->receive_mss = s->piece;
	tcp_note_received(tcp, bytes);
	tcp_raise(tcp, REEVE_READABLE);
}

/* RFC 2883, 4.2: of a segment that was in part there already, the first part. */
static void note_partly_old(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	struct tcp_sack_block old;

	if (!tcp->sack || tcp->has_dsack ||
	    !receive_queue_has(&tcp->busy->receive, s->seq, seq_add(s->seq, s->length), &old))
		return;
	tcp->has_dsack = true;
	tcp->busy->dsack_start.n = old.start;
	tcp->busy->dsack_end.n = old.end;
}

static void take_in_order(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	struct reeve_pool *const pool = tcp->host->pool;
	const struct tcp_seq before = tcp->rcv_nxt;
	const bool fills_gap = tcp->busy->receive.range_count > 0;
	struct reeve_packet *const p = s->packet;
	const uint32_t queued = tcp->busy->receive.length;

	if (fills_gap)
		note_partly_old(tcp, s);
	s->packet = NULL;
	if (receive_queue_append_take(&tcp->busy->receive, pool, p) < 0)
		host_count_drop(tcp->host, REEVE_DROP_NO_MEMORY);
	tcp->rcv_nxt = seq_add(before, tcp->busy->receive.length - queued);
	if (fills_gap) {
		tcp->rcv_nxt = receive_queue_advance(&tcp->busy->receive, pool, tcp->rcv_nxt);
		tcp_note_gaps(tcp);
		acknowledge_now(tcp); /* RFC 5681, 4.2 */
	}
	if (!seq_equal(before, tcp->rcv_nxt))
		note_in_order(tcp, s, before);
}

static void take_beyond_gap(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	const uint64_t most = (uint64_t)tcp->settings.receive_buffer * RANGES_SHARE;

	acknowledge_now(tcp);
	note_partly_old(tcp, s);
	if (pool_is_short(tcp->host->pool)) {
		tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_REASSEMBLY);
		return;
	}
	switch (receive_queue_insert(&tcp->busy->receive, s->seq, s->packet, most)) {
	case RECEIVE_INSERTED:
		s->packet = NULL;
		tcp_note_gaps(tcp);
		break;
	case RECEIVE_DUPLICATE:
		tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_DUPLICATE);
		break;
	case RECEIVE_FULL:
		tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_REASSEMBLY);
		break;
	}
}

/* A peer that goes on sending to a socket that is closed, or shut down both ways, has to hear of it:
 * RFC 2525, 2.17. */
static bool is_for_nobody(const struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	return (tcp->is_orphan || tcp->is_deaf) && s->length > 0;
}

void tcp_take_text(struct reeve_tcp *tcp, struct tcp_segment *s)
{
	if (!tcp_may_receive(tcp)) {
		acknowledge_now(tcp);
		tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_FLAGS);
		return;
	}
	if (is_for_nobody(tcp, s)) {
		tcp_segment_drop(tcp_of(tcp), s, REEVE_DROP_TCP_AFTER_CLOSE);
		tcp_reset(tcp, ECONNRESET);
		return;
	}
	if (s->h.flags & TCP_FIN && !tcp->fin_known) {
		tcp->fin_known = true;
		tcp->busy->fin_seq = seq_add(s->seq, s->length);
	}
	tcp_give_up_ranges(tcp_of(tcp));
	if (s->length == 0) {
		acknowledge_now(tcp);
		tcp_segment_done(s);
	} else if (seq_equal(s->seq, tcp->rcv_nxt)) {
		take_in_order(tcp, s);
	} else {
		take_beyond_gap(tcp, s);
	}
	if (tcp->fin_known && seq_after(tcp->rcv_nxt, tcp->busy->fin_seq))
		tcp->fin_known = false; /* data where it was: it was not the peer's */
	if (tcp->fin_known && seq_equal(tcp->rcv_nxt, tcp->busy->fin_seq))
		take_fin(tcp);
}
