/*
 * What libreeve says of a connection, by the names and in the units of Linux's struct tcp_info.
 */
#pragma once

#include "reeve/tcp.h"

#define TCP_INFO_VALUES 33

struct tcp_info_values {
	int64_t list[TCP_INFO_VALUES];
};

void tcp_info_read(const struct reeve_tcp *tcp, struct tcp_info_values *ret);

/* False for a name that is not known. `values` may be NULL: then *ret is left. */
bool tcp_info_value(const struct tcp_info_values *values, const char *name, size_t length,
		    int64_t *ret);
