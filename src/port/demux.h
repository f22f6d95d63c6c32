/*
 * Demultiplexing: which socket a packet belongs to. One table a host and protocol.
 *
 * The order is exact flow, then listener at (address, port), then listener at (any, port); among
 * wildcards 0.0.0.0 comes before a dual-stack :: for IPv4 (as in Linux's compute_score()). What
 * finds nothing here is the caller's to intercept or to refuse.
 *
 * Both tables are open addressing over SipHash with a key of their own, and grow step by step: no
 * call ever rehashes more than a few slots. Entries are embedded in what they stand for; the table
 * holds pointers, never owns.
 *
 * TIME-WAITs are in a table of their own (see wait.h), which is asked when there is no flow, and
 * which owns them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "port/wait.h"
#include "reeve/address.h"
#include "reeve/time.h"

/* A connection, or a connected UDP socket. */
struct port_flow {
	struct reeve_address local_address, remote_address;
	uint16_t local_port, remote_port;
	uint8_t kind;                    /* the owner's */
	struct port_flow *older, *newer; /* the demux's: UDP's of the same four-tuple */
};

/* A listening TCP or a bound, unconnected UDP socket. */
struct port_listener {
	struct list node; /* the others at the same address and port */
	struct reeve_address address;
	uint16_t port;
	bool ipv6;      /* an AF_INET6 socket's: at the same IPv4 address an AF_INET one is found */
	bool ipv6_only; /* of a :: listener */
	bool reuse_port; /* shares its flows with the others of its group */
	uint32_t share;  /* the demux's */
};

struct port_demux;
struct destinations;

struct port_demux_config {
	struct hash_key key;
	uint32_t max_flows, max_listeners; /* a TIME-WAIT counts as a flow */
	size_t wait_size; /* of a TIME-WAIT's record, which begins with the port_wait; 0: no more */
	bool duplicate_flows; /* UDP: the newest of equal four-tuples is found */
};

struct port_demux *port_demux_new(const struct port_demux_config *config); /* NULL: no memory */
struct port_demux *port_demux_free(struct port_demux *d);                  /* must be empty */

/* -EADDRINUSE: the four-tuple is there; -ENOBUFS: at the limit; -ENOMEM. */
int port_demux_add_flow(struct port_demux *d, struct port_flow *f);
void port_demux_remove_flow(struct port_demux *d, struct port_flow *f);

/* The flow ends and leaves a TIME-WAIT, until that is removed. NULL: no memory, and it stays. */
struct port_wait *port_demux_retire_flow(struct port_demux *d, struct port_flow *f,
					 bool is_recyclable, struct reeve_time now);
void port_demux_remove_wait(struct port_demux *d, struct port_wait *w);
void port_demux_renew_wait(struct port_demux *d, struct port_wait *w, struct reeve_time now);
struct port_wait *port_demux_find_wait(const struct port_demux *d,
				       const struct reeve_sockaddr *local,
				       const struct reeve_sockaddr *remote);
const struct waits *port_demux_waits(const struct port_demux *d);

/* The one that began first; NULL: there is none. */
struct port_wait *port_demux_oldest_wait(const struct port_demux *d);

/* `f` takes the place of `old`, the same four-tuple. Never with duplicate_flows. */
void port_demux_replace_flow(struct port_demux *d, struct port_flow *old, struct port_flow *f);
struct port_flow *port_demux_find_flow(const struct port_demux *d,
				       const struct reeve_sockaddr *local,
				       const struct reeve_sockaddr *remote);

/* Several at one address and port are allowed here (space decides about conflicts): with
 * reuse_port a flow's hash chooses among the group, else the last added is found. */
int port_demux_add_listener(struct port_demux *d, struct port_listener *l);
void port_demux_remove_listener(struct port_demux *d, struct port_listener *l);
struct port_listener *port_demux_find_listener(const struct port_demux *d,
					       const struct reeve_sockaddr *local,
					       const struct reeve_sockaddr *remote);

/* Every listener that would take a datagram to `local` (broadcast and multicast go to all of
 * them): start with NULL; NULL after the last. */
struct port_listener *port_demux_next_match(const struct port_demux *d,
					    const struct reeve_sockaddr *local,
					    const struct port_listener *previous);

/* Flows, TIME-WAITs and listeners in all. */
uint32_t port_demux_flow_count(const struct port_demux *d);
uint32_t port_demux_wait_count(const struct port_demux *d);
uint32_t port_demux_listener_count(const struct port_demux *d);

/* For one who looks first and then adds, with one hash for both. What is added must be absent. */
uint64_t port_demux_hash(const struct port_demux *d, const struct port_flow *like);
struct port_flow *port_demux_look(const struct port_demux *d, const struct port_flow *like,
				  uint64_t hash);
int port_demux_add_absent(struct port_demux *d, struct port_flow *f, uint64_t hash);
struct port_wait *port_demux_look_wait(const struct port_demux *d, const struct port_flow *like);

bool port_demux_has_duplicates(const struct port_demux *d);

/* For connect's choice of a port: the crowded destinations, and the key they are hashed with. */
struct destinations *port_demux_destinations(struct port_demux *d);
const struct hash_key *port_demux_key(const struct port_demux *d);

/* Walks the table for listings; see reeve_host_next_socket(). NULL after the last. */
struct port_flow *port_demux_next_flow(const struct port_demux *d, uint64_t *cursor);
struct port_wait *port_demux_next_wait(const struct port_demux *d, uint64_t *cursor);
