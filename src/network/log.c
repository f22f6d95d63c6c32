#include "network/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE 1024

/* In one piece: lines of two processes do not mix. A full disk is no reason to stop. */
static void write_line(const char *text)
{
	const time_t now = time(NULL);
	char when[32] = "", line[LINE + sizeof(when) + 1];
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	const int length = snprintf(line, sizeof(line), "%s%s\n", when, text);
	const ssize_t written = write(STDERR_FILENO, line, (size_t)length);

	(void)written;
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
