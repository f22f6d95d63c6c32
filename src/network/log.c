#include "network/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE 1024

static bool is_own;

void log_own(void)
{
	is_own = true;
}

/* In one piece: lines of two processes do not mix. A full disk is no reason to stop. */
static void write_line(const char *text)
{
	const time_t now = time(NULL);
	char when[32] = "", line[LINE + sizeof(when) + 1];
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	const int length = snprintf(line, sizeof(line), "%s%s\n", when, text);
	struct stat st;

	if (is_own && fstat(STDERR_FILENO, &st) == 0 && st.st_size > LOG_BYTES_MOST)
		(void)!ftruncate(STDERR_FILENO, 0);
	(void)!write(STDERR_FILENO, line, (size_t)length);
}

void log_line(const char *format, ...)
{
	char text[LINE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	write_line(text);
}
