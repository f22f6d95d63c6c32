/* Listings of a network's sockets: for `reeve ports` and `reeve services --host`. */
#pragma once

#include "cli/command.h"

struct sockets_filter {
	const char *host; /* NULL: all */
	bool listening, tcp, udp;
};

/* Exit statuses. */
int sockets_list(const struct invocation *invocation, const struct sockets_filter *filter);

/* One line a service that the host serves now. */
int sockets_list_services(const struct invocation *invocation, const char *host);
