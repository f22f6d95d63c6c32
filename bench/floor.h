/* The names by which the floor's programs find each other: abstract ones of AF_UNIX. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FLOOR_PREFIX "reeve-floor-"

/* A listener's name is its port, a relay's whatever it is called. Returns the length of the name. */
__attribute__((format(printf, 2, 3))) static inline socklen_t floor_name(struct sockaddr_un *ret,
									 const char *format, ...)
{
	const size_t prefix = sizeof(FLOOR_PREFIX) - 1;
	char text[sizeof(ret->sun_path) - sizeof(FLOOR_PREFIX)];
	va_list arguments;

	va_start(arguments, format);
	const int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path + 1, FLOOR_PREFIX, prefix);
	memcpy(ret->sun_path + 1 + prefix, text, (size_t)length + 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + prefix + (size_t)length);
}

/* What a connecting socket that goes through a relay is called ends with a dash and the port. */
static inline const char *floor_port_of(struct sockaddr_un *name, socklen_t length)
{
	const size_t end = length - offsetof(struct sockaddr_un, sun_path);

	name->sun_path[end < sizeof(name->sun_path) ? end : sizeof(name->sun_path) - 1] = '\0';
	const char *dash = strrchr(name->sun_path + 1, '-');

	return dash ? dash + 1 : "";
}
