/* Lines for frames: known ones by hand, and any bytes at all without a fault. */
#include <string.h>

#include "base/bytes.h"
#include "cli/packet_line.h"
#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#include "cmocka_all.h"
#include "seed.h"

#define FROM 0xc0000201u /* 192.0.2.1 */
#define TO   0xc6336402u /* 198.51.100.2 */

static size_t begin_frame(uint8_t *frame, uint16_t type)
{
	const struct ether_header h = { .type = type };

	ether_emit(&h, frame);
	return ETHER_HEADER;
}

/* A frame with an IPv4 header for `payload` bytes behind it; gives where they begin. */
static size_t begin_ipv4(uint8_t *frame, uint8_t protocol, size_t payload)
{
	const size_t at = begin_frame(frame, ETHER_IPV4);
	const struct ipv4_header h = {
		.header_length = IPV4_HEADER,
		.ttl = 64,
		.protocol = protocol,
		.total_length = (uint16_t)(IPV4_HEADER + payload),
		.source = FROM,
		.destination = TO,
	};

	ipv4_emit(&h, frame + at);
	return at + IPV4_HEADER;
}

static void assert_line(const uint8_t *frame, size_t length, const char *wanted)
{
	char line[PACKET_LINE];

	assert_string_equal(packet_line(frame, length, length, line), wanted);
}

static void test_tcp(void **state)
{
	uint8_t frame[256] = { 0 };
	struct tcp_header h = { .source_port = 51000,
				.destination_port = 80,
				.flags = TCP_SYN | TCP_ACK };
	const size_t header = tcp_header_size(&h);
	const size_t at = begin_ipv4(frame, 6, header + 120);

	(void)state;
	tcp_header_emit(&h, frame + at);
	assert_line(frame, at + header, "192.0.2.1:51000 > 198.51.100.2:80: tcp 120 [S.]");
	assert_line(frame, at + header - 1, "192.0.2.1 > 198.51.100.2: tcp, malformed");
}

static void test_udp(void **state)
{
	uint8_t frame[256] = { 0 };
	const struct udp_header h = { .source = 51000, .destination = 53, .length = 8 + 29 };
	const size_t at = begin_ipv4(frame, 17, 8 + 29);

	(void)state;
	udp_emit(&h, frame + at);
	assert_line(frame, at + 8, "192.0.2.1:51000 > 198.51.100.2:53: udp 29");
	assert_line(frame, at + 7, "192.0.2.1 > 198.51.100.2: udp, malformed");
}

static void test_icmp(void **state)
{
	uint8_t frame[256] = { 0 };
	struct icmp_header h = { .type = ICMPV4_ECHO_REQUEST, .rest = icmp_echo_rest(1, 7) };
	const size_t at = begin_ipv4(frame, 1, 8);

	(void)state;
	icmp_emit(&h, frame + at);
	assert_line(frame, at + 8, "192.0.2.1 > 198.51.100.2: icmp echo request, sequence 7");
	h = (struct icmp_header){ .type = ICMPV4_UNREACHABLE, .code = ICMPV4_PORT };
	icmp_emit(&h, frame + at);
	assert_line(frame, at + 8, "192.0.2.1 > 198.51.100.2: icmp unreachable, code 3");
}

static void test_arp(void **state)
{
	uint8_t frame[256] = { 0 };
	struct arp_packet a = { .operation = ARP_REQUEST, .sender = FROM, .target = TO };
	const size_t at = begin_frame(frame, ETHER_ARP);

	(void)state;
	arp_emit(&a, frame + at);
	assert_line(frame, at + ARP_PACKET, "arp who has 198.51.100.2, tell 192.0.2.1");
	a.target = FROM;
	arp_emit(&a, frame + at);
	assert_line(frame, at + ARP_PACKET, "arp announcement of 192.0.2.1");
	a.target = TO;
	a.operation = ARP_REPLY;
	memcpy(a.sender_mac, "\x02\x00\x00\x00\x00\x01", 6);
	arp_emit(&a, frame + at);
	assert_line(frame, at + ARP_PACKET, "arp 192.0.2.1 is at 02:00:00:00:00:01");
}

static void test_any_bytes(void **state)
{
	struct random r = seeded(11);
	char line[PACKET_LINE];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint8_t frame[96] = { 0 };
		const size_t length = random_u64(&r) % sizeof(frame);

		for (size_t j = 0; j < length; j++)
			frame[j] = (uint8_t)random_u64(&r);
		if (length > 24) {
			store_be16(frame + 12, random_u64(&r) % 2 ? ETHER_IPV4 : ETHER_IPV6);
			frame[14] = 0x45;
			frame[23] = (uint8_t)(random_u64(&r) % 20);
		}
		packet_line(frame, length, length, line);
		assert_true(strlen(line) > 0 && strlen(line) < PACKET_LINE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),       cmocka_unit_test(test_udp),
		cmocka_unit_test(test_icmp),      cmocka_unit_test(test_arp),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests_name("packet_line", tests, NULL, NULL);
}
