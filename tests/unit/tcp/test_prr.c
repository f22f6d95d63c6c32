/* Proportional rate reduction (RFC 9937) against what it promises, and against its text. */
#include "cmocka_all.h"

#include "base/random.h"
#include "stack/tcp/prr.h"

#define MSS 1000

/* An acknowledgment that moves SND.UNA, when nothing is lost. */
static void acked(struct tcp_prr *p, uint32_t delivered, uint32_t pipe, uint32_t threshold)
{
	const struct prr_news news = {
		.delivered = delivered,
		.pipe = pipe,
		.threshold = threshold,
		.mss = MSS,
		.has_advanced = true,
	};

	prr_acked(p, &news);
}

/* 20 in flight, one lost, to 14: of 10 segments that arrive, 7 let one out. */
static void test_proportion(void **state)
{
	struct tcp_prr p = { 0 };
	uint32_t pipe = 20 * MSS, sent = 0;

	(void)state;
	prr_start(&p, 20 * MSS);
	assert_true(p.is_active);
	for (unsigned i = 0; i < 10; i++) {
		pipe -= MSS;
		acked(&p, MSS, pipe, 14 * MSS);
		while (p.quota >= MSS) {
			prr_sent(&p, MSS);
			pipe += MSS;
			sent += MSS;
		}
	}
	assert_int_equal(sent, 7 * MSS);
	assert_int_equal(pipe, 17 * MSS);
	prr_stop(&p);
	assert_false(p.is_active);
	prr_sent(&p, MSS);
	assert_int_equal(p.out, 0);
}

/* Below the threshold: what arrives may be sent, and a segment more when all is well. */
static void test_catching_up(void **state)
{
	struct tcp_prr p = { 0 };
	struct prr_news news = {
		.delivered = MSS, .pipe = 4 * MSS, .threshold = 14 * MSS, .mss = MSS
	};

	(void)state;
	prr_start(&p, 20 * MSS);
	prr_acked(&p, &news);
	assert_int_equal(p.quota, MSS); /* a report: CRB */
	prr_sent(&p, MSS);
	assert_int_equal(p.quota, 0);
	news.has_advanced = true;
	prr_acked(&p, &news);
	assert_int_equal(p.quota, 2 * MSS); /* SSRB */
	prr_sent(&p, 2 * MSS);
	news.lost = MSS;
	prr_acked(&p, &news);
	assert_int_equal(p.quota, MSS); /* one more is lost: CRB */
	prr_sent_again(&p, MSS);
	assert_int_equal(p.lost, 0);
	news.lost = 0;
	news.pipe = 13 * MSS + 500;
	prr_acked(&p, &news);
	assert_int_equal(p.quota, 500); /* not beyond the threshold */
}

/* What was not used while the program had nothing to say may be made up for, up to the threshold. */
static void test_unused(void **state)
{
	struct tcp_prr p = { 0 };

	(void)state;
	prr_start(&p, 10 * MSS);
	for (unsigned i = 0; i < 6; i++)
		acked(&p, MSS, (9 - i) * MSS, 7 * MSS);
	assert_int_equal(p.quota, 3 * MSS);
}

/* RFC 9937, 6.2 as it is written there, in numbers that cannot overflow. */
struct slow {
	double delivered, out, flight, lost;
};

static double slow_acked(struct slow *s, const struct prr_news *n)
{
	double count;

	s->delivered += n->delivered;
	if (n->pipe > n->threshold) {
		const double product = s->delivered * n->threshold;
		double ceiling = (double)(uint64_t)(product / s->flight);

		if (ceiling * s->flight < product)
			ceiling++;
		count = ceiling - s->out;
	} else {
		count = s->delivered - s->out;
		if (count < n->delivered)
			count = n->delivered;
		if (n->has_advanced && n->lost <= s->lost)
			count += n->mss;
		if (count > (double)n->threshold - n->pipe)
			count = (double)n->threshold - n->pipe;
	}
	s->lost = n->lost;
	return count > 0 ? count : 0;
}

static void test_random(void **state)
{
	const uint8_t seed[32] = { 9 };
	struct random r;

	(void)state;
	random_init(&r, seed);
	for (unsigned round = 0; round < 2000; round++) {
		const uint32_t flight = 1 + random_below(&r, 1 << (3 + random_below(&r, 27)));
		struct tcp_prr p;
		struct slow s = { .flight = flight };

		prr_start(&p, flight);
		for (unsigned i = 0; i < 50; i++) {
			const struct prr_news n = {
				.delivered = 1 + random_below(&r, 100000),
				.pipe = random_below(&r, flight + 1),
				.lost = random_below(&r, 3) * MSS,
				.threshold = 2 * MSS + random_below(&r, flight),
				.mss = MSS,
				.has_advanced = random_below(&r, 2),
			};
			const double quota = slow_acked(&s, &n);

			prr_acked(&p, &n);
			assert_int_equal(p.quota, (uint32_t)quota);
			const uint32_t bytes = random_below(&r, p.quota % 1000000 + 2);

			prr_sent(&p, bytes);
			s.out += bytes;
			assert_int_equal(p.quota, bytes < quota ? (uint32_t)quota - bytes : 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proportion),
		cmocka_unit_test(test_catching_up),
		cmocka_unit_test(test_unused),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
