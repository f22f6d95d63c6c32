/*
 * ARP for IPv4 over Ethernet (RFC 826).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "wire/ether.h"

#define ARP_PACKET 28

enum arp_operation {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};

struct arp_packet {
	uint16_t operation; /* enum arp_operation */
	uint8_t sender_mac[ETHER_ADDRESS];
	uint8_t target_mac[ETHER_ADDRESS];
	uint32_t sender, target; /* IPv4 addresses */
};

/* False when it is too short, or not a request or reply for IPv4 over Ethernet. Padding behind it
 * is left in the cursor. */
bool arp_parse(struct cursor *c, struct arp_packet *ret);
void arp_emit(const struct arp_packet *a, uint8_t bytes[ARP_PACKET]);
