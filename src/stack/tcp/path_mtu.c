/*
 * How long a segment may be: what the route, the peer and the owner allow, and what the path is found
 * to carry. ICMP says it where it gets through (icmp_error.c). Where it does not, long segments vanish
 * without a word; then the path is searched by itself (RFC 4821; RFC 8899):
 *
 *	a black hole	two timeouts in a row, and what is in flight is longer than BASE: segments of
 *			BASE from now on, and if these vanish too, the shortest that a path has to carry
 *	search		new data goes as one longer segment now and then: first as long as it was, then
 *			half way between what arrives and what does not
 *	a rest		what is found holds for ten minutes; then it may have become more
 *
 * A probe that is lost says that it was too long, and nothing of congestion (RFC 4821, 7.6): the window
 * comes back if it was all that was lost.
 */
#include "stack/tcp/conn_private.h"

#define BASE_MTU      1200u           /* RFC 8899, 5.1.2 */
#define RESOLUTION    16u             /* less is not worth a probe */
#define PROBES        2               /* of one size, as one may be lost for another reason */
#define RAISE_MS      INT64_C(600000) /* RFC 8899, 5.1.1; RFC 1191, 6.3 */
#define HOLE_TIMEOUTS 2
#define MINUTE_NS     (60 * REEVE_NS_PER_S)

static uint32_t mss_at(const struct reeve_tcp *tcp, const struct ip_route *route, uint32_t mtu)
{
	struct ip_route path = *route;

	if (mtu < path.mtu)
		path.mtu = mtu;

	uint32_t mss = tcp_route_mss(&path, &tcp->flow.remote_address);

	if (tcp->settings.max_segment && tcp->settings.max_segment < mss)
		mss = tcp->settings.max_segment;
	if (tcp->peer_mss && tcp->peer_mss < mss)
		mss = tcp->peer_mss;
	if (mss < TCP_MSS_MIN)
		mss = TCP_MSS_MIN;
	return tcp->timestamps ? mss - TCP_TIMESTAMPS_LENGTH : mss;
}

void tcp_update_mss(struct reeve_tcp *tcp, const struct ip_route *route)
{
	const uint32_t mss = mss_at(tcp, route, tcp->path_mtu ? tcp->path_mtu : UINT16_MAX);

	if (mss == tcp->mss)
		return;
	tcp->mss = (uint16_t)mss;
	if (tcp->busy->congestion.ops)
		congestion_set_mss(&tcp->busy->congestion, mss);
}

static void settle(struct reeve_tcp *tcp)
{
	struct tcp_path *const p = &tcp->busy->path;

	p->high = 0;
	p->failures = 0;
	p->settled_at = tcp_now(tcp);
}

static void search(struct reeve_tcp *tcp, uint32_t high)
{
	struct tcp_path *const p = &tcp->busy->path;

	p->high = (uint16_t)high;
	p->failures = 0;
	p->is_out = false;
	p->tries_high = true;
}

static uint32_t current_mtu(const struct reeve_tcp *tcp, const struct ip_route *route)
{
	const uint32_t most = route->mtu < UINT16_MAX ? route->mtu : UINT16_MAX;

	return tcp->path_mtu && tcp->path_mtu < most ? tcp->path_mtu : most;
}

static uint16_t minute_of(struct reeve_time t)
{
	return (uint16_t)(t.ns / MINUTE_NS);
}

void tcp_path_remember(const struct tcp_path *p, struct tcp_learned *ret)
{
	ret->path_high = p->high;
	ret->path_tries_high = p->tries_high;
	ret->path_failures = p->failures;
	ret->path_minute = minute_of(p->settled_at);
}

void tcp_path_recall(struct reeve_tcp *tcp)
{
	struct tcp_path *const p = &tcp->busy->path;
	const struct reeve_time now = tcp_now(tcp);
	const uint16_t minutes = (uint16_t)(minute_of(now) - tcp->learned.path_minute);

	p->high = tcp->learned.path_high;
	p->tries_high = tcp->learned.path_tries_high;
	p->failures = tcp->learned.path_failures;
	p->settled_at = reeve_time_add(now, -minutes * MINUTE_NS);
}

void tcp_path_lowered(struct reeve_tcp *tcp, const struct ip_route *route, uint32_t mtu)
{
	tcp->path_mtu = (uint16_t)mtu;
	tcp->busy->path.is_out = false;
	settle(tcp);
	tcp_update_mss(tcp, route);
	tcp_recovery_resize(tcp);
}

void tcp_path_refused(struct reeve_tcp *tcp, uint32_t mtu)
{
	struct tcp_path *const p = &tcp->busy->path;

	/* That it is lost is seen by itself. */
	if (p->is_out && mtu < p->mtu && p->high > mtu) {
		p->high = (uint16_t)mtu;
		p->tries_high = true;
	}
}

/* The next lower size that is worth a try; 0: there is none. Less than BASE only where that was not
 * enough. */
static uint32_t lower_mtu(const struct reeve_tcp *tcp, uint32_t mtu)
{
	if (mtu > BASE_MTU)
		return BASE_MTU;
	return tcp->busy->path.high && mtu > TCP_PMTU_MIN &&
			       reeve_address_is_ipv4(&tcp->flow.remote_address)
		       ? TCP_PMTU_MIN
		       : 0;
}

void tcp_path_timeout(struct reeve_tcp *tcp)
{
	struct ip_route route;

	/* Each second timeout, the one at hand included. */
	if ((tcp->rtt.backoff + 1) % HOLE_TIMEOUTS ||
	    ip_route(tcp->host, &tcp->flow.remote_address, &tcp->flow.local_address, &route) < 0)
		return;

	const uint32_t mtu = current_mtu(tcp, &route), lower = lower_mtu(tcp, mtu);

	if (lower == 0 || mss_at(tcp, &route, lower) >= tcp->mss ||
	    tcp_in_flight(tcp) <= mss_at(tcp, &route, lower))
		return; /* it is not their length */
	/* The line may have been cut for a while, and carry as much as ever: that is tried first. */
	search(tcp, tcp->busy->path.high ? tcp->busy->path.high : mtu);
	tcp->path_mtu = (uint16_t)lower;
	tcp_update_mss(tcp, &route);
}

/* The size that is to be tried next; 0: none. */
static uint32_t next_mtu(struct reeve_tcp *tcp, const struct ip_route *route)
{
	struct tcp_path *const p = &tcp->busy->path;
	const uint32_t low = current_mtu(tcp, route);

	if (p->high == 0 && low < route->mtu &&
	    reeve_time_since(tcp_now(tcp), p->settled_at) >= RAISE_MS * REEVE_NS_PER_MS)
		search(tcp, route->mtu < UINT16_MAX ? route->mtu : UINT16_MAX);
	if (p->high == 0)
		return 0;
	if (p->high > route->mtu)
		p->high = (uint16_t)route->mtu;
	if (p->high <= low || (!p->tries_high && p->high - low < RESOLUTION)) {
		settle(tcp);
		return 0;
	}
	return p->tries_high ? p->high : (low + p->high + 1U) / 2;
}

uint32_t tcp_path_probe(struct reeve_tcp *tcp, const struct ip_route *route, uint32_t most)
{
	struct tcp_path *const p = &tcp->busy->path;

	if (p->is_out || (p->high == 0 && tcp->path_mtu == 0) || tcp->rtt.backoff > 0 ||
	    tcp->busy->recovery != TCP_RECOVERY_OPEN || tcp->urgent_out)
		return 0;

	const uint32_t mtu = next_mtu(tcp, route);

	if (mtu == 0)
		return 0;

	const uint32_t payload = mss_at(tcp, route, mtu);

	if (payload <= tcp->mss) {
		settle(tcp); /* the peer takes no longer ones */
		return 0;
	}
	if (payload > most)
		return 0;
	p->mtu = (uint16_t)mtu;
	return payload;
}

void tcp_path_probed(struct reeve_tcp *tcp, struct tcp_seq start, uint32_t length)
{
	struct tcp_path *const p = &tcp->busy->path;

	p->start = start;
	p->end = seq_add(start, length);
	p->is_out = true;
}

void tcp_path_acked(struct reeve_tcp *tcp)
{
	struct tcp_path *const p = &tcp->busy->path;

	if (!p->is_out || seq_before(tcp->una, p->end))
		return;
	p->is_out = false;
	p->failures = 0;
	tcp->path_mtu = p->mtu;
}

void tcp_path_resent(struct reeve_tcp *tcp, struct tcp_seq start, struct tcp_seq end)
{
	struct tcp_path *const p = &tcp->busy->path;

	/* Pieces of it are its own still. */
	if (!seq_within(start, p->start, p->end) || !seq_within(end, p->start, p->end)) {
		p->is_lost_alone = false;
		return;
	}
	if (!p->is_out)
		return;
	p->is_out = false;
	p->is_lost_alone = tcp->busy->recovery == TCP_RECOVERY_FAST && tcp->busy->undo_resends == 0;
	if (++p->failures < PROBES)
		return;
	p->failures = 0;
	p->tries_high = false;
	if (p->high >= p->mtu)
		p->high = (uint16_t)(p->mtu - 1);
}
