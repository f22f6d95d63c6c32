/*
 * Which sockets the program still holds, of those whose other end does not say it.
 *
 * An epoll set keeps its members only as long as somebody holds them: the program's end is added
 * through a duplicate that is closed at once, and when its last holder is gone, the entry is gone
 * from /proc/self/fdinfo. The sets are small, so that a look at one socket costs little however
 * many there are: each takes so many sockets one after another, and ends when none of them needs it
 * any more. A socket that is connected needs none: its other end says when the program has closed;
 * unless it was shut down both ways before.
 *
 * A sweep looks at all sets. Sweeps are spaced so that they stay a small part of the time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct guest_socket;
struct supervisor;

struct liveness {
	struct list sets;
	struct liveness_set *open; /* takes the next socket; NULL: a new one will */
	uint64_t looks;
	int64_t cost_ns; /* of the last sweep */
};

void liveness_init(struct liveness *l);
void liveness_deinit(struct liveness *l);

/* `fd`: a duplicate of the program's end. A socket that cannot be watched lives as long as the
 * tree. */
void liveness_add(struct liveness *l, struct guest_socket *socket, int fd);
void liveness_remove(struct liveness *l, struct guest_socket *socket);

/* Drops what the program no longer holds of the sockets that are bound to that port, or to one that
 * nobody has asked for yet. */
void liveness_look_at_port(struct supervisor *s, uint16_t port);

/* Whether anybody holds a socket that was added. */
bool liveness_is_held(struct supervisor *s, const struct guest_socket *socket);

/* Drops it if not, and the others of its set. */
void liveness_look_at(struct supervisor *s, const struct guest_socket *socket);

/* Drops all that the program no longer holds. True when some are left to be watched. */
bool liveness_sweep(struct supervisor *s);
