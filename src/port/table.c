/*
 * A hash table of pointers (see table.h).
 *
 * Theory of operation. An entry lies in the first free slot at or after its home, hash mod 2^bits,
 * and between the two is no empty slot: that is the invariant, in each half by itself. A removal
 * keeps it by moving later entries back into the hole (Knuth, 6.4, algorithm R), so there are no
 * tombstones and a search ends at the first empty slot.
 *
 * When `now` is three quarters full, or nearly empty, it becomes `old` and a new `now` of twice or
 * half the size takes its place. Each later add or remove takes STEP steps through `old`: a step
 * takes an entry over or passes an empty slot; `moved` leaves only empty slots behind it. An `old`
 * of c slots with n entries takes c + n steps, in which time (c + n) / STEP entries can be added:
 * then `now` is less than half full, grown (n = 3c/4) or shrunk (n = c/8), so that two moves never
 * overlap; and if (c + n) / STEP were removed, one of c/8 has not yet come to the c/16 of the next.
 *
 * Slots come in chunks of 4 KiB, allocated at the first entry and freed as `moved` passes, so that
 * neither growing nor freeing a table of millions touches much memory in one call. When a chunk
 * cannot be had, an add fails before it has changed anything and a move waits for the next call.
 */
#include "port/table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"

#define CHUNK_BITS 8
#define LEAST_BITS 3
#define STEP       24

static size_t slot_count(const struct port_slots *s)
{
	return s->chunks ? (size_t)1 << s->bits : 0;
}

static size_t chunk_size(const struct port_slots *s)
{
	return (size_t)1 << (s->bits < CHUNK_BITS ? s->bits : CHUNK_BITS);
}

static size_t chunk_count(const struct port_slots *s)
{
	return slot_count(s) / chunk_size(s);
}

/* NULL where no chunk is: as good as an empty slot. */
static struct port_slot *slot_at(const struct port_slots *s, size_t index)
{
	struct port_slot *chunk = s->chunks[index >> CHUNK_BITS];

	return chunk ? &chunk[index & (chunk_size(s) - 1)] : NULL;
}

static bool is_empty(const struct port_slot *slot)
{
	return !slot || !slot->entry;
}

static int slots_init(struct port_slots *s, uint32_t bits)
{
	struct port_slots fresh = { .bits = bits };
	const size_t chunks = bits > CHUNK_BITS ? (size_t)1 << (bits - CHUNK_BITS) : 1;

	fresh.chunks = calloc(chunks, sizeof(struct port_slot *));
	if (!fresh.chunks)
		return -ENOMEM;
	*s = fresh;
	return 0;
}

static void slots_deinit(struct port_slots *s)
{
	for (size_t i = 0; s->chunks && i < chunk_count(s); i++)
		free(s->chunks[i]);
	free(s->chunks);
	*s = (struct port_slots){ 0 };
}

static int slots_add(struct port_slots *s, uint64_t hash, void *entry)
{
	const size_t mask = slot_count(s) - 1;
	size_t i = hash & mask;

	while (!is_empty(slot_at(s, i)))
		i = (i + 1) & mask;

	struct port_slot **chunk = &s->chunks[i >> CHUNK_BITS];

	if (!*chunk)
		*chunk = calloc(chunk_size(s), sizeof(**chunk));
	if (!*chunk)
		return -ENOMEM;
	*slot_at(s, i) = (struct port_slot){ .hash = hash, .entry = entry };
	s->count++;
	return 0;
}

/* Empties the slot and closes the gap: the entries behind it, up to the next empty slot, move back
 * as far as their homes let them. */
static void slots_remove_at(struct port_slots *s, size_t hole)
{
	const size_t mask = slot_count(s) - 1;

	for (size_t i = (hole + 1) & mask;; i = (i + 1) & mask) {
		const struct port_slot *slot = slot_at(s, i);

		if (is_empty(slot))
			break;
		/* Its home lies behind the hole: it must stay. */
		if (((i - slot->hash) & mask) < ((i - hole) & mask))
			continue;
		*slot_at(s, hole) = *slot;
		hole = i;
	}
	*slot_at(s, hole) = (struct port_slot){ 0 };
	s->count--;
}

static struct port_slot *slots_find(const struct port_slots *s, uint64_t hash, const void *entry,
				    size_t *ret_index)
{
	if (!s->count)
		return NULL;

	const size_t mask = slot_count(s) - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct port_slot *slot = slot_at(s, i);

		if (is_empty(slot))
			return NULL;
		if (slot->entry == entry) {
			*ret_index = i;
			return slot;
		}
	}
}

/* `moved` goes over an empty slot, or all that is left of its chunk when nothing is in `old`. */
static void pass_slot(struct port_table *t)
{
	const size_t size = chunk_size(&t->old);
	struct port_slot **chunk = &t->old.chunks[t->moved >> CHUNK_BITS];

	t->moved = t->old.count && *chunk ? t->moved + 1 : (t->moved | (size - 1)) + 1;
	if (t->moved % size == 0) {
		free(*chunk);
		*chunk = NULL;
	}
}

/* Takes over what the next few slots of `old` hold. */
static void move_some(struct port_table *t)
{
	if (!t->old.chunks)
		return;
	for (unsigned i = 0; i < STEP && t->moved < slot_count(&t->old); i++) {
		const struct port_slot *slot = slot_at(&t->old, t->moved);

		/* An entry of a later slot may move into this one: stay here until it is empty. */
		if (!is_empty(slot)) {
			if (slots_add(&t->now, slot->hash, slot->entry))
				return;
			slots_remove_at(&t->old, t->moved);
		} else {
			pass_slot(t);
		}
	}
	if (t->moved == slot_count(&t->old)) {
		check(!t->old.count);
		free(t->old.chunks);
		t->old = (struct port_slots){ 0 };
	}
}

static int resize(struct port_table *t, uint32_t bits)
{
	struct port_slots fresh;

	if (slots_init(&fresh, bits))
		return -ENOMEM;
	t->old = t->now;
	t->now = fresh;
	t->moved = 0;
	return 0;
}

void port_table_init(struct port_table *t)
{
	*t = (struct port_table){ 0 };
}

void port_table_deinit(struct port_table *t)
{
	slots_deinit(&t->now);
	slots_deinit(&t->old);
}

int port_table_add(struct port_table *t, uint64_t hash, void *entry)
{
	check(entry);
	move_some(t);

	const size_t size = slot_count(&t->now);

	if (!size) {
		if (slots_init(&t->now, LEAST_BITS))
			return -ENOMEM;
	} else if (t->now.count + 1 > size - size / 4) {
		/* Still moving: memory was short, and still is if this fails. */
		if (t->old.chunks || resize(t, t->now.bits + 1))
			return -ENOMEM;
	}
	return slots_add(&t->now, hash, entry);
}

void port_table_remove(struct port_table *t, uint64_t hash, const void *entry)
{
	size_t index;

	if (slots_find(&t->now, hash, entry, &index)) {
		slots_remove_at(&t->now, index);
	} else {
		check(slots_find(&t->old, hash, entry, &index));
		slots_remove_at(&t->old, index);
	}

	/* The smallest stays, for those who come and go one at a time. */
	if (!port_table_count(t) && (t->old.chunks || t->now.bits > LEAST_BITS)) {
		port_table_deinit(t);
		return;
	}
	move_some(t);
	if (!t->old.chunks && t->now.bits > LEAST_BITS && t->now.count < slot_count(&t->now) / 8)
		(void)resize(t, t->now.bits - 1); /* without memory it stays as large as it is */
}

void port_table_replace(struct port_table *t, uint64_t hash, const void *entry, void *with)
{
	size_t index;
	struct port_slot *slot = slots_find(&t->now, hash, entry, &index);

	if (!slot)
		slot = slots_find(&t->old, hash, entry, &index);
	check(slot && with);
	slot->entry = with;
}

void *port_table_find(const struct port_table *t, uint64_t hash, struct port_table_probe *probe)
{
	for (; probe->half < 2; probe->half++, probe->step = 0) {
		const struct port_slots *s = probe->half ? &t->old : &t->now;

		if (!s->count)
			continue;

		const size_t mask = slot_count(s) - 1;

		for (;;) {
			const struct port_slot *slot = slot_at(s, (hash + probe->step) & mask);

			if (is_empty(slot))
				break;
			probe->step++;
			if (slot->hash == hash)
				return slot->entry;
		}
	}
	return NULL;
}

void *port_table_walk(const struct port_table *t, uint64_t *cursor)
{
	const size_t first = slot_count(&t->now);

	while (*cursor < first + slot_count(&t->old)) {
		const uint64_t i = (*cursor)++;
		const struct port_slot *slot =
			i < first ? slot_at(&t->now, i) : slot_at(&t->old, i - first);

		if (!is_empty(slot))
			return slot->entry;
	}
	return NULL;
}
