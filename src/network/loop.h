/*
 * The event loop: descriptors by epoll, timers by the wheel of base/timers.h, one thread. It knows
 * nothing of networks. A source or a timer is embedded in what it belongs to; its function finds
 * that by container_of. Any function may remove any source, its own too: the events that were
 * already fetched for it are not delivered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/timers.h"

struct loop;
struct loop_source;
struct loop_timer;

typedef void loop_ready_function(struct loop_source *source, uint32_t events);
typedef void loop_fired_function(struct loop_timer *timer);
typedef bool loop_settle_function(void *user);

/* `fd` is -1 while the source is not in the loop. */
struct loop_source {
	loop_ready_function *ready;
	int fd;
	uint32_t events; /* EPOLL* as asked for */
};

struct loop_timer {
	loop_fired_function *fired;
	struct timer timer;
};

/* `settle` is called after each batch of events and timers, until it says that nothing is left to
 * do now; between two calls descriptors and timers have their turn without waiting. */
struct loop *loop_new(loop_settle_function *settle, void *user);
struct loop *loop_free(struct loop *loop); /* takes NULL */

/* Runs until loop_stop(). 0 or a negative errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One batch, waiting for at most `timeout_ms` (-1: as long as it takes). For tests too. */
int loop_turn(struct loop *loop, int timeout_ms);

/* The time at which the current batch began. */
struct reeve_time loop_now(const struct loop *loop);

/* The time at this moment, for what is measured. */
struct reeve_time loop_clock(void);

void loop_source_init(struct loop_source *source, loop_ready_function *ready);
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events);
int loop_change(struct loop *loop, struct loop_source *source, uint32_t events);
/* Not the descriptor's end: that is the owner's. Harmless for a source that is not in the loop. */
void loop_remove(struct loop *loop, struct loop_source *source);

void loop_timer_init(struct loop_timer *timer, loop_fired_function *fired);
void loop_timer_arm(struct loop *loop, struct loop_timer *timer, struct reeve_time expires);
void loop_timer_disarm(struct loop *loop, struct loop_timer *timer);
