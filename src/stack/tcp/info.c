/*
 * What a connection says of itself, and the walk over all sockets for listings.
 */
#include "base/check.h"
#include "stack/tcp/conn_private.h"

/* While it falls the window is what is in the network and what may be added (RFC 9937, 6.2). */
static uint32_t window_of(const struct reeve_tcp *tcp)
{
	struct scoreboard_view v;

	if (!tcp->busy->prr.is_active)
		return tcp->busy->congestion.window;
	tcp_recovery_view(tcp, &v);
	return tcp_recovery_pipe(tcp, &v) + tcp->busy->prr.quota;
}

static enum reeve_tcp_recovery recovery_of(const struct reeve_tcp *tcp)
{
	if (!tcp->busy) /* it rests */
		return REEVE_TCP_OPEN;
	switch ((enum tcp_recovery)tcp->busy->recovery) {
	case TCP_RECOVERY_FAST:
		return REEVE_TCP_FAST_RECOVERY;
	case TCP_RECOVERY_LOSS:
		return REEVE_TCP_LOSS;
	case TCP_RECOVERY_OPEN:
		break;
	}
	if (tcp->busy->prr.is_active)
		return REEVE_TCP_REDUCED;
	return tcp->busy->dup_acks > 0 || tcp->busy->scoreboard.count > 0 ? REEVE_TCP_DISORDER
									  : REEVE_TCP_OPEN;
}

static uint32_t told_threshold(uint32_t threshold)
{
	return threshold < CONGESTION_WINDOW_MAX ? threshold : UINT32_MAX;
}

void reeve_tcp_info(const struct reeve_tcp *tcp, struct reeve_tcp_info *ret)
{
	const bool has_window = tcp_is_synchronized(tcp);
	const struct tcp_busy *const busy = tcp->busy;
	const struct congestion_memory *const known = &tcp->learned.congestion;
	const bool has_congestion = known->window > 0 || (busy && busy->congestion.ops);
	const enum reeve_congestion which = (enum reeve_congestion)tcp->settings.congestion;
	const uint32_t queued = tcp_queued(tcp);
	const uint32_t in_flight = tcp_in_flight(tcp);

	*ret = (struct reeve_tcp_info){
		.state = tcp_told_state(tcp),
		.recovery = recovery_of(tcp),
		.backoff = tcp->rtt.backoff,
		.timestamps = tcp->timestamps,
		.sack = tcp->sack,
		.window_scaling = tcp->scaling,
		.ecn = tcp->ecn && tcp_is_synchronized(tcp),
		.ecn_seen = tcp->ecn_seen,
		.send_scale = tcp->send_scale,
		.receive_scale = tcp->receive_scale,
		.rto_us = rtt_timeout_ms(&tcp->rtt) * 1000,
		.rtt_us = tcp->rtt.smoothed_us,
		.rtt_variance_us = tcp->rtt.variance_us,
		.rtt_min_us = tcp->rtt.min_us,
		.send_mss = tcp->mss,
		.receive_mss = tcp->receive_mss,
		.cwnd_bytes = busy ? window_of(tcp) : known->window,
		.ssthresh_bytes =
			told_threshold(busy ? busy->congestion.threshold : known->threshold),
		.send_window = tcp->send_window,
		.receive_window = has_window ? seq_distance(tcp->rcv_nxt, tcp->rcv_edge) : 0,
		.bytes_in_flight = in_flight,
		.bytes_not_sent = queued > in_flight ? queued - in_flight : 0,
		.retransmits = tcp->retransmits,
		.bytes_sent = tcp->bytes_sent,
		.bytes_acked = tcp->bytes_acked,
		.bytes_received = tcp->bytes_received,
		.segments_sent = tcp->segments_sent,
		.segments_received = tcp->segments_received,
		.delivered_marked = tcp->delivered_marked,
		.syn_data = tcp->learned.syn_data,
		.fast_open_failure = (enum reeve_tcp_fast_open_failure)tcp->learned.fast_failure,
		.pacing_rate = tcp_pacing_rate(tcp),
		.pacing_rate_max = tcp->settings.pacing_max ? tcp->settings.pacing_max : UINT64_MAX,
		.is_paced = has_window && tcp_is_paced(tcp),
		.accept_queue = tcp->listener ? tcp->listener->accept_count : 0,
		.backlog = tcp->listener ? tcp->listener->backlog : 0,
		.congestion_control = has_congestion ? congestion_ops_of(which)->name : "",
	};
}

static void describe_flow(struct port_flow *flow, struct reeve_socket_info *ret)
{
	*ret = (struct reeve_socket_info){
		.kind = REEVE_TCP,
		.local = { flow->local_address, flow->local_port, 0 },
		.remote = { flow->remote_address, flow->remote_port, 0 },
	};
	switch ((enum tcp_flow_kind)flow->kind) {
	case TCP_FLOW_CONN: {
		const struct reeve_tcp *const tcp = container_of(flow, struct reeve_tcp, flow);

		ret->state = tcp_told_state(tcp);
		ret->receive_queue = tcp_received(tcp);
		ret->send_queue = tcp_queued(tcp);
		ret->user = tcp->owned ? tcp->events.user : NULL;
		break;
	}
	case TCP_FLOW_HALF_OPEN:
		ret->state = REEVE_TCP_SYN_RECEIVED;
		break;
	}
}

static void describe_time_wait(const struct port_wait *w, struct reeve_socket_info *ret)
{
	const struct port_flow name = waits_name(w);

	*ret = (struct reeve_socket_info){
		.kind = REEVE_TCP,
		.state = REEVE_TCP_TIME_WAIT,
		.local = { name.local_address, name.local_port, 0 },
		.remote = { name.remote_address, name.remote_port, 0 },
	};
}

static void describe_listener(const struct tcp_listener *l, struct reeve_socket_info *ret)
{
	*ret = (struct reeve_socket_info){
		.kind = REEVE_TCP,
		.state = REEVE_TCP_LISTEN,
		.local = { l->is_intercept ? l->prefix.address : l->port.address, l->port.port, 0 },
		.remote = { l->is_intercept ? reeve_any_ipv4 : l->port.address, 0, 0 },
		.receive_queue = l->accept_count,
		.send_queue = l->backlog,
		.user = l->tcp->events.user,
	};
	ret->remote.address =
		reeve_address_is_ipv4(&ret->local.address) ? reeve_any_ipv4 : reeve_any_ipv6;
}

/* First the listeners, by their numbers, then the flows and the TIME-WAITs, by their tables' own
 * cursors. */
#define CURSOR_FLOWS (UINT64_C(1) << 62) /* the host needs the bit above */
#define CURSOR_WAITS (UINT64_C(1) << 61)

static bool next_flow(const struct tcp_host *t, uint64_t *cursor, struct reeve_socket_info *ret)
{
	struct port_flow *const flow = port_demux_next_flow(t->demux, cursor);

	if (flow)
		describe_flow(flow, ret);
	return flow;
}

static bool next_wait(const struct tcp_host *t, uint64_t *cursor, struct reeve_socket_info *ret)
{
	struct port_wait *const w = port_demux_next_wait(t->demux, cursor);

	if (w)
		describe_time_wait(w, ret);
	return w;
}

bool tcp_next_socket(const struct reeve_host *host, uint64_t *cursor, struct reeve_socket_info *ret)
{
	const struct tcp_host *const t = host->tcp;

	if (!(*cursor & CURSOR_FLOWS)) {
		list_for_each(node, &t->listeners) {
			const struct tcp_listener *const l =
				list_entry(node, struct tcp_listener, node);

			if (l->number > *cursor) {
				*cursor = l->number;
				describe_listener(l, ret);
				return true;
			}
		}
		*cursor = CURSOR_FLOWS;
	}

	uint64_t at = *cursor & ~(CURSOR_FLOWS | CURSOR_WAITS);

	if (!(*cursor & CURSOR_WAITS)) {
		if (next_flow(t, &at, ret)) {
			*cursor = at | CURSOR_FLOWS;
			return true;
		}
		at = 0;
	}

	const bool found = next_wait(t, &at, ret);

	*cursor = at | CURSOR_FLOWS | CURSOR_WAITS;
	return found;
}
