/*
 * Impairment round any link, both ways: loss, delay, jitter, reordering, duplication, corruption,
 * rate and partition, from a seed. Declares no offloads while it impairs: frames are cut to the
 * MTU, checksums filled in, and bytes copied before they are corrupted and no longer called
 * verified.
 *
 * What waits to be sent moves when receive() is called: call it at the deadline.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"

struct impair_settings {
	double loss, reorder, duplicate, corrupt; /* probability of each frame, 0..1 */
	int64_t delay_ns, jitter_ns;              /* one way */
	uint64_t rate_bits;                       /* a second, each way; 0: unlimited */
	uint32_t queue_packets; /* that wait for the rate or the delay, each way; 0: 1,000 */
	bool down;              /* nothing passes */
	uint64_t seed;
};

/* Frames, both ways. */
struct impair_stats {
	uint64_t passed;
	uint64_t lost; /* by chance or with `down` */
	uint64_t duplicated, corrupted, reordered;
	uint64_t overflowed; /* more than queue_packets */
};

/* Owns `inner` from here on. NULL: no memory (inner is then still the caller's). */
struct link *impair_new(struct link *inner);

/*
 * New settings from now on; what is under way keeps its times. NULL clears: everything passes as
 * it is. The link's offloads change with it: tell whoever sends into it.
 */
void impair_set(struct link *impair, const struct impair_settings *settings, struct reeve_time now);
bool impair_get(const struct link *impair, struct impair_settings *ret); /* false: cleared */
void impair_stats(const struct link *impair, struct impair_stats *ret);
