/* `reeve restart`: a service's program is ended and started again; its ports stay open. */
#include <stdio.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/field.h"
#include "cli/linked.h"
#include "cli/output.h"

#define WAIT_MS 10000.0

/* It may take as long as the service's grace. */
static int restart(struct session *s, const json_t *service)
{
	json_t *parameters = json_pack("{s:s,s:s}", "host", field_text(service, "host"), "service",
				       field_text(service, "name"));
	json_t *reply = NULL;
	int status = session_begin(s, "RestartService", parameters, -1);

	if (status == EX_OK)
		status = session_next(s, -1, &reply);
	json_decref(reply);
	return status;
}

static void print(const struct invocation *invocation, const json_t *services)
{
	json_t *service = linked_find(invocation->network, services, invocation->operands[0]);
	json_t *alone = json_pack("[O?]", service);

	if (invocation->json)
		json_print(service);
	else
		linked_print(alone);
	json_decref(alone);
}

static int run(const struct invocation *invocation, const void *values)
{
	const char *name = invocation->operands[0];
	struct session *s;
	json_t *services = NULL, *after = NULL;
	int status = session_open(invocation->network, SESSION_NEED, &s);

	(void)values;
	if (status)
		return status;
	status = linked_list(s, &services);
	if (status == EX_OK) {
		const json_t *service = linked_find(invocation->network, services, name);

		status = service ? restart(s, service) : EX_UNAVAILABLE;
	}
	if (status == EX_OK)
		status = linked_await(s, name, WAIT_MS, &after);
	if (after)
		print(invocation, after);
	json_decref(services);
	json_decref(after);
	session_free(s);
	return status;
}

const struct command command_restart = {
	.name = "restart",
	.summary = "End a service's program and start it again",
	.operands = "NAME",
	.text = "Also one that was given up. The ports that Reeve holds for it stay open: who "
		"comes\n"
		"meanwhile waits. Programs of single connections go on.",
	.examples = "  reeve restart web\n",
	.uses = USES_NETWORK | USES_JSON,
	.least_operands = 1,
	.most_operands = 1,
	.run = run,
};
