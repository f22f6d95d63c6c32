/*
 * Runs scripts and says of each how it went, as TAP:
 *
 *	run_script [--strict] FILE...
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

static bool run_file(const char *path, unsigned number, bool is_strict)
{
	struct script_fault fault = { 0 };
	struct script *s = NULL;
	enum run_result result = RUN_FAILED;
	size_t length = 0;
	char *const text = read_file(path, &length);

	if (!text)
		script_fault(&fault, (struct script_place){ 0, 0 }, "%s", strerror(errno));
	else if (script_parse(text, length, &s, &fault) == 0)
		result = run_script(s, is_strict, &fault);
	free(text);
	script_free(s);
	switch (result) {
	case RUN_PASSED:
		printf("ok %u - %s\n", number, path);
		break;
	case RUN_SKIPPED:
		printf("ok %u - %s # SKIP the stack has no IPv6\n", number, path);
		break;
	case RUN_FAILED:
		printf("not ok %u - %s\n# %s:%u:%u: %s\n", number, path, path, fault.place.line,
		       fault.place.column, fault.text);
		break;
	}
	return result != RUN_FAILED;
}

int main(int argc, char **argv)
{
	const bool is_strict = argc > 1 && strcmp(argv[1], "--strict") == 0;
	const int first = is_strict ? 2 : 1;
	bool all = true;

	if (argc <= first) {
		fprintf(stderr, "usage: run_script [--strict] FILE...\n");
		return 2;
	}
	printf("1..%d\n", argc - first);
	for (int i = first; i < argc; i++)
		all &= run_file(argv[i], (unsigned)(i - first + 1), is_strict);
	return all ? 0 : 1;
}
