/* RFC 1071, one byte at a time: what the checksums are compared with. Not complemented. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint16_t slow_sum(const uint8_t *bytes, size_t length)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (uint64_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
