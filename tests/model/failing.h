/*
 * Allocations that fail when told to. For executables linked with --wrap=malloc, --wrap=calloc and
 * --wrap=realloc.
 */
#pragma once

#include <stdbool.h>

/* One, after so many that succeed. */
void fail_allocation_after(unsigned count);

/* Whether one has failed since. */
bool stop_failing(void);
