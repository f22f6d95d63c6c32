#include "service/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct arena_block {
	struct arena_block *next;
	max_align_t content[];
};

void arena_init(struct arena *a)
{
	a->blocks = NULL;
}

void arena_deinit(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *block = a->blocks;

		a->blocks = block->next;
		free(block);
	}
}

void *arena_allocate(struct arena *a, size_t size)
{
	struct arena_block *block = calloc(1, sizeof(*block) + size);

	check(block);
	block->next = a->blocks;
	a->blocks = block;
	return block->content;
}

char *arena_copy(struct arena *a, const char *text, size_t length)
{
	char *copy = arena_allocate(a, length + 1);

	memcpy(copy, text, length);
	return copy;
}

char *arena_format(struct arena *a, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	const int length = vasprintf(&text, format, arguments);

	va_end(arguments);
	check(length >= 0);
	char *copy = arena_copy(a, text, (size_t)length);

	free(text);
	return copy;
}
