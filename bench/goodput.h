/* What the ends of goodput's path share. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"

#define GOODPUT_MTU  1500
#define GOODPUT_PORT 80

/* In memory that the processes share. */
struct progress {
	atomic_bool accepted;
	atomic_uint_least64_t received; /* bytes that the receiver's program has read */
};

/* The kernel's TCP as an end: a process in a network namespace of its own with a TAP device. */
struct kernel_end {
	int pid;
	int socket; /* to the process: closed when it ends */
	int tap;
};

/* 198.18.0.number. As the receiver it listens when this returns; as the sender it waits for
 * kernel_end_connect(). Ends the program when that cannot be. */
void kernel_end_start(struct kernel_end *k, uint8_t number, bool sends, struct progress *progress);
void kernel_end_connect(const struct kernel_end *k, uint8_t number);
void kernel_end_stop(struct kernel_end *k);
