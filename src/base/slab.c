#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/poison.h"

/* In front of a record; behind it, while the place is free, the next free one. */
struct place {
	struct block *block;
	struct place *next[]; /* one, where the record would be */
};

struct block {
	struct list node; /* in slab.room; by itself while all are taken */
	struct place *free;
	uint32_t taken;
	_Alignas(struct place *) char places[];
};

void slab_init(struct slab *s, size_t size)
{
	const size_t least = size < sizeof(struct place *) ? sizeof(struct place *) : size;
	const size_t whole = sizeof(struct place) + least;

	s->size = (whole + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
	list_init(&s->room);
}

/* One that is empty is kept for the next record. */
void slab_deinit(struct slab *s)
{
	for (struct list *node = list_pop(&s->room); node; node = list_pop(&s->room)) {
		struct block *b = list_entry(node, struct block, node);

		check(b->taken == 0);
		free(b);
	}
}

static struct block *block_new(struct slab *s)
{
	struct block *b = malloc(sizeof(*b) + SLAB_RECORDS * s->size);

	if (!b)
		return NULL;
	b->free = NULL;
	b->taken = 0;
	for (size_t i = SLAB_RECORDS; i-- > 0;) {
		struct place *p = (struct place *)(void *)(b->places + i * s->size);

		p->block = b;
		p->next[0] = b->free;
		b->free = p;
	}
	list_init(&b->node);
	list_append(&s->room, &b->node);
	return b;
}

void *slab_new(struct slab *s)
{
	struct list *first = list_first(&s->room);
	struct block *b = first ? list_entry(first, struct block, node) : block_new(s);

	if (!b)
		return NULL;
	struct place *p = b->free;

	b->free = p->next[0];
	b->taken++;
	if (!b->free)
		list_remove(&b->node);
	unpoison(p->next, s->size - sizeof(*p));
	return memset(p->next, 0, s->size - sizeof(*p));
}

void slab_free(struct slab *s, void *record)
{
	if (!record)
		return;
	struct place *p = container_of(record, struct place, next);
	struct block *b = p->block;

	if (!b->free)
		list_prepend(&s->room, &b->node);
	p->next[0] = b->free;

	/* All but the link. */
	uint8_t *const rest = (uint8_t *)(p->next + 1);

	poison(rest, s->size - (size_t)(rest - (uint8_t *)p));
	b->free = p;
	if (--b->taken > 0)
		return;
	/* The last of those with room is empty, if any is: then it is one too many. */
	struct list *last = s->room.prev;
	const bool is_spare = last == &b->node || list_entry(last, struct block, node)->taken > 0;

	list_remove(&b->node);
	if (is_spare)
		list_append(&s->room, &b->node);
	else
		free(b);
}
