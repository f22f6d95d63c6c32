/*
 * Runs scripts and says of each how it went, as TAP:
 *
 *	run_script [--strict] [--linux] [-D NAME=VALUE]... FILE...
 *
 * --strict: what the stack sends and no event expects is a failure also when it is the last.
 * --linux: scripts are for Linux (README.md says what is different then).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define FILE_MAX ((size_t)2 << 20) /* bytes; the reader takes less */

static char *read_file(const char *path, size_t *ret_length)
{
	FILE *const f = fopen(path, "re");
	char *const text = f ? malloc(FILE_MAX) : NULL;

	if (text)
		*ret_length = fread(text, 1, FILE_MAX, f);
	if (text && ferror(f)) {
		fclose(f);
		free(text);
		return NULL;
	}
	if (f)
		fclose(f);
	return text;
}

struct totals {
	unsigned passed, failed, refused, skipped;
};

static void report(const char *path, unsigned number, enum run_result result,
		   const struct script_fault *fault, struct totals *totals)
{
	switch (result) {
	case RUN_PASSED:
		totals->passed++;
		printf("ok %u - %s\n", number, path);
		break;
	case RUN_SKIPPED:
		totals->skipped++;
		printf("ok %u - %s # SKIP the stack has no IPv6\n", number, path);
		break;
	case RUN_FAILED:
	case RUN_REFUSED:
		totals->failed += result == RUN_FAILED;
		totals->refused += result == RUN_REFUSED;
		printf("not ok %u - %s\n# %s:%u:%u: %s%s\n", number, path, path, fault->place.line,
		       fault->place.column, result == RUN_REFUSED ? "refused: " : "", fault->text);
		break;
	}
}

static void run_file(const char *path, unsigned number, const struct run_how *how,
		     const struct script_defines *defines, struct totals *totals)
{
	struct script_fault fault = { 0 };
	struct script *s = NULL;
	enum run_result result = RUN_FAILED;
	size_t length = 0;
	char *const text = read_file(path, &length);

	if (!text)
		script_fault(&fault, (struct script_place){ 0, 0 }, "%s", strerror(errno));
	else if (script_parse(text, length, defines, &s, &fault) == 0)
		result = run_script(s, how, &fault);
	if (fault.is_refusal)
		result = RUN_REFUSED;
	free(text);
	report(path, number, result, &fault, totals);
	for (const struct script_note *n = s ? s->notes : NULL; n; n = n->next)
		printf("# %s:%u: %s\n", path, n->place.line, n->text);
	script_free(s);
}

int main(int argc, char **argv)
{
	struct run_how how = { 0 };
	struct totals totals = { 0 };
	const char *list[64];
	struct script_defines defines = { list, 0 };
	int first = 1;

	for (; first < argc && argv[first][0] == '-'; first++) {
		if (strcmp(argv[first], "--strict") == 0)
			how.is_strict = true;
		else if (strcmp(argv[first], "--linux") == 0)
			how.is_linux = true;
		else if (strcmp(argv[first], "-D") == 0 && first + 1 < argc &&
			 defines.count < sizeof(list) / sizeof(list[0]))
			list[defines.count++] = argv[++first];
		else
			break;
	}
	if (argc <= first || argv[first][0] == '-') {
		fprintf(stderr,
			"usage: run_script [--strict] [--linux] [-D NAME=VALUE]... FILE...\n");
		return 2;
	}
	printf("1..%d\n", argc - first);
	for (int i = first; i < argc; i++)
		run_file(argv[i], (unsigned)(i - first + 1), &how, &defines, &totals);
	printf("# passed %u, failed %u, refused %u, skipped %u\n", totals.passed, totals.failed,
	       totals.refused, totals.skipped);
	return totals.failed + totals.refused > 0;
}
