/*
 * A flood of SYNs whose sources were made up, and honest connections beside it, through a switch with
 * bounded queues: for a test in virtual time and a bench in real time. Stations take turns as in the
 * network process, so many frames each at most.
 */
#pragma once

#include "reeve/time.h"

struct flood;

struct flood_result {
	uint64_t syns;                    /* of the flood, sent into the switch */
	uint64_t dropped;                 /* by the queue in front of the server */
	uint64_t opened, succeeded;       /* honest ones; succeeded: heard the server in time */
	uint64_t cookies_out, cookies_in; /* the server's */
	uint64_t packets, buffer_bytes;   /* of the pool, now */
	uint32_t sockets;                 /* of the server, now */
};

#define FLOOD_PATIENCE_S 10 /* an honest connection that takes longer has failed */

struct flood *flood_new(uint64_t seed, struct reeve_time now); /* NULL: no memory */
struct flood *flood_free(struct flood *f);

/* One more honest connection. */
void flood_open(struct flood *f, struct reeve_time now);

/* A turn of each station; the flood's sends so many SYNs. */
void flood_step(struct flood *f, unsigned syns, struct reeve_time now);

void flood_result(const struct flood *f, struct flood_result *ret);
