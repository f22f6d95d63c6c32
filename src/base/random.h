/*
 * Random numbers from a secret seed: ChaCha20 in counter mode (RFC 8439, 2.3), so that what an
 * attacker sees of it tells nothing of what comes, and the same seed gives the same numbers.
 */
#pragma once

#include <stdint.h>

struct random {
	uint32_t key[8];
	uint64_t counter;
	uint32_t block[16];
	unsigned used; /* words of the block given out */
};

void random_init(struct random *r, const uint8_t seed[32]);
uint32_t random_u32(struct random *r);
uint64_t random_u64(struct random *r);

/* Uniform over 0..bound-1, without bias; bound > 0. */
uint32_t random_below(struct random *r, uint32_t bound);
