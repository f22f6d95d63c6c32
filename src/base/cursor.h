/*
 * Bounds-checked reading and writing of bytes. A cursor that has once run over its end stays
 * failed and gives zeroes, so that a parser reads straight through and asks cursor_ok() once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

struct cursor {
	const uint8_t *at, *end;
	bool failed;
};

static inline struct cursor cursor_over(const void *bytes, size_t length)
{
	const uint8_t *start = bytes;

	return (struct cursor){ .at = start, .end = start + length, .failed = false };
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

static inline bool cursor_ok(const struct cursor *c)
{
	return !c->failed;
}

/* `length` bytes, or NULL and the cursor has failed. */
static inline const uint8_t *cursor_bytes(struct cursor *c, size_t length)
{
	if (c->failed || cursor_left(c) < length) {
		c->failed = true;
		return NULL;
	}
	const uint8_t *bytes = c->at;

	c->at += length;
	return bytes;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t cursor_be16(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 2);

	return p ? load_be16(p) : 0;
}

static inline uint32_t cursor_be32(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 4);

	return p ? load_be32(p) : 0;
}

static inline void cursor_copy(struct cursor *c, void *ret, size_t length)
{
	const uint8_t *p = cursor_bytes(c, length);

	if (p)
		memcpy(ret, p, length);
	else
		memset(ret, 0, length);
}
