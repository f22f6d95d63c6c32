/* What goes when: the rate that windows are spread by, and what does not wait for it. */
#include "rig.h"

#include <errno.h>

#define MSS ((size_t)1460)

static uint8_t bytes[2000000];

struct scene {
	struct rig r;
	struct peer p;
	struct reeve_tcp *listener, *tcp;
};

static const struct peer_options options = { .mss = MSS, .window = 65535, .scale = 7 };

/* A connection with a round trip of so long. */
static void set(struct scene *s, uint32_t round_ms)
{
	rig_init(&s->r);
	s->listener = rig_listen(&s->r, 5);
	s->tcp = peer_accept(&s->p, &s->r, s->listener, &options);
	/* The handshake took no time: what is smoothed has forgotten it. */
	s->tcp->rtt.smoothed_us = round_ms * 1000;
}

static void end(struct scene *s)
{
	reeve_tcp_abort(s->tcp);
	reeve_tcp_close(s->listener);
	rig_deinit(&s->r);
}

static struct reeve_tcp_info info_of(const struct scene *s)
{
	struct reeve_tcp_info info;

	reeve_tcp_info(s->tcp, &info);
	return info;
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
	assert_int_equal(info_of(&s).pacing_rate, 2000000);
	set_window(&s, 100000, 200000);
	assert_int_equal(info_of(&s).pacing_rate, 1200000);
	set_window(&s, 100 * MSS, 50 * MSS);
	assert_int_equal(info_of(&s).pacing_rate, 1752000);
	assert_true(info_of(&s).is_paced);

	/* Ten segments at once, and the 90 others at that rate: 75 ms, the last of them a quantum
	 * after those before. */
	write_all(&s, sizeof(bytes));
	assert_int_equal(sent(&s), 10 * MSS);
	assert_in_range(takes_ms(&s, 90 * MSS), 73, 78);
	end(&s);
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
	assert_int_equal(info_of(&s).pacing_rate, 2000000);
	s.tcp->busy->rack.rtt_us = 160000;
	assert_int_equal(info_of(&s).pacing_rate, 1200000);
	end(&s);
}

/* On a short path everything goes at once; and before there was a sample. */
static void test_short_path(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 1);
	s.tcp->rtt.smoothed_us = 1999;
	set_window(&s, 200 * MSS, 100 * MSS);
	assert_false(info_of(&s).is_paced);
	write_all(&s, sizeof(bytes));
	assert_int_equal(sent(&s), 200 * MSS);
	assert_true(reeve_time_is_never(s.tcp->busy->deadlines[TCP_DEADLINE_PACE]));
	end(&s);
}

static void test_no_sample(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 0);
	assert_int_equal(info_of(&s).pacing_rate, UINT64_MAX);
	assert_false(info_of(&s).is_paced);
	set_window(&s, 200 * MSS, 100 * MSS);
	write_all(&s, sizeof(bytes));
	assert_int_equal(sent(&s), 200 * MSS);
	end(&s);
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
	end(&s);
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
	end(&s);
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
	assert_true(info_of(&s).pacing_rate < UINT64_MAX);
	s.tcp->rtt.smoothed_us = 100000;
	write_all(&s, 12 * MSS);
	assert_int_equal(sent(&s), 10 * MSS);
	end(&s);
}

/* The owner's ceiling holds wherever the path is, and is taken off again. */
static void test_ceiling(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, 0);
	assert_int_equal(reeve_tcp_get(s.tcp, REEVE_TCP_MAX_PACING_RATE), 0);
	assert_int_equal(info_of(&s).pacing_rate_max, UINT64_MAX);
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
	assert_int_equal(info_of(&s).pacing_rate, 146000);
	assert_int_equal(info_of(&s).pacing_rate_max, 146000);
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
	assert_int_equal(info_of(&s).pacing_rate, 146000);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_PACING_RATE, 1 << 30), 0);
	assert_int_equal(info_of(&s).pacing_rate, 200 * MSS * 12);
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
	end(&s);
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
	end(&s);
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
	end(&s);
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
	end(&s);
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
	end(&s);
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
	end(&s);
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
	end(&s);
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
	end(&s);
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
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_fin),
		cmocka_unit_test(test_closed_while_it_waits),
		cmocka_unit_test(test_timer_does_not_spin),
		cmocka_unit_test(test_large_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
