/* The table of options: each row is found, holds its first value within its limits, and is told
 * once when it has changed. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "guest/option.h"

static void test_rows(void **unused)
{
	(void)unused;
	for (int i = 0; i < option_count(); i++) {
		const struct option_row *row = option_at(i);

		/* Found by halves: so the table has an order. */
		assert_int_equal(option_find(row->level, row->name), i);
		assert_true(row->first <= row->initial && row->initial <= row->last);
		if (row->flags & OPTION_BOOL)
			assert_true(row->first == 0 && row->last <= 1);
	}
	assert_int_equal(option_find(IPPROTO_TCP, 9999), -1);
}

static void test_values(void **unused)
{
	struct socket_options o;

	(void)unused;
	socket_options_init(&o);
	assert_int_equal(socket_options_next_change(&o), -1);
	assert_int_equal(socket_option(&o, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	socket_option_set(&o, IPPROTO_TCP, TCP_KEEPIDLE, 7200);
	assert_int_equal(socket_options_next_change(&o), -1);
	socket_option_set(&o, IPPROTO_TCP, TCP_KEEPIDLE, 5);
	assert_int_equal(socket_option(&o, IPPROTO_TCP, TCP_KEEPIDLE), 5);
	socket_option_set(&o, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	assert_int_equal(socket_options_next_change(&o), option_find(IPPROTO_TCP, TCP_KEEPIDLE));
	assert_int_equal(socket_options_next_change(&o), option_find(IPPROTO_IPV6, IPV6_V6ONLY));
	assert_int_equal(socket_options_next_change(&o), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
