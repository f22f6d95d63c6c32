/*
 * Ranges beyond a gap are the first to go when the memory that all connections share runs short: what
 * the peer was told of them is taken back (RFC 2018, 8), and it sends them again. What is in order was
 * acknowledged, and is never given up; nor is a window that was offered.
 *
 * The connections with ranges are in a list, the one whose gap opened first in front: a peer that leaves a
 * gap open on purpose is the first to lose by it.
 */
#include "stack/tcp/conn_private.h"

void tcp_note_gaps(struct reeve_tcp *tcp)
{
	struct tcp_busy *const b = tcp->busy;

	if (b->receive.range_count == 0)
		list_remove(&b->gaps);
	else if (!list_is_linked(&b->gaps))
		list_append(&tcp_of(tcp)->gaps, &b->gaps);
}

void tcp_give_up_ranges(struct tcp_host *t)
{
	struct list *node;

	while (pool_is_short(t->host->pool) && (node = list_pop(&t->gaps)) != NULL)
		receive_queue_prune(&list_entry(node, struct tcp_busy, gaps)->receive);
}
