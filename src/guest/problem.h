/*
 * What has gone wrong with datagrams of a socket: MSG_ERRQUEUE's queue (ip(7), IP_RECVERR), bounded.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guest/protocol.h"

#define PROBLEMS_MAX 64 /* that a socket keeps; what comes then is lost */

struct problem {
	struct problem *next;
	struct guest_problem what;
	struct reeve_sockaddr remote;
	uint32_t length;
	uint8_t quote[];
};

struct problems {
	struct problem *first;
	uint32_t count;
};

/* `data`: struct guest_problem and what is quoted behind it, as the network process sends it. */
void problems_push(struct problems *p, const struct reeve_sockaddr *remote, const void *data,
		   size_t length);
void problems_pop(struct problems *p);
void problems_clear(struct problems *p);
