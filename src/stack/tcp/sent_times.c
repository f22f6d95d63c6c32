#include "stack/tcp/sent_times.h"

#include <stdlib.h>

#define FIRST_CAPACITY 8 /* a power of two always */
#define KEPT_CAPACITY  64

void sent_times_init(struct sent_times *t)
{
	*t = (struct sent_times){ 0 };
}

void sent_times_clear(struct sent_times *t)
{
	free(t->entries);
	sent_times_init(t);
}

static struct sent_time *entry_at(const struct sent_times *t, unsigned index)
{
	return &t->entries[(t->first + index) & (t->capacity - 1U)];
}

const struct sent_time *sent_times_at(const struct sent_times *t, unsigned index)
{
	return index < t->count ? entry_at(t, index) : NULL;
}

static bool ensure_room(struct sent_times *t)
{
	if (t->count < t->capacity)
		return true;
	if (t->count >= SENT_TIMES_MAX)
		return false;

	const unsigned capacity = t->capacity ? t->capacity * 2U : FIRST_CAPACITY;
	struct sent_time *const entries = malloc(capacity * sizeof(*entries));

	if (!entries)
		return false;
	for (unsigned i = 0; i < t->count; i++)
		entries[i] = *entry_at(t, i);
	free(t->entries);
	t->entries = entries;
	t->first = 0;
	t->capacity = (uint16_t)capacity;
	return true;
}

void sent_times_add(struct sent_times *t, struct tcp_seq end, uint32_t at_us)
{
	struct sent_time *const last = t->count > 0 ? entry_at(t, t->count - 1U) : NULL;

	if (last && last->at_us == at_us) {
		last->end = end;
	} else if (ensure_room(t)) {
		*entry_at(t, t->count) = (struct sent_time){ end, at_us };
		t->count++;
	} else if (last) {
		*last = (struct sent_time){ end, at_us };
	}
}

void sent_times_ack(struct sent_times *t, struct tcp_seq una)
{
	while (t->count > 0 && seq_until(entry_at(t, 0)->end, una)) {
		t->first = (uint16_t)((t->first + 1U) & (t->capacity - 1U));
		t->count--;
	}
	if (t->count == 0 && t->capacity > KEPT_CAPACITY)
		sent_times_clear(t);
}

bool sent_times_find(const struct sent_times *t, struct tcp_seq end, uint32_t *ret_us)
{
	unsigned low = 0, high = t->count;

	/* The first entry whose end is not before it. */
	while (low < high) {
		const unsigned middle = (low + high) / 2;

		if (seq_before(entry_at(t, middle)->end, end))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == t->count)
		return false;
	*ret_us = entry_at(t, low)->at_us;
	return true;
}
