/*
 * The range of ports that the system chooses from (RFC 6335, 6: 49152-65535 by default), sets of
 * its ports, and the choice itself: uniformly random over the ports that are free, in constant time
 * however few those are (RFC 6056).
 *
 * Only ports that ephemeral_covers() may be put into a set. No set, and no choice, knows of ports
 * outside the range or of those avoided.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

#define EPHEMERAL_SPARSE 32 /* members up to which a set is a list */

struct ephemeral {
	uint16_t first, last; /* inclusive */
	uint32_t words;       /* of 64 ports, the first with `first` in it */
	uint32_t count;       /* ports to choose from */
	uint64_t *avoided;    /* NULL: none */
	struct random random;
	uint64_t steps; /* ports and words looked at so far: what a choice costs */
};

/* Every port of the range that is not avoided is a member or free. */
struct ephemeral_set {
	uint32_t count;
	uint16_t room; /* of `ports` */
	bool reserved; /* stays a bitmap */
	union {
		uint16_t *ports; /* while `words` is NULL, in no order */
		uint16_t *group_free;
	};
	uint64_t *words; /* one bit a port: 1 for members and for what is not covered */
};

/* `avoid`: leave out the ports of registered services, TCP's or UDP's. 0, -EINVAL (a range that
 * runs backwards, starts below 1024 or has nothing left), -ENOMEM. */
int ephemeral_init(struct ephemeral *e, uint16_t first, uint16_t last, const uint8_t seed[32]);
int ephemeral_avoid_registered(struct ephemeral *e, bool udp);
void ephemeral_deinit(struct ephemeral *e);
bool ephemeral_covers(const struct ephemeral *e, uint16_t port);

void ephemeral_set_init(struct ephemeral_set *s);
void ephemeral_set_deinit(struct ephemeral_set *s);
/* Room for every port of the range, for good: no later add can fail. */
int ephemeral_set_reserve(struct ephemeral_set *s, const struct ephemeral *e);
int ephemeral_set_add(struct ephemeral_set *s, const struct ephemeral *e, uint16_t port);
void ephemeral_set_remove(struct ephemeral_set *s, const struct ephemeral *e, uint16_t port);
bool ephemeral_set_has(const struct ephemeral_set *s, const struct ephemeral *e, uint16_t port);

/*
 * A port of the range in neither `a` nor `b`, and in `within` unless that is NULL, each such port
 * with the same probability; 0 when there is none. `b` may be NULL.
 */
uint16_t ephemeral_choose(struct ephemeral *e, const struct ephemeral_set *a,
			  const struct ephemeral_set *b, const struct ephemeral_set *within);
