/* `reeve network`: what a network is, and whether it stays. */
#include <stdio.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/field.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/session.h"

struct network_values {
	bool keep, no_keep;
};

static void print_text(const char *label, const json_t *network, const char *key)
{
	const char *text = field_text(network, key);

	printf("%s%-9s%s %s\n", style_on(STYLE_FAINT), label, style_off(STYLE_FAINT),
	       text ? text : "-");
}

static void print_number(const char *label, const json_t *network, const char *key)
{
	printf("%s%-9s%s %lld\n", style_on(STYLE_FAINT), label, style_off(STYLE_FAINT),
	       (long long)json_integer_value(json_object_get(network, key)));
}

static void print_network(const json_t *network)
{
	const bool keep = field_is_true(network, "keep");
	const long long uptime = field_integer(network, "uptime_ms") / 1000;

	print_text("Network", network, "name");
	print_text("Prefix", network, "prefix");
	print_number("Hosts", network, "hosts");
	print_number("Programs", network, "programs");
	printf("%s%-9s%s %s\n", style_on(STYLE_FAINT), "Stays", style_off(STYLE_FAINT),
	       keep ? "until 'reeve down'" : "until its last program ends");
	printf("%s%-9s%s %lld:%02lld:%02lld\n", style_on(STYLE_FAINT), "Up for",
	       style_off(STYLE_FAINT), uptime / 3600, uptime / 60 % 60, uptime % 60);
	print_number("Process", network, "pid");
	print_text("Version", network, "version");
}

static int show(const struct invocation *invocation, struct session *s)
{
	json_t *network = NULL;
	const int status = session_call(s, "GetNetwork", json_object(), &network);

	if (status)
		return status;
	if (invocation->json)
		json_print(network);
	else
		print_network(network);
	json_decref(network);
	return EX_OK;
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct network_values *v = values;
	struct session *s;

	if (v->keep && v->no_keep)
		return say_fail(EX_USAGE, "--keep and --no-keep contradict each other; give one");
	int status = session_open(invocation->network, v->keep ? SESSION_START : SESSION_LOOK, &s);

	if (status)
		return status;
	if (!s) {
		if (invocation->json)
			json_print(json_null());
		return EX_OK;
	}
	if (v->keep || v->no_keep)
		status = session_call(s, "SetKeep", json_pack("{s:b}", "keep", v->keep), NULL);
	if (status == EX_OK)
		status = show(invocation, s);
	session_free(s);
	return status;
}

static const struct option_spec options[] = {
	{ .name = "keep",
	  .help = "start it if need be; it stays without programs",
	  .offset = offsetof(struct network_values, keep) },
	{ .name = "no-keep",
	  .help = "undoes --keep",
	  .offset = offsetof(struct network_values, no_keep) },
	{ 0 },
};

const struct command command_network = {
	.name = "network",
	.summary = "Show a network, or make it stay",
	.operands = "",
	.text = "A network starts on first use and ends with its last program, unless it is kept "
		"or\n"
		"a host, link or impairment was added to it by name.",
	.examples = "  reeve network              what network 'default' has\n"
		    "  reeve network --keep       keep it until 'reeve down'\n",
	.options = options,
	.uses = USES_NETWORK | USES_JSON,
	.values_size = sizeof(struct network_values),
	.run = run,
};
