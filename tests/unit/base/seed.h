/*
 * The seed of a random test: REEVE_SEED from the environment or the one given, printed so that a
 * failure can be run again.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

static inline struct random seeded(uint64_t otherwise)
{
	const char *text = getenv("REEVE_SEED");
	const uint64_t seed = text ? strtoull(text, NULL, 0) : otherwise;
	uint8_t bytes[32] = { 0 };
	struct random r;

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(seed >> (8 * i));
	random_init(&r, bytes);
	printf("# REEVE_SEED=%llu\n", (unsigned long long)seed);
	return r;
}
