/*
 * The client of TCP Fast Open (RFC 7413): the cookies that peers have granted, and the SYN with data.
 *
 * What is known of a peer is kept by its address, for TCP_FAST_PEERS of them; the one that was used
 * least recently makes room. A peer, or a path to it, that does not answer such a SYN, or not with what
 * was hoped for, is left alone with it for a minute, and twice as long each time it happens again.
 *
 * Until the SYN has gone the send queue takes what fits into it. Sequence numbers of that data lie behind
 * the SYN's as ever, so `nxt` is behind them while the peer may acknowledge them; what it does not take
 * goes once more, as data that was never sent.
 */
#include <stdlib.h>

#include "stack/tcp/conn_private.h"

#define SILENCE_MS  60000
#define LOSSES_MOST 8
#define OPTIONS_MAX (TCP_HEADER_MAX - TCP_HEADER_MIN)

static struct tcp_fast_peer *find(const struct tcp_host *t, const struct reeve_address *address)
{
	for (unsigned i = 0; t->fast_peers && i < TCP_FAST_PEERS; i++)
		if (t->fast_peers[i].used.ns > 0 &&
		    reeve_address_equal(&t->fast_peers[i].address, address))
			return &t->fast_peers[i];
	return NULL;
}

/* The peer's entry, which may be a new one; NULL: no memory. */
static struct tcp_fast_peer *find_or_make(struct tcp_host *t, const struct reeve_address *address)
{
	struct tcp_fast_peer *peer = find(t, address);

	if (!t->fast_peers)
		t->fast_peers = calloc(TCP_FAST_PEERS, sizeof(*t->fast_peers));
	if (peer || !t->fast_peers)
		return peer;
	peer = &t->fast_peers[0];
	for (unsigned i = 1; i < TCP_FAST_PEERS; i++)
		if (reeve_time_before(t->fast_peers[i].used, peer->used))
			peer = &t->fast_peers[i];
	*peer = (struct tcp_fast_peer){ .address = *address };
	return peer;
}

static void touch(const struct tcp_host *t, struct tcp_fast_peer *peer)
{
	peer->used = t->host->now;
	if (peer->used.ns <= 0)
		peer->used.ns = 1;
}

/* RFC 7413, 4.1.3.1. */
static void note_failure(struct reeve_tcp *tcp)
{
	struct tcp_host *const t = tcp_of(tcp);
	struct tcp_fast_peer *const peer = find_or_make(t, &tcp->flow.remote_address);

	if (!peer)
		return;
	touch(t, peer);
	peer->silent_until = reeve_time_add_ms(t->host->now, (int64_t)SILENCE_MS << peer->losses);
	if (peer->losses < LOSSES_MOST)
		peer->losses++;
}

static void note_success(struct reeve_tcp *tcp, const struct tcp_fast_open *granted)
{
	struct tcp_host *const t = tcp_of(tcp);
	struct tcp_fast_peer *const peer = granted->length > 0
						   ? find_or_make(t, &tcp->flow.remote_address)
						   : find(t, &tcp->flow.remote_address);

	if (!peer)
		return;
	touch(t, peer);
	peer->losses = 0;
	peer->silent_until = (struct reeve_time){ 0 };
	peer->mss = tcp->peer_mss;
	if (granted->length > 0)
		peer->option = *granted;
}

/* RFC 7413, 4.2.1 and 4.1.3: no more than fits the MSS that the peer has told with the cookie. All the
 * options that a SYN may have are left out of it. */
static uint16_t room_for(const struct reeve_tcp *tcp, const struct ip_route *route,
			 const struct tcp_fast_peer *peer)
{
	uint16_t mss = tcp_route_mss(route, &tcp->flow.remote_address);

	if (tcp->settings.max_segment && tcp->settings.max_segment < mss)
		mss = tcp->settings.max_segment;
	if (peer->mss < mss)
		mss = peer->mss;
	return mss > OPTIONS_MAX ? (uint16_t)(mss - OPTIONS_MAX) : 0;
}

bool tcp_fast_begin(struct reeve_tcp *tcp, const struct ip_route *route)
{
	struct tcp_host *const t = tcp_of(tcp);
	struct tcp_fast_peer *const peer = find(t, &tcp->flow.remote_address);
	struct tcp_fast_handshake *fast;

	tcp->learned.fast_failure = REEVE_FAST_OPEN_NO_COOKIE;
	if (peer && reeve_time_before(t->host->now, peer->silent_until))
		return false;
	fast = calloc(1, sizeof(*fast));
	if (!fast)
		return false;
	list_init(&fast->node);
	tcp->busy->fast = fast;
	fast->option.is_there = true;
	if (!peer || peer->option.length == 0)
		return false;
	touch(t, peer);
	fast->option = peer->option;
	fast->room = room_for(tcp, route, peer);
	fast->waits = fast->room > 0;
	tcp->learned.fast_failure = REEVE_FAST_OPEN_FINE;
	return fast->waits;
}

uint32_t tcp_fast_room(const struct reeve_tcp *tcp)
{
	const struct tcp_fast_handshake *const fast = tcp->busy ? tcp->busy->fast : NULL;

	if (!fast || tcp->state != REEVE_TCP_SYN_SENT || !seq_equal(tcp->nxt, tcp->iss) ||
	    tcp->busy->send.length >= fast->room)
		return 0;
	return fast->room - tcp->busy->send.length;
}

void tcp_fast_written(struct reeve_tcp *tcp)
{
	if (!tcp->busy || !tcp->busy->fast || !tcp->busy->fast->waits)
		return;
	tcp->busy->fast->waits = false;
	tcp->busy->stalled_since = tcp_now(tcp);
	tcp->syn_due = true;
}

bool reeve_tcp_awaits_write(const struct reeve_tcp *tcp)
{
	return tcp->state == REEVE_TCP_SYN_SENT && tcp->busy->fast && tcp->busy->fast->waits;
}

/* Once a handshake. */
void tcp_fast_failed(struct reeve_tcp *tcp)
{
	struct tcp_fast_handshake *const fast = tcp->busy ? tcp->busy->fast : NULL;

	if (!fast || fast->is_over || tcp->state != REEVE_TCP_SYN_SENT)
		return;
	fast->is_over = true;
	note_failure(tcp);
}

/* What of the SYN's data was acknowledged leaves the queue; the rest was not taken. */
static void settle_data(struct reeve_tcp *tcp, const struct tcp_fast_handshake *fast,
			struct tcp_seq ack)
{
	const uint32_t taken = seq_distance(tcp->una, ack);

	send_queue_ack(&tcp->busy->send, taken);
	tcp->bytes_acked += taken;
	tcp->una = tcp->nxt = ack;
	tcp->busy->small_end = tcp->busy->resent_high = tcp->busy->rack.high = ack;
	tcp->learned.syn_data = taken > 0;
	if (taken < fast->sent)
		tcp->learned.fast_failure = tcp->syn_resent ? REEVE_FAST_OPEN_SYN_RESENT
							    : REEVE_FAST_OPEN_DATA_NOT_TAKEN;
}

void tcp_fast_established(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	const struct tcp_fast_handshake *const fast = tcp->busy->fast;
	const struct tcp_fast_open *const granted = &s->h.options.fast_open;
	const bool has_cookie = granted->is_there && granted->length > 0;

	if (!fast)
		return;
	settle_data(tcp, fast, s->ack);
	/* With data in the SYN: it was taken, or a better cookie came instead. */
	if (has_cookie || tcp->learned.syn_data || (fast->sent == 0 && !fast->is_over))
		note_success(tcp, granted);
	else if (!fast->is_over)
		note_failure(tcp);
	tcp_fast_free(tcp->busy);
}
