/*
 * TCP sequence numbers: modulo 2^32, so that "less than" has a meaning only for two numbers less
 * than 2^31 apart (RFC 9293, 3.4). One field in a structure, so that they are compared only here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tcp_seq {
	uint32_t n;
};

static inline struct tcp_seq seq_add(struct tcp_seq s, uint32_t bytes)
{
	return (struct tcp_seq){ s.n + bytes };
}

static inline struct tcp_seq seq_sub(struct tcp_seq s, uint32_t bytes)
{
	return (struct tcp_seq){ s.n - bytes };
}

static inline bool seq_equal(struct tcp_seq a, struct tcp_seq b)
{
	return a.n == b.n;
}

static inline bool seq_before(struct tcp_seq a, struct tcp_seq b)
{
	return (int32_t)(a.n - b.n) < 0;
}

static inline bool seq_after(struct tcp_seq a, struct tcp_seq b)
{
	return seq_before(b, a);
}

static inline bool seq_until(struct tcp_seq a, struct tcp_seq b) /* a <= b */
{
	return !seq_before(b, a);
}

/* first <= s <= last */
static inline bool seq_within(struct tcp_seq s, struct tcp_seq first, struct tcp_seq last)
{
	return seq_until(first, s) && seq_until(s, last);
}

/* From `from` to `to`, which is not before it. */
static inline uint32_t seq_distance(struct tcp_seq from, struct tcp_seq to)
{
	return to.n - from.n;
}

static inline struct tcp_seq seq_max(struct tcp_seq a, struct tcp_seq b)
{
	return seq_before(a, b) ? b : a;
}

static inline struct tcp_seq seq_min(struct tcp_seq a, struct tcp_seq b)
{
	return seq_before(a, b) ? a : b;
}
