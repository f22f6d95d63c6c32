/* `reeve link`: what joins a network to the kernel; add and remove it. */
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/command.h"
#include "cli/field.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/session.h"
#include "cli/tap_opener.h"

struct link_options {
	const char *netns;
	bool no_offload;
	int64_t mtu;
};

#define TAP_NAME_MOST 15 /* IFNAMSIZ without its NUL */

static void print_links(const json_t *links)
{
	static const struct column columns[] = {
		{ "NAME", false },    { "KIND", false },      { "MTU", true },
		{ "OFFLOAD", false }, { "PACKETS-IN", true }, { "PACKETS-OUT", true },
		{ "BYTES-IN", true }, { "BYTES-OUT", true },  { "DROPPED", true },
	};
	struct table *t = table_new(columns, array_length(columns));
	json_t *link;
	size_t i;

	json_array_foreach(links, i, link)
	{
		table_add(t, field_text(link, "name"));
		table_add(t, field_text(link, "kind"));
		table_add_integer(t, link, "mtu");
		table_add(t, field_is_true(link, "offload") ? "yes" : "no");
		table_add_integer(t, link, "packets_in");
		table_add_integer(t, link, "packets_out");
		table_add_scaled(t, link, "bytes_in");
		table_add_scaled(t, link, "bytes_out");
		table_add_integer(t, link, "dropped");
	}
	table_print(t);
	table_free(t);
}

static int list(const struct invocation *invocation)
{
	json_t *links;
	const int status = session_list(invocation->network, SESSION_LOOK, "ListLinks",
					json_object(), "links", &links);

	if (status)
		return status;
	if (invocation->json)
		json_print(links);
	else
		print_links(links);
	json_decref(links);
	return EX_OK;
}

static int add_tap(const struct invocation *invocation, const struct link_options *o)
{
	const char *name = invocation->operands[2];
	const struct tap_request request = {
		.name = name,
		.netns = o->netns,
		.mtu = (uint32_t)o->mtu,
		.offload = !o->no_offload,
	};
	struct session *s;
	int fd;

	if (strlen(name) > TAP_NAME_MOST)
		return say_fail(EX_USAGE,
				"'%s' is too long: an interface's name has at most %d "
				"letters",
				name, TAP_NAME_MOST);
	int status = tap_opener_open(&request, &fd);

	if (status)
		return status;
	status = session_open(invocation->network, SESSION_START, &s);
	if (status) {
		close(fd);
		return status;
	}
	const bool stayed = session_stays(s);

	status = session_call_fd(s, "AddTap",
				 json_pack("{s:s, s:I, s:b}", "name", name, "mtu",
					   (json_int_t)o->mtu, "offload", !o->no_offload),
				 fd, NULL);
	close(fd);
	if (status == EX_OK && !stayed && session_stays(s))
		session_say_stays(s);
	session_free(s);
	return status;
}

static int remove_link(const struct invocation *invocation)
{
	struct session *s;
	int status = session_open(invocation->network, SESSION_NEED, &s);

	if (status)
		return status;
	status = session_call(s, "RemoveLink", json_pack("{s:s}", "name", invocation->operands[1]),
			      NULL);
	session_free(s);
	return status;
}

static int add(const struct invocation *invocation, const struct link_options *o)
{
	const char *kind = invocation->operand_count > 1 ? invocation->operands[1] : "";

	if (strcmp(kind, "tap") != 0)
		return say_fail(EX_USAGE,
				*kind ? "no links of kind '%s'; reeve link add tap NAME"
				      : "what kind of link?%s reeve link add tap NAME",
				kind);
	if (invocation->operand_count != 3)
		return say_fail(EX_USAGE, "what is its name? reeve link add tap NAME");
	return add_tap(invocation, o);
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct link_options *o = values;
	const char *verb = invocation->operand_count ? invocation->operands[0] : "list";

	if (strcmp(verb, "add") == 0)
		return add(invocation, o);
	if (o->netns || o->no_offload)
		return say_fail(EX_USAGE, "--%s goes with 'reeve link add tap NAME'",
				o->netns ? "netns" : "no-offload");
	if (strcmp(verb, "list") == 0 && invocation->operand_count <= 1)
		return list(invocation);
	if (strcmp(verb, "remove") != 0)
		return say_fail(EX_USAGE, "no 'reeve link %s'; there are add, remove and list",
				verb);
	if (invocation->operand_count != 2)
		return say_fail(EX_USAGE, "which link? reeve link remove NAME");
	return remove_link(invocation);
}

static const struct option_spec options[] = {
	{ .name = "netns",
	  .kind = OPTION_TEXT,
	  .argument = "NAME",
	  .help = "add: make it in this network namespace (ip netns)",
	  .offset = offsetof(struct link_options, netns) },
	{ .name = "no-offload",
	  .help = "add: every packet whole, of the MTU, with its checksum",
	  .offset = offsetof(struct link_options, no_offload) },
	{ .name = "mtu",
	  .kind = OPTION_COUNT,
	  .argument = "BYTES",
	  .help = "add: of IP packets (else 1500)",
	  .offset = offsetof(struct link_options, mtu),
	  .least = 576,
	  .most = 65521 },
	{ 0 },
};

static const struct link_options defaults = { .mtu = 1500 };

const struct command command_link = {
	.name = "link",
	.summary = "List, add or remove the links that join a network to the kernel",
	.operands = "[list]\nadd tap NAME [--netns NAME] [--mtu BYTES] [--no-offload]\nremove NAME",
	.text = "A TAP device is made by the kernel for whoever administers its network namespace\n"
		"(root, or the owner of a user namespace).",
	.examples =
		"  reeve link                             the links and their traffic\n"
		"  reeve link add tap reeve0              a TAP device 'reeve0' on the network\n"
		"  reeve link add tap lab0 --netns lab    the same, in namespace 'lab'\n"
		"  ip -n lab addr add 198.18.255.1/16 dev lab0    give the kernel's end a name\n"
		"  reeve link remove reeve0\n",
	.options = options,
	.uses = USES_NETWORK | USES_JSON,
	.most_operands = 3,
	.values_size = sizeof(struct link_options),
	.defaults = &defaults,
	.run = run,
};
