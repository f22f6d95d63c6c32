/* Losses told by time, segments that were only late, and writers that the pool refused. */
#include "scene.h"

#include <errno.h>

#include "seed.h"

static uint8_t bytes[100000];

static void set(struct scene *s)
{
	scene_begin(s, &peer_modern);
	assert_int_equal(reeve_tcp_set(s->tcp, REEVE_TCP_CONGESTION_CONTROL, REEVE_RENO), 0);
	scene_warm_up(s);
	s->tcp->rtt.min_us = 20000; /* the handshake took no time */
}

/* Ten segments, the first of which is lost; ret: where they began. */
static uint32_t lose_first(struct scene *s)
{
	const uint32_t first = s->p.expected;

	assert_int_equal(reeve_tcp_write(s->tcp, bytes, 14480), 14480);
	rig_collect(&s->r);
	assert_int_equal(s->r.count, 10);
	while (s->r.count > 0)
		s->p.ts_echo = rig_take(&s->r)->h.options.timestamp;
	rig_pass_ms(&s->r, 20);
	scene_report(s, first, first + 1448, first + 14480);
	assert_int_equal(rig_take(&s->r)->h.sequence, first);
	rig_none(&s->r);
	return first;
}

/* The resend is lost too. New data sent after it arrives: once more, and no timeout. */
static void test_lost_resend_by_new_data(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);

	const uint32_t first = lose_first(&s);

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 1448), 1448);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + 14480);
	rig_pass_ms(&s.r, 20);
	scene_report(&s, first, first + 1448, first + 15928);
	rig_none(&s.r); /* it might be a little late */
	rig_pass_ms(&s.r, 5);
	assert_int_equal(rig_take(&s.r)->h.sequence, first);
	assert_int_equal(rig_stats(&s.r).tcp_timeouts, 0);
	scene_report(&s, first + 15928, 0, 0);
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	scene_end(&s);
}

/* Nothing was sent after it: a probe comes long before the timeout. */
static void test_lost_resend_is_probed(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);

	const uint32_t first = lose_first(&s);

	rig_pass_ms(&s.r, 60);
	assert_int_equal(rig_take(&s.r)->h.sequence, first);
	rig_none(&s.r);
	assert_int_equal(rig_stats(&s.r).tcp_timeouts, 0);
	scene_end(&s);
}

/* One small segment behind the gap is enough, after a while (RFC 8985: no three are needed). */
static void test_one_report_is_enough(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);

	const uint32_t first = s.p.expected;

	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_NO_DELAY, 1), 0);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 100), 100);
	rig_take(&s.r);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 100), 100);
	rig_take(&s.r);
	rig_pass_ms(&s.r, 20);
	scene_report(&s, first, first + 100, first + 200);
	rig_none(&s.r);
	rig_pass_ms(&s.r, 15); /* a quarter of the round trip */

	const struct rig_segment *const again = rig_take(&s.r);

	assert_int_equal(again->h.sequence, first);
	assert_int_equal(again->length, 100);
	assert_int_equal(rig_stats(&s.r).tcp_timeouts, 0);
	scene_end(&s);
}

/* It was not lost but late: what acknowledges it echoes a time before the resend (RFC 3522). The
 * window is as before, and the next late segment is not sent again. */
static void test_late_by_timestamp(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);

	const uint32_t window = scene_info(&s).cwnd_bytes;
	uint32_t first = lose_first(&s);

	assert_true(scene_info(&s).cwnd_bytes < window);
	rig_pass_ms(&s.r, 3);
	scene_report(&s, first + 14480, 0, 0); /* echoes the time of the first transmissions */
	assert_true(scene_info(&s).cwnd_bytes >= window);
	rig_none(&s.r);

	first += 14480;
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 14480), 14480);
	rig_discard(&s.r);
	rig_pass_ms(&s.r, 20);
	scene_report(&s, first, first + 1448, first + 14480);
	rig_pass_ms(&s.r, 3);
	rig_none(&s.r);
	scene_report(&s, first + 14480, 0, 0);
	assert_int_equal(rig_stats(&s.r).tcp_retransmits, 1);
	scene_end(&s);
}

/* Without timestamps in it: by the report of a duplicate (RFC 3708). */
static void test_late_by_duplicate(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);

	const uint32_t window = scene_info(&s).cwnd_bytes;
	const uint32_t first = lose_first(&s);

	s.p.ts_echo = 0;
	scene_report(&s, first + 14000, first, first + 1448); /* in recovery still */
	assert_true(scene_info(&s).cwnd_bytes >= window);
	scene_report(&s, first + 14480, 0, 0);
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	scene_end(&s);
}

/* When the window falls for an echo of ECN already, a loss that was none is taken back as well: to what
 * the echo has left of the window. */
static void test_late_beside_an_echo(void **state)
{
	struct scene s = { 0 };
	const uint32_t mss = 1448;

	(void)state;
	set(&s);
	s.tcp->ecn = true;

	const uint32_t window = scene_info(&s).cwnd_bytes, first = s.p.expected;

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 14480), 14480);
	rig_collect(&s.r);
	while (s.r.count > 0)
		s.p.ts_echo = rig_take(&s.r)->h.options.timestamp;
	rig_pass_ms(&s.r, 20);
	s.p.expected = first + mss;
	peer_send(&s.p, TCP_ACK | TCP_ECE, NULL, 0);

	const uint32_t reduced = s.tcp->busy->congestion.window;

	assert_true(reduced < window);
	scene_report(&s, first + mss, first + 2 * mss, first + 10 * mss);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + mss);
	assert_int_equal(scene_info(&s).recovery, REEVE_TCP_FAST_RECOVERY);
	scene_report(&s, first + 9 * mss, 0, 0);
	/* One segment is still reported beyond what is acknowledged. */
	assert_int_equal(scene_info(&s).recovery, REEVE_TCP_DISORDER);
	assert_int_equal(s.tcp->busy->congestion.window, reduced);
	scene_end(&s);
}

/* The threshold falls at each loss, however much piles up behind the gap. */
static void test_threshold_falls(void **state)
{
	struct scene s = { 0 };
	uint32_t threshold = UINT32_MAX;

	(void)state;
	set(&s);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 100000), 100000);
	for (unsigned round = 0; round < 4; round++) {
		uint32_t high = 0;
		const uint32_t first = rig_take(&s.r)->h.sequence;

		for (unsigned i = 0; i < 6; i++) { /* each report lets more out behind the gap */
			while (s.r.count > 0) {
				const struct rig_segment *const g = rig_take(&s.r);

				if (g->h.sequence != first)
					high = g->h.sequence + g->length;
			}
			rig_pass_ms(&s.r, 20);
			if (high)
				scene_report(&s, first, first + 1448, high);
		}
		assert_true(scene_info(&s).ssthresh_bytes <= threshold);
		threshold = scene_info(&s).ssthresh_bytes;
		rig_discard(&s.r);
		s.p.ts_echo = 0;
		if (high)
			scene_report(&s, high, 0, 0);
		if (s.r.count == 0)
			break;
	}
	scene_end(&s);
}

/* When the pool is out, no acknowledgment will ever say that it has room again. */
static void test_refused_by_pool(void **state)
{
	struct scene s = { 0 };
	struct buffer *held[5000];
	unsigned count = 0;

	(void)state;
	set(&s);
	rig_events(&s.r, s.tcp);
	while (count < 5000 && (held[count] = buffer_new(s.r.pool, 65536)) != NULL)
		count++;
	assert_true(count > 0 && count < 5000);
	while (reeve_tcp_write(s.tcp, bytes, 2000) > 0)
		rig_collect(&s.r);
	rig_discard(&s.r);
	for (unsigned i = 0; i < count; i++)
		buffer_unref(held[i]);
	assert_int_equal(rig_events(&s.r, s.tcp) & REEVE_WRITABLE, 0);
	rig_pass_ms(&s.r, 25);
	assert_true(rig_events(&s.r, s.tcp) & REEVE_WRITABLE);
	assert_true(reeve_tcp_write(s.tcp, bytes, 2000) > 0);
	scene_end(&s);
}

/* Microseconds in 32 bits come round in 71 minutes: what was known before an hour's rest is no news. */
static void rest(int64_t seconds)
{
	struct scene s = { 0 };

	set(&s);
	rig_pass_ms(&s.r, seconds * 1000);
	rig_discard(&s.r);
	s.p.ts += (uint32_t)seconds * 1000;
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 5792), 5792);
	rig_collect(&s.r);
	assert_int_equal(s.r.count, 4);
	rig_pass_ms(&s.r, 35);
	s.p.ts += 35;
	peer_take(&s.p);
	peer_ack(&s.p);
	rig_collect(&s.r);
	assert_int_equal(s.r.count, 3);
	assert_int_equal(scene_info(&s).retransmits, 0);
	assert_int_equal(rig_stats(&s.r).tcp_fast_recoveries, 0);
	scene_end(&s);
}

static void test_after_a_rest(void **state)
{
	(void)state;
	rest(60);
	rest(2400);
	rest(4000);
}

/* Times are found by what was sent then; together, bounded, across 2^32 of both. */
static void test_sent_times(void **state)
{
	struct sent_times t;
	struct tcp_seq end_seq = { 0xffffff00 };
	uint32_t us = 0xfffffff0, found;

	(void)state;
	sent_times_init(&t);
	assert_false(sent_times_find(&t, end_seq, &found));
	for (unsigned i = 0; i < 100; i++) {
		end_seq = seq_add(end_seq, 10);
		sent_times_add(&t, end_seq, us + i / 2);
	}
	assert_int_equal(t.count, 50);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(
			sent_times_find(&t, (struct tcp_seq){ 0xffffff00 + 10 * i + 5 }, &found));
		assert_int_equal(found, us + i / 2);
	}
	assert_false(sent_times_find(&t, seq_add(end_seq, 1), &found));
	sent_times_ack(&t, seq_sub(end_seq, 25));
	assert_int_equal(t.count, 2);
	for (unsigned i = 0; i < 5000; i++) {
		end_seq = seq_add(end_seq, 1);
		sent_times_add(&t, end_seq, us + 100 + i);
	}
	assert_int_equal(t.count, SENT_TIMES_MAX);
	assert_true(sent_times_find(&t, end_seq, &found));
	assert_int_equal(found, us + 100 + 4999);
	sent_times_ack(&t, end_seq);
	assert_null(t.entries);
}

/* A receiver that reports the oldest bytes instead of acknowledging them: the probe has what nobody
 * has reported, and what was reported stays so. */
static void test_probe_leaves_out_what_is_reported(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);

	const uint32_t first = s.p.expected;

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 1000), 1000);
	s.p.ts_echo = rig_take(&s.r)->h.options.timestamp;
	scene_report(&s, first, first, first + 700);
	assert_true(rig_wait_ms(&s.r, 190));

	const struct rig_segment *const probe = rig_take(&s.r);

	assert_int_equal(probe->h.sequence, first + 700);
	assert_int_equal(probe->length, 300);
	assert_int_equal(s.tcp->busy->scoreboard.sacked_bytes, 700);
	scene_end(&s);
}

/* The FIN has arrived and what is before it has not: it goes along again, and stays reported. */
static void test_resend_with_a_reported_fin(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);

	const uint32_t first = s.p.expected;

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 1000), 1000);
	s.p.ts_echo = rig_take(&s.r)->h.options.timestamp;
	assert_int_equal(reeve_tcp_shutdown(s.tcp), 0);
	assert_true(rig_take(&s.r)->h.flags & TCP_FIN);
	rig_pass_ms(&s.r, 20);
	scene_report(&s, first, first + 1000, first + 1001);
	rig_pass_ms(&s.r, 10);

	const struct rig_segment *const again = rig_take(&s.r);

	assert_int_equal(again->h.sequence, first);
	assert_int_equal(again->length, 1000);
	assert_int_equal(s.tcp->busy->scoreboard.sacked_bytes, 1);
	assert_true(
		scoreboard_is_sacked(&s.tcp->busy->scoreboard, (struct tcp_seq){ first + 1000 }));
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_resend_by_new_data),
		cmocka_unit_test(test_lost_resend_is_probed),
		cmocka_unit_test(test_one_report_is_enough),
		cmocka_unit_test(test_late_by_timestamp),
		cmocka_unit_test(test_late_by_duplicate),
		cmocka_unit_test(test_late_beside_an_echo),
		cmocka_unit_test(test_threshold_falls),
		cmocka_unit_test(test_refused_by_pool),
		cmocka_unit_test(test_after_a_rest),
		cmocka_unit_test(test_sent_times),
		cmocka_unit_test(test_probe_leaves_out_what_is_reported),
		cmocka_unit_test(test_resend_with_a_reported_fin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
