/* The loop: what is removed is not told any more, timers fire in time and once, settle has its say. */
#include "network/loop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "base/check.h"

struct world {
	struct loop *loop;
	struct loop_source sources[2];
	int fds[2];
	unsigned told[2];
	bool remove_other, busy;
	unsigned settled;
	struct loop_timer timer;
	unsigned fired;
};

static struct world world;

static bool settle(void *user)
{
	struct world *w = user;

	w->settled++;
	if (!w->busy)
		return false;
	w->busy = false;
	return true;
}

static void ready(struct loop_source *source, uint32_t events)
{
	const unsigned index = (unsigned)(source - world.sources);

	assert_true(events & EPOLLIN);
	world.told[index]++;
	if (world.remove_other)
		loop_remove(world.loop, &world.sources[1 - index]);
}

static void fired(struct loop_timer *timer)
{
	assert_ptr_equal(timer, &world.timer);
	world.fired++;
}

static int set_up(void **state)
{
	(void)state;
	world = (struct world){ 0 };
	world.loop = loop_new(settle, &world);
	assert_non_null(world.loop);
	for (unsigned i = 0; i < 2; i++) {
		world.fds[i] = eventfd(1, EFD_NONBLOCK);
		loop_source_init(&world.sources[i], ready);
		assert_int_equal(loop_add(world.loop, &world.sources[i], world.fds[i], EPOLLIN), 0);
	}
	loop_timer_init(&world.timer, fired);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		loop_remove(world.loop, &world.sources[i]);
		close(world.fds[i]);
	}
	world.loop = loop_free(world.loop);
	return 0;
}

static void test_both_are_told(void **state)
{
	(void)state;
	assert_int_equal(loop_turn(world.loop, -1), 0);
	assert_int_equal(world.told[0], 1);
	assert_int_equal(world.told[1], 1);
	assert_int_equal(world.settled, 1);
	assert_int_equal(loop_change(world.loop, &world.sources[0], 0), 0);
	assert_int_equal(loop_turn(world.loop, -1), 0);
	assert_int_equal(world.told[0], 1);
	assert_int_equal(world.told[1], 2);
}

/* Both were fetched; the one that is told first removes the other. */
static void test_removed_in_the_batch(void **state)
{
	(void)state;
	world.remove_other = true;
	assert_int_equal(loop_turn(world.loop, -1), 0);
	assert_int_equal(world.told[0] + world.told[1], 1);
	assert_int_equal(loop_turn(world.loop, -1), 0);
	assert_int_equal(world.told[0] + world.told[1], 2);
	assert_true(world.told[0] == 0 || world.told[1] == 0);
}

static void test_timer(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		loop_remove(world.loop, &world.sources[i]);
	const struct reeve_time due = reeve_time_add_ms(loop_clock(), 5);

	loop_timer_arm(world.loop, &world.timer, due);
	while (world.fired == 0) {
		assert_int_equal(loop_turn(world.loop, -1), 0);
		if (world.fired)
			assert_false(reeve_time_before(loop_now(world.loop), due));
	}
	loop_timer_arm(world.loop, &world.timer, loop_clock());
	loop_timer_disarm(world.loop, &world.timer);
	assert_int_equal(loop_turn(world.loop, 0), 0);
	loop_timer_arm(world.loop, &world.timer, REEVE_NEVER);
	assert_int_equal(loop_turn(world.loop, 0), 0);
	assert_int_equal(world.fired, 1);
}

/* With more to settle the loop does not wait, though nothing is ready. */
static void test_busy(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		loop_remove(world.loop, &world.sources[i]);
	world.busy = true;
	assert_int_equal(loop_turn(world.loop, 0), 0);
	assert_int_equal(loop_turn(world.loop, -1), 0);
	assert_int_equal(world.settled, 2);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_both_are_told),
		CASE(test_removed_in_the_batch),
		CASE(test_timer),
		CASE(test_busy),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
