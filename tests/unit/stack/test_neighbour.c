/* ARP: asking, answering, ageing, announcing, defending, and what is not believed. Hazard 9. */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "frames.h"
#include "stack/ip.h"
#include "stack/neighbour.h"

struct bench {
	struct net net; /* host 0 is tried; host 1 only waits */
	struct reeve_udp *udp;
	uint8_t frame[2048];
};

static void bench_init(struct bench *b)
{
	net_init(&b->net);
	net_pass_ms(&b->net, 5000);
	b->udp = reeve_udp_new(b->net.hosts[0], REEVE_IPV4, NULL);
}

static int send_byte(const struct bench *b, const char *text, uint8_t byte)
{
	const struct reeve_sockaddr name = net_name(text, 9);
	struct iovec iov = { &byte, 1 };

	return reeve_udp_send(b->udp, &name, NULL, &iov, 1);
}

static int send_to(const struct bench *b, const char *text)
{
	return send_byte(b, text, 'x');
}

/* The next frame is an ARP packet, or false when there is none. */
static bool next_arp(struct bench *b, struct arp_packet *ret)
{
	const size_t length = net_output(&b->net, 0, b->frame, sizeof(b->frame));

	if (length == 0)
		return false;
	assert_int_equal(length, 14 + ARP_PACKET);
	assert_int_equal(load_be16(b->frame + 12), ETHER_ARP);
	struct cursor c = cursor_over(b->frame + 14, ARP_PACKET);

	assert_true(arp_parse(&c, ret));
	return true;
}

/* The next frame is a datagram to station `mac`: IP right behind the header of Ethernet, and nothing
 * behind that, so no trailer (RFC 1122, 2.3.1). */
static void expect_datagram_to(struct bench *b, uint8_t mac)
{
	uint8_t expected[6];

	net_mac(mac, expected);
	assert_int_equal(net_output(&b->net, 0, b->frame, sizeof(b->frame)), 14 + 20 + 8 + 1);
	assert_memory_equal(b->frame, expected, 6);
	assert_int_equal(load_be16(b->frame + 12), ETHER_IPV4);
	assert_int_equal(b->frame[14], 0x45);
	assert_int_equal(load_be16(b->frame + 16), 20 + 8 + 1);
}

static void expect_silence(struct bench *b)
{
	assert_int_equal(net_output(&b->net, 0, b->frame, sizeof(b->frame)), 0);
}

static void hear(struct bench *b, uint16_t operation, const char *sender, uint8_t mac,
		 const char *target)
{
	struct arp_packet a = {
		.operation = operation,
		.sender = frame_ipv4(sender),
		.target = frame_ipv4(target),
	};

	net_mac(mac, a.sender_mac);
	net_input(&b->net, 0, b->frame, frame_put_arp(b->frame, &a));
}

static void wait_ms(struct bench *b, int64_t ms)
{
	const struct reeve_time end = reeve_time_add_ms(b->net.now, ms);

	for (;;) {
		const struct reeve_time next = reeve_host_deadline(b->net.hosts[0]);

		if (reeve_time_before(end, next))
			break;
		b->net.now = next;
		reeve_host_tick(b->net.hosts[0], next);
		if (iface_has_output(b->net.hosts[0]))
			return;
	}
	b->net.now = end;
	reeve_host_tick(b->net.hosts[0], end);
}

static uint64_t dropped(const struct bench *b, enum reeve_drop reason)
{
	return net_drop(b->net.hosts[0], reason);
}

static void test_ask_and_answer(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct arp_packet a = { 0 };

	bench_init(&b);
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	assert_true(next_arp(&b, &a));
	assert_memory_equal(b.frame, ether_broadcast, 6);
	assert_int_equal(a.operation, ARP_REQUEST);
	assert_int_equal(a.sender, frame_ipv4("192.0.2.1"));
	assert_int_equal(a.target, frame_ipv4("192.0.2.9"));
	expect_silence(&b); /* one question, however many packets wait */
	hear(&b, ARP_REPLY, "192.0.2.9", 9, "192.0.2.1");
	expect_datagram_to(&b, 9);
	expect_datagram_to(&b, 9);
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	expect_datagram_to(&b, 9);
	expect_silence(&b);
	net_deinit(&b.net);
}

/* Three questions, a second apart, then the packets are given up. */
static void test_no_answer(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct arp_packet a = { 0 };

	bench_init(&b);
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	const struct reeve_time start = b.net.now;

	for (unsigned i = 0; i < 3; i++) {
		assert_true(next_arp(&b, &a));
		const int64_t ms = reeve_time_since(b.net.now, start) / REEVE_NS_PER_MS;

		assert_in_range(ms, i * 1000, i * 1000 + 10);
		expect_silence(&b);
		assert_int_equal(dropped(&b, REEVE_DROP_NEIGHBOUR_UNREACHABLE), 0);
		wait_ms(&b, 1500);
	}
	expect_silence(&b);
	assert_int_equal(dropped(&b, REEVE_DROP_NEIGHBOUR_UNREACHABLE), 1);
	assert_int_equal(neighbour_count(b.net.hosts[0]), 0);
	net_deinit(&b.net);
}

/* The sender of an echo request is told. */
static void test_no_answer_is_told(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_ping_reply reply;

	net_init(&n);
	struct reeve_ping *const ping = reeve_ping_new(n.hosts[0], NULL);
	const struct reeve_address to = net_address("192.0.2.99");

	assert_int_equal(reeve_ping_send(ping, &to, 3, 8), 0);
	net_pass_ms(&n, 2500);
	assert_false(reeve_ping_receive(ping, &reply));
	net_pass_ms(&n, 1000);
	assert_true(reeve_ping_receive(ping, &reply));
	assert_int_equal(reply.error, EHOSTUNREACH);
	assert_int_equal(reply.sequence, 3);
	assert_true(reeve_address_equal(&reply.from, &to));
	net_deinit(&n);
}

/* The latest are kept (RFC 1122, 2.3.2.2), and go out in their order. */
static void test_queue_is_bounded(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct arp_packet a = { 0 };

	bench_init(&b);
	for (unsigned i = 0; i < NEIGHBOUR_QUEUE_MAX + 10; i++)
		assert_int_equal(send_byte(&b, "192.0.2.9", (uint8_t)i), 0);
	assert_int_equal(dropped(&b, REEVE_DROP_NEIGHBOUR_QUEUE), 10);
	assert_true(next_arp(&b, &a));
	hear(&b, ARP_REPLY, "192.0.2.9", 9, "192.0.2.1");
	for (unsigned i = 10; i < NEIGHBOUR_QUEUE_MAX + 10; i++) {
		expect_datagram_to(&b, 9);
		assert_int_equal(b.frame[14 + 20 + 8], i);
	}
	expect_silence(&b);
	net_deinit(&b.net);
}

static void test_table_is_bounded(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct reeve_prefix wide = net_prefix("198.18.0.1/16");

	bench_init(&b);
	assert_int_equal(reeve_host_add_address(b.net.hosts[0], b.net.ifaces[0], &wide), 0);
	for (unsigned i = 0; i < 3 * NEIGHBOUR_MAX; i++) {
		const struct reeve_sockaddr name = {
			.address = reeve_address_from_ipv4(frame_ipv4("198.18.1.0") + i),
			.port = 9,
		};
		struct iovec iov = { b.frame, 1 };
		unsigned iface;

		assert_int_equal(reeve_udp_send(b.udp, &name, NULL, &iov, 1), 0);
		for (struct reeve_packet *p;
		     (p = reeve_host_output(b.net.hosts[0], b.net.now, &iface));)
			reeve_packet_free(p);
		assert_true(neighbour_count(b.net.hosts[0]) <= NEIGHBOUR_MAX);
	}
	assert_int_equal(dropped(&b, REEVE_DROP_NEIGHBOUR_QUEUE), 2 * NEIGHBOUR_MAX);
	/* Requests from everywhere do not push out what we asked for ourselves. */
	for (unsigned i = 0; i < 100; i++)
		hear(&b, ARP_REQUEST, "192.0.2.9", 9, "192.0.2.1");
	assert_int_equal(dropped(&b, REEVE_DROP_NEIGHBOUR_QUEUE), 2 * NEIGHBOUR_MAX);
	net_deinit(&b.net);
}

static void test_ageing(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct arp_packet a = { 0 };
	uint8_t mac[6];

	bench_init(&b);
	const uint32_t before = neighbour_count(b.net.hosts[0]);

	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	assert_true(next_arp(&b, &a));
	hear(&b, ARP_REPLY, "192.0.2.9", 9, "192.0.2.1");
	expect_datagram_to(&b, 9);
	/* Used within the minute: asked directly, and sent to meanwhile. */
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	expect_datagram_to(&b, 9);
	wait_ms(&b, 61000);
	assert_true(next_arp(&b, &a));
	net_mac(9, mac);
	assert_memory_equal(b.frame, mac, 6);
	assert_int_equal(a.operation, ARP_REQUEST);
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	expect_datagram_to(&b, 9);
	hear(&b, ARP_REPLY, "192.0.2.9", 9, "192.0.2.1");
	expect_silence(&b);
	/* Not used for a minute: forgotten without a word. */
	wait_ms(&b, 61000);
	expect_silence(&b);
	assert_int_equal(neighbour_count(b.net.hosts[0]), before);
	/* Gone while it is used: three questions to it, then a new search. */
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	assert_true(next_arp(&b, &a));
	hear(&b, ARP_REPLY, "192.0.2.9", 9, "192.0.2.1");
	expect_datagram_to(&b, 9);
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	expect_datagram_to(&b, 9);
	for (unsigned i = 0; i < 3; i++) {
		wait_ms(&b, 61000);
		assert_true(next_arp(&b, &a));
		assert_memory_equal(b.frame, mac, 6);
	}
	wait_ms(&b, 2000);
	expect_silence(&b);
	assert_int_equal(neighbour_count(b.net.hosts[0]), before);
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	assert_true(next_arp(&b, &a));
	assert_memory_equal(b.frame, ether_broadcast, 6);
	net_deinit(&b.net);
}

static void test_answers_for_its_own_only(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct arp_packet a = { 0 };
	uint8_t mac[6];

	bench_init(&b);
	hear(&b, ARP_REQUEST, "192.0.2.9", 9, "192.0.2.1");
	assert_true(next_arp(&b, &a));
	net_mac(9, mac);
	assert_int_equal(a.operation, ARP_REPLY);
	assert_memory_equal(b.frame, mac, 6);
	assert_memory_equal(a.target_mac, mac, 6);
	assert_int_equal(a.target, frame_ipv4("192.0.2.9"));
	assert_int_equal(a.sender, frame_ipv4("192.0.2.1"));
	/* Who asked is known now, and need not be asked. */
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	expect_datagram_to(&b, 9);
	static const char *const others[] = { "192.0.2.2", "192.0.2.255", "127.0.0.1", "0.0.0.0",
					      "255.255.255.255" };

	for (size_t i = 0; i < array_length(others); i++) {
		hear(&b, ARP_REQUEST, "192.0.2.9", 9, others[i]);
		expect_silence(&b);
	}
	/* A probe (RFC 5227) is answered, and nobody is learnt from it. */
	const uint32_t before = neighbour_count(b.net.hosts[0]);

	hear(&b, ARP_REQUEST, "0.0.0.0", 8, "192.0.2.1");
	assert_true(next_arp(&b, &a));
	assert_int_equal(a.operation, ARP_REPLY);
	assert_int_equal(a.target, 0);
	assert_int_equal(neighbour_count(b.net.hosts[0]), before);
	/* Nor from a question that comes from another network. */
	hear(&b, ARP_REQUEST, "198.51.100.1", 8, "192.0.2.1");
	assert_true(next_arp(&b, &a));
	assert_int_equal(neighbour_count(b.net.hosts[0]), before);
	net_deinit(&b.net);
}

static void test_not_believed(void **state)
{
	static const char *const senders[] = { "224.0.0.1", "255.255.255.255", "127.0.0.1" };

	(void)state;
	struct bench b = { 0 };

	bench_init(&b);
	const uint32_t before = neighbour_count(b.net.hosts[0]);

	hear(&b, ARP_REPLY, "192.0.2.9", 9, "192.0.2.1");
	assert_int_equal(dropped(&b, REEVE_DROP_ARP_UNSOLICITED), 1);
	hear(&b, ARP_REPLY, "192.0.2.9", 9, "192.0.2.9"); /* gratuitous */
	assert_int_equal(dropped(&b, REEVE_DROP_ARP_UNSOLICITED), 2);
	hear(&b, ARP_REPLY, "0.0.0.0", 9, "192.0.2.1");
	assert_int_equal(dropped(&b, REEVE_DROP_ARP_BAD), 1);
	for (size_t i = 0; i < array_length(senders); i++)
		hear(&b, ARP_REQUEST, senders[i], 9, "192.0.2.1");
	assert_int_equal(dropped(&b, REEVE_DROP_ARP_BAD), 4);
	/* A sender that is a group. */
	struct arp_packet a = {
		.operation = ARP_REQUEST,
		.sender = frame_ipv4("192.0.2.9"),
		.target = frame_ipv4("192.0.2.1"),
	};

	memcpy(a.sender_mac, ether_broadcast, 6);
	frame_put_arp(b.frame, &a);
	net_mac(9, b.frame + 6);
	net_input(&b.net, 0, b.frame, 60);
	assert_int_equal(dropped(&b, REEVE_DROP_ARP_BAD), 5);
	expect_silence(&b);
	assert_int_equal(neighbour_count(b.net.hosts[0]), before);
	net_deinit(&b.net);
}

/* RFC 826's merge flag: what is known is brought up to date by whatever the station says. */
static void test_station_has_moved(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct arp_packet a = { 0 };

	bench_init(&b);
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	assert_true(next_arp(&b, &a));
	hear(&b, ARP_REPLY, "192.0.2.9", 9, "192.0.2.1");
	expect_datagram_to(&b, 9);
	hear(&b, ARP_REQUEST, "192.0.2.9", 10, "192.0.2.9"); /* announced elsewhere */
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	expect_datagram_to(&b, 10);
	hear(&b, ARP_REPLY, "192.0.2.9", 11, "192.0.2.9");
	assert_int_equal(send_to(&b, "192.0.2.9"), 0);
	expect_datagram_to(&b, 11);
	net_deinit(&b.net);
}

static void test_announce(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct bench b = { 0 };
	struct arp_packet a = { 0 };

	net_init(&n);
	b.net = n;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(next_arp(&b, &a));
		assert_memory_equal(b.frame, ether_broadcast, 6);
		assert_int_equal(a.operation, ARP_REQUEST);
		assert_int_equal(a.sender, frame_ipv4("192.0.2.1"));
		assert_int_equal(a.target, frame_ipv4("192.0.2.1"));
		expect_silence(&b);
		wait_ms(&b, 2500);
	}
	expect_silence(&b);
	assert_true(reeve_time_is_never(reeve_host_deadline(b.net.hosts[0])));
	net_deinit(&b.net);
}

/* RFC 5227, 2.4 (c): said once in ten seconds, and the address kept. */
static void test_defend(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct arp_packet a = { 0 };

	bench_init(&b);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 10; i++)
			hear(&b, i % 2 ? ARP_REPLY : ARP_REQUEST, "192.0.2.1", 9, "192.0.2.1");
		assert_true(next_arp(&b, &a));
		assert_memory_equal(b.frame, ether_broadcast, 6);
		assert_int_equal(a.sender, frame_ipv4("192.0.2.1"));
		assert_int_equal(a.sender_mac[5], 1);
		expect_silence(&b);
		wait_ms(&b, 10001);
	}
	assert_int_equal(net_drops(b.net.hosts[0]), 0);
	net_deinit(&b.net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask_and_answer),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_no_answer_is_told),
		cmocka_unit_test(test_queue_is_bounded),
		cmocka_unit_test(test_table_is_bounded),
		cmocka_unit_test(test_ageing),
		cmocka_unit_test(test_answers_for_its_own_only),
		cmocka_unit_test(test_not_believed),
		cmocka_unit_test(test_station_has_moved),
		cmocka_unit_test(test_announce),
		cmocka_unit_test(test_defend),
	};

	return cmocka_run_group_tests_name("neighbour", tests, NULL, NULL);
}
