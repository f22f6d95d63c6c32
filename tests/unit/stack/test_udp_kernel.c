/*
 * UDP against the kernel: the same random calls on real sockets over loopback and on a host's. Both
 * must give the same errno, the same names and the same datagrams to the same sockets.
 *
 * The kernel's side runs in a network namespace of its own, if one can be had, so that nobody
 * else's ports are in the way; without one it uses the machine's loopback, and rare ports.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "own_kernel.h"
#include "seed.h"

#include "base/check.h"

#define SOCKETS 8
#define ROUNDS  400
#define CALLS   60

static const char *const addresses4[] = { "0.0.0.0", "127.0.0.1", "127.0.0.2" };
static const char *const addresses6[] = { "::", "::1", "::ffff:0.0.0.0", "::ffff:127.0.0.1",
					  "::ffff:127.0.0.2" };

/* One socket, here and there. */
struct pair {
	struct reeve_udp *udp;
	int fd;
	bool ipv6;
	bool halfway; /* bound to an address and port 0 */
};

static uint16_t first_port;
static bool have_ipv6;
static bool verbose; /* REEVE_VERBOSE: prints the calls */

static int setup_kernel(void **state)
{
	(void)state;
	enter_own_network();
	verbose = getenv("REEVE_VERBOSE") != NULL;
	const int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };

	have_ipv6 = fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0;
	close(fd);
	first_port = (uint16_t)(20000 + getpid() % 3000 * 4);
	return 0;
}

/* The same name for both. */
static socklen_t make_names(const struct pair *p, const char *address, uint16_t port, union name *n,
			    struct reeve_sockaddr *ret)
{
	*ret = net_name(address, port);
	return make_name(n, p->ipv6, address, port);
}

static struct reeve_sockaddr from_kernel(const union name *n)
{
	struct reeve_sockaddr s = { 0 };

	if (n->any.sa_family == AF_INET6) {
		memcpy(s.address.bytes, &n->ipv6.sin6_addr, 16);
		s.port = ntohs(n->ipv6.sin6_port);
	} else {
		s.address = reeve_address_from_ipv4(ntohl(n->ipv4.sin_addr.s_addr));
		s.port = ntohs(n->ipv4.sin_port);
	}
	return s;
}

static void set_both(const struct pair *p, int option, int level, enum reeve_udp_option ours,
		     int value)
{
	const int there = setsockopt(p->fd, level, option, &value, sizeof(value)) ? -errno : 0;

	assert_int_equal(reeve_udp_set(p->udp, ours, value), there);
}

static void open_pair(const struct net *n, struct random *r, struct pair *p)
{
	p->ipv6 = have_ipv6 && random_below(r, 2);
	p->halfway = false;
	p->fd = socket(p->ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	p->udp = reeve_udp_new(n->hosts[0], p->ipv6 ? REEVE_IPV6 : REEVE_IPV4, NULL);
	assert_true(p->fd >= 0 && p->udp);
	/* Not SO_REUSEPORT: whose turn it is is a hash's to say, and the hashes differ. */
	if (!p->ipv6)
		set_both(p, SO_REUSEADDR, SOL_SOCKET, REEVE_UDP_REUSE_ADDRESS,
			 random_below(r, 4) == 0);
	if (p->ipv6)
		set_both(p, IPV6_V6ONLY, IPPROTO_IPV6, REEVE_UDP_IPV6_ONLY,
			 random_below(r, 3) == 0);
}

static void close_pair(struct pair *p)
{
	if (!p->udp)
		return;
	close(p->fd);
	reeve_udp_close(p->udp);
	p->udp = NULL;
}

/* A port that nobody named is the system's own choice, and so another here than there. */
static bool is_named(uint16_t port)
{
	return port >= first_port && port < first_port + 4;
}

static void expect_same_name(const struct reeve_sockaddr *here, const struct reeve_sockaddr *there)
{
	char text[2][REEVE_SOCKADDR_TEXT];

	if (is_named(here->port) || is_named(there->port) || !here->port || !there->port) {
		assert_string_equal(reeve_sockaddr_format(here, text[0]),
				    reeve_sockaddr_format(there, text[1]));
		return;
	}
	assert_string_equal(reeve_address_format(&here->address, text[0]),
			    reeve_address_format(&there->address, text[1]));
}

static void compare_names(const struct pair *p)
{
	union name n = { 0 };
	socklen_t length = sizeof(n);
	struct reeve_sockaddr here;
	struct reeve_sockaddr there;

	assert_int_equal(getsockname(p->fd, &n.any, &length), 0);
	there = from_kernel(&n);
	assert_int_equal(reeve_udp_local(p->udp, &here), 0);
	expect_same_name(&here, &there);
	length = sizeof(n);
	const int error = getpeername(p->fd, &n.any, &length) ? -errno : 0;

	assert_int_equal(reeve_udp_remote(p->udp, &here), error);
	if (error)
		return;
	there = from_kernel(&n);
	expect_same_name(&here, &there);
}

/* What has come for the socket is the same; a pending error too. */
static void compare_received(const struct pair *p)
{
	char bytes[64];
	union name n = { 0 };
	int error = 0;
	socklen_t length = sizeof(error);

	assert_int_equal(getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	assert_int_equal(reeve_udp_error(p->udp), error);
	for (;;) {
		struct reeve_datagram d;

		length = sizeof(n);
		const ssize_t got = recvfrom(p->fd, bytes, sizeof(bytes), 0, &n.any, &length);
		const bool have = reeve_udp_peek(p->udp, &d);

		assert_int_equal(have, got >= 0);
		if (!have)
			return;
		assert_int_equal(d.length, got);
		assert_memory_equal(d.iov[0].iov_base, bytes, (size_t)got);
		const struct reeve_sockaddr there = from_kernel(&n);

		expect_same_name(&d.remote, &there);
		reeve_udp_consume(p->udp);
	}
}

static void send_both(const struct pair *p, const char *address, uint16_t port, unsigned number)
{
	char text[32];
	union name n = { 0 };
	struct reeve_sockaddr ours;
	const int length = snprintf(text, sizeof(text), "datagram %u", number);
	struct iovec iov = { text, (size_t)length };
	const socklen_t size = address ? make_names(p, address, port, &n, &ours) : 0;
	const ssize_t sent = sendto(p->fd, text, (size_t)length, 0, address ? &n.any : NULL, size);
	const int there = sent < 0 ? -errno : 0;

	assert_int_equal(reeve_udp_send(p->udp, address ? &ours : NULL, NULL, &iov, 1), there);
}

static void print_call(const char *call, const struct pair *p, const struct reeve_sockaddr *name,
		       int there)
{
	char text[REEVE_SOCKADDR_TEXT];

	if (verbose)
		print_message("# %d %s %s: %d\n", p->fd, call, reeve_sockaddr_format(name, text),
			      there);
}

static void one_call(struct pair *p, struct random *r, unsigned number)
{
	const char *const address = p->ipv6 ? addresses6[random_below(r, array_length(addresses6))]
					    : addresses4[random_below(r, array_length(addresses4))];
	const uint16_t port = (uint16_t)(random_below(r, 6) ? first_port + random_below(r, 4) : 0);
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	union name n = { 0 };
	struct reeve_sockaddr ours;
	const socklen_t length = make_names(p, address, port, &n, &ours);
	int there;

	switch (random_below(r, 8)) {
	case 0:
	case 1:
		there = bind(p->fd, &n.any, length) ? -errno : 0;
		print_call("bind", p, &ours, there);
		assert_int_equal(reeve_udp_bind(p->udp, &ours), there);
		if (there == 0 && port == 0)
			p->halfway = true;
		return;
	case 2:
		/* The kernel takes a peer's port 0 for any port, and does not quite forget an
		 * earlier peer of an IPv6 socket; we do neither. */
		if (port == 0 || (p->ipv6 && reeve_udp_remote(p->udp, &ours) == 0))
			return;
		there = connect(p->fd, &n.any, length) ? -errno : 0;
		print_call("connect", p, &ours, there);
		assert_int_equal(reeve_udp_connect(p->udp, &ours), there);
		return;
	case 3:
		/* The same: it would stay deaf to all others. And an address that bind gave with
		 * port 0 has after-effects there, whatever it is bound to next. */
		if (p->ipv6 || p->halfway)
			return;
		assert_int_equal(connect(p->fd, &nobody, sizeof(nobody)), 0);
		print_call("disconnect", p, &ours, 0);
		assert_int_equal(reeve_udp_connect(p->udp, NULL), 0);
		return;
	case 4:
		print_call("send", p, &ours, 0);
		send_both(p, NULL, 0, number);
		return;
	default:
		print_call("sendto", p, &ours, 0);
		send_both(p, address, port, number);
		return;
	}
}

static void test_random_calls(void **state)
{
	struct random r = seeded(60);

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct net n = { 0 };
		struct pair pairs[SOCKETS] = { 0 };

		net_init(&n);
		net_settle(&n);
		for (unsigned i = 0; i < CALLS; i++) {
			struct pair *const p = &pairs[random_below(&r, SOCKETS)];

			if (!p->udp)
				open_pair(&n, &r, p);
			else if (random_below(&r, 12) == 0)
				close_pair(p);
			else
				one_call(p, &r, i);
			net_settle(&n);
			for (unsigned k = 0; k < SOCKETS; k++) {
				if (!pairs[k].udp)
					continue;
				compare_received(&pairs[k]);
				compare_names(&pairs[k]);
			}
		}
		for (unsigned k = 0; k < SOCKETS; k++)
			close_pair(&pairs[k]);
		net_deinit(&n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_calls),
	};

	return cmocka_run_group_tests_name("udp_kernel", tests, setup_kernel, NULL);
}
