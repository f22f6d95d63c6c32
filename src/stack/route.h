/*
 * Routes: which interface and which neighbour a destination is behind (RFC 1122, 3.3.1). Of IPv4
 * alone: ::1 needs none.
 */
#pragma once

#include "stack/host_private.h"

#define ROUTE_MAX 256

struct route {
	uint32_t network; /* host order, masked */
	uint32_t gateway; /* meaningful with has_gateway */
	uint8_t length;   /* of the prefix */
	uint8_t iface;
	bool has_gateway;
};

/* The bits of an address that a prefix of this length says, 0 to 32. */
static inline uint32_t route_mask(unsigned length)
{
	return length == 0 ? 0 : UINT32_MAX << (32 - length);
}

struct route_table *route_table_new(void); /* NULL: no memory */
struct route_table *route_table_free(struct route_table *t);

/* The longest prefix that holds the destination, or NULL. */
const struct route *route_find(const struct reeve_host *host, uint32_t destination);
