#include "cli/manager_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/say.h"
#include "guest/run.h"
#include "network/connect.h"
#include "service/manager.h"

/* In a process of its own, which ends when the manager has begun. */
static int run_it(const char *network, const char *host, const struct port_grant *grant, int fd)
{
	char number[16], title[128], error[NETWORK_ERROR_TEXT];
	char program[] = "/proc/self/exe", verb[] = MANAGER_VERB, name[128];
	char *argv[] = { program, verb, name, number, NULL };
	struct run_options options = {
		.host = host,
		.grant = *grant,
		.is_detached = true,
		.title = title,
		.argv = argv,
	};

	(void)snprintf(number, sizeof(number), "%d", fd);
	(void)snprintf(name, sizeof(name), "%s", host);
	(void)snprintf(title, sizeof(title), "services of %s", host);
	(void)fcntl(fd, F_SETFD, 0);
	if (network_connect(network, NETWORK_GUEST, true, &options.network_fd, error) < 0)
		return say_fail(EX_UNAVAILABLE, "%s", error);
	return run_main(&options);
}

static int await(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EX_OSERR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

int manager_start(struct session *s, const char *network, const char *host,
		  const struct port_grant *grant)
{
	bool exists;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return say_fail(EX_OSERR, "no sockets: %s", strerror(errno));
	const pid_t pid = fork();

	if (pid == 0) {
		const int status = run_it(network, host, grant, ends[1]);

		fflush(NULL);
		_exit(status);
	}
	close(ends[1]);
	int status =
		pid < 0 ? say_fail(EX_OSERR, "no new process: %s", strerror(errno)) : await(pid);

	/* Where another call was faster its manager is as good; ours ends without its connection. */
	if (status == EX_OK)
		status = session_try(s, "AddManager", json_pack("{s:s}", "host", host), ends[0],
				     "ManagerExists", &exists);
	close(ends[0]);
	return status;
}
