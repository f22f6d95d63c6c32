/* A program's words may go anywhere, and the manager never waits for it; what is lost is told. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "service/log.h"

#include "cmocka_all.h"

#define MOST 4096

struct scene {
	char directory[32], path[64], old[64];
	struct service_log log;
};

static int set_up(void **state)
{
	static struct scene s;

	s = (struct scene){ .directory = "/tmp/reeve-log-XXXXXX" };
	if (!mkdtemp(s.directory))
		return -1;
	(void)snprintf(s.path, sizeof(s.path), "%s/log", s.directory);
	(void)snprintf(s.old, sizeof(s.old), "%s/log.1", s.directory);
	service_log_init(&s.log);
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	service_log_deinit(&s->log);
	(void)unlink(s->path);
	(void)unlink(s->old);
	return rmdir(s->directory);
}

/* More than fits, in pieces that do. */
static void say_much(struct scene *s)
{
	static const char line[] = "a program's word that is long enough to fill something";

	service_log_place(&s->log, s->path, MOST);
	for (int i = 0; i < 2 * MOST / (int)sizeof(line); i++)
		service_log_say(&s->log, "%s", line);
}

static void test_file(void **state)
{
	struct scene *s = *state;
	struct stat st;

	say_much(s);
	assert_int_equal(stat(s->path, &st), 0);
	assert_true(st.st_size <= MOST);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(s->old, &st), 0);
	assert_true(st.st_size > 0 && st.st_size <= MOST);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_fifo_stays(void **state)
{
	struct scene *s = *state;
	char text[16] = "";
	struct stat st;

	assert_int_equal(mkfifo(s->path, 0600), 0);
	const int reader = open(s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	assert_true(reader >= 0);
	/* Nobody reads meanwhile: more than a FIFO holds is lost, and keeps nobody. */
	for (int i = 0; i < 20; i++)
		say_much(s);
	assert_int_equal(lstat(s->path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(access(s->old, F_OK), -1);
	assert_string_equal(service_log_fault(&s->log), "it is not read fast enough");
	assert_int_equal(read(reader, text, 2), 2);
	assert_string_equal(text, "20"); /* of the year */
	close(reader);
}

static void test_fifo_without_a_reader(void **state)
{
	struct scene *s = *state;

	assert_int_equal(mkfifo(s->path, 0600), 0);
	say_much(s);
	assert_string_equal(service_log_fault(&s->log), "nobody reads it");
}

static void test_link_is_not_followed(void **state)
{
	struct scene *s = *state;

	assert_int_equal(symlink(s->old, s->path), 0);
	say_much(s);
	assert_string_equal(service_log_fault(&s->log), "it is a symbolic link");
	assert_int_equal(access(s->old, F_OK), -1);
}

static char *read_log(struct scene *s, char text[MOST])
{
	const int fd = open(s->path, O_RDONLY | O_CLOEXEC);

	check(fd >= 0);
	const ssize_t n = read(fd, text, MOST - 1);

	check(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

/* What stands in its way is a directory, for root too. */
static void test_lost_is_told(void **state)
{
	struct scene *s = *state;
	char text[MOST];

	assert_int_equal(mkdir(s->path, 0700), 0);
	service_log_place(&s->log, s->path, MOST);
	assert_string_equal(service_log_fault(&s->log), "Is a directory");
	service_log_say(&s->log, "one");
	service_log_say(&s->log, "two");
	assert_int_equal(rmdir(s->path), 0);
	service_log_say(&s->log, "three");
	assert_null(service_log_fault(&s->log));
	service_log_say(&s->log, "four");
	/* Both lines, each with its head, "2026-11-28T12:00:00Z reeve: ". */
	const char *told = strstr(read_log(s, text), "64 bytes are lost here: Is a directory\n");

	assert_non_null(told);
	assert_non_null(strstr(told, "three\n"));
	assert_non_null(strstr(told, "four\n"));
	assert_null(strstr(strchr(told, '\n'), "lost"));
}

/* A file that is as large as it may be stands for a disk that is full. */
static void test_full_disk(void **state)
{
	struct scene *s = *state;
	struct rlimit before, none;
	char text[MOST];

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 40, .rlim_max = before.rlim_max };
	service_log_place(&s->log, s->path, MOST);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	service_log_say(&s->log, "first"); /* fits */
	const char *early = service_log_fault(&s->log);

	service_log_say(&s->log, "second"); /* a part of it */
	const char *partly = service_log_fault(&s->log);

	service_log_say(&s->log, "third");
	const char *late = service_log_fault(&s->log);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_null(early);
	assert_string_equal(partly, "No space left on device");
	assert_string_equal(late, "File too large");
	/* Placed again, as by `reeve up`, it says what is missing without another word. */
	service_log_place(&s->log, s->path, MOST);
	assert_null(service_log_fault(&s->log));
	assert_non_null(strstr(read_log(s, text), "63 bytes are lost here: File too large\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fifo_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fifo_without_a_reader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_link_is_not_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
