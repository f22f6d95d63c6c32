/*
 * The IPv4 header (RFC 791, 3.1).
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|Version|  IHL  |Type of Service|          Total Length         |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|         Identification        |Flags|      Fragment Offset    |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|  Time to Live |    Protocol   |         Header Checksum       |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                       Source Address                          |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                    Destination Address                        |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *	|                    Options                    |    Padding    |
 *	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Flags: bit 0 reserved, bit 1 don't fragment, bit 2 more fragments. The offset counts 8 bytes.
 */
#include "wire/ipv4.h"

#include <string.h>

#include "base/check.h"
#include "base/checksum.h"

#define FLAG_RESERVED       0x8000
#define FLAG_DONT_FRAGMENT  0x4000
#define FLAG_MORE_FRAGMENTS 0x2000
#define OFFSET_MASK         0x1fff

enum ipv4_fault ipv4_parse(struct cursor *c, struct ipv4_header *ret)
{
	struct ipv4_header h = { 0 };
	const uint8_t first = cursor_u8(c);

	if (!cursor_ok(c))
		return IPV4_SHORT;
	if (first >> 4 != 4)
		return IPV4_VERSION;
	h.header_length = (uint8_t)((first & 0xf) * 4);
	h.tos = cursor_u8(c);
	h.total_length = cursor_be16(c);
	h.id = cursor_be16(c);
	const uint16_t fragment = cursor_be16(c);

	h.reserved_flag = fragment & FLAG_RESERVED;
	h.dont_fragment = fragment & FLAG_DONT_FRAGMENT;
	h.more_fragments = fragment & FLAG_MORE_FRAGMENTS;
	h.fragment_offset = (uint16_t)((fragment & OFFSET_MASK) * 8);
	h.ttl = cursor_u8(c);
	h.protocol = cursor_u8(c);
	h.checksum = cursor_be16(c);
	h.source = cursor_be32(c);
	h.destination = cursor_be32(c);
	if (!cursor_ok(c))
		return IPV4_SHORT;
	if (h.header_length < IPV4_HEADER || h.total_length < h.header_length)
		return IPV4_LENGTH;
	cursor_copy(c, h.options, (size_t)(h.header_length - IPV4_HEADER));
	if (!cursor_ok(c))
		return IPV4_SHORT;
	*ret = h;
	return IPV4_OK;
}

bool ipv4_checksum_ok(const uint8_t *bytes, size_t header_length)
{
	return checksum_fold(checksum_add(0, bytes, header_length)) == 0xffff;
}

void ipv4_emit(const struct ipv4_header *h, uint8_t *bytes)
{
	check(h->header_length >= IPV4_HEADER && h->header_length <= IPV4_HEADER_MAX &&
	      h->header_length % 4 == 0 && h->fragment_offset % 8 == 0);
	bytes[0] = (uint8_t)(4 << 4 | h->header_length / 4);
	bytes[1] = h->tos;
	store_be16(bytes + 2, h->total_length);
	store_be16(bytes + 4, h->id);
	store_be16(bytes + 6, (uint16_t)((h->reserved_flag ? FLAG_RESERVED : 0) |
					 (h->dont_fragment ? FLAG_DONT_FRAGMENT : 0) |
					 (h->more_fragments ? FLAG_MORE_FRAGMENTS : 0) |
					 h->fragment_offset / 8));
	bytes[8] = h->ttl;
	bytes[9] = h->protocol;
	store_be16(bytes + 10, 0);
	store_be32(bytes + 12, h->source);
	store_be32(bytes + 16, h->destination);
	memcpy(bytes + IPV4_HEADER, h->options, (size_t)(h->header_length - IPV4_HEADER));
	store_be16(bytes + 10, (uint16_t)~checksum_fold(checksum_add(0, bytes, h->header_length)));
}

/* One option's bytes behind its kind and length; the pointer counts from the kind, from 1. */
static bool option_ok(uint8_t kind, const uint8_t *data, size_t length)
{
	switch (kind) {
	case IPV4_OPTION_LOOSE_ROUTE:
	case IPV4_OPTION_STRICT_ROUTE:
		return false;
	case IPV4_OPTION_RECORD_ROUTE:
		return length >= 1 && (length - 1) % 4 == 0 && data[0] >= 4 &&
		       data[0] <= length + 3 && data[0] % 4 == 0;
	case IPV4_OPTION_TIMESTAMP:
		/* The pointer, then overflow and flag; the stamps from byte 5 on. */
		return length >= 2 && (length - 2) % 4 == 0 && data[0] >= 5 &&
		       data[0] <= length + 3 && data[0] % 4 == 1;
	default:
		return true;
	}
}

bool ipv4_options_ok(const uint8_t *options, size_t length)
{
	struct cursor c = cursor_over(options, length);
	bool record_route = false;
	bool timestamp = false;

	while (cursor_left(&c) > 0) {
		const uint8_t kind = cursor_u8(&c);

		if (kind == IPV4_OPTION_END)
			return true;
		if (kind == IPV4_OPTION_NOP)
			continue;
		const uint8_t option_length = cursor_u8(&c);

		if (!cursor_ok(&c) || option_length < 2)
			return false;
		const uint8_t *const data = cursor_bytes(&c, (size_t)(option_length - 2));

		if (!data || !option_ok(kind, data, (size_t)(option_length - 2)))
			return false;
		if ((kind == IPV4_OPTION_RECORD_ROUTE && record_route) ||
		    (kind == IPV4_OPTION_TIMESTAMP && timestamp))
			return false;
		record_route |= kind == IPV4_OPTION_RECORD_ROUTE;
		timestamp |= kind == IPV4_OPTION_TIMESTAMP;
	}
	return true;
}
