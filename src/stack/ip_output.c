/*
 * The internet layer, outwards: which way, with which header, in how many pieces (RFC 791, RFC 1122,
 * 3.3).
 */
#include <errno.h>
#include <string.h>

#include "stack/group.h"
#include "stack/iface.h"
#include "stack/ip.h"
#include "stack/neighbour.h"
#include "stack/route.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define LIMITED UINT32_C(0xffffffff) /* the broadcast that no router passes on */

static void route_local(const struct reeve_host *host, const struct reeve_address *destination,
			uint32_t mtu, struct ip_route *ret)
{
	*ret = (struct ip_route){
		.iface = IFACE_LO,
		.source = *destination,
		.next_hop = *destination,
		.mtu = mtu,
		.offloads = iface_info(host, IFACE_LO)->offloads,
		.local = true,
	};
	/* All of 127/8 is here, but it speaks as 127.0.0.1. */
	if (reeve_address_is_ipv4(destination) && reeve_address_is_loopback(destination))
		ret->source = reeve_loopback_ipv4;
}

/* 255.255.255.255 and groups are everywhere: the interface that the source belongs to. */
static bool iface_of_source(const struct reeve_host *host, const struct reeve_address *source,
			    unsigned *ret_iface)
{
	if (!source || !reeve_address_is_ipv4(source) || reeve_address_is_unspecified(source))
		return false;
	return iface_relation_of(host, reeve_address_to_ipv4(source), ret_iface) == IFACE_OWN;
}

/* The first that has an address. */
static int first_iface(const struct reeve_host *host, unsigned *ret_iface)
{
	uint32_t address;

	for (unsigned i = IFACE_LO + 1; i < iface_count(host); i++) {
		if (iface_source(host, i, LIMITED, &address)) {
			*ret_iface = i;
			return 0;
		}
	}
	return -ENETUNREACH;
}

/* By the routes. One that leads elsewhere than by the interface that was asked for is none. */
static int route_by_table(const struct reeve_host *host, uint32_t address, struct ip_way way,
			  struct ip_route *r)
{
	const struct route *const route = route_find(host, address);
	const bool wrong_way = route && way.out && route->iface != r->iface;

	if (way.out && (!route || wrong_way))
		return 0;
	if (!route || route->iface == IFACE_LO)
		return -ENETUNREACH;
	r->iface = route->iface;
	if (!route->has_gateway || r->multicast)
		return 0;
	if (way.on_link)
		return -ENETUNREACH;
	r->next_hop = reeve_address_from_ipv4(route->gateway);
	return 0;
}

/* The interface and next hop for a destination elsewhere. */
static int route_out(const struct reeve_host *host, const struct reeve_address *destination,
		     const struct reeve_address *source, struct ip_way way, struct ip_route *r)
{
	const uint32_t address = reeve_address_to_ipv4(destination);
	unsigned iface = 0;

	r->next_hop = *destination;
	r->multicast = reeve_address_is_multicast(destination);
	r->broadcast =
		address == LIMITED || iface_relation_of(host, address, &iface) == IFACE_BROADCAST;
	if (way.out) {
		r->iface = way.out - 1U;
	} else if (r->broadcast && address != LIMITED) {
		r->iface = iface;
	} else if ((r->broadcast || r->multicast) && iface_of_source(host, source, &r->iface)) {
		way.out = (uint8_t)(r->iface + 1);
	} else if (r->broadcast) {
		return first_iface(host, &r->iface);
	}
	if (r->broadcast)
		return 0;
	/* 0/8 is this network without a name, 240/4 nobody's (RFC 1122, 3.2.1.3; RFC 1112, 4). */
	if (address >> 24 == 0 || address >> 28 == 0xf)
		return -ENETUNREACH;
	return r->multicast && way.out ? 0 : route_by_table(host, address, way, r);
}

static int route_away(const struct reeve_host *host, const struct reeve_address *destination,
		      const struct reeve_address *source, struct ip_way way, struct ip_route *r)
{
	const bool given = source && !reeve_address_is_unspecified(source);
	const int error = route_out(host, destination, source, way, r);
	uint32_t address = 0;

	if (error)
		return error;
	r->local = r->iface == IFACE_LO;
	/* What says it comes from here must not leave (RFC 1122, 3.2.1.3 (g)). */
	if (given && reeve_address_is_loopback(source) && !r->local)
		return -EINVAL;
	r->mtu = r->local ? IPV4_PACKET_MAX : iface_info(host, r->iface)->mtu;
	r->offloads = iface_info(host, r->iface)->offloads;
	if (!given && !iface_source(host, r->iface, reeve_address_to_ipv4(&r->next_hop), &address))
		return -ENETUNREACH;
	r->source = reeve_address_from_ipv4(address);
	return 0;
}

int ip_route_by(const struct reeve_host *host, const struct reeve_address *destination,
		const struct reeve_address *source, struct ip_way way, struct ip_route *ret)
{
	const bool given = source && !reeve_address_is_unspecified(source);
	struct ip_route r = { 0 };
	unsigned iface;

	if (way.out && !iface_exists(host, way.out - 1U))
		return -ENODEV;
	if (given && reeve_address_is_ipv4(source) != reeve_address_is_ipv4(destination))
		return -ENETUNREACH;
	/* Given up, or not ours yet (RFC 5227, 2.1 and 2.4). */
	if (given && iface_is_unusable(host, source))
		return -EADDRNOTAVAIL;
	if (!reeve_address_is_ipv4(destination)) {
		if (!iface_is_own_ipv6(host, destination))
			return -ENETUNREACH;
		route_local(host, destination, IFACE_LO_MTU, &r);
	} else if (reeve_address_is_loopback(destination) ||
		   iface_relation_of(host, reeve_address_to_ipv4(destination), &iface) ==
			   IFACE_OWN) {
		route_local(host, destination, IPV4_PACKET_MAX, &r);
	} else {
		const int error = route_away(host, destination, source, way, &r);

		if (error)
			return error;
	}
	if (given)
		r.source = *source;
	*ret = r;
	return 0;
}

int ip_route(const struct reeve_host *host, const struct reeve_address *destination,
	     const struct reeve_address *source, struct ip_route *ret)
{
	return ip_route_by(host, destination, source, (struct ip_way){ 0 }, ret);
}

int reeve_host_source(const struct reeve_host *host, const struct reeve_address *to,
		      struct reeve_address *ret)
{
	struct ip_route r;
	const int error = ip_route(host, to, NULL, &r);

	if (!error)
		*ret = r.source;
	return error;
}

void ip_complete_checksum(struct reeve_packet *p)
{
	const size_t start = p->offload.checksum_start;
	const size_t field = start + p->offload.checksum_offset;

	check(p->offload.checksum == REEVE_CHECKSUM_PARTIAL && packet_pull(p, field + 2));
	store_be16(packet_data(p) + field, packet_checksum(p, start));
	p->offload.checksum = REEVE_CHECKSUM_UNKNOWN;
}

/*
 * RFC 6864: only what may be fragmented needs an identification. RFC 7739, 5.3: a counter for each
 * destination, begun at a secret place, and shared only by destinations that nobody can choose.
 */
static uint16_t next_id(struct reeve_host *host, const struct ip_send *how)
{
	struct {
		struct reeve_address source, destination;
		uint64_t protocol;
	} key = { how->source, how->destination, how->protocol };
	const uint64_t hash = hash_bytes(&host->ip_key, &key, sizeof(key));
	uint16_t *const counter = &host->ip_ids[hash % HOST_ID_COUNTERS];

	return (uint16_t)((hash >> 32) + (*counter)++);
}

/* It will come in by that interface, as if from its link. */
static int bring_back_take(struct reeve_host *host, struct reeve_packet *p_take, unsigned iface)
{
	struct reeve_iface_info *const lo = iface_info(host, IFACE_LO);

	if (host->loopback.count >= HOST_LOOPBACK_PACKETS) {
		host_drop_take(host, p_take, REEVE_DROP_LINK_QUEUE);
		return -ENOBUFS;
	}
	if (iface == IFACE_LO) {
		lo->tx_packets++;
		lo->tx_bytes += p_take->length;
	}
	p_take->iface = (uint8_t)iface;
	packet_queue_push(&host->loopback, p_take);
	return 0;
}

/* Our own listeners are on that network too. */
static void bring_back_copy(struct reeve_host *host, const struct reeve_packet *p, unsigned iface)
{
	struct reeve_packet *const copy = packet_clone(p);

	if (copy)
		bring_back_take(host, copy, iface);
	else
		host_count_drop(host, REEVE_DROP_NO_MEMORY);
}

/* To the link, IP header in front. */
static int transmit_take(struct reeve_host *host, struct reeve_packet *p_take,
			 const struct ip_route *r, const struct ip_send *how)
{
	const uint32_t next_hop = reeve_address_to_ipv4(&r->next_hop);

	if (r->local)
		return bring_back_take(host, p_take, IFACE_LO);
	if (r->broadcast) {
		bring_back_copy(host, p_take, r->iface);
		return iface_send_take(host, r->iface, p_take, ether_broadcast, ETHER_IPV4);
	}
	if (r->multicast) {
		uint8_t mac[ETHER_ADDRESS];

		if (!how->way.no_loopback && group_has(host, r->iface, next_hop))
			bring_back_copy(host, p_take, r->iface);
		if (how->host_only) {
			reeve_packet_free(p_take);
			return 0;
		}
		ether_from_multicast(next_hop, mac);
		return iface_send_take(host, r->iface, p_take, mac, ETHER_IPV4);
	}
	return neighbour_send_take(host, r->iface, next_hop, p_take);
}

static struct ipv4_header header_for(const struct ip_send *how)
{
	static const uint8_t router_alert[] = { 0x94, 4, 0, 0 };
	struct ipv4_header h = {
		.header_length = IPV4_HEADER,
		.tos = how->tos,
		.ttl = how->ttl || how->host_only ? how->ttl : IP_DEFAULT_TTL,
		.protocol = how->protocol,
		.dont_fragment = how->dont_fragment,
		.source = reeve_address_to_ipv4(&how->source),
		.destination = reeve_address_to_ipv4(&how->destination),
	};

	if (how->router_alert) {
		memcpy(h.options, router_alert, sizeof(router_alert));
		h.header_length += sizeof(router_alert);
	}
	return h;
}

/* RFC 791, 2.3: pieces of whole 8 bytes, the payload's buffers shared. */
static int fragment_take(struct reeve_host *host, struct reeve_packet *p_take,
			 const struct ip_send *how, const struct ip_route *r, struct ipv4_header *h)
{
	const uint32_t most = (r->mtu - IPV4_HEADER) & ~UINT32_C(7);
	const uint32_t length = p_take->length;
	int error = 0;

	if (p_take->offload.checksum == REEVE_CHECKSUM_PARTIAL)
		ip_complete_checksum(p_take);
	p_take->offload = (struct reeve_offload){ 0 };
	for (uint32_t offset = 0; offset < length && !error; offset += most) {
		const uint32_t part = length - offset < most ? length - offset : most;
		struct reeve_packet *const piece = packet_clone(p_take);

		if (!piece) {
			host_drop_take(host, p_take, REEVE_DROP_NO_MEMORY);
			return -ENOBUFS;
		}
		packet_strip(piece, offset);
		packet_trim(piece, part);
		h->more_fragments = offset + part < length;
		h->fragment_offset = (uint16_t)offset;
		h->total_length = (uint16_t)(IPV4_HEADER + part);
		ipv4_emit(h, packet_push(piece, IPV4_HEADER));
		host->stats.ip_fragments_out++;
		error = transmit_take(host, piece, r, how);
	}
	reeve_packet_free(p_take);
	return error;
}

static int send_ipv6_take(struct reeve_host *host, struct reeve_packet *p_take,
			  const struct ip_send *how)
{
	if (p_take->length > UINT16_MAX) {
		host_drop_take(host, p_take, REEVE_DROP_IP_TOO_BIG);
		return -EMSGSIZE;
	}
	const struct ipv6_header h = {
		.traffic_class = how->tos,
		.payload_length = (uint16_t)p_take->length,
		.next_header = how->protocol,
		.hop_limit = how->ttl ? how->ttl : IP_DEFAULT_TTL,
		.source = how->source,
		.destination = how->destination,
	};

	ipv6_emit(&h, packet_push(p_take, IPV6_HEADER));
	return bring_back_take(host, p_take, IFACE_LO);
}

static int send_ipv4_take(struct reeve_host *host, struct reeve_packet *p_take,
			  const struct ip_send *how, const struct ip_route *r)
{
	struct ipv4_header h = header_for(how);
	const uint32_t total = p_take->length + h.header_length;
	const bool fits = total <= r->mtu || (p_take->offload.segmentation && !r->local);

	if (total > IPV4_PACKET_MAX || (!fits && how->dont_fragment)) {
		host_drop_take(host, p_take, REEVE_DROP_IP_TOO_BIG);
		return -EMSGSIZE;
	}
	h.total_length = (uint16_t)total;
	if (!how->dont_fragment && !r->local)
		h.id = next_id(host, how);
	if (!fits)
		return fragment_take(host, p_take, how, r, &h);
	if (p_take->offload.checksum == REEVE_CHECKSUM_PARTIAL && !p_take->offload.segmentation &&
	    !(r->offloads & REEVE_OFFLOAD_CHECKSUM))
		ip_complete_checksum(p_take);
	ipv4_emit(&h, packet_push(p_take, h.header_length));
	return transmit_take(host, p_take, r, how);
}

int ip_send_take(struct reeve_host *host, struct reeve_packet *p_take, const struct ip_send *how)
{
	struct ip_send send = *how;
	struct ip_route r;
	const int error = ip_route_by(host, &how->destination, &how->source, how->way, &r);

	if (error) {
		host_drop_take(host, p_take, REEVE_DROP_IP_NO_ROUTE);
		return error;
	}
	send.source = r.source;
	host->stats.ip_out++;
	return reeve_address_is_ipv4(&how->destination) ? send_ipv4_take(host, p_take, &send, &r)
							: send_ipv6_take(host, p_take, &send);
}
