/* Addresses, routes and the choice of a source, against a walk over all routes. */
#include <errno.h>
#include <stdio.h>

#include "net.h"
#include "seed.h"
#include "stack/iface.h"
#include "stack/ip.h"
#include "stack/route.h"

static int add_route(struct reeve_host *host, const char *to, const char *gateway, unsigned iface)
{
	const struct reeve_prefix prefix = net_prefix(to);

	if (!gateway)
		return reeve_host_add_route(host, &prefix, NULL, iface);
	const struct reeve_address address = net_address(gateway);

	return reeve_host_add_route(host, &prefix, &address, iface);
}

static int add_address(struct reeve_host *host, const char *text, unsigned iface)
{
	const struct reeve_prefix prefix = net_prefix(text);

	return reeve_host_add_address(host, iface, &prefix);
}

static void test_bad_arguments(void **state)
{
	static const struct {
		const char *to, *gateway;
		unsigned iface;
		int error;
	} routes[] = {
		{ "198.51.100.0/24", NULL, 2, -ENODEV },
		{ "198.51.100.0/24", "0.0.0.0", 1, -EINVAL },
		{ "198.51.100.0/24", "224.0.0.1", 1, -EINVAL },
		{ "198.51.100.0/24", "255.255.255.255", 1, -EINVAL },
		{ "198.51.100.0/24", "127.0.0.1", 1, -EINVAL },
		{ "198.51.100.0/24", "192.0.2.2", 0, -EINVAL },
		{ "198.51.100.0/24", "2001:db8::1", 1, -EINVAL },
		{ "2001:db8::/32", NULL, 1, -EINVAL },
		{ "192.0.2.0/24", NULL, 1, -EEXIST },
		{ "192.0.2.77/24", "192.0.2.2", 1, -EEXIST },
		{ "198.51.100.0/24", "192.0.2.2", 1, 0 },
		{ "198.51.100.9/24", "192.0.2.3", 1, -EEXIST },
		{ "198.51.100.0/25", "192.0.2.3", 1, 0 },
		{ "0.0.0.0/0", "192.0.2.2", 1, 0 },
	};
	static const struct {
		const char *address;
		unsigned iface;
		int error;
	} addresses[] = {
		{ "198.51.100.1/24", 2, -ENODEV }, { "0.0.0.0/24", 1, -EINVAL },
		{ "224.0.0.1/24", 1, -EINVAL },    { "255.255.255.255/32", 1, -EINVAL },
		{ "127.0.0.2/8", 1, -EINVAL },     { "2001:db8::1/64", 1, -EINVAL },
		{ "192.0.2.2/24", 1, -EEXIST },    { "192.0.2.2/32", 1, -EEXIST },
		{ "198.51.100.1/24", 1, 0 },       { "198.51.100.2/24", 1, 0 },
		{ "127.0.0.2/32", 0, 0 },
	};

	(void)state;
	struct net n = { 0 };

	net_init(&n);
	for (size_t i = 0; i < array_length(routes); i++)
		assert_int_equal(
			add_route(n.hosts[0], routes[i].to, routes[i].gateway, routes[i].iface),
			routes[i].error);
	for (size_t i = 0; i < array_length(addresses); i++)
		assert_int_equal(add_address(n.hosts[1], addresses[i].address, addresses[i].iface),
				 addresses[i].error);
	net_deinit(&n);
}

static void test_limits(void **state)
{
	(void)state;
	struct net n = { 0 };
	const struct reeve_iface_config iface = {
		.name = "eth1",
		.mac = { 2 },
		.mtu = 1500,
		.queue_packets = 1,
	};
	struct reeve_iface_config bad;
	unsigned index;
	unsigned added = 0;

	net_init(&n);
	bad = iface, bad.name = "a-name-of-16-byt";
	assert_int_equal(reeve_host_add_iface(n.hosts[0], &bad, &index), -EINVAL);
	bad = iface, bad.mtu = 575;
	assert_int_equal(reeve_host_add_iface(n.hosts[0], &bad, &index), -EINVAL);
	bad = iface, bad.mtu = 65536;
	assert_int_equal(reeve_host_add_iface(n.hosts[0], &bad, &index), -EINVAL);
	bad = iface, bad.mac[0] = 1;
	assert_int_equal(reeve_host_add_iface(n.hosts[0], &bad, &index), -EINVAL);
	bad = iface, bad.queue_packets = 0;
	assert_int_equal(reeve_host_add_iface(n.hosts[0], &bad, &index), -EINVAL);
	for (unsigned i = 2; i < IFACE_MAX; i++) {
		assert_int_equal(reeve_host_add_iface(n.hosts[0], &iface, &index), 0);
		assert_int_equal(index, i);
	}
	assert_int_equal(reeve_host_add_iface(n.hosts[0], &iface, &index), -ENOSPC);
	for (;; added++) {
		char text[32];

		snprintf(text, sizeof(text), "198.18.%u.1/24", added);
		const int error = add_address(n.hosts[0], text, 1);

		if (error) {
			assert_int_equal(error, -ENOSPC);
			break;
		}
	}
	assert_int_equal(added, IFACE_ADDRESSES - 3);
	for (unsigned i = 0; i < added; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.18.%u.1", i);
		const struct reeve_address own = net_address(text);

		assert_true(reeve_host_has_address(n.hosts[0], &own));
		snprintf(text, sizeof(text), "198.18.%u.2", i);
		const struct reeve_address foreign = net_address(text);

		assert_false(reeve_host_has_address(n.hosts[0], &foreign));
	}
	assert_int_equal(reeve_host_set_offloads(n.hosts[0], 0, 0), -ENODEV);
	assert_int_equal(reeve_host_set_offloads(n.hosts[0], 16, 0), -ENODEV);
	net_deinit(&n);
}

static void test_which_way(void **state)
{
	static const struct {
		const char *to, *from;
		int error;
		unsigned iface;
		const char *source, *next_hop;
		bool local, broadcast;
	} cases[] = {
		{ "192.0.2.7", NULL, 0, 1, "192.0.2.1", "192.0.2.7", false, false },
		{ "198.51.100.7", NULL, 0, 2, "198.51.100.1", "198.51.100.7", false, false },
		/* Two addresses in a network: the first. */
		{ "203.0.113.7", NULL, 0, 2, "198.51.100.1", "198.51.100.254", false, false },
		{ "203.0.113.200", NULL, 0, 1, "192.0.2.1", "192.0.2.254", false, false },
		{ "198.18.0.1", NULL, 0, 1, "192.0.2.1", "192.0.2.253", false, false },
		/* Given, it stays. */
		{ "192.0.2.7", "198.51.100.1", 0, 1, "198.51.100.1", "192.0.2.7", false, false },
		{ "192.0.2.1", NULL, 0, 0, "192.0.2.1", "192.0.2.1", true, false },
		{ "192.0.2.1", "127.0.0.1", 0, 0, "127.0.0.1", "192.0.2.1", true, false },
		{ "127.0.0.1", NULL, 0, 0, "127.0.0.1", "127.0.0.1", true, false },
		{ "127.9.9.9", NULL, 0, 0, "127.0.0.1", "127.9.9.9", true, false },
		{ "127.9.9.9", "192.0.2.1", 0, 0, "192.0.2.1", "127.9.9.9", true, false },
		{ "::1", NULL, 0, 0, "::1", "::1", true, false },
		{ "::1", "192.0.2.1", -ENETUNREACH, 0, NULL, NULL, false, false },
		{ "192.0.2.7", "::1", -ENETUNREACH, 0, NULL, NULL, false, false },
		{ "2001:db8::1", NULL, -ENETUNREACH, 0, NULL, NULL, false, false },
		{ "::", NULL, -ENETUNREACH, 0, NULL, NULL, false, false },
		{ "0.0.0.0", NULL, -ENETUNREACH, 0, NULL, NULL, false, false },
		{ "240.0.0.1", NULL, -ENETUNREACH, 0, NULL, NULL, false, false },
		{ "192.0.2.7", "127.0.0.1", -EINVAL, 0, NULL, NULL, false, false },
		{ "192.0.2.255", NULL, 0, 1, "192.0.2.1", "192.0.2.255", false, true },
		{ "198.51.100.255", NULL, 0, 2, "198.51.100.1", "198.51.100.255", false, true },
		{ "255.255.255.255", NULL, 0, 1, "192.0.2.1", "255.255.255.255", false, true },
		{ "255.255.255.255", "198.51.100.1", 0, 2, "198.51.100.1", "255.255.255.255", false,
		  true },
		{ "224.0.0.251", NULL, 0, 1, "192.0.2.1", "224.0.0.251", false, false },
	};

	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_host *const host = n.hosts[0];

	assert_int_equal(net_add_iface(&n, host, 3), 2);
	assert_int_equal(add_address(host, "198.51.100.1/24", 2), 0);
	assert_int_equal(add_address(host, "198.51.100.2/24", 2), 0);
	assert_int_equal(add_route(host, "203.0.113.0/24", "198.51.100.254", 2), 0);
	assert_int_equal(add_route(host, "203.0.113.128/25", "192.0.2.254", 1), 0);
	assert_int_equal(add_route(host, "0.0.0.0/0", "192.0.2.253", 1), 0);
	for (size_t i = 0; i < array_length(cases); i++) {
		const struct reeve_address to = net_address(cases[i].to);
		struct reeve_address from = reeve_any_ipv6;
		struct ip_route r;
		char text[REEVE_ADDRESS_TEXT];

		if (cases[i].from)
			from = net_address(cases[i].from);
		assert_int_equal(ip_route(host, &to, cases[i].from ? &from : NULL, &r),
				 cases[i].error);
		if (cases[i].error)
			continue;
		assert_int_equal(r.iface, cases[i].iface);
		assert_string_equal(reeve_address_format(&r.source, text), cases[i].source);
		assert_string_equal(reeve_address_format(&r.next_hop, text), cases[i].next_hop);
		assert_int_equal(r.local, cases[i].local);
		assert_int_equal(r.broadcast, cases[i].broadcast);
	}
	net_deinit(&n);
}

static void test_no_default_route(void **state)
{
	(void)state;
	struct net n = { 0 };
	const struct reeve_address far = net_address("203.0.113.1");
	struct reeve_address source = reeve_any_ipv4;

	net_init(&n);
	assert_int_equal(reeve_host_source(n.hosts[0], &far, &source), -ENETUNREACH);
	assert_true(reeve_address_equal(&source, &reeve_any_ipv4));
	assert_int_equal(add_route(n.hosts[0], "0.0.0.0/0", "192.0.2.2", 1), 0);
	assert_int_equal(reeve_host_source(n.hosts[0], &far, &source), 0);
	net_deinit(&n);
}

/* A default gateway: the frame is the gateway's, the packet the far host's. */
static void test_through_gateway(void **state)
{
	(void)state;
	struct net n = { 0 };
	const struct reeve_sockaddr far = net_name("203.0.113.1", 9);
	struct iovec iov = { &n, 1 };
	uint8_t frame[256];
	uint8_t mac[6];

	net_init(&n);
	assert_int_equal(add_route(n.hosts[0], "0.0.0.0/0", "192.0.2.2", 1), 0);
	struct reeve_udp *const udp = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL);

	assert_int_equal(reeve_udp_send(udp, &far, NULL, &iov, 1), 0);
	net_settle(&n);
	assert_int_equal(net_drop(n.hosts[1], REEVE_DROP_IP_NOT_OURS), 1);
	assert_int_equal(reeve_udp_send(udp, &far, NULL, &iov, 1), 0);
	assert_true(net_output(&n, 0, frame, sizeof(frame)) > 0);
	net_mac(2, mac);
	assert_memory_equal(frame, mac, 6);
	net_deinit(&n);
}

/* Anywhere, or close together, so that prefixes lie in each other. */
static uint32_t some_address(struct random *r, bool close)
{
	return close ? 0xc6120000 + random_below(r, 65536) : random_u32(r);
}

static void test_against_walk(void **state)
{
	struct random r = seeded(40);

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct net n = { 0 };
		struct reeve_prefix prefixes[ROUTE_MAX];
		unsigned count = 2; /* lo's and eth0's */
		int error;

		net_init(&n);
		prefixes[0] = net_prefix("127.0.0.0/8");
		prefixes[1] = net_prefix("192.0.2.0/24");
		do {
			struct reeve_prefix p = {
				.address = reeve_address_from_ipv4(some_address(&r, round % 2)),
				.length = (uint8_t)random_below(&r, 33),
			};

			error = reeve_host_add_route(n.hosts[0], &p, NULL, 1);
			if (error == 0)
				prefixes[count++] = p;
		} while (error != -ENOSPC);
		assert_int_equal(count, ROUTE_MAX);
		for (unsigned i = 0; i < 2000; i++) {
			/* Anywhere, and at the edges of what there is. */
			uint32_t to = some_address(&r, round % 2);

			if (i % 2) {
				const struct reeve_prefix *const p =
					&prefixes[random_below(&r, count)];
				const uint32_t size = p->length ? 1u << (32 - p->length) : 0;

				to = (reeve_address_to_ipv4(&p->address) & -size) +
				     (i % 4 == 1 ? size : 0) - (i % 8 < 4);
			}
			const struct reeve_address a = reeve_address_from_ipv4(to);
			const struct route *const found = route_find(n.hosts[0], to);
			int best = -1;

			for (unsigned k = 0; k < count; k++) {
				if (reeve_prefix_contains(&prefixes[k], &a) &&
				    prefixes[k].length > best)
					best = prefixes[k].length;
			}
			assert_int_equal(found ? found->length : -1, best);
		}
		net_deinit(&n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_arguments),   cmocka_unit_test(test_limits),
		cmocka_unit_test(test_which_way),       cmocka_unit_test(test_no_default_route),
		cmocka_unit_test(test_through_gateway), cmocka_unit_test(test_against_walk),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
