/*
 * The Internet checksum (RFC 1071).
 *
 * Words are summed in native order, which one byte swap at the end puts right (RFC 1071, 2 (B)): so
 * `sum` is kept in native order throughout, and checksum_fold() swaps. It is a sum of 32-bit words
 * in 64 bits, which take 2^32 of them without a carry being lost.
 */
#include "base/checksum.h"

#include <string.h>

/* What is left when no whole block is. */
static inline uint64_t add_tail(uint64_t sum, const uint8_t *p, size_t length)
{
	for (; length >= 8; p += 8, length -= 8) {
		uint64_t words;

		memcpy(&words, p, sizeof(words));
		sum += (words & UINT32_MAX) + (words >> 32);
	}
	if (length & 4) {
		uint32_t word;

		memcpy(&word, p, sizeof(word));
		sum += word;
		p += sizeof(word);
	}
	if (length & 2) {
		uint16_t word;

		memcpy(&word, p, sizeof(word));
		sum += word;
		p += sizeof(word);
	}
	if (length & 1) {
		uint16_t word = 0; /* as if a zero byte followed */

		memcpy(&word, p, 1);
		sum += word;
	}
	return sum;
}

/*
 * Two vectors at a time. Each lane of 64 bits holds two words. `both` sums the lanes as they are,
 * modulo 2^64, and `high` their upper words alone; what is wrong in `both` by the upper ones is then
 * known, and taken off. That is an operation less than to take each lane apart.
 */
#define ADD_BLOCKS(vector, sum, p, length)                                        \
	do {                                                                      \
		vector both = { 0 }, high = { 0 };                                \
                                                                                  \
		for (; (length) >= 2 * sizeof(vector);                            \
		     (p) += 2 * sizeof(vector), (length) -= 2 * sizeof(vector)) { \
			vector a, b;                                              \
                                                                                  \
			memcpy(&a, (p), sizeof(a));                               \
			memcpy(&b, (p) + sizeof(a), sizeof(b));                   \
			both += a;                                                \
			high += a >> 32;                                          \
			both += b;                                                \
			high += b >> 32;                                          \
		}                                                                 \
		both += high - (high << 32);                                      \
		for (size_t i = 0; i < sizeof(vector) / 8; i++)                   \
			(sum) += both[i];                                         \
	} while (0)

typedef uint64_t narrow __attribute__((vector_size(16))); /* SSE2, NEON: always there */

static inline uint64_t add_narrow(uint64_t sum, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;

	if (length >= 2 * sizeof(narrow))
		ADD_BLOCKS(narrow, sum, p, length);
	return add_tail(sum, p, length);
}

uint64_t checksum_add_narrow(uint64_t sum, const void *bytes, size_t length)
{
	return add_narrow(sum, bytes, length);
}

#ifdef __x86_64__

typedef uint64_t wide __attribute__((vector_size(32)));

static __attribute__((target("avx2"))) uint64_t add_wide(uint64_t sum, const void *bytes,
							 size_t length)
{
	const uint8_t *p = bytes;

	ADD_BLOCKS(wide, sum, p, length);
	return add_tail(sum, p, length);
}

uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length)
{
	if (length >= 2 * sizeof(wide) && __builtin_cpu_supports("avx2"))
		return add_wide(sum, bytes, length);
	return add_narrow(sum, bytes, length);
}

#else

uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length)
{
	return add_narrow(sum, bytes, length);
}

#endif

/* The halves' sum comes out in the upper half, with the lower one's carry, which belongs there too. */
static uint16_t fold_native(uint64_t sum)
{
	const uint32_t words = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);

	return (uint16_t)((words + (words << 16 | words >> 16)) >> 16);
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
