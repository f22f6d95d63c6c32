/*
 * Timers by the million: a hierarchical wheel (Varghese and Lauck, 1987). Arming, disarming and a
 * tick with nothing due cost the same at any number of timers.
 *
 * A wheel tick is about a millisecond (2^20 ns). A timer never fires early; it fires at most one
 * wheel tick late. No callbacks: the owner takes the timers that are due, one by one, and finds
 * what they belong to by container_of and `kind`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "reeve/time.h"

#define TIMERS_LEVELS 8
#define TIMERS_SLOTS  64

struct timer {
	struct list node;
	struct reeve_time expires; /* meaningful while armed */
	uint8_t kind;              /* the owner's */
	uint8_t level, slot;
};

struct timers {
	uint64_t tick;                    /* wheel ticks that have passed */
	uint64_t occupied[TIMERS_LEVELS]; /* bit i: slot i of the level is not empty */
	struct list slots[TIMERS_LEVELS][TIMERS_SLOTS];
	struct list due; /* expired, not yet taken */
	uint32_t armed;
};

void timers_init(struct timers *t, struct reeve_time now);
void timer_init(struct timer *timer, uint8_t kind);
bool timer_is_armed(const struct timer *timer);

/* Re-arms when armed. A time in the past is due at the next call of timers_advance(). */
void timer_arm(struct timers *t, struct timer *timer, struct reeve_time expires);
void timer_disarm(struct timers *t, struct timer *timer);

/* Moves time on. A clock that goes backwards is ignored. */
void timers_advance(struct timers *t, struct reeve_time now);

/* A timer that has expired, disarmed; NULL when none is left. */
struct timer *timers_next(struct timers *t);

/* When to call timers_advance() next: within a wheel tick after the first expiry, or earlier, when
 * the wheel has to turn. REEVE_NEVER when none is armed. */
struct reeve_time timers_deadline(const struct timers *t);
