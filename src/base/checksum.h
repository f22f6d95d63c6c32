/*
 * The Internet checksum (RFC 1071). A sum is carried in 64 bits, unfolded, so that ranges can be
 * added one after another; a range that starts at an odd offset of what is summed is added with
 * checksum_add_odd(). fold gives the 16 bits as a number to store big-endian, not complemented.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length);
uint64_t checksum_add_odd(uint64_t sum, const void *bytes, size_t length);
uint16_t checksum_fold(uint64_t sum);

/* What a field of 16 bits adds that stands at an even offset, big-endian. Faster than to read again
 * from there what was just stored a byte at a time. */
static inline uint64_t checksum_word(uint16_t value)
{
	const uint8_t bytes[2] = { (uint8_t)(value >> 8), (uint8_t)value };
	uint16_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* As checksum_add(), by the vectors that every processor of this kind has; it is what that one does
 * without wider ones, and here for the tests. */
uint64_t checksum_add_narrow(uint64_t sum, const void *bytes, size_t length);
