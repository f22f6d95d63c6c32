/*
 * A verb of the command line: what it is called, takes and does. Each lives in its cmd_*.c;
 * commands.c lists them. From one table of options come the parser and the text of --help.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an option's value is and how it is written. */
enum option_kind {
	OPTION_FLAG,  /* bool: no value */
	OPTION_TEXT,  /* const char * */
	OPTION_COUNT, /* int64_t, least..most */
	OPTION_RATIO, /* double, 0 to 1: "5%" or "0.05" */
	OPTION_TIME,  /* double, milliseconds: "20ms", "1.5s", "300us", "20" */
	OPTION_RATE,  /* int64_t, bits a second: "50mbit", "1gbit", "9600" */
};

struct option_spec {
	const char *name;     /* NULL ends a table */
	const char *argument; /* what --help calls the value */
	const char *help;
	size_t offset;       /* of the value in the command's values */
	int64_t least, most; /* of a count; of a time in ms, 0 and 0: up to an hour */
	enum option_kind kind;
	char letter; /* or 0 */
};

enum command_uses {
	USES_NETWORK = 1 << 0, /* --network NAME, or REEVE_NETWORK */
	USES_JSON = 1 << 1,    /* --json */
	USES_PROGRAM = 1 << 2, /* the operands are another program's: options end at the first */
};

/* One call of a command, as the command line had it. */
struct invocation {
	const struct command *command;
	const char *network; /* of commands that use one: never NULL */
	bool json;
	int operand_count;
	char **operands; /* NULL after the last */
};

struct command {
	const char *name;
	const char *summary;  /* one line, for the list of commands */
	const char *operands; /* "[HOST]", for the usage line; lines for further usages */
	const char *text;     /* a paragraph for --help, or NULL */
	const char *examples; /* lines of "command  what it does" */
	const struct option_spec *options;
	unsigned uses; /* enum command_uses */
	int least_operands, most_operands;
	size_t values_size;   /* of the structure that the options fill */
	const void *defaults; /* its first content; NULL: zeroes */
	int (*run)(const struct invocation *invocation, const void *values);
};

/* All commands, in the order of help; NULL at the end. */
extern const struct command *const commands[];

const struct command *command_find(const char *name);
/* Says that there is no such command, and which may be meant. The exit status. */
int command_complain(const char *name);

extern const struct command command_run;
extern const struct command command_ports;
extern const struct command command_hosts;
extern const struct command command_services;
extern const struct command command_up;
extern const struct command command_status;
extern const struct command command_restart;
extern const struct command command_address;
extern const struct command command_ping;
extern const struct command command_link;
extern const struct command command_capture;
extern const struct command command_impair;
extern const struct command command_network;
extern const struct command command_down;
extern const struct command command_version;
extern const struct command command_help;
