/*
 * HyStart++ (RFC 9406): ends the first slow start when round trips get longer, before the queue that
 * makes them longer overflows. First the window grows four times slower, for at most five round trips
 * (conservative slow start): if round trips get short again it was an accident, and slow start goes on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "stack/tcp/sequence.h"

#define HYSTART_DIVISOR 4 /* CSS_GROWTH_DIVISOR */

struct hystart {
	struct tcp_seq round_end; /* windowEnd; meaningful with has_round */
	uint32_t last_us,
		now_us;       /* the shortest round trip of the last round, and of this; 0: none */
	uint32_t baseline_us; /* when conservative slow start began */
	uint8_t samples;      /* in this round, as far as they count */
	uint8_t slow_rounds;  /* of conservative slow start, the first one begun included */
	bool has_round, is_slow;
};

/* An acknowledgment up to `una`, with `nxt` next to be sent; sample_us 0: it timed nothing. True: slow
 * start is over. */
bool hystart_acked(struct hystart *h, struct tcp_seq una, struct tcp_seq nxt, uint32_t sample_us);
