/* What the two sides of a pair share: how they fail, their names and sockets. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "measure.h"

static inline _Noreturn void pair_fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline struct sockaddr_in pair_name(const char *address, const char *port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)measure_number(port)) };

	if (inet_pton(AF_INET, address, &name.sin_addr) != 1)
		pair_fail(address);
	return name;
}

static inline int pair_socket(int type)
{
	const int fd = socket(AF_INET, type, 0);

	if (fd < 0)
		pair_fail("socket");
	return fd;
}
