/*
 * Blocks of addresses with a purpose of their own: the IANA special-purpose address registries of
 * both families (RFC 6890, RFC 8190), and multicast.
 */
#pragma once

#include <stddef.h>

#include "reeve/address.h"

enum block_answer {
	BLOCK_NO,
	BLOCK_YES,
	BLOCK_UNSAID, /* the registry has "N/A" */
};

/* RFC 6890, 2.2.1: what the registry says of a block. */
struct block {
	struct reeve_prefix prefix;
	const char *name, *reference;
	enum block_answer source;      /* may be a packet's source */
	enum block_answer destination; /* may be a packet's destination */
	enum block_answer forwardable; /* routers may forward it */
	enum block_answer global;      /* reachable beyond its own network */
	enum block_answer reserved;    /* by the Internet Protocol itself: all must treat it so */
};

/* The index-th block that the address is in, the narrowest first. False past the last. */
bool block_of(const struct reeve_address *a, size_t index, struct block *ret);
