/*
 * How a network process begins and ends: its lock and sockets' paths, its signals, and the decision
 * that it is not needed any more (main.h says when).
 */
#pragma once

#include "network/network.h"

/* What programs get to end by themselves, from SIGTERM to SIGKILL. */
#define LIFETIME_GRACE_MS      5000
#define LIFETIME_GRACE_MOST_MS 60000

struct control_client;

struct lifetime {
	struct network *network;
	struct path_set paths;
	int lock_fd;
	struct loop_source signals;
	struct loop_timer grace; /* the programs have been told to end; then they are ended */
	struct reeve_time grace_until;
	struct list callers;       /* who is told when the programs have ended */
	uint32_t programs;         /* how many they were */
	bool is_delivering;        /* they have ended */
	struct loop_timer drained; /* what is not delivered by then is not delivered */
	struct loop_timer retry;   /* a client was about to connect: look again */
	bool draining;
	bool keep_log; /* there is something to be read in it */
};

/* Becomes the network's one process and listens. `l` is in place until lifetime_end(). 0 or a
 * negative errno with one line in `error`. */
int lifetime_begin(struct lifetime *l, struct network *n, char error[PATH_ERROR_TEXT]);
void lifetime_end(struct lifetime *l);

/* Where services' logs are, made if it is not there. They go with the network. */
const char *lifetime_logs(const struct lifetime *l);

/* After each turn of the loop: stops it when the time has come. */
void lifetime_settle(struct lifetime *l);

/* Has all programs end, within `grace_ms`; delivers what is to be delivered and stops. A second time
 * it can shorten the grace. */
void lifetime_down(struct lifetime *l, int64_t grace_ms);

/* The same for a client, whose call is answered when all programs have ended. */
void lifetime_down_for(struct lifetime *l, int64_t grace_ms, struct control_client *client);
