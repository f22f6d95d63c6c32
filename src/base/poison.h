/*
 * For free lists of our own: under AddressSanitizer what lies in one can't be touched, as memory that
 * was given back to malloc can't. Nothing otherwise.
 */
#pragma once

#include <stddef.h>

#ifdef __has_feature
#	if __has_feature(address_sanitizer)
#		define POISONS
#	endif
#elif defined(__SANITIZE_ADDRESS__)
#	define POISONS
#endif

#ifdef POISONS
/* The sanitizer chose these names. NOLINTBEGIN(readability-identifier-naming) */
void __asan_poison_memory_region(const volatile void *start, size_t length);
void __asan_unpoison_memory_region(const volatile void *start, size_t length);
/* NOLINTEND(readability-identifier-naming) */
#endif

static inline void poison(void *start, size_t length)
{
#ifdef POISONS
	__asan_poison_memory_region(start, length);
#else
	(void)start;
	(void)length;
#endif
}

static inline void unpoison(void *start, size_t length)
{
#ifdef POISONS
	__asan_unpoison_memory_region(start, length);
#else
	(void)start;
	(void)length;
#endif
}
