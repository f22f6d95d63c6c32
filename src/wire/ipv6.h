/*
 * The IPv6 base header (RFC 8200, 3).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "reeve/address.h"

#define IPV6_HEADER 40

struct ipv6_header {
	uint8_t traffic_class;
	uint32_t flow_label;
	uint16_t payload_length;
	uint8_t next_header, hop_limit;
	struct reeve_address source, destination;
};

enum ipv6_fault {
	IPV6_OK,
	IPV6_SHORT,
	IPV6_VERSION, /* not 6 */
};

/* Does not look at whether payload_length bytes are there. *ret is untouched unless IPV6_OK. */
enum ipv6_fault ipv6_parse(struct cursor *c, struct ipv6_header *ret);
void ipv6_emit(const struct ipv6_header *h, uint8_t bytes[IPV6_HEADER]);
