#include "network/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE 1024

void log_line(const char *format, ...)
{
	const time_t now = time(NULL);
	char line[LINE];
	struct tm tm;
	va_list arguments;
	size_t length = 0;
	int n;

	if (gmtime_r(&now, &tm))
		length = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	va_start(arguments, format);
	n = vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);
	va_end(arguments);
	if (n < 0)
		return;
	length += (size_t)n < sizeof(line) - length - 1 ? (size_t)n : sizeof(line) - length - 2;
	line[length++] = '\n';
	/* In one piece: lines of two processes do not mix. A full disk is no reason to stop. */
	const ssize_t written = write(STDERR_FILENO, line, length);

	(void)written;
}
