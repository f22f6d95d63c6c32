/*
 * The options of a command and of all commands, in one list for getopt_long and for --help.
 */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/quantity.h"
#include "base/similar.h"
#include "cli/say.h"

#define OPTIONS_MOST 32
#define LONG_BASE    256 /* getopt's values of options without a letter, above all letters */

/* The options that are the same for all; their values are in struct invocation. */
static const struct option_spec network_option = {
	.name = "network",
	.kind = OPTION_TEXT,
	.argument = "NAME",
	.help = "the network (else $REEVE_NETWORK, else 'default')",
	.offset = offsetof(struct invocation, network),
};
static const struct option_spec json_option = {
	.name = "json",
	.kind = OPTION_FLAG,
	.help = "print JSON",
	.offset = offsetof(struct invocation, json),
};
static const struct option_spec help_option = {
	.name = "help",
	.letter = 'h',
	.kind = OPTION_FLAG,
	.help = "print this help",
};

struct option_list {
	const struct option_spec *specs[OPTIONS_MOST];
	bool common[OPTIONS_MOST]; /* the value is in struct invocation */
	int count;
};

static void add_option(struct option_list *list, const struct option_spec *spec, bool common)
{
	check(list->count < OPTIONS_MOST);
	list->specs[list->count] = spec;
	list->common[list->count++] = common;
}

static void collect_options(const struct command *command, struct option_list *list)
{
	list->count = 0;
	for (const struct option_spec *o = command->options; o && o->name; o++)
		add_option(list, o, false);
	if (command->uses & USES_NETWORK)
		add_option(list, &network_option, true);
	if (command->uses & USES_JSON)
		add_option(list, &json_option, true);
	add_option(list, &help_option, true);
}

/* For getopt_long; both arrays have room for OPTIONS_MOST and the end. */
static void describe_for_getopt(const struct command *command, const struct option_list *list,
				char *letters, struct option *longs)
{
	/* '+': stop at the first operand; ':': tell a missing value from an unknown option. */
	if (command->uses & USES_PROGRAM)
		*letters++ = '+';
	*letters++ = ':';
	for (int i = 0; i < list->count; i++) {
		const struct option_spec *o = list->specs[i];
		const bool has_value = o->kind != OPTION_FLAG;

		if (o->letter) {
			*letters++ = o->letter;
			if (has_value)
				*letters++ = ':';
		}
		longs[i] = (struct option){
			.name = o->name,
			.has_arg = has_value ? required_argument : no_argument,
			.val = LONG_BASE + i,
		};
	}
	*letters = '\0';
	longs[list->count] = (struct option){ 0 };
}

/* Which option getopt means; it gives back only what it was told of. */
static int find_option(const struct option_list *list, int value)
{
	for (int i = 0;; i++) {
		check(i < list->count);
		if (value == LONG_BASE + i ||
		    (value < LONG_BASE && value == list->specs[i]->letter))
			return i;
	}
}

static int complain_range(const struct option_spec *o, const char *text)
{
	static const char *const most[] = {
		[OPTION_RATIO] = "100% (or 1)",
		[OPTION_TIME] = "an hour",
		[OPTION_RATE] = "1000gbit",
	};

	if (o->kind == OPTION_COUNT)
		return say_fail(EX_USAGE, "--%s takes %lld to %lld, not '%s'", o->name,
				(long long)o->least, (long long)o->most, text);
	if (o->kind == OPTION_TIME && o->most)
		return say_fail(EX_USAGE, "--%s takes %lldms to %llds, not '%s'", o->name,
				(long long)o->least, (long long)o->most / 1000, text);
	return say_fail(EX_USAGE, "--%s takes at most %s, not '%s'", o->name, most[o->kind], text);
}

static int complain_value(const struct option_spec *o, const char *text)
{
	static const char *const wanted[] = {
		[OPTION_COUNT] = "a whole number",
		[OPTION_RATIO] = "a percentage such as 5%, or a number from 0 to 1",
		[OPTION_TIME] = "a time such as 20ms, 1.5s or 300us",
		[OPTION_RATE] = "a rate such as 50mbit, 1gbit or 64kbit",
	};

	return say_fail(EX_USAGE, "--%s takes %s, not '%s'", o->name, wanted[o->kind], text);
}

static int time_within(const struct option_spec *o, const char *text, double *ret)
{
	double ms;
	const int error = quantity_time_ms(text, &ms);

	if (error)
		return error;
	if (o->most && (ms < (double)o->least || ms > (double)o->most))
		return -ERANGE;
	*ret = ms;
	return 0;
}

/* Stores the option's value where the table says. 0, or the exit status after a complaint. */
static int store_value(const struct option_spec *o, const char *text, char *values)
{
	void *where = values + o->offset;
	int error = 0;

	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)where = true;
		break;
	case OPTION_TEXT:
		*(const char **)where = text;
		break;
	case OPTION_COUNT:
		error = quantity_count(text, o->least, o->most, where);
		break;
	case OPTION_RATIO:
		error = quantity_ratio(text, where);
		break;
	case OPTION_TIME:
		error = time_within(o, text, where);
		break;
	case OPTION_RATE:
		error = quantity_rate(text, where);
		break;
	}
	if (error == -ERANGE)
		return complain_range(o, text);
	return error ? complain_value(o, text) : 0;
}

static int complain_unknown(const struct command *command, const struct option_list *list,
			    char **argv)
{
	if (optopt > 0 && optopt < LONG_BASE)
		return say_fail(EX_USAGE, "no option '-%c'; 'reeve %s --help' lists them", optopt,
				command->name);
	if (optopt >= LONG_BASE)
		return say_fail(EX_USAGE, "--%s takes no value",
				list->specs[optopt - LONG_BASE]->name);
	const char *given = argv[optind - 1];
	char word[SIMILAR_LENGTH + 1] = "";
	const size_t length = strcspn(given + 2, "=");
	const char *best = NULL;

	if (length < sizeof(word))
		memcpy(word, given + 2, length);
	size_t limit = similar_limit(word);

	for (int i = 0; i < list->count; i++) {
		const size_t d = similar_distance(word, list->specs[i]->name, limit);

		if (d < limit) {
			best = list->specs[i]->name;
			limit = d;
		}
	}
	if (best)
		return say_fail(EX_USAGE, "no option '%s'; did you mean '--%s'?", given, best);
	return say_fail(EX_USAGE, "no option '%s'; 'reeve %s --help' lists them", given,
			command->name);
}

static int complain_missing(const struct option_list *list)
{
	const struct option_spec *o = list->specs[find_option(list, optopt)];

	return say_fail(EX_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->argument);
}

static int check_operands(const struct command *command, const struct invocation *invocation)
{
	if (invocation->operand_count < command->least_operands)
		return say_fail(EX_USAGE, "an argument is missing; usage: reeve %s %s",
				command->name, command->operands);
	if (command->most_operands >= 0 && invocation->operand_count > command->most_operands)
		return say_fail(EX_USAGE, "unexpected argument '%s'; see 'reeve %s --help'",
				invocation->operands[command->most_operands], command->name);
	return OPTIONS_RUN;
}

static void choose_network(struct invocation *invocation)
{
	if (invocation->network)
		return;
	const char *from_environment = getenv("REEVE_NETWORK");

	invocation->network = from_environment && *from_environment ? from_environment : "default";
}

int options_parse(const struct command *command, int argc, char **argv,
		  struct invocation *invocation, void *values)
{
	struct option_list list;
	struct option longs[OPTIONS_MOST + 1];
	char letters[2 * OPTIONS_MOST + 3];
	int value;

	*invocation = (struct invocation){ .command = command };
	collect_options(command, &list);
	describe_for_getopt(command, &list, letters, longs);
	optind = 0; /* start anew, with the mode the letters ask for */
	opterr = 0;
	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (value == '?')
			return complain_unknown(command, &list, argv);
		if (value == ':')
			return complain_missing(&list);
		const int i = find_option(&list, value);

		if (list.specs[i] == &help_option) {
			options_print_help(command);
			return EX_OK;
		}
		const int status = store_value(list.specs[i], optarg,
					       list.common[i] ? (char *)invocation : values);

		if (status)
			return status;
	}
	choose_network(invocation);
	invocation->operand_count = argc - optind;
	invocation->operands = argv + optind;
	return check_operands(command, invocation);
}

static void print_option(const struct option_spec *o)
{
	char left[48];
	const char *space = o->argument ? " " : "", *argument = o->argument ? o->argument : "";

	if (o->letter)
		snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter, o->name, space, argument);
	else
		snprintf(left, sizeof(left), "    --%s%s%s", o->name, space, argument);
	printf("  %-26s %s\n", left, o->help);
}

/* One usage a line of `operands`. */
static void print_usage(const struct command *command)
{
	const char *line = command->operands, *label = "Usage:";

	do {
		const int length = (int)strcspn(line, "\n");

		printf("%s reeve %s%s%.*s\n", label, command->name, length ? " " : "", length,
		       line);
		line += length + (line[length] == '\n');
		label = "      ";
	} while (*line);
}

void options_print_help(const struct command *command)
{
	struct option_list list;

	print_usage(command);
	printf("\n%s.\n", command->summary);
	if (command->text)
		printf("\n%s\n", command->text);
	printf("\nOptions:\n");
	collect_options(command, &list);
	for (int i = 0; i < list.count; i++)
		print_option(list.specs[i]);
	if (command->examples)
		printf("\nExamples:\n%s", command->examples);
}
