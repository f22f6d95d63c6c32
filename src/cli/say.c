/*
 * Lines on stderr. Each is written at once, so that lines of several processes do not mix; control
 * characters of names that came from elsewhere are shown as '?', so that they cannot steer a
 * terminal.
 */
#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEAD "reeve: "

__attribute__((format(printf, 1, 0))) static void say_list(const char *format, va_list arguments)
{
	char line[1024] = HEAD;
	size_t length = strlen(HEAD);
	const int body = vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);

	if (body < 0)
		return;
	length = strnlen(line, sizeof(line) - 2);
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	line[length++] = '\n';
	fflush(stdout);
	for (size_t done = 0; done < length;) {
		const ssize_t n = write(STDERR_FILENO, line + done, length - done);

		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_list(format, arguments);
	va_end(arguments);
}

int say_fail(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_list(format, arguments);
	va_end(arguments);
	return status;
}
