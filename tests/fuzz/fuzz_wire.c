/*
 * Every parser of src/wire but DNS's. The first byte chooses one; what it takes must come out of
 * emit and parse again as it was.
 */
#include <string.h>

#include "base/check.h"
#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/icmp.h"
#include "wire/igmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#include "fuzz.h"

static void fuzz_link(struct cursor c)
{
	struct ether_header ether;
	struct arp_packet arp;
	uint8_t bytes[ARP_PACKET];

	if (!ether_parse(&c, &ether))
		return;
	ether_emit(&ether, bytes);
	check(memcmp(bytes, c.at - ETHER_HEADER, ETHER_HEADER) == 0);
	if (ether.type == ETHER_ARP && arp_parse(&c, &arp)) {
		arp_emit(&arp, bytes);
		check(memcmp(bytes, c.at - ARP_PACKET, ARP_PACKET) == 0);
	}
}

static void fuzz_ipv4(struct cursor c)
{
	struct ipv4_header header = { 0 }, again = { 0 };
	uint8_t bytes[IPV4_HEADER_MAX];

	if (ipv4_parse(&c, &header) != IPV4_OK)
		return;
	check(header.header_length >= IPV4_HEADER && header.header_length <= IPV4_HEADER_MAX);
	check(header.total_length >= header.header_length);
	ipv4_options_ok(header.options, header.header_length - IPV4_HEADER);
	ipv4_emit(&header, bytes);
	check(ipv4_checksum_ok(bytes, header.header_length));
	c = cursor_over(bytes, header.header_length);
	check(ipv4_parse(&c, &again) == IPV4_OK);
	header.checksum = again.checksum;
	check(again.source == header.source && again.destination == header.destination);
	check(again.fragment_offset == header.fragment_offset && again.id == header.id);
	check(again.total_length == header.total_length && again.protocol == header.protocol);
	check(again.dont_fragment == header.dont_fragment);
	check(again.more_fragments == header.more_fragments);
	check(memcmp(again.options, header.options, header.header_length - IPV4_HEADER) == 0);
}

static void fuzz_ipv6(struct cursor c)
{
	struct ipv6_header header;
	uint8_t bytes[IPV6_HEADER];
	const uint8_t *const start = c.at;

	if (ipv6_parse(&c, &header) != IPV6_OK)
		return;
	ipv6_emit(&header, bytes);
	check(memcmp(bytes, start, IPV6_HEADER) == 0);
}

static void fuzz_tcp(const uint8_t *bytes, size_t length)
{
	struct tcp_header header = { 0 }, again = { 0 };
	uint8_t emitted[TCP_HEADER_MAX];

	if (tcp_header_parse(bytes, length, &header))
		return;
	check(header.length >= TCP_HEADER_MIN && header.length <= length);
	check(header.options.sack_count <= TCP_SACK_BLOCKS);
	const size_t size = tcp_header_size(&header);

	/* All options at once need more room than there is; nobody sends that. */
	if (size > TCP_HEADER_MAX)
		return;
	tcp_header_emit(&header, emitted);
	check(tcp_header_parse(emitted, size, &again) == 0);
	check(again.length == size);
	again.length = header.length;
	check(again.sequence == header.sequence && again.acknowledgment == header.acknowledgment);
	check(again.flags == header.flags && again.window == header.window);
	check(again.options.mss == header.options.mss);
	check(again.options.sack_count == header.options.sack_count);
	check(again.options.timestamp == header.options.timestamp);
	check(again.options.window_scale == header.options.window_scale);
}

static void fuzz_udp_and_icmp(struct cursor c)
{
	struct udp_header udp;
	struct icmp_header icmp;
	struct cursor again = c;
	uint8_t bytes[8];

	if (udp_parse(&c, &udp)) {
		udp_emit(&udp, bytes);
		check(memcmp(bytes, again.at, UDP_HEADER) == 0);
	}
	if (icmp_parse(&again, &icmp)) {
		icmp_emit(&icmp, bytes);
		check(memcmp(bytes, again.at - ICMP_HEADER, ICMP_HEADER) == 0);
	}
}

static void fuzz_igmp(const uint8_t *bytes, size_t length)
{
	struct igmp_query query;
	uint8_t type, emitted[IGMP_V3_LENGTH];

	if (!igmp_parse_type(bytes, length, &type))
		return;
	check(length >= IGMP_V2_LENGTH && type == bytes[0]);
	if (type == IGMP_QUERY && igmp_parse_query(bytes, length, &query)) {
		check(query.version >= 1 && query.version <= 3);
		check(query.max_response_ms >= 100);
	}
	igmp_emit_v2(IGMP_V2_REPORT, load_be32(bytes + 4), emitted);
	check(igmp_parse_type(emitted, IGMP_V2_LENGTH, &type) && type == IGMP_V2_REPORT);
	igmp_emit_v3(IGMP_CHANGE_TO_EXCLUDE, load_be32(bytes + 4), emitted);
	check(igmp_parse_type(emitted, IGMP_V3_LENGTH, &type) && type == IGMP_V3_REPORT);
}

/* A header with whatever a sender may put into it comes back from the wire as it was. */
static void fuzz_tcp_from_fields(struct cursor c)
{
	struct tcp_header h = { 0 }, again = { 0 };
	uint8_t bytes[TCP_HEADER_MAX];
	const uint8_t shape = cursor_u8(&c);

	h.sequence = cursor_be32(&c);
	h.acknowledgment = cursor_be32(&c);
	h.flags = cursor_u8(&c);
	h.window = cursor_be16(&c);
	h.urgent = cursor_be16(&c);
	h.options.mss = shape & 1 ? cursor_be16(&c) : 0;
	h.options.has_window_scale = shape & 2;
	h.options.window_scale = shape & 2 ? cursor_u8(&c) : 0;
	h.options.sack_permitted = shape & 4;
	h.options.has_timestamps = shape & 8;
	if (shape & 8) {
		h.options.timestamp = cursor_be32(&c);
		h.options.timestamp_echo = cursor_be32(&c);
	}
	h.options.sack_count = (uint8_t)((shape >> 4) % (TCP_SACK_BLOCKS + 1));
	for (unsigned i = 0; i < h.options.sack_count; i++)
		h.options.sack[i] = (struct tcp_sack_block){ cursor_be32(&c), cursor_be32(&c) };
	const size_t size = tcp_header_size(&h);

	if (size > TCP_HEADER_MAX)
		return;
	tcp_header_emit(&h, bytes);
	check(tcp_header_parse(bytes, size, &again) == 0 && again.length == size);
	h.length = again.length;
	check(memcmp(&h.options.sack, &again.options.sack,
		     h.options.sack_count * sizeof(h.options.sack[0])) == 0);
	check(h.sequence == again.sequence && h.acknowledgment == again.acknowledgment);
	check(h.flags == again.flags && h.window == again.window && h.urgent == again.urgent);
	check(h.options.mss == again.options.mss);
	check(h.options.has_window_scale == again.options.has_window_scale);
	check(h.options.window_scale == again.options.window_scale);
	check(h.options.sack_permitted == again.options.sack_permitted);
	check(h.options.timestamp == again.options.timestamp);
	check(h.options.timestamp_echo == again.options.timestamp_echo);
	check(h.options.sack_count == again.options.sack_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length == 0)
		return 0;
	const struct cursor c = cursor_over(bytes + 1, length - 1);

	switch (bytes[0] % 7) {
	case 0:
		fuzz_link(c);
		break;
	case 1:
		fuzz_ipv4(c);
		break;
	case 2:
		fuzz_ipv6(c);
		break;
	case 3:
		fuzz_tcp(bytes + 1, length - 1);
		break;
	case 4:
		fuzz_udp_and_icmp(c);
		break;
	case 5:
		fuzz_igmp(bytes + 1, length - 1);
		break;
	default:
		fuzz_tcp_from_fields(c);
	}
	return 0;
}
