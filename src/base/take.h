/*
 * take(pointer): its value, given away; the pointer is NULL from then on, so that nothing is given
 * away or freed twice.
 */
#pragma once

#include <stddef.h>

#define take(pointer)                           \
	({                                      \
		__auto_type taken_ = (pointer); \
		(pointer) = NULL;               \
		taken_;                         \
	})
