/* The timer wheel against a plain array that is searched from end to end. */
#include <stdlib.h>
#include <string.h>

#include "base/timers.h"

#include "cmocka_all.h"
#include "seed.h"

#define COUNT   200
#define TICK_NS (INT64_C(1) << 20)

static const struct reeve_time start = { 5 * REEVE_NS_PER_S };

struct model {
	struct timers wheel;
	struct timer timer[COUNT];
	bool armed[COUNT];
	struct reeve_time expires[COUNT];
	struct reeve_time now; /* the latest that advance was called with */
};

static void model_init(struct model *m)
{
	timers_init(&m->wheel, start);
	m->now = start;
	for (int i = 0; i < COUNT; i++) {
		timer_init(&m->timer[i], (uint8_t)i);
		m->armed[i] = false;
	}
}

static void model_arm(struct model *m, int i, struct reeve_time expires)
{
	timer_arm(&m->wheel, &m->timer[i], expires);
	m->armed[i] = !reeve_time_is_never(expires);
	m->expires[i] = expires;
}

static struct reeve_time first_expiry(const struct model *m)
{
	struct reeve_time first = REEVE_NEVER;

	for (int i = 0; i < COUNT; i++)
		if (m->armed[i])
			first = reeve_time_min(first, m->expires[i]);
	return first;
}

static uint32_t armed_count(const struct model *m)
{
	uint32_t count = 0;

	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(timer_is_armed(&m->timer[i]), m->armed[i]);
		count += m->armed[i];
	}
	return count;
}

/* Moves time on; what comes out must have expired, and what has expired by more than a tick must
 * have come out. */
static void model_advance(struct model *m, struct reeve_time now)
{
	timers_advance(&m->wheel, now);
	if (reeve_time_before(m->now, now))
		m->now = now;
	for (struct timer *t; (t = timers_next(&m->wheel)) != NULL;) {
		const int i = (int)(t - m->timer);

		assert_int_equal(t->kind, i);
		assert_true(m->armed[i]);
		assert_false(timer_is_armed(t));
		assert_false(reeve_time_before(m->now, m->expires[i]));
		m->armed[i] = false;
	}
	for (int i = 0; i < COUNT; i++)
		if (m->armed[i])
			assert_true(
				reeve_time_before(m->now, reeve_time_add(m->expires[i], TICK_NS)));
	assert_int_equal(m->wheel.armed, armed_count(m));
}

/* The deadline is at most a tick later than the first expiry, and asks for no time that has
 * passed: or a loop would spin. */
static void model_check_deadline(const struct model *m)
{
	const struct reeve_time deadline = timers_deadline(&m->wheel);
	const struct reeve_time first = first_expiry(m);

	assert_int_equal(reeve_time_is_never(deadline), reeve_time_is_never(first));
	if (reeve_time_is_never(first))
		return;
	assert_true(reeve_time_before(
		deadline,
		reeve_time_add(reeve_time_before(first, m->now) ? m->now : first, TICK_NS)));
}

/* Delays of every size: what a level of the wheel holds, and what lies at its edges. */
static int64_t random_delay(struct random *r)
{
	const int64_t delay = (int64_t)(random_u64(r) >> (1 + random_below(r, 62)));

	return random_below(r, 8) ? delay & ((INT64_C(1) << 50) - 1) : delay;
}

static void test_random_operations(void **state)
{
	struct random r = seeded(1);
	struct model *m = malloc(sizeof(*m));

	(void)state;
	for (int round = 0; round < 50; round++) {
		model_init(m);
		for (int step = 0; step < 2000; step++) {
			const int i = (int)random_below(&r, COUNT);

			switch (random_below(&r, 8)) {
			case 0:
				timer_disarm(&m->wheel, &m->timer[i]);
				m->armed[i] = false;
				break;
			case 1: /* on by a random stretch, now and then a huge one */
				if (m->now.ns < INT64_MAX / 4)
					model_advance(
						m, reeve_time_add(m->now, random_delay(&r) >> 14));
				break;
			case 2: /* back */
				model_advance(
					m, reeve_time_add(m->now, -(random_delay(&r) % m->now.ns)));
				break;
			case 3: /* to the deadline, as a loop does */
				if (reeve_time_before(timers_deadline(&m->wheel),
						      (struct reeve_time){ INT64_MAX / 4 }))
					model_advance(m, timers_deadline(&m->wheel));
				break;
			case 4: /* in the past */
				model_arm(m, i,
					  reeve_time_add(m->now, -(random_delay(&r) % m->now.ns)));
				break;
			default:
				model_arm(m, i, reeve_time_add(m->now, random_delay(&r)));
			}
			model_check_deadline(m);
		}
		assert_int_equal(m->wheel.armed, armed_count(m));
	}
	free(m);
}

/* A loop that sleeps until each deadline finds every timer, in order of time, in few steps. */
static void test_deadlines_lead_to_every_timer(void **state)
{
	struct random r = seeded(2);
	struct model *m = malloc(sizeof(*m));
	int steps = 0;

	(void)state;
	model_init(m);
	for (int i = 0; i < COUNT; i++)
		model_arm(m, i, reeve_time_add(start, (int64_t)(random_u64(&r) >> 20)));
	while (m->wheel.armed > 0) {
		model_advance(m, timers_deadline(&m->wheel));
		assert_true(++steps <= COUNT * TIMERS_LEVELS);
	}
	free(m);
}

static void test_order(void **state)
{
	struct timers wheel;
	struct timer timer[3];

	(void)state;
	timers_init(&wheel, start);
	for (int i = 0; i < 3; i++)
		timer_init(&timer[i], (uint8_t)i);
	timer_arm(&wheel, &timer[0], reeve_time_add_ms(start, 300));
	timer_arm(&wheel, &timer[1], reeve_time_add_ms(start, 100));
	timer_arm(&wheel, &timer[2], reeve_time_add_ms(start, 200));
	timers_advance(&wheel, reeve_time_add_ms(start, 1000));
	assert_ptr_equal(timers_next(&wheel), &timer[1]);
	assert_ptr_equal(timers_next(&wheel), &timer[2]);
	/* One that is due may still be taken back. */
	timer_disarm(&wheel, &timer[0]);
	assert_null(timers_next(&wheel));
	assert_true(reeve_time_is_never(timers_deadline(&wheel)));
}

/* The embedder's clock may begin anywhere. */
static void test_below_zero(void **state)
{
	struct timers t;
	struct timer timer;

	(void)state;
	timers_init(&t, (struct reeve_time){ -10 * REEVE_NS_PER_S });
	timer_init(&timer, 0);
	timer_arm(&t, &timer, (struct reeve_time){ -5 * REEVE_NS_PER_S });
	timers_advance(&t, (struct reeve_time){ -6 * REEVE_NS_PER_S });
	assert_null(timers_next(&t));
	assert_true(timers_deadline(&t).ns > -6 * REEVE_NS_PER_S);
	timers_advance(&t, (struct reeve_time){ -4 * REEVE_NS_PER_S });
	assert_ptr_equal(timers_next(&t), &timer);
	timer_arm(&t, &timer, (struct reeve_time){ REEVE_NS_PER_S });
	timers_advance(&t, (struct reeve_time){ 0 });
	assert_null(timers_next(&t));
	timers_advance(&t, (struct reeve_time){ 2 * REEVE_NS_PER_S });
	assert_ptr_equal(timers_next(&t), &timer);
}

static void test_ends_of_time(void **state)
{
	struct timers wheel;
	struct timer timer;

	(void)state;
	timers_init(&wheel, (struct reeve_time){ 0 });
	timer_init(&timer, 1);
	timer_arm(&wheel, &timer, REEVE_NEVER);
	assert_false(timer_is_armed(&timer));
	assert_true(reeve_time_is_never(timers_deadline(&wheel)));

	const struct reeve_time last = { INT64_MAX - 1 };

	timer_arm(&wheel, &timer, last);
	assert_true(timer_is_armed(&timer));
	assert_true(timers_deadline(&wheel).ns > 0);
	timers_advance(&wheel, (struct reeve_time){ INT64_MAX - 2 * TICK_NS });
	assert_null(timers_next(&wheel));
	assert_true(timers_deadline(&wheel).ns > INT64_MAX - 2 * TICK_NS);

	/* A clock that starts at zero or below is a clock like any other. */
	timers_init(&wheel, (struct reeve_time){ -5 });
	timer_init(&timer, 1);
	timer_arm(&wheel, &timer, (struct reeve_time){ -3 });
	timers_advance(&wheel, (struct reeve_time){ -3 + TICK_NS });
	assert_ptr_equal(timers_next(&wheel), &timer);
}

static void test_rearming_while_due_does_not_spin(void **state)
{
	struct timers wheel;
	struct timer timer;

	(void)state;
	timers_init(&wheel, start);
	timer_init(&timer, 1);
	timer_arm(&wheel, &timer, start);
	timers_advance(&wheel, reeve_time_add(start, TICK_NS));
	assert_ptr_equal(timers_next(&wheel), &timer);
	timer_arm(&wheel, &timer, reeve_time_add(start, TICK_NS + 1));
	assert_null(timers_next(&wheel));
	assert_true(reeve_time_before(reeve_time_add(start, TICK_NS), timers_deadline(&wheel)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_deadlines_lead_to_every_timer),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_ends_of_time),
		cmocka_unit_test(test_below_zero),
		cmocka_unit_test(test_rearming_while_due_does_not_spin),
	};

	return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
