/* UDP sockets that want more: one interface alone, one datagram of many sends, what ICMP said. */
#include <errno.h>

#include "frames.h"
#include "udp_calls.h"
#include "wire/icmp.h"
#include "wire/udp.h"

static int send_with(struct reeve_udp *udp, const struct reeve_udp_message *m, const char *text)
{
	char bytes[64];
	const struct iovec iov = { bytes, strlen(text) };

	memcpy(bytes, text, iov.iov_len);
	return reeve_udp_send_message(udp, m, &iov, 1);
}

static void test_device(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	const unsigned eth = n.ifaces[1] + 1;
	struct reeve_udp *const to = socket4(&n, 1);
	struct reeve_udp *const any = socket4(&n, 1);

	assert_int_equal(reeve_udp_set(to, REEVE_UDP_DEVICE, 15), -ENODEV);
	assert_int_equal(reeve_udp_set(to, REEVE_UDP_DEVICE, eth), 0);
	assert_int_equal(reeve_udp_set(to, REEVE_UDP_REUSE_ADDRESS, 1), 0);
	assert_int_equal(reeve_udp_set(any, REEVE_UDP_REUSE_ADDRESS, 1), 0);
	assert_int_equal(bind_to(to, "0.0.0.0", 53), 0);
	assert_int_equal(send_to(socket4(&n, 0), "192.0.2.2", 53, "by the link"), 0);
	assert_int_equal(send_to(socket4(&n, 1), "192.0.2.2", 53, "inside"), 0);
	net_settle(&n);
	assert_string_equal(received(to), "by the link");
	assert_null(received(to));
	assert_int_equal(net_drop(n.hosts[1], REEVE_DROP_UDP_NO_PORT), 1);
	/* Who is of the interface comes before who is of any. */
	assert_int_equal(bind_to(any, "0.0.0.0", 53), 0);
	assert_int_equal(send_to(socket4(&n, 0), "192.0.2.2", 53, "link"), 0);
	assert_int_equal(send_to(socket4(&n, 1), "192.0.2.2", 53, "lo"), 0);
	net_settle(&n);
	assert_string_equal(received(to), "link");
	assert_string_equal(received(any), "lo");
	/* By lo nobody elsewhere is reached. */
	assert_int_equal(reeve_udp_set(any, REEVE_UDP_DEVICE, 1), 0);
	assert_int_equal(send_to(any, "192.0.2.1", 53, "x"), 0);
	net_settle(&n);
	assert_int_equal(net_drop(n.hosts[1], REEVE_DROP_IP_NOT_OURS), 1);
	net_deinit(&n);
}

static void test_one_message(void **state)
{
	(void)state;
	struct net n = { 0 };
	const struct reeve_sockaddr to = net_name("192.0.2.2", 53);
	struct reeve_udp_message m = { .to = &to, .ttl = 9, .tos = 8, .more = true };
	struct reeve_datagram d;

	net_init(&n);
	struct reeve_udp *const from = socket4(&n, 0);
	struct reeve_udp *const at = socket4(&n, 1);

	assert_int_equal(bind_to(at, "0.0.0.0", 53), 0);
	assert_int_equal(send_with(from, &m, "one "), 0);
	m.more = false;
	assert_int_equal(send_with(from, &m, "two"), 0);
	net_settle(&n);
	assert_true(reeve_udp_peek(at, &d));
	assert_int_equal(d.ttl, 9);
	assert_int_equal(d.tos, 8);
	assert_string_equal(received(at), "one two");
	assert_int_equal(reeve_udp_set(from, REEVE_UDP_CORK, 1), 0);
	assert_int_equal(send_with(from, &m, "held "), 0);
	assert_int_equal(send_with(from, &m, "back"), 0);
	net_settle(&n);
	assert_null(received(at));
	assert_int_equal(reeve_udp_set(from, REEVE_UDP_CORK, 0), 0);
	net_settle(&n);
	assert_string_equal(received(at), "held back");
	/* Too much is nothing. */
	static char bytes[40000];
	const struct iovec half = { bytes, sizeof(bytes) };

	m.more = true;
	assert_int_equal(reeve_udp_send_message(from, &m, &half, 1), 0);
	assert_int_equal(reeve_udp_send_message(from, &m, &half, 1), -EMSGSIZE);
	m.more = false;
	assert_int_equal(send_with(from, &m, "new"), 0);
	net_settle(&n);
	assert_string_equal(received(at), "new");
	m.dont_route = true;
	assert_int_equal(send_with(from, &m, "near"), 0);
	net_deinit(&n);
}

/* A dead server, twice: as a connected socket hears of it, and as one that asks. */
static void test_problem(void **state)
{
	(void)state;
	struct net n = { 0 };
	struct reeve_udp_problem p;
	char text[REEVE_ADDRESS_TEXT];

	net_init(&n);
	struct reeve_udp *const udp = socket4(&n, 0);

	assert_int_equal(send_to(udp, "192.0.2.2", 53, "unasked"), 0);
	net_settle(&n);
	assert_int_equal(reeve_udp_error(udp), 0);
	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_PROBLEMS, 1), 0);
	assert_int_equal(send_to(udp, "192.0.2.2", 53, "asked"), 0);
	net_settle(&n);
	assert_int_equal(reeve_udp_error(udp), ECONNREFUSED);
	assert_true(reeve_udp_problem(udp, &p));
	assert_int_equal(p.error, ECONNREFUSED);
	assert_false(p.is_local);
	assert_int_equal(p.type, ICMPV4_UNREACHABLE);
	assert_int_equal(p.code, ICMPV4_PORT);
	assert_int_equal(p.remote.port, 53);
	assert_string_equal(reeve_address_format(&p.offender, text), "192.0.2.2");
	assert_int_equal(p.length, 5);
	assert_int_equal(p.iov_count, 1);
	assert_memory_equal(p.iov[0].iov_base, "asked", 5);
	reeve_udp_consume_problem(udp);
	assert_false(reeve_udp_problem(udp, &p));
	/* Too big, and not to be cut. */
	static char bytes[2000];
	const struct iovec iov = { bytes, sizeof(bytes) };
	const struct reeve_sockaddr to = net_name("192.0.2.2", 53);

	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_DONT_FRAGMENT, 1), 0);
	assert_int_equal(reeve_udp_send(udp, &to, NULL, &iov, 1), -EMSGSIZE);
	assert_true(reeve_udp_problem(udp, &p));
	assert_true(p.is_local);
	assert_int_equal(p.info, 1500);
	net_deinit(&n);
}

/* Errors that nobody can have sent, and more of them than are kept. */
static void test_hostile_errors(void **state)
{
	(void)state;
	struct net n = { 0 };
	const struct ipv4_header h = frame_header(1);
	struct ipv4_header quoted = frame_header(17);
	uint8_t frame[2048], icmp[1500], quote[1500];
	struct reeve_udp_problem p;
	unsigned kept = 0;

	net_init(&n);
	frame_introduce(&n);
	struct reeve_udp *const udp = socket4(&n, 0);

	assert_int_equal(bind_to(udp, "0.0.0.0", 1000), 0);
	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_PROBLEMS, 1), 0);
	quoted.source = frame_ipv4("192.0.2.1");
	quoted.destination = frame_ipv4("192.0.2.9");
	quoted.total_length = IPV4_HEADER + UDP_HEADER;
	ipv4_emit(&quoted, quote);
	frame_put_udp(quote + IPV4_HEADER, &quoted, 1000, 53, "", 0);
	/* What is quoted ends anywhere. */
	for (size_t length = 0; length <= IPV4_HEADER + UDP_HEADER; length++) {
		const size_t total = frame_put_icmp(icmp, 3, 3, 0, quote, length);

		net_input(&n, 0, frame, frame_put(frame, &h, icmp, total));
		assert_int_equal(reeve_udp_problem(udp, &p), length == IPV4_HEADER + UDP_HEADER);
	}
	for (unsigned i = 0; i < 1000; i++) {
		const size_t total =
			frame_put_icmp(icmp, 3, 3, 0, quote, IPV4_HEADER + UDP_HEADER + i % 500);

		net_input(&n, 0, frame, frame_put(frame, &h, icmp, total));
	}
	while (reeve_udp_problem(udp, &p)) {
		reeve_udp_consume_problem(udp);
		kept++;
	}
	assert_in_range(kept, 1, 64);
	/* From another socket's datagram, or a later fragment. */
	quoted.fragment_offset = 8;
	ipv4_emit(&quoted, quote);
	net_input(&n, 0, frame,
		  frame_put(frame, &h, icmp,
			    frame_put_icmp(icmp, 3, 3, 0, quote, IPV4_HEADER + UDP_HEADER)));
	assert_false(reeve_udp_problem(udp, &p));
	/* From an address that is not the host's, though the socket is bound to any. */
	quoted.fragment_offset = 0;
	quoted.source = frame_ipv4("192.0.2.77");
	ipv4_emit(&quoted, quote);
	net_input(&n, 0, frame,
		  frame_put(frame, &h, icmp,
			    frame_put_icmp(icmp, 3, 3, 0, quote, IPV4_HEADER + UDP_HEADER)));
	assert_false(reeve_udp_problem(udp, &p));
	net_deinit(&n);
}

/* Its owner was gone already. */
static void test_forsake(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	struct reeve_udp *const gone = socket4(&n, 1);
	struct reeve_udp *const other = socket4(&n, 1);
	struct reeve_udp *const from = socket4(&n, 0);

	assert_int_equal(reeve_udp_set(gone, REEVE_UDP_REUSE_PORT, 1), 0);
	assert_int_equal(reeve_udp_set(other, REEVE_UDP_REUSE_PORT, 1), 0);
	assert_int_equal(bind_to(gone, "192.0.2.2", 53), 0);
	assert_int_equal(connect_to(from, "192.0.2.2", 53), 0);
	assert_int_equal(send_to(from, NULL, 0, "one"), 0);
	net_settle(&n);
	reeve_udp_forsake(gone);
	net_settle(&n);
	assert_int_equal(reeve_udp_error(from), ECONNREFUSED);
	struct reeve_udp *const again = socket4(&n, 1);

	assert_int_equal(reeve_udp_set(again, REEVE_UDP_REUSE_PORT, 1), 0);
	assert_int_equal(bind_to(again, "192.0.2.2", 53), 0);
	assert_int_equal(send_to(from, NULL, 0, "two"), 0);
	net_settle(&n);
	assert_int_equal(bind_to(other, "192.0.2.2", 53), 0);
	reeve_udp_forsake(again);
	net_settle(&n);
	assert_string_equal(received(other), "two");
	net_deinit(&n);
}

static void test_echo(void **state)
{
	static const char request[] = "\x08\0\xff\xff\x99\x99\0\x07payload";
	char bytes[sizeof(request) - 1];
	const struct iovec iov = { bytes, sizeof(bytes) };
	const struct reeve_sockaddr to = net_name("192.0.2.2", 0);
	const struct reeve_sockaddr none = net_name("192.0.2.77", 0);
	struct reeve_datagram d;
	struct reeve_udp_problem p;
	uint8_t got[64] = { 0 };

	(void)state;
	struct net n = { 0 };

	net_init(&n);
	memcpy(bytes, request, sizeof(bytes));
	struct reeve_udp *const echo = reeve_udp_new_echo(n.hosts[0], NULL);
	struct reeve_udp *const other = reeve_udp_new_echo(n.hosts[0], NULL);

	assert_non_null(echo);
	assert_int_equal(bind_to(echo, "0.0.0.0", 77), 0);
	assert_int_equal(reeve_udp_send(echo, &to, NULL, &iov, 1), 0);
	net_settle(&n);
	assert_true(reeve_udp_peek(echo, &d));
	assert_int_equal(d.length, sizeof(bytes));
	assert_int_equal(d.remote.port, 0);
	size_t have = 0;

	for (size_t i = 0; i < d.iov_count; i++) {
		memcpy(got + have, d.iov[i].iov_base, d.iov[i].iov_len);
		have += d.iov[i].iov_len;
	}
	assert_int_equal(got[0], ICMPV4_ECHO_REPLY);
	assert_int_equal(got[4] << 8 | got[5], 77);
	assert_memory_equal(got + 6, "\0\x07payload", 9);
	reeve_udp_consume(echo);
	assert_false(reeve_udp_peek(echo, &d));
	/* Nothing but a request, and that whole. */
	bytes[0] = 0;
	assert_int_equal(reeve_udp_send(echo, &to, NULL, &iov, 1), -EINVAL);
	bytes[0] = 8;
	const struct iovec shorter = { bytes, 7 };

	assert_int_equal(reeve_udp_send(echo, &to, NULL, &shorter, 1), -EINVAL);
	assert_int_equal(reeve_udp_send(echo, NULL, NULL, &iov, 1), -EDESTADDRREQ);
	/* Nobody there. */
	assert_int_equal(reeve_udp_set(echo, REEVE_UDP_PROBLEMS, 1), 0);
	assert_int_equal(reeve_udp_send(echo, &none, NULL, &iov, 1), 0);
	net_pass_ms(&n, 5000);
	assert_true(reeve_udp_problem(echo, &p));
	assert_int_equal(p.error, EHOSTUNREACH);
	assert_int_equal(p.length, sizeof(bytes));
	assert_int_equal(reeve_udp_error(echo), EHOSTUNREACH);
	/* Of any size. */
	static uint8_t large[65515] = { ICMPV4_ECHO_REQUEST };

	for (size_t size = ICMP_HEADER; size <= sizeof(large); size = size * 3 / 2 + 1) {
		const struct iovec all = { large, size };

		assert_int_equal(reeve_udp_send(echo, &to, NULL, &all, 1), 0);
		net_settle(&n);
		assert_true(reeve_udp_peek(echo, &d));
		assert_int_equal(d.length, size);
		reeve_udp_consume(echo);
	}
	/* Without a port of its own it gets one. */
	assert_int_equal(reeve_udp_connect(other, &to), 0);
	assert_int_equal(reeve_udp_send(other, NULL, NULL, &iov, 1), 0);
	net_settle(&n);
	assert_true(reeve_udp_peek(other, &d));
	net_deinit(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device),  cmocka_unit_test(test_one_message),
		cmocka_unit_test(test_problem), cmocka_unit_test(test_hostile_errors),
		cmocka_unit_test(test_forsake), cmocka_unit_test(test_echo),
	};

	return cmocka_run_group_tests_name("udp_more", tests, NULL, NULL);
}
