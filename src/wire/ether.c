/*
 * Ethernet II frames (RFC 894).
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                      Destination Address                      |
 *	+                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                               |                               |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
 *	|                        Source Address                         |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|             Type              |             Data
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
 */
#include "wire/ether.h"

#include <string.h>

const uint8_t ether_broadcast[ETHER_ADDRESS] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

bool ether_parse(struct cursor *c, struct ether_header *ret)
{
	struct ether_header h;

	cursor_copy(c, h.destination, sizeof(h.destination));
	cursor_copy(c, h.source, sizeof(h.source));
	h.type = cursor_be16(c);
	if (!cursor_ok(c))
		return false;
	*ret = h;
	return true;
}

void ether_emit(const struct ether_header *h, uint8_t bytes[ETHER_HEADER])
{
	memcpy(bytes, h->destination, ETHER_ADDRESS);
	memcpy(bytes + 6, h->source, ETHER_ADDRESS);
	store_be16(bytes + 12, h->type);
}

void ether_from_multicast(uint32_t group, uint8_t ret[ETHER_ADDRESS])
{
	ret[0] = 0x01;
	ret[1] = 0x00;
	ret[2] = 0x5e;
	ret[3] = (uint8_t)(group >> 16 & 0x7f);
	ret[4] = (uint8_t)(group >> 8);
	ret[5] = (uint8_t)group;
}
