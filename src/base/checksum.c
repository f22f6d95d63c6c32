/* The Internet checksum (RFC 1071). */
#include "base/checksum.h"

#include <string.h>

/*
 * Sums 32-bit words in native order, which one byte swap at the end puts right (RFC 1071, 2 (B)):
 * so `sum` is kept in native order throughout, and checksum_fold() swaps. Four accumulators let
 * the compiler use vectors; 64 bits take 2^32 words without a carry being lost.
 */
uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;
	uint64_t part[4] = { 0 };

	for (; length >= 16; p += 16, length -= 16) {
		uint32_t words[4];

		memcpy(words, p, sizeof(words));
		for (int i = 0; i < 4; i++)
			part[i] += words[i];
	}
	uint8_t tail[16] = { 0 };
	uint32_t words[4];

	memcpy(tail, p, length);
	memcpy(words, tail, sizeof(words));
	for (int i = 0; i < 4; i++)
		sum += part[i] + words[i];
	return sum;
}

static uint16_t fold_native(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* At an odd offset every byte has the other place in its word: the folded sum, swapped. */
uint64_t checksum_add_odd(uint64_t sum, const void *bytes, size_t length)
{
	return sum + __builtin_bswap16(fold_native(checksum_add(0, bytes, length)));
}

uint16_t checksum_fold(uint64_t sum)
{
	const uint16_t native = fold_native(sum);
	uint8_t b[2];

	memcpy(b, &native, sizeof(b));
	return (uint16_t)(b[0] << 8 | b[1]);
}
