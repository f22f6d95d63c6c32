/* The manager's connection is its life: without it all services end, however it is lost. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "service/channel.h"
#include "service/manager.h"

#include "cmocka_all.h"

#define PATIENCE_MS 30000 /* until what is waited for is taken to be lost */

struct scene {
	char directory[40], log[64];
	struct channel_end end;
	pid_t pid;
	int pidfd;
};

static int set_up(void **state)
{
	static struct scene s;
	int fds[2];

	s = (struct scene){ .directory = "/tmp/reeve-manager-XXXXXX" };
	if (!mkdtemp(s.directory) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	(void)snprintf(s.log, sizeof(s.log), "%s/a.log", s.directory);
	s.pid = fork();
	if (s.pid == 0)
		_exit(manager_main("local", fds[1]));
	close(fds[1]);
	channel_end_init(&s.end, fds[0]);
	s.pidfd = (int)syscall(SYS_pidfd_open, s.pid, 0);
	*state = &s;
	return s.pid > 0 && s.pidfd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	channel_end_deinit(&s->end);
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
	close(s->pidfd);
	(void)unlink(s->log);
	return rmdir(s->directory);
}

static bool comes(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, PATIENCE_MS) == 1;
}

static json_t *hear(struct scene *s)
{
	json_t *message;

	while (!(message = channel_end_next(&s->end))) {
		assert_true(comes(s->end.fd));
		channel_end_read(&s->end);
		assert_true(!s->end.is_closed || s->end.in_length > 0);
	}
	return message;
}

static void begin(struct scene *s)
{
	json_decref(hear(s)); /* who it is */
	channel_end_send(&s->end,
			 json_pack("{s:s,s:i,s:s,s:s,s:s,s:s,s:s}", "call", "apply", "id", 1,
				   "path", "/reeve.yaml", "directory", "/", "name", "reeve.yaml",
				   "text", "services: {a: {run: sleep 1000}}", "logs",
				   s->directory));
	json_t *answer = hear(s);

	assert_non_null(json_object_get(answer, "result"));
	json_decref(answer);
}

static void test_ends_with_the_connection(void **state)
{
	struct scene *s = *state;

	begin(s);
	(void)shutdown(s->end.fd, SHUT_RDWR);
	assert_true(comes(s->pidfd));
}

/* What nobody hears any more is noticed when a program has started, not when something comes in. */
static void test_ends_when_nobody_hears(void **state)
{
	struct scene *s = *state;

	begin(s);
	(void)shutdown(s->end.fd, SHUT_RD);
	channel_end_send(&s->end,
			 json_pack("{s:s,s:i,s:s}", "call", "restart", "id", 2, "service", "a"));
	assert_true(comes(s->pidfd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ends_with_the_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ends_when_nobody_hears, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
