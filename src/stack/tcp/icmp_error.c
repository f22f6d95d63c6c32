/*
 * ICMP errors about our segments (RFC 1122, 4.2.3.9; RFC 5927; RFC 1191). Anyone can send one: it
 * is believed only about a segment that is in flight, and never ends an established connection.
 */
#include <errno.h>

#include "stack/tcp/conn_private.h"

#define PMTU_MAX 65535

/* RFC 5927, 4.1. */
static bool is_in_flight(const struct reeve_tcp *tcp, const struct icmp_error *e)
{
	const struct tcp_seq s = { e->sequence };

	return seq_until(tcp->una, s) && seq_before(s, tcp->nxt);
}

/* RFC 1191, 3; RFC 5927, 7.1: only downwards, and not below a floor. */
static void lower_mtu(struct reeve_tcp *tcp, uint32_t mtu)
{
	struct ip_route route;

	if (mtu == 0 || mtu > PMTU_MAX)
		return;
	if (mtu < TCP_PMTU_MIN)
		mtu = TCP_PMTU_MIN;
	tcp_path_refused(tcp, mtu);
	if (tcp->path_mtu && mtu >= tcp->path_mtu)
		return;
	if (ip_route(tcp->host, &tcp->flow.remote_address, &tcp->flow.local_address, &route) < 0 ||
	    mtu >= route.mtu)
		return;
	tcp_path_lowered(tcp, &route, mtu);
}

static void conn_error(struct reeve_tcp *tcp, const struct icmp_error *e)
{
	if (e->error == EMSGSIZE) {
		lower_mtu(tcp, e->mtu);
		return;
	}
	/* A connection attempt ends at once, also for errors that RFC 1122 calls soft: as Linux, and
	 * RFC 5461, 4. */
	if (tcp->state == REEVE_TCP_SYN_SENT) {
		tcp_fast_failed(tcp); /* RFC 7413, 4.1.3.1 */
		tcp_fail(tcp, e->error);
	} else {
		tcp->soft_error = (int16_t)e->error;
	}
}

bool tcp_icmp_error(struct reeve_host *host, const struct icmp_error *e)
{
	struct tcp_host *const t = host->tcp;
	struct port_flow *const flow = port_demux_find_flow(t->demux, &e->local, &e->remote);

	if (!flow || flow->kind != TCP_FLOW_CONN)
		return false;
	struct reeve_tcp *const tcp = container_of(flow, struct reeve_tcp, flow);

	if (!is_in_flight(tcp, e))
		return false;
	conn_error(tcp, e);
	tcp_reap(t);
	return true;
}
