/*
 * A link: something that carries Ethernet frames. Whoever holds one (a host's interface, a switch
 * port, a wrapper) sends into it and receives from it. Links do no I/O but those that say so (tap),
 * never block, and bound their queues; what does not fit is counted and freed.
 *
 * `offloads` and `mtu` declare what may be sent into the link: the sender gives it nothing else
 * (stack/segment.h cuts and fills in where the next one takes less).
 */
#pragma once

#include <stdint.h>

#include "reeve/packet.h"
#include "reeve/time.h"

struct link;

/* The deadline of a link that has a frame now. */
#define LINK_AT_ONCE ((struct reeve_time){ 0 })

struct link_ops {
	const char *name;
	void (*send)(struct link *l, struct reeve_packet *p_take, struct reeve_time now);
	struct reeve_packet *(*receive)(struct link *l, struct reeve_time now);
	struct reeve_time (*deadline)(const struct link *l);
	void (*free)(struct link *l);
};

struct link_stats {
	uint64_t sent_packets, sent_bytes;
	uint64_t received_packets, received_bytes;
	uint64_t dropped; /* by a full queue, or for want of memory */
};

struct link {
	const struct link_ops *ops;
	uint32_t mtu;      /* of IP packets */
	uint32_t offloads; /* REEVE_OFFLOAD_* */
	struct link_stats stats;
};

static inline void link_send(struct link *l, struct reeve_packet *p_take, struct reeve_time now)
{
	l->ops->send(l, p_take, now);
}

/* The next frame that has arrived by `now`, or NULL. */
static inline struct reeve_packet *link_receive(struct link *l, struct reeve_time now)
{
	return l->ops->receive(l, now);
}

/* When to call receive() next though nothing has come in from outside: it has a frame then, or has
 * to send on one that waited. REEVE_NEVER when nothing waits. */
static inline struct reeve_time link_deadline(const struct link *l)
{
	return l->ops->deadline(l);
}

/* A wrapper frees what it wraps. Takes NULL, returns NULL. */
static inline struct link *link_free(struct link *l)
{
	if (l)
		l->ops->free(l);
	return NULL;
}
