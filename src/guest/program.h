/* The program's own process, between fork and exec. */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include <linux/filter.h>

/* What it tells the supervisor, which then fetches the listener. */
struct program_report {
	int listener; /* its number in the program; or a negative errno */
	bool is_killable;
};

/* Puts the filter on, reports to `report_fd`, waits for a byte from `go_fd` and becomes argv. Never
 * returns. */
_Noreturn void program_main(const struct sock_fprog *filter, int report_fd, int go_fd,
			    const sigset_t *signals, char **argv);
