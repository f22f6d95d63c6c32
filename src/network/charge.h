/*
 * What a datagram counts while it waits in an AF_UNIX socket: the kernel says how much all of those
 * that were sent and not yet read count together (SIOCOUTQ), and from what each counts follows how
 * many of them a program has read that nobody watched. It depends on the length alone, and is
 * measured once for each.
 */
#pragma once

#include <stdint.h>

struct charges;

struct charges *charges_new(void); /* NULL: no memory or descriptors */
struct charges *charges_free(struct charges *c);

/* For a length up to 65535; 0 when it can't be measured. */
uint32_t charge_of(struct charges *c, uint32_t length);
