/*
 * Release by scope: `cleanup(buffer_free) struct x *x = ...;` calls x_free when x leaves its scope,
 * unless take(x) has given it away. DEFINE_CLEANUP(x_free, struct x *) makes the helper.
 */
#pragma once

#include <assert.h>
#include <stddef.h>

#define DEFINE_CLEANUP(function, type)                       \
	static inline void cleanup_##function(type *pointer) \
	{                                                    \
		if (*pointer)                                \
			function(*pointer);                  \
	}                                                    \
	static_assert(1, "a semicolon follows")

#define cleanup(function) __attribute__((cleanup(cleanup_##function)))

#define take(pointer)                           \
	({                                      \
		__auto_type taken_ = (pointer); \
		(pointer) = NULL;               \
		taken_;                         \
	})
