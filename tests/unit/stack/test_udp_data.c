/* UDP's datagrams: where they come from, who receives them, how many are kept. */
#include <errno.h>
#include <stdlib.h>

#include "frames.h"
#include "seed.h"
#include "stack/host_private.h"
#include "stack/ip.h"
#include "stack/udp_private.h"
#include "udp_calls.h"

/* Which address of its own a datagram leaves from. */
static void test_from(void **state)
{
	(void)state;
	struct net n = { 0 };
	const struct reeve_prefix second = net_prefix("192.0.2.11/24");
	const struct reeve_sockaddr to = net_name("192.0.2.2", 53);
	const struct reeve_sockaddr from = net_name("192.0.2.11", 0);
	struct iovec iov = { "x", 1 };
	struct reeve_datagram d;
	char text[REEVE_ADDRESS_TEXT];

	net_init(&n);
	assert_int_equal(reeve_host_add_address(n.hosts[0], n.ifaces[0], &second), 0);
	struct reeve_udp *const a = socket4(&n, 0);
	struct reeve_udp *const b = socket4(&n, 1);
	struct reeve_udp *const bound = socket4(&n, 0);

	assert_int_equal(bind_to(b, "0.0.0.0", 53), 0);
	assert_int_equal(reeve_udp_send(a, &to, NULL, &iov, 1), 0);
	net_settle(&n);
	assert_true(reeve_udp_peek(b, &d));
	assert_string_equal(reeve_address_format(&d.remote.address, text), "192.0.2.1");
	reeve_udp_consume(b);
	assert_int_equal(reeve_udp_send(a, &to, &from, &iov, 1), 0);
	net_settle(&n);
	assert_true(reeve_udp_peek(b, &d));
	assert_string_equal(reeve_address_format(&d.remote.address, text), "192.0.2.11");
	reeve_udp_consume(b);
	assert_int_equal(bind_to(bound, "192.0.2.11", 0), 0);
	assert_int_equal(reeve_udp_send(bound, &to, NULL, &iov, 1), 0);
	net_settle(&n);
	assert_true(reeve_udp_peek(b, &d));
	assert_string_equal(reeve_address_format(&d.remote.address, text), "192.0.2.11");
	assert_int_equal(d.iface, n.ifaces[1]);
	/* From loopback nothing leaves. */
	struct reeve_udp *const loop = socket4(&n, 0);

	assert_int_equal(bind_to(loop, "127.0.0.1", 0), 0);
	assert_int_equal(reeve_udp_send(loop, &to, NULL, &iov, 1), -EINVAL);
	net_deinit(&n);
}

static void test_broadcast(void **state)
{
	static const char *const names[] = { "192.0.2.255", "255.255.255.255" };

	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const any = socket4(&n, 1);
	struct reeve_udp *const own = socket4(&n, 1);
	struct reeve_udp *const client = socket4(&n, 0);
	struct reeve_udp *const home = socket4(&n, 0);

	assert_int_equal(reeve_udp_set(any, REEVE_UDP_REUSE_ADDRESS, 1), 0);
	assert_int_equal(reeve_udp_set(own, REEVE_UDP_REUSE_ADDRESS, 1), 0);
	assert_int_equal(bind_to(any, "0.0.0.0", 67), 0);
	assert_int_equal(bind_to(own, "192.0.2.2", 67), 0);
	assert_int_equal(bind_to(home, "0.0.0.0", 67), 0);
	assert_int_equal(reeve_udp_set(client, REEVE_UDP_BROADCAST, 1), 0);
	for (size_t i = 0; i < array_length(names); i++) {
		assert_int_equal(send_to(client, names[i], 67, "all"), 0);
		net_settle(&n);
		assert_string_equal(received(any), "all");
		/* Bound to a unicast address: not asked. */
		assert_null(received(own));
		/* The sender's own host is on that network, too. */
		assert_string_equal(received(home), "all");
		/* Nobody there: no word back. */
		assert_int_equal(send_to(client, names[i], 68, "all"), 0);
		net_settle(&n);
	}
	assert_int_equal(net_drop(n.hosts[1], REEVE_DROP_UDP_NO_PORT), 2);
	assert_int_equal(net_stats(n.hosts[1]).icmp_out, 0);
	assert_int_equal(net_stats(n.hosts[0]).icmp_out, 0);
	net_deinit(&n);
}

/* Bytes are bounded by what they cost, however small or large the datagrams. */
static void test_queue_limit(void **state)
{
	static char bytes[60000];

	(void)state;
	struct net n = { 0 };
	const struct reeve_sockaddr name = net_name("127.0.0.1", 53);
	static const size_t lengths[] = { 0, 1, 100, 1400, 9000, 60000 };

	net_init(&n);
	net_settle(&n);
	for (size_t i = 0; i < array_length(lengths); i++) {
		struct reeve_udp *const a = socket4(&n, 0);
		struct reeve_udp *const b = socket4(&n, 0);
		struct iovec iov = { bytes, lengths[i] };
		struct reeve_pool_stats before, after;
		unsigned kept = 0;

		assert_int_equal(bind_to(b, "127.0.0.1", 53), 0);
		assert_int_equal(reeve_udp_set(b, REEVE_UDP_RECEIVE_BUFFER, 100000), 0);
		reeve_pool_stats(n.pool, &before);
		for (unsigned k = 0; k < 500; k++) {
			assert_int_equal(reeve_udp_send(a, &name, NULL, &iov, 1), 0);
			net_settle(&n);
		}
		reeve_pool_stats(n.pool, &after);
		/* One may go over. */
		assert_true(after.buffer_bytes - before.buffer_bytes +
				    (after.packets - before.packets) *
					    sizeof(struct reeve_packet) <=
			    100000 + 66000 + sizeof(struct reeve_packet));
		for (struct reeve_datagram d; reeve_udp_peek(b, &d); kept++) {
			assert_int_equal(d.length, lengths[i]);
			reeve_udp_consume(b);
		}
		assert_in_range(kept, 2, 400);
		assert_int_equal(net_stats(n.hosts[0]).drops[REEVE_DROP_UDP_QUEUE] +
					 net_stats(n.hosts[0]).udp_in,
				 500 * (i + 1));
		reeve_pool_stats(n.pool, &after);
		assert_int_equal(after.packets, before.packets);
		reeve_udp_close(a);
		reeve_udp_close(b);
	}
	net_deinit(&n);
}

static void test_many_sockets(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_udp *udp[80];
	unsigned count = 0;

	net_init(&n);
	while (count < 80 && (udp[count] = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL)))
		count++;
	assert_int_equal(count, 64); /* max_sockets */
	assert_int_equal(net_stats(n.hosts[0]).udp_sockets, 64);
	for (unsigned i = 0; i < count; i += 2)
		reeve_udp_close(udp[i]);
	reeve_udp_close(NULL);
	assert_int_equal(net_stats(n.hosts[0]).udp_sockets, 32);
	for (unsigned i = 1; i < count; i += 2)
		assert_int_equal(bind_to(udp[i], "0.0.0.0", (uint16_t)(1000 + i)), 0);
	udp[0] = socket4(&n, 0);
	for (unsigned i = 1; i < count; i += 2)
		assert_int_equal(send_to(udp[0], "127.0.0.1", (uint16_t)(1000 + i), "x"), 0);
	net_settle(&n);
	for (unsigned i = 1; i < count; i += 2)
		assert_string_equal(received(udp[i]), "x");
	net_deinit(&n);
}

/* A socket that is closed with news is not heard of again. */
static void test_closed_with_news(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_event event;

	net_init(&n);
	struct reeve_udp *const a = socket4(&n, 0);
	struct reeve_udp *const b = socket4(&n, 1);

	assert_int_equal(bind_to(b, "0.0.0.0", 53), 0);
	assert_int_equal(send_to(a, "192.0.2.2", 53, "x"), 0);
	net_settle(&n);
	reeve_udp_close(b);
	assert_false(reeve_host_next_event(n.hosts[1], &event));
	assert_int_equal(send_to(a, "192.0.2.2", 53, "x"), 0);
	net_settle(&n);
	assert_int_equal(net_drop(n.hosts[1], REEVE_DROP_UDP_NO_PORT), 1);
	net_deinit(&n);
}

static void test_options(void **state)
{
	static const struct {
		enum reeve_udp_option option;
		int64_t least, most;
	} options[] = {
		{ REEVE_UDP_REUSE_ADDRESS, 0, 1 },
		{ REEVE_UDP_REUSE_PORT, 0, 1 },
		{ REEVE_UDP_OWNER, 0, UINT32_MAX },
		{ REEVE_UDP_BROADCAST, 0, 1 },
		{ REEVE_UDP_RECEIVE_BUFFER, 2048, 1 << 28 },
		{ REEVE_UDP_TTL, 1, 255 },
		{ REEVE_UDP_TOS, 0, 255 },
		{ REEVE_UDP_DONT_FRAGMENT, 0, 1 },
		{ REEVE_UDP_DONT_ROUTE, 0, 1 },
		{ REEVE_UDP_PROBLEMS, 0, 1 },
		{ REEVE_UDP_CORK, 0, 1 },
		{ REEVE_UDP_MULTICAST_TTL, 0, 255 },
		{ REEVE_UDP_MULTICAST_LOOP, 0, 1 },
		{ REEVE_UDP_MULTICAST_ALL, 0, 1 },
	};

	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const udp = socket4(&n, 0);

	for (size_t i = 0; i < array_length(options); i++) {
		const enum reeve_udp_option o = options[i].option;

		assert_int_equal(reeve_udp_set(udp, o, options[i].least - 1), -EINVAL);
		assert_int_equal(reeve_udp_set(udp, o, options[i].most + 1), -EINVAL);
		assert_int_equal(reeve_udp_set(udp, o, options[i].most), 0);
		assert_int_equal(reeve_udp_get(udp, o), options[i].most);
		assert_int_equal(reeve_udp_set(udp, o, options[i].least), 0);
		assert_int_equal(reeve_udp_get(udp, o), options[i].least);
	}
	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_IPV6_ONLY, 1), -ENOPROTOOPT);
	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_OPTION_COUNT, 0), -EINVAL);
	assert_int_equal(reeve_udp_get(udp, REEVE_UDP_OPTION_COUNT), -EINVAL);
	/* Devices are counted from 1: lo, and the one interface. */
	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_DEVICE, 3), -ENODEV);
	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_MULTICAST_DEVICE, 3), -ENODEV);
	for (int64_t device = 2; device >= 0; device--) {
		assert_int_equal(reeve_udp_set(udp, REEVE_UDP_DEVICE, device), 0);
		assert_int_equal(reeve_udp_get(udp, REEVE_UDP_DEVICE), device);
		assert_int_equal(reeve_udp_set(udp, REEVE_UDP_MULTICAST_DEVICE, device), 0);
		assert_int_equal(reeve_udp_get(udp, REEVE_UDP_MULTICAST_DEVICE), device);
	}
	/* What is set is on the wire, and seen at the other end. */
	struct reeve_udp *const b = socket4(&n, 1);
	struct reeve_datagram d;

	assert_int_equal(bind_to(b, "0.0.0.0", 53), 0);
	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_TTL, 3), 0);
	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_TOS, 0xb8), 0);
	assert_int_equal(send_to(udp, "192.0.2.2", 53, "x"), 0);
	net_settle(&n);
	assert_true(reeve_udp_peek(b, &d));
	assert_int_equal(d.ttl, 3);
	assert_int_equal(d.tos, 0xb8);
	net_deinit(&n);
}

/* Who takes what nobody else does: the longest prefix, then the given port. */
static void test_intercept(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_host_config config = { .max_sockets = 128, .any_address = true };
	const struct reeve_prefix home = net_prefix("192.0.2.2/24");
	const struct reeve_prefix everywhere = net_prefix("0.0.0.0/0");
	const struct reeve_prefix some = net_prefix("203.0.113.0/24");
	const struct reeve_prefix one = net_prefix("203.0.113.7");
	const struct reeve_prefix none = { .address = one.address, .length = 33 };
	const struct reeve_address via = net_address("192.0.2.2");
	struct reeve_udp *all, *dns, *some_all, *one_dns, *extra;
	struct iovec iov = { "answer", 6 };
	struct reeve_datagram d;

	net_init(&n);
	config.pool = n.pool;
	reeve_host_free(n.hosts[1]);
	n.hosts[1] = reeve_host_new(&config, n.now);
	n.ifaces[1] = net_add_iface(&n, n.hosts[1], 2);
	assert_int_equal(reeve_host_add_address(n.hosts[1], n.ifaces[1], &home), 0);
	assert_int_equal(reeve_host_add_route(n.hosts[0], &everywhere, &via, n.ifaces[0]), 0);
	assert_int_equal(reeve_udp_intercept(n.hosts[1], NULL, 0, NULL, &all), 0);
	assert_int_equal(reeve_udp_intercept(n.hosts[1], NULL, 53, NULL, &dns), 0);
	assert_int_equal(reeve_udp_intercept(n.hosts[1], &some, 0, NULL, &some_all), 0);
	assert_int_equal(reeve_udp_intercept(n.hosts[1], &one, 53, NULL, &one_dns), 0);
	assert_int_equal(reeve_udp_intercept(n.hosts[1], &one, 53, NULL, &extra), -EADDRINUSE);
	assert_int_equal(reeve_udp_intercept(n.hosts[1], NULL, 0, NULL, &extra), -EADDRINUSE);
	assert_int_equal(reeve_udp_intercept(n.hosts[1], &none, 0, NULL, &extra), -EINVAL);
	struct reeve_udp *const client = socket4(&n, 0);
	struct reeve_udp *const own = reeve_udp_new(n.hosts[1], REEVE_IPV4, NULL);

	assert_int_equal(bind_to(own, "0.0.0.0", 99), 0);
	assert_int_equal(send_to(client, "198.51.100.1", 80, "all"), 0);
	assert_int_equal(send_to(client, "198.51.100.1", 53, "dns"), 0);
	assert_int_equal(send_to(client, "203.0.113.8", 53, "some"), 0);
	assert_int_equal(send_to(client, "203.0.113.7", 80, "some"), 0);
	assert_int_equal(send_to(client, "203.0.113.7", 53, "one"), 0);
	assert_int_equal(send_to(client, "192.0.2.2", 99, "own"), 0);
	net_settle(&n);
	assert_string_equal(received(all), "all");
	assert_string_equal(received(dns), "dns");
	assert_string_equal(received(some_all), "some");
	assert_string_equal(received(some_all), "some");
	assert_string_equal(received(own), "own");
	/* The answer comes from the name that was asked. */
	assert_true(reeve_udp_peek(one_dns, &d));
	assert_int_equal(connect_to(client, "203.0.113.7", 53), 0);
	assert_int_equal(reeve_udp_send(one_dns, &d.remote, NULL, &iov, 1), -EINVAL);
	assert_int_equal(reeve_udp_send(one_dns, &d.remote, &d.local, &iov, 1), 0);
	assert_string_equal(received(one_dns), "one");
	net_settle(&n);
	/* connect() gave the client another port than the one it had sent from, or the same. */
	assert_int_equal(net_drop(n.hosts[1], REEVE_DROP_UDP_NO_PORT), 0);
	assert_string_equal(received(client), "answer");
	assert_int_equal(bind_to(one_dns, "0.0.0.0", 1), -EINVAL);
	assert_int_equal(connect_to(one_dns, "192.0.2.1", 1), -EINVAL);
	/* Gone with its socket. */
	reeve_udp_close(one_dns);
	assert_int_equal(send_to(client, "203.0.113.7", 53, "one"), 0);
	net_settle(&n);
	assert_string_equal(received(some_all), "one");
	for (unsigned i = 3; i < UDP_INTERCEPTS; i++)
		assert_int_equal(
			reeve_udp_intercept(n.hosts[1], NULL, (uint16_t)(1000 + i), NULL, &extra),
			0);
	assert_int_equal(reeve_udp_intercept(n.hosts[1], NULL, 5, NULL, &extra), -ENOBUFS);
	net_deinit(&n);
}

/* Between hosts and a link without offloads the checksum is on the wire; with them, and over lo,
 * nobody computes one. */
static void test_checksum_offload(void **state)
{
	(void)state;
	for (unsigned offload = 0; offload < 2; offload++) {
		struct net n = { .offloads = offload ? REEVE_OFFLOAD_CHECKSUM : 0 };
		unsigned iface;

		net_init(&n);
		struct reeve_udp *const a = socket4(&n, 0);
		struct reeve_udp *const b = socket4(&n, 1);

		assert_int_equal(bind_to(b, "0.0.0.0", 53), 0);
		assert_int_equal(send_to(a, "192.0.2.2", 53, "first"), 0);
		net_settle(&n);
		assert_string_equal(received(b), "first");
		assert_int_equal(send_to(a, "192.0.2.2", 53, "second"), 0);
		struct reeve_packet *const p = reeve_host_output(n.hosts[0], n.now, &iface);
		const struct reeve_offload *const o = reeve_packet_offload(p);

		if (offload) {
			assert_int_equal(o->checksum, REEVE_CHECKSUM_PARTIAL);
			assert_int_equal(o->checksum_start, 14 + 20);
			assert_int_equal(o->checksum_offset, 6);
			/* Whoever fills it in gets it right. */
			struct reeve_packet *const copy = packet_clone(p);

			ip_complete_checksum(copy);
			reeve_host_input(n.hosts[1], n.ifaces[1], copy, n.now);
			assert_string_equal(received(b), "second");
		} else {
			assert_int_equal(o->checksum, REEVE_CHECKSUM_UNKNOWN);
		}
		reeve_host_input(n.hosts[1], n.ifaces[1], p, n.now);
		assert_string_equal(received(b), "second");
		assert_int_equal(net_drops(n.hosts[1]), 0);
		net_deinit(&n);
	}
}

/* A checksum that comes out as 0 is sent as 0xffff (RFC 768): try until one has. */
static void test_checksum_zero(void **state)
{
	(void)state;
	struct net n = { 0 };
	uint8_t frame[256];
	bool seen = false;

	net_init(&n);
	net_settle(&n);
	struct reeve_udp *const a = socket4(&n, 0);
	const struct reeve_sockaddr to = net_name("192.0.2.255", 53);

	assert_int_equal(reeve_udp_set(a, REEVE_UDP_BROADCAST, 1), 0);
	for (unsigned i = 0; i < 65536 && !seen; i++) {
		uint8_t bytes[2] = { (uint8_t)(i >> 8), (uint8_t)i };
		struct iovec iov = { bytes, 2 };

		assert_int_equal(reeve_udp_send(a, &to, NULL, &iov, 1), 0);
		assert_int_equal(net_output(&n, 0, frame, sizeof(frame)), 14 + 28 + 2);
		assert_true(frame[14 + 26] || frame[14 + 27]);
		seen = frame[14 + 26] == 0xff && frame[14 + 27] == 0xff;
	}
	assert_true(seen);
	net_deinit(&n);
}

/* Any calls in any order: nothing is left when all is closed. */
static void test_random_calls(void **state)
{
	static const char *const addresses[] = { "0.0.0.0", "127.0.0.1", "192.0.2.1",  "192.0.2.2",
						 "::",      "::1",       "192.0.2.255" };
	struct random r = seeded(50);
	unsigned delivered = 0;

	(void)state;
	for (unsigned round = 0; round < 30; round++) {
		struct net n = { 0 };
		struct reeve_udp *udp[12] = { 0 };

		net_init(&n);
		for (unsigned i = 0; i < 600; i++) {
			struct reeve_udp **const one = &udp[random_below(&r, 12)];
			const char *const address =
				addresses[random_below(&r, array_length(addresses))];
			const uint16_t port =
				(uint16_t)(random_below(&r, 4) ? 50 + random_below(&r, 4) : 0);
			struct reeve_sockaddr name;

			if (!*one) {
				*one = random_below(&r, 2) ? socket4(&n, 0) : socket6(&n, 0);
				reeve_udp_set(*one, REEVE_UDP_REUSE_ADDRESS, random_below(&r, 2));
				reeve_udp_set(*one, REEVE_UDP_REUSE_PORT, random_below(&r, 2));
				continue;
			}
			switch (random_below(&r, 8)) {
			case 0:
				bind_to(*one, address, port);
				break;
			case 1:
				connect_to(*one, address, port);
				break;
			case 2:
				reeve_udp_connect(*one, NULL);
				break;
			case 3:
				reeve_udp_close(*one);
				*one = NULL;
				break;
			case 4:
				reeve_udp_local(*one, &name);
				break;
			case 5:
				send_to(*one, NULL, 0, "connected");
				break;
			default:
				send_to(*one, address, port, "named");
				break;
			}
			net_settle(&n);
			for (unsigned k = 0; k < 12; k++) {
				while (udp[k] && received(udp[k]))
					delivered++;
			}
		}
		for (unsigned k = 0; k < 12; k++)
			reeve_udp_close(udp[k]);
		assert_int_equal(port_space_count(n.hosts[0]->udp->space), 0);
		assert_int_equal(port_demux_flow_count(n.hosts[0]->udp->demux), 0);
		assert_int_equal(port_demux_listener_count(n.hosts[0]->udp->demux), 0);
		net_deinit(&n);
	}
	assert_in_range(delivered, 100, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_broadcast),
		cmocka_unit_test(test_queue_limit),
		cmocka_unit_test(test_many_sockets),
		cmocka_unit_test(test_closed_with_news),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_intercept),
		cmocka_unit_test(test_checksum_offload),
		cmocka_unit_test(test_checksum_zero),
		cmocka_unit_test(test_random_calls),
	};

	return cmocka_run_group_tests_name("udp_data", tests, NULL, NULL);
}
