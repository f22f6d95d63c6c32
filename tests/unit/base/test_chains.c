/* A hash table of numbered records: all are found, also with one hash, and it is as large as they. */
#include "base/chains.h"

#include <string.h>

#include "base/check.h"
#include "cmocka_all.h"
#include "seed.h"

#define NAMES 6000 /* more than a chunk of heads is for */

struct member {
	uint32_t next;
	uint32_t name;
};

struct reference {
	struct chains chains;
	struct records records;
	uint32_t numbers[NAMES]; /* by name; 0: it is not there */
	uint32_t count;
	uint32_t hashes; /* that there are */
};

static uint64_t hash_of(const struct reference *r, uint32_t name)
{
	return name % r->hashes * UINT64_C(0x9e3779b97f4a7c15) >> 7;
}

static uint64_t hash_member(const struct chains *c, const void *record)
{
	const struct member *const m = record;

	return hash_of(container_of_const(c, struct reference, chains), m->name);
}

static struct member *member_at(const struct reference *r, uint32_t number)
{
	return records_at(&r->records, number);
}

static uint32_t find(const struct reference *r, uint32_t name)
{
	uint32_t number = chains_first(&r->chains, hash_of(r, name));

	while (number && member_at(r, number)->name != name)
		number = chains_next(&r->chains, number);
	return number;
}

static void step(struct reference *r, uint32_t name)
{
	if (r->numbers[name]) {
		chains_remove(&r->chains, r->numbers[name]);
		records_free(&r->records, r->numbers[name]);
		r->numbers[name] = 0;
		r->count--;
		return;
	}
	r->numbers[name] = records_new(&r->records);
	member_at(r, r->numbers[name])->name = name;
	assert_int_equal(chains_add(&r->chains, r->numbers[name]), 0);
	r->count++;
}

static void agree(const struct reference *r)
{
	static bool is_seen[NAMES];
	uint64_t cursor = 0;
	uint32_t number, walked = 0;

	memset(is_seen, 0, sizeof(is_seen));
	for (; (number = chains_walk(&r->chains, &cursor)); walked++) {
		const uint32_t name = member_at(r, number)->name;

		assert_int_equal(number, r->numbers[name]);
		assert_false(is_seen[name]);
		is_seen[name] = true;
	}
	assert_int_equal(walked, r->count);
	assert_int_equal(r->chains.count, r->count);
	assert_true(r->chains.bucket_count <= r->count + 1);
	assert_true(r->chains.bucket_count * 2 >= r->count);
}

/* It grows, is about as full for a while, and empties. */
static void run(uint32_t hashes)
{
	static struct reference r;
	struct random random = seeded(1);

	r.hashes = hashes;
	records_init(&r.records, sizeof(struct member), 7);
	chains_init(&r.chains, &r.records, offsetof(struct member, next), hash_member);
	for (unsigned n = 0; n < 16000; n++) {
		step(&r, random_below(&random, n < 12000 ? NAMES : 50));
		const uint32_t name = random_below(&random, NAMES);

		assert_int_equal(find(&r, name), r.numbers[name]);
		if (n % 500 == 0)
			agree(&r);
	}
	for (uint32_t name = 0; name < NAMES; name++) {
		if (r.numbers[name])
			step(&r, name);
		if (name % 500 == 0)
			agree(&r);
	}
	agree(&r);
	assert_int_equal(find(&r, 0), 0);
	chains_deinit(&r.chains);
	records_deinit(&r.records);
}

static void test_against_a_reference(void **state)
{
	(void)state;
	run(NAMES);
}

static void test_few_hashes(void **state)
{
	(void)state;
	run(20);
}

/* One at a time costs no allocation each; a few have few heads. */
static void test_small(void **state)
{
	static struct reference r;

	(void)state;
	r.hashes = NAMES;
	records_init(&r.records, sizeof(struct member), 7);
	chains_init(&r.chains, &r.records, offsetof(struct member, next), hash_member);
	step(&r, 1);
	assert_int_equal(r.chains.head_room, 8);
	step(&r, 1);
	assert_int_equal(r.chains.head_room, 8);
	for (uint32_t name = 0; name < 40; name++)
		step(&r, name);
	assert_int_equal(r.chains.head_room, 32);
	for (uint32_t name = 0; name < 40; name++)
		step(&r, name);
	assert_int_equal(r.chains.head_room, 0);
	chains_deinit(&r.chains);
	records_deinit(&r.records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_reference),
		cmocka_unit_test(test_few_hashes),
		cmocka_unit_test(test_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
