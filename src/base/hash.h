/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed hash of every table that a stranger can
 * fill. Whoever does not know the key cannot choose what collides.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t length);
