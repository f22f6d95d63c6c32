/*
 * A hash table of records that are known by number (see records.h), for those of which there are so
 * many, or in so many small tables, that pointers and empty slots would be much of their size. What a
 * record is found by is its owner's: the table asks for its hash (keyed, 64 bits), and who searches
 * compares.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/records.h"

struct chains {
	const struct records *records;
	size_t link; /* where in a record the number of the next in its chain is */
	uint64_t (*hash)(const struct chains *c, const void *record);
	uint32_t **heads; /* of buckets, in chunks */
	uint32_t chunk_room;
	uint32_t head_room; /* buckets for which there is memory */
	uint32_t bucket_count;
	uint32_t count;
};

void chains_init(struct chains *c, const struct records *records, size_t link,
		 uint64_t (*hash)(const struct chains *c, const void *record));
void chains_deinit(struct chains *c); /* must be empty */

int chains_add(struct chains *c, uint32_t number); /* 0 or -ENOMEM */
void chains_remove(struct chains *c, uint32_t number);

/* Those that may have this hash, one after the other; 0 after the last. */
uint32_t chains_first(const struct chains *c, uint64_t hash);
uint32_t chains_next(const struct chains *c, uint32_t number);

/* One after the other from cursor 0; 0 after the last. What is added or removed meanwhile may make
 * others be missed, or be seen twice. */
uint32_t chains_walk(const struct chains *c, uint64_t *cursor);
