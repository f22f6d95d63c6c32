/*
 * The links that join the network to what is outside of it: each on a port of the switch. A TAP's
 * descriptor comes from the client, who has the privilege to open it.
 */
#pragma once

#include "network/network.h"

#define LINK_NAME_LENGTH 64 /* with its NUL */

struct network_link {
	struct station station; /* its link is the switch's port */
	char name[LINK_NAME_LENGTH];
	bool offload;
	struct link *outer; /* the TAP; owned */
	struct loop_source source;
	struct list node;
};

/* Owns the descriptor in any case. 0, -EEXIST, -EINVAL (name or MTU, or no TAP), -ENOSPC, -ENOMEM. */
int links_add_tap(struct network *n, const char *name, uint32_t mtu, bool offload, int fd_take);
void links_remove(struct network_link *link);
struct network_link *links_find(const struct network *n, const char *name);
void links_free_all(struct network *n);
