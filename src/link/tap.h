/*
 * A kernel TAP device as a link, with IFF_VNET_HDR: checksums and segmentation are left to the
 * kernel, and its own large packets come whole, unless offloads are refused. Does I/O, never
 * blocking: the owner waits for the descriptor to be readable, then receives until NULL.
 */
#pragma once

#include <stdbool.h>

#include "link/link.h"

struct tap_config {
	int fd; /* of an opened and configured TAP (tap_open), nonblocking; owned from here on */
	uint32_t mtu;
	bool offload;
};

/* Opens /dev/net/tun in the calling process's network namespace, needs CAP_NET_ADMIN there, and sets
 * the device up; addresses are the caller's. 0 and *ret_fd, or a negative errno. */
int tap_open(const char *name, uint32_t mtu, bool offload, int *ret_fd);

/* NULL: no memory (the descriptor is then still the caller's). What the kernel does not take at once
 * is dropped and counted. */
struct link *tap_new(const struct tap_config *config, struct reeve_pool *pool);
int tap_fd(const struct link *tap);
