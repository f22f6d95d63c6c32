/*
 * Doubly linked lists of records that are known by number (see records.h), with the link inside the
 * record. The last member's neighbour is the first, so that a list is one number, its first member's;
 * 0: it is empty. The links of a record that is in no list are 0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/records.h"

struct ring_link {
	uint32_t next, previous;
};

/* What all rings through the same link have in common. */
struct rings {
	const struct records *records;
	size_t link; /* where in a record it is */
};

static inline struct ring_link *ring_link(const struct rings *r, uint32_t number)
{
	return (struct ring_link *)(void *)((char *)records_at(r->records, number) + r->link);
}

static inline void ring_append(const struct rings *r, uint32_t *first, uint32_t number)
{
	struct ring_link *const link = ring_link(r, number);

	if (!*first) {
		*link = (struct ring_link){ number, number };
		*first = number;
		return;
	}

	struct ring_link *const after = ring_link(r, *first);

	*link = (struct ring_link){ *first, after->previous };
	ring_link(r, after->previous)->next = number;
	after->previous = number;
}

static inline void ring_prepend(const struct rings *r, uint32_t *first, uint32_t number)
{
	ring_append(r, first, number);
	*first = number;
}

static inline void ring_remove(const struct rings *r, uint32_t *first, uint32_t number)
{
	struct ring_link *const link = ring_link(r, number);

	ring_link(r, link->previous)->next = link->next;
	ring_link(r, link->next)->previous = link->previous;
	if (*first == number)
		*first = link->next == number ? 0 : link->next;
	*link = (struct ring_link){ 0 };
}

/* The next after a member; 0 after the last. */
static inline uint32_t ring_next(const struct rings *r, uint32_t first, uint32_t number)
{
	const uint32_t next = ring_link(r, number)->next;

	return next == first ? 0 : next;
}

/* The number of the member that has this link: it need not be kept. */
static inline uint32_t ring_number(const struct rings *r, const struct ring_link *link)
{
	return ring_link(r, link->previous)->next;
}
