/*
 * The calls of reeve/tcp.h that make and end connections. They change state and mark work; packets
 * come with the host's output.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

struct reeve_tcp *reeve_tcp_new(struct reeve_host *host, enum reeve_family family, void *user)
{
	struct reeve_tcp *const tcp = tcp_allocate(host, family);

	if (!tcp)
		return NULL;
	tcp->owned = true;
	tcp->events.user = user;
	tcp->flow.local_address = family == REEVE_IPV4 ? reeve_any_ipv4 : reeve_any_ipv6;
	tcp->flow.remote_address = tcp->flow.local_address;
	return tcp;
}

void reeve_tcp_set_user(struct reeve_tcp *tcp, void *user)
{
	tcp->events.user = user;
}

/* Whether a socket of this family may have the address at either end. */
static bool fits_family(const struct reeve_tcp *tcp, const struct reeve_address *a)
{
	if (tcp->family == REEVE_IPV4)
		return reeve_address_is_ipv4(a);
	return !tcp->port.ipv6_only || !reeve_address_is_ipv4(a);
}

static bool is_bound(const struct reeve_tcp *tcp)
{
	return tcp->port.state == PORT_BOUND || tcp->port.state == PORT_LISTENING;
}

int reeve_tcp_bind(struct reeve_tcp *tcp, const struct reeve_sockaddr *local)
{
	const struct reeve_address *const a = &local->address;

	if (tcp->state != REEVE_TCP_CLOSED || tcp->port.state != PORT_NONE)
		return -EINVAL;
	if (!fits_family(tcp, a))
		return tcp->family == REEVE_IPV4 ? -EAFNOSUPPORT : -EINVAL;
	if (!reeve_address_is_unspecified(a) && !reeve_host_has_address(tcp->host, a))
		return -EADDRNOTAVAIL;

	const int r = port_space_bind(tcp_of(tcp)->space, &tcp->port, a, local->port);

	if (r == 0)
		tcp->flow.local_address = *a;
	return r;
}

static int start_listening(struct reeve_tcp *tcp, uint32_t backlog)
{
	struct tcp_host *const t = tcp_of(tcp);
	const bool was_fresh = !is_bound(tcp);
	struct tcp_listener *const l = tcp_listener_new(tcp, backlog);

	if (!l)
		return -ENOMEM;
	/* A fresh socket listens at the wildcard and a port of its own; the space needs to know
	 * which wildcard. */
	if (was_fresh)
		tcp->port.address = tcp->family == REEVE_IPV4 ? reeve_any_ipv4 : reeve_any_ipv6;
	tcp->listener = l;

	int r = port_space_listen(t->space, &tcp->port);

	if (r < 0)
		goto fail;
	l->port.address = tcp->port.address;
	l->port.port = tcp->port.port;
	l->port.ipv6 = tcp->port.ipv6;
	l->port.ipv6_only = tcp->port.ipv6_only;
	l->port.reuse_port = tcp->port.reuse_port;
	tcp->flow.local_address = tcp->port.address;
	tcp->flow.local_port = tcp->port.port;
	r = port_demux_add_listener(t->demux, &l->port);
	if (r < 0)
		goto fail_demux;
	tcp_set_state(tcp, REEVE_TCP_LISTEN);
	return 0;
fail_demux:
	port_space_unlisten(t->space, &tcp->port);
	if (was_fresh)
		port_space_release(t->space, &tcp->port);
fail:
	tcp->listener = NULL;
	list_remove(&l->node);
	free(l);
	return r;
}

int reeve_tcp_listen(struct reeve_tcp *tcp, uint32_t backlog)
{
	const uint32_t bounded = backlog < TCP_BACKLOG_MAX ? backlog : TCP_BACKLOG_MAX;

	if (tcp->state == REEVE_TCP_LISTEN) {
		tcp->listener->backlog = bounded;
		return 0;
	}
	if (tcp->state != REEVE_TCP_CLOSED)
		return -EINVAL;
	return start_listening(tcp, bounded);
}

/* As it was made, but for its name, options and owner: after a failed connection. */
static void renew(struct reeve_tcp *tcp)
{
	tcp_detach(tcp);
	tcp_busy_free(tcp_of(tcp), take(tcp->busy));
	tcp->learned = (struct tcp_learned){ 0 };
	tcp->is_accepted = false; /* whatever it is bound to now is its own */
	tcp->error = tcp->soft_error = 0;
	tcp->retries = 0;
	tcp->was_connected = tcp->has_failed = tcp->syn_due = tcp->ack_due = tcp->resend_due =
		false;
	tcp->probe_due = tcp->tail_due = tcp->push_partial = tcp->syn_resent = false;
	tcp->fin_queued = tcp->fin_sent = tcp->fin_received = tcp->fin_known = false;
	tcp->is_deaf = false;
	tcp->wants_write = tcp->window_limited = tcp->timing = tcp->has_dsack = false;
	tcp->urgent_in = tcp->urgent_out = tcp->is_probing_tail = false;
	tcp->ecn = tcp->ecn_seen = tcp->echo_due = tcp->cwr_due = false;
	tcp->path_mtu = 0;
	tcp->ts_recent = tcp->delivered_marked = 0;
	tcp->mss = tcp->peer_mss = 0;
	rtt_init(&tcp->rtt);
}

static int may_connect(const struct reeve_tcp *tcp, const struct reeve_address *to)
{
	if (tcp->state == REEVE_TCP_LISTEN)
		return -EINVAL;
	if (tcp->state == REEVE_TCP_SYN_SENT || tcp->state == REEVE_TCP_SYN_RECEIVED)
		return -EALREADY;
	if (tcp->state != REEVE_TCP_CLOSED || (tcp->was_connected && !tcp->has_failed))
		return -EISCONN;
	if (tcp->family == REEVE_IPV4 && !reeve_address_is_ipv4(to))
		return -EAFNOSUPPORT;
	if (!fits_family(tcp, to) || reeve_address_is_multicast(to) ||
	    reeve_address_is_broadcast(to))
		return -ENETUNREACH;
	return 0;
}

/* The unspecified address means this host (as in Linux). */
static struct reeve_address real_destination(const struct reeve_address *to)
{
	if (!reeve_address_is_unspecified(to))
		return *to;
	return reeve_address_is_ipv4(to) ? reeve_loopback_ipv4 : reeve_loopback_ipv6;
}

static int find_route(const struct reeve_tcp *tcp, const struct reeve_address *to,
		      struct ip_route *ret)
{
	const struct reeve_address *const bound =
		tcp->port.state == PORT_BOUND && !reeve_address_is_unspecified(&tcp->port.address)
			? &tcp->port.address
			: NULL;
	const int r = ip_route(tcp->host, to, bound, ret);

	if (r < 0)
		return r;
	if (ret->broadcast)
		return -ENETUNREACH;
	if (bound)
		ret->source = *bound;
	if (reeve_address_is_ipv4(&ret->source) != reeve_address_is_ipv4(to))
		return -ENETUNREACH;
	return 0;
}

static void start_connection(struct reeve_tcp *tcp, const struct ip_route *route,
			     struct port_wait *replaced)
{
	struct tcp_host *const t = tcp_of(tcp);

	tcp->iss = tcp_initial_sequence(t, &tcp->flow);
	if (replaced) {
		struct tcp_time_wait *const w = container_of(replaced, struct tcp_time_wait, wait);

		tcp->iss = seq_max(tcp->iss, tcp_time_wait_beyond(w));
		tcp_time_wait_free(t, w);
	}
	tcp->ts_offset = tcp_timestamp_offset(t, &tcp->flow);
	tcp->una = tcp->iss;
	tcp->nxt = tcp->iss;
	tcp->rcv_nxt = tcp->rcv_edge = (struct tcp_seq){ 0 };
	tcp->timestamps = tcp->sack = tcp->scaling = true;
	tcp->ecn = tcp->settings.ecn == REEVE_ECN_ACTIVE;
	tcp->receive_scale = tcp_window_scale(tcp_of(tcp), &tcp->settings);
	tcp->send_scale = 0;
	tcp->busy->stalled_since = tcp_now(tcp);
	tcp->syn_due = !tcp->settings.fast_open_connect || !tcp_fast_begin(tcp, route);
	tcp_update_mss(tcp, route);
	tcp_set_state(tcp, REEVE_TCP_SYN_SENT);
	tcp->host->stats.tcp_active_opens++;
	tcp_mark_dirty(tcp);
}

int reeve_tcp_connect(struct reeve_tcp *tcp, const struct reeve_sockaddr *remote,
		      struct reeve_time now)
{
	struct tcp_host *const t = tcp_of(tcp);
	const struct reeve_address to = real_destination(&remote->address);
	struct port_wait *replaced = NULL;
	struct ip_route route;
	int r = may_connect(tcp, &to);

	if (reeve_time_before(tcp->host->now, now))
		tcp->host->now = now;
	if (r < 0)
		return r;
	if (remote->port == 0)
		return -ECONNREFUSED;
	r = find_route(tcp, &to, &route);
	if (r < 0)
		return r;
	renew(tcp);
	if (!tcp_wake(tcp))
		return -ENOBUFS;
	tcp->flow.local_address = route.source;
	tcp->flow.remote_address = to;
	tcp->flow.local_port = tcp->port.port;
	tcp->flow.remote_port = remote->port;
	r = port_space_connect(t->space, &tcp->port, t->demux, &tcp->flow, tcp->host->now,
			       &replaced);
	if (r < 0)
		return r;
	tcp->has_flow = true;
	start_connection(tcp, &route, replaced);
	return 0;
}

int reeve_tcp_shutdown(struct reeve_tcp *tcp)
{
	switch ((enum reeve_tcp_state)tcp->state) {
	case REEVE_TCP_CLOSED:
	case REEVE_TCP_LISTEN:
	case REEVE_TCP_TIME_WAIT:
	case REEVE_TCP_SYN_SENT:
		return -ENOTCONN;
	case REEVE_TCP_SYN_RECEIVED:
	case REEVE_TCP_ESTABLISHED:
	case REEVE_TCP_CLOSE_WAIT:
		tcp_start_fin(tcp);
		return 0;
	case REEVE_TCP_FIN_WAIT_1:
	case REEVE_TCP_FIN_WAIT_2:
	case REEVE_TCP_CLOSING:
	case REEVE_TCP_LAST_ACK:
		break;
	}
	return 0;
}

void reeve_tcp_deafen(struct reeve_tcp *tcp)
{
	tcp->is_deaf = true;
}

void reeve_tcp_close(struct reeve_tcp *tcp)
{
	if (!tcp)
		return;

	struct tcp_host *const t = tcp_of(tcp);

	if (tcp->state == REEVE_TCP_CLOSED || tcp->state == REEVE_TCP_LISTEN ||
	    tcp->state == REEVE_TCP_SYN_SENT) {
		tcp_dispose(tcp);
	} else if (tcp->intercepted || tcp_received(tcp) > 0) {
		tcp_send_reset(tcp);
		tcp_dispose(tcp);
	} else {
		if (tcp->busy) {
			receive_queue_prune(&tcp->busy->receive);
			tcp_note_gaps(tcp);
		}
		tcp_start_fin(tcp);
		tcp_orphan(tcp);
	}
	tcp_reap(t);
}

void reeve_tcp_abort(struct reeve_tcp *tcp)
{
	if (!tcp)
		return;

	struct tcp_host *const t = tcp_of(tcp);

	if (tcp->state != REEVE_TCP_CLOSED)
		tcp_send_reset(tcp);
	tcp_dispose(tcp);
	tcp_reap(t);
}

int reeve_tcp_error(struct reeve_tcp *tcp)
{
	const int error = tcp->error;

	if (error)
		tcp->error = 0;
	return error;
}

enum reeve_tcp_state reeve_tcp_state(const struct reeve_tcp *tcp)
{
	return tcp_told_state(tcp);
}

int reeve_tcp_local(struct reeve_tcp *tcp, struct reeve_sockaddr *ret)
{
	if (tcp->port.state == PORT_BOUND) {
		const int r = port_space_settle(tcp_of(tcp)->space, &tcp->port);

		if (r < 0)
			return r;
		tcp->flow.local_address = tcp->port.address;
		tcp->flow.local_port = tcp->port.port;
	} else if (tcp->port.state == PORT_NONE && !tcp->was_connected && !tcp->has_flow &&
		   tcp->state != REEVE_TCP_LISTEN) {
		*ret = (struct reeve_sockaddr){
			.address = tcp->family == REEVE_IPV4 ? reeve_any_ipv4 : reeve_any_ipv6,
		};
		return 0;
	}
	*ret = (struct reeve_sockaddr){
		.address = tcp->flow.local_address,
		.port = tcp->flow.local_port,
	};
	return 0;
}

int reeve_tcp_remote(const struct reeve_tcp *tcp, struct reeve_sockaddr *ret)
{
	if (!tcp_is_synchronized(tcp) && !tcp->has_flow && !tcp->was_connected)
		return -ENOTCONN;
	*ret = (struct reeve_sockaddr){
		.address = tcp->flow.remote_address,
		.port = tcp->flow.remote_port,
	};
	return 0;
}
