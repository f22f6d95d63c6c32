/* The host as a whole: its life, its events and deadlines, and that two of them can talk. */
#include <string.h>

#include "net.h"

static void send_text(struct reeve_udp *udp, const struct reeve_sockaddr *to, const char *text)
{
	char bytes[64];
	struct iovec iov = { bytes, strlen(text) };

	assert_true(iov.iov_len < sizeof(bytes));
	memcpy(bytes, text, iov.iov_len);
	assert_int_equal(reeve_udp_send(udp, to, NULL, &iov, 1), 0);
}

static void expect_text(struct reeve_udp *udp, const char *text)
{
	struct reeve_datagram d;

	assert_true(reeve_udp_peek(udp, &d));
	assert_int_equal(d.length, strlen(text));
	assert_int_equal(d.iov_count, 1);
	assert_memory_equal(d.iov[0].iov_base, text, d.length);
	reeve_udp_consume(udp);
}

static void test_two_hosts_talk(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const server = reeve_udp_new(n.hosts[1], REEVE_IPV4, &n);
	struct reeve_udp *const client = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL);
	const struct reeve_sockaddr name = net_name("192.0.2.2", 53);
	struct reeve_sockaddr from;
	struct reeve_datagram d;
	struct reeve_event event;

	assert_int_equal(reeve_udp_bind(server, &name), 0);
	send_text(client, &name, "who is there?");
	net_settle(&n);
	assert_true(reeve_host_next_event(n.hosts[1], &event));
	assert_int_equal(event.kind, REEVE_UDP);
	assert_int_equal(event.what, REEVE_READABLE);
	assert_ptr_equal(event.socket, server);
	assert_ptr_equal(event.user, &n);
	assert_false(reeve_host_next_event(n.hosts[1], &event));
	assert_true(reeve_udp_peek(server, &d));
	assert_int_equal(reeve_udp_local(client, &from), 0);
	assert_int_equal(d.remote.port, from.port);
	assert_true(reeve_sockaddr_equal(&d.local, &name));
	from = d.remote;
	expect_text(server, "who is there?");
	send_text(server, &from, "nobody");
	net_settle(&n);
	expect_text(client, "nobody");
	assert_int_equal(net_drops(n.hosts[0]), 0);
	assert_int_equal(net_drops(n.hosts[1]), 0);
	reeve_udp_close(server);
	net_deinit(&n);
}

static void test_a_host_talks_to_itself(void **state)
{
	static const char *const names[] = { "127.0.0.1", "127.1.2.3", "192.0.2.1", "::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct net n = { 0 };

		net_init(&n);
		const struct reeve_sockaddr name = net_name(names[i], 7);
		const enum reeve_family family = reeve_address_family(&name.address);
		struct reeve_udp *const a = reeve_udp_new(n.hosts[0], family, NULL);
		struct reeve_udp *const b = reeve_udp_new(n.hosts[0], family, NULL);
		struct reeve_datagram d;

		net_settle(&n);
		n.carried = 0;
		assert_int_equal(reeve_udp_bind(a, &name), 0);
		send_text(b, &name, "echo");
		net_settle(&n);
		assert_true(reeve_udp_peek(a, &d));
		assert_true(reeve_address_equal(&d.local.address, &name.address));
		const struct reeve_sockaddr back = d.remote;

		expect_text(a, "echo");
		send_text(a, &back, "echo again");
		net_settle(&n);
		expect_text(b, "echo again");
		assert_int_equal(n.carried, 0);
		assert_int_equal(net_drops(n.hosts[0]), 0);
		net_deinit(&n);
	}
}

static void test_ping(void **state)
{
	static const char *const names[] = { "192.0.2.2", "127.0.0.1", "192.0.2.1", "::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct net n = { 0 };

		net_init(&n);
		struct reeve_ping *const ping = reeve_ping_new(n.hosts[0], NULL);
		const struct reeve_address to = net_address(names[i]);
		struct reeve_ping_reply reply;
		struct reeve_event event;

		assert_int_equal(reeve_ping_send(ping, &to, 7, 56), 0);
		assert_false(reeve_ping_receive(ping, &reply));
		net_settle(&n);
		assert_true(reeve_host_next_event(n.hosts[0], &event));
		assert_int_equal(event.kind, REEVE_PING);
		assert_true(reeve_ping_receive(ping, &reply));
		assert_true(reeve_address_equal(&reply.from, &to));
		assert_int_equal(reply.sequence, 7);
		assert_int_equal(reply.length, 56);
		assert_int_equal(reply.error, 0);
		assert_int_equal(reply.ttl, 64);
		assert_false(reeve_ping_receive(ping, &reply));
		reeve_ping_close(ping);
		assert_int_equal(net_drops(n.hosts[0]), 0);
		assert_int_equal(net_drops(n.hosts[1]), 0);
		net_deinit(&n);
	}
}

static void test_config(void **state)
{
	(void)state;
	const struct reeve_pool_config pool_config = { 16, 1 << 20 };
	struct reeve_pool *const pool = reeve_pool_new(&pool_config);
	const struct reeve_time now = { 0 };
	const struct reeve_host_config bad[] = {
		{ .pool = NULL, .max_sockets = 1 },
		{ .pool = pool, .max_sockets = 0 },
		{ .pool = pool, .max_sockets = 1, .ephemeral_first = 1023, .ephemeral_last = 2000 },
		{ .pool = pool, .max_sockets = 1, .ephemeral_first = 3000, .ephemeral_last = 2999 },
		{ .pool = pool, .max_sockets = 1, .ephemeral_first = 3000, .ephemeral_last = 0 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(reeve_host_new(&bad[i], now));
	const struct reeve_host_config good = {
		.pool = pool, .max_sockets = 1, .ephemeral_first = 1024, .ephemeral_last = 1024
	};
	struct reeve_host *const host = reeve_host_new(&good, now);
	struct reeve_iface_info lo;
	struct reeve_prefix address;

	assert_non_null(host);
	assert_int_equal(reeve_host_iface(host, 0, &lo), 0);
	assert_string_equal(lo.name, "lo");
	assert_int_equal(reeve_host_address(host, 0, 0, &address), 0);
	assert_true(reeve_address_equal(&address.address, &reeve_loopback_ipv4));
	assert_int_equal(reeve_host_address(host, 0, 1, &address), 0);
	assert_true(reeve_address_equal(&address.address, &reeve_loopback_ipv6));
	assert_int_not_equal(reeve_host_address(host, 0, 2, &address), 0);
	assert_true(reeve_time_is_never(reeve_host_deadline(host)));
	assert_null(reeve_host_free(host));
	assert_null(reeve_host_free(NULL));
	reeve_pool_free(pool);
}

/* A host says when it wants to be called; after that call it is never a time that has passed. */
static void test_deadline_never_passed(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const udp = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL);
	const struct reeve_sockaddr nobody = net_name("192.0.2.77", 9);

	n.cut = true;
	send_text(udp, &nobody, "x");
	for (unsigned i = 0; i < 1000; i++) {
		net_settle(&n);
		const struct reeve_time next = reeve_host_deadline(n.hosts[0]);

		if (reeve_time_is_never(next))
			break;
		assert_false(reeve_time_before(next, n.now));
		n.now = next;
		reeve_host_tick(n.hosts[0], n.now);
		assert_false(reeve_time_before(reeve_host_deadline(n.hosts[0]), n.now));
	}
	/* Three requests for the neighbour, two announcements: then nothing waits for time. */
	assert_true(reeve_time_is_never(reeve_host_deadline(n.hosts[0])));
	assert_int_equal(net_drop(n.hosts[0], REEVE_DROP_NEIGHBOUR_UNREACHABLE), 1);
	net_deinit(&n);
}

/* One call does not go on for as long as there is work, and what is left is not forgotten. */
static void test_work_is_bounded(void **state)
{
	(void)state;
	struct net n = { 0 };
	unsigned iface;
	unsigned calls = 0;

	net_init(&n);
	net_settle(&n);
	struct reeve_udp *const a = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL);
	struct reeve_udp *const b = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL);
	const struct reeve_sockaddr name = net_name("127.0.0.1", 9);
	struct reeve_iface_info lo;

	assert_int_equal(reeve_udp_set(a, REEVE_UDP_RECEIVE_BUFFER, 1 << 22), 0);
	assert_int_equal(reeve_udp_bind(a, &name), 0);
	for (unsigned i = 0; i < 1000; i++)
		send_text(b, &name, "x");
	do {
		assert_int_equal(reeve_host_deadline(n.hosts[0]).ns, n.now.ns);
		assert_null(reeve_host_output(n.hosts[0], n.now, &iface));
		calls++;
	} while (reeve_host_deadline(n.hosts[0]).ns == n.now.ns);
	assert_in_range(calls, 2, 1000);
	assert_int_equal(reeve_host_iface(n.hosts[0], 0, &lo), 0);
	assert_int_equal(lo.rx_packets, 1000);
	assert_int_equal(net_stats(n.hosts[0]).udp_in, 1000);
	net_deinit(&n);
}

/* The same seed and the same calls give the same bytes; another seed does not. */
static void test_same_seed_same_bytes(void **state)
{
	uint8_t frames[3][2048];
	size_t lengths[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct net n = { 0 };

		net_init(&n);
		net_settle(&n);
		struct reeve_host *const host = net_host_new(&n, i == 2 ? 9 : 5);
		const unsigned iface = net_add_iface(&n, host, 7);
		const struct reeve_prefix prefix = net_prefix("192.0.2.7/24");
		const struct reeve_sockaddr all = net_name("192.0.2.255", 9);
		struct reeve_udp *const udp = reeve_udp_new(host, REEVE_IPV4, NULL);
		struct reeve_host *const before = n.hosts[0];

		assert_int_equal(reeve_host_add_address(host, iface, &prefix), 0);
		assert_int_equal(reeve_udp_set(udp, REEVE_UDP_BROADCAST, 1), 0);
		send_text(udp, &all, "x");
		n.hosts[0] = host;
		net_output(&n, 0, frames[i], sizeof(frames[i])); /* the announcement */
		lengths[i] = net_output(&n, 0, frames[i], sizeof(frames[i]));
		n.hosts[0] = before;
		reeve_host_free(host);
		net_deinit(&n);
	}
	assert_int_equal(lengths[0], 14 + 20 + 8 + 1);
	assert_int_equal(lengths[1], lengths[0]);
	assert_memory_equal(frames[0], frames[1], lengths[0]);
	assert_memory_not_equal(frames[0], frames[2], lengths[0]);
}

static void test_clock_backwards(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	net_settle(&n);
	const struct reeve_time late = reeve_time_add_ms(n.now, 100000);

	reeve_host_tick(n.hosts[0], late);
	const struct reeve_time deadline = reeve_host_deadline(n.hosts[0]);

	reeve_host_tick(n.hosts[0], n.now);
	assert_int_equal(reeve_host_deadline(n.hosts[0]).ns, deadline.ns);
	reeve_host_tick(n.hosts[0], (struct reeve_time){ INT64_MIN });
	assert_int_equal(reeve_host_deadline(n.hosts[0]).ns, deadline.ns);
	reeve_host_tick(n.hosts[0], (struct reeve_time){ INT64_MAX - 1 });
	net_deinit(&n);
}

static void test_next_socket(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_socket_info info;
	uint64_t cursor = 0;
	unsigned seen = 0;

	net_init(&n);
	for (uint16_t port = 65530; port >= 65530; port++) {
		struct reeve_udp *const udp = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL);
		const struct reeve_sockaddr name = net_name("0.0.0.0", port);

		assert_int_equal(reeve_udp_bind(udp, &name), 0);
	}
	while (reeve_host_next_socket(n.hosts[0], &cursor, &info)) {
		assert_int_equal(info.kind, REEVE_UDP);
		assert_in_range(info.local.port, 65530, 65535);
		seen |= 1u << (info.local.port - 65530);
	}
	assert_int_equal(seen, 0x3f);
	assert_int_equal(net_stats(n.hosts[0]).udp_sockets, 6);
	net_deinit(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_hosts_talk),
		cmocka_unit_test(test_a_host_talks_to_itself),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_deadline_never_passed),
		cmocka_unit_test(test_work_is_bounded),
		cmocka_unit_test(test_same_seed_same_bytes),
		cmocka_unit_test(test_clock_backwards),
		cmocka_unit_test(test_next_socket),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
