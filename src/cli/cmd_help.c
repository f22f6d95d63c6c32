/* `reeve help`: the commands, or one of them. */
#include <stdio.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"

static void print_commands(void)
{
	const char *on = style_on(STYLE_HEAD), *off = style_off(STYLE_HEAD);

	printf("%sreeve%s gives any program its own TCP/IP host, with all 65,535 ports.\n\n", on,
	       off);
	printf("Usage: reeve COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:\n");
	for (size_t i = 0; commands[i]; i++)
		printf("  %s%-9s%s %s\n", on, commands[i]->name, off, commands[i]->summary);
	printf("\nExamples:\n"
	       "  reeve run --host web python3 -m http.server 80    port 80, as an ordinary user\n"
	       "  reeve run curl http://web/                        names work\n"
	       "  reeve ports                                       each socket and its program\n"
	       "\n'reeve COMMAND --help' explains one in full.\n");
}

static int run(const struct invocation *invocation, const void *values)
{
	(void)values;
	if (invocation->operand_count == 0) {
		print_commands();
		return EX_OK;
	}
	const char *name = invocation->operands[0];
	const struct command *command = command_find(name);

	if (!command)
		return command_complain(name);
	options_print_help(command);
	return EX_OK;
}

const struct command command_help = {
	.name = "help",
	.summary = "List the commands, or explain one",
	.operands = "[COMMAND]",
	.examples = "  reeve help           the commands\n"
		    "  reeve help ports     the same as 'reeve ports --help'\n",
	.most_operands = 1,
	.run = run,
};
