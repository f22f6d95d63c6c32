/*
 * TIME-WAIT (RFC 9293, 3.6.1): the last ACK can be lost and segments can be late, so the pair of
 * sockets is kept from a new connection for 60 s. Of the connection only what answers need stays.
 *
 * All records live equally long, so they stand in one list in the order of their end, and need one
 * timer together.
 */
#include "base/check.h"
#include "stack/tcp/conn_private.h"

#define ISS_STEP 65537 /* a new connection's sequence numbers begin beyond the old ones: Linux's */

void tcp_time_wait_free(struct tcp_host *t, struct tcp_time_wait *w, bool in_demux)
{
	if (in_demux)
		port_demux_remove_flow(t->demux, &w->flow);
	port_space_release(t->space, &w->port);
	list_remove(&w->node);
	if (list_is_empty(&t->time_wait))
		timer_disarm(&t->host->timers, &t->time_wait_timer);
	t->host->stats.tcp_time_wait--;
	tcp_give_slot(t);
	slab_free(&t->time_waits, w);
}

bool tcp_time_wait_evict(struct tcp_host *t)
{
	struct list *const node = list_first(&t->time_wait);

	if (!node)
		return false;
	tcp_time_wait_free(t, list_entry(node, struct tcp_time_wait, node), true);
	return true;
}

void tcp_time_wait_expire(struct tcp_host *t)
{
	struct list *node;

	while ((node = list_first(&t->time_wait)) != NULL) {
		struct tcp_time_wait *const w = list_entry(node, struct tcp_time_wait, node);

		if (reeve_time_before(t->host->now, w->expires)) {
			timer_arm(&t->host->timers, &t->time_wait_timer, w->expires);
			return;
		}
		tcp_time_wait_free(t, w, true);
	}
}

/* `limited`: not more often than a challenge ACK, where an answer could cause another. */
static void answer(struct tcp_host *t, struct tcp_time_wait *w, bool limited)
{
	struct tcp_emit e = {
		.flow = &w->flow,
		.ttl = w->ttl,
		.tos = w->tos,
		.header = {
			.sequence = w->snd_nxt.n,
			.acknowledgment = w->rcv_nxt.n,
			.flags = TCP_ACK,
			.window = w->window,
		},
	};

	if (limited && w->has_answered &&
	    reeve_time_since(t->host->now, w->last_answer) < TCP_CHALLENGE_MS * REEVE_NS_PER_MS)
		return;
	w->has_answered = true;
	w->last_answer = t->host->now;
	e.header.options.has_timestamps = w->timestamps;
	e.header.options.timestamp = tcp_timestamp(t, w->ts_offset);
	e.header.options.timestamp_echo = w->ts_recent;
	tcp_emit_empty(t, &e);
}

/* RFC 6191, 2: a SYN that is surely newer than anything of the old connection. */
static bool is_new_connection(const struct tcp_time_wait *w, const struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;

	if ((s->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	if (w->timestamps && o->has_timestamps) {
		if (o->timestamp != w->ts_recent)
			return (int32_t)(o->timestamp - w->ts_recent) > 0;
	}
	return seq_after(s->seq, w->rcv_nxt);
}

/* The listener at its port, if there is still one: it gets the SYN. */
static bool replace(struct tcp_host *t, struct tcp_time_wait *w, struct tcp_segment *s)
{
	const struct reeve_sockaddr local = { w->flow.local_address, w->flow.local_port, 0 };
	const struct reeve_sockaddr remote = { w->flow.remote_address, w->flow.remote_port, 0 };
	struct port_listener *const found = port_demux_find_listener(t->demux, &local, &remote);

	if (!found)
		return false;

	const struct tcp_seq iss = seq_add(w->snd_nxt, ISS_STEP);

	tcp_time_wait_free(t, w, true);
	tcp_listen_syn(container_of(found, struct tcp_listener, port), s, &iss);
	return true;
}

/* 2 MSL from now again: the peer has not got our last ACK (RFC 9293, 3.10.7.4, eighth). */
static void restart(struct tcp_host *t, struct tcp_time_wait *w)
{
	w->expires = reeve_time_add(t->host->now, TCP_TIME_WAIT_S * REEVE_NS_PER_S);
	list_remove(&w->node);
	list_append(&t->time_wait, &w->node);
}

void tcp_time_wait_input(struct tcp_host *t, struct tcp_time_wait *w, struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;

	if (s->h.flags & TCP_RST) { /* RFC 1337, 3, (1): not even one that fits ends it */
		tcp_segment_drop(t, s, REEVE_DROP_TCP_BLIND);
		return;
	}
	if (is_new_connection(w, s) && replace(t, w, s))
		return;
	if (w->timestamps && o->has_timestamps && (int32_t)(o->timestamp - w->ts_recent) < 0) {
		answer(t, w, true);
		tcp_segment_drop(t, s, REEVE_DROP_TCP_PAWS);
		return;
	}

	const struct tcp_seq end = seq_add(s->seq, s->length + 1);

	if ((s->h.flags & TCP_FIN) && seq_equal(end, w->rcv_nxt)) {
		restart(t, w);
		answer(t, w, false);
		tcp_segment_drop(t, s, REEVE_DROP_TCP_DUPLICATE);
		return;
	}
	/* A pure ACK that is right needs no answer; all else hears where we are. */
	if (s->length > 0 || (s->h.flags & (TCP_SYN | TCP_FIN)) || !seq_equal(s->seq, w->rcv_nxt))
		answer(t, w, true);
	tcp_segment_drop(t, s, REEVE_DROP_TCP_SEQUENCE);
}
