/* Names of networks, and directories that are ours alone. */
#include "network/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/cmocka_all.h"

static char base[] = "/tmp/reeve-test-path-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	strcpy(base, "/tmp/reeve-test-path-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	return setenv("XDG_RUNTIME_DIR", base, 1);
}

static void remove_below(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	if (rmdir(path))
		unlink(path);
}

static int tear_down(void **state)
{
	(void)state;
	remove_below("reeve/x");
	remove_below("reeve");
	return rmdir(base);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(path_network_name_is_valid("default"));
	assert_true(path_network_name_is_valid("a"));
	assert_true(path_network_name_is_valid("9lives_x-y"));
	assert_true(path_network_name_is_valid("abcdefghijklmnopqrstuvwxyz01234"));
	assert_false(path_network_name_is_valid("abcdefghijklmnopqrstuvwxyz012345"));
	assert_false(path_network_name_is_valid(""));
	assert_false(path_network_name_is_valid("."));
	assert_false(path_network_name_is_valid(".."));
	assert_false(path_network_name_is_valid("-x"));
	assert_false(path_network_name_is_valid("a/b"));
	assert_false(path_network_name_is_valid("a b"));
	assert_false(path_network_name_is_valid("\xc3\xa4"));
}

static void test_made_private(void **state)
{
	char error[PATH_ERROR_TEXT], expected[128];
	struct path_set paths;
	struct stat st;

	(void)state;
	assert_int_equal(path_resolve("x", false, &paths, error), -ENOENT);
	umask(0);
	assert_int_equal(path_resolve("x", true, &paths, error), 0);
	snprintf(expected, sizeof(expected), "%s/reeve/x/control", base);
	assert_string_equal(paths.control, expected);
	assert_int_equal(stat(paths.directory, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(path_resolve("x", false, &paths, error), 0);
}

static void test_refused(void **state)
{
	char error[PATH_ERROR_TEXT], parent[128];
	struct path_set paths;

	(void)state;
	assert_int_equal(path_resolve("x", true, &paths, error), 0);
	assert_int_equal(chmod(paths.directory, 0750), 0);
	assert_int_equal(path_resolve("x", true, &paths, error), -EPERM);
	assert_non_null(strstr(error, paths.directory));
	/* A link to a private directory is not one. */
	assert_int_equal(rmdir(paths.directory), 0);
	snprintf(parent, sizeof(parent), "%s/reeve", base);
	assert_int_equal(symlink(parent, paths.directory), 0);
	assert_int_equal(path_resolve("x", true, &paths, error), -EPERM);
	assert_int_equal(unlink(paths.directory), 0);
	assert_int_equal(path_resolve("x/../y", true, &paths, error), -EINVAL);
}

static void test_too_long(void **state)
{
	char error[PATH_ERROR_TEXT], too_long[200] = "/tmp/";
	struct path_set paths;

	(void)state;
	memset(too_long + 5, 'a', 90);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", too_long, 1), 0);
	assert_int_equal(path_resolve("x", true, &paths, error), -ENAMETOOLONG);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", base, 1), 0);
}

/* Without the variable, or with one that is not an absolute path. */
static void test_fallback(void **state)
{
	char error[PATH_ERROR_TEXT], expected[64];
	struct path_set paths;

	(void)state;
	snprintf(expected, sizeof(expected), "/tmp/reeve-%u/default/", (unsigned)geteuid());
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "run", 1), 0);
	if (path_resolve("default", false, &paths, error) == 0)
		assert_memory_equal(paths.control, expected, strlen(expected));
	else
		assert_memory_equal(error, "/tmp/reeve-", strlen("/tmp/reeve-"));
	assert_int_equal(setenv("XDG_RUNTIME_DIR", base, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_made_private, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fallback, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
