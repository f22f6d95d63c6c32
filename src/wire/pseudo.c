/*
 * The pseudo-header.
 *
 * IPv4 (RFC 9293, 3.1):
 *	+--------+--------+--------+--------+
 *	|           source address          |
 *	+--------+--------+--------+--------+
 *	|         destination address       |
 *	+--------+--------+--------+--------+
 *	|  zero  |protocol|      length     |
 *	+--------+--------+--------+--------+
 *
 * IPv6 (RFC 8200, 8.1): both addresses of 16 bytes, a length of 32 bits, 24 zero bits and the next
 * header. Because a sum of words does not mind their places, one formula serves for both.
 */
#include "wire/pseudo.h"

#include "base/checksum.h"

uint64_t pseudo_sum(const struct reeve_address *source, const struct reeve_address *destination,
		    uint8_t protocol, uint32_t length)
{
	const size_t skip = reeve_address_is_ipv4(source) ? 12 : 0;
	const uint64_t rest = checksum_word((uint16_t)(length >> 16)) +
			      checksum_word((uint16_t)length) + checksum_word(protocol);
	uint64_t sum = checksum_add(0, source->bytes + skip, sizeof(source->bytes) - skip);

	sum = checksum_add(sum, destination->bytes + skip, sizeof(destination->bytes) - skip);
	return sum + rest;
}
