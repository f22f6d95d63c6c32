/* Bytes that depend on where they are, so that nothing can be lost, doubled or moved unseen. */
#include <string.h>

#include "world.h"

static uint64_t word_at(uint64_t stream, uint64_t index)
{
	uint64_t x = (stream * 0x9e3779b97f4a7c15 + index) * 0xbf58476d1ce4e5b9;

	x = (x ^ x >> 31) * 0x94d049bb133111eb;
	return x ^ x >> 29;
}

void content_fill(uint64_t stream, uint64_t offset, uint8_t *bytes, size_t length)
{
	while (length) {
		const uint64_t word = word_at(stream, offset / 8);
		const size_t skip = offset % 8;
		const size_t n = length < 8 - skip ? length : 8 - skip;

		memcpy(bytes, (const uint8_t *)&word + skip, n);
		bytes += n;
		offset += n;
		length -= n;
	}
}

bool content_matches(uint64_t stream, uint64_t offset, const uint8_t *bytes, size_t length)
{
	while (length) {
		const uint64_t word = word_at(stream, offset / 8);
		const size_t skip = offset % 8;
		const size_t n = length < 8 - skip ? length : 8 - skip;

		if (memcmp(bytes, (const uint8_t *)&word + skip, n) != 0)
			return false;
		bytes += n;
		offset += n;
		length -= n;
	}
	return true;
}
