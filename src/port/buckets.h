/*
 * The ports of a space that somebody has, each a bucket: for many ports eight bytes each, for a few
 * not much more. What is in a bucket is taken's (see taken.c).
 */
#pragma once

#include <stdint.h>

#include "base/chains.h"
#include "base/hash.h"
#include "base/records.h"

struct bucket {
	uint32_t first; /* use */
	uint32_t bound; /* reservations that are not implicit */
};

struct buckets {
	struct hash_key key;
	struct records records;
	struct chains rows;
};

void buckets_init(struct buckets *t, const struct hash_key *key);
void buckets_deinit(struct buckets *t); /* must be empty */

/* NULL: nobody has the port. */
struct bucket *buckets_find(const struct buckets *t, uint16_t port);

/* Of a port that nobody has; to be found when it has a first use. NULL: no memory. */
struct bucket *buckets_add(struct buckets *t, uint16_t port);
void buckets_remove(struct buckets *t, uint16_t port); /* without a use again */

/* There are too few ports for an attacker to need anything stronger. */
static inline uint64_t bucket_hash(const struct hash_key *key, uint16_t port)
{
	const uint64_t product = (port ^ key->k0) * (key->k1 | 1);

	return product ^ product >> 32;
}
