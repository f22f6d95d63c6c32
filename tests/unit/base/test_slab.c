/* Records of one size: none is another's memory, and blocks go when they are empty. */
#include "base/slab.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "seed.h"

#define MOST 500

static unsigned count(const struct slab *s)
{
	unsigned n = 0;

	for (const struct list *l = s->room.next; l != &s->room; l = l->next)
		n++;
	return n;
}

/* Against plain memory: what was written stays until the record is freed. */
static void test_against_a_reference(void **state)
{
	struct random random = seeded(1);
	static const size_t sizes[] = { 1, 8, 13, 168 };

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint8_t *records[MOST], reference[MOST][168];
		const size_t size = sizes[k];
		unsigned have = 0;
		struct slab s;

		slab_init(&s, size);
		for (unsigned step = 0; step < 20000; step++) {
			const bool more = random_below(&random, MOST) >= have;

			if (more) {
				records[have] = slab_new(&s);
				for (size_t i = 0; i < size; i++)
					assert_int_equal(records[have][i], 0);
				memset(records[have], (int)(step & 0xff), size);
				memset(reference[have], (int)(step & 0xff), size);
				have++;
				continue;
			}
			const unsigned i = random_below(&random, have);

			assert_memory_equal(records[i], reference[i], size);
			slab_free(&s, records[i]);
			records[i] = records[--have];
			memcpy(reference[i], reference[have], size);
		}
		while (have > 0) {
			assert_memory_equal(records[have - 1], reference[have - 1], size);
			slab_free(&s, records[--have]);
		}
		assert_int_equal(count(&s), 1);
		slab_deinit(&s);
	}
}

static void test_blocks_go_when_they_are_empty(void **state)
{
	void *records[4 * SLAB_RECORDS];
	struct slab s;

	(void)state;
	slab_init(&s, 40);
	for (unsigned i = 0; i < 4 * SLAB_RECORDS; i++)
		records[i] = slab_new(&s);
	assert_int_equal(count(&s), 0); /* all are full */
	for (unsigned i = 0; i < 3 * SLAB_RECORDS; i++)
		slab_free(&s, records[i]);
	assert_int_equal(count(&s), 1); /* three are empty, of which one is kept */
	for (unsigned i = 0; i < SLAB_RECORDS; i++)
		records[i] = slab_new(&s);
	assert_int_equal(count(&s), 0);
	for (unsigned i = 0; i < SLAB_RECORDS; i++) {
		slab_free(&s, records[i]);
		slab_free(&s, records[3 * SLAB_RECORDS + i]);
	}
	assert_int_equal(count(&s), 1);
	slab_free(&s, NULL);
	slab_deinit(&s);
}

/* A place in a block that is in use is taken before one in the spare block. */
static void test_the_spare_block_is_the_last(void **state)
{
	void *records[2 * SLAB_RECORDS];
	struct slab s;

	(void)state;
	slab_init(&s, 8);
	for (unsigned i = 0; i < 2 * SLAB_RECORDS; i++)
		records[i] = slab_new(&s);
	for (unsigned i = 0; i < SLAB_RECORDS; i++)
		slab_free(&s, records[i]);
	slab_free(&s, records[SLAB_RECORDS]);
	assert_int_equal(count(&s), 2);
	assert_ptr_equal(slab_new(&s), records[SLAB_RECORDS]);
	assert_int_equal(count(&s), 1);
	for (unsigned i = SLAB_RECORDS; i < 2 * SLAB_RECORDS; i++)
		slab_free(&s, records[i]);
	assert_int_equal(count(&s), 1);
	slab_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_reference),
		cmocka_unit_test(test_blocks_go_when_they_are_empty),
		cmocka_unit_test(test_the_spare_block_is_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
