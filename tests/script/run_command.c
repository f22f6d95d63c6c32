/*
 * Commands in backquotes. Nothing is ever started: a few are understood, by what they would do to a
 * kernel, and every other one ends the script. What is understood and can't be done is noted, so
 * that whoever reads the result knows.
 */
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "sysctl.h"

/* A command's words, without the quotes. */
struct words {
	char text[2000];
	unsigned count;
	const char *list[64];
};

static void refuse(struct run *r, struct script_place place, const char *word)
{
	script_refuse(r->fault, place, "the command '%.60s' is not supported", word);
}

/* The name behind the last slash. */
static const char *base_name(const char *path)
{
	const char *const slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool begins_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* "name=value"; /proc/sys/net/ipv4/x is net.ipv4.x. */
static void set(struct run *r, struct script_place place, const char *word)
{
	static const char proc[] = "/proc/sys/";
	const bool is_path = begins_with(word, proc);
	const char *const value = strchr(word, '=');
	char name[100];
	const size_t skipped = is_path ? sizeof(proc) - 1 : 0;

	if (!value || (size_t)(value - word) - skipped >= sizeof(name)) {
		refuse(r, place, word);
		return;
	}
	memcpy(name, word + skipped, (size_t)(value - word) - skipped);
	name[(size_t)(value - word) - skipped] = 0;
	for (char *c = name; is_path && *c; c++)
		if (*c == '/')
			*c = '.';
	sysctl_set(r, place, name, value + 1);
}

/* What the scripts that are written for Linux begin with, whichever directory it is in. */
static void set_defaults(struct run *r, struct script_place place)
{
	static const char *const values[] = {
		"net.ipv4.tcp_rmem=4096 540000 15728640",
		"net.ipv4.tcp_syn_retries=5",
		"net.ipv4.tcp_synack_retries=5",
		"net.ipv4.tcp_slow_start_after_idle=0",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		set(r, place, values[i]);
}

static void run_words(struct run *r, const struct words *w, struct script_place place)
{
	const char *const name = base_name(w->list[0]);
	unsigned i = 1;

	if (strcmp(name, "defaults.sh") == 0 && w->count == 1) {
		set_defaults(r, place);
	} else if (strcmp(name, "set_sysctls.py") == 0 || strcmp(name, "sysctl") == 0) {
		while (i < w->count &&
		       (strcmp(w->list[i], "-q") == 0 || strcmp(w->list[i], "-w") == 0))
			i++;
		for (; i < w->count; i++)
			set(r, place, w->list[i]);
	} else if (strcmp(name, "rm") == 0 || strcmp(name, "dd") == 0) {
		/* A file is what call_pipe.c makes of it. */
		script_note(r->script, place, "the command '%s' has no effect", name);
	} else if (!begins_with(name, "sysctl_restore_")) {
		refuse(r, place, w->list[0]);
	}
}

/* One character of a word, or what ends it: quotes hold blanks together, and nothing else is known of
 * a shell's syntax. Returns false at the word's end. */
static bool take(const char **text, char *quote, struct words *w, size_t *length)
{
	const char c = **text;

	if (c == 0 || (!*quote && strchr(" \t\r\n;", c)))
		return false;
	(*text)++;
	if (c == '\\' && **text == '\n') {
		(*text)++;
		if (!*quote)
			return false;
		return true;
	}
	if (c == *quote)
		*quote = 0;
	else if (!*quote && (c == '"' || c == '\''))
		*quote = c;
	else if (*length + 2 < sizeof(w->text))
		w->text[(*length)++] = c;
	return true;
}

/* The words up to the end of a line, or ';'. False when there is no more. */
static bool read_words(const char **text, struct words *w)
{
	size_t length = 0;

	w->count = 0;
	for (;;) {
		const size_t start = length;
		char quote = 0;

		*text += strspn(*text, " \t\r");
		if (**text == '\\' && (*text)[1] == '\n') {
			*text += 2;
			continue;
		}
		if (**text == '#')
			*text += strcspn(*text, "\n");
		if (**text == 0 || **text == '\n' || **text == ';')
			break;
		if (w->count == sizeof(w->list) / sizeof(w->list[0]))
			break;
		while (take(text, &quote, w, &length))
			;
		w->list[w->count++] = w->text + start;
		w->text[length++] = 0;
		if (length + 2 >= sizeof(w->text))
			break;
	}
	if (**text == '\n' || **text == ';')
		(*text)++;
	return w->count > 0 || **text;
}

void run_command(struct run *r, const char *text, struct script_place place)
{
	struct words w;

	while (!r->fault->is_set && read_words(&text, &w))
		if (w.count > 0)
			run_words(r, &w, place);
}
