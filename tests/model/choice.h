/*
 * Where a model's choices come from: a seed, or a fuzzer's bytes for as long as there are any.
 */
#pragma once

#include "base/cursor.h"
#include "base/random.h"

struct choice {
	struct cursor bytes; /* none: only the seed's numbers */
	struct random random;
};

static inline uint32_t choose_below(struct choice *c, uint32_t limit)
{
	if (cursor_left(&c->bytes) == 0)
		return random_below(&c->random, limit);
	if (limit <= 256 || cursor_left(&c->bytes) == 1)
		return cursor_u8(&c->bytes) % limit;
	return cursor_be16(&c->bytes) % limit;
}
