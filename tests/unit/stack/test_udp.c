/* UDP sockets: the calls and their errnos, who receives what, and how much is kept. Hazards 20, 26. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "seed.h"
#include "stack/host_private.h"
#include "stack/ip.h"
#include "stack/udp_private.h"

static int bind_to(struct reeve_udp *udp, const char *address, uint16_t port)
{
	const struct reeve_sockaddr name = net_name(address, port);

	return reeve_udp_bind(udp, &name);
}

static int connect_to(struct reeve_udp *udp, const char *address, uint16_t port)
{
	const struct reeve_sockaddr name = net_name(address, port);

	return reeve_udp_connect(udp, &name);
}

static int send_to(struct reeve_udp *udp, const char *address, uint16_t port, const char *text)
{
	char bytes[64];
	struct iovec iov = { bytes, strlen(text) };

	memcpy(bytes, text, iov.iov_len);
	if (!address)
		return reeve_udp_send(udp, NULL, NULL, &iov, 1);
	const struct reeve_sockaddr name = net_name(address, port);

	return reeve_udp_send(udp, &name, NULL, &iov, 1);
}

/* What has come, or NULL; consumed. */
static const char *received(struct reeve_udp *udp)
{
	static char text[64];
	struct reeve_datagram d;

	if (!reeve_udp_peek(udp, &d))
		return NULL;
	assert_true(d.length < sizeof(text) && d.iov_count <= 1);
	if (d.iov_count)
		memcpy(text, d.iov[0].iov_base, d.length);
	text[d.length] = '\0';
	reeve_udp_consume(udp);
	return text;
}

static struct reeve_udp *socket4(const struct net *n, unsigned host)
{
	struct reeve_udp *const udp = reeve_udp_new(n->hosts[host], REEVE_IPV4, NULL);

	assert_non_null(udp);
	return udp;
}

static struct reeve_udp *socket6(const struct net *n, unsigned host)
{
	struct reeve_udp *const udp = reeve_udp_new(n->hosts[host], REEVE_IPV6, NULL);

	assert_non_null(udp);
	return udp;
}

static uint16_t port_of(struct reeve_udp *udp)
{
	struct reeve_sockaddr name;

	assert_int_equal(reeve_udp_local(udp, &name), 0);
	return name.port;
}

static void expect_local(struct reeve_udp *udp, const char *address)
{
	struct reeve_sockaddr name;
	char text[REEVE_ADDRESS_TEXT];

	assert_int_equal(reeve_udp_local(udp, &name), 0);
	assert_string_equal(reeve_address_format(&name.address, text), address);
}

static void test_bind_errors(void **state)
{
	static const struct {
		enum reeve_family family;
		const char *address;
		int error;
	} cases[] = {
		{ REEVE_IPV4, "0.0.0.0", 0 },
		{ REEVE_IPV4, "127.0.0.1", 0 },
		{ REEVE_IPV4, "127.7.7.7", 0 },
		{ REEVE_IPV4, "192.0.2.1", 0 },
		{ REEVE_IPV4, "192.0.2.255", 0 },
		{ REEVE_IPV4, "255.255.255.255", 0 },
		{ REEVE_IPV4, "224.0.0.251", 0 },
		{ REEVE_IPV4, "192.0.2.2", -EADDRNOTAVAIL },
		{ REEVE_IPV4, "198.51.100.1", -EADDRNOTAVAIL },
		{ REEVE_IPV4, "::", -EAFNOSUPPORT },
		{ REEVE_IPV4, "::1", -EAFNOSUPPORT },
		{ REEVE_IPV6, "::", 0 },
		{ REEVE_IPV6, "::1", 0 },
		{ REEVE_IPV6, "0.0.0.0", 0 },
		{ REEVE_IPV6, "192.0.2.1", 0 },
		{ REEVE_IPV6, "127.0.0.1", 0 },
		{ REEVE_IPV6, "192.0.2.2", -EADDRNOTAVAIL },
		{ REEVE_IPV6, "2001:db8::1", -EADDRNOTAVAIL },
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

	net_init(&n);
	struct reeve_udp *const a = socket4(&n, 0);
	struct reeve_udp *const b = socket4(&n, 0);

	assert_int_equal(connect_to(a, "192.0.2.2", 0), 0);
	expect_local(a, "192.0.2.1");
	assert_int_equal(connect_to(b, "192.0.2.2", 0), 0);
	assert_int_equal(send_to(a, NULL, 0, "x"), -EINVAL);
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
	assert_int_equal(reeve_udp_send(a, &peer, &foreign, iov, 1), -EADDRNOTAVAIL);
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
	assert_int_equal(send_to(bound, "::1", 53, "x"), -ENETUNREACH);
	assert_int_equal(connect_to(bound, "::1", 53), -ENETUNREACH);
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
	for (uint16_t port = 1000; port < 1000 + UDP_INTERCEPTS - 3; port++)
		assert_int_equal(reeve_udp_intercept(n.hosts[1], NULL, port, NULL, &extra), 0);
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

	return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
