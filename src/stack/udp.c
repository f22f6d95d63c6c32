/*
 * UDP's way in (RFC 768, RFC 1122, 4.1): from a datagram to the socket that it is for, or the
 * sockets, or nobody. udp_socket.c has what the sockets' owners do, udp_output.c the way out.
 */
#include "stack/udp.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checksum.h"
#include "stack/iface.h"
#include "stack/udp_private.h"
#include "wire/icmp.h"
#include "wire/pseudo.h"
#include "wire/udp.h"

struct udp_host *udp_host_new(struct reeve_host *host, bool is_echo)
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
	u->is_echo = is_echo;
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

/* Whether the socket is of that interface's, or of no interface in particular. */
static bool hears(const struct reeve_udp *udp, unsigned iface)
{
	return udp->device == 0 || udp->device - 1U == iface;
}

/* Among the listeners that hear the interface: an address that is given counts as much as a device
 * that is, as in Linux's compute_score(). */
static struct reeve_udp *find_listener(const struct udp_host *u, const struct reeve_sockaddr *local,
				       const struct reeve_sockaddr *remote, unsigned iface)
{
	struct port_listener *l = port_demux_find_listener(u->demux, local, remote);
	struct reeve_udp *best = l ? container_of(l, struct reeve_udp, listener) : NULL;
	unsigned most = 0;

	if (!best || u->devices == 0)
		return best;
	if (!hears(best, iface))
		best = NULL;
	for (l = port_demux_next_match(u->demux, local, NULL); l;
	     l = port_demux_next_match(u->demux, local, l)) {
		struct reeve_udp *const udp = container_of(l, struct reeve_udp, listener);
		const unsigned score =
			(udp->device != 0) + !reeve_address_is_unspecified(&udp->listener.address);

		if (hears(udp, iface) && (!best || (udp->device && score > most))) {
			best = udp;
			most = score;
		}
	}
	return best;
}

struct reeve_udp *udp_find(const struct udp_host *u, const struct reeve_sockaddr *local,
			   const struct reeve_sockaddr *remote, unsigned iface)
{
	struct port_flow *const flow = port_demux_find_flow(u->demux, local, remote);
	struct reeve_udp *udp = flow ? container_of(flow, struct reeve_udp, flow) : NULL;

	if (udp && hears(udp, iface))
		return udp;
	udp = find_listener(u, local, remote, iface);
	return udp ? udp : find_intercept(u, local);
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

void udp_give_take(struct reeve_host *host, struct reeve_udp *udp, const struct udp_waiting *w)
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
	enum reeve_drop reason = REEVE_DROP_UDP_NO_PORT;
	bool given = false;

	for (struct port_listener *l = port_demux_next_match(demux, &w->local, NULL); l;
	     l = port_demux_next_match(demux, &w->local, l)) {
		struct reeve_udp *const udp = container_of(l, struct reeve_udp, listener);

		if (!hears(udp, w->iface) || !udp_membership_allows(udp, w))
			continue;
		w->packet = packet_clone(original);
		const enum reeve_drop refused = w->packet ? give(udp, w) : REEVE_DROP_NO_MEMORY;

		if (refused == REEVE_DROP_COUNT) {
			given = true;
		} else {
			reason = refused;
			reeve_packet_free(w->packet);
		}
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
		.arrived = host->now,
		.header_length = how->header_length,
		.ttl = how->ttl,
		.tos = how->tos,
	};

	if (how->broadcast) {
		packet_strip(p_take, UDP_HEADER);
		give_all_take(host, &w);
		return;
	}
	struct reeve_udp *const udp = udp_find(host->udp, &w.local, &w.remote, how->iface);

	if (!udp) {
		icmp_refuse_take(host, p_take, how, ICMPV4_UNREACHABLE, ICMPV4_PORT,
				 REEVE_DROP_UDP_NO_PORT);
		return;
	}
	packet_strip(p_take, UDP_HEADER);
	udp_give_take(host, udp, &w);
}

/* What is quoted of the datagram, by ICMP or from itself. */
static struct reeve_packet *quote(const struct icmp_error *e)
{
	const size_t header = e->protocol == IP_UDP ? UDP_HEADER : 0;

	if (!e->packet || e->packet->length < e->offset + header)
		return NULL;
	struct reeve_packet *const p = packet_clone(e->packet);

	if (p)
		packet_strip(p, e->offset + header);
	return p;
}

static void keep_problem(struct reeve_host *host, struct reeve_udp *udp, const struct icmp_error *e)
{
	struct reeve_packet *const p = quote(e);
	struct reeve_udp_problem facts = {
		.error = e->error,
		.type = e->type,
		.code = e->code,
		.info = e->mtu,
		.offender = e->how ? e->how->source : e->local.address,
		.remote = e->remote,
		.local = e->local.address,
		.iface = e->how ? e->how->iface : IFACE_LO,
		.ttl = e->how ? e->how->ttl : IP_DEFAULT_TTL,
		.tos = e->how ? e->how->tos : 0,
		.arrived = host->now,
		.length = p ? p->length : 0,
	};

	udp_problems_push_take(&udp->problems, &facts, p);
}

/*
 * RFC 1122, 4.1.3.3, as Linux does it: a connected socket hears of errors that are final, and of
 * datagrams too big if it asked not to have them cut. Others hear nothing, because their owner
 * could not know which of its datagrams is meant, unless it asked to be told that, too.
 */
bool udp_tell(struct reeve_host *host, struct udp_host *u, const struct icmp_error *e)
{
	struct reeve_udp *const udp =
		udp_find(u, &e->local, &e->remote, e->how ? e->how->iface : IFACE_LO);

	if (!udp)
		return false;
	const bool too_big = e->error == EMSGSIZE && udp->dont_fragment;

	if (udp->keeps_problems)
		keep_problem(host, udp, e);
	if (udp->keeps_problems || (udp->connected && (e->hard || too_big))) {
		udp->error = e->error;
		host_raise(host, &udp->events, REEVE_FAILED);
	}
	return true;
}

bool udp_icmp_error(struct reeve_host *host, const struct icmp_error *e)
{
	return udp_tell(host, host->udp, e);
}

/* As it came in: the headers still lie in front of the payload. */
static void judge_again_take(struct reeve_host *host, const struct udp_host *table,
			     const struct udp_waiting *w)
{
	const struct ip_received how = {
		.source = w->remote.address,
		.destination = w->local.address,
		.iface = w->iface,
		.header_length = w->header_length,
		.protocol = IP_UDP,
		.ttl = w->ttl,
		.tos = w->tos,
	};
	struct reeve_udp *const udp = udp_find(table, &w->local, &w->remote, w->iface);

	if (udp) {
		udp_give_take(host, udp, w);
		return;
	}
	if (table->is_echo) {
		host_drop_take(host, w->packet, REEVE_DROP_ICMP_UNMATCHED);
		return;
	}
	/* One that went to many has been heard by others. */
	if (w->packet->head_start < UDP_HEADER + w->header_length ||
	    !reeve_host_has_address(host, &w->local.address)) {
		host_drop_take(host, w->packet, REEVE_DROP_UDP_NO_PORT);
		return;
	}
	packet_push(w->packet, UDP_HEADER);
	icmp_refuse_take(host, w->packet, &how, ICMPV4_UNREACHABLE, ICMPV4_PORT,
			 REEVE_DROP_UDP_NO_PORT);
}

void reeve_udp_forsake(struct reeve_udp *udp)
{
	struct reeve_host *const host = udp->host;
	const struct udp_host *const table = udp->table;
	struct udp_queue left = udp->queue;

	udp_queue_init(&udp->queue, 0);
	reeve_udp_close(udp);
	while (left.count > 0) {
		const struct udp_waiting w = udp_queue_take(&left);

		judge_again_take(host, table, &w);
	}
	udp_queue_deinit(&left);
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
