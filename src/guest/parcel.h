/*
 * Messages that can wait for company: they go out with the next one that cannot wait, in front of
 * it, in one datagram; or by themselves a little later. So what nobody waits for wakes nobody.
 * They carry neither data nor a descriptor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "guest/protocol.h"

#define PARCEL_MOST 32 /* messages */
#define PARCEL_MS   10 /* that they may wait */

struct parcel {
	unsigned count;
	struct guest_message messages[PARCEL_MOST];
};

/* True when it is full now and has to go. */
static inline bool parcel_add(struct parcel *p, const struct guest_message *m)
{
	p->messages[p->count] = *m;
	p->messages[p->count++].data_length = 0;
	return p->count == PARCEL_MOST;
}

/*
 * A datagram is one message behind another. The next one of the `length` bytes at `bytes`, its data
 * behind it in place: the bytes that it takes, or 0 when these are no message.
 */
static inline size_t parcel_next(const uint8_t *bytes, size_t length, struct guest_message *ret)
{
	struct guest_message m;

	if (length < sizeof(m))
		return 0;
	memcpy(&m, bytes, sizeof(m));
	if (m.data_length > length - sizeof(m))
		return 0;
	*ret = m;
	return sizeof(m) + m.data_length;
}
