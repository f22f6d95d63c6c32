/* Signals that end waits, whenever they come. */
#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "cmocka_all.h"

/* Between the look and the wait: that wait would else have no end. */
static void test_before_the_wait(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	interrupt_catch();
	assert_false(interrupt_came());
	raise(SIGTERM);
	assert_int_equal(interrupt_poll(ends[0], POLLIN, -1), -EINTR);
	assert_true(interrupt_came());
	assert_int_equal(interrupt_poll(ends[0], POLLIN, 0), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(interrupt_poll(ends[0], POLLIN, -1), 1);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
