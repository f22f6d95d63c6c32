/*
 * How connections end: by FIN both ways, by RST either way, or by giving up.
 */
#include <errno.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

/* A connection that nobody will ask for any more. */
static bool is_nobodys(const struct reeve_tcp *tcp)
{
	return !tcp->owned && !tcp->parent;
}

void tcp_fail(struct reeve_tcp *tcp, int error)
{
	tcp->host->stats.tcp_failed++;
	tcp->error = (int16_t)error;
	tcp->has_failed = true;
	tcp_detach(tcp);
	tcp_set_state(tcp, REEVE_TCP_CLOSED);
	if (is_nobodys(tcp))
		tcp_dispose(tcp);
	else
		tcp_raise(tcp, REEVE_FAILED);
}

void tcp_reset(struct reeve_tcp *tcp, int error)
{
	tcp_send_reset(tcp);
	tcp_fail(tcp, error);
}

void tcp_finish(struct reeve_tcp *tcp)
{
	tcp_detach(tcp);
	tcp_set_state(tcp, REEVE_TCP_CLOSED);
	if (is_nobodys(tcp))
		tcp_dispose(tcp);
	else
		tcp_raise(tcp, REEVE_CLOSED);
}

static void reset_at(const struct list *connections, const struct reeve_address *address)
{
	list_for_each_safe(node, connections) {
		struct reeve_tcp *const tcp = list_entry(node, struct reeve_tcp, node);

		if (tcp->has_flow && reeve_address_equal(&tcp->flow.local_address, address))
			tcp_reset(tcp, ECONNABORTED);
	}
}

/* RFC 5227, 2.4. What is half open ends by itself, as nothing is sent from the address. */
void tcp_address_lost(struct reeve_host *host, const struct reeve_address *address)
{
	struct tcp_host *const t = host->tcp;

	reset_at(&t->sockets, address);
	list_for_each(node, &t->listeners)
		reset_at(&list_entry(node, struct tcp_listener, node)->accept, address);
	tcp_reap(t);
}

/* The state changes with the call and not with the segment, as in Linux: the FIN may have to wait
 * behind data for long. */
void tcp_start_fin(struct reeve_tcp *tcp)
{
	if (tcp->fin_queued)
		return;
	tcp->fin_queued = true;
	if (tcp->state == REEVE_TCP_ESTABLISHED)
		tcp_set_state(tcp, REEVE_TCP_FIN_WAIT_1);
	else if (tcp->state == REEVE_TCP_CLOSE_WAIT)
		tcp_set_state(tcp, REEVE_TCP_LAST_ACK);
	tcp_mark_dirty(tcp);
}

void tcp_orphan(struct reeve_tcp *tcp)
{
	check(!tcp->is_orphan);
	tcp->owned = false;
	tcp->is_orphan = true;
	tcp_of(tcp)->orphans++;
	host_silence(&tcp->events);
	tcp_timer_keepalive(tcp);
}

/* The record's slot: a connection that is nobody's leaves its own. */
static bool take_slot_of(struct reeve_tcp *tcp)
{
	struct tcp_host *const t = tcp_of(tcp);

	if (!is_nobodys(tcp))
		return tcp_take_slot(t);
	t->count++; /* until tcp_finish() gives the connection's back, in a moment */
	return true;
}

/* Without memory for the record the connection just ends: TIME-WAIT is a precaution. */
void tcp_enter_time_wait(struct reeve_tcp *tcp)
{
	tcp_set_state(tcp, REEVE_TCP_TIME_WAIT);
	if (take_slot_of(tcp) && !tcp_time_wait_new(tcp))
		tcp_give_slot(tcp_of(tcp));
	tcp_finish(tcp);
}
