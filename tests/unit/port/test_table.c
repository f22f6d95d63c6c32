/*
 * The table of pointers against an array that is searched from end to end, with hashes that
 * collide as much as hashes can; and that no call ever does much.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "port/table.h"

#include "../base/cmocka_all.h"
#include "../base/seed.h"

#define ENTRIES 3000

struct model {
	struct port_table table;
	char entries[ENTRIES];
	uint64_t hashes[ENTRIES];
	bool present[ENTRIES];
	size_t count;
};

static void check_one(const struct model *m, unsigned i)
{
	struct port_table_probe probe = { 0 };
	unsigned times = 0;
	void *found;

	while ((found = port_table_find(&m->table, m->hashes[i], &probe))) {
		const size_t index = (size_t)((char *)found - m->entries);

		assert_true(index < ENTRIES && m->present[index]);
		assert_int_equal(m->hashes[index], m->hashes[i]);
		times += index == i;
	}
	assert_int_equal(times, m->present[i]);
}

static void check_all(const struct model *m)
{
	bool seen[ENTRIES] = { 0 };
	uint64_t cursor = 0;
	size_t count = 0;
	void *found;

	for (unsigned i = 0; i < ENTRIES; i++)
		check_one(m, i);
	for (; (found = port_table_walk(&m->table, &cursor)); count++) {
		const size_t index = (size_t)((char *)found - m->entries);

		assert_true(m->present[index] && !seen[index]);
		seen[index] = true;
	}
	assert_int_equal(count, m->count);
	assert_int_equal(port_table_count(&m->table), m->count);
}

static void toggle(struct model *m, unsigned i)
{
	if (m->present[i]) {
		port_table_remove(&m->table, m->hashes[i], &m->entries[i]);
		m->count--;
	} else {
		assert_int_equal(port_table_add(&m->table, m->hashes[i], &m->entries[i]), 0);
		m->count++;
	}
	m->present[i] = !m->present[i];
}

/* Grows and shrinks in waves; `bits` of the hash differ at all. */
static void churn(struct random *random, unsigned bits, bool top)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	port_table_init(&m->table);
	for (unsigned i = 0; i < ENTRIES; i++) {
		m->hashes[i] = random_u64(random) & ((UINT64_C(1) << bits) - 1);
		if (top)
			m->hashes[i] <<= 64 - bits;
	}
	for (unsigned wave = 0; wave < 6; wave++) {
		const unsigned aim = random_below(random, ENTRIES);

		for (unsigned i = 0; i < 4 * ENTRIES; i++) {
			const unsigned at = random_below(random, ENTRIES);

			if (m->present[at] == (at < aim))
				continue;
			toggle(m, at);
			check_one(m, at);
			check_one(m, random_below(random, ENTRIES));
		}
		check_all(m);
	}
	for (unsigned i = 0; i < ENTRIES; i++) {
		if (m->present[i])
			toggle(m, i);
	}
	check_all(m);
	/* Empty, it holds next to no memory. */
	assert_true(m->table.now.bits <= 3);
	assert_null(m->table.old.chunks);
	port_table_deinit(&m->table);
	free(m);
}

static void test_good_hashes(void **state)
{
	struct random random = seeded(1);

	(void)state;
	churn(&random, 63, false);
}

static void test_colliding_hashes(void **state)
{
	struct random random = seeded(2);

	(void)state;
	churn(&random, 8, false);
	churn(&random, 12, false);
}

/* All have the same home: one run of slots as long as the table is full. */
static void test_one_home(void **state)
{
	struct random random = seeded(3);

	(void)state;
	churn(&random, 12, true);
}

/* Every home is the last slot of the table at any size: all runs wrap around. */
static void test_wrapping(void **state)
{
	struct random random = seeded(4);
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	assert_non_null(m);
	for (unsigned i = 0; i < ENTRIES; i++)
		m->hashes[i] = ~UINT64_C(0) - random_below(&random, 4);
	for (unsigned i = 0; i < 20000; i++) {
		const unsigned at = random_below(&random, i < 10000 ? 400 : 40);

		toggle(m, at);
		if (i % 100 == 0)
			check_all(m);
	}
	check_all(m);
	port_table_deinit(&m->table);
	free(m);
}

/* While it grows from nothing to 100,000 and shrinks back, no call moves more than 24 entries, and
 * memory stays in proportion. */
static void test_never_pauses(void **state)
{
	struct random random = seeded(5);
	static char entries[100000];
	static uint64_t hashes[100000];
	struct port_table t;
	unsigned moving = 0;

	(void)state;
	port_table_init(&t);
	for (unsigned i = 0; i < 2 * sizeof(entries); i++) {
		const unsigned at = i % sizeof(entries);
		const size_t before = t.old.count;
		const bool was_moving = t.old.chunks;

		if (i < sizeof(entries)) {
			hashes[at] = random_u64(&random);
			assert_int_equal(port_table_add(&t, hashes[at], &entries[at]), 0);
		} else {
			port_table_remove(&t, hashes[at], &entries[at]);
		}
		if (was_moving && t.old.count <= before)
			assert_true(before - t.old.count <= 25);
		moving += t.old.chunks != NULL;
		assert_true(t.now.count <= (((size_t)1 << t.now.bits) * 3 + 3) / 4);
		assert_true(((size_t)1 << t.now.bits) <= 16 * (port_table_count(&t) + 8));
	}
	assert_true(moving > 1000);
	assert_int_equal(port_table_count(&t), 0);
	port_table_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_hashes),  cmocka_unit_test(test_colliding_hashes),
		cmocka_unit_test(test_one_home),     cmocka_unit_test(test_wrapping),
		cmocka_unit_test(test_never_pauses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
