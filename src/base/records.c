#include "base/records.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/poison.h"

#define LEAST_ROOM 8
#define LINK       sizeof(uint64_t) /* of a free place: what is not poisoned */

struct records_block {
	struct list node; /* in records.open; by itself while all are taken */
	uint32_t index;   /* in records.blocks */
	uint16_t taken;
	uint16_t free; /* the first free place and one; the next is written in the place */
	_Alignas(uint64_t) char places[];
};

void records_init(struct records *r, size_t size, unsigned bits)
{
	check(size > 0 && size % LINK == 0 && bits < 16);
	*r = (struct records){ .size = size, .bits = bits };
	list_init(&r->open);
}

static uint32_t block_records(const struct records *r)
{
	return UINT32_C(1) << r->bits;
}

static void *place_at(const struct records *r, struct records_block *b, uint32_t place)
{
	return b->places + place * r->size;
}

/* Numbers begin with 1. */
static struct records_block *block_of(const struct records *r, uint32_t number)
{
	return r->blocks[(number - 1) >> r->bits];
}

static uint32_t place_of(const struct records *r, uint32_t number)
{
	return (number - 1) & (block_records(r) - 1);
}

void *records_at(const struct records *r, uint32_t number)
{
	return place_at(r, block_of(r, number), place_of(r, number));
}

static void give_place(const struct records *r, struct records_block *b, uint32_t place)
{
	uint8_t *const p = place_at(r, b, place);

	memcpy(p, &b->free, sizeof(b->free));
	poison(p + LINK, r->size - LINK);
	b->free = (uint16_t)(place + 1);
}

/* Where the pointers to blocks are is copied when it is full, eight bytes for each block. */
static int make_room(struct records *r)
{
	const uint32_t room = r->room ? r->room * 2 : LEAST_ROOM;

	if (room > UINT32_MAX >> r->bits)
		return -ENOMEM;

	uint32_t *const vacant = realloc(r->vacant, room * sizeof(*vacant));

	if (!vacant)
		return -ENOMEM;
	r->vacant = vacant;

	struct records_block **const blocks =
		realloc(r->blocks, room * sizeof(struct records_block *));

	if (!blocks)
		return -ENOMEM;
	r->blocks = blocks;
	for (uint32_t i = room; i-- > r->room;) {
		blocks[i] = NULL;
		vacant[r->vacant_count++] = i;
	}
	r->room = room;
	return 0;
}

static struct records_block *block_new(struct records *r)
{
	if (!r->vacant_count && make_room(r))
		return NULL;

	struct records_block *const b = malloc(sizeof(*b) + block_records(r) * r->size);

	if (!b)
		return NULL;
	b->taken = 0;
	b->free = 0;
	b->index = r->vacant[--r->vacant_count];
	r->blocks[b->index] = b;
	for (uint32_t i = block_records(r); i-- > 0;)
		give_place(r, b, i);
	list_init(&b->node);
	list_append(&r->open, &b->node);
	return b;
}

static void block_free(struct records *r, struct records_block *b)
{
	check(b->taken == 0);
	list_remove(&b->node);
	r->blocks[b->index] = NULL;
	r->vacant[r->vacant_count++] = b->index;
	free(b);
}

/* Only one that is empty can be left. */
void records_deinit(struct records *r)
{
	struct list *const spare = list_first(&r->open);

	check(r->count == 0);
	if (spare)
		block_free(r, list_entry(spare, struct records_block, node));
	check(r->vacant_count == r->room);
	free(r->blocks);
	free(r->vacant);
	records_init(r, r->size, r->bits);
}

uint32_t records_new(struct records *r)
{
	struct list *const first = list_first(&r->open);
	struct records_block *const b =
		first ? list_entry(first, struct records_block, node) : block_new(r);

	if (!b)
		return 0;

	const uint32_t place = b->free - 1U;
	uint8_t *const p = place_at(r, b, place);

	memcpy(&b->free, p, sizeof(b->free));
	unpoison(p + LINK, r->size - LINK);
	memset(p, 0, r->size);
	b->taken++;
	r->count++;
	if (!b->free)
		list_remove(&b->node);
	return (b->index << r->bits) + place + 1;
}

void records_free(struct records *r, uint32_t number)
{
	struct records_block *const b = block_of(r, number);

	check(b->taken > 0);
	if (!b->free)
		list_prepend(&r->open, &b->node);
	give_place(r, b, place_of(r, number));
	r->count--;
	if (--b->taken > 0)
		return;
	if (r->count == 0 && r->room > LEAST_ROOM) {
		if (r->open.prev != &b->node) /* the spare block */
			block_free(r, list_entry(r->open.prev, struct records_block, node));
		records_deinit(r);
		return;
	}

	/* The last of those with room is empty, if any is: then this is one too many. */
	struct list *const last = r->open.prev;
	const bool is_spare =
		last == &b->node || list_entry(last, struct records_block, node)->taken > 0;

	if (!is_spare) {
		block_free(r, b);
		return;
	}
	list_remove(&b->node);
	list_append(&r->open, &b->node);
}
