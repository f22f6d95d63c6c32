/*
 * Which sockets the program still holds, where no other end would say so.
 *
 * An epoll set keeps its members only as long as somebody holds them: the program's end is added
 * through a duplicate that is closed at once, and when its last holder is gone, the entry is gone
 * from /proc/self/fdinfo. A sweep reads that file, so its cost grows with the set: sweeps are
 * spaced so that they stay a small part of the time, and made at once where it matters (before a
 * bind or a connect that could meet a port whose listener is gone).
 */
#pragma once

#include <stdint.h>

struct guest_socket;
struct supervisor;

struct liveness {
	int epoll_fd;
	uint64_t sweeps;
	int64_t cost_ns; /* of the last sweep */
};

int liveness_init(struct liveness *l); /* 0 or a negative errno */
void liveness_deinit(struct liveness *l);

/* `fd`: a duplicate of the program's end. */
void liveness_add(struct liveness *l, struct guest_socket *socket, int fd);

/* Marks what is alive with the sweep's number, which is returned; 0 when it could not look. */
uint64_t liveness_sweep(struct supervisor *s);
