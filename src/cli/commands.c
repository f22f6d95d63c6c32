/* The commands, in the order in which help lists them. */
#include "cli/command.h"

#include <string.h>
#include <sysexits.h>

#include "base/similar.h"
#include "cli/say.h"

const struct command *const commands[] = {
	&command_run,
	&command_ports,
	&command_hosts,
	&command_services,
	&command_up,
	&command_status,
	&command_restart,
	&command_address,
	&command_ping,
	&command_link,
	&command_capture,
	&command_impair,
	&command_network,
	&command_down,
	&command_version,
	&command_help,
	NULL,
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

int command_complain(const char *name)
{
	size_t limit = similar_limit(name);
	const char *best = NULL;

	for (size_t i = 0; commands[i]; i++) {
		const size_t d = similar_distance(name, commands[i]->name, limit);

		if (d < limit) {
			best = commands[i]->name;
			limit = d;
		}
	}
	if (best)
		return say_fail(EX_USAGE, "no command '%s'; did you mean '%s'?", name, best);
	return say_fail(EX_USAGE, "no command '%s'; 'reeve help' lists them", name);
}
