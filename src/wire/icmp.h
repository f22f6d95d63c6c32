/*
 * The ICMP header (RFC 792), whose shape ICMPv6 (RFC 4443, 2.1) shares.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

#define ICMP_HEADER          8
#define ICMP_CHECKSUM_OFFSET 2

enum icmpv4_type {
	ICMPV4_ECHO_REPLY = 0,
	ICMPV4_UNREACHABLE = 3,
	ICMPV4_SOURCE_QUENCH = 4,
	ICMPV4_REDIRECT = 5,
	ICMPV4_ECHO_REQUEST = 8,
	ICMPV4_TIME_EXCEEDED = 11,
	ICMPV4_PARAMETER_PROBLEM = 12,
};

/* Codes of ICMPV4_UNREACHABLE (RFC 792; RFC 1122, 3.2.2.1; RFC 1812, 5.2.7.1). */
enum icmpv4_unreachable {
	ICMPV4_NETWORK = 0,
	ICMPV4_HOST = 1,
	ICMPV4_PROTOCOL = 2,
	ICMPV4_PORT = 3,
	ICMPV4_FRAGMENTATION_NEEDED = 4,
	ICMPV4_PROHIBITED = 13,
};

/* Codes of ICMPV4_TIME_EXCEEDED. */
enum icmpv4_exceeded {
	ICMPV4_TTL = 0,
	ICMPV4_REASSEMBLY = 1,
};

enum icmpv6_type {
	ICMPV6_UNREACHABLE = 1,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
};

/* A code of ICMPV6_UNREACHABLE (RFC 4443, 3.1). */
enum icmpv6_unreachable {
	ICMPV6_PORT = 4,
};

struct icmp_header {
	uint8_t type, code;
	uint16_t checksum;
	uint32_t rest; /* what it means is the type's: id and sequence, pointer, next hop's MTU */
};

/* False when too short. Does not look at the checksum. */
bool icmp_parse(struct cursor *c, struct icmp_header *ret);
void icmp_emit(const struct icmp_header *h, uint8_t bytes[ICMP_HEADER]);

static inline uint32_t icmp_echo_rest(uint16_t id, uint16_t sequence)
{
	return (uint32_t)id << 16 | sequence;
}
