/*
 * Sets of ports against arrays of bool, and the choice: every free port, no other, each as likely
 * as the next at any fill, at a cost that doesn't depend on it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "port/ephemeral.h"
#include "port/registry.h"

#include "../base/cmocka_all.h"
#include "../base/seed.h"
#include "uniform.h"

#define ALL 65536

static struct ephemeral make(uint16_t first, uint16_t last)
{
	static const uint8_t seed[32] = { 1, 2, 3 };
	struct ephemeral e;

	assert_int_equal(ephemeral_init(&e, first, last, seed), 0);
	return e;
}

struct range {
	uint16_t first, last;
};

/* Word and group boundaries, a single port, the defaults, everything. */
static const struct range ranges[] = {
	{ 49152, 65535 }, { 1024, 65535 }, { 32768, 60999 }, { 1025, 1025 },   { 65535, 65535 },
	{ 2047, 2048 },   { 2048, 2111 },  { 3000, 3009 },   { 10000, 10511 }, { 64000, 65535 },
};

static void test_ranges(void **state)
{
	static const uint8_t seed[32];
	struct ephemeral e;

	(void)state;
	assert_int_equal(ephemeral_init(&e, 1023, 2000, seed), -EINVAL);
	assert_int_equal(ephemeral_init(&e, 0, 65535, seed), -EINVAL);
	assert_int_equal(ephemeral_init(&e, 2001, 2000, seed), -EINVAL);
	for (size_t i = 0; i < array_length(ranges); i++) {
		e = make(ranges[i].first, ranges[i].last);
		assert_int_equal(e.count, ranges[i].last - ranges[i].first + 1);
		for (uint32_t port = 0; port < ALL; port++)
			assert_int_equal(ephemeral_covers(&e, (uint16_t)port),
					 port >= ranges[i].first && port <= ranges[i].last);
		ephemeral_deinit(&e);
	}
}

struct model {
	struct ephemeral_set set;
	bool has[ALL];
	uint32_t count;
};

static void model_toggle(struct model *m, const struct ephemeral *e, uint16_t port)
{
	if (m->has[port]) {
		ephemeral_set_remove(&m->set, e, port);
		m->count--;
	} else {
		assert_int_equal(ephemeral_set_add(&m->set, e, port), 0);
		m->count++;
	}
	m->has[port] = !m->has[port];
}

static void model_check(const struct model *m, const struct ephemeral *e)
{
	assert_int_equal(m->set.count, m->count);
	for (uint32_t port = e->first; port <= e->last; port++) {
		if (ephemeral_covers(e, (uint16_t)port))
			assert_int_equal(ephemeral_set_has(&m->set, e, (uint16_t)port),
					 m->has[port]);
	}
	if (m->set.words) {
		uint32_t free = 0;

		for (uint32_t g = 0; g < (e->words + 7) / 8; g++)
			free += m->set.group_free[g];
		assert_int_equal(free, e->count - m->count);
	}
}

static uint16_t random_port(struct random *random, const struct ephemeral *e)
{
	uint16_t port;

	do
		port = (uint16_t)(e->first +
				  random_below(random, (uint32_t)e->last - e->first + 1));
	while (!ephemeral_covers(e, port));
	return port;
}

static void test_sets(void **state)
{
	struct random random = seeded(1);
	struct model *m = malloc(sizeof(*m));

	(void)state;
	assert_non_null(m);
	for (size_t i = 0; i < array_length(ranges); i++) {
		struct ephemeral e = make(ranges[i].first, ranges[i].last);

		memset(m, 0, sizeof(*m));
		ephemeral_set_init(&m->set);
		if (i % 2)
			assert_int_equal(ephemeral_set_reserve(&m->set, &e), 0);
		/* Up and down across the border between list and bitmap, then full, then empty. */
		for (unsigned n = 0; n < 2000; n++) {
			const uint16_t port = random_port(&random, &e);
			const uint32_t aim = n % 400 < 200 ? 60 : 4;

			if (m->has[port] == (m->count > aim))
				model_toggle(m, &e, port);
			if (n % 50 == 0)
				model_check(m, &e);
		}
		for (uint32_t port = e.first; port <= e.last; port++) {
			if (!m->has[port])
				model_toggle(m, &e, (uint16_t)port);
		}
		model_check(m, &e);
		assert_int_equal(ephemeral_choose(&e, &m->set, NULL, NULL), 0);
		for (uint32_t port = e.last; port >= e.first; port--)
			model_toggle(m, &e, (uint16_t)port);
		model_check(m, &e);
		if (!(i % 2))
			assert_null(m->set.words);
		ephemeral_set_deinit(&m->set);
		ephemeral_deinit(&e);
	}
	free(m);
}

struct fill {
	unsigned a, b,
		within; /* per mille taken of a and b, and put into within; 1000: no such set */
};

static void fill_set(struct random *random, const struct ephemeral *e, struct ephemeral_set *s,
		     unsigned per_mille)
{
	ephemeral_set_init(s);
	for (uint32_t port = e->first; port <= e->last; port++) {
		if (ephemeral_covers(e, (uint16_t)port) && random_below(random, 1000) < per_mille)
			assert_int_equal(ephemeral_set_add(s, e, (uint16_t)port), 0);
	}
}

static void try_fill(struct random *random, struct ephemeral *e, const struct fill *f)
{
	static uint32_t drawn[ALL];
	static bool free[ALL];
	struct ephemeral_set a, b, within;
	uint32_t ports = 0;

	fill_set(random, e, &a, f->a);
	fill_set(random, e, &b, f->b == 1000 ? 0 : f->b);
	fill_set(random, e, &within, f->within == 1000 ? 0 : f->within);
	memset(drawn, 0, sizeof(drawn));
	for (uint32_t p = 0; p < ALL; p++) {
		const uint16_t port = (uint16_t)p;

		free[p] = ephemeral_covers(e, port) && !ephemeral_set_has(&a, e, port) &&
			  !ephemeral_set_has(&b, e, port) &&
			  (f->within == 1000 || ephemeral_set_has(&within, e, port));
		ports += free[p];
	}

	const uint32_t draws = ports < 500 ? 20000 : 40 * ports;

	for (uint32_t i = 0; i < draws; i++) {
		const uint64_t steps = e->steps;
		const uint16_t port = ephemeral_choose(e, &a, f->b == 1000 ? NULL : &b,
						       f->within == 1000 ? NULL : &within);

		assert_true(e->steps - steps <= 3 * e->words + 8 * 200);
		if (!ports) {
			assert_int_equal(port, 0);
			break;
		}
		assert_true(free[port]);
		drawn[port]++;
	}
	if (ports)
		check_uniform(drawn, free, ports, draws);
	ephemeral_set_deinit(&a);
	ephemeral_set_deinit(&b);
	ephemeral_set_deinit(&within);
}

static void test_uniform(void **state)
{
	static const struct fill fills[] = {
		{ 0, 1000, 1000 },   { 10, 1000, 1000 },  { 300, 1000, 1000 }, { 500, 1000, 1000 },
		{ 600, 1000, 1000 }, { 900, 1000, 1000 }, { 990, 1000, 1000 }, { 999, 1000, 1000 },
		{ 300, 300, 1000 },  { 800, 20, 1000 },   { 20, 800, 1000 },   { 970, 970, 1000 },
		{ 0, 999, 1000 },    { 0, 1000, 5 },      { 500, 1000, 500 },  { 900, 1000, 100 },
		{ 10, 10, 990 },     { 300, 600, 300 },   { 990, 900, 50 },    { 0, 0, 0 },
	};
	struct random random = seeded(2);

	(void)state;
	for (size_t i = 0; i < array_length(fills); i++) {
		struct ephemeral small = make(20001, 22999);
		struct ephemeral tiny = make(4000, 4010);

		try_fill(&random, &small, &fills[i]);
		try_fill(&random, &tiny, &fills[i]);
		ephemeral_deinit(&small);
		ephemeral_deinit(&tiny);
	}
}

/* Taken one by one until none is left: each once, the last of all included. */
static void test_to_the_last_port(void **state)
{
	static bool seen[ALL];

	(void)state;
	for (size_t i = 0; i < array_length(ranges); i++) {
		struct ephemeral e = make(ranges[i].first, ranges[i].last);
		struct ephemeral_set taken;
		uint64_t most = 0;

		memset(seen, 0, sizeof(seen));
		ephemeral_set_init(&taken);
		for (uint32_t left = e.count; left; left--) {
			const uint64_t steps = e.steps;
			const uint16_t port = ephemeral_choose(&e, &taken, NULL, NULL);

			if (e.steps - steps > most)
				most = e.steps - steps;
			assert_in_range(port, e.first, e.last);
			assert_false(seen[port]);
			seen[port] = true;
			assert_int_equal(ephemeral_set_add(&taken, &e, port), 0);
		}
		assert_int_equal(ephemeral_choose(&e, &taken, NULL, NULL), 0);
		/* 128 groups, 8 words, and what was drawn in vain before. */
		assert_true(most <= 128 + 8 + 8 + 3);
		ephemeral_set_deinit(&taken);
		ephemeral_deinit(&e);
	}
}

static void test_the_mean_cost_is_flat(void **state)
{
	static const unsigned fills[] = { 0, 250, 500, 750, 900, 990, 999 };
	struct random random = seeded(3);

	(void)state;
	for (size_t i = 0; i < array_length(fills); i++) {
		struct ephemeral e = make(49152, 65535);
		struct ephemeral_set taken;

		fill_set(&random, &e, &taken, fills[i]);
		e.steps = 0;
		for (unsigned n = 0; n < 10000; n++)
			assert_true(ephemeral_choose(&e, &taken, NULL, NULL) != 0);
		/* By rank: half of 32 groups and half of 8 words, at the mean. */
		assert_true(e.steps <= 260000);
		ephemeral_set_deinit(&taken);
		ephemeral_deinit(&e);
	}
}

static void test_registered_services_are_avoided(void **state)
{
	static const bool protocols[] = { false, true };

	(void)state;
	for (size_t i = 0; i < array_length(protocols); i++) {
		const enum registry_protocol protocol = protocols[i] ? REGISTRY_UDP : REGISTRY_TCP;
		struct ephemeral e = make(1024, 65535);
		struct ephemeral_set taken;
		uint32_t left = 0;
		uint16_t port;

		assert_int_equal(ephemeral_avoid_registered(&e, protocols[i]), 0);
		ephemeral_set_init(&taken);
		for (uint32_t p = 1024; p < ALL; p++) {
			const bool named = registry_service_name((uint16_t)p, protocol);

			assert_int_equal(ephemeral_covers(&e, (uint16_t)p), !named);
			left += !named;
		}
		assert_int_equal(e.count, left);
		assert_true(left > 50000 && left < 64000);
		for (; (port = ephemeral_choose(&e, &taken, NULL, NULL)); left--) {
			assert_null(registry_service_name(port, protocol));
			assert_int_equal(ephemeral_set_add(&taken, &e, port), 0);
		}
		assert_int_equal(left, 0);
		ephemeral_set_deinit(&taken);
		ephemeral_deinit(&e);
	}

	/* A range of nothing but services has nothing to choose from. */
	struct ephemeral mysql = make(3306, 3306);

	assert_int_equal(ephemeral_avoid_registered(&mysql, false), -EINVAL);
	ephemeral_deinit(&mysql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_to_the_last_port),
		cmocka_unit_test(test_the_mean_cost_is_flat),
		cmocka_unit_test(test_registered_services_are_avoided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
