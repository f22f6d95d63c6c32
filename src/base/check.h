/*
 * check(): for what only a fault of ours can break. Never compiled out, never applied to input.
 */
#pragma once

#define check(condition)                               \
	do {                                           \
		if (__builtin_expect(!(condition), 0)) \
			__builtin_trap();              \
	} while (0)

/* The structure that holds this member. */
#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define container_of_const(pointer, type, member) \
	((const type *)(const void *)((const char *)(pointer)-offsetof(type, member)))

#define array_length(array) (sizeof(array) / sizeof((array)[0]))
