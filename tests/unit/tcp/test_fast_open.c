/* The server of Fast Open (RFC 7413): what strangers with a good cookie can make of it, and what they
 * can't. */
#include "rig.h"

#include <errno.h>

#define LIMIT 3

static const char question[] = "GET / HTTP/1.0\r\n\r\n";
#define LENGTH (sizeof(question) - 1)

struct scene {
	struct rig r;
	struct reeve_tcp *listener;
	struct tcp_fast_open cookie; /* the peer's */
};

static struct peer peer_at(struct scene *s, uint16_t port)
{
	return (struct peer){
		.rig = &s->r,
		.port = port,
		.host_port = RIG_PORT,
		.next = port * 1000U,
		.window = 5000,
	};
}

/* A SYN with this option, and data. */
static void knock(struct peer *p, const struct tcp_fast_open *option, size_t length)
{
	struct tcp_header h = peer_header(p, TCP_SYN);

	h.options.mss = 1460;
	h.options.fast_open = *option;
	peer_send_h(p, &h, question, length);
}

/* The answer acknowledges the SYN, and so much of its data. */
static struct rig_segment *take_answer(struct peer *p, size_t taken)
{
	struct rig_segment *const answer = rig_take(p->rig);

	assert_int_equal(answer->h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(answer->h.destination_port, p->port);
	assert_int_equal(answer->h.acknowledgment, p->next + 1 + taken);
	p->next += 1 + (uint32_t)taken;
	p->expected = answer->h.sequence + 1;
	return answer;
}

static void set(struct scene *s, uint32_t backlog, int64_t limit)
{
	const struct tcp_fast_open none = { .is_there = true };

	rig_init(&s->r);
	s->listener = rig_listen(&s->r, backlog);
	assert_int_equal(reeve_tcp_set(s->listener, REEVE_TCP_FAST_OPEN, limit), 0);

	struct peer p = peer_at(s, 1);

	knock(&p, &none, 0);
	s->cookie = take_answer(&p, 0)->h.options.fast_open;
	assert_int_equal(s->cookie.length, 8);
	peer_send(&p, TCP_RST, NULL, 0);
	assert_int_equal(s->r.host->tcp->half_open, 0);
}

static void end(struct scene *s)
{
	reeve_tcp_close(s->listener);
	rig_discard(&s->r);
	rig_deinit(&s->r);
}

/* One with data that is taken at once. */
static struct peer open_fast(struct scene *s, uint16_t port)
{
	struct peer p = peer_at(s, port);

	knock(&p, &s->cookie, LENGTH);
	take_answer(&p, LENGTH);
	return p;
}

static struct reeve_tcp *accept_one(struct scene *s)
{
	struct reeve_tcp *const tcp = reeve_tcp_accept(s->listener, NULL);
	char bytes[100];

	assert_non_null(tcp);
	assert_int_equal(reeve_tcp_read(tcp, bytes, sizeof(bytes)), LENGTH);
	assert_memory_equal(bytes, question, LENGTH);
	return tcp;
}

/* RFC 7413, 4.2: at the limit it is off for all. Accepting makes no room; who answers does, and who is
 * ended here. */
static void test_limit(void **state)
{
	struct scene s = { 0 };
	struct peer p[LIMIT], late;
	struct reeve_tcp *tcp[LIMIT];

	(void)state;
	set(&s, 20, LIMIT);
	for (uint16_t i = 0; i < LIMIT; i++) {
		p[i] = open_fast(&s, 100 + i);
		tcp[i] = accept_one(&s);
	}
	late = peer_at(&s, 200);
	knock(&late, &s.cookie, LENGTH);
	assert_false(take_answer(&late, 0)->h.options.fast_open.is_there);
	peer_ack(&p[0]);
	open_fast(&s, 201);
	reeve_tcp_abort(tcp[1]);
	rig_discard(&s.r);
	open_fast(&s, 202);
	late = peer_at(&s, 203);
	knock(&late, &s.cookie, LENGTH);
	take_answer(&late, 0);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_FAST_OPEN, 0), 0);
	peer_ack(&p[2]);
	late = peer_at(&s, 204);
	knock(&late, &s.cookie, LENGTH);
	take_answer(&late, 0);
	reeve_tcp_abort(tcp[0]);
	reeve_tcp_abort(tcp[2]);
	end(&s);
}

/* However many come with a good cookie, whole connections are as many as the limit says, half-open ones as
 * ever, and from then on nothing is kept. */
static void test_memory_is_bounded(void **state)
{
	struct scene s = { .r = { .max_sockets = 5000 } };

	(void)state;
	set(&s, 20, LIMIT);
	for (uint16_t port = 1000; port < 2000; port++) {
		struct peer p = peer_at(&s, port);

		knock(&p, &s.cookie, LENGTH);
		rig_discard(&s.r);
	}
	assert_int_equal(s.listener->listener->accept_count, LIMIT);
	assert_int_equal(s.listener->listener->pending_count, LIMIT);
	assert_int_equal(s.r.host->tcp->half_open, 21);
	assert_int_equal(s.r.host->tcp->count, 1 + LIMIT + 21);
	end(&s);
}

/* While cookies of RFC 4987 are given, a SYN's data is not taken, whatever it brings. */
static void test_flood_falls_back(void **state)
{
	struct scene s = { 0 };
	struct peer p;
	uint32_t before;

	(void)state;
	set(&s, 20, 1000);
	for (uint16_t port = 1000; s.r.host->tcp->half_open <= 20; port++) {
		p = peer_at(&s, port);
		peer_send(&p, TCP_SYN, NULL, 0);
	}
	rig_discard(&s.r);
	before = s.r.host->tcp->count;
	p = peer_at(&s, 3000);
	knock(&p, &s.cookie, LENGTH);
	take_answer(&p, 0);
	assert_int_equal(s.r.host->tcp->count, before);
	assert_int_equal(rig_stats(&s.r).tcp_cookies_out, 1);
	peer_send(&p, TCP_ACK, question, LENGTH); /* it comes a round trip later */
	reeve_tcp_abort(accept_one(&s));
	end(&s);
}

/* What waits is reset with its listener, what was accepted goes on, and is answered. */
static void test_listener_closes(void **state)
{
	struct scene s = { 0 };
	struct peer mine, waiting;
	struct reeve_tcp *tcp;

	(void)state;
	set(&s, 20, LIMIT);
	mine = open_fast(&s, 100);
	tcp = accept_one(&s);
	waiting = open_fast(&s, 101);
	reeve_tcp_close(s.listener);
	assert_int_equal(peer_take(&waiting)->h.flags, TCP_RST | TCP_ACK);
	assert_int_equal(s.r.host->tcp->count, 1);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_SYN_RECEIVED);
	peer_ack(&mine);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	assert_int_equal(reeve_tcp_write(tcp, "hello", 5), 5);
	assert_int_equal(peer_take(&mine)->length, 5);
	reeve_tcp_abort(tcp);
	rig_discard(&s.r);

	/* And one that nobody answers ends by itself. */
	s.listener = rig_listen(&s.r, 20);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_FAST_OPEN, LIMIT), 0);
	mine = open_fast(&s, 102);
	tcp = accept_one(&s);
	reeve_tcp_close(s.listener);
	s.listener = NULL;
	rig_pass_ms(&s.r, 200000);
	assert_int_equal(reeve_tcp_error(tcp), ETIMEDOUT);
	reeve_tcp_close(tcp);
	end(&s);
}

static void test_no_slot(void **state)
{
	struct scene s = { .r = { .max_sockets = 3 } };
	struct peer p;

	(void)state;
	set(&s, 20, 100);
	open_fast(&s, 100);
	open_fast(&s, 101);
	p = peer_at(&s, 102);
	knock(&p, &s.cookie, LENGTH);
	rig_none(&s.r);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_NO_MEMORY), 1);
	assert_int_equal(s.listener->listener->pending_count, 2);
	reeve_tcp_abort(accept_one(&s));
	rig_discard(&s.r);
	open_fast(&s, 102);
	end(&s);
}

/* The accept queue's bound is as ever. */
static void test_backlog(void **state)
{
	struct scene s = { 0 };
	struct peer p;

	(void)state;
	set(&s, 1, 100);
	open_fast(&s, 100);
	open_fast(&s, 101);
	p = peer_at(&s, 102);
	knock(&p, &s.cookie, LENGTH);
	rig_none(&s.r);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_BACKLOG), 1);
	end(&s);
}

/* The handshake ends when it would without; nothing else is said meanwhile. */
static void test_keepalive_waits(void **state)
{
	struct scene s = { 0 };
	struct reeve_tcp *tcp;

	(void)state;
	set(&s, 20, LIMIT);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_KEEPALIVE, 1), 0);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_KEEPALIVE_IDLE_S, 1), 0);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_KEEPALIVE_INTERVAL_S, 1), 0);
	open_fast(&s, 100);
	tcp = accept_one(&s);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(rig_wait_ms(&s.r, 70000));
		assert_int_equal(rig_take(&s.r)->h.flags, TCP_SYN | TCP_ACK);
	}
	assert_false(rig_wait_ms(&s.r, 70000));
	assert_int_equal(reeve_tcp_error(tcp), ETIMEDOUT);
	assert_int_equal(s.listener->listener->pending_count, 0);
	reeve_tcp_close(tcp);
	end(&s);
}

/* A SYN that fills the buffer: what comes behind a closed window is no data, but it is an answer. */
static void test_window_is_closed(void **state)
{
	static char bytes[TCP_BUFFER_MIN];
	struct scene s = { .r = { .mtu = 9000 } };
	struct peer p;
	struct tcp_header h;

	(void)state;
	set(&s, 20, LIMIT);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_RECEIVE_BUFFER, sizeof(bytes)), 0);
	p = peer_at(&s, 100);
	h = peer_header(&p, TCP_SYN);
	h.options.fast_open = s.cookie;
	peer_send_h(&p, &h, bytes, sizeof(bytes));
	assert_int_equal(take_answer(&p, sizeof(bytes))->h.window, 0);
	peer_send(&p, TCP_ACK, "?", 1);

	struct reeve_tcp *const tcp = reeve_tcp_accept(s.listener, NULL);

	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	assert_int_equal(reeve_tcp_readable(tcp), sizeof(bytes));
	assert_int_equal(s.listener->listener->pending_count, 0);
	reeve_tcp_abort(tcp);
	end(&s);
}

/* Nobody has a cookie by chance, and each address has its own. */
static void test_guesses(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 200, 100);
	for (uint16_t bit = 0; bit < 64; bit++) {
		struct tcp_fast_open wrong = s.cookie;
		struct peer p = peer_at(&s, (uint16_t)(100 + bit));

		wrong.cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
		knock(&p, &wrong, LENGTH);

		const struct rig_segment *const answer = take_answer(&p, 0);

		assert_memory_equal(answer->h.options.fast_open.cookie, s.cookie.cookie, 8);
	}
	for (uint8_t length = 4; length <= 16; length += 2) {
		struct tcp_fast_open cut = s.cookie;
		struct peer p = peer_at(&s, 200 + length);

		if (length == s.cookie.length)
			continue;
		cut.length = length;
		knock(&p, &cut, LENGTH);
		take_answer(&p, 0);
	}
	assert_int_equal(s.listener->listener->accept_count, 0);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_flood_falls_back),
		cmocka_unit_test(test_listener_closes),
		cmocka_unit_test(test_no_slot),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_keepalive_waits),
		cmocka_unit_test(test_window_is_closed),
		cmocka_unit_test(test_guesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
