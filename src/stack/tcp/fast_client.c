/*
 * The client of TCP Fast Open (RFC 7413): the cookies that peers have granted, and the SYN with data.
 *
 * What is known is kept in TCP_FAST_NOTES notes; the one that was used least recently makes room. A
 * cookie is of both addresses and good for all ports (4.1.3). A port that does not answer such a SYN,
 * or not with what was hoped for, is left alone with it for a minute, and twice as long each time it
 * happens again (4.1.3.1): of one address, another port may have a server that does Fast Open.
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
#define ANY_PORT    0 /* of the note that has the cookie */

static struct tcp_fast_note *find(const struct tcp_host *t, const struct port_flow *flow,
				  uint16_t port)
{
	for (unsigned i = 0; t->fast_notes && i < TCP_FAST_NOTES; i++) {
		struct tcp_fast_note *const n = &t->fast_notes[i];

		if (n->used.ns > 0 && n->port == port &&
		    reeve_address_equal(&n->remote, &flow->remote_address) &&
		    reeve_address_equal(&n->local, &flow->local_address))
			return n;
	}
	return NULL;
}

static void touch(const struct tcp_host *t, struct tcp_fast_note *n)
{
	n->used = t->host->now;
	if (n->used.ns <= 0)
		n->used.ns = 1;
}

/* The note, which may be a new one; NULL: no memory. */
static struct tcp_fast_note *find_or_make(struct tcp_host *t, const struct port_flow *flow,
					  uint16_t port)
{
	struct tcp_fast_note *n = find(t, flow, port);

	if (!t->fast_notes)
		t->fast_notes = calloc(TCP_FAST_NOTES, sizeof(*t->fast_notes));
	if (!t->fast_notes)
		return NULL;
	if (!n) {
		n = &t->fast_notes[0];
		for (unsigned i = 1; i < TCP_FAST_NOTES; i++)
			if (reeve_time_before(t->fast_notes[i].used, n->used))
				n = &t->fast_notes[i];
		*n = (struct tcp_fast_note){
			.local = flow->local_address,
			.remote = flow->remote_address,
			.port = port,
		};
	}
	touch(t, n);
	return n;
}

/* RFC 7413, 4.1.3.1. */
static void note_failure(struct reeve_tcp *tcp)
{
	struct tcp_host *const t = tcp_of(tcp);
	struct tcp_fast_note *const n = find_or_make(t, &tcp->flow, tcp->flow.remote_port);

	if (!n)
		return;
	if (n->losses < LOSSES_MOST)
		n->losses++;
	n->silent_until = reeve_time_add_ms(t->host->now, (int64_t)SILENCE_MS << (n->losses - 1));
}

/* The same attempt has failed once more: the time counts from now. */
static void note_again(struct reeve_tcp *tcp)
{
	struct tcp_host *const t = tcp_of(tcp);
	struct tcp_fast_note *const n = find(t, &tcp->flow, tcp->flow.remote_port);

	if (n && n->losses > 0)
		n->silent_until =
			reeve_time_add_ms(t->host->now, (int64_t)SILENCE_MS << (n->losses - 1));
}

static void note_success(struct reeve_tcp *tcp)
{
	struct tcp_fast_note *const n = find(tcp_of(tcp), &tcp->flow, tcp->flow.remote_port);

	if (n)
		*n = (struct tcp_fast_note){ 0 };
}

/* RFC 7413, 4.2.2, "client: receiving SYN-ACK": cookie and MSS are what was told last. */
static void note_answer(struct reeve_tcp *tcp, const struct tcp_fast_open *granted)
{
	struct tcp_host *const t = tcp_of(tcp);
	const bool is_granted = granted->is_there && granted->length > 0;
	struct tcp_fast_note *const n =
		is_granted ? find_or_make(t, &tcp->flow, ANY_PORT) : find(t, &tcp->flow, ANY_PORT);

	if (n)
		n->mss = tcp->peer_mss;
	if (n && is_granted)
		n->option = *granted;
}

/* RFC 7413, 4.1.3 and 4.2.2: no more than fits the MSS that the peer has told with the cookie. All the
 * options that a SYN may have are left out of it. */
static uint16_t room_for(const struct reeve_tcp *tcp, const struct ip_route *route,
			 const struct tcp_fast_note *cookie)
{
	uint16_t mss = tcp_route_mss(route, &tcp->flow.remote_address);

	if (tcp->settings.max_segment && tcp->settings.max_segment < mss)
		mss = tcp->settings.max_segment;
	if (cookie->mss < mss)
		mss = cookie->mss;
	return mss > OPTIONS_MAX ? (uint16_t)(mss - OPTIONS_MAX) : 0;
}

bool tcp_fast_begin(struct reeve_tcp *tcp, const struct ip_route *route)
{
	struct tcp_host *const t = tcp_of(tcp);
	const struct tcp_fast_note *const silence = find(t, &tcp->flow, tcp->flow.remote_port);
	struct tcp_fast_note *const cookie = find(t, &tcp->flow, ANY_PORT);
	struct tcp_fast_handshake *fast;

	tcp->learned.fast_failure = REEVE_FAST_OPEN_NO_COOKIE;
	if (silence && reeve_time_before(t->host->now, silence->silent_until))
		return false;
	fast = calloc(1, sizeof(*fast));
	if (!fast)
		return false;
	list_init(&fast->node);
	tcp->busy->fast = fast;
	fast->option.is_there = true;
	if (!cookie)
		return false;
	touch(t, cookie);
	fast->option = cookie->option;
	fast->room = room_for(tcp, route, cookie);
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

/* It counts once a handshake. */
void tcp_fast_failed(struct reeve_tcp *tcp)
{
	struct tcp_fast_handshake *const fast = tcp->busy ? tcp->busy->fast : NULL;

	if (!fast || tcp->state != REEVE_TCP_SYN_SENT)
		return;
	if (fast->is_over)
		note_again(tcp);
	else
		note_failure(tcp);
	fast->is_over = true;
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
	tcp->urgent_out = tcp->urgent_out && seq_before(ack, tcp->busy->urgent_end);
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
	note_answer(tcp, granted);
	/* With data in the SYN: it was taken, or a better cookie came instead. */
	if (has_cookie || tcp->learned.syn_data || (fast->sent == 0 && !fast->is_over))
		note_success(tcp);
	else if (!fast->is_over)
		note_failure(tcp);
	tcp_fast_free(tcp->busy);
}
