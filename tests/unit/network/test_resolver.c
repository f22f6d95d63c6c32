/*
 * The name server: what it answers to a message, and that a program reaches it by whatever address
 * its resolver has, over UDP and TCP, but not where a host of the network or a program of its own
 * host is the one that is asked.
 */
#include "network/dns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "network/host.h"
#include "rig.h"
#include "wire/dns.h"

struct asked {
	struct dns_header header;
	struct dns_record first; /* the first record behind the question, if there is one */
	uint8_t bytes[2048];
	size_t length;
};

static int set_up(void **state)
{
	struct rig *rig = rig_new();
	struct network_host *host;

	assert_int_equal(host_add(&rig->network, "web", NULL, &host), HOST_OK);
	host->is_explicit = true;
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

static size_t make_query(void *bytes, const char *name, uint16_t type, bool edns)
{
	struct dns_writer w = { .bytes = bytes, .size = 512 };
	const struct dns_header h = {
		.id = 0x1234, .flags = DNS_RECURSION_DESIRED, .questions = 1, .additionals = edns
	};
	struct dns_question q = { .type = type, .class = DNS_IN };

	assert_true(dns_name_from_text(name, &q.name));
	dns_write_header(&w, &h);
	dns_write_question(&w, &q);
	if (edns)
		dns_write_record(&w, &(struct dns_record){ .name = { .length = 1 },
							   .type = DNS_OPT,
							   .class = 4096 });
	return w.length;
}

/* Every answer is a good message: each record that it counts is there. */
static void read_answer(struct asked *a)
{
	struct dns_reader r = dns_reader_over(a->bytes, a->length);
	struct dns_question q;
	struct dns_record record;
	unsigned records;

	assert_true(dns_read_header(&r, &a->header));
	assert_int_equal(a->header.id, 0x1234);
	assert_true(a->header.flags & DNS_RESPONSE);
	for (unsigned i = 0; i < a->header.questions; i++)
		assert_true(dns_read_question(&r, &q));
	records = a->header.answers + a->header.authorities + a->header.additionals;
	for (unsigned i = 0; i < records; i++) {
		assert_true(dns_read_record(&r, &record));
		if (i == 0)
			a->first = record;
	}
	assert_int_equal(cursor_left(&r.cursor), 0);
}

static struct asked *ask(struct rig *rig, const char *name, uint16_t type, bool edns)
{
	static struct asked a;
	uint8_t query[512];

	a.length = dns_answer(&rig->network, query, make_query(query, name, type, edns), a.bytes,
			      sizeof(a.bytes));
	read_answer(&a);
	return &a;
}

static unsigned rcode(const struct asked *a)
{
	return a->header.flags & 15;
}

static void test_hosts(void **state)
{
	static const char *const names[] = { "web", "WEB", "wEb." };

	for (size_t i = 0; i < 3; i++) {
		const struct asked *a = ask(*state, names[i], DNS_A, i == 0);

		assert_int_equal(rcode(a), DNS_NOERROR);
		assert_int_equal(a->header.answers, 1);
		assert_int_equal(a->first.type, DNS_A);
		assert_memory_equal(a->first.data, "\xc6\x12\0\2", 4);
		assert_in_range(a->first.ttl_s, 1, 60);
		assert_int_equal(a->header.additionals, i == 0);
	}
	/* There is one, but not of that family: no error, and how long to remember that. */
	const struct asked *a = ask(*state, "web", DNS_AAAA, true);

	assert_int_equal(rcode(a), DNS_NOERROR);
	assert_int_equal(a->header.answers, 0);
	assert_int_equal(a->header.authorities, 1);
	assert_int_equal(a->first.type, DNS_SOA);
	a = ask(*state, "2.0.18.198.in-addr.arpa", DNS_PTR, false);
	assert_int_equal(a->header.answers, 1);
	assert_memory_equal(a->first.data, "\3web", 5);
	a = ask(*state, "gateway", DNS_A, false);
	assert_memory_equal(a->first.data, "\xc6\x12\0\1", 4);
	a = ask(*state, "localhost", DNS_A, false);
	assert_memory_equal(a->first.data, "\x7f\0\0\1", 4);
}

static void test_no_such_name(void **state)
{
	static const char *const names[] = { "nobody",
					     "web.example",
					     "www.web",
					     "",
					     "9.0.18.198.in-addr.arpa",
					     "1.2.0.192.in-addr.arpa" };

	for (size_t i = 0; i < 6; i++) {
		const struct asked *a = ask(*state, names[i], DNS_A, i % 2);

		assert_int_equal(rcode(a), DNS_NXDOMAIN);
		assert_int_equal(a->header.answers, 0);
		assert_int_equal(a->first.type, DNS_SOA);
		assert_in_range(a->first.ttl_s, 0, 5);
	}
}

static void test_odd_queries(void **state)
{
	struct rig *rig = *state;
	static struct asked a;
	uint8_t query[512];
	size_t length = make_query(query, "web", DNS_A, true);

	/* Another operation, another class, another version of EDNS, a broken question. */
	query[2] |= 2 << 3;
	a.length = dns_answer(&rig->network, query, length, a.bytes, sizeof(a.bytes));
	read_answer(&a);
	assert_int_equal(rcode(&a), DNS_NOTIMP);
	length = make_query(query, "web", DNS_A, true);
	query[DNS_HEADER_LENGTH + 5 + 3] = 3;
	a.length = dns_answer(&rig->network, query, length, a.bytes, sizeof(a.bytes));
	read_answer(&a);
	assert_int_equal(rcode(&a), DNS_REFUSED);
	length = make_query(query, "web", DNS_A, true);
	query[length - 5] = 1;
	a.length = dns_answer(&rig->network, query, length, a.bytes, sizeof(a.bytes));
	read_answer(&a);
	assert_int_equal(rcode(&a) | a.first.ttl_s >> 24 << 4, DNS_BADVERS);
	a.length = dns_answer(&rig->network, query, length - 1, a.bytes, sizeof(a.bytes));
	read_answer(&a);
	assert_int_equal(rcode(&a), DNS_FORMERR);
	assert_int_equal(dns_answer(&rig->network, query, 11, a.bytes, sizeof(a.bytes)), 0);
}

/* An answer that does not fit says so, and has nothing but its header. */
static void test_truncation(void **state)
{
	struct rig *rig = *state;
	static struct asked a;
	uint8_t query[512];
	const size_t length = make_query(query, "web", DNS_A, false);
	const size_t whole = dns_answer(&rig->network, query, length, a.bytes, sizeof(a.bytes));

	for (size_t size = 0; size < whole; size++) {
		memset(a.bytes, 0xee, sizeof(a.bytes));
		a.length = dns_answer(&rig->network, query, length, a.bytes, size);
		assert_int_equal(a.length, size < DNS_HEADER_LENGTH ? 0 : DNS_HEADER_LENGTH);
		for (size_t i = size; i < whole; i++)
			assert_int_equal(a.bytes[i], 0xee);
		if (a.length == 0)
			continue;
		read_answer(&a);
		assert_true(a.header.flags & DNS_TRUNCATED);
	}
}

static struct reeve_sockaddr server_at(const char *text)
{
	struct reeve_sockaddr s = { .port = 53 };

	assert_int_equal(reeve_address_parse(text, &s.address), 0);
	return s;
}

/* By UDP, as a program does it: its socket's answers are asked for by message. */
static bool is_answered(struct rig_session *s, const char *server)
{
	struct guest_message m = { .type = GUEST_CONNECT,
				   .socket = ++s->socket,
				   .flags = GUEST_UDP };
	uint8_t query[512];
	struct asked a;
	int ends[2];

	const struct reeve_sockaddr name = server_at(server);

	m.remote = name;
	if (rig_call(s, m).error)
		return false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	m = (struct guest_message){ .type = GUEST_ATTACH, .socket = s->socket };
	rig_send(s, &m, NULL, 0, ends[1]);
	close(ends[1]);
	assert_true(send(ends[0], query, make_query(query, "web", DNS_A, true), 0) > 0);
	m = rig_receive(s, NULL, 0);
	if (m.type == GUEST_DATAGRAM) {
		/* From the address that was asked, whoever has answered. */
		assert_true(reeve_address_equal(&m.remote.address, &name.address));
		a.length = (size_t)recv(ends[0], a.bytes, sizeof(a.bytes), 0);
		read_answer(&a);
		assert_int_equal(a.header.answers, 1);
	} else {
		assert_int_equal(m.type, GUEST_SOCKET_ERROR);
		assert_int_equal(m.error, ECONNREFUSED);
	}
	const bool answered = m.type == GUEST_DATAGRAM;

	close(ends[0]);
	m = (struct guest_message){ .type = GUEST_CLOSE, .socket = s->socket };
	rig_send(s, &m, NULL, 0, -1);
	return answered;
}

static void test_any_server(void **state)
{
	struct rig_session s;

	rig_join(*state, &s, "client");
	assert_true(is_answered(&s, "192.0.2.53"));
	assert_true(is_answered(&s, "203.0.113.9"));
	assert_true(is_answered(&s, "127.0.0.1"));
	assert_true(is_answered(&s, "127.0.0.53"));
	assert_true(is_answered(&s, "198.18.0.1"));
	/* A host of the network is asked itself. */
	assert_false(is_answered(&s, "198.18.0.2"));
	close(s.fd);
	rig_settle(*state);
}

/* A program that listens at its host's port 53 is the one that is asked there. */
static void test_own_server(void **state)
{
	struct guest_message m = { .type = GUEST_BIND, .socket = 1, .flags = GUEST_UDP };
	struct rig_session s;
	int ends[2];
	char got[512];

	rig_join(*state, &s, "client");
	m.local = server_at("127.0.0.1");
	assert_int_equal(rig_call(&s, m).error, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	m = (struct guest_message){ .type = GUEST_ATTACH, .socket = 1 };
	rig_send(&s, &m, NULL, 0, ends[1]);
	close(ends[1]);
	m = (struct guest_message){ .type = GUEST_SEND, .socket = 2, .flags = GUEST_UDP };
	m.remote = server_at("127.0.0.1");
	rig_send(&s, &m, "question", 8, -1);
	m = rig_receive(&s, NULL, 0);
	assert_int_equal(m.type, GUEST_DATAGRAM);
	assert_int_equal(m.socket, 1);
	assert_int_equal(recv(ends[0], got, sizeof(got), 0), 8);
	close(ends[0]);
	close(s.fd);
	rig_settle(*state);
}

static int connect_stream(struct rig_session *s, const char *server)
{
	struct guest_message m = { .type = GUEST_CONNECT, .socket = ++s->socket };
	int ends[2];

	m.remote = server_at(server);
	assert_int_equal(rig_call(s, m).error, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	m = (struct guest_message){ .type = GUEST_ATTACH, .socket = s->socket };
	rig_send(s, &m, NULL, 0, ends[1]);
	close(ends[1]);
	return ends[0];
}

/* RFC 7766: two queries in one piece, then one byte by byte; each is answered. */
static void test_stream(void **state)
{
	struct rig *rig = *state;
	struct rig_session s;
	uint8_t queries[2 * 514], prefix[2];
	struct asked a;
	size_t length;
	int fd;

	rig_join(rig, &s, "client");
	fd = connect_stream(&s, "192.0.2.53");
	length = make_query(queries + 2, "web", DNS_A, true);
	store_be16(queries, (uint16_t)length);
	length += 2;
	memcpy(queries + length, queries, length);
	assert_true(rig_write(rig, fd, queries, 2 * length));
	for (size_t i = 0; i < length; i++) {
		assert_true(rig_write(rig, fd, queries + i, 1));
		rig_settle(rig);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rig_read(rig, fd, prefix, 1), 1);
		assert_int_equal(rig_read(rig, fd, prefix + 1, 1), 1);
		a.length = load_be16(prefix);
		assert_in_range(a.length, DNS_HEADER_LENGTH, sizeof(a.bytes));
		for (size_t at = 0; at < a.length; at++)
			assert_int_equal(rig_read(rig, fd, a.bytes + at, 1), 1);
		read_answer(&a);
		assert_int_equal(a.header.answers, 1);
	}
	close(fd);
	close(s.fd);
	rig_settle(rig);
}

/* A length that no query has: the connection ends. */
static void test_stream_nonsense(void **state)
{
	struct rig *rig = *state;
	struct rig_session s;
	int fd;

	rig_join(rig, &s, "client");
	fd = connect_stream(&s, "127.0.0.53");
	assert_true(rig_write(rig, fd, "\xff\xff", 2));
	assert_int_equal(rig_receive(&s, NULL, 0).type, GUEST_RESET);
	close(fd);
	close(s.fd);
	rig_settle(rig);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_hosts),      CASE(test_no_such_name),    CASE(test_odd_queries),
		CASE(test_truncation), CASE(test_any_server),      CASE(test_own_server),
		CASE(test_stream),     CASE(test_stream_nonsense),
	};

	return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
