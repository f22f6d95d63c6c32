#include "failing.h"

#include <limits.h>
#include <stddef.h>

static unsigned allocations_left = UINT_MAX; /* before the next one fails, once */
static bool allocation_failed;

/* The linker chose these names. NOLINTBEGIN(readability-identifier-naming) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
/* NOLINTEND(readability-identifier-naming) */

void fail_allocation_after(unsigned count)
{
	allocations_left = count;
	allocation_failed = false;
}

bool stop_failing(void)
{
	allocations_left = UINT_MAX;
	return allocation_failed;
}

static bool fails(void)
{
	if (allocations_left == UINT_MAX || allocations_left-- > 0)
		return false;
	allocations_left = UINT_MAX;
	allocation_failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}
