/*
 * TIME-WAITs: what is left of flows that have ended, by its name and in the order of its end. There
 * can be a million of them, so each is one small record with what its owner has put behind it.
 *
 * The table is the demux's part (see demux.h), which is who adds, finds and removes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/chains.h"
#include "base/hash.h"
#include "base/records.h"
#include "base/ring.h"
#include "base/slab.h"
#include "reeve/address.h"
#include "reeve/time.h"

#define PORT_WAIT_RECYCLE_MS 1000 /* then connect() may take it over (RFC 6191, 2) */

struct port_flow;

/* The addresses of one that is not IPv4's. */
struct port_wait_pair {
	struct reeve_address local, remote;
};

struct port_wait {
	union {
		struct {
			uint8_t local[4], remote[4];
		} ipv4;
		struct port_wait_pair *ipv6;
	};
	uint16_t local_port, remote_port;
	uint32_t since;         /* when it began, or began anew: wait_tick_after() */
	uint32_t next;          /* in its chain */
	struct ring_link age;   /* among all */
	struct ring_link queue; /* in its destination's queue, if it is in one */
	uint16_t answered;      /* the owner's: when it has answered last, 0 at first */
	uint8_t hold;           /* the owner's: for port_space_end_wait() */
	bool is_ipv6 : 1;
	bool is_recyclable : 1; /* connect() may take it over when it is old enough */
	bool is_replaced : 1;   /* a new flow has its name already */
};

struct waits {
	struct hash_key key;
	struct records records;
	struct slab pairs;
	struct chains names;
	struct rings ages, queues;
	uint32_t oldest;
};

/* Milliseconds, which come round after 49 days: only differences mean anything. Whatever lasts from
 * a tick after its beginning to a tick before its end is never cut short. */
static inline uint32_t wait_tick_before(struct reeve_time t)
{
	return (uint32_t)(t.ns / REEVE_NS_PER_MS);
}

static inline uint32_t wait_tick_after(struct reeve_time t)
{
	return (uint32_t)((t.ns + REEVE_NS_PER_MS - 1) / REEVE_NS_PER_MS);
}

/* Since when it waits, 0 if that is to come. */
static inline uint32_t wait_age_ms(const struct port_wait *w, struct reeve_time now)
{
	const int32_t age = (int32_t)(wait_tick_before(now) - w->since);

	return age > 0 ? (uint32_t)age : 0;
}

void waits_init(struct waits *t, const struct hash_key *key, size_t record_size);
void waits_deinit(struct waits *t); /* must be empty */

/* Of this flow's name, as the newest. NULL: no memory. */
struct port_wait *waits_add(struct waits *t, const struct port_flow *f, struct reeve_time now);
void waits_remove(struct waits *t, struct port_wait *w);
void waits_renew(struct waits *t, struct port_wait *w, struct reeve_time now);
struct port_wait *waits_find(const struct waits *t, const struct reeve_sockaddr *local,
			     const struct reeve_sockaddr *remote);

struct port_wait *waits_at(const struct waits *t, uint32_t number); /* NULL of 0 */
uint32_t waits_number(const struct waits *t, const struct port_wait *w);
uint32_t waits_count(const struct waits *t);

/* The addresses and ports; all else is zero. */
struct port_flow waits_name(const struct port_wait *w);

/* One after the other from cursor 0; NULL after the last. What is added or removed meanwhile may
 * make others be missed, or be seen twice. */
struct port_wait *waits_walk(const struct waits *t, uint64_t *cursor);
