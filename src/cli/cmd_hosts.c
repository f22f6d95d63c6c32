/* `reeve hosts`: the hosts of a network; add and remove them. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/check.h"
#include "cli/command.h"
#include "cli/field.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/session.h"
#include "reeve/address.h"

struct hosts_options {
	const char *ip, *well_known;
};

static void add_addresses(struct table *t, const json_t *host)
{
	const json_t *addresses = json_object_get(host, "addresses");
	char line[256] = "";
	size_t length = 0;
	json_t *address;
	size_t i;

	json_array_foreach(addresses, i, address)
	{
		const char *text = json_string_value(address);

		if (!text || length + strlen(text) + 2 > sizeof(line))
			continue;
		length += (size_t)snprintf(line + length, sizeof(line) - length, "%s%s",
					   length ? "," : "", text);
	}
	table_add(t, line);
}

static long long drops_of(const json_t *host)
{
	long long drops = 0;
	const char *reason;
	json_t *count;

	json_object_foreach(json_object_get(host, "drops"), reason, count) drops +=
		(long long)json_integer_value(count);
	return drops;
}

static void print_hosts(const json_t *hosts)
{
	static const struct column columns[] = {
		{ "NAME", false },     { "ADDRESS", false }, { "WELL-KNOWN", false },
		{ "PROGRAMS", true },  { "SOCKETS", true },  { "IN", true },
		{ "OUT", true },       { "RESENT", true },   { "DROPPED", true },
		{ "IMPAIRED", false },
	};
	struct table *t = table_new(columns, array_length(columns));
	json_t *host;
	size_t i;

	json_array_foreach(hosts, i, host)
	{
		table_add(t, field_text(host, "name"));
		add_addresses(t, host);
		table_add(t, field_text(host, "well_known"));
		table_add_integer(t, host, "programs");
		table_add_integer(t, host, "sockets");
		table_add_scaled(t, host, "bytes_in");
		table_add_scaled(t, host, "bytes_out");
		table_add_integer(t, host, "retransmits");
		table_addf(t, "%lld", drops_of(host));
		table_add(t, json_is_object(json_object_get(host, "impairment")) ? "yes" : "");
	}
	table_print(t);
	table_free(t);
}

static int list(const struct invocation *invocation)
{
	json_t *hosts;
	const int status = session_list(invocation->network, SESSION_LOOK, "ListHosts",
					json_object(), "hosts", &hosts);

	if (status)
		return status;
	if (invocation->json)
		json_print(hosts);
	else
		print_hosts(hosts);
	json_decref(hosts);
	return EX_OK;
}

static void print_added(const struct invocation *invocation, const json_t *host)
{
	json_t *hosts;

	if (invocation->json) {
		json_print(host);
		return;
	}
	hosts = json_pack("[O]", host);
	print_hosts(hosts);
	json_decref(hosts);
}

static int add(const struct invocation *invocation, const struct hosts_options *o)
{
	struct reeve_address address;
	struct session *s;
	json_t *reply = NULL;

	if (o->ip && reeve_address_parse(o->ip, &address) < 0)
		return say_fail(EX_USAGE, "--ip takes an address, not '%s'", o->ip);
	if (o->well_known && strcmp(o->well_known, "owner") != 0 &&
	    strcmp(o->well_known, "granted") != 0)
		return say_fail(EX_USAGE, "--well-known takes owner or granted, not '%s'",
				o->well_known);
	int status = session_open(invocation->network, SESSION_START, &s);

	if (status)
		return status;
	const bool stayed = session_stays(s);

	status = session_call(s, "AddHost",
			      json_pack("{s:s, s:s?, s:s?}", "name", invocation->operands[1],
					"address", o->ip, "well_known", o->well_known),
			      &reply);
	if (status == EX_OK) {
		print_added(invocation, json_object_get(reply, "host"));
		if (!stayed && session_stays(s))
			session_say_stays(s);
	}
	json_decref(reply);
	session_free(s);
	return status;
}

static int remove_host(const struct invocation *invocation)
{
	struct session *s;
	int status = session_open(invocation->network, SESSION_NEED, &s);

	if (status)
		return status;
	status = session_call(s, "RemoveHost", json_pack("{s:s}", "name", invocation->operands[1]),
			      NULL);
	session_free(s);
	return status;
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct hosts_options *o = values;
	const char *verb = invocation->operand_count ? invocation->operands[0] : "list";
	const bool adds = strcmp(verb, "add") == 0, removes = strcmp(verb, "remove") == 0;

	if (!adds && (o->ip || o->well_known))
		return say_fail(EX_USAGE, "--%s goes with 'reeve hosts add NAME'",
				o->ip ? "ip" : "well-known");
	if (strcmp(verb, "list") == 0 && invocation->operand_count <= 1)
		return list(invocation);
	if (!adds && !removes)
		return say_fail(EX_USAGE, "no 'reeve hosts %s'; there are add, remove and list",
				verb);
	if (invocation->operand_count != 2)
		return say_fail(EX_USAGE, "which host? reeve hosts %s NAME", verb);
	return adds ? add(invocation, o) : remove_host(invocation);
}

static const struct option_spec options[] = {
	{ .name = "ip",
	  .kind = OPTION_TEXT,
	  .argument = "ADDRESS",
	  .help = "add: its address (else the next free one)",
	  .offset = offsetof(struct hosts_options, ip) },
	{ .name = "well-known",
	  .kind = OPTION_TEXT,
	  .argument = "WHO",
	  .help = "add: ports 0-1023 are for programs of the 'owner' (as ever),\n"
		  "                             or only for those they are 'granted' (run "
		  "--allow-port)",
	  .offset = offsetof(struct hosts_options, well_known) },
	{ 0 },
};

const struct command command_hosts = {
	.name = "hosts",
	.summary = "List, add or remove the hosts of a network",
	.operands = "[list]\nadd NAME [--ip ADDRESS] [--well-known owner|granted]\nremove NAME",
	.text = "'reeve run' adds the host it names by itself; a host that was added here stays.",
	.examples =
		"  reeve hosts                            the hosts, their addresses and traffic\n"
		"  reeve hosts add db --ip 198.18.0.53\n"
		"  reeve hosts add web --well-known granted\n"
		"  reeve hosts remove db\n",
	.options = options,
	.uses = USES_NETWORK | USES_JSON,
	.most_operands = 2,
	.values_size = sizeof(struct hosts_options),
	.run = run,
};
