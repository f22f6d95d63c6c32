/*
 * The IANA Service Name and Transport Protocol Port Number Registry, compiled in from
 * data/service-names-port-numbers.csv by tools/registry.py: every row that names a port or a
 * service, its aliases, ranges, "Reserved" and "Unassigned" told apart.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum registry_status {
	REGISTRY_ASSIGNED,
	REGISTRY_RESERVED, /* by IANA, or taken back and not given out again */
	REGISTRY_UNASSIGNED,
};

enum registry_protocol {
	REGISTRY_NONE = 0, /* the row names no protocol: it speaks of all */
	REGISTRY_TCP = 1 << 0,
	REGISTRY_UDP = 1 << 1,
	REGISTRY_SCTP = 1 << 2,
	REGISTRY_DCCP = 1 << 3,
	REGISTRY_ANY = 0xf,
};

struct registry_entry {
	const char *name;        /* "" for Reserved, Unassigned and "any private mail system" */
	const char *description; /* as IANA has it, white space folded */
	const char *reference;   /* "[RFC9110]", or "" */
	const char *notes;       /* or "" */
	uint16_t first, last;    /* inclusive; see has_port */
	bool has_port;           /* services without a port number are in the registry too */
	uint8_t protocol;        /* one enum registry_protocol */
	uint8_t status;          /* enum registry_status */
};

/*
 * All of these give entries by value, as the tables hold no pointers: false when there is no
 * index-th, and *ret is untouched then. The strings live for ever.
 */

size_t registry_count(void);

/* In order of ports, then protocol; services without a port come last. */
bool registry_entry(size_t index, struct registry_entry *ret);

/* What the registry says of a port: its own rows first, then those of ranges it is in. Rows that
 * name no protocol count for any. */
bool registry_by_port(uint16_t port, unsigned protocols, size_t index, struct registry_entry *ret);

/* By service name, then by alias ("whois" is nicname and whoispp); case-insensitive (RFC 6335,
 * 5.1). */
bool registry_by_name(const char *name, unsigned protocols, size_t index,
		      struct registry_entry *ret);

/* The assigned service's name at a port, NULL if there is none; constant time. */
const char *registry_service_name(uint16_t port, enum registry_protocol protocol);

/* The name that resembles `name` most, for "did you mean"; NULL if none does. */
const char *registry_suggest(const char *name);

const char *registry_protocol_name(enum registry_protocol protocol); /* "tcp"; "" for NONE */
