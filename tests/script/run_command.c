/*
 * Commands in backquotes. Nothing is ever started: what sets the kernel as the stack is anyway has no
 * effect, and everything else ends the script.
 */
#include <string.h>

#include "run.h"

/* Settings of a kernel that libreeve behaves as, whichever it is asked for. */
static const struct setting {
	const char *name, *value;
} settings[] = {
	{ "net.ipv4.tcp_congestion_control", "cubic" },
	{ "net.ipv4.tcp_dsack", "1" },
	{ "net.ipv4.tcp_ecn", "0" },
	{ "net.ipv4.tcp_fastopen", "0" },
	{ "net.ipv4.tcp_min_tso_segs", "1" },
	{ "net.ipv4.tcp_moderate_rcvbuf", "1" },
	{ "net.ipv4.tcp_mtu_probing", "0" },
	{ "net.ipv4.tcp_no_metrics_save", "1" },
	{ "net.ipv4.tcp_retrans_collapse", "0" },
	{ "net.ipv4.tcp_rfc1337", "1" },
	{ "net.ipv4.tcp_sack", "1" },
	{ "net.ipv4.tcp_timestamps", "1" },
	{ "net.ipv4.tcp_window_scaling", "1" },
};

static bool is_as_set(const char *word)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const size_t length = strlen(settings[i].name);

		if (strncmp(word, settings[i].name, length) == 0 && word[length] == '=' &&
		    strcmp(word + length + 1, settings[i].value) == 0)
			return true;
	}
	return false;
}

/* The customary script that sets a kernel's defaults. */
static bool is_defaults(const char *word)
{
	static const char name[] = "defaults.sh";
	const size_t length = strlen(word);

	return length >= sizeof(name) - 1 && strcmp(word + length - sizeof(name) + 1, name) == 0;
}

static void run_line(struct run *r, char *line, struct script_place place)
{
	bool is_sysctl = false, is_first = true;
	char *rest = line;

	for (char *word; (word = strtok_r(rest, " \t\r", &rest)) != NULL; is_first = false) {
		if (is_first && is_defaults(word))
			continue;
		if (is_first && strcmp(word, "sysctl") == 0) {
			is_sysctl = true;
			continue;
		}
		if (is_sysctl &&
		    (strcmp(word, "-q") == 0 || strcmp(word, "-w") == 0 || is_as_set(word)))
			continue;
		script_fault(r->fault, place, "the command '%.60s' is not supported", word);
		return;
	}
}

void run_command(struct run *r, const char *text, struct script_place place)
{
	char line[400];

	while (*text) {
		const size_t length = strcspn(text, "\n;");

		if (length >= sizeof(line)) {
			script_fault(r->fault, place, "a command's line is too long");
			return;
		}
		memcpy(line, text, length);
		line[length] = 0;
		run_line(r, line, place);
		text += length + (text[length] != 0);
	}
}
