/*
 * The program's listeners, by port, and whether the program still holds them.
 *
 * A listener is an AF_UNIX stream socket at a path of ours, and the kernel says without disturbing
 * it whether there is still one: connect() of a datagram socket to that path fails with EPROTOTYPE
 * as long as it is open, with ECONNREFUSED when its last holder has closed it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define LISTENER_BUCKETS 256

struct guest_socket;
struct supervisor;

struct listeners {
	struct list all;
	struct guest_socket *by_port[LISTENER_BUCKETS];
	uint32_t count;
	int64_t cost_ns; /* of the last look at all */
	int fd;          /* the datagram socket */
};

int listeners_init(struct listeners *l); /* 0 or a negative errno */
void listeners_deinit(struct listeners *l);

/* When it has begun to listen, with its local port known, and when it ends. Removing one that is
 * not there is harmless. */
void listeners_add(struct listeners *l, struct guest_socket *socket);
void listeners_remove(struct listeners *l, struct guest_socket *socket);

/* Drop those that the program has closed: this one, those at a port, all. */
void listeners_look(struct supervisor *s, struct guest_socket *listener);
void listeners_look_at_port(struct supervisor *s, uint16_t port);
void listeners_look_at_all(struct supervisor *s);
