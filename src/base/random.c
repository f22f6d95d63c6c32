/* ChaCha20 (RFC 8439, 2.3) as a generator. */
#include "base/random.h"

#include <string.h>

#include "base/bytes.h"

#define ROUNDS 20

static uint32_t rotate(uint32_t v, unsigned bits)
{
	return v << bits | v >> (32 - bits);
}

static void quarter_round(uint32_t s[16], unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

static void next_block(struct random *r)
{
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t s[16];

	memcpy(start + 4, r->key, sizeof(r->key));
	start[12] = (uint32_t)r->counter;
	start[13] = (uint32_t)(r->counter >> 32);
	r->counter++;
	memcpy(s, start, sizeof(s));
	for (int i = 0; i < ROUNDS; i += 2) {
		for (unsigned c = 0; c < 4; c++)
			quarter_round(s, c, c + 4, c + 8, c + 12);
		for (unsigned c = 0; c < 4; c++)
			quarter_round(s, c, 4 + (c + 1) % 4, 8 + (c + 2) % 4, 12 + (c + 3) % 4);
	}
	for (int i = 0; i < 16; i++)
		r->block[i] = s[i] + start[i];
	r->used = 0;
}

void random_init(struct random *r, const uint8_t seed[32])
{
	for (size_t i = 0; i < 8; i++)
		r->key[i] = load_le32(seed + 4 * i);
	r->counter = 0;
	r->used = 16;
}

uint32_t random_u32(struct random *r)
{
	if (r->used == 16)
		next_block(r);
	const uint32_t word = r->block[r->used];

	r->block[r->used++] = 0; /* what was given out must not be read again */
	return word;
}

uint64_t random_u64(struct random *r)
{
	const uint64_t low = random_u32(r);

	return low | (uint64_t)random_u32(r) << 32;
}

/* Lemire, "Fast Random Integer Generation in an Interval", 2019: multiply, and reject the few low
 * products that would make some results likelier. */
uint32_t random_below(struct random *r, uint32_t bound)
{
	const uint32_t threshold = -bound % bound;
	uint64_t product;

	do
		product = (uint64_t)random_u32(r) * bound;
	while ((uint32_t)product < threshold);
	return (uint32_t)(product >> 32);
}
