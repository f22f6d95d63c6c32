/*
 * How a network process begins and ends: its lock and sockets' paths, its signals, and the decision
 * that it is not needed any more (main.h says when).
 */
#pragma once

#include "network/network.h"

struct lifetime {
	struct network *network;
	struct path_set paths;
	int lock_fd;
	struct loop_source signals;
	struct loop_timer drained; /* what is not delivered by then is not delivered */
	struct loop_timer retry;   /* a client was about to connect: look again */
	bool draining;
	bool keep_log; /* there is something to be read in it */
};

/* Becomes the network's one process and listens. `l` is in place until lifetime_end(). 0 or a
 * negative errno with one line in `error`. */
int lifetime_begin(struct lifetime *l, struct network *n, char error[PATH_ERROR_TEXT]);
void lifetime_end(struct lifetime *l);

/* After each turn of the loop: stops it when the time has come. */
void lifetime_settle(struct lifetime *l);

/* Ends all programs, delivers what is to be delivered and stops. */
void lifetime_down(struct lifetime *l);
