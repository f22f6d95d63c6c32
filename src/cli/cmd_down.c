/* `reeve down`: ends all programs of a network, and the network. */
#include <stdio.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/field.h"
#include "cli/output.h"
#include "cli/session.h"

/* The answer comes when the programs have ended, or have been. */
#define ANSWER_MS 20000.0

struct down_values {
	double grace_ms;
};

static int end_network(struct session *s, const struct down_values *v, json_t **ret)
{
	json_t *parameters = json_pack("{s:I}", "grace_ms", (json_int_t)v->grace_ms);
	const int status = session_begin(s, "Down", parameters, -1);

	return status ? status : session_next(s, (int)(v->grace_ms + ANSWER_MS), ret);
}

static int run(const struct invocation *invocation, const void *values)
{
	struct session *s;
	json_t *reply = NULL;
	int status = session_open(invocation->network, SESSION_LOOK, &s);

	if (status)
		return status;
	if (!s) {
		if (invocation->json)
			json_print(json_null());
		return EX_OK;
	}
	status = end_network(s, values, &reply);
	session_free(s);
	if (status || !reply)
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

static const struct option_spec options[] = {
	{ .name = "grace",
	  .kind = OPTION_TIME,
	  .argument = "TIME",
	  .help = "how long they may take to end (else 5s)",
	  .most = 60000,
	  .offset = offsetof(struct down_values, grace_ms) },
	{ 0 },
};

static const struct down_values defaults = { .grace_ms = 5000 };

const struct command command_down = {
	.name = "down",
	.summary = "End a network with all its programs",
	.operands = "",
	.text = "Programs are told to end (SIGTERM); those that still run after the grace are\n"
		"ended (SIGKILL). A second 'reeve down' can shorten it.",
	.examples = "  reeve down                   ends network 'default'\n"
		    "  reeve down --grace 0         at once\n"
		    "  reeve down --network lab\n",
	.options = options,
	.uses = USES_NETWORK | USES_JSON,
	.values_size = sizeof(struct down_values),
	.defaults = &defaults,
	.run = run,
};
