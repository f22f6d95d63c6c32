/* Owns what happens to the program before it is itself. */
#include "guest/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/filter.h"
#include "guest/run.h"

static _Noreturn void cannot_run(const char *name, int error)
{
	(void)fprintf(stderr, "reeve: cannot run '%s': %s\n", name, strerror(error));
	_exit(error == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE);
}

/* A process whose file its user may not read is closed to its supervisor too. */
static void refuse_unreadable(const char *path)
{
	struct stat st;

	if (geteuid() == 0 || access(path, X_OK) < 0 || access(path, R_OK) == 0 ||
	    stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	(void)fprintf(stderr,
		      "reeve: cannot run '%s': its file may not be read, so its calls cannot be "
		      "answered\n",
		      path);
	_exit(RUN_NOT_EXECUTABLE);
}

static void refuse_unreadable_in_path(const char *name)
{
	const char *path = getenv("PATH");
	char candidate[4096];

	if (strchr(name, '/')) {
		refuse_unreadable(name);
		return;
	}
	while (path && *path) {
		const size_t length = strcspn(path, ":");
		const int n =
			snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length, path, name);

		if (n > 0 && (size_t)n < sizeof(candidate) && access(candidate, X_OK) == 0) {
			refuse_unreadable(candidate);
			return;
		}
		path += length;
		path += *path == ':';
	}
}

_Noreturn void program_main(const struct sock_fprog *filter, int report_fd, int go_fd,
			    const sigset_t *signals, char **argv)
{
	struct program_report report = { 0 };
	char go = 0;

	refuse_unreadable_in_path(argv[0]);
	report.listener = filter_install(filter, &report.is_killable);
	if (write(report_fd, &report, sizeof(report)) != (ssize_t)sizeof(report) ||
	    report.listener < 0)
		_exit(RUN_FAILED);
	/* Without the byte the supervisor has given up, and has said why. */
	if (read(go_fd, &go, 1) != 1)
		_exit(RUN_FAILED);
	close(report.listener);
	(void)sigprocmask(SIG_SETMASK, signals, NULL);
	execvp(argv[0], argv);
	cannot_run(argv[0], errno);
}
