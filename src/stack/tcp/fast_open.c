/*
 * The server of TCP Fast Open (RFC 7413): cookies, and how many connections may carry data before their
 * peers have shown that they are there.
 *
 * A cookie is a keyed hash over both addresses and the period it was made in, so that nothing is kept
 * for it; it is good for two periods, and for as long as its key is one of two. Whoever brings one
 * that will not be good for long is sent the next.
 *
 * A connection that begins so is established at once, but for `syn_unanswered`: its SYN and ACK are what
 * the timer sends again, and until the peer acknowledges it the connection counts at its listener. One
 * that is reset before counts on for a minute: with one good cookie and forged addresses behind one
 * NAT a stranger would else have as many as it has packets (RFC 7413, 5.1).
 */
#include <stdlib.h>
#include <string.h>

#include "stack/tcp/conn_private.h"

#define PERIOD_BITS 45 /* of nanoseconds: almost ten hours */
#define SLOT_BITS   32 /* 4.3 s; TCP_FAST_SLOTS of them are more than a minute */

static uint64_t hash_names(const struct hash_key *key, const struct port_flow *flow,
			   uint64_t period)
{
	uint8_t bytes[40];

	memcpy(bytes, flow->local_address.bytes, 16);
	memcpy(bytes + 16, flow->remote_address.bytes, 16);
	memcpy(bytes + 32, &period, 8);
	return hash_bytes(key, bytes, sizeof(bytes));
}

static uint64_t period_of(const struct tcp_host *t)
{
	return (uint64_t)t->host->now.ns >> PERIOD_BITS;
}

void tcp_fast_cookie(const struct tcp_host *t, const struct port_flow *flow,
		     struct tcp_fast_open *ret)
{
	const uint64_t hash = hash_names(&t->fast_keys[0], flow, period_of(t));

	*ret = (struct tcp_fast_open){ .is_there = true, .length = sizeof(hash) };
	memcpy(ret->cookie, &hash, sizeof(hash));
}

bool tcp_fast_is_granted(const struct tcp_host *t, const struct tcp_segment *s, bool *ret_is_old)
{
	const struct tcp_fast_open *const o = &s->h.options.fast_open;
	const struct port_flow flow = {
		.local_address = s->how->destination,
		.remote_address = s->how->source,
	};
	const unsigned keys = t->has_old_fast_key ? 2 : 1;
	uint64_t brought;

	if (!o->is_there || o->length != sizeof(brought))
		return false;
	memcpy(&brought, o->cookie, sizeof(brought));
	for (unsigned key = 0; key < keys; key++) {
		for (unsigned age = 0; age < 2; age++) {
			if (hash_names(&t->fast_keys[key], &flow, period_of(t) - age) != brought)
				continue;
			*ret_is_old = key > 0 || age > 0;
			return true;
		}
	}
	return false;
}

void reeve_tcp_set_fast_open_keys(struct reeve_host *host, const uint8_t key[16],
				  const uint8_t old[16])
{
	struct tcp_host *const t = host->tcp;

	memcpy(&t->fast_keys[0], key, sizeof(t->fast_keys[0]));
	t->has_old_fast_key = old;
	if (old)
		memcpy(&t->fast_keys[1], old, sizeof(t->fast_keys[1]));
}

/* Slots that have become old are free for what comes. */
static uint32_t recent_resets(const struct tcp_listener *l)
{
	const uint64_t now = (uint64_t)tcp_now(l->tcp).ns >> SLOT_BITS;
	const struct tcp_fast_resets *const r = &l->resets;
	uint32_t sum = 0;

	for (uint64_t age = now - r->slot; age < TCP_FAST_SLOTS; age++)
		sum += r->count[(now - age) % TCP_FAST_SLOTS];
	return sum;
}

static void count_reset(struct tcp_listener *l)
{
	const uint64_t now = (uint64_t)tcp_now(l->tcp).ns >> SLOT_BITS;
	struct tcp_fast_resets *const r = &l->resets;

	if (now - r->slot >= TCP_FAST_SLOTS)
		memset(r->count, 0, sizeof(r->count));
	else
		for (uint64_t slot = r->slot + 1; slot <= now; slot++)
			r->count[slot % TCP_FAST_SLOTS] = 0;
	r->slot = now;
	r->count[now % TCP_FAST_SLOTS]++;
}

bool tcp_fast_is_served(const struct tcp_listener *l)
{
	const uint32_t most = l->tcp->settings.fast_open;

	return most > 0 && l->pending_count + recent_resets(l) < most;
}

bool tcp_fast_serve(struct reeve_tcp *tcp, struct tcp_listener *l, bool renews_cookie)
{
	struct tcp_fast_handshake *const fast = calloc(1, sizeof(*fast));

	if (!fast)
		return false;
	list_init(&fast->node);
	list_append(&l->pending, &fast->node);
	fast->listener = l;
	fast->renews_cookie = renews_cookie;
	l->pending_count++;
	tcp->busy->fast = fast;
	tcp->syn_unanswered = true;
	tcp->syn_due = true;
	return true;
}

void tcp_fast_free(struct tcp_busy *b)
{
	struct tcp_fast_handshake *const fast = take(b->fast);

	if (!fast)
		return;
	if (fast->listener) {
		fast->listener->pending_count--;
		list_remove(&fast->node);
	}
	free(fast);
}

/* The handshake is done. What else `s` acknowledges, if anything, is looked at as ever. */
void tcp_fast_answered(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	tcp->syn_unanswered = tcp->syn_due = false;
	tcp_fast_free(tcp->busy);
	tcp->retries = 0;
	tcp->rtt.backoff = 0;
	if (tcp->timing && !seq_before(s->ack, tcp->busy->timed_end)) {
		tcp->timing = false;
		rtt_sample(&tcp->rtt, reeve_time_since(tcp_now(tcp), tcp->busy->timed_at));
	} else if (tcp->syn_resent) {
		tcp->rtt.rto_ms = RTO_AFTER_SYN_MS;      /* RFC 6298, 5.7 */
		tcp->busy->congestion.window = tcp->mss; /* RFC 5681, 3.1 */
	}
	tcp->last_received = tcp_now(tcp);
	tcp->busy->stalled_since = tcp_now(tcp);
	tcp_timer_clear(tcp, TCP_DEADLINE_RETRANSMIT);
	tcp_mark_dirty(tcp);
}

void tcp_fast_reset(struct reeve_tcp *tcp)
{
	if (tcp->syn_unanswered && tcp->busy->fast && tcp->busy->fast->listener)
		count_reset(tcp->busy->fast->listener);
}

/* Those that were accepted live on. */
void tcp_fast_listener_close(struct tcp_listener *l)
{
	struct list *node;

	while ((node = list_pop(&l->pending)) != NULL)
		list_entry(node, struct tcp_fast_handshake, node)->listener = NULL;
	l->pending_count = 0;
}
