/*
 * Memory that is freed all at once: what is read from one file belongs together. Bounded by what
 * is read, which has a limit; being out of memory is the end of the process, as nothing that it
 * could do then would be right.
 */
#pragma once

#include <stddef.h>

struct arena {
	struct arena_block *blocks;
};

void arena_init(struct arena *a);
void arena_deinit(struct arena *a);

/* Zeroed, aligned for anything. */
void *arena_allocate(struct arena *a, size_t size);
char *arena_copy(struct arena *a, const char *text, size_t length); /* with a NUL behind it */
__attribute__((format(printf, 2, 3))) char *arena_format(struct arena *a, const char *format, ...);
