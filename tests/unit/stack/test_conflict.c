/* Address conflicts, rule by rule (RFC 5227): probing, announcing, defending, giving up. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "frames.h"
#include "stack/iface.h"

#define OURS  "192.0.2.50"
#define PROBE REEVE_ADDRESS_PROBE
#define YIELD REEVE_ADDRESS_YIELD
#define QUIET REEVE_ADDRESS_QUIET

/* Host 0 of the net has no address when the test begins. */
struct bench {
	struct net net;
	struct reeve_host *host;
	unsigned iface;
	uint8_t frame[2048];
};

static void bench_init(struct bench *b, uint8_t seed)
{
	net_init(&b->net);
	net_pass_ms(&b->net, 5000);
	reeve_host_free(b->net.hosts[0]);
	b->host = b->net.hosts[0] = net_host_new(&b->net, seed);
	b->iface = b->net.ifaces[0] = net_add_iface(&b->net, b->host, 1);
}

static int claim(const struct bench *b, const char *text, unsigned flags)
{
	const struct reeve_prefix prefix = net_prefix(text);

	return reeve_host_claim_address(b->host, b->iface, &prefix, flags);
}

static struct reeve_address_info info_of(const struct bench *b, const char *text)
{
	const struct reeve_address a = net_address(text);
	struct reeve_address_info info = { 0 };

	assert_int_equal(reeve_host_address_info(b->host, &a, &info), 0);
	return info;
}

static void expect_state(const struct bench *b, enum reeve_address_state expected)
{
	const struct reeve_address a = net_address(OURS);

	assert_int_equal(info_of(b, OURS).state, expected);
	assert_int_equal(reeve_host_has_address(b->host, &a), expected == REEVE_ADDRESS_USABLE);
}

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

static void expect_silence(struct bench *b)
{
	assert_int_equal(net_output(&b->net, 0, b->frame, sizeof(b->frame)), 0);
}

/* The next frame: a request for our address, broadcast; `sender` is what it says of us. */
static void expect_request(struct bench *b, const char *sender)
{
	static const uint8_t nobody[6];
	struct arp_packet a = { 0 };
	uint8_t mac[6];

	net_mac(1, mac);
	assert_true(next_arp(b, &a));
	assert_memory_equal(b->frame, ether_broadcast, 6);
	assert_int_equal(a.operation, ARP_REQUEST);
	assert_memory_equal(a.sender_mac, mac, 6);
	assert_memory_equal(a.target_mac, nobody, 6);
	assert_int_equal(a.sender, frame_ipv4(sender));
	assert_int_equal(a.target, frame_ipv4(OURS));
	expect_silence(b);
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
	/* As if another station had passed it on: our own frames are not heard at all. */
	const size_t length = frame_put_arp(b->frame, &a);

	net_mac(99, b->frame + 6);
	net_input(&b->net, 0, b->frame, length);
}

/* Until the host has something to send, or for that long. How many ms it took. */
static int64_t wait_ms(struct bench *b, int64_t ms)
{
	const struct reeve_time start = b->net.now;
	const struct reeve_time end = reeve_time_add_ms(start, ms);

	while (!iface_has_output(b->host)) {
		const struct reeve_time next = reeve_time_min(end, reeve_host_deadline(b->host));

		b->net.now = next;
		reeve_host_tick(b->host, next);
		if (!reeve_time_before(next, end))
			break;
	}
	return reeve_time_since(b->net.now, start) / REEVE_NS_PER_MS;
}

/* Probes and first announcement, unheard. */
static void become_usable(struct bench *b)
{
	for (unsigned i = 0; i < 3; i++) {
		wait_ms(b, 3000);
		expect_request(b, "0.0.0.0");
	}
	wait_ms(b, 3000);
	expect_request(b, OURS);
	expect_state(b, REEVE_ADDRESS_USABLE);
}

/* 2.1.1 and 2.3: the times and the packets, for many seeds. A timer may be a wheel tick late. */
static void test_schedule(void **state)
{
	int64_t least[3] = { 9000, 9000, 9000 }, most[3] = { 0 };

	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++) {
		struct bench b = { 0 };

		bench_init(&b, (uint8_t)seed);
		assert_int_equal(claim(&b, OURS "/24", PROBE), 0);
		for (unsigned i = 0; i < 3; i++) {
			const int64_t ms = wait_ms(&b, 9000);

			expect_request(&b, "0.0.0.0");
			assert_in_range(ms, i ? 1000 : 0, i ? 2002 : 1002);
			expect_state(&b, REEVE_ADDRESS_TENTATIVE);
			least[i] = ms < least[i] ? ms : least[i];
			most[i] = ms > most[i] ? ms : most[i];
		}
		for (unsigned i = 0; i < 2; i++) {
			assert_in_range(wait_ms(&b, 9000), 2000, 2002);
			expect_request(&b, OURS);
			expect_state(&b, REEVE_ADDRESS_USABLE);
		}
		assert_true(reeve_time_is_never(reeve_host_deadline(b.host)));
		assert_int_equal(net_drops(b.host), 0);
		net_deinit(&b.net);
	}
	for (unsigned i = 0; i < 3; i++) { /* drawn from the whole of the range */
		assert_in_range(least[i], i ? 1000 : 0, i ? 1050 : 50);
		assert_in_range(most[i], i ? 1950 : 950, 2002);
	}
}

static void test_same_seed_same_times(void **state)
{
	struct reeve_time times[3][4];

	(void)state;
	for (unsigned run = 0; run < 3; run++) {
		struct bench b = { 0 };

		bench_init(&b, run == 2 ? 8 : 7);
		assert_int_equal(claim(&b, OURS "/24", PROBE), 0);
		for (unsigned i = 0; i < 4; i++) {
			wait_ms(&b, 9000);
			expect_request(&b, i < 3 ? "0.0.0.0" : OURS);
			times[run][i] = b.net.now;
		}
		net_deinit(&b.net);
	}
	assert_memory_equal(times[0], times[1], sizeof(times[0]));
	assert_memory_not_equal(times[0], times[2], sizeof(times[0]));
}

/* 1.1, 2.1: not ours yet. */
static void test_tentative(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct arp_packet a = { 0 };
	const struct reeve_sockaddr ours = net_name(OURS, 9), other = net_name("192.0.2.9", 9);
	struct iovec iov = { b.frame, 1 };
	struct ipv4_header h = frame_header(17);
	struct reeve_address source;
	struct reeve_prefix listed;

	bench_init(&b, 1);
	struct reeve_udp *const udp = reeve_udp_new(b.host, REEVE_IPV4, NULL);
	struct reeve_udp *const free_udp = reeve_udp_new(b.host, REEVE_IPV4, NULL);

	assert_int_equal(claim(&b, OURS "/24", PROBE), 0);
	assert_int_equal(claim(&b, OURS "/24", PROBE), -EEXIST);
	assert_int_equal(reeve_host_address(b.host, b.iface, 0, &listed), 0);
	expect_state(&b, REEVE_ADDRESS_TENTATIVE);
	assert_int_equal(reeve_host_source(b.host, &other.address, &source), -ENETUNREACH);
	assert_int_equal(reeve_udp_bind(udp, &ours), -EADDRNOTAVAIL);
	assert_int_equal(reeve_udp_send(free_udp, &other, NULL, &iov, 1), -ENETUNREACH);
	/* Neither answered for, nor learnt from, nor received at. */
	hear(&b, ARP_REQUEST, "192.0.2.9", 9, OURS);
	expect_silence(&b);
	h.destination = frame_ipv4(OURS);
	net_input(&b.net, 0, b.frame, frame_put(b.frame, &h, "12345678", 8));
	expect_silence(&b);
	assert_int_equal(net_drop(b.host, REEVE_DROP_IP_NOT_OURS), 1);
	become_usable(&b);
	hear(&b, ARP_REQUEST, "192.0.2.9", 9, OURS);
	assert_true(next_arp(&b, &a));
	assert_int_equal(a.operation, ARP_REPLY);
	assert_int_equal(reeve_udp_bind(udp, &ours), 0);
	assert_int_equal(reeve_host_source(b.host, &other.address, &source), 0);
	assert_true(reeve_address_equal(&source, &ours.address));
	net_deinit(&b.net);
}

/* Another address of the interface goes on meanwhile, and is what questions are asked from. */
static void test_beside_another(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct arp_packet a = { 0 };
	const struct reeve_sockaddr other = net_name("192.0.2.9", 9);
	struct iovec iov = { b.frame, 1 };

	bench_init(&b, 1);
	assert_int_equal(claim(&b, OURS "/24", PROBE), 0);
	assert_int_equal(claim(&b, "192.0.2.60/24", 0), 0);
	assert_true(next_arp(&b, &a));
	struct reeve_udp *const udp = reeve_udp_new(b.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_udp_send(udp, &other, NULL, &iov, 1), 0);
	assert_true(next_arp(&b, &a));
	assert_int_equal(a.sender, frame_ipv4("192.0.2.60"));
	hear(&b, ARP_REQUEST, "192.0.2.9", 9, "192.0.2.60");
	while (net_output(&b.net, 0, b.frame, sizeof(b.frame)))
		;
	expect_state(&b, REEVE_ADDRESS_TENTATIVE);
	net_deinit(&b.net);
}

/* 2.1.1: each packet that is a conflict, in each phase up to the last ms of ANNOUNCE_WAIT. */
static void test_conflict_while_probing(void **state)
{
	static const struct {
		const char *sender, *target;
		uint16_t operation;
		uint8_t mac;
	} packets[] = {
		{ OURS, "0.0.0.0", ARP_REPLY, 9 },     /* the answer to a probe */
		{ OURS, "192.0.2.7", ARP_REPLY, 9 },   /* an answer to somebody else */
		{ OURS, "192.0.2.7", ARP_REQUEST, 9 }, /* a question */
		{ OURS, OURS, ARP_REQUEST, 9 },        /* an announcement */
		{ "0.0.0.0", OURS, ARP_REQUEST, 9 },   /* a probe */
		{ OURS, OURS, ARP_REQUEST, 1 },        /* any packet, whoever sent it */
	};

	(void)state;
	for (unsigned phase = 0; phase < 4; phase++) {
		for (size_t i = 0; i < array_length(packets); i++) {
			struct bench b = { 0 };
			uint8_t mac[6];

			bench_init(&b, 3);
			assert_int_equal(claim(&b, OURS "/24", PROBE), 0);
			for (unsigned probe = 0; probe < phase; probe++) {
				wait_ms(&b, 3000);
				expect_request(&b, "0.0.0.0");
			}
			if (phase == 3)
				wait_ms(&b, 1999);
			expect_state(&b, REEVE_ADDRESS_TENTATIVE);
			hear(&b, packets[i].operation, packets[i].sender, packets[i].mac,
			     packets[i].target);
			expect_state(&b, REEVE_ADDRESS_DUPLICATE);
			net_mac(packets[i].mac, mac);
			assert_memory_equal(info_of(&b, OURS).conflict_mac, mac, 6);
			assert_int_equal(info_of(&b, OURS).conflicts, 1);
			assert_int_equal(net_stats(b.host).arp_conflicts, 1);
			assert_int_equal(net_stats(b.host).address_duplicates, 1);
			assert_int_equal(net_drops(b.host), 0);
			/* The end: nothing waits, nothing is sent, nothing is answered for. */
			assert_true(reeve_time_is_never(reeve_host_deadline(b.host)));
			hear(&b, ARP_REQUEST, "192.0.2.7", 7, OURS);
			hear(&b, ARP_REQUEST, OURS, 9, OURS);
			assert_int_equal(wait_ms(&b, 100000), 100000);
			expect_silence(&b);
			assert_int_equal(net_stats(b.host).arp_conflicts, 1);
			net_deinit(&b.net);
		}
	}
}

static void test_no_conflict(void **state)
{
	(void)state;
	struct bench b = { 0 };

	bench_init(&b, 3);
	net_add_iface(&b.net, b.host, 77);
	assert_int_equal(claim(&b, OURS "/24", PROBE), 0);
	for (unsigned i = 0; i < 3; i++) {
		wait_ms(&b, 3000);
		expect_request(&b, "0.0.0.0");
		hear(&b, ARP_REQUEST, "0.0.0.0", 1, OURS);  /* our own probe comes back */
		hear(&b, ARP_REQUEST, "0.0.0.0", 77, OURS); /* from our other interface */
		hear(&b, ARP_REQUEST, "0.0.0.0", 9, "192.0.2.51");
		hear(&b, ARP_REQUEST, "192.0.2.9", 9, OURS);
		hear(&b, ARP_REQUEST, "192.0.2.9", 9, "192.0.2.51");
		expect_silence(&b);
	}
	wait_ms(&b, 3000);
	expect_request(&b, OURS);
	expect_state(&b, REEVE_ADDRESS_USABLE);
	/* Nor is what one of our own interfaces says. */
	hear(&b, ARP_REQUEST, OURS, 1, OURS);
	hear(&b, ARP_REQUEST, OURS, 77, OURS);
	expect_silence(&b);
	assert_int_equal(net_drop(b.host, REEVE_DROP_ARP_UNSOLICITED), 2);
	assert_int_equal(net_stats(b.host).arp_conflicts, 0);
	/* A probe for what we have is answered, as it asks. */
	hear(&b, ARP_REQUEST, "0.0.0.0", 9, OURS);
	struct arp_packet a = { 0 };

	assert_true(next_arp(&b, &a));
	assert_int_equal(a.operation, ARP_REPLY);
	net_deinit(&b.net);
}

/* Two real hosts: the one that has the address keeps it; of two that ask at once, one gets it. */
static void test_between_hosts(void **state)
{
	(void)state;
	const struct reeve_prefix taken = net_prefix("192.0.2.2/24"), ours = net_prefix(OURS "/24");
	unsigned won = 0;

	for (uint8_t seed = 10; seed < 30; seed++) {
		struct bench b = { 0 };
		struct reeve_host *other;

		bench_init(&b, seed);
		other = b.net.hosts[1];
		assert_int_equal(reeve_host_claim_address(b.host, b.iface, &taken, PROBE), 0);
		net_pass_ms(&b.net, 8000);
		assert_int_equal(info_of(&b, "192.0.2.2").state, REEVE_ADDRESS_DUPLICATE);
		assert_true(reeve_host_has_address(other, &taken.address));
		assert_int_equal(net_stats(other).arp_conflicts, 0);
		assert_int_equal(reeve_host_claim_address(b.host, b.iface, &ours, PROBE), 0);
		assert_int_equal(reeve_host_claim_address(other, b.net.ifaces[1], &ours, PROBE), 0);
		net_pass_ms(&b.net, 8000);
		const bool here = reeve_host_has_address(b.host, &ours.address);

		assert_int_equal(reeve_host_has_address(other, &ours.address), !here);
		expect_state(&b, here ? REEVE_ADDRESS_USABLE : REEVE_ADDRESS_DUPLICATE);
		won += here;
		net_deinit(&b.net);
	}
	assert_in_range(won, 1, 19);
}

/* 2.1.1: MAX_CONFLICTS, then one attempt every RATE_LIMIT_INTERVAL. */
static void test_attempts_are_limited(void **state)
{
	(void)state;
	struct bench b = { 0 };
	struct reeve_time last = { 0 };

	bench_init(&b, 5);
	for (unsigned i = 0; i < 14; i++) {
		assert_int_equal(claim(&b, OURS "/24", PROBE), 0);
		wait_ms(&b, 100000);
		expect_request(&b, "0.0.0.0");
		const int64_t ms = reeve_time_since(b.net.now, last) / REEVE_NS_PER_MS;

		if (i >= 10)
			assert_in_range(ms, 60000, 61003);
		else if (i > 0)
			assert_in_range(ms, 0, 1003);
		last = b.net.now;
		hear(&b, ARP_REPLY, OURS, 9, "0.0.0.0");
		expect_state(&b, REEVE_ADDRESS_DUPLICATE);
	}
	/* Several at once wait for each other. */
	assert_int_equal(claim(&b, "192.0.2.51/24", PROBE), 0);
	assert_int_equal(claim(&b, OURS "/24", PROBE), 0);
	for (unsigned i = 0; i < 4; i++) {
		struct arp_packet a = { 0 };

		assert_true(wait_ms(&b, 100000) < 61003);
		assert_true(next_arp(&b, &a));
		assert_int_equal(a.target, frame_ipv4("192.0.2.51"));
	}
	assert_int_equal(net_stats(b.host).address_duplicates, 14);
	net_deinit(&b.net);
}

/* 2.4 (b): defended once; the next within ten seconds ends it. */
static void test_yield(void **state)
{
	(void)state;
	struct bench b = { 0 };
	const struct reeve_address other = net_address("192.0.2.9");
	struct reeve_address source;

	bench_init(&b, 1);
	assert_int_equal(claim(&b, OURS "/24", PROBE | YIELD), 0);
	become_usable(&b);
	wait_ms(&b, 3000);
	expect_request(&b, OURS);
	for (unsigned i = 0; i < 3; i++) { /* seldom enough: defended each time */
		hear(&b, i % 2 ? ARP_REPLY : ARP_REQUEST, OURS, 9, "192.0.2.7");
		expect_request(&b, OURS);
		wait_ms(&b, 10000);
		expect_silence(&b);
	}
	assert_int_equal(net_stats(b.host).arp_defences, 3);
	hear(&b, ARP_REPLY, OURS, 9, "192.0.2.7");
	expect_request(&b, OURS);
	wait_ms(&b, 9999);
	expect_state(&b, REEVE_ADDRESS_USABLE);
	hear(&b, ARP_REPLY, OURS, 10, "192.0.2.7");
	expect_state(&b, REEVE_ADDRESS_LOST);
	assert_int_equal(info_of(&b, OURS).conflicts, 5);
	assert_int_equal(info_of(&b, OURS).conflict_mac[5], 10);
	assert_int_equal(net_stats(b.host).address_losses, 1);
	assert_int_equal(net_stats(b.host).arp_conflicts, 5);
	hear(&b, ARP_REQUEST, "192.0.2.7", 7, OURS);
	hear(&b, ARP_REQUEST, OURS, 10, "192.0.2.7");
	expect_silence(&b);
	assert_int_equal(reeve_host_source(b.host, &other, &source), -ENETUNREACH);
	assert_true(reeve_time_is_never(reeve_host_deadline(b.host)));
	assert_int_equal(claim(&b, OURS "/24", YIELD), 0);
	expect_request(&b, OURS);
	expect_state(&b, REEVE_ADDRESS_USABLE);
	net_deinit(&b.net);
}

/* 2.4 (c): kept, and said once in ten seconds. Also when announcements are still to be made. */
static void test_keep(void **state)
{
	(void)state;
	struct bench b = { 0 };

	bench_init(&b, 1);
	assert_int_equal(claim(&b, OURS "/24", 0), 0);
	expect_state(&b, REEVE_ADDRESS_USABLE);
	expect_request(&b, OURS);
	for (unsigned i = 0; i < 20; i++)
		hear(&b, ARP_REPLY, OURS, 9, "192.0.2.7");
	expect_request(&b, OURS);
	wait_ms(&b, 3000);
	expect_request(&b, OURS); /* the second announcement */
	wait_ms(&b, 8000);
	hear(&b, ARP_REPLY, OURS, 9, "192.0.2.7");
	expect_request(&b, OURS);
	expect_state(&b, REEVE_ADDRESS_USABLE);
	assert_int_equal(net_stats(b.host).arp_conflicts, 21);
	assert_int_equal(net_stats(b.host).arp_defences, 2);
	assert_int_equal(net_stats(b.host).address_losses, 0);
	net_deinit(&b.net);
}

/* Usable without a word, asked for or not; and defended all the same. */
static void test_quiet(void **state)
{
	(void)state;
	for (unsigned asked = 0; asked < 2; asked++) {
		struct bench b = { 0 };

		bench_init(&b, 1);
		assert_int_equal(claim(&b, OURS "/24", QUIET | (asked ? PROBE : 0)), 0);
		for (unsigned i = 0; asked && i < 3; i++) {
			wait_ms(&b, 3000);
			expect_request(&b, "0.0.0.0");
		}
		wait_ms(&b, asked ? 3000 : 0);
		expect_state(&b, REEVE_ADDRESS_USABLE);
		expect_silence(&b);
		assert_true(reeve_time_is_never(reeve_host_deadline(b.host)));
		hear(&b, ARP_REPLY, OURS, 9, "192.0.2.7");
		expect_request(&b, OURS);
		net_deinit(&b.net);
	}
}

/* Lost while the second announcement is due: it is not made. */
static void test_lost_while_announcing(void **state)
{
	(void)state;
	struct bench b = { 0 };

	bench_init(&b, 1);
	assert_int_equal(claim(&b, OURS "/24", YIELD), 0);
	expect_request(&b, OURS);
	hear(&b, ARP_REPLY, OURS, 9, "192.0.2.7");
	expect_request(&b, OURS);
	hear(&b, ARP_REPLY, OURS, 9, "192.0.2.7");
	expect_state(&b, REEVE_ADDRESS_LOST);
	wait_ms(&b, 20000);
	expect_silence(&b);
	net_deinit(&b.net);
}

static uint32_t failures(struct reeve_host *host)
{
	struct reeve_event event;
	uint32_t failed = 0;

	while (reeve_host_next_event(host, &event))
		failed += (event.what & REEVE_FAILED) != 0;
	return failed;
}

/* 2.4: "before abandoning an address ... hosts SHOULD actively attempt to reset". One connection is
 * accepted, one waits for that; one of another address stays. */
static void test_connections_are_reset(void **state)
{
	(void)state;
	struct bench b = { 0 };
	const struct reeve_sockaddr port = net_name(OURS, 80), other = net_name("192.0.2.60", 80);
	const struct reeve_sockaddr any = { .address = reeve_any_ipv4, .port = 80 };
	struct reeve_tcp *clients[3], *accepted = NULL;
	struct iovec iov = { b.frame, 1 };

	bench_init(&b, 1);
	assert_int_equal(claim(&b, OURS "/24", YIELD), 0);
	assert_int_equal(claim(&b, "192.0.2.60/24", YIELD), 0);
	net_pass_ms(&b.net, 5000);
	struct reeve_tcp *const listener = reeve_tcp_new(b.host, REEVE_IPV4, NULL);
	struct reeve_udp *const udp = reeve_udp_new(b.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_udp_bind(udp, &port), 0);
	assert_int_equal(reeve_tcp_bind(listener, &any), 0);
	assert_int_equal(reeve_tcp_listen(listener, 8), 0);
	for (unsigned i = 0; i < 3; i++) {
		clients[i] = reeve_tcp_new(b.net.hosts[1], REEVE_IPV4, NULL);
		assert_non_null(clients[i]);
		assert_int_equal(reeve_tcp_connect(clients[i], i == 0 ? &other : &port, b.net.now),
				 0);
		net_pass_ms(&b.net, 100);
		for (unsigned k = 0; i == 1 && k < 2; k++)
			accepted = reeve_tcp_accept(listener, NULL);
	}
	assert_non_null(accepted);
	assert_int_equal(failures(b.host) + failures(b.net.hosts[1]), 0);
	hear(&b, ARP_REPLY, OURS, 9, "192.0.2.7");
	hear(&b, ARP_REPLY, OURS, 9, "192.0.2.7");
	expect_state(&b, REEVE_ADDRESS_LOST);
	assert_int_equal(reeve_tcp_error(accepted), ECONNABORTED);
	net_pass_ms(&b.net, 100);
	assert_int_equal(failures(b.net.hosts[1]), 2);
	assert_int_equal(reeve_tcp_error(clients[1]), ECONNRESET);
	assert_int_equal(reeve_tcp_error(clients[2]), ECONNRESET);
	assert_int_equal(reeve_tcp_error(clients[0]), 0);
	assert_int_equal(reeve_udp_send(udp,
					&(struct reeve_sockaddr){ net_address("192.0.2.2"), 9, 0 },
					NULL, &iov, 1),
			 -EADDRNOTAVAIL);
	net_deinit(&b.net);
}

/* The table is bounded, and those that have failed give way. */
static void test_failed_give_way(void **state)
{
	(void)state;
	struct bench b = { 0 };
	char text[32];

	bench_init(&b, 1);
	for (unsigned i = 0; i < IFACE_ADDRESSES - 2; i++) { /* lo has two */
		snprintf(text, sizeof(text), "192.0.2.%u/24", i + 40);
		assert_int_equal(claim(&b, text, PROBE), 0);
	}
	assert_int_equal(claim(&b, "192.0.2.200/24", PROBE), -ENOSPC);
	hear(&b, ARP_REPLY, OURS, 9, "0.0.0.0");
	assert_int_equal(claim(&b, "192.0.2.200/24", PROBE), 0);
	assert_int_equal(claim(&b, OURS "/24", PROBE), -ENOSPC);
	const struct reeve_address ours = net_address(OURS);
	struct reeve_address_info info;

	assert_int_equal(reeve_host_address_info(b.host, &ours, &info), -ENOENT);
	net_pass_ms(&b.net, 20000);
	assert_int_equal(info_of(&b, "192.0.2.200").state, REEVE_ADDRESS_USABLE);
	assert_int_equal(info_of(&b, "192.0.2.40").state, REEVE_ADDRESS_USABLE);
	net_deinit(&b.net);
}

static void test_bad_flags(void **state)
{
	(void)state;
	struct bench b = { 0 };
	const struct reeve_prefix lo = net_prefix("127.0.0.2/8");

	bench_init(&b, 1);
	assert_int_equal(claim(&b, OURS "/24", 1 << 3), -EINVAL);
	assert_int_equal(reeve_host_claim_address(b.host, 0, &lo, PROBE), -EINVAL);
	assert_int_equal(reeve_host_claim_address(b.host, 0, &lo, 0), 0);
	net_deinit(&b.net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedule),
		cmocka_unit_test(test_same_seed_same_times),
		cmocka_unit_test(test_tentative),
		cmocka_unit_test(test_beside_another),
		cmocka_unit_test(test_conflict_while_probing),
		cmocka_unit_test(test_no_conflict),
		cmocka_unit_test(test_between_hosts),
		cmocka_unit_test(test_attempts_are_limited),
		cmocka_unit_test(test_yield),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_lost_while_announcing),
		cmocka_unit_test(test_connections_are_reset),
		cmocka_unit_test(test_failed_give_way),
		cmocka_unit_test(test_bad_flags),
	};

	return cmocka_run_group_tests_name("conflict", tests, NULL, NULL);
}
