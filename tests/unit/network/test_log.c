/* The network process's log. */
#include "network/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/cmocka_all.h"

/* Whatever is said, it does not fill the disk; and what was said last is there. */
static void test_is_bounded(void **state)
{
	static char said[64];
	const int file = memfd_create("log", MFD_CLOEXEC), before = dup(STDERR_FILENO);
	struct stat st;

	(void)state;
	assert_int_equal(fcntl(file, F_SETFL, O_APPEND), 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	log_own();
	for (int i = 0; i < 100000; i++)
		log_line("line %d of many that all say the same", i);
	log_line("the last");
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(fstat(file, &st), 0);
	assert_in_range(st.st_size, 1, LOG_BYTES_MOST + 1200);
	assert_true(pread(file, said, sizeof(said) - 1, st.st_size - 10) > 0);
	assert_string_equal(said, " the last\n");
	close(file);
	close(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
