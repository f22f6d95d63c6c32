/* TIME-WAITs: found by their names, and in order of their end. */
#include "port/wait.h"

#include <string.h>

#include "../base/cmocka_all.h"
#include "../base/seed.h"
#include "port/demux.h"

#define NAMES 4096 /* to draw from */

/* The slow and obvious one: a list, oldest first. */
struct reference {
	struct waits table;
	struct {
		unsigned name;
		struct port_wait *wait;
		uint32_t since;
	} list[NAMES];
	unsigned count;
};

/* Few addresses and ports, so that names differ in one thing only; every fourth is IPv6's. */
static struct port_flow name_number(unsigned n)
{
	struct port_flow f = {
		.local_address = reeve_address_from_ipv4(0xc0000201 + (n >> 2 & 1)),
		.remote_address = reeve_address_from_ipv4(0xc6336401 + (n >> 3 & 3)),
		.local_port = (uint16_t)(80 + (n >> 5 & 7)),
		.remote_port = (uint16_t)(40000 + (n >> 8)),
	};

	if (n % 4)
		f.remote_port = (uint16_t)(f.remote_port + 1000 * (n % 4));
	if (n % 4 == 3) {
		assert_int_equal(reeve_address_parse("2001:db8::1", &f.local_address), 0);
		assert_int_equal(reeve_address_parse("2001:db8::2", &f.remote_address), 0);
		f.local_address.bytes[15] = (uint8_t)(1 + (n >> 2 & 1));
		f.remote_address.bytes[0] = (uint8_t)(0x20 + (n >> 3 & 3));
	}
	return f;
}

static struct port_wait *find(const struct waits *t, unsigned n)
{
	const struct port_flow f = name_number(n);
	const struct reeve_sockaddr local = { f.local_address, f.local_port, 0 };
	const struct reeve_sockaddr remote = { f.remote_address, f.remote_port, 0 };

	return waits_find(t, &local, &remote);
}

static unsigned position(const struct reference *r, unsigned name)
{
	unsigned i = 0;

	while (i < r->count && r->list[i].name != name)
		i++;
	return i;
}

static void take_out(struct reference *r, unsigned i)
{
	r->count--;
	memmove(&r->list[i], &r->list[i + 1], (r->count - i) * sizeof(r->list[0]));
}

static void put_last(struct reference *r, unsigned name, struct port_wait *w, struct reeve_time now)
{
	r->list[r->count].name = name;
	r->list[r->count].wait = w;
	r->list[r->count++].since = wait_tick_after(now);
}

static void agree_on(const struct reference *r, unsigned name)
{
	const unsigned i = position(r, name);

	assert_ptr_equal(find(&r->table, name), i < r->count ? r->list[i].wait : NULL);
}

/* In order, and each once by the walk. */
static void agree_on_all(const struct reference *r)
{
	const struct rings *const ages = &r->table.ages;
	uint32_t number = r->table.oldest;
	uint64_t cursor = 0;
	unsigned walked = 0;

	for (unsigned i = 0; i < r->count; i++) {
		const struct port_wait *const w = waits_at(&r->table, number);
		const struct port_flow f = name_number(r->list[i].name);
		const struct port_flow got = waits_name(w);

		assert_ptr_equal(w, r->list[i].wait);
		assert_int_equal(w->since, r->list[i].since);
		assert_memory_equal(&got.local_address, &f.local_address, 16);
		assert_memory_equal(&got.remote_address, &f.remote_address, 16);
		assert_int_equal(got.local_port, f.local_port);
		assert_int_equal(got.remote_port, f.remote_port);
		assert_int_equal(waits_number(&r->table, w), number);
		number = ring_next(ages, r->table.oldest, number);
	}
	assert_int_equal(number, 0);
	while (waits_walk(&r->table, &cursor))
		walked++;
	assert_int_equal(walked, r->count);
	assert_int_equal(waits_count(&r->table), r->count);
	assert_true(r->table.names.bucket_count <= r->count + 1);
	assert_true(r->table.names.bucket_count * 2 >= r->count);
}

static void step(struct reference *r, unsigned name, unsigned what, struct reeve_time now)
{
	const unsigned i = position(r, name);

	if (i == r->count) {
		const struct port_flow f = name_number(name);
		struct port_wait *const w = waits_add(&r->table, &f, now);

		assert_non_null(w);
		put_last(r, name, w, now);
	} else if (what == 0) {
		waits_renew(&r->table, r->list[i].wait, now);
		struct port_wait *const w = r->list[i].wait;

		take_out(r, i);
		put_last(r, name, w, now);
	} else {
		waits_remove(&r->table, r->list[i].wait);
		take_out(r, i);
	}
}

/* It grows, is about as full for a while, and empties. */
static void test_against_a_reference(void **state)
{
	static struct reference r;
	static const struct hash_key key = { 1, 2 };
	struct random random = seeded(1);
	struct reeve_time now = { (int64_t)UINT32_MAX * REEVE_NS_PER_MS - 5000 * REEVE_NS_PER_MS };

	(void)state;
	waits_init(&r.table, &key, sizeof(struct port_wait));
	for (unsigned n = 0; n < 12000; n++) {
		const unsigned name = random_below(&random, n < 8000 ? NAMES : 64);

		now.ns += (int64_t)random_u64(&random) & 0xfffff; /* the ticks come round */
		step(&r, name, random_below(&random, 3), now);
		agree_on(&r, random_below(&random, NAMES));
		if (n >= 8000 && r.count > 64) {
			waits_remove(&r.table, r.list[0].wait);
			take_out(&r, 0);
		}
		if (n % 100 == 0)
			agree_on_all(&r);
	}
	agree_on_all(&r);
	while (r.count > 0) {
		waits_remove(&r.table, r.list[r.count - 1].wait);
		r.count--;
	}
	agree_on_all(&r);
	waits_deinit(&r.table);
}

static void test_age(void **state)
{
	const struct reeve_time begin = { 5 * REEVE_NS_PER_MS + 1 };
	const struct port_wait w = { .since = wait_tick_after(begin) };

	(void)state;
	assert_int_equal(wait_age_ms(&w, begin), 0);
	/* A whole second is never less than one, and at most two milliseconds more. */
	assert_true(wait_age_ms(&w, reeve_time_add(begin, 1000 * REEVE_NS_PER_MS - 2)) < 1000);
	assert_true(wait_age_ms(&w, reeve_time_add(begin, 1002 * REEVE_NS_PER_MS)) >= 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_reference),
		cmocka_unit_test(test_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
