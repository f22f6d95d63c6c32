/* Round-trip times (RFC 6298), slow start, Reno (RFC 5681) and CUBIC (RFC 9438). */
#include "cmocka_all.h"

#include "stack/tcp/congestion.h"
#include "stack/tcp/rtt.h"

#define MSS 1448

static struct reeve_time at_ms(int64_t ms)
{
	return (struct reeve_time){ ms * REEVE_NS_PER_MS };
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
	congestion_acked(&c, 10 * MSS, at_ms(0), 1000);
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
			congestion_acked(&c, MSS, at_ms(0), 1000);
	}
}

/* One round trip of 100 ms with the window in full use. */
static void round_trip(struct tcp_congestion *c, int64_t *ms)
{
	const uint32_t segments = c->window / MSS;

	for (uint32_t i = 0; i < segments; i++)
		congestion_acked(c, MSS, at_ms(*ms + 100 * (int64_t)i / segments), 100000);
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
	const uint32_t first = c.cubic.w_max;

	congestion_lost(&c, c.window);
	assert_true(c.cubic.w_max < first * 7 / 10);
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

		congestion_acked(&cubic, cubic.window, now, 1000);
		congestion_acked(&reno, reno.window, now, 1000);
	}
	assert_true(cubic.window * 10 > reno.window * 9);
}

static void test_idle(void **state)
{
	struct tcp_congestion c;

	(void)state;
	congestion_init(&c, REEVE_CUBIC, MSS);
	c.window = 500 * MSS;
	congestion_idle(&c);
	assert_int_equal(c.window, 10 * MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rtt),        cmocka_unit_test(test_initial_window),
		cmocka_unit_test(test_slow_start), cmocka_unit_test(test_reno),
		cmocka_unit_test(test_cubic),      cmocka_unit_test(test_cubic_is_not_slower),
		cmocka_unit_test(test_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
