/* Rings of numbered records: what an array does, and each knows its number. */
#include "base/ring.h"

#include <string.h>

#include "cmocka_all.h"
#include "seed.h"

#define MEMBERS 40

struct member {
	uint64_t other;
	struct ring_link link;
};

struct reference {
	struct records records;
	struct rings rings;
	uint32_t all[MEMBERS]; /* numbers */
	uint32_t first;
	uint32_t in[MEMBERS]; /* in order */
	unsigned count;
};

static struct member *member_at(const struct reference *r, uint32_t number)
{
	return records_at(&r->records, number);
}

static void agree(const struct reference *r)
{
	uint32_t number = r->first;

	for (unsigned i = 0; i < r->count; i++) {
		assert_int_equal(number, r->in[i]);
		assert_int_equal(ring_number(&r->rings, &member_at(r, number)->link), number);
		number = ring_next(&r->rings, r->first, number);
	}
	assert_int_equal(number, 0);
}

static unsigned position(const struct reference *r, uint32_t number)
{
	unsigned i = 0;

	while (i < r->count && r->in[i] != number)
		i++;
	return i;
}

static void step(struct reference *r, uint32_t number, bool in_front)
{
	const unsigned i = position(r, number);

	if (i < r->count) {
		ring_remove(&r->rings, &r->first, number);
		assert_int_equal(member_at(r, number)->link.next, 0);
		assert_int_equal(member_at(r, number)->link.previous, 0);
		r->count--;
		memmove(&r->in[i], &r->in[i + 1], (r->count - i) * sizeof(r->in[0]));
	} else if (in_front) {
		ring_prepend(&r->rings, &r->first, number);
		memmove(&r->in[1], &r->in[0], r->count * sizeof(r->in[0]));
		r->in[0] = number;
		r->count++;
	} else {
		ring_append(&r->rings, &r->first, number);
		r->in[r->count++] = number;
	}
}

/* With few and with many members. */
static void test_against_a_reference(void **state)
{
	static struct reference r;
	struct random random = seeded(1);

	(void)state;
	records_init(&r.records, sizeof(struct member), 3);
	r.rings = (struct rings){ &r.records, offsetof(struct member, link) };
	for (unsigned i = 0; i < MEMBERS; i++)
		r.all[i] = records_new(&r.records);
	for (unsigned n = 0; n < 20000; n++) {
		const unsigned among = n < 10000 ? MEMBERS : 3;

		step(&r, r.all[random_below(&random, among)], random_below(&random, 2));
		agree(&r);
	}
	while (r.count > 0)
		step(&r, r.in[r.count / 2], false);
	agree(&r);
	for (unsigned i = 0; i < MEMBERS; i++) {
		assert_int_equal(member_at(&r, r.all[i])->other, 0);
		records_free(&r.records, r.all[i]);
	}
	records_deinit(&r.records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
