/* `reeve ports`: which socket belongs to which program. */
#include "cli/command.h"
#include "cli/sockets.h"

static int run(const struct invocation *invocation, const void *values)
{
	struct sockets_filter filter = *(const struct sockets_filter *)values;

	filter.host = invocation->operands[0];
	return sockets_list(invocation, &filter);
}

static const struct option_spec options[] = {
	{ .name = "listening",
	  .letter = 'l',
	  .help = "only sockets that wait for others",
	  .offset = offsetof(struct sockets_filter, listening) },
	{ .name = "tcp",
	  .letter = 't',
	  .help = "only TCP",
	  .offset = offsetof(struct sockets_filter, tcp) },
	{ .name = "udp",
	  .letter = 'u',
	  .help = "only UDP",
	  .offset = offsetof(struct sockets_filter, udp) },
	{ 0 },
};

const struct command command_ports = {
	.name = "ports",
	.summary = "List sockets: their ports, states, services and programs",
	.operands = "[HOST]",
	.text = "RECV-Q and SEND-Q are bytes; of a listener, connections that wait and how many "
		"may.",
	.examples = "  reeve ports              all sockets of all hosts\n"
		    "  reeve ports web -l       what host web listens on\n"
		    "  reeve ports -tl --json   all TCP listeners, for programs\n",
	.options = options,
	.uses = USES_NETWORK | USES_JSON,
	.most_operands = 1,
	.values_size = sizeof(struct sockets_filter),
	.run = run,
};
