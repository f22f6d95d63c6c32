/*
 * IGMP's messages.
 *
 * A query (RFC 3376, 4.1; versions 1 and 2 end behind the group address):
 *
 *	+---------------+---------------+---------------+---------------+
 *	|  Type = 0x11  | Max Resp Code |           Checksum            |
 *	+---------------+---------------+---------------+---------------+
 *	|                         Group Address                         |
 *	+---------------+---------------+---------------+---------------+
 *	| Resv  |S| QRV |     QQIC      |     Number of Sources (N)     |
 *	+---------------+---------------+---------------+---------------+
 *	|                       Source Addresses ...                    |
 *
 * A report of version 3 with one record without sources (4.2):
 *
 *	+---------------+---------------+---------------+---------------+
 *	|  Type = 0x22  |    Reserved   |           Checksum            |
 *	+---------------+---------------+---------------+---------------+
 *	|           Reserved            |  Number of Group Records = 1  |
 *	+---------------+---------------+---------------+---------------+
 *	|  Record Type  |  Aux Len = 0  |   Number of Sources = 0       |
 *	+---------------+---------------+---------------+---------------+
 *	|                       Multicast Address                       |
 *	+---------------+---------------+---------------+---------------+
 */
#include "wire/igmp.h"

#include <string.h>

#include "base/checksum.h"

#define V3_QUERY       12
#define TENTH_MS       100
#define V1_RESPONSE_MS 10000 /* RFC 2236, 4 */

bool igmp_parse_type(const uint8_t *bytes, size_t length, uint8_t *ret)
{
	if (length < IGMP_V2_LENGTH || checksum_fold(checksum_add(0, bytes, length)) != 0xffff)
		return false;
	*ret = bytes[0];
	return true;
}

/* RFC 3376, 4.1.1: from 128 on a floating point number. */
static uint32_t response_ms(uint8_t code)
{
	const uint32_t tenths =
		code < 128 ? code : ((code & 0xfU) | 0x10U) << ((code >> 4 & 0x7U) + 3);

	return tenths ? tenths * TENTH_MS : TENTH_MS;
}

bool igmp_parse_query(const uint8_t *bytes, size_t length, struct igmp_query *ret)
{
	struct cursor c = cursor_over(bytes, length);
	struct igmp_query q = { .version = 3 };

	cursor_u8(&c);
	const uint8_t code = cursor_u8(&c);

	cursor_be16(&c);
	q.group = cursor_be32(&c);
	if (!cursor_ok(&c) || (length > IGMP_V2_LENGTH && length < V3_QUERY))
		return false;
	if (q.group != 0 && q.group >> 28 != 0xe)
		return false;
	q.max_response_ms = response_ms(code);
	if (length == IGMP_V2_LENGTH) {
		q.version = code ? 2 : 1;
		q.max_response_ms = code ? code * (uint32_t)TENTH_MS : V1_RESPONSE_MS;
	}
	*ret = q;
	return true;
}

void igmp_emit_v2(enum igmp_type type, uint32_t group, uint8_t bytes[IGMP_V2_LENGTH])
{
	memset(bytes, 0, IGMP_V2_LENGTH);
	bytes[0] = (uint8_t)type;
	store_be32(bytes + 4, group);
	store_be16(bytes + 2, (uint16_t)~checksum_fold(checksum_add(0, bytes, IGMP_V2_LENGTH)));
}

void igmp_emit_v3(enum igmp_record record, uint32_t group, uint8_t bytes[IGMP_V3_LENGTH])
{
	memset(bytes, 0, IGMP_V3_LENGTH);
	bytes[0] = IGMP_V3_REPORT;
	store_be16(bytes + 6, 1);
	bytes[8] = (uint8_t)record;
	store_be32(bytes + 12, group);
	store_be16(bytes + 2, (uint16_t)~checksum_fold(checksum_add(0, bytes, IGMP_V3_LENGTH)));
}
