/*
 * SYN cookies (RFC 4987, 3.6): when a listener has as many half-open connections as it may, the next SYN
 * is answered and forgotten. All that is needed to make the connection comes back with the ACK:
 *
 *	in the sequence number, a keyed hash over both names, the peer's number, the time and the
 *	MSS (29 bits), and which MSS of a table it is (3 bits);
 *	in the low bits of the timestamp, window scale (4 bits, 15: none), SACK and ECN (1 bit each).
 *
 * The bits in the timestamp need no hash: they only say what the peer itself can do. To a peer without
 * timestamps none of these is offered. A stranger who guesses is right once in 2^28 segments,
 * and only for two periods after the listener has last sent a cookie.
 */
#include <string.h>

#include "stack/iface.h"
#include "stack/tcp/conn_private.h"

#define PERIOD_BITS  36 /* of nanoseconds: 69 s; a cookie is good for that long, and at most twice */
#define SIZE_BITS    3
#define NO_SCALE     15
#define SACK_BIT     16
#define ECN_BIT      32
#define OPTIONS_MASK 63 /* of a timestamp, in ms */

/* The largest that is not larger than the peer's. */
static const uint16_t sizes[1 << SIZE_BITS] = {
	TCP_MSS_MIN, 536, 1220, 1360, 1440, 1460, 4312, 8960,
};

static uint32_t size_index(uint16_t mss)
{
	uint32_t i = (1 << SIZE_BITS) - 1;

	while (i > 0 && sizes[i] > mss)
		i--;
	return i;
}

static uint32_t period_of(struct reeve_time now)
{
	return (uint32_t)((uint64_t)now.ns >> PERIOD_BITS);
}

static struct tcp_seq make(const struct tcp_host *t, const struct tcp_half_open *h, uint32_t period,
			   uint32_t index)
{
	const struct port_flow *const flow = &h->flow;
	uint8_t bytes[48] = { 0 };

	memcpy(bytes, flow->local_address.bytes, 16);
	memcpy(bytes + 16, flow->remote_address.bytes, 16);
	memcpy(bytes + 32, &flow->local_port, 2);
	memcpy(bytes + 34, &flow->remote_port, 2);
	memcpy(bytes + 36, &h->irs.n, 4);
	memcpy(bytes + 40, &period, 4);
	memcpy(bytes + 44, &index, 4);

	const uint32_t hash = (uint32_t)hash_bytes(&t->cookie_key, bytes, sizeof(bytes));

	return (struct tcp_seq){ hash << SIZE_BITS | index };
}

/* The time of now or a little before, with the options in its low bits. */
static uint32_t timestamp_with_options(const struct tcp_host *t, const struct tcp_half_open *h)
{
	const uint32_t now = tcp_timestamp(t, h->ts_offset);
	const uint32_t bits = (h->scaling ? h->send_scale : NO_SCALE) | (h->sack ? SACK_BIT : 0) |
			      (h->ecn ? ECN_BIT : 0);
	const uint32_t value = (now & ~(uint32_t)OPTIONS_MASK) | bits;

	return (int32_t)(value - now) > 0 ? value - (OPTIONS_MASK + 1) : value;
}

/* A flood's answers go nowhere; they must not be all that goes out. */
static bool is_crowded(const struct tcp_host *t, const struct tcp_segment *s)
{
	struct ip_route route;

	return ip_route(t->host, &s->how->source, &s->how->destination, &route) == 0 &&
	       iface_is_crowded(t->host, route.iface);
}

bool tcp_cookie_answer(struct tcp_listener *l, const struct tcp_segment *s)
{
	struct tcp_host *const t = tcp_of(l->tcp);
	struct tcp_half_open h;

	if (is_crowded(t, s))
		return false;
	tcp_half_open_learn(&h, l, s);
	if (!h.timestamps) {
		h.sack = h.scaling = h.ecn = false;
		h.send_scale = h.receive_scale = 0;
	}
	h.iss = make(t, &h, period_of(t->host->now), size_index(h.peer_mss));
	l->has_sent_cookies = true;
	l->last_cookie = t->host->now;
	t->host->stats.tcp_cookies_out++;
	tcp_half_open_emit(t, &h, timestamp_with_options(t, &h));
	return true;
}

static bool is_ours(const struct tcp_host *t, const struct tcp_half_open *h)
{
	const uint32_t index = h->iss.n & ((1 << SIZE_BITS) - 1);
	const uint32_t now = period_of(t->host->now);

	return seq_equal(h->iss, make(t, h, now, index)) ||
	       seq_equal(h->iss, make(t, h, now - 1, index));
}

/* What was agreed upon, from what has come back. */
static void restore(struct tcp_half_open *h, const struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;
	const uint32_t bits = o->timestamp_echo & OPTIONS_MASK;
	const uint8_t scale = (uint8_t)(bits & NO_SCALE);

	h->peer_mss = sizes[h->iss.n & ((1 << SIZE_BITS) - 1)];
	h->sack = h->timestamps && (bits & SACK_BIT);
	h->scaling = h->timestamps && scale != NO_SCALE;
	h->ecn = h->timestamps && (bits & ECN_BIT);
	if (!h->scaling)
		return;
	h->send_scale = scale;
	h->receive_scale = tcp_window_scale(tcp_of(h->listener->tcp), &h->listener->tcp->settings);
}

bool tcp_cookie_input(struct tcp_listener *l, struct tcp_segment *s)
{
	struct tcp_host *const t = tcp_of(l->tcp);
	struct tcp_half_open h;

	if (!l->has_sent_cookies || period_of(t->host->now) - period_of(l->last_cookie) > 1 ||
	    (s->h.flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
		return false;
	tcp_half_open_learn(&h, l, s);
	h.irs = seq_sub(s->seq, 1);
	h.iss = seq_sub(s->ack, 1);
	h.by_cookie = true;
	if (!is_ours(t, &h))
		return false;
	restore(&h, s);
	t->host->stats.tcp_cookies_in++;
	tcp_half_open_redeem(t, &h, s);
	return true;
}
