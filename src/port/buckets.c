/*
 * Buckets by port (see buckets.h).
 *
 * Theory of operation. The buckets of 16 neighbouring ports are a *row*, which is there while one of
 * them is, and is found by its number. So a space whose ports are all taken has little more than an
 * array, in few cache lines, and one with a single port a single row.
 */
#include "port/buckets.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

#define ROW        16 /* ports */
#define BLOCK_BITS 1  /* two rows are allocated together: few, for hosts with few ports */

struct row {
	uint32_t next;   /* in its chain */
	uint16_t number; /* of its ports, divided by how many they are */
	uint16_t count;  /* of buckets that were added */
	struct bucket buckets[ROW];
};

static uint64_t hash_row(const struct chains *c, const void *record)
{
	const struct row *const row = record;

	return bucket_hash(&container_of_const(c, struct buckets, rows)->key, row->number);
}

void buckets_init(struct buckets *t, const struct hash_key *key)
{
	t->key = *key;
	records_init(&t->records, sizeof(struct row), BLOCK_BITS);
	chains_init(&t->rows, &t->records, offsetof(struct row, next), hash_row);
}

void buckets_deinit(struct buckets *t)
{
	chains_deinit(&t->rows);
	records_deinit(&t->records);
}

static struct row *row_at(const struct buckets *t, uint32_t number)
{
	return number ? records_at(&t->records, number) : NULL;
}

static uint32_t find_row(const struct buckets *t, uint16_t port)
{
	uint32_t number = chains_first(&t->rows, bucket_hash(&t->key, port / ROW));

	while (number && row_at(t, number)->number != port / ROW)
		number = row_at(t, number)->next;
	return number;
}

struct bucket *buckets_find(const struct buckets *t, uint16_t port)
{
	struct row *const row = row_at(t, find_row(t, port));

	return row && row->buckets[port % ROW].first ? &row->buckets[port % ROW] : NULL;
}

static struct row *new_row(struct buckets *t, uint16_t port)
{
	const uint32_t number = records_new(&t->records);
	struct row *const row = row_at(t, number);

	if (!row)
		return NULL;
	row->number = port / ROW;
	if (!chains_add(&t->rows, number))
		return row;
	records_free(&t->records, number);
	return NULL;
}

struct bucket *buckets_add(struct buckets *t, uint16_t port)
{
	struct row *const known = row_at(t, find_row(t, port));
	struct row *const row = known ? known : new_row(t, port);

	if (!row)
		return NULL;
	row->count++;
	return &row->buckets[port % ROW];
}

void buckets_remove(struct buckets *t, uint16_t port)
{
	const uint32_t number = find_row(t, port);
	struct row *const row = row_at(t, number);

	check(!row->buckets[port % ROW].first && !row->buckets[port % ROW].bound);
	if (--row->count)
		return;
	chains_remove(&t->rows, number);
	records_free(&t->records, number);
}
