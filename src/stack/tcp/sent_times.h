/*
 * When new data was sent: for RACK (RFC 8985), which tells a loss by the time that has passed since
 * something sent later has arrived. Sequence numbers and times both only grow, so it is a queue of
 * (end, time); what is sent at one time is one entry. Bounded: when it is full, the youngest entries
 * become one, as if sent just now.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "stack/tcp/sequence.h"

#define SENT_TIMES_MAX 1024

struct sent_time {
	struct tcp_seq end; /* of what was sent then; it begins where the one before ends */
	uint32_t at_us;     /* modulo 2^32 */
};

struct sent_times {
	struct sent_time *entries; /* a ring; a large one goes when it is empty */
	uint16_t first, count, capacity;
};

void sent_times_init(struct sent_times *t);
void sent_times_clear(struct sent_times *t);

/* Without memory the last entry grows; without any, nothing is known of that range. */
void sent_times_add(struct sent_times *t, struct tcp_seq end, uint32_t at_us);
void sent_times_ack(struct sent_times *t, struct tcp_seq una);

/* When the byte before `end` was sent. False: not known. */
bool sent_times_find(const struct sent_times *t, struct tcp_seq end, uint32_t *ret_us);

/* The index-th, the oldest first; NULL behind the last. */
const struct sent_time *sent_times_at(const struct sent_times *t, unsigned index);

static inline bool us_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
