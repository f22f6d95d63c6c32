/*
 * The IPv6 base header (RFC 8200, 3).
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|Version| Traffic Class |           Flow Label                  |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|         Payload Length        |  Next Header  |   Hop Limit   |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                                                               |
 *	+                         Source Address                        +
 *	|                          (16 bytes)                           |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                                                               |
 *	+                      Destination Address                      +
 *	|                          (16 bytes)                           |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
#include "wire/ipv6.h"

#include <string.h>

#include "base/check.h"

enum ipv6_fault ipv6_parse(struct cursor *c, struct ipv6_header *ret)
{
	struct ipv6_header h;
	const uint32_t first = cursor_be32(c);

	h.payload_length = cursor_be16(c);
	h.next_header = cursor_u8(c);
	h.hop_limit = cursor_u8(c);
	cursor_copy(c, h.source.bytes, sizeof(h.source.bytes));
	cursor_copy(c, h.destination.bytes, sizeof(h.destination.bytes));
	if (!cursor_ok(c))
		return IPV6_SHORT;
	if (first >> 28 != 6)
		return IPV6_VERSION;
	h.traffic_class = (uint8_t)(first >> 20);
	h.flow_label = first & 0xfffff;
	*ret = h;
	return IPV6_OK;
}

void ipv6_emit(const struct ipv6_header *h, uint8_t bytes[IPV6_HEADER])
{
	check(h->flow_label <= 0xfffff);
	store_be32(bytes, UINT32_C(6) << 28 | (uint32_t)h->traffic_class << 20 | h->flow_label);
	store_be16(bytes + 4, h->payload_length);
	bytes[6] = h->next_header;
	bytes[7] = h->hop_limit;
	memcpy(bytes + 8, h->source.bytes, sizeof(h->source.bytes));
	memcpy(bytes + 24, h->destination.bytes, sizeof(h->destination.bytes));
}
