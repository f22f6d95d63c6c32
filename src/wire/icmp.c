/*
 * The ICMP header (RFC 792), whose shape ICMPv6 (RFC 4443, 2.1) shares.
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|     Type      |     Code      |          Checksum             |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|       the type's own: identifier and sequence number,         |
 *	|       next-hop MTU (RFC 1191, 4), pointer, unused             |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|     data, or the header and the first bytes of the packet
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
 */
#include "wire/icmp.h"

bool icmp_parse(struct cursor *c, struct icmp_header *ret)
{
	struct icmp_header h;

	h.type = cursor_u8(c);
	h.code = cursor_u8(c);
	h.checksum = cursor_be16(c);
	h.rest = cursor_be32(c);
	if (!cursor_ok(c))
		return false;
	*ret = h;
	return true;
}

void icmp_emit(const struct icmp_header *h, uint8_t bytes[ICMP_HEADER])
{
	bytes[0] = h->type;
	bytes[1] = h->code;
	store_be16(bytes + 2, h->checksum);
	store_be32(bytes + 4, h->rest);
}
