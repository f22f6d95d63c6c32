/* ICMP: echo, errors to others and from others, and how many. Hazards 4 and 5. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "frames.h"
#include "stack/host_private.h"
#include "stack/icmp.h"
#include "stack/ip.h"
#include "wire/icmp.h"
#include "wire/udp.h"

#define PORT 7777

struct bench {
	struct net net; /* host 0 is tried, by station 9 */
	uint8_t frame[FRAME_MAX];
	uint8_t payload[65535];
	/* What host 0 has sent last: an IPv4 packet. */
	uint8_t out[FRAME_MAX];
	struct ipv4_header out_header;
	const uint8_t *out_payload;
	size_t out_length; /* of the payload */
};

static int setup(void **state)
{
	struct bench *const b = calloc(1, sizeof(*b));

	assert_non_null(b);
	net_init(&b->net);
	net_pass_ms(&b->net, 3000);
	frame_introduce(&b->net);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *const b = *state;

	net_deinit(&b->net);
	free(b);
	return 0;
}

static void input(struct bench *b, const struct ipv4_header *h, size_t length)
{
	net_input(&b->net, 0, b->frame, frame_put(b->frame, h, b->payload, length));
}

/* False when host 0 says nothing. */
static bool output(struct bench *b)
{
	const size_t length = net_output(&b->net, 0, b->out, sizeof(b->out));

	if (length == 0)
		return false;
	assert_int_equal(load_be16(b->out + 12), ETHER_IPV4);
	struct cursor c = cursor_over(b->out + 14, length - 14);

	assert_int_equal(ipv4_parse(&c, &b->out_header), IPV4_OK);
	assert_true(ipv4_checksum_ok(b->out + 14, b->out_header.header_length));
	assert_int_equal(b->out_header.total_length, length - 14);
	b->out_payload = b->out + 14 + b->out_header.header_length;
	b->out_length = length - 14 - b->out_header.header_length;
	return true;
}

static uint64_t dropped(const struct bench *b, enum reeve_drop reason)
{
	return net_drop(b->net.hosts[0], reason);
}

static void test_echo(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = frame_header(IP_ICMP);
	uint8_t data[1472];
	uint8_t mac[6];

	net_mac(FRAME_STATION, mac);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13);
	for (size_t length = 0; length <= sizeof(data); length += length < 40 ? 1 : 179) {
		const uint32_t rest = icmp_echo_rest(0x1234, (uint16_t)length);
		const size_t message =
			frame_put_icmp(b->payload, ICMPV4_ECHO_REQUEST, 0, rest, data, length);

		h.tos = (uint8_t)length;
		h.ttl = 1; /* enough to have come here (RFC 1122, 3.2.1.7) */
		input(b, &h, message);
		assert_true(output(b));
		assert_int_equal(b->out_header.source, h.destination);
		assert_int_equal(b->out_header.destination, h.source);
		assert_int_equal(b->out_header.ttl, 64);
		assert_int_equal(b->out_header.tos, h.tos);
		/* The link knows nothing of that (RFC 1122, 3.2.1.6). */
		assert_memory_equal(b->out, mac, 6);
		assert_int_equal(b->out_length, message);
		assert_int_equal(b->out_payload[0], ICMPV4_ECHO_REPLY);
		assert_int_equal(load_be32(b->out_payload + 4), rest);
		assert_memory_equal(b->out_payload + 8, data, length);
		assert_int_equal(checksum_fold(checksum_add(0, b->out_payload, message)), 0xffff);
		assert_false(output(b));
	}
	assert_int_equal(net_drops(b->net.hosts[0]), 0);
}

/* A checksum left to do, in a place where there is none: the embedder's link says so, not we. */
static void test_echo_strange_offload(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_ICMP);
	const size_t message = frame_put_icmp(b->payload, ICMPV4_ECHO_REQUEST, 0, 1, b->out, 1000);
	const size_t length = frame_put(b->frame, &h, b->payload, message);
	const struct reeve_offload offloads[] = {
		{ .checksum = REEVE_CHECKSUM_PARTIAL,
		  .checksum_start = 34,
		  .checksum_offset = 60000 },
		{ .checksum = REEVE_CHECKSUM_PARTIAL,
		  .checksum_start = 34,
		  .checksum_offset = 500 },
		{ .checksum = REEVE_CHECKSUM_PARTIAL,
		  .checksum_start = 65535,
		  .checksum_offset = 2 },
		{ .checksum = REEVE_CHECKSUM_PARTIAL, .checksum_start = 0, .checksum_offset = 0 },
	};

	for (size_t i = 0; i < array_length(offloads); i++) {
		struct reeve_packet *const p =
			reeve_packet_from_bytes(b->net.pool, b->frame, length, &offloads[i]);

		reeve_host_input(b->net.hosts[0], b->net.ifaces[0], p, b->net.now);
		assert_false(output(b));
		assert_int_equal(dropped(b, REEVE_DROP_ICMP_CHECKSUM), i + 1);
	}
}

/* hazard 5: options of the request do not come back. */
static void test_echo_options(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = frame_header(IP_ICMP);
	const size_t message = frame_put_icmp(b->payload, ICMPV4_ECHO_REQUEST, 0, 1, "data", 4);

	h.header_length = 28;
	memcpy(h.options, (uint8_t[]){ 7, 7, 4, 0, 0, 0, 0, 0 }, 8);
	input(b, &h, message);
	assert_true(output(b));
	assert_int_equal(b->out_header.header_length, 20);
	h.options[0] = 131;
	input(b, &h, message);
	assert_false(output(b));
	assert_int_equal(dropped(b, REEVE_DROP_IP_OPTIONS), 1);
}

static void test_echo_to_all(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = frame_header(IP_ICMP);
	const size_t message = frame_put_icmp(b->payload, ICMPV4_ECHO_REQUEST, 0, 1, "data", 4);

	h.destination = frame_ipv4("192.0.2.255");
	input(b, &h, message);
	h.destination = frame_ipv4("255.255.255.255");
	input(b, &h, message);
	assert_false(output(b));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_TYPE), 2);
}

static void test_other_types(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_ICMP);
	uint64_t others = 0;

	for (unsigned type = 0; type < 256; type++) {
		if (type == ICMPV4_ECHO_REPLY || type == ICMPV4_ECHO_REQUEST ||
		    type == ICMPV4_UNREACHABLE || type == ICMPV4_TIME_EXCEEDED ||
		    type == ICMPV4_PARAMETER_PROBLEM)
			continue;
		/* Of redirects those for networks and for hosts (RFC 1122, 3.2.2.2). */
		for (uint8_t code = 0; code < 2; code++) {
			input(b, &h,
			      frame_put_icmp(b->payload, (uint8_t)type, code, 0, b->frame, 40));
			assert_int_equal(dropped(b, REEVE_DROP_ICMP_TYPE), ++others);
			assert_false(output(b));
		}
	}
}

/* A datagram to a port where nobody is. */
static void nobody(struct bench *b, const struct ipv4_header *h, size_t length)
{
	input(b, h, frame_put_udp(b->payload, h, 5000, 99, b->frame + 2000, length));
}

static void test_port_unreachable(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = frame_header(IP_UDP);

	h.id = 0x4321;
	h.tos = 0x10;
	for (size_t length = 0; length < 1400; length += length < 20 ? 1 : 230) {
		const size_t quoted = length + 28 < 548 ? length + 28 : 548;

		nobody(b, &h, length);
		assert_true(output(b));
		assert_int_equal(b->out_header.source, h.destination);
		assert_int_equal(b->out_header.destination, h.source);
		assert_int_equal(b->out_header.protocol, IP_ICMP);
		assert_int_equal(b->out_payload[0], ICMPV4_UNREACHABLE);
		assert_int_equal(b->out_payload[1], ICMPV4_PORT);
		assert_int_equal(b->out_length, 8 + quoted);
		assert_int_equal(checksum_fold(checksum_add(0, b->out_payload, b->out_length)),
				 0xffff);
		/* The packet as it came, header and all. */
		assert_memory_equal(b->out_payload + 8, b->frame + 14, quoted);
	}
	/* With options in the header. */
	h.header_length = 60;
	memset(h.options, 1, sizeof(h.options));
	nobody(b, &h, 4);
	assert_true(output(b));
	assert_memory_equal(b->out_payload + 8, b->frame + 14, 60 + 8 + 4);
}

static void test_protocol_unreachable(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(99);

	memset(b->payload, 7, 8);
	input(b, &h, 8);
	assert_true(output(b));
	assert_int_equal(b->out_header.source, h.destination);
	assert_int_equal(b->out_header.destination, h.source);
	assert_int_equal(b->out_header.protocol, IP_ICMP);
	assert_int_equal(b->out_payload[0], ICMPV4_UNREACHABLE);
	assert_int_equal(b->out_payload[1], ICMPV4_PROTOCOL);
	assert_memory_equal(b->out_payload + 8, b->frame + 14, 20 + 8);
	assert_false(output(b));
	assert_int_equal(dropped(b, REEVE_DROP_IP_PROTOCOL), 1);
}

/* RFC 1122, 3.2.2: about what no error may be sent. */
static void test_no_error_about(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = frame_header(IP_UDP);

	/* Broadcasts, by address and by frame. */
	h.destination = frame_ipv4("192.0.2.255");
	nobody(b, &h, 4);
	h.destination = frame_ipv4("255.255.255.255");
	nobody(b, &h, 4);
	h = frame_header(IP_UDP);
	const size_t length = frame_put(b->frame, &h, b->payload,
					frame_put_udp(b->payload, &h, 5000, 99, "x", 1));

	memcpy(b->frame, ether_broadcast, 6);
	net_input(&b->net, 0, b->frame, length);
	assert_false(output(b));
	assert_int_equal(dropped(b, REEVE_DROP_UDP_NO_PORT), 3);
	/* The same of a protocol that nobody knows; to us alone it is answered. */
	h = frame_header(253);
	h.destination = frame_ipv4("192.0.2.255");
	input(b, &h, 8);
	h.destination = frame_ipv4("224.0.0.1");
	input(b, &h, 8);
	assert_false(output(b));
	assert_int_equal(dropped(b, REEVE_DROP_IP_PROTOCOL), 2);
	h = frame_header(253);
	input(b, &h, 8);
	assert_true(output(b));
	h = frame_header(IP_UDP);
	/* Sources that are no one station. */
	static const char *const sources[] = { "0.0.0.0", "224.0.0.1", "255.255.255.255",
					       "127.0.0.1", "192.0.2.255" };

	for (size_t i = 0; i < array_length(sources); i++) {
		h.source = frame_ipv4(sources[i]);
		nobody(b, &h, 4);
		assert_false(output(b));
	}
	/* ICMP errors. */
	h = frame_header(IP_ICMP);
	for (unsigned type = 3; type < 13; type++) {
		if (type == ICMPV4_ECHO_REQUEST)
			continue;
		input(b, &h, frame_put_icmp(b->payload, (uint8_t)type, 0, 0, b->frame + 14, 28));
		assert_false(output(b));
	}
	/* A fragment that is not the first: it waits, and dies in silence. */
	h = frame_header(IP_UDP);
	h.fragment_offset = 8;
	input(b, &h, 8);
	b->net.now = reeve_time_add_ms(b->net.now, 40000);
	reeve_host_tick(b->net.hosts[0], b->net.now);
	assert_false(output(b));
	/* Nor is the first of an ICMP error answered; that of a request would be. */
	static const uint8_t types[] = { ICMPV4_UNREACHABLE, ICMPV4_ECHO_REQUEST };

	for (size_t i = 0; i < array_length(types); i++) {
		const uint8_t type = types[i];

		frame_introduce(&b->net);
		h = frame_header(IP_ICMP);
		h.more_fragments = true;
		h.id = type;
		input(b, &h, frame_put_icmp(b->payload, type, 0, 0, b->frame + 14, 32));
		b->net.now = reeve_time_add_ms(b->net.now, 40000);
		reeve_host_tick(b->net.hosts[0], b->net.now);
		assert_int_equal(output(b), type == ICMPV4_ECHO_REQUEST);
	}
}

/* RFC 1812, 4.3.2.8, and what is over the limit is dropped for its own reason all the same. */
static void test_rate(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_UDP);
	unsigned answers = 0;

	for (unsigned i = 0; i < 1000; i++) {
		nobody(b, &h, 4);
		answers += output(b);
	}
	assert_in_range(answers, 30, 51);
	assert_int_equal(dropped(b, REEVE_DROP_UDP_NO_PORT), 1000);
	/* A thousand a second, when it is never full. */
	answers = 0;
	for (unsigned i = 0; i < 1000; i++) {
		b->net.now = reeve_time_add_ms(b->net.now, 2);
		nobody(b, &h, 4);
		answers += output(b);
	}
	assert_in_range(answers, 950, 1000);
}

static void test_echo_rate(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_ICMP);
	const size_t message = frame_put_icmp(b->payload, ICMPV4_ECHO_REQUEST, 0, 1, "data", 4);
	unsigned answers = 0;

	for (unsigned i = 0; i < 3000; i++) {
		input(b, &h, message);
		answers += output(b);
	}
	assert_in_range(answers, 700, 1001);
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_LIMIT), 3000 - answers);
}

/* An error about a datagram that host 0 may have sent. */
static size_t error_about(struct bench *b, uint8_t type, uint8_t code, const struct ipv4_header *of,
			  uint16_t source, uint16_t destination)
{
	uint8_t quote[60 + 8];
	const struct udp_header udp = { source, destination, 108, 0 };

	ipv4_emit(of, quote);
	udp_emit(&udp, quote + of->header_length);
	return frame_put_icmp(b->payload, type, code, 0, quote, of->header_length + 8u);
}

static struct ipv4_header ours(void)
{
	struct ipv4_header of = frame_header(IP_UDP);

	of.source = frame_ipv4("192.0.2.1");
	of.destination = frame_ipv4("198.51.100.5");
	of.total_length = 128;
	return of;
}

static struct reeve_udp *connected_socket(struct bench *b, uint16_t local)
{
	const struct reeve_prefix everywhere = net_prefix("0.0.0.0/0");
	const struct reeve_sockaddr name = net_name("0.0.0.0", local);
	const struct reeve_sockaddr far = net_name("198.51.100.5", 53);
	struct reeve_udp *const udp = reeve_udp_new(b->net.hosts[0], REEVE_IPV4, NULL);

	reeve_host_add_route(b->net.hosts[0], &everywhere, NULL, b->net.ifaces[0]);
	assert_int_equal(reeve_udp_bind(udp, &name), 0);
	assert_int_equal(reeve_udp_connect(udp, &far), 0);
	return udp;
}

/* What Linux gives a connected socket: the errors that are final. */
static void test_errors_received(void **state)
{
	static const struct {
		uint8_t type, code;
		int error; /* 0: known, but not told */
	} cases[] = {
		{ 3, 0, 0 },
		{ 3, 1, 0 },
		{ 3, 2, ENOPROTOOPT },
		{ 3, 3, ECONNREFUSED },
		{ 3, 4, 0 },
		{ 3, 5, 0 },
		{ 3, 6, ENETUNREACH },
		{ 3, 7, EHOSTDOWN },
		{ 3, 8, ENONET },
		{ 3, 9, ENETUNREACH },
		{ 3, 10, EHOSTUNREACH },
		{ 3, 11, 0 },
		{ 3, 12, 0 },
		{ 3, 13, EHOSTUNREACH },
		{ 3, 14, EHOSTUNREACH },
		{ 3, 15, EHOSTUNREACH },
		{ 11, 0, 0 },
		{ 11, 1, 0 },
		{ 12, 0, EPROTO },
	};
	struct bench *const b = *state;
	struct reeve_udp *const udp = connected_socket(b, PORT);
	const struct ipv4_header h = frame_header(IP_ICMP);
	const struct ipv4_header of = ours();
	struct reeve_event event;
	struct iovec iov = { b->frame, 1 };

	for (size_t i = 0; i < array_length(cases); i++) {
		input(b, &h, error_about(b, cases[i].type, cases[i].code, &of, PORT, 53));
		assert_int_equal(reeve_host_next_event(b->net.hosts[0], &event),
				 cases[i].error != 0);
		assert_int_equal(reeve_udp_error(udp), cases[i].error);
		assert_int_equal(reeve_udp_error(udp), 0);
	}
	assert_int_equal(net_drops(b->net.hosts[0]), 0);
	/* Types and codes that are no errors. */
	input(b, &h, error_about(b, 3, 16, &of, PORT, 53));
	input(b, &h, error_about(b, 11, 2, &of, PORT, 53));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_TYPE), 2);
	/* A send takes the error, once. */
	input(b, &h, error_about(b, 3, 3, &of, PORT, 53));
	assert_int_equal(reeve_udp_send(udp, NULL, NULL, &iov, 1), -ECONNREFUSED);
	assert_int_equal(reeve_udp_send(udp, NULL, NULL, &iov, 1), 0);
	/* Too big is news only for one that does not want its datagrams cut. */
	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_DONT_FRAGMENT, 1), 0);
	input(b, &h, error_about(b, 3, 4, &of, PORT, 53));
	assert_int_equal(reeve_udp_error(udp), EMSGSIZE);
}

static void test_errors_about_nothing_of_ours(void **state)
{
	struct bench *const b = *state;
	struct reeve_udp *const udp = connected_socket(b, PORT);
	const struct ipv4_header h = frame_header(IP_ICMP);
	struct ipv4_header of = ours();
	uint64_t unmatched = 0;

	input(b, &h, error_about(b, 3, 3, &of, PORT + 1, 53));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), ++unmatched);
	input(b, &h, error_about(b, 3, 3, &of, PORT, 54));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), ++unmatched);
	of.destination++;
	input(b, &h, error_about(b, 3, 3, &of, PORT, 53));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), ++unmatched);
	of = ours();
	of.source++;
	input(b, &h, error_about(b, 3, 3, &of, PORT, 53));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), ++unmatched);
	of = ours();
	of.fragment_offset = 8;
	input(b, &h, error_about(b, 3, 3, &of, PORT, 53));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), ++unmatched);
	of = ours();
	of.protocol = 99;
	input(b, &h, error_about(b, 3, 3, &of, PORT, 53));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), ++unmatched);
	/* hazard 4: every length that ends within the quote. */
	of = ours();
	error_about(b, 3, 3, &of, PORT, 53);
	uint8_t quote[28];

	memcpy(quote, b->payload + 8, sizeof(quote));
	for (size_t length = 0; length < sizeof(quote); length++) {
		input(b, &h, frame_put_icmp(b->payload, 3, 3, 0, quote, length));
		assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), ++unmatched);
	}
	/* A header length that the quote does not hold, or that is none. */
	for (unsigned words = 0; words < 16; words++) {
		if (words == 5)
			continue;
		quote[0] = (uint8_t)(0x40 | words);
		input(b, &h, frame_put_icmp(b->payload, 3, 3, 0, quote, sizeof(quote)));
		assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), ++unmatched);
	}
	assert_int_equal(reeve_udp_error(udp), 0);
	assert_int_equal(net_drops(b->net.hosts[0]), unmatched);
}

/* With options in the quoted header. */
static void test_quote_with_options(void **state)
{
	struct bench *const b = *state;
	struct reeve_udp *const udp = connected_socket(b, PORT);
	const struct ipv4_header h = frame_header(IP_ICMP);
	struct ipv4_header of = ours();

	for (uint8_t length = 20; length <= 60; length = (uint8_t)(length + 4)) {
		of.header_length = length;
		input(b, &h, error_about(b, 3, 3, &of, PORT, 53));
		assert_int_equal(reeve_udp_error(udp), ECONNREFUSED);
	}
}

/* An unconnected socket could not know which of its datagrams is meant. */
static void test_unconnected_is_not_told(void **state)
{
	struct bench *const b = *state;
	const struct reeve_sockaddr name = net_name("0.0.0.0", PORT);
	struct reeve_udp *const udp = reeve_udp_new(b->net.hosts[0], REEVE_IPV4, NULL);
	const struct ipv4_header h = frame_header(IP_ICMP);
	const struct ipv4_header of = ours();

	assert_int_equal(reeve_udp_bind(udp, &name), 0);
	input(b, &h, error_about(b, 3, 3, &of, PORT, 53));
	assert_int_equal(reeve_udp_error(udp), 0);
	assert_int_equal(net_drops(b->net.hosts[0]), 0);
}

static void test_ping_errors(void **state)
{
	struct bench *const b = *state;
	struct reeve_ping *const ping = reeve_ping_new(b->net.hosts[0], NULL);
	const struct ipv4_header h = frame_header(IP_ICMP);
	struct ipv4_header of = ours();
	const struct reeve_address to = net_address("192.0.2.9");
	struct reeve_ping_reply reply;
	uint8_t quote[28];

	assert_int_equal(reeve_ping_send(ping, &to, 77, 56), 0);
	assert_true(output(b));
	of.destination = frame_ipv4("192.0.2.9");
	of.protocol = IP_ICMP;
	ipv4_emit(&of, quote);
	memcpy(quote + 20, b->out_payload, 8);
	input(b, &h, frame_put_icmp(b->payload, 11, 0, 0, quote, sizeof(quote)));
	assert_true(reeve_ping_receive(ping, &reply));
	assert_int_equal(reply.error, EHOSTUNREACH);
	assert_int_equal(reply.sequence, 77);
	/* About an answer of ours, or an identifier that is not. */
	quote[20] = ICMPV4_ECHO_REPLY;
	input(b, &h, frame_put_icmp(b->payload, 11, 0, 0, quote, sizeof(quote)));
	quote[20] = ICMPV4_ECHO_REQUEST;
	quote[24] ^= 1;
	input(b, &h, frame_put_icmp(b->payload, 11, 0, 0, quote, sizeof(quote)));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), 2);
	assert_false(reeve_ping_receive(ping, &reply));
	/* Replies to somebody else. */
	input(b, &h, frame_put_icmp(b->payload, 0, 0, load_be32(quote + 24), NULL, 0));
	assert_int_equal(dropped(b, REEVE_DROP_ICMP_UNMATCHED), 3);
}

static void test_ping_limits(void **state)
{
	struct bench *const b = *state;
	struct reeve_ping *pings[256] = { 0 };
	const struct reeve_address to = net_address("127.0.0.1");
	const struct reeve_address far = net_address("203.0.113.1");
	const struct reeve_address ipv6 = net_address("2001:db8::1");
	struct reeve_ping_reply reply;
	unsigned count = 0;
	unsigned replies = 0;

	while (count < 256 && (pings[count] = reeve_ping_new(b->net.hosts[0], NULL)))
		count++;
	assert_in_range(count, 16, 255);
	assert_int_equal(reeve_ping_send(pings[0], &far, 1, 8), -ENETUNREACH);
	assert_int_equal(reeve_ping_send(pings[0], &ipv6, 1, 8), -ENETUNREACH);
	assert_int_equal(reeve_ping_send(pings[0], &to, 1, 65508), -EMSGSIZE);
	assert_int_equal(reeve_ping_send(pings[0], &to, 1, 65507), 0);
	net_settle(&b->net);
	assert_true(reeve_ping_receive(pings[0], &reply));
	assert_int_equal(reply.length, 65507);
	/* Replies that nobody fetches do not heap up. */
	for (uint16_t i = 0; i < 500; i++) {
		assert_int_equal(reeve_ping_send(pings[1], &to, i, 0), 0);
		net_settle(&b->net);
	}
	while (reeve_ping_receive(pings[1], &reply))
		assert_int_equal(reply.sequence, replies++);
	assert_in_range(replies, 16, 499);
	reeve_ping_close(NULL);
	reeve_ping_close(pings[3]);
	pings[3] = reeve_ping_new(b->net.hosts[0], NULL);
	assert_non_null(pings[3]);
}

/* Over lo, both families: refused at once. */
static void test_refused_at_home(void **state)
{
	static const char *const names[] = { "127.0.0.1", "192.0.2.1", "::1" };
	struct bench *const b = *state;

	for (size_t i = 0; i < array_length(names); i++) {
		const struct reeve_sockaddr name = net_name(names[i], 99);
		const enum reeve_family family = reeve_address_family(&name.address);
		struct reeve_udp *const udp = reeve_udp_new(b->net.hosts[0], family, NULL);
		struct iovec iov = { b->frame, 100 };
		struct reeve_event event;

		assert_int_equal(reeve_udp_connect(udp, &name), 0);
		assert_int_equal(reeve_udp_send(udp, NULL, NULL, &iov, 1), 0);
		net_settle(&b->net);
		assert_true(reeve_host_next_event(b->net.hosts[0], &event));
		assert_int_equal(event.what, REEVE_FAILED);
		assert_int_equal(reeve_udp_error(udp), ECONNREFUSED);
		assert_int_equal(dropped(b, REEVE_DROP_UDP_NO_PORT), i + 1);
		reeve_udp_close(udp);
	}
}

/* A host that takes every destination: what is not there speaks for itself, the way to it does not. */
static void test_any_address(void **state)
{
	struct net n = { 0 };
	struct reeve_host_config config = { .max_sockets = 16, .any_address = true };
	struct bench *const b = *state;
	struct ipv4_header h = frame_header(IP_UDP);
	const struct reeve_prefix own = net_prefix("192.0.2.1/24");

	config.pool = b->net.pool;
	struct reeve_host *const before = b->net.hosts[0];
	struct reeve_host *const gateway = reeve_host_new(&config, b->net.now);

	n.mtu = 1500;
	assert_int_equal(net_add_iface(&n, gateway, 1), 1);
	assert_int_equal(reeve_host_add_address(gateway, 1, &own), 0);
	b->net.hosts[0] = gateway;
	frame_introduce(&b->net);
	h.destination = frame_ipv4("203.0.113.9");
	nobody(b, &h, 4);
	assert_true(output(b));
	assert_int_equal(b->out_header.source, h.destination);
	assert_int_equal(b->out_payload[1], ICMPV4_PORT);
	/* As a gateway refuses a flow that it could not make. */
	struct reeve_packet *const p = packet_new(b->net.pool);
	const struct ip_received how = {
		.source = net_address("192.0.2.9"),
		.destination = net_address("203.0.113.9"),
		.iface = 1,
		.header_length = 20,
		.protocol = IP_UDP,
	};

	frame_put_udp(b->payload, &h, 1, 2, "x", 1);
	h.total_length = 29;
	assert_true(packet_append_bytes(p, b->payload, 9));
	ipv4_emit(&h, packet_push(p, 20));
	assert_true(packet_pull(p, 29));
	packet_strip(p, 20);
	icmp_refuse_take(gateway, p, &how, ICMPV4_UNREACHABLE, ICMPV4_HOST, REEVE_DROP_TCP_NO_PORT);
	assert_true(output(b));
	assert_int_equal(b->out_header.source, frame_ipv4("192.0.2.1"));
	assert_int_equal(b->out_payload[1], ICMPV4_HOST);
	b->net.hosts[0] = before;
	reeve_host_free(gateway);
}

#define ICMP_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ICMP_TEST(test_echo),
		ICMP_TEST(test_echo_options),
		ICMP_TEST(test_echo_strange_offload),
		ICMP_TEST(test_echo_to_all),
		ICMP_TEST(test_other_types),
		ICMP_TEST(test_port_unreachable),
		ICMP_TEST(test_protocol_unreachable),
		ICMP_TEST(test_no_error_about),
		ICMP_TEST(test_rate),
		ICMP_TEST(test_echo_rate),
		ICMP_TEST(test_errors_received),
		ICMP_TEST(test_errors_about_nothing_of_ours),
		ICMP_TEST(test_quote_with_options),
		ICMP_TEST(test_unconnected_is_not_told),
		ICMP_TEST(test_ping_errors),
		ICMP_TEST(test_ping_limits),
		ICMP_TEST(test_refused_at_home),
		ICMP_TEST(test_any_address),
	};

	return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
