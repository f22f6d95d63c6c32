/* What the two programs of the endurance run agree on: ports, from the first, and small helpers. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

enum soak_port {
	SOAK_ECHO,   /* sends back what comes until the client ends; UDP: each datagram */
	SOAK_ONCE,   /* the same once, then closes first */
	SOAK_RESET,  /* resets when something has come */
	SOAK_UNREAD, /* closes when something has come, without reading it */
	SOAK_LAZY,   /* never accepts, and closes the listener now and then */
	SOAK_LISTENERS,
	SOAK_CLOSED = SOAK_LISTENERS,
	SOAK_PORTS,
};

/* Of one message of a stream, or one datagram. */
#define SOAK_MOST 60000

static inline _Noreturn void soak_fail(const char *what)
{
	fprintf(stderr, "soak: %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline struct sockaddr_in soak_name(const char *address, uint32_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, address, &name.sin_addr) != 1)
		soak_fail(address);
	return name;
}

/* close() sends a reset. */
static inline void soak_reset(int fd)
{
	const struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)))
		soak_fail("SO_LINGER");
	close(fd);
}
