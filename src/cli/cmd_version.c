/* `reeve version`. */
#include <stdio.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/output.h"

static int run(const struct invocation *invocation, const void *values)
{
	(void)values;
	if (invocation->json) {
		json_t *version = json_pack("{s:s}", "version", REEVE_VERSION);

		json_print(version);
		json_decref(version);
	} else {
		printf("reeve %s\n", REEVE_VERSION);
	}
	return EX_OK;
}

const struct command command_version = {
	.name = "version",
	.summary = "Print the version",
	.operands = "",
	.examples = "  reeve version           reeve " REEVE_VERSION "\n",
	.uses = USES_JSON,
	.run = run,
};
