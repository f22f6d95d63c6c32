/*
 * A listening AF_UNIX socket of the network process: takes in whoever comes and says who it is. When
 * descriptors have run out, or its owner takes in nobody more, it rests for a moment, as the loop
 * would tell of the same client again and again.
 */
#pragma once

#include <sys/socket.h>

#include "network/loop.h"

struct listener;

struct listener_ops {
	bool (*is_full)(const struct listener *l); /* NULL: never */
	void (*take_in)(struct listener *l, int fd_take, const struct ucred *peer);
};

/* Embedded in what takes the clients in. */
struct listener {
	const struct listener_ops *ops;
	struct loop *loop;
	struct loop_source source;
	struct loop_timer rest;
};

/* Owns the descriptor in any case; -1: nobody ever comes. 0 or a negative errno. */
int listener_init(struct listener *l, const struct listener_ops *ops, struct loop *loop,
		  int fd_take);
void listener_deinit(struct listener *l); /* any number of times */

/* Takes in whoever waits now. */
void listener_accept(struct listener *l);
