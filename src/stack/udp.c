/*
 * UDP's way in (RFC 768, RFC 1122, 4.1): from a datagram to the socket that it is for, or the
 * sockets, or nobody. udp_socket.c has what the sockets' owners do, udp_output.c the way out.
 */
#include "stack/udp.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checksum.h"
#include "stack/udp_private.h"
#include "wire/icmp.h"
#include "wire/pseudo.h"
#include "wire/udp.h"

struct udp_host *udp_host_new(struct reeve_host *host)
{
	struct udp_host *const u = calloc(1, sizeof(*u));
	struct port_space_config space = {
		.protocol = PORT_UDP,
		.ephemeral_first = host->config.ephemeral_first,
		.ephemeral_last = host->config.ephemeral_last,
		.avoid_registered = true,
	};
	struct port_demux_config demux = {
		.max_flows = host->config.max_sockets,
		.max_listeners = host->config.max_sockets,
		.duplicate_flows = true,
	};

	if (!u)
		return NULL;
	host_derive(host, space.seed, sizeof(space.seed));
	host_derive(host, &demux.key, sizeof(demux.key));
	u->space = port_space_new(&space);
	u->demux = port_demux_new(&demux);
	return u->space && u->demux ? u : udp_host_free(u);
}

struct udp_host *udp_host_free(struct udp_host *u)
{
	if (!u)
		return NULL;
	while (u->count > 0)
		reeve_udp_close(u->sockets[u->count - 1]);
	if (u->demux)
		port_demux_free(u->demux);
	if (u->space)
		port_space_free(u->space);
	free(u->sockets);
	free(u);
	return NULL;
}

/* A longer prefix before a shorter one, then a given port before any. */
static unsigned rank(const struct reeve_udp *udp)
{
	const unsigned bits =
		reeve_address_is_ipv4(&udp->to.address) ? udp->to.length + 96u : udp->to.length;

	return 2 * bits + (udp->to_port != 0);
}

static bool intercepts(const struct reeve_udp *udp, const struct reeve_sockaddr *local)
{
	if (udp->to_port != 0 && udp->to_port != local->port)
		return false;
	if (udp->to.length == 0 && reeve_address_equal(&udp->to.address, &reeve_any_ipv6))
		return true;
	return reeve_prefix_contains(&udp->to, &local->address);
}

static struct reeve_udp *find_intercept(const struct udp_host *u,
					const struct reeve_sockaddr *local)
{
	struct reeve_udp *best = NULL;

	for (unsigned i = 0; i < u->intercept_count; i++) {
		struct reeve_udp *const udp = u->intercepts[i];

		if (intercepts(udp, local) && (!best || rank(udp) > rank(best)))
			best = udp;
	}
	return best;
}

static struct reeve_udp *find(const struct udp_host *u, const struct reeve_sockaddr *local,
			      const struct reeve_sockaddr *remote)
{
	struct port_flow *const flow = port_demux_find_flow(u->demux, local, remote);

	if (flow)
		return container_of(flow, struct reeve_udp, flow);
	struct port_listener *const listener = port_demux_find_listener(u->demux, local, remote);

	if (listener)
		return container_of(listener, struct reeve_udp, listener);
	return find_intercept(u, local);
}

/* REEVE_DROP_COUNT when the socket has taken the packet; else why not. */
static enum reeve_drop give(struct reeve_udp *udp, const struct udp_waiting *w)
{
	const int error = udp_queue_push(&udp->queue, w);

	if (error)
		return error == -ENOBUFS ? REEVE_DROP_UDP_QUEUE : REEVE_DROP_NO_MEMORY;
	host_raise(udp->host, &udp->events, REEVE_READABLE);
	return REEVE_DROP_COUNT;
}

/* To one socket. */
static void give_take(struct reeve_host *host, struct reeve_udp *udp, const struct udp_waiting *w)
{
	const enum reeve_drop reason = give(udp, w);

	if (reason == REEVE_DROP_COUNT)
		host->stats.udp_in++;
	else
		host_drop_take(host, w->packet, reason);
}

/* To every listener that would take it, each its own packet over the same buffers. One that is full
 * does not make the datagram lost for the others; if all are, it is. */
static void give_all_take(struct reeve_host *host, struct udp_waiting *w)
{
	struct port_demux *const demux = host->udp->demux;
	struct reeve_packet *const original = w->packet;
	struct port_listener *l = port_demux_next_match(demux, &w->local, NULL);
	enum reeve_drop reason = REEVE_DROP_UDP_NO_PORT;
	bool given = false;

	while (l) {
		struct reeve_udp *const udp = container_of(l, struct reeve_udp, listener);

		w->packet = packet_clone(original);
		const enum reeve_drop refused = w->packet ? give(udp, w) : REEVE_DROP_NO_MEMORY;

		if (refused == REEVE_DROP_COUNT) {
			given = true;
		} else {
			reason = refused;
			reeve_packet_free(w->packet);
		}
		l = port_demux_next_match(demux, &w->local, l);
	}
	if (!given) {
		host_drop_take(host, original, reason);
		return;
	}
	host->stats.udp_in++;
	reeve_packet_free(original);
}

/* The header's bytes are judged, and what is behind the datagram's own length is cut off;
 * REEVE_DROP_COUNT when all is right. */
static enum reeve_drop judge(struct reeve_packet *p, const struct ip_received *how,
			     struct udp_header *h)
{
	if (!packet_pull(p, UDP_HEADER))
		return REEVE_DROP_UDP_SHORT;
	struct cursor c = cursor_over(packet_data(p), UDP_HEADER);

	if (!udp_parse(&c, h) || h->length > p->length)
		return REEVE_DROP_UDP_SHORT;
	packet_trim(p, h->length);
	if (h->destination == 0)
		return REEVE_DROP_UDP_PORT_ZERO;
	if (p->offload.checksum != REEVE_CHECKSUM_UNKNOWN)
		return REEVE_DROP_COUNT;
	/* RFC 768: 0 says that the sender made none; over IPv6 it must (RFC 8200, 8.1). */
	if (h->checksum == 0)
		return reeve_address_is_ipv4(&how->source) ? REEVE_DROP_COUNT
							   : REEVE_DROP_UDP_CHECKSUM;
	const uint64_t pseudo = pseudo_sum(&how->source, &how->destination, IP_UDP, h->length);

	return checksum_fold(packet_sum(p, 0, p->length, pseudo)) == 0xffff
		       ? REEVE_DROP_COUNT
		       : REEVE_DROP_UDP_CHECKSUM;
}

void udp_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		    const struct ip_received *how)
{
	struct udp_header h;
	const enum reeve_drop reason = judge(p_take, how, &h);

	if (reason != REEVE_DROP_COUNT) {
		host_drop_take(host, p_take, reason);
		return;
	}
	struct udp_waiting w = {
		.packet = p_take,
		.remote = { .address = how->source, .port = h.source },
		.local = { .address = how->destination, .port = h.destination },
		.iface = how->iface,
		.ttl = how->ttl,
		.tos = how->tos,
	};

	if (how->broadcast) {
		packet_strip(p_take, UDP_HEADER);
		give_all_take(host, &w);
		return;
	}
	struct reeve_udp *const udp = find(host->udp, &w.local, &w.remote);

	if (!udp) {
		icmp_refuse_take(host, p_take, how, ICMPV4_UNREACHABLE, ICMPV4_PORT,
				 REEVE_DROP_UDP_NO_PORT);
		return;
	}
	packet_strip(p_take, UDP_HEADER);
	give_take(host, udp, &w);
}

/*
 * RFC 1122, 4.1.3.3, as Linux does it: a connected socket hears of errors that are final, and of
 * datagrams too big if it asked not to have them cut. For others there is nobody to tell, because
 * the owner could not know which of its datagrams is meant.
 */
bool udp_icmp_error(struct reeve_host *host, const struct icmp_error *e)
{
	struct reeve_udp *const udp = find(host->udp, &e->local, &e->remote);

	if (!udp)
		return false;
	const bool too_big = e->error == EMSGSIZE && udp->dont_fragment;

	if (udp->connected && (e->hard || too_big)) {
		udp->error = e->error;
		host_raise(host, &udp->events, REEVE_FAILED);
	}
	return true;
}

static void describe(const struct reeve_udp *udp, struct reeve_socket_info *ret)
{
	*ret = (struct reeve_socket_info){
		.kind = REEVE_UDP,
		.receive_queue = udp_queue_bytes(&udp->queue),
		.user = udp->events.user,
	};
	if (udp->connected) {
		ret->local = (struct reeve_sockaddr){ .address = udp->flow.local_address,
						      .port = udp->flow.local_port };
		ret->remote = (struct reeve_sockaddr){ .address = udp->flow.remote_address,
						       .port = udp->flow.remote_port };
		return;
	}
	ret->local.address = udp->intercept ? udp->to.address : udp->reservation.address;
	ret->local.port = udp->intercept ? udp->to_port : udp->reservation.port;
	ret->remote.address =
		reeve_address_is_ipv4(&ret->local.address) ? reeve_any_ipv4 : reeve_any_ipv6;
}

bool udp_next_socket(const struct reeve_host *host, uint64_t *cursor, struct reeve_socket_info *ret)
{
	if (*cursor >= host->udp->count)
		return false;
	describe(host->udp->sockets[*cursor], ret);
	(*cursor)++;
	return true;
}
