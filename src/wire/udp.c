/*
 * The UDP header (RFC 768).
 *
 *	 0      7 8     15 16    23 24    31
 *	+--------+--------+--------+--------+
 *	|     Source      |   Destination   |
 *	|      Port       |      Port       |
 *	+--------+--------+--------+--------+
 *	|     Length      |    Checksum     |
 *	+--------+--------+--------+--------+
 *	|          data octets ...
 *	+---------------- ...
 */
#include "wire/udp.h"

bool udp_parse(struct cursor *c, struct udp_header *ret)
{
	struct udp_header h;

	h.source = cursor_be16(c);
	h.destination = cursor_be16(c);
	h.length = cursor_be16(c);
	h.checksum = cursor_be16(c);
	if (!cursor_ok(c) || h.length < UDP_HEADER)
		return false;
	*ret = h;
	return true;
}

void udp_emit(const struct udp_header *h, uint8_t bytes[UDP_HEADER])
{
	store_be16(bytes, h->source);
	store_be16(bytes + 2, h->destination);
	store_be16(bytes + 4, h->length);
	store_be16(bytes + 6, h->checksum);
}
