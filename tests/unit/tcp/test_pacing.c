/* What goes when: the rate that windows are spread by, and what does not wait for it. */
#include "scene.h"

#include <errno.h>

#define MSS ((size_t)1460)

static uint8_t bytes[2000000];

static const struct peer_options options = { .mss = MSS, .window = 65535, .scale = 7 };
static const struct peer_options sacking = {
	.mss = MSS, .window = 65535, .scale = 7, .sack = true
};

/* A connection with a round trip of so long. */
static void set(struct scene *s, uint32_t round_ms)
{
	scene_begin(s, &options);
	/* The handshake took no time: what is smoothed has forgotten it. */
	s->tcp->rtt.smoothed_us = round_ms * 1000;
}

/* Takes what has been sent: how many bytes. */
static uint32_t sent(struct scene *s)
{
	uint32_t total = 0;

	rig_collect(&s->r);
	while (s->r.count > 0)
		total += peer_take(&s->p)->length;
	return total;
}

static void set_window(const struct scene *s, uint32_t window, uint32_t threshold)
{
	s->tcp->busy->congestion.window = window;
	s->tcp->busy->congestion.threshold = threshold;
	/* It is in use. */
	s->tcp->busy->congestion.used_ms = (uint32_t)(s->r.now.ns / REEVE_NS_PER_MS);
}

static void write_all(const struct scene *s, size_t length)
{
	assert_int_equal(reeve_tcp_write(s->tcp, bytes, length), length);
}

/* Milliseconds until so many bytes more are on the wire. */
static int64_t takes_ms(struct scene *s, uint32_t wanted)
{
	const struct reeve_time begin = s->r.now;
	uint32_t total = 0;

	while ((total += sent(s)) < wanted)
		rig_pass_ms(&s->r, 1);
	assert_int_equal(total, wanted);
	return reeve_time_since(s->r.now, begin) / REEVE_NS_PER_MS;
}

/* Twice the window in a round trip while it is far from the threshold, 1.2 times it then. */
static void test_rates(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	set_window(&s, 100000, 300000);
	assert_int_equal(scene_info(&s).pacing_rate, 2000000);
	set_window(&s, 100000, 200000);
	assert_int_equal(scene_info(&s).pacing_rate, 1200000);
	set_window(&s, 100 * MSS, 50 * MSS);
	assert_int_equal(scene_info(&s).pacing_rate, 1752000);
	assert_true(scene_info(&s).is_paced);

	/* Ten segments at once, and the 90 others at that rate: 75 ms, the last of them a quantum
	 * after those before. */
	write_all(&s, sizeof(bytes));
	assert_int_equal(sent(&s), 10 * MSS);
	assert_in_range(takes_ms(&s, 90 * MSS), 73, 78);
	scene_end(&s);
}

/* What a round trip shorter than the smoothed one has shown. */
static void test_latest_round_trip(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	set_window(&s, 100000, 50000);
	s.tcp->busy->rack.is_valid = true;
	s.tcp->busy->rack.rtt_us = 60000;
	assert_int_equal(scene_info(&s).pacing_rate, 2000000);
	s.tcp->busy->rack.rtt_us = 160000;
	assert_int_equal(scene_info(&s).pacing_rate, 1200000);
	scene_end(&s);
}

/* On a short path everything goes at once; and before there was a sample. */
static void test_short_path(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 1);
	s.tcp->rtt.smoothed_us = 1999;
	set_window(&s, 200 * MSS, 100 * MSS);
	assert_false(scene_info(&s).is_paced);
	write_all(&s, sizeof(bytes));
	assert_int_equal(sent(&s), 200 * MSS);
	assert_true(reeve_time_is_never(s.tcp->busy->deadlines[TCP_DEADLINE_PACE]));
	scene_end(&s);
}

static void test_no_sample(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 0);
	assert_int_equal(scene_info(&s).pacing_rate, UINT64_MAX);
	assert_false(scene_info(&s).is_paced);
	set_window(&s, 200 * MSS, 100 * MSS);
	write_all(&s, sizeof(bytes));
	assert_int_equal(sent(&s), 200 * MSS);
	scene_end(&s);
}

/* At a high rate a quantum is a millisecond's worth: the timer ticks no more often. */
static void test_quantum(void **state)
{
	struct scene s = { 0 };
	uint32_t most = 0;

	(void)state;
	set(&s, 10);
	set_window(&s, 1000000, 500000); /* 120 bytes a microsecond */
	write_all(&s, sizeof(bytes));
	assert_int_equal(sent(&s), 120000 - 120000 % MSS);

	const struct reeve_time begin = s.r.now;

	for (unsigned i = 0; s.tcp->nxt.n - s.tcp->una.n < 900000; i++) {
		const struct reeve_time next = reeve_host_deadline(s.r.host);

		assert_true(i < 10);
		assert_in_range(reeve_time_since(next, s.r.now), 1, 3 * REEVE_NS_PER_MS);
		s.r.now = next;
		reeve_host_tick(s.r.host, s.r.now);

		const uint32_t now = sent(&s);

		most = now > most ? now : most;
	}
	/* One that waited has two quanta left to it, and no more. */
	assert_in_range(most, 120000, 240000);
	/* And loses nothing by the ticks' lateness. */
	assert_in_range(reeve_time_since(s.r.now, begin), 6 * REEVE_NS_PER_MS, 8 * REEVE_NS_PER_MS);
	scene_end(&s);
}

/* Idleness saves up a quantum at most. */
static void test_idle(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	set_window(&s, 100 * MSS, 50 * MSS);
	write_all(&s, MSS);
	assert_int_equal(sent(&s), MSS);
	peer_ack(&s.p);
	rig_pass_ms(&s.r, 150);
	s.tcp->rtt.smoothed_us = 100000;
	write_all(&s, 60 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	assert_in_range(takes_ms(&s, 50 * MSS), 41, 45);
	scene_end(&s);
}

/* A rest, after which nothing but the connection is left, does not hold the first data back. */
static void test_rest(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	write_all(&s, MSS);
	assert_int_equal(sent(&s), MSS);
	peer_ack(&s.p);
	rig_pass_ms(&s.r, 5000);
	assert_null(s.tcp->busy);
	assert_true(scene_info(&s).pacing_rate < UINT64_MAX);
	s.tcp->rtt.smoothed_us = 100000;
	write_all(&s, 12 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	scene_end(&s);
}

/* The owner's ceiling holds wherever the path is, and is taken off again. */
static void test_ceiling(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 0);
	assert_int_equal(reeve_tcp_get(s.tcp, REEVE_TCP_MAX_PACING_RATE), 0);
	assert_int_equal(scene_info(&s).pacing_rate_max, UINT64_MAX);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, -1), -EINVAL);
	assert_int_equal(
		reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, REEVE_TCP_PACING_RATE_MOST + 1),
		-EINVAL);
	assert_int_equal(
		reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, REEVE_TCP_PACING_RATE_MOST), 0);
	assert_int_equal(reeve_tcp_get(s.tcp, REEVE_TCP_MAX_PACING_RATE),
			 REEVE_TCP_PACING_RATE_MOST);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, 146000), 0);
	assert_int_equal(reeve_tcp_get(s.tcp, REEVE_TCP_CONGESTION_CONTROL), REEVE_CUBIC);
	assert_int_equal(scene_info(&s).pacing_rate, 146000);
	assert_int_equal(scene_info(&s).pacing_rate_max, 146000);
	set_window(&s, 200 * MSS, 100 * MSS);
	write_all(&s, 300 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	peer_ack(&s.p);
	assert_in_range(takes_ms(&s, 10 * MSS), 99, 102);
	peer_ack(&s.p);
	assert_in_range(takes_ms(&s, 10 * MSS), 98, 101);
	peer_ack(&s.p);
	/* On a long path it is the lower of the two. */
	set_window(&s, 200 * MSS, 100 * MSS);
	s.tcp->rtt.smoothed_us = 100000;
	assert_int_equal(scene_info(&s).pacing_rate, 146000);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, 1 << 30), 0);
	assert_int_equal(scene_info(&s).pacing_rate, 200 * MSS * 12);
	s.tcp->rtt.smoothed_us = 0;
	/* A rate of nearly nothing does not outlive its ceiling. */
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, 1), 0);
	sent(&s);
	rig_pass_ms(&s.r, 100);
	assert_int_equal(sent(&s), 0);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, 0), 0);
	set_window(&s, 200 * MSS, 100 * MSS);
	assert_true(sent(&s) > 0);
	assert_int_equal(tcp_in_flight(s.tcp), 200 * MSS);
	scene_end(&s);
}

/* Who accepts inherits it. */
static void test_inherited(void **state)
{
	struct scene s = { 0 };
	struct peer second = { .port = RIG_PEER + 1 };

	(void)state;
	set(&s, 0);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_MAX_PACING_RATE, 5000), 0);

	struct reeve_tcp *const tcp = peer_accept(&second, &s.r, s.listener, &options);

	assert_int_equal(reeve_tcp_get(tcp, REEVE_TCP_MAX_PACING_RATE), 5000);
	reeve_tcp_abort(tcp);
	scene_end(&s);
}

/* A window that the ceiling leaves idle does not grow, one that only waits for its time does. */
static void test_growth(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	set_window(&s, 60 * MSS, 30 * MSS);
	write_all(&s, 1000 * MSS);
	sent(&s);
	assert_true(s.tcp->busy->is_held);
	assert_true(s.tcp->window_limited);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, 1000), 0);
	sent(&s);
	assert_true(s.tcp->busy->is_held);
	assert_false(s.tcp->window_limited);
	scene_end(&s);
}

/* A retransmission goes at once while new data waits, and so do an acknowledgment and a probe; and it
 * takes its part of the rate. */
static void test_what_does_not_wait(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	set_window(&s, 60 * MSS, 30 * MSS);
	write_all(&s, 100 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	assert_true(s.tcp->busy->is_held);

	const struct reeve_time before = s.tcp->busy->paced_to;
	const uint32_t end_of_first = s.p.expected;

	/* Three duplicates. */
	s.p.expected -= (uint32_t)(10 * MSS);
	for (unsigned i = 0; i < 3; i++)
		peer_ack(&s.p);

	const struct rig_segment *const again = rig_take(&s.r);

	assert_int_equal(again->h.sequence, s.p.expected);
	assert_int_equal(again->length, MSS);
	assert_true(reeve_time_before(before, s.tcp->busy->paced_to));
	s.p.expected = end_of_first;
	/* An acknowledgment of two segments. */
	s.p.next += MSS;
	peer_send(&s.p, TCP_ACK, bytes, MSS);
	assert_int_equal(rig_take(&s.r)->length, 0);
	scene_end(&s);
}

/* The probe of a tail takes its part, too. */
static void test_tail_probe_counts(void **state)
{
	struct scene s = { 0 };

	(void)state;
	scene_begin(&s, &sacking);
	scene_warm_up(&s);
	set_window(&s, 100 * MSS, 50 * MSS);
	write_all(&s, 20 * MSS);
	takes_ms(&s, 20 * MSS);
	assert_true(rig_wait_ms(&s.r, 1000));
	assert_int_equal(rig_take(&s.r)->length, MSS);
	assert_true(s.tcp->is_probing_tail);

	/* Of the ten segments that it might have sent then, nine are left. */
	const int64_t left_ns = reeve_time_since(s.tcp->busy->last_sent, s.tcp->busy->paced_to);
	const int64_t nine_ns = (int64_t)(9 * MSS * REEVE_NS_PER_S / scene_info(&s).pacing_rate);

	assert_in_range(left_ns, nine_ns - 1000, nine_ns + 1000);
	scene_end(&s);
}

/* A probe of the path goes whole or not at all: shorter, it would say nothing. */
static void test_path_probe_is_whole(void **state)
{
	const size_t short_mss = 1160;
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	set_window(&s, 60 * MSS, 30 * MSS);
	s.tcp->path_mtu = 1200;
	s.tcp->busy->path.settled_at = s.r.now;
	s.tcp->mss = (uint16_t)short_mss;
	write_all(&s, 10 * short_mss - 1300);
	assert_int_equal(sent(&s), 10 * short_mss - 1300);
	s.tcp->busy->path.high = 1500;
	s.tcp->busy->path.tries_high = true;
	write_all(&s, 20 * short_mss);
	rig_collect(&s.r);
	assert_int_equal(s.r.count, 1);
	assert_int_equal(peer_take(&s.p)->length, MSS);
	scene_end(&s);
}

/* When the window is what they wait for, nobody asks the time. */
static void test_closed_window(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	set_window(&s, 60 * MSS, 30 * MSS);
	write_all(&s, 40 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	assert_false(reeve_time_is_never(s.tcp->busy->deadlines[TCP_DEADLINE_PACE]));
	s.p.window = 0;
	peer_ack(&s.p);
	assert_int_equal(sent(&s), 0);
	assert_false(s.tcp->busy->is_held);
	assert_true(reeve_time_is_never(s.tcp->busy->deadlines[TCP_DEADLINE_PACE]));
	scene_end(&s);
}

/* What was sent again at nearly no rate has used that up for long; a new ceiling begins anew. */
static void test_new_ceiling(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, 100), 0);
	set_window(&s, 60 * MSS, 30 * MSS);
	write_all(&s, 10 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	assert_true(rig_wait_ms(&s.r, 2000));
	assert_int_equal(rig_take(&s.r)->length, MSS);
	assert_true(reeve_time_since(s.tcp->busy->paced_to, s.r.now) > 10 * REEVE_NS_PER_S);
	peer_ack(&s.p);
	rig_discard(&s.r);
	write_all(&s, 5 * MSS);
	assert_int_equal(sent(&s), 0);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, 1 << 30), 0);
	/* By the path's rate after a timeout. */
	assert_in_range(takes_ms(&s, 5 * MSS), 0, 100);
	scene_end(&s);
}

/* All that was sent before a timeout is sent again by the window alone. */
static void test_timeout(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, 100), 0);
	set_window(&s, 60 * MSS, 30 * MSS);
	write_all(&s, 100 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);

	const uint32_t first = s.p.expected - (uint32_t)(10 * MSS);

	/* At 100 bytes a second nothing else would go for long. */
	assert_true(rig_wait_ms(&s.r, 2000));
	assert_int_equal(rig_take(&s.r)->h.sequence, first);
	scene_end(&s);
}

/* FIN without data has nothing to wait for; behind data that waits it goes with the last. */
static void test_fin(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	set_window(&s, 60 * MSS, 30 * MSS);
	write_all(&s, 10 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	assert_int_equal(reeve_tcp_shutdown(s.tcp), 0);
	rig_collect(&s.r);
	assert_int_equal(s.r.count, 1);
	assert_true(peer_take(&s.p)->h.flags & TCP_FIN);
	scene_end(&s);
}

/* A connection that its owner closes while data waits delivers it, by the rate; one that is aborted
 * leaves no timer behind. */
static void test_closed_while_it_waits(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 100);
	set_window(&s, 60 * MSS, 30 * MSS);
	write_all(&s, 40 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	assert_true(s.tcp->busy->is_held);
	reeve_tcp_close(s.tcp);
	assert_int_equal(sent(&s), 0);
	assert_in_range(takes_ms(&s, 30 * MSS), 40, 45);
	peer_ack(&s.p);
	peer_send(&s.p, TCP_FIN | TCP_ACK, NULL, 0);
	rig_discard(&s.r);

	struct peer second = { .port = RIG_PEER + 1 };
	struct reeve_tcp *const tcp = peer_accept(&second, &s.r, s.listener, &options);

	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_MAX_PACING_RATE, 1000), 0);
	tcp->busy->congestion.window = 60 * MSS;
	assert_int_equal(reeve_tcp_write(tcp, bytes, 40000), 40000);
	rig_discard(&s.r);
	assert_true(tcp->busy->is_held);
	reeve_tcp_abort(tcp);
	rig_discard(&s.r);
	rig_pass_ms(&s.r, 60000);
	rig_none(&s.r);
	reeve_tcp_close(s.listener);
	rig_deinit(&s.r);
}

/* However low the rate is: a timer that waits for it is set once for each quantum, and that of the
 * persist state looks once in a timeout. */
static void test_timer_does_not_spin(void **state)
{
	struct scene s = { 0 };
	unsigned ticks = 0;
	uint32_t total = 0;

	(void)state;
	set(&s, 0);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, MSS), 0);
	write_all(&s, 100 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	peer_ack(&s.p);

	const struct reeve_time until = reeve_time_add_ms(s.r.now, 10100);

	for (;;) {
		const struct reeve_time next = reeve_host_deadline(s.r.host);

		if (!reeve_time_before(next, until))
			break;
		assert_true(reeve_time_before(s.r.now, next));
		s.r.now = next;
		reeve_host_tick(s.r.host, s.r.now);
		total += sent(&s);
		peer_ack(&s.p);
		ticks++;
	}
	assert_int_equal(total, 10 * MSS);
	assert_in_range(ticks, 1, 150);
	scene_end(&s);
}

/* A packet of many segments is no longer than what may go. */
static void test_large_segments(void **state)
{
	struct scene s = { .r.offloads = REEVE_OFFLOAD_TCP4 | REEVE_OFFLOAD_CHECKSUM };

	(void)state;
	set(&s, 100);
	set_window(&s, 60 * MSS, 30 * MSS);
	write_all(&s, 100 * MSS);
	rig_collect(&s.r);
	assert_int_equal(s.r.count, 1);
	assert_int_equal(peer_take(&s.p)->length, 10 * MSS);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_latest_round_trip),
		cmocka_unit_test(test_short_path),
		cmocka_unit_test(test_no_sample),
		cmocka_unit_test(test_quantum),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_inherited),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_what_does_not_wait),
		cmocka_unit_test(test_tail_probe_counts),
		cmocka_unit_test(test_path_probe_is_whole),
		cmocka_unit_test(test_closed_window),
		cmocka_unit_test(test_new_ceiling),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_fin),
		cmocka_unit_test(test_closed_while_it_waits),
		cmocka_unit_test(test_timer_does_not_spin),
		cmocka_unit_test(test_large_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
