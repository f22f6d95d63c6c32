/*
 * The port space against its model (tests/model/space.h): random operations over few ports and
 * addresses. Then the same while allocations fail: -ENOMEM changes nothing.
 */
#include "../../model/space.h"

#include "base/check.h"

#include "../base/cmocka_all.h"
#include "../base/seed.h"

struct plan {
	struct space_plan space;
	uint32_t steps;
};

static void run(const struct plan *plan, uint64_t seed, bool failing)
{
	const struct choice choice = { .random = seeded(seed) };
	struct space_model *const m = space_model_new(&plan->space, &choice);

	for (uint32_t n = 0; n < plan->steps; n++)
		space_model_step(m, failing);

	const struct space_model_counts counts = space_model_free(m);

	print_message(
		"# %u succeeded, %u were refused, %u without memory, %u TIME-WAITs replaced\n",
		counts.succeeded, counts.refused, counts.starved, counts.replaced);
	assert_true(counts.succeeded > plan->steps / 50 && counts.refused > plan->steps / 100);
	assert_int_equal(failing, counts.starved > 0);
}

static const struct plan plans[] = {
	{ { PORT_TCP, 2000, 2005, 24, 6, { 6, 10, 3, 4, 8, 2, 3, 3, 2, 6 } }, 40000 },
	{ { PORT_UDP, 2000, 2005, 24, 6, { 6, 10, 3, 0, 10, 4, 0, 0, 2, 6 } }, 40000 },
	/* Few are released: the range is full and shared, and TIME-WAITs are all that is left. */
	{ { PORT_TCP, 65532, 65535, 40, 4, { 1, 2, 1, 1, 16, 1, 1, 8, 1, 4 } }, 40000 },
	{ { PORT_UDP, 65532, 65535, 40, 4, { 1, 2, 1, 0, 16, 3, 0, 0, 1, 4 } }, 40000 },
	/* Most bind to port 0. */
	{ { PORT_TCP, 3000, 3000, 12, 12, { 4, 10, 3, 2, 6, 3, 1, 2, 1, 6 } }, 20000 },
	/* Bitmaps, and ports with more addresses than a bucket lists. */
	{ { PORT_TCP, 5000, 5099, 300, 12, { 2, 12, 4, 4, 20, 2, 4, 4, 1, 8 } }, 6000 },
	{ { PORT_UDP, 5000, 5099, 300, 12, { 2, 12, 4, 0, 20, 3, 0, 0, 1, 8 } }, 6000 },
	{ { PORT_TCP, 5000, 5003, 300, 26, { 2, 12, 4, 8, 6, 2, 8, 4, 1, 8 } }, 6000 },
};

static void test_random_operations(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(plans); i++)
		run(&plans[i], 100 + i, false);
}

static void test_failing_allocations(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(plans); i++)
		run(&plans[i], 200 + i, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
