/* Signals that end waits. */
#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static volatile sig_atomic_t came;
static sigset_t while_waiting;
static bool is_caught;

static void note(int signal)
{
	(void)signal;
	came = 1;
}

void interrupt_catch(void)
{
	const struct sigaction action = { .sa_handler = note }; /* no SA_RESTART */
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigprocmask(SIG_BLOCK, &ours, &while_waiting);
	sigdelset(&while_waiting, SIGINT);
	sigdelset(&while_waiting, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	is_caught = true;
}

bool interrupt_came(void)
{
	return came;
}

int interrupt_poll(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	const struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	const int n =
		ppoll(&p, 1, timeout_ms < 0 ? NULL : &timeout, is_caught ? &while_waiting : NULL);

	return n < 0 ? -errno : n;
}
