/*
 * Records of one size, in blocks of SLAB_RECORDS: for many that live long beside much that comes and
 * goes. Each by itself they would split the memory that packets have left, and hold it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

#define SLAB_RECORDS 32

struct slab {
	size_t size;      /* of a record's place */
	struct list room; /* blocks with a free place, those with taken ones first */
};

void slab_init(struct slab *s, size_t size);
void slab_deinit(struct slab *s); /* every record has been freed */

void *slab_new(struct slab *s);               /* zeroed; NULL without memory */
void slab_free(struct slab *s, void *record); /* takes NULL */
