/*
 * Every parser of src/wire. The first byte chooses one; what it takes must come out of emit and
 * parse again as it was.
 */
#include <string.h>

#include "base/check.h"
#include "wire/arp.h"
#include "wire/dns.h"
#include "wire/ether.h"
#include "wire/icmp.h"
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

static void fuzz_dns_records(const uint8_t *bytes, size_t length)
{
	struct dns_reader r = dns_reader_over(bytes, length);
	struct dns_header header;
	struct dns_question question;
	struct dns_record record;

	if (!dns_read_header(&r, &header))
		return;
	for (unsigned i = 0; i < header.questions; i++)
		if (!dns_read_question(&r, &question))
			return;
	while (dns_read_record(&r, &record)) {
		check(record.name.length >= 1 && record.name.bytes[record.name.length - 1] == 0);
		check(record.data >= bytes && record.data + record.data_length <= bytes + length);
	}
}

static void fuzz_dns_query(const uint8_t *bytes, size_t length)
{
	struct dns_query query;
	struct reeve_address address;
	char label[DNS_LABEL_MAX + 1];

	if (dns_parse_query(bytes, length, &query) != DNS_QUERY)
		return;
	dns_name_reverse(&query.question.name, &address);
	if (dns_name_single_label(&query.question.name, label))
		check(strlen(label) >= 1 && strlen(label) <= DNS_LABEL_MAX);
	uint8_t answer[DNS_UDP_MAX];
	struct dns_writer w = { .bytes = answer, .size = sizeof(answer) };

	dns_write_header(&w, &query.header);
	dns_write_question(&w, &query.question);
	check(!w.overflowed && w.length <= sizeof(answer));
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
		fuzz_dns_records(bytes + 1, length - 1);
		break;
	default:
		fuzz_dns_query(bytes + 1, length - 1);
	}
	return 0;
}
