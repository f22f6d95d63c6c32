/*
 * The timer wheel.
 *
 * Theory of operation. Time is counted in wheel ticks. A timer lies at the level of the highest
 * group of six bits in which its tick differs from the wheel's, in the slot that this group of its
 * tick names. So within a level all occupied slots lie ahead of the wheel's own position, the
 * lowest occupied level holds what comes first, and time need only be moved from one occupied slot
 * to the next: level 0's slots hold what is due at that very tick, a higher level's slot is spread
 * over the levels below when its beginning is reached. Eight levels of six bits cover 2^48 ticks,
 * which is more than 2^64 ns.
 */
#include "base/timers.h"

#include <stddef.h>

#define TICK_BITS 20
#define SLOT_BITS 6
#define LEVEL_DUE 0xff /* in the list of those due */

/* Nanoseconds from the beginning of all time, so that a clock may begin below zero. */
static uint64_t ns_of(struct reeve_time t)
{
	return (uint64_t)t.ns ^ UINT64_C(1) << 63;
}

static struct reeve_time time_of(uint64_t tick)
{
	return (struct reeve_time){ (int64_t)(tick << TICK_BITS ^ UINT64_C(1) << 63) };
}

static uint64_t tick_before(struct reeve_time t)
{
	return ns_of(t) >> TICK_BITS;
}

/* The last tick of all time is not rounded up, because no time would be left to fire in. */
static uint64_t tick_after(struct reeve_time t)
{
	if (t.ns > INT64_MAX - (INT64_C(1) << TICK_BITS))
		return UINT64_MAX >> TICK_BITS;
	return (ns_of(t) + (UINT64_C(1) << TICK_BITS) - 1) >> TICK_BITS;
}

void timers_init(struct timers *t, struct reeve_time now)
{
	t->tick = tick_before(now);
	t->armed = 0;
	list_init(&t->due);
	for (int level = 0; level < TIMERS_LEVELS; level++) {
		t->occupied[level] = 0;
		for (int slot = 0; slot < TIMERS_SLOTS; slot++)
			list_init(&t->slots[level][slot]);
	}
}

void timer_init(struct timer *timer, uint8_t kind)
{
	list_init(&timer->node);
	timer->expires = REEVE_NEVER;
	timer->kind = kind;
	timer->level = LEVEL_DUE;
	timer->slot = 0;
}

bool timer_is_armed(const struct timer *timer)
{
	return list_is_linked(&timer->node);
}

static void place(struct timers *t, struct timer *timer)
{
	const uint64_t tick = tick_after(timer->expires);

	if (tick <= t->tick) {
		timer->level = LEVEL_DUE;
		list_append(&t->due, &timer->node);
		return;
	}
	const unsigned level = (63u - (unsigned)__builtin_clzll(tick ^ t->tick)) / SLOT_BITS;
	const unsigned slot = (unsigned)(tick >> (level * SLOT_BITS)) & (TIMERS_SLOTS - 1);

	check(level < TIMERS_LEVELS);
	timer->level = (uint8_t)level;
	timer->slot = (uint8_t)slot;
	t->occupied[level] |= UINT64_C(1) << slot;
	list_append(&t->slots[level][slot], &timer->node);
}

void timer_disarm(struct timers *t, struct timer *timer)
{
	if (!timer_is_armed(timer))
		return;
	list_remove(&timer->node);
	t->armed--;
	if (timer->level != LEVEL_DUE && list_is_empty(&t->slots[timer->level][timer->slot]))
		t->occupied[timer->level] &= ~(UINT64_C(1) << timer->slot);
}

void timer_arm(struct timers *t, struct timer *timer, struct reeve_time expires)
{
	timer_disarm(t, timer);
	timer->expires = expires;
	if (reeve_time_is_never(expires))
		return;
	t->armed++;
	place(t, timer);
}

/* The occupied slot that comes first; false when there is none. */
static bool first_slot(const struct timers *t, unsigned *ret_level, unsigned *ret_slot,
		       uint64_t *ret_tick)
{
	for (unsigned level = 0; level < TIMERS_LEVELS; level++) {
		if (!t->occupied[level])
			continue;
		const unsigned slot = (unsigned)__builtin_ctzll(t->occupied[level]);
		const unsigned shift = level * SLOT_BITS;
		const uint64_t above = t->tick >> shift >> SLOT_BITS << SLOT_BITS << shift;

		*ret_level = level;
		*ret_slot = slot;
		*ret_tick = above | (uint64_t)slot << shift;
		return true;
	}
	return false;
}

void timers_advance(struct timers *t, struct reeve_time now)
{
	const uint64_t target = tick_before(now);
	unsigned level, slot;
	uint64_t tick;

	while (first_slot(t, &level, &slot, &tick) && tick <= target) {
		struct list *const head = &t->slots[level][slot];

		t->tick = tick;
		t->occupied[level] &= ~(UINT64_C(1) << slot);
		for (struct list *node; (node = list_pop(head)) != NULL;)
			place(t, list_entry(node, struct timer, node));
	}
	if (target > t->tick)
		t->tick = target;
}

struct timer *timers_next(struct timers *t)
{
	struct list *const node = list_pop(&t->due);

	if (!node)
		return NULL;
	t->armed--;
	return list_entry(node, struct timer, node);
}

struct reeve_time timers_deadline(const struct timers *t)
{
	unsigned level, slot;
	uint64_t tick;

	if (!list_is_empty(&t->due))
		return time_of(t->tick);
	if (!first_slot(t, &level, &slot, &tick))
		return REEVE_NEVER;
	return time_of(tick);
}
