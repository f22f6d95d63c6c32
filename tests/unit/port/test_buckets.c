/* Buckets by port: what an array does, in little more memory than they need; and none while there is
 * no memory. */
#include "port/buckets.h"

#include <string.h>

#include "../../model/failing.h"
#include "../base/cmocka_all.h"
#include "../base/seed.h"

#define PORTS 65536

struct reference {
	struct buckets buckets;
	uint32_t first[PORTS]; /* 0: there is none */
	unsigned count;
};

static void add(struct reference *r, uint16_t port, uint32_t first)
{
	struct bucket *const b = buckets_add(&r->buckets, port);

	assert_non_null(b);
	assert_null(buckets_find(&r->buckets, port));
	assert_int_equal(b->first, 0);
	assert_int_equal(b->bound, 0);
	b->first = first;
	b->bound = first;
	r->first[port] = first;
	r->count++;
}

static void take_out(struct reference *r, uint16_t port)
{
	struct bucket *const b = buckets_find(&r->buckets, port);

	*b = (struct bucket){ 0 };
	buckets_remove(&r->buckets, port);
	r->first[port] = 0;
	r->count--;
}

static void agree_on(const struct reference *r, uint16_t port)
{
	const struct bucket *const b = buckets_find(&r->buckets, port);

	assert_int_equal(b ? b->first : 0, r->first[port]);
	assert_int_equal(b ? b->bound : 0, r->first[port]);
}

/* Few, neighbours, and all over the range. */
static void test_against_a_reference(void **state)
{
	static const struct hash_key key = { 1, 2 };
	static const uint32_t among[] = { 3, 100, PORTS };
	static struct reference r;
	struct random random = seeded(1);

	(void)state;
	buckets_init(&r.buckets, &key);
	for (uint32_t n = 1; n <= 90000; n++) {
		const uint32_t ports = among[n / 30001];
		const uint16_t port = (uint16_t)(PORTS - 1 - random_below(&random, ports));

		if (r.first[port])
			take_out(&r, port);
		else
			add(&r, port, n);
		agree_on(&r, (uint16_t)(PORTS - 1 - random_below(&random, ports)));
		assert_true(r.buckets.records.count <= r.count);
	}
	for (uint32_t port = 0; port < PORTS; port++) {
		agree_on(&r, (uint16_t)port);
		if (r.first[port])
			take_out(&r, (uint16_t)port);
	}
	assert_int_equal(r.buckets.records.count, 0);
	buckets_deinit(&r.buckets);
}

/* Whichever allocation fails. */
static void test_failing_allocations(void **state)
{
	static const struct hash_key key = { 1, 2 };

	(void)state;
	for (unsigned n = 0;; n++) {
		static struct reference r;

		buckets_init(&r.buckets, &key);
		fail_allocation_after(n);

		struct bucket *const b = buckets_add(&r.buckets, 80);

		if (!stop_failing()) {
			assert_true(n > 2);
			buckets_remove(&r.buckets, 80);
			buckets_deinit(&r.buckets);
			return;
		}
		assert_null(b);
		assert_null(buckets_find(&r.buckets, 80));
		assert_int_equal(r.buckets.records.count, 0);
		add(&r, 80, 1);
		take_out(&r, 80);
		buckets_deinit(&r.buckets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_reference),
		cmocka_unit_test(test_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
