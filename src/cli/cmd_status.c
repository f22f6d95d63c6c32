/* `reeve status`: the services that are linked to ports, and how they are. */
#include <stdio.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/field.h"
#include "cli/linked.h"
#include "cli/output.h"

static void print_line(const char *label, const json_t *service, const char *key)
{
	const char *text = field_text(service, key);

	if (text)
		printf("%s%-8s%s %s\n", style_on(STYLE_FAINT), label, style_off(STYLE_FAINT), text);
}

static void print_log(const json_t *service)
{
	const char *fault = field_text(service, "log_fault");

	print_line("Log", service, "log");
	if (fault)
		printf("%-8s cannot be written: %s\n", "", fault);
}

/* The row of the list, and what has no room in it. */
static void print_one(json_t *service)
{
	json_t *alone = json_pack("[O]", service);

	linked_print(alone);
	json_decref(alone);
	printf("\n");
	print_line("Command", service, "command");
	print_line("Start", service, "start");
	print_line("Last", service, "last");
	print_log(service);
	printf("%s%-8s%s %s:%lld:%lld\n", style_on(STYLE_FAINT), "File", style_off(STYLE_FAINT),
	       field_text(service, "file"), field_integer(service, "line"),
	       field_integer(service, "column"));
}

static int show(const struct invocation *invocation, const json_t *services)
{
	json_t *service;

	if (invocation->operand_count == 0) {
		if (invocation->json)
			json_print(services);
		else
			linked_print(services);
		return EX_OK;
	}
	service = linked_find(invocation->network, services, invocation->operands[0]);
	if (!service)
		return EX_UNAVAILABLE;
	if (invocation->json)
		json_print(service);
	else
		print_one(service);
	return EX_OK;
}

static int run(const struct invocation *invocation, const void *values)
{
	struct session *s;
	json_t *services = NULL;
	int status = session_open(invocation->network,
				  invocation->operand_count ? SESSION_NEED : SESSION_LOOK, &s);

	(void)values;
	if (status)
		return status;
	if (s)
		status = linked_list(s, &services);
	else
		services = json_array();
	if (status == EX_OK)
		status = show(invocation, services);
	json_decref(services);
	session_free(s);
	return status;
}

const struct command command_status = {
	.name = "status",
	.summary = "Show the services that are linked to ports",
	.operands = "[NAME]",
	.text = "A service is listening (nobody has come), running, waiting (it has failed and is\n"
		"started again), paused (too many starts), ending, ended or failed (given up).",
	.examples = "  reeve status          all services\n"
		    "  reeve status web      one, with its command, its log and its place\n",
	.uses = USES_NETWORK | USES_JSON,
	.most_operands = 1,
	.run = run,
};
