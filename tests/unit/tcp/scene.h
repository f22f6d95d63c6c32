/* One connection that the host under test has accepted, and the test at its other end. */
#pragma once

#include "rig.h"

struct scene {
	struct rig r; /* what rig_init() keeps may be set before */
	struct peer p;
	struct reeve_tcp *listener, *tcp;
};

void scene_begin(struct scene *s, const struct peer_options *o);
void scene_end(struct scene *s); /* with a reset */

struct reeve_tcp_info scene_info(const struct scene *s);

/* Twenty round trips of 20 ms: the timeout is a little below 220 ms then, as the handshake took no time. */
void scene_warm_up(struct scene *s);

/* An acknowledgment up to `ack` that reports [from, to) besides; to 0: nothing. */
void scene_report(struct scene *s, uint32_t ack, uint32_t from, uint32_t to);
