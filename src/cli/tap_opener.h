/*
 * Opens a TAP device where the caller may: here, or in a named network namespace, which a child
 * enters, so that this process stays where it is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tap_request {
	const char *name;
	const char *netns; /* of /run/netns; NULL: here */
	uint32_t mtu;
	bool offload;
};

/* 0 and the device's descriptor; or the exit status after a complaint. */
int tap_opener_open(const struct tap_request *request, int *ret_fd);
