/*
 * ARP for IPv4 over Ethernet (RFC 826).
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|      Hardware space (1)       |    Protocol space (0x0800)    |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	| Hw length (6) | Pr length (4) |            Opcode             |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                    Sender hardware address                    |
 *	+                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                               |    Sender protocol address    |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|    (continued)                |    Target hardware address    |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
 *	|                                                               |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                    Target protocol address                    |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
#include "wire/arp.h"

#include <string.h>

#define ARP_ETHERNET 1

bool arp_parse(struct cursor *c, struct arp_packet *ret)
{
	struct arp_packet a;
	const uint16_t hardware = cursor_be16(c);
	const uint16_t protocol = cursor_be16(c);
	const uint8_t hardware_length = cursor_u8(c);
	const uint8_t protocol_length = cursor_u8(c);

	a.operation = cursor_be16(c);
	cursor_copy(c, a.sender_mac, sizeof(a.sender_mac));
	a.sender = cursor_be32(c);
	cursor_copy(c, a.target_mac, sizeof(a.target_mac));
	a.target = cursor_be32(c);
	if (!cursor_ok(c) || hardware != ARP_ETHERNET || protocol != ETHER_IPV4)
		return false;
	if (hardware_length != ETHER_ADDRESS || protocol_length != 4)
		return false;
	if (a.operation != ARP_REQUEST && a.operation != ARP_REPLY)
		return false;
	*ret = a;
	return true;
}

void arp_emit(const struct arp_packet *a, uint8_t bytes[ARP_PACKET])
{
	store_be16(bytes, ARP_ETHERNET);
	store_be16(bytes + 2, ETHER_IPV4);
	bytes[4] = ETHER_ADDRESS;
	bytes[5] = 4;
	store_be16(bytes + 6, a->operation);
	memcpy(bytes + 8, a->sender_mac, ETHER_ADDRESS);
	store_be32(bytes + 14, a->sender);
	memcpy(bytes + 18, a->target_mac, ETHER_ADDRESS);
	store_be32(bytes + 24, a->target);
}
