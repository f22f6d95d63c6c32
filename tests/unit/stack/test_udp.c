/* UDP sockets: the calls, their errnos, and which name is whose. Hazards 20 and 26. */
#include <errno.h>

#include "udp_calls.h"

static void test_bind_errors(void **state)
{
	static const struct {
		const char *address;
		enum reeve_family family;
		int error;
	} cases[] = {
		{ "0.0.0.0", REEVE_IPV4, 0 },
		{ "127.0.0.1", REEVE_IPV4, 0 },
		{ "127.7.7.7", REEVE_IPV4, 0 },
		{ "192.0.2.1", REEVE_IPV4, 0 },
		{ "192.0.2.255", REEVE_IPV4, 0 },
		{ "255.255.255.255", REEVE_IPV4, 0 },
		{ "224.0.0.251", REEVE_IPV4, 0 },
		{ "192.0.2.2", REEVE_IPV4, -EADDRNOTAVAIL },
		{ "198.51.100.1", REEVE_IPV4, -EADDRNOTAVAIL },
		{ "::", REEVE_IPV4, -EAFNOSUPPORT },
		{ "::1", REEVE_IPV4, -EAFNOSUPPORT },
		{ "::", REEVE_IPV6, 0 },
		{ "::1", REEVE_IPV6, 0 },
		{ "0.0.0.0", REEVE_IPV6, 0 },
		{ "192.0.2.1", REEVE_IPV6, 0 },
		{ "127.0.0.1", REEVE_IPV6, 0 },
		{ "192.0.2.2", REEVE_IPV6, -EADDRNOTAVAIL },
		{ "2001:db8::1", REEVE_IPV6, -EADDRNOTAVAIL },
	};

	(void)state;
	struct net n = { 0 };

	net_init(&n);
	for (size_t i = 0; i < array_length(cases); i++) {
		struct reeve_udp *const udp = reeve_udp_new(n.hosts[0], cases[i].family, NULL);

		assert_int_equal(bind_to(udp, cases[i].address, 5353), cases[i].error);
		if (cases[i].error == 0) {
			assert_int_equal(port_of(udp), 5353);
			/* Once is enough. */
			assert_int_equal(bind_to(udp, cases[i].address, 5354), -EINVAL);
		} else {
			assert_int_equal(bind_to(udp, "127.0.0.1", 5353), 0);
		}
		reeve_udp_close(udp);
	}
	struct reeve_udp *const only = socket6(&n, 0);

	assert_int_equal(reeve_udp_set(only, REEVE_UDP_IPV6_ONLY, 1), 0);
	assert_int_equal(bind_to(only, "192.0.2.1", 1), -EINVAL);
	assert_int_equal(bind_to(only, "::", 1), 0);
	assert_int_equal(reeve_udp_set(only, REEVE_UDP_IPV6_ONLY, 0), -EINVAL);
	net_deinit(&n);
}

/* hazard 26: the last port is a port. */
static void test_every_port(void **state)
{
	static const uint16_t ports[] = {
		1, 2, 1023, 1024, 32767, 32768, 49151, 49152, 65534, 65535
	};

	(void)state;
	struct net n = { 0 };

	net_init(&n);
	for (size_t i = 0; i < array_length(ports); i++) {
		struct reeve_udp *const a = socket4(&n, 0);
		struct reeve_udp *const b = socket4(&n, 1);

		assert_int_equal(bind_to(a, "0.0.0.0", ports[i]), 0);
		assert_int_equal(bind_to(b, "0.0.0.0", ports[i]), 0);
		assert_int_equal(send_to(a, "192.0.2.2", ports[i], "ping"), 0);
		net_settle(&n);
		assert_string_equal(received(b), "ping");
		assert_int_equal(send_to(b, "192.0.2.1", ports[i], "pong"), 0);
		net_settle(&n);
		assert_string_equal(received(a), "pong");
		reeve_udp_close(a);
		reeve_udp_close(b);
	}
	net_deinit(&n);
}

static void test_in_use(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const a = socket4(&n, 0);
	struct reeve_udp *b = socket4(&n, 0);
	struct reeve_udp *const tcp_like = socket6(&n, 0);

	assert_int_equal(bind_to(a, "0.0.0.0", 80), 0);
	assert_int_equal(bind_to(b, "0.0.0.0", 80), -EADDRINUSE);
	assert_int_equal(bind_to(b, "192.0.2.1", 80), -EADDRINUSE);
	assert_int_equal(bind_to(tcp_like, "::", 80), -EADDRINUSE);
	reeve_udp_close(a);
	assert_int_equal(bind_to(b, "192.0.2.1", 80), 0);
	struct reeve_udp *const c = socket4(&n, 0);

	/* Another address of the same port is another socket. */
	assert_int_equal(bind_to(c, "127.0.0.1", 80), 0);
	assert_int_equal(send_to(c, "192.0.2.1", 80, "b"), 0);
	assert_int_equal(send_to(b, "127.0.0.1", 80, "c"), 0);
	net_settle(&n);
	assert_string_equal(received(b), "b");
	assert_string_equal(received(c), "c");
	reeve_udp_close(b);
	b = socket4(&n, 0);
	assert_int_equal(bind_to(b, "192.0.2.1", 80), 0);
	net_deinit(&n);
}

static void test_reuse(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_udp *udp[4];
	unsigned shared[4] = { 0 };

	net_init(&n);
	/* SO_REUSEADDR: the last one is found, broadcasts go to all. */
	for (unsigned i = 0; i < 3; i++) {
		udp[i] = socket4(&n, 1);
		assert_int_equal(reeve_udp_set(udp[i], REEVE_UDP_REUSE_ADDRESS, 1), 0);
		assert_int_equal(bind_to(udp[i], "0.0.0.0", 5353), 0);
	}
	struct reeve_udp *const client = socket4(&n, 0);

	assert_int_equal(reeve_udp_set(client, REEVE_UDP_BROADCAST, 1), 0);
	assert_int_equal(send_to(client, "192.0.2.2", 5353, "one"), 0);
	net_settle(&n); /* the neighbour has to be found first */
	assert_int_equal(send_to(client, "192.0.2.255", 5353, "all"), 0);
	net_settle(&n);
	assert_string_equal(received(udp[2]), "one");
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(received(udp[i]), "all");
	for (unsigned i = 0; i < 3; i++) {
		assert_null(received(udp[i]));
		reeve_udp_close(udp[i]);
	}
	/* SO_REUSEPORT: each flow goes to one of them, always the same. */
	for (unsigned i = 0; i < 4; i++) {
		udp[i] = socket4(&n, 1);
		assert_int_equal(reeve_udp_set(udp[i], REEVE_UDP_REUSE_PORT, 1), 0);
		assert_int_equal(bind_to(udp[i], "0.0.0.0", 5353), 0);
	}
	for (uint16_t port = 1000; port < 1100; port++) {
		struct reeve_udp *const from = socket4(&n, 0);
		unsigned takers = 0;

		assert_int_equal(bind_to(from, "0.0.0.0", port), 0);
		assert_int_equal(send_to(from, "192.0.2.2", 5353, "1"), 0);
		assert_int_equal(send_to(from, "192.0.2.2", 5353, "2"), 0);
		net_settle(&n);
		for (unsigned i = 0; i < 4; i++) {
			if (!received(udp[i]))
				continue;
			assert_string_equal(received(udp[i]), "2");
			shared[i]++;
			takers++;
		}
		assert_int_equal(takers, 1);
		reeve_udp_close(from);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(shared[i], 8, 60);
	net_deinit(&n);
}

static void test_chosen_port(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const a = socket4(&n, 0);
	struct reeve_udp *const b = socket4(&n, 0);
	struct reeve_udp *const c = socket4(&n, 0);
	struct reeve_udp *const d = socket4(&n, 0);
	struct reeve_sockaddr name;

	/* Nothing asked for: no port. */
	assert_int_equal(port_of(a), 0);
	expect_local(a, "0.0.0.0");
	/* Bound to 0: chosen when asked for, and reached from then on. */
	assert_int_equal(bind_to(b, "0.0.0.0", 0), 0);
	const uint16_t port = port_of(b);

	assert_in_range(port, 49152, 65535);
	assert_int_equal(port_of(b), port);
	assert_int_equal(send_to(a, "192.0.2.1", port, "x"), 0);
	net_settle(&n);
	assert_string_equal(received(b), "x");
	/* Sending chose one for the sender. */
	assert_in_range(port_of(a), 49152, 65535);
	assert_int_not_equal(port_of(a), port);
	assert_int_equal(bind_to(a, "0.0.0.0", 77), -EINVAL);
	/* So does connecting, and the address with it. */
	assert_int_equal(connect_to(c, "192.0.2.2", 53), 0);
	assert_in_range(port_of(c), 49152, 65535);
	expect_local(c, "192.0.2.1");
	assert_int_equal(reeve_udp_remote(c, &name), 0);
	assert_int_equal(name.port, 53);
	assert_int_equal(reeve_udp_remote(a, &name), -ENOTCONN);
	/* Bound to 0 and connected before anybody asked. */
	assert_int_equal(bind_to(d, "0.0.0.0", 0), 0);
	assert_int_equal(connect_to(d, "127.0.0.1", port), 0);
	expect_local(d, "127.0.0.1");
	assert_int_equal(send_to(d, NULL, 0, "y"), 0);
	net_settle(&n);
	assert_string_equal(received(b), "y");
	net_deinit(&n);
}

static void test_no_port_left(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_host_config config = {
		.max_sockets = 16,
		.ephemeral_first = 50000,
		.ephemeral_last = 50001,
	};

	net_init(&n);
	config.pool = n.pool;
	struct reeve_host *const host = reeve_host_new(&config, n.now);
	struct reeve_udp *udp[4];

	for (unsigned i = 0; i < 4; i++)
		udp[i] = reeve_udp_new(host, REEVE_IPV4, NULL);
	assert_int_equal(bind_to(udp[0], "0.0.0.0", 0), 0);
	assert_int_equal(bind_to(udp[1], "0.0.0.0", 0), 0);
	assert_int_equal(bind_to(udp[2], "0.0.0.0", 0), -EADDRINUSE);
	assert_int_equal(send_to(udp[2], "127.0.0.1", 9, "x"), -EAGAIN);
	assert_int_not_equal(port_of(udp[0]), port_of(udp[1]));
	reeve_udp_close(udp[0]);
	assert_int_equal(send_to(udp[2], "127.0.0.1", 9, "x"), 0);
	reeve_host_free(host);
	net_deinit(&n);
}

static void test_connect(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const a = socket4(&n, 0);
	struct reeve_udp *const b = socket4(&n, 1);
	struct reeve_udp *const c = socket4(&n, 1);

	assert_int_equal(bind_to(b, "0.0.0.0", 53), 0);
	assert_int_equal(bind_to(c, "0.0.0.0", 54), 0);
	assert_int_equal(bind_to(a, "0.0.0.0", 1000), 0);
	assert_int_equal(connect_to(a, "192.0.2.2", 53), 0);
	assert_int_equal(port_of(a), 1000);
	expect_local(a, "192.0.2.1");
	assert_int_equal(send_to(a, NULL, 0, "to b"), 0);
	/* A name of its own for one datagram. */
	assert_int_equal(send_to(a, "192.0.2.2", 54, "to c"), 0);
	net_settle(&n);
	assert_string_equal(received(b), "to b");
	assert_string_equal(received(c), "to c");
	/* Only the peer is heard; for others the port is not there. */
	assert_int_equal(send_to(b, "192.0.2.1", 1000, "from b"), 0);
	assert_int_equal(send_to(c, "192.0.2.1", 1000, "from c"), 0);
	net_settle(&n);
	assert_string_equal(received(a), "from b");
	assert_null(received(a));
	assert_int_equal(net_drop(n.hosts[0], REEVE_DROP_UDP_NO_PORT), 1);
	/* Another peer. */
	assert_int_equal(connect_to(a, "192.0.2.2", 54), 0);
	assert_int_equal(port_of(a), 1000);
	assert_int_equal(send_to(c, "192.0.2.1", 1000, "from c"), 0);
	net_settle(&n);
	assert_string_equal(received(a), "from c");
	/* A peer that there is no way to leaves all as it was. */
	assert_int_equal(connect_to(a, "198.51.100.1", 54), -ENETUNREACH);
	assert_int_equal(send_to(a, NULL, 0, "still"), 0);
	net_settle(&n);
	assert_string_equal(received(c), "still");
	/* None. */
	assert_int_equal(reeve_udp_connect(a, NULL), 0);
	assert_int_equal(reeve_udp_connect(a, NULL), 0);
	assert_int_equal(send_to(a, NULL, 0, "x"), -EDESTADDRREQ);
	assert_int_equal(port_of(a), 1000);
	expect_local(a, "0.0.0.0");
	assert_int_equal(send_to(b, "192.0.2.1", 1000, "again"), 0);
	net_settle(&n);
	assert_string_equal(received(a), "again");
	net_deinit(&n);
}

/* What connect chose is given back by disconnect, as in Linux. */
static void test_disconnect_implicit(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const a = socket4(&n, 0);

	assert_int_equal(connect_to(a, "192.0.2.2", 53), 0);
	assert_int_not_equal(port_of(a), 0);
	assert_int_equal(bind_to(a, "0.0.0.0", 77), -EINVAL);
	assert_int_equal(reeve_udp_connect(a, NULL), 0);
	assert_int_equal(port_of(a), 0);
	assert_int_equal(bind_to(a, "0.0.0.0", 77), 0);
	assert_int_equal(connect_to(a, "192.0.2.2", 53), 0);
	assert_int_equal(port_of(a), 77);
	net_deinit(&n);
}

/* Port 0 is how resolvers ask for a source address. */
static void test_connect_port_zero(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_sockaddr name;

	net_init(&n);
	struct reeve_udp *const a = socket4(&n, 0);
	struct reeve_udp *const b = socket4(&n, 0);

	assert_int_equal(connect_to(a, "192.0.2.2", 0), 0);
	expect_local(a, "192.0.2.1");
	assert_int_equal(connect_to(b, "192.0.2.2", 0), 0);
	/* A peer without a port is none. */
	assert_int_equal(reeve_udp_remote(a, &name), -ENOTCONN);
	assert_int_equal(send_to(a, NULL, 0, "x"), -EDESTADDRREQ);
	assert_int_equal(send_to(a, "192.0.2.2", 0, "x"), -EINVAL);
	net_deinit(&n);
}

static void test_send_errors(void **state)
{
	static char big[REEVE_UDP_MAX + 1];

	(void)state;
	struct net n = { 0 };
	struct iovec iov[3] = { { big, 40000 }, { big, 25507 }, { big, 1 } };
	const struct reeve_sockaddr peer = net_name("192.0.2.2", 9);
	const struct reeve_sockaddr home = net_name("::1", 9);
	const struct reeve_sockaddr foreign = net_name("192.0.2.9", 0);
	struct iovec endless[2] = { { big, SIZE_MAX }, { big, 2 } };

	net_init(&n);
	struct reeve_udp *const a = socket4(&n, 0);
	struct reeve_udp *const six = socket6(&n, 0);

	assert_int_equal(send_to(a, NULL, 0, "x"), -EDESTADDRREQ);
	assert_int_equal(send_to(a, "198.51.100.1", 9, "x"), -ENETUNREACH);
	assert_int_equal(send_to(a, "::1", 9, "x"), -EAFNOSUPPORT);
	assert_int_equal(send_to(six, "2001:db8::1", 9, "x"), -ENETUNREACH);
	assert_int_equal(send_to(a, "192.0.2.255", 9, "x"), -EACCES);
	assert_int_equal(send_to(a, "255.255.255.255", 9, "x"), -EACCES);
	assert_int_equal(connect_to(a, "192.0.2.255", 9), -EACCES);
	assert_int_equal(reeve_udp_set(a, REEVE_UDP_BROADCAST, 1), 0);
	assert_int_equal(send_to(a, "255.255.255.255", 9, "x"), 0);
	assert_int_equal(reeve_udp_send(a, &peer, NULL, iov, 2), 0);
	assert_int_equal(reeve_udp_send(a, &peer, NULL, iov, 3), -EMSGSIZE);
	assert_int_equal(reeve_udp_send(a, &peer, NULL, endless, 2), -EMSGSIZE);
	assert_int_equal(reeve_udp_send(a, &peer, &foreign, iov, 1), -ENETUNREACH);
	iov[1].iov_len = 25527;
	assert_int_equal(reeve_udp_send(six, &home, NULL, iov, 2), 0);
	assert_int_equal(reeve_udp_send(six, &home, NULL, iov, 3), -EMSGSIZE);
	net_deinit(&n);
}

static void test_gathered(void **state)
{
	(void)state;
	struct net n = { 0 };
	char parts[3][8] = { "one", "two", "three" };
	struct iovec iov[4] = { { parts[0], 3 }, { NULL, 0 }, { parts[1], 3 }, { parts[2], 5 } };
	const struct reeve_sockaddr name = net_name("192.0.2.2", 53);

	net_init(&n);
	struct reeve_udp *const a = socket4(&n, 0);
	struct reeve_udp *const b = socket4(&n, 1);

	assert_int_equal(bind_to(b, "0.0.0.0", 53), 0);
	assert_int_equal(reeve_udp_send(a, &name, NULL, iov, 4), 0);
	/* Nothing is a datagram, too. */
	assert_int_equal(reeve_udp_send(a, &name, NULL, NULL, 0), 0);
	net_settle(&n);
	assert_string_equal(received(b), "onetwothree");
	assert_string_equal(received(b), "");
	assert_null(received(b));
	reeve_udp_consume(b);
	net_deinit(&n);
}

static void test_dual_stack(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_datagram d;

	net_init(&n);
	struct reeve_udp *const both = socket6(&n, 1);
	struct reeve_udp *const four = socket4(&n, 0);
	struct reeve_udp *const six = socket6(&n, 1);

	assert_int_equal(bind_to(both, "::", 53), 0);
	assert_int_equal(send_to(four, "192.0.2.2", 53, "four"), 0);
	assert_int_equal(send_to(six, "::1", 53, "six"), 0);
	net_settle(&n);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(reeve_udp_peek(both, &d));
		const struct reeve_sockaddr back = d.remote;
		const bool ipv4 = reeve_address_is_ipv4(&back.address);
		struct iovec iov = { "back", 4 };

		assert_string_equal(received(both), ipv4 ? "four" : "six");
		assert_int_equal(reeve_udp_send(both, &back, NULL, &iov, 1), 0);
		net_settle(&n);
		assert_string_equal(received(ipv4 ? four : six), "back");
	}
	/* A dual-stack client of an IPv4 server. */
	struct reeve_udp *const client = socket6(&n, 1);

	assert_int_equal(connect_to(client, "192.0.2.1", port_of(four)), 0);
	expect_local(client, "192.0.2.2");
	assert_int_equal(send_to(client, NULL, 0, "hello"), 0);
	net_settle(&n);
	assert_string_equal(received(four), "hello");
	/* And what only speaks IPv6 says so. */
	struct reeve_udp *const only = socket6(&n, 1);

	assert_int_equal(reeve_udp_set(only, REEVE_UDP_IPV6_ONLY, 1), 0);
	assert_int_equal(send_to(only, "192.0.2.1", 53, "x"), -ENETUNREACH);
	assert_int_equal(connect_to(only, "192.0.2.1", 53), -ENETUNREACH);
	assert_int_equal(connect_to(only, "::1", 53), 0);
	/* Bound to one family there is no way to the other. */
	struct reeve_udp *const bound = socket6(&n, 1);

	assert_int_equal(bind_to(bound, "192.0.2.2", 99), 0);
	assert_int_equal(send_to(bound, "::1", 53, "x"), -EAFNOSUPPORT);
	assert_int_equal(connect_to(bound, "::1", 53), -EAFNOSUPPORT);
	assert_int_equal(send_to(bound, "192.0.2.1", port_of(four), "y"), 0);
	net_settle(&n);
	assert_string_equal(received(four), "y");
	net_deinit(&n);
}

/* An IPv6-only socket and an IPv4 one share a port number, and nothing else. */
static void test_two_families_one_port(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const four = socket4(&n, 0);
	struct reeve_udp *const six = socket6(&n, 0);
	struct reeve_udp *const client = socket6(&n, 0);

	assert_int_equal(reeve_udp_set(six, REEVE_UDP_IPV6_ONLY, 1), 0);
	assert_int_equal(bind_to(six, "::", 53), 0);
	assert_int_equal(bind_to(four, "0.0.0.0", 53), 0);
	assert_int_equal(send_to(client, "127.0.0.1", 53, "4"), 0);
	assert_int_equal(send_to(client, "::1", 53, "6"), 0);
	net_settle(&n);
	assert_string_equal(received(four), "4");
	assert_string_equal(received(six), "6");
	assert_null(received(four));
	assert_null(received(six));
	net_deinit(&n);
}

/* To the unspecified address is to the host itself. */
static void test_to_nowhere(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const server = socket6(&n, 0);
	struct reeve_udp *const four = socket4(&n, 0);
	struct reeve_udp *const six = socket6(&n, 0);

	assert_int_equal(bind_to(server, "::", 53), 0);
	assert_int_equal(send_to(four, "0.0.0.0", 53, "4"), 0);
	assert_int_equal(send_to(six, "::", 53, "6"), 0);
	assert_int_equal(send_to(six, "0.0.0.0", 53, "m"), 0);
	net_settle(&n);
	assert_string_equal(received(server), "4");
	assert_string_equal(received(server), "6");
	assert_string_equal(received(server), "m");
	assert_int_equal(connect_to(four, "0.0.0.0", 53), 0);
	expect_local(four, "127.0.0.1");
	net_deinit(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind_errors),
		cmocka_unit_test(test_every_port),
		cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_chosen_port),
		cmocka_unit_test(test_no_port_left),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_disconnect_implicit),
		cmocka_unit_test(test_connect_port_zero),
		cmocka_unit_test(test_send_errors),
		cmocka_unit_test(test_gathered),
		cmocka_unit_test(test_dual_stack),
		cmocka_unit_test(test_two_families_one_port),
		cmocka_unit_test(test_to_nowhere),
	};

	return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
