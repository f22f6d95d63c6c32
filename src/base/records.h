/*
 * Records of one size that are known by 32-bit numbers: for those of which there are so many that
 * pointers between them would be much of their size. A number stays a record's until it is freed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct records_block;

struct records {
	size_t size;
	unsigned bits;                 /* 2^bits records are allocated together */
	struct records_block **blocks; /* NULL where none is */
	uint32_t *vacant;              /* where in `blocks` none is; as many have room */
	uint32_t room, vacant_count;
	uint32_t count;   /* records in all */
	struct list open; /* blocks with a free place, those with taken ones first */
};

void records_init(struct records *r, size_t size, unsigned bits); /* a multiple of eight bytes */
void records_deinit(struct records *r);                           /* every record has been freed */

uint32_t records_new(struct records *r); /* zeroed; 0 without memory */
void records_free(struct records *r, uint32_t number);
void *records_at(const struct records *r, uint32_t number);
