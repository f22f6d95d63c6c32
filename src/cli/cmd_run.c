/* `reeve run`: runs a program on a host of a network. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/say.h"
#include "guest/run.h"
#include "network/connect.h"
#include "port/policy.h"

#define HOST_NAME_MOST 63 /* it is a label of DNS: RFC 1035, 2.3.4 */

struct run_values {
	const char *host, *ip, *allow_port, *udp, *loopback, *count_to;
	bool count, hostname;
};

static int parse_udp(const char *text, bool *ret_lite)
{
	*ret_lite = false;
	if (!text || strcmp(text, "full") == 0)
		return 0;
	if (strcmp(text, "lite") != 0)
		return say_fail(RUN_FAILED, "--udp takes full or lite, not '%s'", text);
	*ret_lite = true;
	return 0;
}

static int parse_loopback(const char *text, bool *ret_direct)
{
	*ret_direct = text && strcmp(text, "direct") == 0;
	if (text && !*ret_direct && strcmp(text, "exact") != 0)
		return say_fail(RUN_FAILED, "--loopback takes exact or direct, not '%s'", text);
	return 0;
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct run_values *v = values;
	struct run_options options = {
		.host = v->host,
		.is_counting = v->count,
		.hostname = v->hostname,
		.count_name = v->count_to,
		.argv = invocation->operands,
	};
	char error[NETWORK_ERROR_TEXT];
	int status = parse_udp(v->udp, &options.udp_lite);

	if (status == 0)
		status = parse_loopback(v->loopback, &options.is_direct);
	if (status)
		return status;
	if (strlen(v->host) > HOST_NAME_MOST)
		return say_fail(RUN_FAILED, "--host takes a name of at most %d letters",
				HOST_NAME_MOST);
	if (v->ip && reeve_address_parse(v->ip, &options.address) < 0)
		return say_fail(RUN_FAILED, "--ip takes an address, not '%s'", v->ip);
	const int parsed = v->allow_port ? port_grant_parse(v->allow_port, &options.grant) : 0;

	if (parsed == -E2BIG)
		return say_fail(RUN_FAILED, "--allow-port takes at most %d ranges", PORT_GRANT_MAX);
	if (parsed)
		return say_fail(RUN_FAILED,
				"--allow-port takes ports such as 80,443,8000-8100, "
				"not '%s'",
				v->allow_port);
	if (run_is_nested())
		return say_fail(RUN_FAILED,
				"this already runs under 'reeve run'; it cannot be nested");
	if (v->count_to) {
		options.count_to = fopen(v->count_to, "we");
		if (!options.count_to)
			return say_fail(RUN_FAILED, "cannot write '%s': %s", v->count_to,
					strerror(errno));
	}
	if (network_connect(invocation->network, NETWORK_GUEST, true, &options.network_fd, error) <
	    0)
		return say_fail(RUN_FAILED, "%s", error);
	return run_main(&options);
}

static const struct option_spec options[] = {
	{ .name = "host",
	  .kind = OPTION_TEXT,
	  .argument = "NAME",
	  .help = "the host, added if it is not there (else 'local')",
	  .offset = offsetof(struct run_values, host) },
	{ .name = "ip",
	  .kind = OPTION_TEXT,
	  .argument = "ADDRESS",
	  .help = "the host's address (else the next free one)",
	  .offset = offsetof(struct run_values, ip) },
	{ .name = "hostname",
	  .kind = OPTION_FLAG,
	  .help = "uname and gethostname say the host's name",
	  .offset = offsetof(struct run_values, hostname) },
	{ .name = "allow-port",
	  .kind = OPTION_TEXT,
	  .argument = "RANGES",
	  .help = "well-known ports it may bind where they are granted:\n"
		  "                             80,443,500-510",
	  .offset = offsetof(struct run_values, allow_port) },
	{ .name = "udp",
	  .kind = OPTION_TEXT,
	  .argument = "HOW",
	  .help = "'full' (as ever): UDP is exact; 'lite': sendmsg and recvmsg\n"
		  "                             cost less, UDP's control messages are missing",
	  .offset = offsetof(struct run_values, udp) },
	{ .name = "loopback",
	  .kind = OPTION_TEXT,
	  .argument = "HOW",
	  .help = "'exact' (as ever): connections inside the host are TCP;\n"
		  "                             'direct': faster, where both programs say so, but\n"
		  "                             their ends look like AF_UNIX's, and no capture "
		  "sees them",
	  .offset = offsetof(struct run_values, loopback) },
	{ .name = "count",
	  .kind = OPTION_FLAG,
	  .help = "when its last process has ended, say which calls were trapped,\n"
		  "                             how often, and how long the answers took",
	  .offset = offsetof(struct run_values, count) },
	{ .name = "count-to",
	  .kind = OPTION_TEXT,
	  .argument = "FILE",
	  .help = "the same into a file, as JSON",
	  .offset = offsetof(struct run_values, count_to) },
	{ 0 },
};

static const struct run_values defaults = { .host = "local" };

const struct command command_run = {
	.name = "run",
	.summary = "Run a program on a host of its own",
	.operands = "[OPTION...] [--] PROGRAM [ARGUMENT...]",
	.text = "The program keeps its terminal, signals, working directory and exit status. Its\n"
		"sockets are those of the host; it has no others. The status is 125 when reeve\n"
		"fails, 126 when the program cannot be run, 127 when it is not there.",
	.examples =
		"  reeve run --host web python3 -m http.server 80     as an ordinary user\n"
		"  reeve run --host web2 python3 -m http.server 80    the same port, another host\n"
		"  reeve run curl http://web/                         names work\n"
		"  reeve run sh                                       a shell on host 'local'\n"
		"  reeve run --count redis-server                     what it costs\n",
	.options = options,
	.uses = USES_NETWORK | USES_PROGRAM,
	.least_operands = 1,
	.most_operands = -1,
	.values_size = sizeof(struct run_values),
	.defaults = &defaults,
	.run = run,
};
