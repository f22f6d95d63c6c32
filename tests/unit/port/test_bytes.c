/* What the tables of ports take, as the allocator counts it with all its own. */
#include <malloc.h>
#include <stdlib.h>

#include "../base/cmocka_all.h"
#include "port/demux.h"
#include "port/space.h"
#include "port/wait.h"

/* What is allocated, with the word that malloc puts in front. */
static size_t allocated;

/* The linker chose these names. NOLINTBEGIN(readability-identifier-naming) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *p);

static size_t size_of(void *p)
{
	return p ? malloc_usable_size(p) + sizeof(size_t) : 0;
}

void *__wrap_malloc(size_t size)
{
	void *const p = __real_malloc(size);

	allocated += size_of(p);
	return p;
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *const p = __real_calloc(count, size);

	allocated += size_of(p);
	return p;
}

void *__wrap_realloc(void *old, size_t size)
{
	allocated -= size_of(old);

	void *const p = __real_realloc(old, size);

	allocated += size_of(p ? p : old);
	return p;
}

void __wrap_free(void *p)
{
	allocated -= size_of(p);
	__real_free(p);
}
/* NOLINTEND(readability-identifier-naming) */

static struct port_space *new_space(void)
{
	const struct port_space_config config = {
		.protocol = PORT_TCP,
		.ephemeral_first = 32768,
		.ephemeral_last = 60999,
	};

	return port_space_new(&config);
}

/* A record of 56 bytes as TCP's, and its bucket. */
static void test_a_time_wait(void **state)
{
	enum { COUNT = 100000 };
	static const struct hash_key key = { 3, 4 };
	const struct reeve_time now = { 0 };
	const size_t before = allocated;
	struct port_wait *w;
	struct waits t;

	(void)state;
	waits_init(&t, &key, 56);
	for (uint32_t i = 0; i < COUNT; i++) {
		const struct port_flow f = {
			.local_address = reeve_address_from_ipv4(0xc0000201),
			.remote_address = reeve_address_from_ipv4(0xc6336400 + i / 50000),
			.local_port = 80,
			.remote_port = (uint16_t)(1024 + i % 50000),
		};

		assert_non_null(waits_add(&t, &f, now));
	}

	const size_t bytes = allocated - before;

	while ((w = waits_at(&t, t.oldest)))
		waits_remove(&t, w);
	assert_true(allocated - before < 16384);
	waits_deinit(&t);
	assert_int_equal(allocated, before);
	print_message("# %.1f bytes each\n", (double)bytes / COUNT);
	assert_true(bytes <= (size_t)60 * COUNT);
}

/* Each port of the range, bound and given back, out of order: what stays is for one that comes. */
static void test_a_port(void **state)
{
	enum { COUNT = 28232, STEP = 12345 };
	static struct port_reservation all[COUNT];
	const struct reeve_address address = reeve_address_from_ipv4(0xc0000201);
	struct port_space *const s = new_space();
	const size_t before = allocated;

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		const uint16_t port = (uint16_t)(32768 + i * STEP % COUNT);

		port_reservation_init(&all[i], false);
		assert_int_equal(port_space_bind(s, &all[i], &address, port), 0);
	}

	const size_t bytes = allocated - before;

	for (uint32_t i = 0; i < COUNT; i++)
		port_space_release(s, &all[i]);
	assert_true(allocated - before < 1024);
	port_space_free(s);
	print_message("# %.1f bytes each\n", (double)bytes / COUNT);
	assert_true(bytes <= (size_t)75 * COUNT);
}

/* There are a thousand hosts, and most have little. */
static void test_a_host_with_one_port(void **state)
{
	struct port_space *const s = new_space();
	struct port_reservation r;
	const size_t before = allocated;

	(void)state;
	port_reservation_init(&r, false);
	assert_int_equal(port_space_bind(s, &r, &reeve_any_ipv4, 80), 0);
	assert_int_equal(port_space_listen(s, &r), 0);

	const size_t bytes = allocated - before;

	port_space_release(s, &r);
	port_space_free(s);
	print_message("# %zu bytes\n", bytes);
	assert_true(bytes <= 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_time_wait),
		cmocka_unit_test(test_a_port),
		cmocka_unit_test(test_a_host_with_one_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
