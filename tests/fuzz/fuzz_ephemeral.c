/*
 * Sets of ports beside arrays of bool, and the choice: a port that is free where it has to be, if
 * there is one. The first bytes choose the range; then each step is three: what, and a port.
 */
#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/cursor.h"
#include "fuzz.h"
#include "port/ephemeral.h"

#define SETS  3
#define RANGE 1100 /* ports at most, over several groups of words */

struct bench {
	struct ephemeral range;
	struct ephemeral_set sets[SETS];
	bool has[SETS][RANGE];
	uint32_t count[SETS];
};

static uint32_t size_of(const struct bench *b)
{
	return (uint32_t)b->range.last - b->range.first + 1;
}

static void toggle(struct bench *b, unsigned which, uint32_t index)
{
	const uint16_t port = (uint16_t)(b->range.first + index);
	struct ephemeral_set *const s = &b->sets[which];

	if (!ephemeral_covers(&b->range, port))
		return;
	check(ephemeral_set_has(s, &b->range, port) == b->has[which][index]);
	if (b->has[which][index]) {
		ephemeral_set_remove(s, &b->range, port);
		b->count[which]--;
	} else {
		check(ephemeral_set_add(s, &b->range, port) == 0);
		b->count[which]++;
	}
	b->has[which][index] = !b->has[which][index];
	check(s->count == b->count[which]);
}

/* So many ports from one on: across the border between list and bitmap. */
static void toggle_many(struct bench *b, unsigned which, uint32_t from, uint32_t count)
{
	for (uint32_t i = from; i < from + count && i < size_of(b); i++)
		toggle(b, which, i);
}

static bool is_free(const struct bench *b, uint32_t index, bool with_second, bool within)
{
	return ephemeral_covers(&b->range, (uint16_t)(b->range.first + index)) &&
	       !b->has[0][index] && !(with_second && b->has[1][index]) &&
	       (!within || b->has[2][index]);
}

static void choose(struct bench *b, uint8_t how)
{
	const bool with_second = how & 1, within = how & 2;
	bool any = false;
	const uint16_t port =
		ephemeral_choose(&b->range, &b->sets[0], with_second ? &b->sets[1] : NULL,
				 within ? &b->sets[2] : NULL);

	if (port) {
		check(port >= b->range.first && port <= b->range.last);
		check(is_free(b, (uint32_t)port - b->range.first, with_second, within));
		return;
	}
	for (uint32_t i = 0; i < size_of(b); i++)
		any |= is_free(b, i, with_second, within);
	check(!any);
}

static void check_all(const struct bench *b)
{
	for (unsigned s = 0; s < SETS; s++) {
		for (uint32_t i = 0; i < size_of(b); i++) {
			const uint16_t port = (uint16_t)(b->range.first + i);

			check(!ephemeral_covers(&b->range, port) ||
			      ephemeral_set_has(&b->sets[s], &b->range, port) == b->has[s][i]);
		}
	}
}

static bool bench_init(struct bench *b, struct cursor *c)
{
	static const uint8_t seed[32] = { 1 };
	const uint16_t first = cursor_be16(c), size = cursor_be16(c) % RANGE;
	const uint8_t flags = cursor_u8(c);

	memset(b, 0, sizeof(*b));
	if (first > 65535 - size ||
	    ephemeral_init(&b->range, first, (uint16_t)(first + size), seed))
		return false;
	if (flags & 1 && ephemeral_avoid_registered(&b->range, flags & 2) < 0) {
		ephemeral_deinit(&b->range);
		return false;
	}
	for (unsigned s = 0; s < SETS; s++) {
		ephemeral_set_init(&b->sets[s]);
		if (flags >> s & 4)
			check(ephemeral_set_reserve(&b->sets[s], &b->range) == 0);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct bench b;
	struct cursor c = cursor_over(bytes, length);

	if (!bench_init(&b, &c))
		return 0;
	while (cursor_left(&c) >= 3) {
		const uint8_t deed = cursor_u8(&c);
		const uint32_t index = cursor_be16(&c) % size_of(&b);

		if (deed >> 6 == SETS)
			choose(&b, deed);
		else if (deed & 32)
			toggle_many(&b, deed >> 6, index, (deed & 31) * 8u);
		else
			toggle(&b, deed >> 6, index);
	}
	check_all(&b);
	for (unsigned s = 0; s < SETS; s++)
		ephemeral_set_deinit(&b.sets[s]);
	ephemeral_deinit(&b.range);
	return 0;
}
