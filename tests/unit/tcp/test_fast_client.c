/* The client of Fast Open (RFC 7413): what it remembers of whom, for how long, and of how many. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>

static const char question[] = "GET / HTTP/1.0\r\n\r\n";
#define LENGTH (sizeof(question) - 1)

/* A connection's other end, at any address. */
struct far {
	struct rig *r;
	char address[REEVE_ADDRESS_TEXT];
	struct reeve_tcp *tcp;
	struct rig_segment *syn;
};

/* Connects to 192.0.2.`last`, and writes; what it sends, if anything, is in `syn`. */
static struct far open_fast(struct rig *r, unsigned last, uint16_t port, const char *from)
{
	struct far f = { .r = r };

	snprintf(f.address, sizeof(f.address), "192.0.2.%u", last);

	const struct reeve_sockaddr to = rig_name(f.address, port);

	f.tcp = reeve_tcp_new(r->host, REEVE_IPV4, NULL);
	assert_non_null(f.tcp);
	if (from) {
		const struct reeve_sockaddr local = rig_name(from, 0);

		assert_int_equal(reeve_tcp_bind(f.tcp, &local), 0);
	}
	assert_int_equal(reeve_tcp_set(f.tcp, REEVE_TCP_FAST_OPEN_CONNECT, 1), 0);
	assert_int_equal(reeve_tcp_connect(f.tcp, &to, r->now), 0);
	assert_true(reeve_tcp_write(f.tcp, question, LENGTH) >= 0);
	f.syn = rig_take(r);
	assert_int_equal(f.syn->h.flags, TCP_SYN);
	return f;
}

/* SYN and ACK, of so much of the data; the connection is ended then. */
static void answer(struct far *f, size_t taken, uint16_t mss, unsigned cookie)
{
	uint8_t bytes[TCP_HEADER_MAX];
	struct tcp_header h = {
		.source_port = f->syn->h.destination_port,
		.destination_port = f->syn->h.source_port,
		.sequence = 7000,
		.acknowledgment = f->syn->h.sequence + 1 + (uint32_t)taken,
		.flags = TCP_SYN | TCP_ACK,
		.window = 10000,
	};

	h.options.mss = mss;
	if (cookie)
		h.options.fast_open = (struct tcp_fast_open){
			true, 4, { (uint8_t)(cookie >> 8), (uint8_t)cookie, 1, 2 }
		};
	tcp_header_emit(&h, bytes);
	rig_input_bytes(f->r, bytes, tcp_header_size(&h), f->address);
	assert_int_equal(reeve_tcp_state(f->tcp), REEVE_TCP_ESTABLISHED);
	reeve_tcp_abort(f->tcp);
	rig_discard(f->r);
}

static void leave(struct far *f)
{
	reeve_tcp_close(f->tcp);
	rig_discard(f->r);
}

enum asks { NOTHING, A_COOKIE, DATA };

/* What a connection to there begins with. */
static enum asks begins_with(struct rig *r, unsigned last, uint16_t port, const char *from)
{
	struct far f = open_fast(r, last, port, from);
	const struct tcp_fast_open *const o = &f.syn->h.options.fast_open;
	const enum asks what = !o->is_there ? NOTHING : o->length == 0 ? A_COOKIE : DATA;

	assert_int_equal(f.syn->length, what == DATA ? LENGTH : 0);
	leave(&f);
	return what;
}

static void get_cookie(struct rig *r, unsigned last, uint16_t port)
{
	struct far f = open_fast(r, last, port, NULL);

	answer(&f, f.syn->length, 1460, 0x100 + last);
}

/* RFC 7413, 4.1.3: for each pair of addresses, and all ports. */
static void test_cookie_is_of_both_addresses(void **state)
{
	struct rig r = { 0 };
	struct reeve_prefix second;

	(void)state;
	rig_init(&r);
	assert_int_equal(reeve_prefix_parse("192.0.2.77/24", &second), 0);
	assert_int_equal(reeve_host_add_address(r.host, r.iface, &second), 0);
	get_cookie(&r, 2, 80);
	assert_int_equal(begins_with(&r, 2, 80, NULL), DATA);
	assert_int_equal(begins_with(&r, 2, 443, NULL), DATA);
	assert_int_equal(begins_with(&r, 3, 80, NULL), A_COOKIE);
	assert_int_equal(begins_with(&r, 2, 80, "192.0.2.77"), A_COOKIE);
	rig_deinit(&r);
}

/* The one that was used least recently makes room. */
static void test_notes_are_bounded(void **state)
{
	struct rig r = { 0 };

	(void)state;
	rig_init(&r);
	for (unsigned i = 0; i < TCP_FAST_NOTES; i++) {
		get_cookie(&r, 10 + i, 80);
		rig_pass_ms(&r, 10);
	}
	assert_int_equal(begins_with(&r, 10, 80, NULL), DATA); /* and is used by that */
	rig_pass_ms(&r, 10);
	get_cookie(&r, 200, 80);
	assert_int_equal(begins_with(&r, 11, 80, NULL), A_COOKIE);
	for (unsigned i = 0; i < TCP_FAST_NOTES; i++)
		if (i != 1)
			assert_int_equal(begins_with(&r, 10 + i, 80, NULL), DATA);
	assert_int_equal(begins_with(&r, 200, 80, NULL), DATA);
	rig_deinit(&r);
}

/* RFC 7413, 4.1.3.1: an answer without the data silences its port, for a minute, then for two; others
 * of the peer's not, and a success ends it. */
static void test_silence_is_of_a_port(void **state)
{
	struct rig r = { 0 };
	struct far f;

	(void)state;
	rig_init(&r);
	get_cookie(&r, 2, 80);
	f = open_fast(&r, 2, 81, NULL);
	answer(&f, 0, 1460, 0);
	assert_int_equal(begins_with(&r, 2, 81, NULL), NOTHING);
	assert_int_equal(begins_with(&r, 2, 80, NULL), DATA);
	rig_pass_ms(&r, 61000);
	f = open_fast(&r, 2, 81, NULL);
	assert_int_equal(f.syn->length, LENGTH);
	answer(&f, 0, 1460, 0);
	rig_pass_ms(&r, 61000);
	assert_int_equal(begins_with(&r, 2, 81, NULL), NOTHING);
	rig_pass_ms(&r, 60000);
	f = open_fast(&r, 2, 81, NULL);
	answer(&f, LENGTH, 1460, 0);
	f = open_fast(&r, 2, 81, NULL);
	answer(&f, 0, 1460, 0);
	rig_pass_ms(&r, 61000);
	assert_int_equal(begins_with(&r, 2, 81, NULL), DATA);
	rig_deinit(&r);
}

/* No answer at all: whoever gives up, and the host itself after two minutes, tries without next. */
static void test_no_answer(void **state)
{
	struct rig r = { 0 };
	struct far f;

	(void)state;
	rig_init(&r);
	get_cookie(&r, 2, 80);
	f = open_fast(&r, 2, 80, NULL);
	rig_pass_ms(&r, 3000);
	leave(&f);
	assert_int_equal(begins_with(&r, 2, 80, NULL), NOTHING);
	rig_pass_ms(&r, 61000);
	assert_int_equal(begins_with(&r, 2, 80, NULL), DATA);
	f = open_fast(&r, 2, 81, NULL);
	rig_pass_ms(&r, 200000);
	assert_int_equal(reeve_tcp_error(f.tcp), ETIMEDOUT);
	leave(&f);
	rig_discard(&r);
	f = open_fast(&r, 2, 82, NULL);
	rig_pass_ms(&r, 127000 + 50000); /* it has ended at 127 s */
	assert_int_equal(reeve_tcp_error(f.tcp), ETIMEDOUT);
	leave(&f);
	assert_int_equal(begins_with(&r, 2, 82, NULL), NOTHING);
	rig_deinit(&r);
}

/* The MSS is what was told last, with or without a cookie (RFC 7413, 4.2.2). */
static void test_told_mss(void **state)
{
	static char page[3000];
	struct rig r = { 0 };
	struct far f;

	(void)state;
	rig_init(&r);
	get_cookie(&r, 2, 80);
	f = open_fast(&r, 2, 80, NULL);
	answer(&f, LENGTH, 500, 0);

	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);
	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	reeve_tcp_set(tcp, REEVE_TCP_FAST_OPEN_CONNECT, 1);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);
	assert_true(reeve_tcp_awaits_write(tcp));
	assert_int_equal(reeve_tcp_write(tcp, page, sizeof(page)), 460);
	assert_false(reeve_tcp_awaits_write(tcp));
	assert_int_equal(reeve_tcp_write(tcp, page, sizeof(page)), 0);
	assert_int_equal(rig_take(&r)->length, 460);
	reeve_tcp_abort(tcp);
	rig_deinit(&r);
}

/* RFC 7413, 4.1.3.1: an ICMP error about a SYN with data ends the attempt, and the next has none. */
static void test_icmp_error(void **state)
{
	struct rig r = { 0 };
	struct far f;
	struct peer p = { .rig = &r, .port = 80 };

	(void)state;
	rig_init(&r);
	get_cookie(&r, 2, 80);
	f = open_fast(&r, 2, 80, NULL);
	p.host_port = f.syn->h.source_port;
	rig_icmp(&p, 3, 13, 0, f.syn->h.sequence + 1 + LENGTH); /* not about what was sent */
	assert_int_equal(reeve_tcp_error(f.tcp), 0);
	rig_icmp(&p, 3, 13, 0, f.syn->h.sequence);
	assert_int_equal(reeve_tcp_error(f.tcp), EHOSTUNREACH);
	leave(&f);
	assert_int_equal(begins_with(&r, 2, 80, NULL), NOTHING);
	assert_int_equal(begins_with(&r, 2, 81, NULL), DATA);
	rig_deinit(&r);
}

/* Nothing has happened yet: there is nothing to shut down, to wait for or to take back. */
static void test_nothing_is_written(void **state)
{
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);
	struct rig r = { 0 };

	(void)state;
	rig_init(&r);
	get_cookie(&r, 2, 80);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	reeve_tcp_set(tcp, REEVE_TCP_FAST_OPEN_CONNECT, 1);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_SYN_SENT);
	assert_int_equal(reeve_tcp_shutdown(tcp), -ENOTCONN);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), -EALREADY);
	rig_pass_ms(&r, 3600000);
	rig_none(&r);
	assert_int_equal(reeve_tcp_error(tcp), 0);
	reeve_tcp_close(tcp);
	rig_none(&r);
	rig_deinit(&r);
}

/* A SYN has no urgent pointer: what is urgent goes behind it, and is marked where it ends. */
static void test_urgent_waits(void **state)
{
	struct rig r = { 0 };
	struct peer p = { .rig = &r, .port = 80, .window = 1000, .next = 3000 };
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);

	(void)state;
	rig_init(&r);
	get_cookie(&r, 2, 80);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	reeve_tcp_set(tcp, REEVE_TCP_FAST_OPEN_CONNECT, 1);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);
	assert_int_equal(reeve_tcp_write(tcp, "!", 1), 1);
	reeve_tcp_mark_urgent(tcp);

	const struct rig_segment *s = rig_take(&r);

	assert_int_equal(s->length, 0);
	p.host_port = s->h.source_port;
	p.expected = s->h.sequence + 1;
	peer_send(&p, TCP_SYN | TCP_ACK, NULL, 0);
	s = peer_take(&p);
	assert_int_equal(s->length, 1);
	assert_true(s->h.flags & TCP_URG);
	assert_int_equal(s->h.urgent, 1);
	reeve_tcp_abort(tcp);
	rig_discard(&r);
	rig_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookie_is_of_both_addresses),
		cmocka_unit_test(test_notes_are_bounded),
		cmocka_unit_test(test_silence_is_of_a_port),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_told_mss),
		cmocka_unit_test(test_icmp_error),
		cmocka_unit_test(test_nothing_is_written),
		cmocka_unit_test(test_urgent_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
