/*
 * What has gone wrong with datagrams of a socket, kept until its owner asks (ip(7), IP_RECVERR).
 */
#pragma once

#include <stdbool.h>

#include "base/packet.h"
#include "reeve/udp.h"

#define UDP_PROBLEMS 32 /* that a socket keeps */

struct udp_problem {
	struct reeve_udp_problem facts;
	struct reeve_packet *quote; /* NULL: nothing is quoted */
};

/* Not there at all before the first problem. */
struct udp_problems {
	struct udp_problem *ring;
	uint32_t first, count;
};

void udp_problems_deinit(struct udp_problems *p);

/* Takes the quote in every case. False when there was no room. */
bool udp_problems_push_take(struct udp_problems *p, const struct reeve_udp_problem *facts,
			    struct reeve_packet *quote_take);
const struct udp_problem *udp_problems_first(const struct udp_problems *p);
void udp_problems_pop(struct udp_problems *p);
