/*
 * The crowded destinations of one demux: remote sockets to which so many flows of one local address
 * go that drawing ports at random would miss too often. Each has the set of the range's ports that
 * are taken towards it, and its TIME-WAITs in the order in which they may be taken over.
 *
 * The demux keeps them true as flows come and go; space's connect makes them and asks them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "port/ephemeral.h"
#include "port/table.h"
#include "reeve/address.h"

struct port_flow;
struct port_wait;
struct waits;

struct destination {
	struct list node;
	struct reeve_address local_address, remote_address;
	uint16_t remote_port;
	uint32_t scanned; /* the next port whose older flows are to be entered; 65536: complete */
	const struct ephemeral *range;
	struct ephemeral_set taken;
	uint32_t oldest; /* recyclable TIME-WAITs, a ring of their `queue` */
};

struct destinations {
	struct port_table table;
	struct list all;
	struct destination *recent; /* found last, or NULL */
};

void destinations_init(struct destinations *d);
void destinations_deinit(struct destinations *d);

struct destination *destinations_find(struct destinations *d, const struct hash_key *key,
				      const struct port_flow *like);

/* `range` must outlive the flows. NULL: no memory. */
struct destination *destinations_add(struct destinations *d, const struct hash_key *key,
				     const struct port_flow *like, const struct ephemeral *range);

/* A flow has come, gone, left a TIME-WAIT. */
void destinations_flow_added(struct destinations *d, const struct hash_key *key,
			     struct port_flow *f);
void destinations_flow_removed(struct destinations *d, const struct hash_key *key,
			       const struct waits *waits, const struct port_flow *f);
void destinations_flow_retired(struct destinations *d, const struct hash_key *key,
			       const struct port_flow *f, const struct waits *waits,
			       struct port_wait *w);

/* A TIME-WAIT is about to go; has begun anew. */
void destinations_wait_removed(struct destinations *d, const struct hash_key *key,
			       const struct waits *waits, struct port_wait *w);
void destinations_wait_renewed(struct destinations *d, const struct hash_key *key,
			       const struct waits *waits, struct port_wait *w);

static inline bool destination_is_complete(const struct destination *d)
{
	return d->scanned > d->range->last;
}

/* Enters what was found at the port `scanned`, a flow, a TIME-WAIT (else NULL) or nothing, and goes
 * on to the next. */
void destination_enter(struct destination *d, bool is_taken, const struct waits *waits,
		       struct port_wait *found);
