/*
 * A hash table of numbered records (see chains.h).
 *
 * Theory of operation. Buckets are chains through the records, and grow by linear hashing (Litwin,
 * 1980): with n buckets a hash belongs to h mod 2^k, 2^k being the least power of two that is not
 * less than n, or, if there is no such bucket yet, to h mod 2^(k-1). So one more bucket, number n,
 * takes what is its own out of one other, n - 2^(k-1), and no call ever looks at more than two.
 * There are between a half and one as many buckets as records. Their heads come in chunks of 4 KiB,
 * of which the first begins small; without memory for more the chains just become longer.
 */
#include "base/chains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define CHUNK        1024 /* heads in one */
#define LEAST_ROOM   8    /* heads in the first, at first */
#define CHAIN_LENGTH 2    /* records a bucket, when there is to be one more */

void chains_init(struct chains *c, const struct records *records, size_t link,
		 uint64_t (*hash)(const struct chains *c, const void *record))
{
	*c = (struct chains){ .records = records, .link = link, .hash = hash };
}

static void free_heads(struct chains *c)
{
	for (uint32_t i = 0; i * CHUNK < c->head_room; i++)
		free(c->heads[i]);
	free(c->heads);
	c->heads = NULL;
	c->chunk_room = 0;
	c->head_room = 0;
	c->bucket_count = 0;
}

void chains_deinit(struct chains *c)
{
	check(c->count == 0);
	free_heads(c);
}

static uint32_t *head_at(const struct chains *c, uint32_t bucket)
{
	return &c->heads[bucket / CHUNK][bucket % CHUNK];
}

static uint32_t *link_of(const struct chains *c, uint32_t number)
{
	return (uint32_t *)(void *)((char *)records_at(c->records, number) + c->link);
}

/* 2^k - 1, for the least 2^k that is not less than `buckets`. */
static uint32_t mask_for(uint32_t buckets)
{
	return buckets > 1 ? UINT32_MAX >> __builtin_clz(buckets - 1) : 0;
}

static uint32_t *head_of(const struct chains *c, uint64_t hash)
{
	const uint32_t mask = mask_for(c->bucket_count);
	const uint32_t bucket = (uint32_t)hash & mask;

	return head_at(c, bucket < c->bucket_count ? bucket : bucket & mask >> 1);
}

static uint32_t *head_of_record(const struct chains *c, uint32_t number)
{
	return head_of(c, c->hash(c, records_at(c->records, number)));
}

/* Copied when it is full, eight bytes for 1024 heads. */
static int make_chunk_room(struct chains *c)
{
	const uint32_t room = c->chunk_room ? c->chunk_room * 2 : 1;
	uint32_t **const heads = realloc(c->heads, room * sizeof(*heads));

	if (!heads)
		return -ENOMEM;
	c->heads = heads;
	c->chunk_room = room;
	return 0;
}

/* The first chunk doubles until it is whole; then there is one more. */
static int make_head_room(struct chains *c)
{
	const uint32_t chunk = c->head_room / CHUNK;
	const uint32_t old = c->head_room % CHUNK;
	uint32_t room = CHUNK;

	if (chunk == 0)
		room = old ? old * 2 : LEAST_ROOM;
	if (chunk >= c->chunk_room && make_chunk_room(c))
		return -ENOMEM;

	uint32_t *const heads = realloc(old ? c->heads[chunk] : NULL, room * sizeof(*heads));

	if (!heads)
		return -ENOMEM;
	memset(heads + old, 0, (room - old) * sizeof(*heads));
	c->heads[chunk] = heads;
	c->head_room += room - old;
	return 0;
}

static void chain(const struct chains *c, uint32_t *head, uint32_t number)
{
	*link_of(c, number) = *head;
	*head = number;
}

/* The chain of the bucket that has had what is now the last one's is distributed anew. */
static int add_bucket(struct chains *c)
{
	const uint32_t fresh = c->bucket_count;

	if (fresh == c->head_room && make_head_room(c))
		return -ENOMEM;
	c->bucket_count++;
	if (fresh == 0)
		return 0;

	uint32_t *const head = head_at(c, fresh & mask_for(c->bucket_count) >> 1);
	uint32_t number = *head;

	*head = 0;
	while (number) {
		const uint32_t next = *link_of(c, number);

		chain(c, head_of_record(c, number), number);
		number = next;
	}
	return 0;
}

/* The last bucket's chain goes back to where it has come from. */
static void remove_bucket(struct chains *c)
{
	const uint32_t last = c->bucket_count - 1;
	uint32_t *const to = head_at(c, last & mask_for(c->bucket_count) >> 1);
	uint32_t number = *head_at(c, last);

	*head_at(c, last) = 0;
	c->bucket_count--;
	while (number) {
		const uint32_t next = *link_of(c, number);

		chain(c, to, number);
		number = next;
	}
	if (last % CHUNK == 0) {
		free(c->heads[last / CHUNK]);
		c->head_room -= CHUNK;
	}
}

int chains_add(struct chains *c, uint32_t number)
{
	if (c->count >= c->bucket_count * CHAIN_LENGTH && add_bucket(c) && c->bucket_count == 0)
		return -ENOMEM;
	chain(c, head_of_record(c, number), number);
	c->count++;
	return 0;
}

void chains_remove(struct chains *c, uint32_t number)
{
	uint32_t *link = head_of_record(c, number);

	while (*link != number)
		link = link_of(c, *link);
	*link = *link_of(c, number);
	/* The smallest stays, for those who come and go one at a time. */
	if (--c->count == 0 && c->head_room > LEAST_ROOM)
		free_heads(c);
	else if (c->count < c->bucket_count && c->bucket_count > 1)
		remove_bucket(c);
}

uint32_t chains_first(const struct chains *c, uint64_t hash)
{
	return c->count ? *head_of(c, hash) : 0;
}

uint32_t chains_next(const struct chains *c, uint32_t number)
{
	return *link_of(c, number);
}

/* The cursor's upper half says how many of the bucket's chain were given already. */
uint32_t chains_walk(const struct chains *c, uint64_t *cursor)
{
	uint32_t bucket = (uint32_t)*cursor;
	uint64_t depth = *cursor >> 32;

	for (; bucket < c->bucket_count; bucket++, depth = 0) {
		uint32_t number = *head_at(c, bucket);

		for (uint64_t i = 0; number && i < depth; i++)
			number = *link_of(c, number);
		if (!number)
			continue;
		*cursor = (depth + 1) << 32 | bucket;
		return number;
	}
	*cursor = bucket;
	return 0;
}
