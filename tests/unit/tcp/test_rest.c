/* What a connection costs while nothing goes on, and that nothing is lost by it. Hazard 32. */
#include "scene.h"

#include <assert.h>

static uint8_t bytes[100000];

/* Beside it: a slot of the demux's table, 43 bytes when the table has just grown, and what malloc adds.
 * All of it together is to be no more than 512. */
static_assert(sizeof(struct reeve_tcp) <= 440, "an idle connection");
static_assert(sizeof(struct tcp_time_wait) <= 56, "a TIME-WAIT");

static void set(struct scene *s, const struct peer_options *o)
{
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	scene_begin(s, o);
}

/* Long enough for any of these connections; no segment comes of it, and nothing is waited for. */
static void rest(struct scene *s)
{
	rig_none(&s->r);
	rig_pass_ms(&s->r, 2500);
	rig_none(&s->r);
	assert_null(s->tcp->busy);
	assert_false(timer_is_armed(&s->tcp->timer));
}

static void ask(struct scene *s, const char *question)
{
	char got[16];
	const size_t length = strlen(question);

	s->p.ts++;
	peer_send(&s->p, TCP_ACK | TCP_PSH, question, length);
	assert_int_equal(reeve_tcp_readable(s->tcp), length);
	assert_int_equal(reeve_tcp_read(s->tcp, got, sizeof(got)), length);
	assert_memory_equal(got, question, length);
}

static void answer(struct scene *s, const char *text)
{
	const size_t length = strlen(text);

	assert_int_equal(reeve_tcp_write(s->tcp, text, length), length);

	const struct rig_segment *const segment = peer_take(&s->p);

	assert_int_equal(segment->length, length);
	assert_memory_equal(segment->payload, text, length);
	peer_ack(&s->p);
}

static void test_rests_and_works(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	assert_non_null(s.tcp->busy);
	rest(&s); /* one that was never used */
	for (unsigned i = 0; i < 3; i++) {
		ask(&s, "question");
		rig_discard(&s.r);
		answer(&s, "answer");
		assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
		rest(&s);
		answer(&s, "more"); /* the owner begins */
		assert_non_null(s.tcp->busy);
		rest(&s);
	}
	assert_int_equal(reeve_tcp_readable(s.tcp), 0);
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	scene_end(&s);
}

/* Questions that come more often than that: it is never put away. */
static void test_stays_while_in_use(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);

	const struct tcp_busy *const busy = s.tcp->busy;

	for (unsigned i = 0; i < 20; i++) {
		ask(&s, "?");
		rig_discard(&s.r);
		answer(&s, "!");
		rig_pass_ms(&s.r, 400);
		assert_ptr_equal(s.tcp->busy, busy);
	}
	scene_end(&s);
}

/* A loss teaches the threshold, which holds after a rest; the window begins anew (RFC 5681, 4.1). */
static void test_remembers(void **state)
{
	struct scene s = { 0 };

	struct peer_options options = peer_modern;

	(void)state;
	options.timestamps = false;
	set(&s, &options);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 14600), 14600);
	rig_collect(&s.r);
	assert_int_equal(s.r.count, 10);
	rig_discard(&s.r);

	struct tcp_header h = peer_header(&s.p, TCP_ACK);

	h.acknowledgment = s.p.expected;
	h.options.sack_count = 1;
	h.options.sack[0] = (struct tcp_sack_block){ s.p.expected + 1460, s.p.expected + 14600 };
	peer_send_h(&s.p, &h, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.sequence, s.p.expected);
	s.p.expected += 14600;
	peer_ack(&s.p);

	const struct reeve_tcp_info before = scene_info(&s);

	assert_int_equal(rig_stats(&s.r).tcp_fast_recoveries, 1);
	assert_true(before.ssthresh_bytes < 14600);
	rest(&s);
	assert_int_equal(scene_info(&s).ssthresh_bytes, before.ssthresh_bytes);
	assert_true(scene_info(&s).cwnd_bytes <= before.cwnd_bytes);
	assert_int_equal(scene_info(&s).rtt_us, before.rtt_us);
	assert_string_equal(scene_info(&s).congestion_control, "cubic");
	answer(&s, "on");
	assert_int_equal(scene_info(&s).ssthresh_bytes, before.ssthresh_bytes);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_CONGESTION_CONTROL, REEVE_RENO), 0);
	rest(&s);
	assert_string_equal(scene_info(&s).congestion_control, "reno");
	assert_int_equal(scene_info(&s).ssthresh_bytes, before.ssthresh_bytes);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_CONGESTION_CONTROL, REEVE_CUBIC), 0);
	assert_string_equal(scene_info(&s).congestion_control, "cubic");
	answer(&s, "and on");
	assert_int_equal(scene_info(&s).ssthresh_bytes, before.ssthresh_bytes);
	scene_end(&s);
}

/* Whatever is left to do keeps it. */
static void test_does_not_rest(void **state)
{
	struct scene s = { 0 };
	char got[4];

	(void)state;
	set(&s, &peer_plain);
	peer_send(&s.p, TCP_ACK, "abc", 3); /* to be read */
	rig_discard(&s.r);
	rig_pass_ms(&s.r, 5000);
	assert_non_null(s.tcp->busy);
	assert_int_equal(reeve_tcp_read(s.tcp, got, 4), 3);
	rest(&s);

	s.p.next += 10; /* a gap */
	peer_send(&s.p, TCP_ACK, "def", 3);
	rig_discard(&s.r);
	rig_pass_ms(&s.r, 5000);
	assert_non_null(s.tcp->busy);
	s.p.next -= 13;
	peer_send(&s.p, TCP_ACK, bytes, 10);
	rig_discard(&s.r);
	assert_int_equal(reeve_tcp_readable(s.tcp), 13);
	reeve_tcp_consume(s.tcp, 13);
	s.p.next += 3;
	rest(&s);

	assert_int_equal(reeve_tcp_write(s.tcp, "x", 1), 1); /* to be acknowledged */
	peer_take(&s.p);
	rig_pass_ms(&s.r, 2500);
	rig_discard(&s.r);
	assert_non_null(s.tcp->busy);
	peer_ack(&s.p);
	rest(&s);
	scene_end(&s);
}

/* Orphans in FIN-WAIT-2 rest too, and end when they are to. */
static void test_rests_in_the_end(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_plain);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_LINGER2_S, 30), 0);
	reeve_tcp_close(s.tcp);
	assert_true(peer_take(&s.p)->h.flags & TCP_FIN);
	peer_ack(&s.p);
	rig_pass_ms(&s.r, 5000);
	assert_int_equal(rig_stats(&s.r).tcp_sockets, 2);
	assert_null(s.tcp->busy);
	rig_pass_ms(&s.r, 24000);
	assert_int_equal(rig_stats(&s.r).tcp_sockets, 2);
	rig_pass_ms(&s.r, 1010);
	assert_int_equal(rig_stats(&s.r).tcp_sockets, 1);
	rig_none(&s.r);
	reeve_tcp_close(s.listener);
	rig_deinit(&s.r);
}

/* The peer's FIN, or ours, wakes it. */
static void test_ends_from_rest(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	rest(&s);
	peer_send(&s.p, TCP_FIN | TCP_ACK, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.flags, TCP_ACK);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSE_WAIT);
	rest(&s);
	assert_true(reeve_tcp_peer_closed(s.tcp));
	assert_int_equal(reeve_tcp_read(s.tcp, bytes, 1), 0);
	assert_int_equal(reeve_tcp_shutdown(s.tcp), 0);
	assert_true(peer_take(&s.p)->h.flags & TCP_FIN);
	peer_ack(&s.p);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSED);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rests_and_works),  cmocka_unit_test(test_stays_while_in_use),
		cmocka_unit_test(test_remembers),        cmocka_unit_test(test_does_not_rest),
		cmocka_unit_test(test_rests_in_the_end), cmocka_unit_test(test_ends_from_rest),
	};

	return cmocka_run_group_tests_name("rest", tests, NULL, NULL);
}
