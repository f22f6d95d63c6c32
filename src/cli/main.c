/*
 * The command `reeve`: finds the verb, has its options read, and runs it. Also the entry by which
 * the network process is started (network/connect.h).
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/quantity.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/say.h"
#include "guest/run.h"
#include "network/connect.h"
#include "network/main.h"
#include "service/manager.h"

/* `reeve NETWORK_VERB NAME READY_FD LOCK_FD`. */
static int run_network_process(int argc, char **argv)
{
	int64_t ready_fd, lock_fd;

	if (argc != 5 || quantity_count(argv[3], 3, INT32_MAX, &ready_fd) < 0 ||
	    quantity_count(argv[4], 3, INT32_MAX, &lock_fd) < 0)
		return say_fail(EX_USAGE, "'%s' is for reeve's own use", NETWORK_VERB);
	const struct network_options options = {
		.network = argv[2],
		.ready_fd = (int)ready_fd,
		.starter_lock_fd = (int)lock_fd,
	};

	return network_main(&options);
}

/* `reeve MANAGER_VERB HOST FD`. */
static int run_manager(int argc, char **argv)
{
	int64_t fd;

	if (argc != 4 || quantity_count(argv[3], 3, INT32_MAX, &fd) < 0)
		return say_fail(EX_USAGE, "'%s' is for reeve's own use", MANAGER_VERB);
	return manager_main(argv[2], (int)fd);
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct invocation invocation;
	void *values = calloc(1, command->values_size ? command->values_size : 1);

	if (!values)
		return say_fail(EX_OSERR, "out of memory");
	if (command->defaults)
		memcpy(values, command->defaults, command->values_size);
	/* A reader that has seen enough ends us without a word; `run` keeps the signals it was
	 * given for its program. */
	if (!(command->uses & USES_PROGRAM))
		signal(SIGPIPE, SIG_DFL);
	int status = options_parse(command, argc, argv, &invocation, values);

	if (status == OPTIONS_RUN)
		status = command->run(&invocation, values);
	else if (status == EX_USAGE && (command->uses & USES_PROGRAM))
		status = RUN_FAILED;
	free(values);
	return output_finish(status);
}

static int complain_command(const char *name)
{
	if (name[0] == '-')
		return say_fail(EX_USAGE, "no option '%s'; 'reeve help' lists the commands", name);
	return command_complain(name);
}

/* What is opened next must not take the place of a standard stream that the caller has closed.
 * Reading and writing there fail as before, and the program of `run` finds it closed. */
static void hold_standard_streams(void)
{
	int fd;

	do
		fd = open("/", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	hold_standard_streams();
	if (argc < 2)
		return say_fail(EX_USAGE, "no command given; 'reeve help' lists them");
	const char *name = argv[1];

	if (strcmp(name, NETWORK_VERB) == 0)
		return run_network_process(argc, argv);
	if (strcmp(name, MANAGER_VERB) == 0)
		return run_manager(argc, argv);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	const struct command *command = command_find(name);

	return command ? run_command(command, argc - 1, argv + 1) : complain_command(name);
}
