/*
 * A hash table of pointers that never pauses: open addressing with linear probing, grown and shrunk
 * a few slots a call. The caller brings the hash (keyed, 64 bits) and compares what it finds; the
 * table never looks at an entry, so that moving one touches no memory but the table's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct port_slot {
	uint64_t hash;
	void *entry; /* NULL: the slot is empty */
};

/* 2^bits slots in chunks, each allocated when its first slot is taken. */
struct port_slots {
	struct port_slot **chunks; /* NULL: no slots at all */
	uint32_t bits;
	size_t count;
};

struct port_table {
	struct port_slots now, old; /* `old` empties into `now` */
	size_t moved;               /* the slots of `old` before this one are empty */
};

/* Where port_table_find() goes on; zeroed before the first call. */
struct port_table_probe {
	size_t step;
	unsigned half;
};

void port_table_init(struct port_table *t);
void port_table_deinit(struct port_table *t); /* the entries stay their owners' */

int port_table_add(struct port_table *t, uint64_t hash, void *entry); /* 0 or -ENOMEM */
void port_table_remove(struct port_table *t, uint64_t hash, const void *entry);
void port_table_replace(struct port_table *t, uint64_t hash, const void *entry, void *with);

/* The next entry of this hash, NULL after the last. */
void *port_table_find(const struct port_table *t, uint64_t hash, struct port_table_probe *probe);

/* Entry by entry from cursor 0; NULL after the last. What is added or removed meanwhile may be
 * missed or, if the table is growing or shrinking, be seen twice. */
void *port_table_walk(const struct port_table *t, uint64_t *cursor);

static inline size_t port_table_count(const struct port_table *t)
{
	return t->now.count + t->old.count;
}
