/*
 * A flood of SYNs with made-up sources, in virtual time: what it takes is bounded, and those who are
 * honest get through (RFC 4987). Hazard 22. bench/synflood is the same in real time.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "station/flood.h"

#define STEP_MS   2
#define STEPS     6000
#define SYNS      80 /* a step: more than the server takes in a turn */
#define HONEST    10 /* a connection every so many steps */
#define LAST_OPEN (STEPS - FLOOD_PATIENCE_S * 1000 / STEP_MS)

static void test_flood(void **state)
{
	struct reeve_time now = { REEVE_NS_PER_S };
	struct flood *const f = flood_new(1, now);
	struct flood_result middle = { 0 }, end;
	size_t middle_bytes = 0;

	(void)state;
	assert_non_null(f);
	for (unsigned i = 0; i < 2000; i++) { /* the first seconds are quiet */
		now = reeve_time_add_ms(now, STEP_MS);
		flood_step(f, 0, now);
	}
	for (unsigned i = 0; i < STEPS; i++) {
		now = reeve_time_add_ms(now, STEP_MS);
		if (i < LAST_OPEN && i % HONEST == 0)
			flood_open(f, now);
		flood_step(f, SYNS, now);
		if (i == STEPS / 2) {
			flood_result(f, &middle);
			middle_bytes = mallinfo2().uordblks;
		}
	}
	flood_result(f, &end);
	assert_true(end.dropped > 0 && end.cookies_out > end.syns / 2);
	assert_int_equal(end.opened, LAST_OPEN / HONEST);
	assert_true(end.succeeded * 100 >= end.opened * 99);
	assert_true(end.cookies_in > 0);
	assert_true(end.sockets <= middle.sockets + 8);
	assert_true(end.packets <= 2 * 1024 + 256);
	assert_true(mallinfo2().uordblks <= middle_bytes + 65536);
	flood_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flood) };

	return cmocka_run_group_tests_name("flood", tests, NULL, NULL);
}
