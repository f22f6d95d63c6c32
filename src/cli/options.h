/*
 * Options and operands of a command, read by getopt_long from the command's table; and --help,
 * printed from the same table.
 */
#pragma once

#include "cli/command.h"

enum options_result {
	OPTIONS_RUN = -1, /* go on; any other result is the exit status to end with */
};

/*
 * Reads argv[1..] into *invocation and `values` (which hold the defaults before). Prints the
 * complaint, or the help that was asked for, and returns the exit status; or OPTIONS_RUN.
 */
int options_parse(const struct command *command, int argc, char **argv,
		  struct invocation *invocation, void *values);

void options_print_help(const struct command *command);
