/* Records by number: none is another's memory, and blocks go when they are empty. */
#include "base/records.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "seed.h"

#define MOST 3000
#define BITS 7

static unsigned count_blocks(const struct records *r)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < r->room; i++)
		n += r->blocks[i] != NULL;
	return n;
}

/* Each is written full of a number of its own, which stays until it is freed; and all go. */
static void test_against_a_reference(void **state)
{
	static const size_t sizes[] = { 8, 56, 168 };
	static const unsigned bits[] = { 7, 5, 0 };
	struct random random = seeded(1);

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		static uint32_t numbers[MOST];
		static uint8_t marks[MOST];
		const size_t size = sizes[k];
		uint8_t expected[168];
		unsigned have = 0;
		struct records r;

		records_init(&r, size, bits[k]);
		for (unsigned step = 0; step < 50000; step++) {
			if (random_below(&random, MOST) >= have) {
				numbers[have] = records_new(&r);
				assert_true(numbers[have] > 0);

				uint8_t *const p = records_at(&r, numbers[have]);

				for (size_t i = 0; i < size; i++)
					assert_int_equal(p[i], 0);
				marks[have] = (uint8_t)step;
				memset(p, marks[have++], size);
				continue;
			}

			const unsigned i = random_below(&random, have);

			memset(expected, marks[i], size);
			assert_memory_equal(records_at(&r, numbers[i]), expected, size);
			records_free(&r, numbers[i]);
			numbers[i] = numbers[--have];
			marks[i] = marks[have];
			assert_int_equal(r.count, have);
		}
		for (; have > 0; have--) {
			memset(expected, marks[have - 1], size);
			assert_memory_equal(records_at(&r, numbers[have - 1]), expected, size);
			records_free(&r, numbers[have - 1]);
		}
		assert_int_equal(count_blocks(&r), 0);
		assert_int_equal(r.room, 0);
		records_deinit(&r);
	}
}

/* First in, first out: what is left takes no more blocks than it needs. */
static void test_blocks_go_in_order(void **state)
{
	enum { ALL = 64 << BITS };
	static uint32_t numbers[ALL];
	struct records r;

	(void)state;
	records_init(&r, 56, BITS);
	for (unsigned i = 0; i < ALL; i++)
		numbers[i] = records_new(&r);
	assert_int_equal(count_blocks(&r), 64);
	for (unsigned i = 0; i < ALL; i++) {
		records_free(&r, numbers[i]);
		/* The last one that is empty is kept. */
		assert_true(count_blocks(&r) <= ((ALL - i - 2) >> BITS) + 2);
	}
	assert_int_equal(count_blocks(&r), 0);
	records_deinit(&r);
}

/* One at a time costs no allocation each. */
static void test_the_last_block_is_kept(void **state)
{
	struct records r;

	(void)state;
	records_init(&r, 8, BITS);

	const uint32_t first = records_new(&r);

	records_free(&r, first);
	assert_int_equal(count_blocks(&r), 1);
	assert_int_equal(records_new(&r), first);
	records_free(&r, first);
	records_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_reference),
		cmocka_unit_test(test_blocks_go_in_order),
		cmocka_unit_test(test_the_last_block_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
