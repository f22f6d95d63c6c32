/* HyStart++ (RFC 9406): when slow start ends, and when it does not. */
#include "cmocka_all.h"

#include "seed.h"
#include "stack/tcp/hystart.h"

/* A path: rounds of so many segments, each timed. */
struct path {
	struct hystart h;
	uint32_t una, nxt;
};

static bool acked(struct path *p, uint32_t us)
{
	p->una++;
	return hystart_acked(&p->h, (struct tcp_seq){ p->una }, (struct tcp_seq){ p->nxt }, us);
}

/* A whole round of 20 segments. True: slow start ended in it. */
static bool round_of(struct path *p, uint32_t us)
{
	const uint32_t end = p->nxt;
	bool over = false;

	p->nxt = end + 20;
	while (p->una != end)
		over |= acked(p, us);
	return over;
}

static void begin(struct path *p)
{
	*p = (struct path){ .una = 0xfffffff0, .nxt = 0xfffffff0 + 20 };
	round_of(p, 0);
}

static void test_even_path(void **state)
{
	struct path p;

	(void)state;
	begin(&p);
	for (unsigned i = 0; i < 100; i++)
		assert_false(round_of(&p, 50000));
	assert_false(p.h.is_slow);
}

/* 50 ms, and an eighth more: 6.25 ms. */
static void test_longer_round_trips(void **state)
{
	struct path p;
	unsigned rounds = 0;

	(void)state;
	begin(&p);
	round_of(&p, 50000);
	round_of(&p, 56200);
	assert_false(p.h.is_slow);
	begin(&p);
	round_of(&p, 50000);
	round_of(&p, 56300);
	assert_true(p.h.is_slow);
	/* Five rounds, the one in which it began included: three more are whole, the fourth is the last. */
	while (!round_of(&p, 60000))
		rounds++;
	assert_int_equal(rounds, 3);
}

/* Never less than 4 ms, nor more than 16. */
static void test_bounds(void **state)
{
	struct path p;

	(void)state;
	begin(&p);
	round_of(&p, 1000);
	round_of(&p, 4900);
	assert_false(p.h.is_slow);
	begin(&p);
	round_of(&p, 1000);
	round_of(&p, 5000);
	assert_true(p.h.is_slow);
	begin(&p);
	round_of(&p, 400000);
	round_of(&p, 415900);
	assert_false(p.h.is_slow);
	begin(&p);
	round_of(&p, 400000);
	round_of(&p, 416000);
	assert_true(p.h.is_slow);
}

/* One that is short again, and it was no queue. */
static void test_slow_start_goes_on(void **state)
{
	struct path p;

	(void)state;
	begin(&p);
	round_of(&p, 50000);
	round_of(&p, 60000);
	assert_true(p.h.is_slow);
	round_of(&p, 50000);
	assert_false(p.h.is_slow);
	for (unsigned i = 0; i < 20; i++)
		assert_false(round_of(&p, 50000));
	/* The five rounds count anew. */
	round_of(&p, 60000);
	assert_true(p.h.is_slow);
	assert_false(round_of(&p, 60000));
}

/* Less than eight that were timed say nothing. */
static void test_few_samples(void **state)
{
	struct path p;

	(void)state;
	begin(&p);
	round_of(&p, 50000);
	p.nxt += 20;
	for (unsigned i = 0; i < 7; i++)
		assert_false(acked(&p, 90000));
	assert_false(p.h.is_slow);
	for (unsigned i = 0; i < 5; i++)
		assert_false(acked(&p, 0));
	assert_false(p.h.is_slow);
	assert_false(acked(&p, 90000));
	assert_true(p.h.is_slow);
}

/* The text of RFC 9406, 4.2, word by word. */
struct slow {
	uint32_t window_end, last, current, baseline, samples, rounds;
	bool begun, css;
};

static void slow_judge(struct slow *s)
{
	const uint32_t none = UINT32_MAX;
	uint32_t threshold = s->last / 8 < 16000 ? s->last / 8 : 16000;

	if (s->css) {
		if (s->current < s->baseline)
			s->css = false;
		return;
	}
	if (threshold < 4000)
		threshold = 4000;
	if (s->last != none && s->current >= s->last + threshold) {
		s->baseline = s->current;
		s->css = true;
		s->rounds = 1;
	}
}

static bool slow_acked(struct slow *s, uint32_t una, uint32_t nxt, uint32_t us)
{
	if (us > 0) {
		s->current = us < s->current ? us : s->current;
		s->samples++;
		if (s->samples >= 8)
			slow_judge(s);
	}
	if (s->begun && (int32_t)(una - s->window_end) < 0)
		return false;
	s->last = s->current;
	s->current = UINT32_MAX;
	s->samples = 0;
	s->window_end = nxt;
	s->begun = true;
	return s->css && ++s->rounds > 5;
}

static void test_random(void **state)
{
	struct random r = seeded(12);
	unsigned ended = 0;

	(void)state;
	for (unsigned flow = 0; flow < 500; flow++) {
		struct hystart h = { .has_round = false };
		struct slow s = { .current = UINT32_MAX };
		const uint32_t base = 1 + random_below(&r, 100000);
		const uint32_t queue = random_below(&r, 200);
		uint32_t una = random_u32(&r), nxt = una + 10;

		for (unsigned i = 0; i < 2000; i++) {
			const uint32_t longer = i * queue + random_below(&r, 3000);
			const uint32_t us = random_below(&r, 10) ? base + longer : 0;

			una++;
			nxt += 1 + random_below(&r, 2);
			const bool over = slow_acked(&s, una, nxt, us);

			assert_int_equal(hystart_acked(&h, (struct tcp_seq){ una },
						       (struct tcp_seq){ nxt }, us),
					 over);
			assert_int_equal(h.is_slow, s.css);
			if (over) {
				ended++;
				break;
			}
		}
	}
	assert_in_range(ended, 50, 480);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_even_path),   cmocka_unit_test(test_longer_round_trips),
		cmocka_unit_test(test_bounds),      cmocka_unit_test(test_slow_start_goes_on),
		cmocka_unit_test(test_few_samples), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
