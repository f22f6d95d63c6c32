/*
 * Urgent data of AF_UNIX: since Linux 5.15; poll() speaks of them since 5.18, and in later ones of 5.15.
 */
#pragma once

#include <stdbool.h>

/* Whether the kernel has them and poll() says POLLPRI. It is tried once. */
bool urgent_is_polled(void);
