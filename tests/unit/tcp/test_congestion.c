/* Round-trip times (RFC 6298), slow start, Reno (RFC 5681) and CUBIC (RFC 9438). */
#include "cmocka_all.h"

#include "seed.h"
#include "stack/tcp/congestion.h"
#include "stack/tcp/rtt.h"

#define MSS 1448

static struct reeve_time at_ms(int64_t ms)
{
	return (struct reeve_time){ ms * REEVE_NS_PER_MS };
}

/* An acknowledgment while the window is in full use. */
static void acked(struct tcp_congestion *c, uint32_t bytes, struct reeve_time now, uint32_t rtt_us)
{
	const struct congestion_news news = {
		.bytes = bytes,
		.nxt = { 1 }, /* something is in flight */
		.now = now,
		.rtt_us = rtt_us,
		.is_full = true,
	};

	congestion_acked(c, &news);
}

static void test_rtt(void **state)
{
	struct tcp_rtt r;

	(void)state;
	rtt_init(&r);
	assert_false(rtt_is_known(&r));
	assert_int_equal(rtt_timeout_ms(&r), 1000);
	rtt_sample(&r, 100 * REEVE_NS_PER_MS);
	assert_int_equal(r.smoothed_us, 100000);
	assert_int_equal(r.variance_us, 50000);
	assert_int_equal(rtt_timeout_ms(&r), 300);
	for (unsigned i = 0; i < 100; i++)
		rtt_sample(&r, 100 * REEVE_NS_PER_MS);
	assert_int_equal(rtt_timeout_ms(&r), 300); /* never less than 200 ms beyond */
	rtt_sample(&r, 500 * REEVE_NS_PER_MS);
	assert_int_equal(r.smoothed_us, 150000);
	assert_in_range(rtt_timeout_ms(&r), 540, 560);
	assert_int_equal(r.min_us, 100000);
	r.backoff = 3;
	assert_in_range(rtt_timeout_ms(&r), 8 * 540, 8 * 560);
	r.backoff = 255;
	assert_int_equal(rtt_timeout_ms(&r), RTO_MAX_MS);
	rtt_sample(&r, 0);
	rtt_sample(&r, -5);
	assert_int_equal(r.min_us, 1);
}

static void test_initial_window(void **state)
{
	(void)state;
	assert_int_equal(congestion_initial_window(1448), 14480); /* RFC 6928, 2 */
	assert_int_equal(congestion_initial_window(1460), 14600);
	assert_int_equal(congestion_initial_window(9000), 18000);
	assert_int_equal(congestion_initial_window(536), 5360);
}

static void test_slow_start(void **state)
{
	struct tcp_congestion c;

	(void)state;
	congestion_init(&c, REEVE_RENO, MSS);
	acked(&c, 10 * MSS, at_ms(0), 1000);
	assert_int_equal(c.window, 20 * MSS);
	congestion_lost(&c, 20 * MSS);
	assert_int_equal(c.window, 10 * MSS);
	assert_int_equal(c.threshold, 10 * MSS);
	congestion_timeout(&c, 10 * MSS, false);
	assert_int_equal(c.window, MSS);
	assert_int_equal(c.threshold, 5 * MSS);
	congestion_timeout(&c, MSS, true);
	assert_int_equal(c.threshold, 5 * MSS);
	congestion_lost(&c, MSS);
	assert_int_equal(c.threshold, 2 * MSS); /* never less */
}

static void test_reno(void **state)
{
	struct tcp_congestion c;

	(void)state;
	congestion_init(&c, REEVE_RENO, MSS);
	congestion_lost(&c, 20 * MSS);
	for (unsigned window = 10; window < 30; window++) {
		assert_int_equal(c.window, window * MSS);
		for (unsigned i = 0; i < window; i++)
			acked(&c, MSS, at_ms(0), 1000);
	}
}

/* One round trip of 100 ms with the window in full use. */
static void round_trip(struct tcp_congestion *c, int64_t *ms)
{
	const uint32_t segments = c->window / MSS;

	for (uint32_t i = 0; i < segments; i++)
		acked(c, MSS, at_ms(*ms + 100 * (int64_t)i / segments), 100000);
	*ms += 100;
}

static void test_cubic(void **state)
{
	struct tcp_congestion c;
	int64_t ms = 0;

	(void)state;
	congestion_init(&c, REEVE_CUBIC, MSS);
	c.window = 1000 * MSS;
	congestion_lost(&c, 1000 * MSS);
	assert_int_equal(c.window, 700 * MSS); /* beta = 0.7 */
	/* K = cbrt(300 / 0.4) = 9.09 s: back at the plateau then, concave before, convex after. */
	while (ms < 4500)
		round_trip(&c, &ms);
	assert_in_range(c.window, 940 * MSS, 975 * MSS);
	while (ms < 9100)
		round_trip(&c, &ms);
	assert_in_range(c.window, 985 * MSS, 1015 * MSS);

	const uint32_t plateau = c.window;

	while (ms < 13700)
		round_trip(&c, &ms);
	assert_in_range(c.window - plateau, 25 * MSS, 55 * MSS);
	while (ms < 20000)
		round_trip(&c, &ms);
	assert_true(c.window > 1400 * MSS);
	/* A loss before the plateau is reached lowers the next one (fast convergence). */
	congestion_lost(&c, c.window);
	const uint32_t first = c.own.cubic.w_max;

	congestion_lost(&c, c.window);
	assert_true(c.own.cubic.w_max < first * 7 / 10);
}

/* On a short path CUBIC is not slower than Reno (RFC 9438, 4.3). */
static void test_cubic_is_not_slower(void **state)
{
	struct tcp_congestion cubic, reno;

	(void)state;
	congestion_init(&cubic, REEVE_CUBIC, MSS);
	congestion_init(&reno, REEVE_RENO, MSS);
	cubic.window = reno.window = 20 * MSS;
	congestion_lost(&cubic, 20 * MSS);
	congestion_lost(&reno, 20 * MSS);
	for (int64_t us = 0; us < 200000; us += 1000) {
		const struct reeve_time now = { us * 1000 };

		acked(&cubic, cubic.window, now, 1000);
		acked(&reno, reno.window, now, 1000);
	}
	assert_true(cubic.window * 10 > reno.window * 9);
}

/* RFC 9438 in floating point, in segments and seconds, an acknowledgment of a segment at a time. */
struct slow_cubic {
	double window, w_max, prior, estimate, epoch_s, k_s, origin;
	bool has_epoch;
};

static double slow_curve(const struct slow_cubic *q, double t_s)
{
	const double off = t_s - q->k_s;

	return 0.4 * off * off * off + q->origin;
}

/* Newton's method. */
static double slow_cube_root(double n)
{
	double x = n > 1 ? n : 1;

	for (unsigned i = 0; i < 200; i++)
		x = (2 * x + n / (x * x)) / 3;
	return n > 0 ? x : 0;
}

static void slow_acked(struct slow_cubic *q, double now_s, double rtt_s)
{
	if (!q->has_epoch) {
		q->has_epoch = true;
		q->epoch_s = now_s;
		q->estimate = q->window;
		q->origin = q->w_max > q->window ? q->w_max : q->window;
		q->k_s = slow_cube_root((q->origin - q->window) / 0.4);
	}
	q->estimate += (q->estimate < q->prior ? 9.0 / 17 : 1) / q->window;

	const double t_s = now_s - q->epoch_s;

	if (slow_curve(q, t_s) < q->estimate) {
		if (q->window < q->estimate)
			q->window = q->estimate;
		return;
	}
	double target = slow_curve(q, t_s + rtt_s);

	if (target > 1.5 * q->window)
		target = 1.5 * q->window;
	if (target > q->window)
		q->window += (target - q->window) / q->window;
}

static void slow_lost(struct slow_cubic *q)
{
	q->prior = q->window;
	q->w_max = q->window < q->w_max ? q->window * 0.85 : q->window;
	q->window = q->window * 0.7 > 2 ? q->window * 0.7 : 2;
	q->has_epoch = false;
}

/* Losses at random, on short and long paths, with small and huge windows: never 2 % and a segment
 * apart. */
static void test_cubic_random(void **state)
{
	static const double rtts_s[] = { 0.001, 0.01, 0.1, 0.4 };
	struct random r = seeded(11);

	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		const double rtt_s = rtts_s[random_below(&r, 4)];
		struct tcp_congestion c;
		struct slow_cubic q = { .window =
						10 + random_below(&r, 1 << random_below(&r, 16)) };
		double now_s = 100;

		congestion_init(&c, REEVE_CUBIC, MSS);
		c.window = (uint32_t)q.window * MSS;
		for (unsigned loss = 0; loss < 4; loss++) {
			congestion_lost(&c, c.window);
			slow_lost(&q);
			for (unsigned i = random_below(&r, 30000); i > 0; i--) {
				now_s += rtt_s / q.window;
				acked(&c, MSS, (struct reeve_time){ (int64_t)(now_s * 1e9) },
				      (uint32_t)(rtt_s * 1e6));
				slow_acked(&q, now_s, rtt_s);
				const double off = (double)c.window / MSS - q.window;

				assert_true(off < 1 + 0.02 * q.window);
				assert_true(off > -1 - 0.02 * q.window);
			}
		}
	}
}

/* A window of many MB grows by fractions of a byte for each segment; they add up. */
static void test_large_window(void **state)
{
	struct tcp_congestion c;

	(void)state;
	congestion_init(&c, REEVE_CUBIC, MSS);
	c.window = 20000 * MSS;
	congestion_lost(&c, c.window);
	c.own.cubic.prior = 0;
	for (unsigned i = 0; i < 14000; i++)
		acked(&c, MSS, at_ms(0), 0);
	/* A whole window was acknowledged: a segment more, as Reno would. */
	assert_in_range(c.own.cubic.estimate, 14000 * MSS + MSS * 9 / 17 - 2, 14000 * MSS + MSS);
}

/* RFC 9438, 5.8: a minute in which the program sends little is none for the curve. */
static void test_pause(void **state)
{
	struct tcp_congestion c;
	struct congestion_news unused = { .bytes = MSS, .nxt = { 1 }, .rtt_us = 100000 };
	int64_t ms = 0;

	(void)state;
	congestion_init(&c, REEVE_CUBIC, MSS);
	c.window = 1000 * MSS;
	congestion_lost(&c, 1000 * MSS);
	while (ms < 4500)
		round_trip(&c, &ms);
	const uint32_t before = c.window;

	for (unsigned i = 0; i < 60; i++) {
		unused.now = at_ms(ms);
		congestion_acked(&c, &unused);
		ms += 1000;
	}
	assert_int_equal(c.window, before);
	congestion_sent(&c, c.window, true, at_ms(ms), 300);
	round_trip(&c, &ms);
	assert_in_range(c.window - before, 0, 15 * MSS);
}

/* RFC 9438, 4.8: after a timeout the curve begins where slow start ends, with no plateau above. */
static void test_timeout_forgets(void **state)
{
	struct tcp_congestion c;
	int64_t ms = 0;

	(void)state;
	congestion_init(&c, REEVE_CUBIC, MSS);
	c.window = 1000 * MSS;
	congestion_timeout(&c, 1000 * MSS, false);
	assert_int_equal(c.threshold, 700 * MSS);
	while (c.window < c.threshold)
		acked(&c, MSS, at_ms(0), 100000);
	acked(&c, MSS, at_ms(0), 100000);
	assert_int_equal(c.own.cubic.k_ms, 0);
	assert_int_equal(c.own.cubic.origin, c.own.cubic.estimate / MSS * MSS);
	while (ms < 10000)
		round_trip(&c, &ms);
	assert_true(c.window > 1050 * MSS); /* 0.4 * 10^3 segments more */
}

/* RFC 9438, 4.9: all of it comes back. */
static void test_restore(void **state)
{
	struct tcp_congestion c;
	int64_t ms = 0;

	(void)state;
	congestion_init(&c, REEVE_CUBIC, MSS);
	c.window = 1000 * MSS;
	congestion_lost(&c, 1000 * MSS);
	while (ms < 4500)
		round_trip(&c, &ms);
	const struct tcp_congestion before = c;

	congestion_save(&c);
	congestion_lost(&c, c.window);
	assert_true(c.window < before.window);
	congestion_restore(&c);
	assert_int_equal(c.window, before.window);
	assert_int_equal(c.threshold, before.threshold);
	assert_int_equal(c.own.cubic.w_max, before.own.cubic.w_max);
	assert_int_equal(c.own.cubic.prior, before.own.cubic.prior);
	assert_int_equal(c.own.cubic.epoch_ms, before.own.cubic.epoch_ms);
	assert_int_equal(c.own.cubic.k_ms, before.own.cubic.k_ms);
	assert_true(c.own.cubic.has_epoch);
}

/* RFC 8511: in congestion avoidance a mark reduces less than a loss. */
static void test_marked(void **state)
{
	struct tcp_congestion c;

	(void)state;
	congestion_init(&c, REEVE_CUBIC, MSS);
	c.window = 100 * MSS;
	congestion_marked(&c, 100 * MSS);
	assert_int_equal(c.window, 70 * MSS); /* slow start */
	congestion_marked(&c, 40 * MSS);
	assert_int_equal(c.window, 34 * MSS);
	assert_int_equal(c.threshold, 34 * MSS);
	congestion_marked(&c, 2 * MSS);
	assert_int_equal(c.window, 2 * MSS); /* never less */
	congestion_init(&c, REEVE_RENO, MSS);
	c.window = 100 * MSS;
	congestion_marked(&c, 100 * MSS);
	assert_int_equal(c.window, 50 * MSS);
	congestion_marked(&c, 50 * MSS);
	assert_int_equal(c.window, 40 * MSS);
	c.window = c.threshold = 900000000;
	congestion_marked(&c, 900000000);
	assert_int_equal(c.window, 720000000);
}

static void test_idle(void **state)
{
	struct tcp_congestion c;

	(void)state;
	congestion_init(&c, REEVE_CUBIC, MSS);
	c.window = 500 * MSS;
	c.threshold = 100 * MSS;
	congestion_idle(&c, 300, 300, at_ms(1000));
	assert_int_equal(c.window, 500 * MSS);
	congestion_idle(&c, 700, 300, at_ms(1700));
	assert_int_equal(c.window, 125 * MSS);
	assert_int_equal(c.threshold, 375 * MSS); /* slow start leads back there */
	congestion_idle(&c, INT64_MAX / 2, 300, at_ms(2000));
	assert_int_equal(c.window, 10 * MSS);
	congestion_idle(&c, INT64_MAX / 2, 300, at_ms(2000));
	assert_int_equal(c.window, 10 * MSS);
}

/* RFC 2861, 3.2: a window that is not used for a timeout goes half the way to what is. */
static void test_unused_window(void **state)
{
	struct tcp_congestion c;

	(void)state;
	congestion_init(&c, REEVE_CUBIC, MSS);
	c.window = 100 * MSS;
	c.threshold = 50 * MSS;
	congestion_sent(&c, 100 * MSS, true, at_ms(1000), 300);
	congestion_sent(&c, 40 * MSS, false, at_ms(1100), 300);
	congestion_sent(&c, 20 * MSS, false, at_ms(1200), 300);
	assert_int_equal(c.window, 100 * MSS);
	congestion_sent(&c, 20 * MSS, false, at_ms(1300), 300);
	assert_int_equal(c.window, 70 * MSS);
	assert_int_equal(c.threshold, 75 * MSS);
	for (unsigned i = 0; i < 100; i++)
		congestion_sent(&c, MSS, false, at_ms(1600 + 300 * i), 300);
	assert_in_range(c.window, 10 * MSS, 10 * MSS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rtt),          cmocka_unit_test(test_initial_window),
		cmocka_unit_test(test_slow_start),   cmocka_unit_test(test_reno),
		cmocka_unit_test(test_cubic),        cmocka_unit_test(test_cubic_is_not_slower),
		cmocka_unit_test(test_cubic_random), cmocka_unit_test(test_large_window),
		cmocka_unit_test(test_pause),        cmocka_unit_test(test_timeout_forgets),
		cmocka_unit_test(test_restore),      cmocka_unit_test(test_marked),
		cmocka_unit_test(test_idle),         cmocka_unit_test(test_unused_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
