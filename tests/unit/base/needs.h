/* What a test needs of the machine, as tests/needs.py has it: what is not there is a reason to skip,
 * but not where CI=true. */
#pragma once

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"

/* Ends the test; for what only root may do, to be somebody else is a good reason anywhere. */
static inline void do_without(const char *reason, bool root)
{
	const char *ci = getenv("CI");

	if (ci && strcmp(ci, "true") == 0 && !(root && geteuid() != 0))
		fail_msg("%s, and CI=true", reason);
	print_message("# %s\n", reason);
	skip();
}
