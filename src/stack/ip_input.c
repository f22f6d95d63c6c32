/*
 * The internet layer, inwards: what a datagram must be before a transport sees it (RFC 1122, 3.2.1;
 * RFC 1812, 5.2.2, for the order). A host does not forward: what is not for it is dropped.
 */
#include "stack/fragment.h"
#include "stack/group.h"
#include "stack/icmp.h"
#include "stack/iface.h"
#include "stack/ip.h"
#include "stack/tcp/tcp.h"
#include "stack/udp.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

#define TCP_FIXED       20 /* RFC 9293, 3.1 */
#define TCP_DATA_OFFSET 12

/*
 * The transport's header is brought into the head while the IP header is there too, so that both
 * lie side by side when an ICMP error is to quote them. A packet too short for it is left to the
 * transport to judge.
 */
static void gather_headers(struct reeve_packet *p, size_t header_length, uint8_t protocol)
{
	if (protocol != IP_TCP) {
		packet_pull(p, header_length + UDP_HEADER);
		return;
	}
	if (!packet_pull(p, header_length + TCP_FIXED))
		return;
	const uint8_t data_offset = packet_data(p)[header_length + TCP_DATA_OFFSET] >> 4;

	packet_pull(p, header_length + (size_t)data_offset * 4);
}

/* The IP header is in front of the packet's first byte from here on. */
static void deliver_take(struct reeve_host *host, struct reeve_packet *p_take,
			 const struct ip_received *how)
{
	gather_headers(p_take, how->header_length, how->protocol);
	packet_strip(p_take, how->header_length);
	switch (how->protocol) {
	case IP_ICMP:
	case IP_ICMPV6:
		/* Each belongs to its own family. */
		if (reeve_address_is_ipv4(&how->source) != (how->protocol == IP_ICMP))
			break;
		icmp_input_take(host, p_take, how);
		return;
	case IP_IGMP:
		if (!reeve_address_is_ipv4(&how->source))
			break;
		group_input_take(host, p_take, how);
		return;
	case IP_TCP:
		tcp_input_take(host, p_take, how);
		return;
	case IP_UDP:
		udp_input_take(host, p_take, how);
		return;
	default:
		break;
	}
	icmp_refuse_take(host, p_take, how, ICMPV4_UNREACHABLE, ICMPV4_PROTOCOL,
			 REEVE_DROP_IP_PROTOCOL);
}

/* RFC 1122, 3.2.1.3; RFC 1812, 5.3.7. What we send ourselves comes over lo. */
static bool source_is_bad(const struct reeve_host *host, const struct ip_arrival *arrival,
			  uint32_t source)
{
	unsigned of;

	if (arrival->own)
		return false;
	if (source >> 24 == 0 || source >> 24 == 127 || source >> 28 >= 0xe)
		return true;
	return iface_relation_of(host, source, &of) != IFACE_FOREIGN;
}

/* Whether the packet is for this host; *ret_broadcast, whether for others too. */
static bool is_ours(const struct reeve_host *host, unsigned iface, uint32_t destination,
		    bool *ret_broadcast)
{
	unsigned of;

	if (destination >> 24 == 127)
		return iface == IFACE_LO;
	if (destination == UINT32_MAX) {
		*ret_broadcast = true;
		return true;
	}
	if (destination >> 28 == 0xe) {
		*ret_broadcast = true;
		return group_has(host, iface, destination);
	}
	switch (iface_relation_of(host, destination, &of)) {
	case IFACE_OWN:
		return true;
	case IFACE_BROADCAST:
		*ret_broadcast = true;
		return true;
	case IFACE_FOREIGN:
		break;
	}
	return host->config.any_address && destination >> 28 != 0xf && destination >> 24 != 0;
}

/* The header's bytes are judged; REEVE_DROP_COUNT when they are right. */
static enum reeve_drop judge_ipv4(const struct reeve_host *host, const struct ip_arrival *arrival,
				  struct reeve_packet *p, struct ipv4_header *h)
{
	if (!packet_pull(p, IPV4_HEADER))
		return REEVE_DROP_IP_SHORT;
	const size_t header_length = (size_t)(packet_data(p)[0] & 0xf) * 4;

	if (!packet_pull(p, header_length < IPV4_HEADER ? IPV4_HEADER : header_length))
		return REEVE_DROP_IP_SHORT;
	struct cursor c = cursor_over(packet_data(p), packet_head_length(p));

	switch (ipv4_parse(&c, h)) {
	case IPV4_SHORT:
		return REEVE_DROP_IP_SHORT;
	case IPV4_VERSION:
		return REEVE_DROP_IP_VERSION;
	case IPV4_LENGTH:
		return REEVE_DROP_IP_HEADER;
	case IPV4_OK:
		break;
	}
	if (h->total_length > p->length)
		return REEVE_DROP_IP_SHORT;
	if (!arrival->own && !ipv4_checksum_ok(packet_data(p), h->header_length))
		return REEVE_DROP_IP_CHECKSUM;
	if (!ipv4_options_ok(h->options, (size_t)(h->header_length - IPV4_HEADER)))
		return REEVE_DROP_IP_OPTIONS;
	return source_is_bad(host, arrival, h->source) ? REEVE_DROP_IP_SOURCE : REEVE_DROP_COUNT;
}

static void input_ipv4_take(struct reeve_host *host, const struct ip_arrival *arrival,
			    struct reeve_packet *p_take)
{
	struct ipv4_header h;
	bool broadcast = arrival->group;
	const enum reeve_drop reason = judge_ipv4(host, arrival, p_take, &h);

	if (reason != REEVE_DROP_COUNT) {
		host_drop_take(host, p_take, reason);
		return;
	}
	if (!is_ours(host, arrival->iface, h.destination, &broadcast)) {
		host_drop_take(host, p_take, REEVE_DROP_IP_NOT_OURS);
		return;
	}
	packet_trim(p_take, h.total_length);
	struct ip_received how = {
		.source = reeve_address_from_ipv4(h.source),
		.destination = reeve_address_from_ipv4(h.destination),
		.iface = arrival->iface,
		.header_length = h.header_length,
		.protocol = h.protocol,
		.ttl = h.ttl,
		.tos = h.tos,
		.broadcast = broadcast,
	};

	if (h.more_fragments || h.fragment_offset > 0) {
		p_take = fragment_input_take(host, p_take, &how, &h);
		if (!p_take)
			return;
		how.header_length = h.header_length;
		how.ttl = h.ttl;
		how.tos = h.tos;
	}
	deliver_take(host, p_take, &how);
}

/* Only ::1 to ::1, which only we can have sent; extension headers are none of its (RFC 8200, 4). */
static void input_ipv6_take(struct reeve_host *host, struct reeve_packet *p_take)
{
	struct ipv6_header h;

	if (!packet_pull(p_take, IPV6_HEADER)) {
		host_drop_take(host, p_take, REEVE_DROP_IP_SHORT);
		return;
	}
	struct cursor c = cursor_over(packet_data(p_take), IPV6_HEADER);

	if (ipv6_parse(&c, &h) != IPV6_OK) {
		host_drop_take(host, p_take, REEVE_DROP_IP_VERSION);
		return;
	}
	if (h.payload_length > p_take->length - IPV6_HEADER) {
		host_drop_take(host, p_take, REEVE_DROP_IP_SHORT);
		return;
	}
	if (!iface_is_own_ipv6(host, &h.destination)) {
		host_drop_take(host, p_take, REEVE_DROP_IP_NOT_OURS);
		return;
	}
	packet_trim(p_take, IPV6_HEADER + (size_t)h.payload_length);
	const struct ip_received how = {
		.source = h.source,
		.destination = h.destination,
		.iface = IFACE_LO,
		.header_length = IPV6_HEADER,
		.protocol = h.next_header,
		.ttl = h.hop_limit,
		.tos = h.traffic_class,
	};

	deliver_take(host, p_take, &how);
}

void ip_input_take(struct reeve_host *host, const struct ip_arrival *arrival,
		   struct reeve_packet *p_take)
{
	host->stats.ip_in++;
	/* IPv6 beyond the host itself is none of ours. */
	if (arrival->iface == IFACE_LO && packet_pull(p_take, 1) &&
	    packet_data(p_take)[0] >> 4 == 6)
		input_ipv6_take(host, p_take);
	else
		input_ipv4_take(host, arrival, p_take);
}
