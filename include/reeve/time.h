/*
 * Time as an argument. libreeve reads no clock: the embedder says what time it is, in nanoseconds
 * of a clock of its choice that does not go backwards. One field in a structure, so that times are
 * compared only by these helpers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct reeve_time {
	int64_t ns;
};

#define REEVE_NEVER ((struct reeve_time){ INT64_MAX })

#define REEVE_NS_PER_US INT64_C(1000)
#define REEVE_NS_PER_MS INT64_C(1000000)
#define REEVE_NS_PER_S  INT64_C(1000000000)

static inline bool reeve_time_before(struct reeve_time a, struct reeve_time b)
{
	return a.ns < b.ns;
}

static inline bool reeve_time_is_never(struct reeve_time t)
{
	return t.ns == INT64_MAX;
}

static inline struct reeve_time reeve_time_min(struct reeve_time a, struct reeve_time b)
{
	return a.ns < b.ns ? a : b;
}

/* Saturates at REEVE_NEVER. */
static inline struct reeve_time reeve_time_add(struct reeve_time t, int64_t ns)
{
	int64_t sum;

	if (__builtin_add_overflow(t.ns, ns, &sum))
		return REEVE_NEVER;
	return (struct reeve_time){ sum };
}

static inline struct reeve_time reeve_time_add_ms(struct reeve_time t, int64_t ms)
{
	return reeve_time_add(t, ms * REEVE_NS_PER_MS);
}

/* Nanoseconds from `b` to `a`; negative when `a` is earlier. */
static inline int64_t reeve_time_since(struct reeve_time a, struct reeve_time b)
{
	return a.ns - b.ns;
}
