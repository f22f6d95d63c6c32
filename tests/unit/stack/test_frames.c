/*
 * What comes in: each packet that is wrong ends in the one drop that says why, and whatever bytes
 * come, all are accounted for and nothing is kept. Hazards 2, 4, 5, 9, 20 and 33.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "frames.h"
#include "seed.h"
#include "stack/fragment.h"
#include "stack/ip.h"
#include "stack/neighbour.h"
#include "wire/icmp.h"
#include "wire/udp.h"

#define PORT 7777

struct bench {
	struct net net;
	struct reeve_udp *udp;
	struct reeve_ping *ping;
	uint8_t frame[FRAME_MAX];
	uint8_t payload[FRAME_MAX];
};

static int setup(void **state)
{
	struct bench *const b = calloc(1, sizeof(*b));

	assert_non_null(b);
	net_init(&b->net);
	net_settle(&b->net);
	const struct reeve_sockaddr name = net_name("0.0.0.0", PORT);

	b->udp = reeve_udp_new(b->net.hosts[0], REEVE_IPV4, NULL);
	assert_int_equal(reeve_udp_bind(b->udp, &name), 0);
	b->ping = reeve_ping_new(b->net.hosts[0], NULL);
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

/* The frame must end in this drop, and nothing else may be counted. */
static void expect_drop(struct bench *b, size_t length, enum reeve_drop reason)
{
	const struct reeve_host *const host = b->net.hosts[0];
	const uint64_t all = net_drops(host);
	const uint64_t these = net_drop(host, reason);
	const uint64_t udp = net_stats(host).udp_in;

	net_input(&b->net, 0, b->frame, length);
	if (net_drop(host, reason) != these + 1) {
		for (unsigned i = 0; i < REEVE_DROP_COUNT; i++)
			if (net_drop(host, (enum reeve_drop)i))
				print_message("# %s %u\n", reeve_drop_name((enum reeve_drop)i),
					      (unsigned)net_drop(host, (enum reeve_drop)i));
		fail_msg("not dropped as %s", reeve_drop_name(reason));
	}
	assert_int_equal(net_drops(host), all + 1);
	assert_int_equal(net_stats(host).udp_in, udp);
}

static void expect_datagram(struct bench *b, size_t length, size_t bytes)
{
	struct reeve_datagram d;

	net_input(&b->net, 0, b->frame, length);
	assert_true(reeve_udp_peek(b->udp, &d));
	assert_int_equal(d.length, bytes);
	reeve_udp_consume(b->udp);
	assert_false(reeve_udp_peek(b->udp, &d));
}

/* A good datagram of 100 bytes. */
static size_t datagram(struct bench *b, const struct ipv4_header *h)
{
	uint8_t data[100] = { 1, 2, 3 };
	const size_t length = frame_put_udp(b->payload, h, 5000, PORT, data, sizeof(data));

	return frame_put(b->frame, h, b->payload, length);
}

static void test_link_layer(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_UDP);
	size_t length = datagram(b, &h);

	expect_datagram(b, length, 100);
	for (size_t i = 0; i < 14; i++)
		expect_drop(b, i, REEVE_DROP_LINK_SHORT);
	b->frame[5] = 77;
	expect_drop(b, length, REEVE_DROP_LINK_NOT_OURS);
	length = datagram(b, &h);
	b->frame[6] |= 1; /* from a group */
	expect_drop(b, length, REEVE_DROP_LINK_NOT_OURS);
	length = datagram(b, &h);
	net_mac(1, b->frame + 6); /* from ourselves */
	expect_drop(b, length, REEVE_DROP_LINK_NOT_OURS);
	length = datagram(b, &h);
	store_be16(b->frame + 12, 0x86dd);
	expect_drop(b, length, REEVE_DROP_LINK_TYPE);
	store_be16(b->frame + 12, 100);
	expect_drop(b, length, REEVE_DROP_LINK_TYPE);
	/* Ethernet's padding is no payload. */
	length = datagram(b, &h);
	expect_datagram(b, length + 20, 100);
}

static void test_ipv4_header(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = frame_header(IP_UDP);
	size_t length = datagram(b, &h);

	/* Every length but the whole one: the packet ends before its header says. */
	for (size_t i = 14; i < length; i++)
		expect_drop(b, i, REEVE_DROP_IP_SHORT);
	for (unsigned version = 0; version < 16; version++) {
		if (version == 4)
			continue;
		length = datagram(b, &h);
		b->frame[14] = (uint8_t)(version << 4 | 5);
		expect_drop(b, length, REEVE_DROP_IP_VERSION);
	}
	for (unsigned words = 0; words < 5; words++) {
		length = datagram(b, &h);
		b->frame[14] = (uint8_t)(0x40 | words);
		expect_drop(b, length, REEVE_DROP_IP_HEADER);
	}
	h.total_length = 19;
	length = datagram(b, &h);
	expect_drop(b, length, REEVE_DROP_IP_HEADER);
	h.total_length = 65535;
	length = datagram(b, &h);
	expect_drop(b, length, REEVE_DROP_IP_SHORT);
	h.total_length = 0;
	for (unsigned i = 0; i < 20; i++) {
		length = datagram(b, &h);
		/* The first byte and the length are looked at before the checksum. */
		if (i == 0 || i == 2 || i == 3)
			continue;
		b->frame[14 + i] ^= 0x10;
		expect_drop(b, length, REEVE_DROP_IP_CHECKSUM);
	}
}

static void test_options(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = frame_header(IP_UDP);

	h.header_length = 28;
	memcpy(h.options, (uint8_t[]){ 131, 7, 4, 192, 0, 2, 7, 0 }, 8);
	expect_drop(b, datagram(b, &h), REEVE_DROP_IP_OPTIONS);
	h.options[0] = 137;
	expect_drop(b, datagram(b, &h), REEVE_DROP_IP_OPTIONS);
	/* A stream identifier is ignored (RFC 1122, 3.2.1.8 (b)). */
	memcpy(h.options, (uint8_t[]){ 136, 4, 0, 9, 0, 0, 0, 0 }, 8);
	expect_datagram(b, datagram(b, &h), 100);
	memcpy(h.options, (uint8_t[]){ 131, 7, 4, 192, 0, 2, 7, 0 }, 8);
	h.options[0] = 7; /* a record of the route is harmless */
	expect_datagram(b, datagram(b, &h), 100);
	h.options[1] = 0;
	expect_drop(b, datagram(b, &h), REEVE_DROP_IP_OPTIONS);
	h.options[1] = 9;
	expect_drop(b, datagram(b, &h), REEVE_DROP_IP_OPTIONS);
	h.header_length = 60;
	memset(h.options, 1, sizeof(h.options));
	expect_datagram(b, datagram(b, &h), 100);
}

static void test_addresses(void **state)
{
	static const char *const bad_sources[] = {
		"0.0.0.0",   "0.1.2.3",         "127.0.0.1",   "224.0.0.1", "239.1.1.1",
		"240.0.0.1", "255.255.255.255", "192.0.2.255", "192.0.2.0", "192.0.2.1",
	};
	static const char *const foreign[] = {
		"192.0.2.2", "198.51.100.1", "127.0.0.1", "224.0.0.2", "0.0.0.0", "240.0.0.1",
	};
	struct bench *const b = *state;
	struct ipv4_header h = frame_header(IP_UDP);

	for (size_t i = 0; i < array_length(bad_sources); i++) {
		h.source = frame_ipv4(bad_sources[i]);
		expect_drop(b, datagram(b, &h), REEVE_DROP_IP_SOURCE);
	}
	h = frame_header(IP_UDP);
	for (size_t i = 0; i < array_length(foreign); i++) {
		h.destination = frame_ipv4(foreign[i]);
		expect_drop(b, datagram(b, &h), REEVE_DROP_IP_NOT_OURS);
	}
	/* The broadcast, in the form of old too (RFC 1122, 3.3.6). */
	static const char *const all[] = { "192.0.2.255", "255.255.255.255", "192.0.2.0" };

	for (size_t i = 0; i < array_length(all); i++) {
		h.destination = frame_ipv4(all[i]);
		expect_datagram(b, datagram(b, &h), 100);
	}
}

static void test_protocols(void **state)
{
	struct bench *const b = *state;

	for (unsigned protocol = 0; protocol < 256; protocol++) {
		const struct ipv4_header h = frame_header((uint8_t)protocol);

		if (protocol == IP_ICMP || protocol == IP_IGMP || protocol == IP_TCP ||
		    protocol == IP_UDP)
			continue;
		if (protocol == IP_ICMPV6)
			continue;
		expect_drop(b, frame_put(b->frame, &h, "data", 4), REEVE_DROP_IP_PROTOCOL);
	}
}

/* ICMPv6 is none of IPv4's. */
static void test_icmpv6_over_ipv4(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_ICMPV6);
	const size_t length = frame_put_icmp(b->payload, 128, 0, 0, NULL, 0);

	expect_drop(b, frame_put(b->frame, &h, b->payload, length), REEVE_DROP_IP_PROTOCOL);
}

static void test_udp_lengths(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_UDP);
	uint8_t data[100] = { 0 };

	for (size_t i = 0; i < UDP_HEADER; i++)
		expect_drop(b, frame_put(b->frame, &h, b->payload, i), REEVE_DROP_UDP_SHORT);
	for (uint16_t length = 0; length <= 110; length++) {
		frame_put_udp(b->payload, &h, 5000, PORT, data, 100);
		store_be16(b->payload + 4, length);
		store_be16(b->payload + 6, 0); /* no checksum */
		const size_t frame = frame_put(b->frame, &h, b->payload, 108);

		if (length < 8 || length > 108)
			expect_drop(b, frame, REEVE_DROP_UDP_SHORT);
		else
			expect_datagram(b, frame, (size_t)length - 8);
	}
}

/* hazard 20: nobody is at port 0, and what says it comes from there is no trouble. */
static void test_udp_port_zero(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_UDP);
	size_t length = frame_put_udp(b->payload, &h, 5000, 0, "x", 1);

	expect_drop(b, frame_put(b->frame, &h, b->payload, length), REEVE_DROP_UDP_PORT_ZERO);
	length = frame_put_udp(b->payload, &h, 0, PORT, "x", 1);
	expect_datagram(b, frame_put(b->frame, &h, b->payload, length), 1);
	length = frame_put_udp(b->payload, &h, 0, 0, "x", 1);
	expect_drop(b, frame_put(b->frame, &h, b->payload, length), REEVE_DROP_UDP_PORT_ZERO);
}

static void test_udp_checksum(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_UDP);
	const size_t length = datagram(b, &h);

	for (size_t i = 14 + 20; i < length; i++) {
		/* The length is looked at first. */
		if (i == 14 + 20 + 4 || i == 14 + 20 + 5)
			continue;
		b->frame[i] ^= 0x04;
		expect_drop(b, length, REEVE_DROP_UDP_CHECKSUM);
		b->frame[i] ^= 0x04;
	}
	expect_datagram(b, length, 100);
}

/* hazard 4: an ICMP message shorter than its header. */
static void test_icmp_short(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_ICMP);

	frame_put_icmp(b->payload, ICMPV4_ECHO_REQUEST, 0, 0, NULL, 0);
	for (size_t i = 0; i < ICMP_HEADER; i++)
		expect_drop(b, frame_put(b->frame, &h, b->payload, i), REEVE_DROP_ICMP_SHORT);
	const size_t whole = frame_put_icmp(b->payload, ICMPV4_ECHO_REQUEST, 0, 7, "data", 4);

	for (size_t i = 0; i < whole; i++) {
		b->payload[i] ^= 0x20;
		expect_drop(b, frame_put(b->frame, &h, b->payload, whole),
			    REEVE_DROP_ICMP_CHECKSUM);
		b->payload[i] ^= 0x20;
	}
}

/* hazard 9: every truncation of ARP. */
static void test_arp_short(void **state)
{
	struct bench *const b = *state;
	struct arp_packet a = { .operation = ARP_REQUEST, .target = frame_ipv4("192.0.2.1") };

	net_mac(FRAME_STATION, a.sender_mac);
	frame_put_arp(b->frame, &a);
	for (size_t i = 14; i < 14 + ARP_PACKET; i++)
		expect_drop(b, i, REEVE_DROP_ARP_BAD);
}

/* Drops of what the host itself sends, in answer to what comes. */
static bool is_outward(enum reeve_drop reason)
{
	return reason == REEVE_DROP_LINK_QUEUE || reason == REEVE_DROP_NEIGHBOUR_QUEUE ||
	       reason == REEVE_DROP_NEIGHBOUR_UNREACHABLE || reason == REEVE_DROP_IP_NO_ROUTE;
}

/* Each frame that came in: dropped once, or delivered, or a fragment that waits or was joined. What
 * comes round over lo counts as come in. */
static void expect_all_accounted_for(const struct bench *b)
{
	const struct reeve_host *const host = b->net.hosts[0];
	const struct reeve_host_stats s = net_stats(host);
	struct reeve_iface_info eth, lo;
	uint64_t ends = s.arp_in + s.icmp_in + s.udp_in + fragment_count(host) +
			s.ip_fragments_joined - s.ip_reassembled;

	for (unsigned i = 0; i < REEVE_DROP_COUNT; i++)
		ends += is_outward((enum reeve_drop)i) ? 0 : s.drops[i];
	assert_int_equal(reeve_host_iface(host, b->net.ifaces[0], &eth), 0);
	assert_int_equal(reeve_host_iface(host, 0, &lo), 0);
	assert_int_equal(ends, eth.rx_packets + lo.rx_packets);
	assert_int_equal(s.drops[REEVE_DROP_NO_MEMORY], 0);
}

static void drain(struct bench *b)
{
	struct reeve_event event;
	unsigned iface;

	for (struct reeve_packet *p; (p = reeve_host_output(b->net.hosts[0], b->net.now, &iface));)
		reeve_packet_free(p);
	while (reeve_host_next_event(b->net.hosts[0], &event))
		;
	for (struct reeve_datagram d; reeve_udp_peek(b->udp, &d);)
		reeve_udp_consume(b->udp);
	for (struct reeve_ping_reply reply; reeve_ping_receive(b->ping, &reply);)
		;
}

/* A frame that is right, of one of the kinds there are. */
static size_t some_good_frame(struct bench *b, struct random *r)
{
	struct ipv4_header h = frame_header(IP_UDP);
	uint8_t data[64] = { 0 };
	struct arp_packet a = {
		.operation = (uint16_t)(1 + random_below(r, 2)),
		.sender = frame_ipv4("192.0.2.0") + random_below(r, 256),
		.target = frame_ipv4("192.0.2.0") + random_below(r, 4),
	};
	size_t length;

	net_mac((uint8_t)random_below(r, 12), a.sender_mac);
	h.source = frame_ipv4("192.0.2.8") + random_below(r, 8);
	h.id = (uint16_t)random_below(r, 8);
	switch (random_below(r, 7)) {
	case 0:
		return frame_put_arp(b->frame, &a);
	case 1:
		length = frame_put_udp(b->payload, &h, 1, PORT, data, random_below(r, 64));
		break;
	case 2:
		length = frame_put_udp(b->payload, &h, 1, 99, data, random_below(r, 64));
		break;
	case 3:
		h.protocol = IP_ICMP;
		length = frame_put_icmp(b->payload, (uint8_t)random_below(r, 16),
					(uint8_t)random_below(r, 20), random_u32(r), data, 32);
		break;
	case 4: {
		/* An error about a datagram, perhaps of ours. */
		struct ipv4_header of = frame_header(random_below(r, 2) ? IP_UDP : IP_TCP);
		uint8_t quote[64] = { 0 };

		of.source = frame_ipv4("192.0.2.0") + random_below(r, 3);
		of.total_length = 100;
		ipv4_emit(&of, quote);
		store_be16(quote + 20, PORT);
		h.protocol = IP_ICMP;
		length = frame_put_icmp(b->payload, 3, (uint8_t)random_below(r, 6), 0, quote, 28);
		break;
	}
	case 5:
		h.protocol = IP_TCP;
		length = 20 + random_below(r, 40);
		for (size_t i = 0; i < length; i++)
			b->payload[i] = (uint8_t)random_u32(r);
		b->payload[12] = (uint8_t)((4 + random_below(r, 4)) << 4);
		if (random_below(r, 4))
			frame_finish_tcp(b->payload, &h, length);
		break;
	default:
		h.fragment_offset = (uint16_t)(random_below(r, 8) ? 32 * random_below(r, 3) : 8);
		h.more_fragments = h.fragment_offset < 64;
		h.id = (uint16_t)random_below(r, 4);
		h.source = frame_ipv4("192.0.2.9");
		length = frame_put_udp(b->payload, &h, 1, PORT, data, 24);
		break;
	}
	return frame_put(b->frame, &h, b->payload, length);
}

static void mutate(struct bench *b, struct random *r, size_t *length)
{
	const unsigned changes = random_below(r, 4);

	for (unsigned i = 0; i < changes; i++)
		b->frame[random_below(r, (uint32_t)*length)] = (uint8_t)random_u32(r);
	if (random_below(r, 4) == 0)
		*length = random_below(r, (uint32_t)*length + 1);
	/* Half of those that are wrong get a right IP checksum, to come further. */
	if (*length >= 34 && random_below(r, 2)) {
		struct ipv4_header h;
		struct cursor c = cursor_over(b->frame + 14, *length - 14);

		if (ipv4_parse(&c, &h) == IPV4_OK)
			ipv4_emit(&h, b->frame + 14);
	}
}

static void expect_bounded(const struct bench *b)
{
	struct reeve_pool_stats pool;

	reeve_pool_stats(b->net.pool, &pool);
	assert_true(neighbour_count(b->net.hosts[0]) <= NEIGHBOUR_MAX);
	assert_true(fragment_memory(b->net.hosts[0]) <= FRAGMENT_MEMORY);
	assert_true(pool.packets <= fragment_count(b->net.hosts[0]) + 32 * 256);
}

/* That the frames were worth anything: many kinds of wrong ones, and right ones too. */
static void expect_variety(const struct bench *b)
{
	const struct reeve_host_stats s = net_stats(b->net.hosts[0]);
	unsigned reasons = 0;

	for (unsigned i = 0; i < REEVE_DROP_COUNT; i++)
		reasons += s.drops[i] > 0;
	assert_in_range(reasons, 26, REEVE_DROP_COUNT);
	assert_true(s.arp_in > 500 && s.icmp_in > 500 && s.udp_in > 500 && s.ip_reassembled > 20);
}

static void test_random_and_mutated_frames(void **state)
{
	struct bench *const b = *state;
	struct random r = seeded(20);

	for (unsigned i = 0; i < 60000; i++) {
		size_t length;

		if (random_below(&r, 4) == 0) {
			length = random_below(&r, 120);
			for (size_t k = 0; k < length; k++)
				b->frame[k] = (uint8_t)random_u32(&r);
			if (random_below(&r, 2) && length >= 14) {
				net_mac(1, b->frame);
				b->frame[6] = 2;
				store_be16(b->frame + 12, random_below(&r, 2) ? 0x800 : 0x806);
			}
		} else {
			length = some_good_frame(b, &r);
			if (random_below(&r, 3) > 0)
				mutate(b, &r, &length);
		}
		net_input(&b->net, 0, b->frame, length);
		if (random_below(&r, 8) == 0) {
			drain(b);
			expect_bounded(b);
		}
		if (random_below(&r, 16) == 0) {
			b->net.now = reeve_time_add_ms(b->net.now, random_below(&r, 3000));
			reeve_host_tick(b->net.hosts[0], b->net.now);
		}
		if (i % 1000 == 0)
			expect_all_accounted_for(b);
	}
	drain(b);
	expect_all_accounted_for(b);
	expect_variety(b);
	/* An hour later nothing that strangers sent is left. */
	for (unsigned i = 0; i < 10; i++) {
		b->net.now = reeve_time_add_ms(b->net.now, 360000);
		reeve_host_tick(b->net.hosts[0], b->net.now);
		drain(b);
	}
	struct reeve_pool_stats pool;

	reeve_pool_stats(b->net.pool, &pool);
	assert_int_equal(pool.packets, 0);
	assert_int_equal(pool.buffers, 0);
	assert_int_equal(fragment_count(b->net.hosts[0]), 0);
	assert_int_equal(fragment_memory(b->net.hosts[0]), 0);
	assert_int_equal(neighbour_count(b->net.hosts[0]), 0);
	assert_true(reeve_time_is_never(reeve_host_deadline(b->net.hosts[0])));
	expect_all_accounted_for(b);
}

/* hazard 33: the longest that lengths of 16 bits allow, as one frame. */
static void test_longest(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = frame_header(IP_UDP);
	uint8_t *const data = calloc(1, REEVE_UDP_MAX);

	assert_non_null(data);
	const size_t length = frame_put_udp(b->payload, &h, 5000, PORT, data, REEVE_UDP_MAX);

	assert_int_equal(length, 65515);
	expect_datagram(b, frame_put(b->frame, &h, b->payload, length), REEVE_UDP_MAX);
	free(data);
}

/* The embedder's pool may be empty: nothing is lost but the packet. */
static void test_without_memory(void **state)
{
	(void)state;
	for (uint32_t packets = 1; packets < 12; packets++) {
		const struct reeve_pool_config config = { packets, 1 << 16 };
		struct reeve_pool *const pool = reeve_pool_new(&config);
		struct net n = { 0 };
		struct bench *const b = calloc(1, sizeof(*b));
		struct random r = seeded(packets);
		unsigned iface;

		assert_non_null(b);
		n.pool = pool;
		n.now.ns = 1;
		n.mtu = 1500;
		struct reeve_host *const host = net_host_new(&n, 1);
		const struct reeve_prefix prefix = net_prefix("192.0.2.1/24");
		const unsigned eth = net_add_iface(&n, host, 1);

		assert_int_equal(reeve_host_add_address(host, eth, &prefix), 0);
		for (unsigned i = 0; i < 500; i++) {
			const size_t length = some_good_frame(b, &r);
			struct reeve_packet *p =
				reeve_packet_from_bytes(pool, b->frame, length, NULL);

			if (p)
				reeve_host_input(host, eth, p, n.now);
			if (random_below(&r, 2))
				continue;
			while ((p = reeve_host_output(host, n.now, &iface)))
				reeve_packet_free(p);
		}
		reeve_host_free(host);
		reeve_pool_free(pool);
		free(b);
	}
}

/* hazard 20: to and from the same name, which only a host that takes any address can be told. */
static void test_land_at_a_gateway(void **state)
{
	struct bench *const b = *state;
	const struct reeve_host_config config = {
		.pool = b->net.pool,
		.max_sockets = 16,
		.any_address = true,
	};
	const struct reeve_prefix own = net_prefix("192.0.2.1/24");
	struct reeve_host *const before = b->net.hosts[0];
	struct reeve_host *const gateway = reeve_host_new(&config, b->net.now);
	struct ipv4_header h = frame_header(IP_TCP);
	uint8_t tcp[20] = { 0, 80, 0, 80, [12] = 5 << 4, [13] = 2 };
	struct net n = { .mtu = 1500 };
	struct reeve_tcp *all;
	struct reeve_event event;

	assert_int_equal(net_add_iface(&n, gateway, 1), 1);
	assert_int_equal(reeve_host_add_address(gateway, 1, &own), 0);
	assert_int_equal(reeve_tcp_intercept(gateway, NULL, 0, NULL, &all), 0);
	b->net.hosts[0] = gateway;
	h.source = h.destination = frame_ipv4("203.0.113.9");
	frame_finish_tcp(tcp, &h, sizeof(tcp));
	expect_drop(b, frame_put(b->frame, &h, tcp, sizeof(tcp)), REEVE_DROP_IP_SOURCE);
	assert_false(reeve_host_next_event(gateway, &event));
	h.source--;
	frame_finish_tcp(tcp, &h, sizeof(tcp));
	net_input(&b->net, 0, b->frame, frame_put(b->frame, &h, tcp, sizeof(tcp)));
	assert_true(reeve_host_next_event(gateway, &event));
	b->net.hosts[0] = before;
	reeve_host_free(gateway);
}

#define FRAME_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRAME_TEST(test_link_layer),        FRAME_TEST(test_ipv4_header),
		FRAME_TEST(test_options),           FRAME_TEST(test_addresses),
		FRAME_TEST(test_protocols),         FRAME_TEST(test_icmpv6_over_ipv4),
		FRAME_TEST(test_udp_lengths),       FRAME_TEST(test_udp_port_zero),
		FRAME_TEST(test_udp_checksum),      FRAME_TEST(test_icmp_short),
		FRAME_TEST(test_arp_short),         FRAME_TEST(test_random_and_mutated_frames),
		FRAME_TEST(test_longest),           cmocka_unit_test(test_without_memory),
		FRAME_TEST(test_land_at_a_gateway),
	};

	return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
