/* `reeve down`: ends all programs of a network, and the network. */
#include <stdio.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/field.h"
#include "cli/output.h"
#include "cli/session.h"

static int run(const struct invocation *invocation, const void *values)
{
	struct session *s;
	json_t *reply = NULL;
	int status = session_open(invocation->network, SESSION_LOOK, &s);

	(void)values;
	if (status || !s)
		return status;
	status = session_call(s, "Down", NULL, &reply);
	session_free(s);
	if (status)
		return status;
	const long long programs = field_integer(reply, "programs");

	if (invocation->json)
		json_print(reply);
	else
		printf("network '%s' is down, %lld program%s ended\n", invocation->network,
		       programs, programs == 1 ? "" : "s");
	json_decref(reply);
	return EX_OK;
}

const struct command command_down = {
	.name = "down",
	.summary = "End a network with all its programs",
	.operands = "",
	.examples = "  reeve down                   ends network 'default'\n"
		    "  reeve down --network lab\n",
	.uses = USES_NETWORK | USES_JSON,
	.run = run,
};
