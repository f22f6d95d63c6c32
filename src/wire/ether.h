/*
 * Ethernet II frames (RFC 894).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

#define ETHER_HEADER  14
#define ETHER_ADDRESS 6

enum ether_type {
	ETHER_IPV4 = 0x0800,
	ETHER_ARP = 0x0806,
	ETHER_IPV6 = 0x86dd,
};

struct ether_header {
	uint8_t destination[ETHER_ADDRESS];
	uint8_t source[ETHER_ADDRESS];
	uint16_t type;
};

extern const uint8_t ether_broadcast[ETHER_ADDRESS];

/* False when the frame is too short. */
bool ether_parse(struct cursor *c, struct ether_header *ret);
void ether_emit(const struct ether_header *h, uint8_t bytes[ETHER_HEADER]);

/* To a group of stations, all of them included (IEEE 802, the first bit on the wire). */
static inline bool ether_is_group(const uint8_t mac[ETHER_ADDRESS])
{
	return mac[0] & 1;
}

/* The group address of an IPv4 multicast address (RFC 1112, 6.4). */
void ether_from_multicast(uint32_t group, uint8_t ret[ETHER_ADDRESS]);
