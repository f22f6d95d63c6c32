#include "invariants.h"

#include <stddef.h>

#include "stack/tcp/conn_private.h"

static bool in_order(struct tcp_seq a, struct tcp_seq b, struct tcp_seq c)
{
	return seq_until(a, b) && seq_until(b, c);
}

/* What is reported or was sent again lies between what is acknowledged and what was sent. */
static void check_scoreboard(const struct reeve_tcp *tcp)
{
	const struct scoreboard *const b = &tcp->busy->scoreboard;
	struct tcp_seq at = tcp->una;
	uint32_t sacked = 0;

	check(b->count <= b->capacity && b->capacity <= SCOREBOARD_MAX);
	for (unsigned i = 0; i < b->count; i++) {
		const struct score *const e = &b->entries[i];

		check(seq_until(at, e->start) && seq_before(e->start, e->end));
		at = e->end;
		if (!e->resent)
			sacked += seq_distance(e->start, e->end);
	}
	check(seq_until(at, tcp->nxt) && sacked == b->sacked_bytes);
}

static void check_sent_times(const struct reeve_tcp *tcp)
{
	const struct sent_time *e, *before = NULL;
	unsigned count = 0;

	for (; (e = sent_times_at(&tcp->busy->sent_times, count)); before = e, count++) {
		check(in_order(tcp->una, e->end, tcp->nxt));
		check(!before || seq_before(before->end, e->end));
	}
	check(count == tcp->busy->sent_times.count && count <= SENT_TIMES_MAX);
}

/* Of what is sent and not acknowledged each byte is still there to be sent again. */
static void check_sending(const struct reeve_tcp *tcp)
{
	const uint32_t flight = seq_distance(tcp->una, tcp->nxt);
	uint32_t queued = 0;

	for (uint32_t i = 0; i < tcp->busy->send.count; i++)
		queued += tcp->busy->send
				  .chunks[(tcp->busy->send.first + i) % tcp->busy->send.capacity]
				  .length;
	check(queued == tcp->busy->send.length && queued <= TCP_BUFFER_MAX + REEVE_FRAME_MAX);
	if (!tcp_is_synchronized(tcp))
		return;
	check(flight <= tcp->busy->send.length + (tcp->fin_sent ? 1u : 0u));
	check(tcp->busy->congestion.window > 0 &&
	      tcp->busy->congestion.window <= CONGESTION_WINDOW_MAX);
	check(tcp->mss > 0 && tcp->send_scale <= TCP_SCALE_MAX);
	check_scoreboard(tcp);
	check_sent_times(tcp);
}

/* Bytes in order, then a gap, then ranges with gaps between them. */
static void check_receiving(const struct reeve_tcp *tcp)
{
	const struct receive_queue *const q = &tcp->busy->receive;
	struct tcp_sack_block blocks[TCP_SACK_BLOCKS];
	uint32_t length = 0;

	for (uint32_t i = 0; i < q->count; i++)
		length += q->slices[(q->first + i) % q->capacity].length;
	check(length == q->length && q->range_count <= RECEIVE_RANGES_MAX);
	if (!tcp_is_synchronized(tcp))
		return;
	const unsigned count = receive_queue_sack(q, blocks, TCP_SACK_BLOCKS);

	check(count == (q->range_count < TCP_SACK_BLOCKS ? q->range_count : TCP_SACK_BLOCKS));
	for (unsigned i = 0; i < count; i++) {
		const struct tcp_seq start = { blocks[i].start }, end = { blocks[i].end };

		check(seq_before(tcp->rcv_nxt, start) && seq_before(start, end));
	}
}

/* Its one timer is there for the earliest of its deadlines, or before. */
static void check_timer(const struct reeve_tcp *tcp)
{
	struct reeve_time first = REEVE_NEVER;

	for (unsigned i = 0; i < TCP_DEADLINES; i++)
		first = reeve_time_min(first, tcp->busy->deadlines[i]);
	if (!reeve_time_is_never(first))
		check(timer_is_armed(&tcp->timer) && !reeve_time_before(first, tcp->timer.expires));
}

static void check_socket(const struct reeve_tcp *tcp)
{
	check(tcp->state <= REEVE_TCP_TIME_WAIT);
	check(tcp->owned || tcp->is_orphan || tcp->parent || tcp->intercepted);
	check(!tcp_is_synchronized(tcp) || tcp->syn_unanswered == (tcp->busy && tcp->busy->fast));
	if (!tcp->busy) {
		check(seq_equal(tcp->una, tcp->nxt) || !tcp_is_synchronized(tcp));
		return;
	}
	check_sending(tcp);
	check_receiving(tcp);
	check_timer(tcp);
}

static uint32_t check_listener(const struct tcp_listener *l)
{
	uint32_t accepted = 0, half_open = 0, pending = 0;

	list_for_each(node, &l->pending) {
		check(list_entry(node, struct tcp_fast_handshake, node)->listener == l);
		pending++;
	}
	check(pending == l->pending_count);
	list_for_each(node, &l->accept) {
		check_socket(list_entry(node, struct reeve_tcp, node));
		accepted++;
	}
	list_for_each(node, &l->half_open)
		half_open++;
	check(accepted == l->accept_count && half_open == l->half_open_count);
	return accepted + half_open;
}

void invariants_check(const struct reeve_host *host)
{
	const struct tcp_host *const t = host->tcp;
	uint32_t count = 0, half_open = 0, orphans = 0;

	list_for_each(node, &t->sockets) {
		const struct reeve_tcp *const tcp = list_entry(node, struct reeve_tcp, node);

		check_socket(tcp);
		count++;
		orphans += tcp->is_orphan;
	}
	list_for_each(node, &t->listeners) {
		const struct tcp_listener *const l = list_entry(node, struct tcp_listener, node);

		count += check_listener(l);
		half_open += l->half_open_count;
	}
	check(port_demux_wait_count(t->demux) == host->stats.tcp_time_wait);
	count += host->stats.tcp_time_wait;
	check(list_is_empty(&t->dead) && orphans == t->orphans && half_open == t->half_open);
	check(count == t->count && count <= host->config.max_sockets);
}
