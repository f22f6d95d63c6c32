/*
 * The port space of one host and protocol: all of 0..65535, who has which, and whether one more
 * may. The rules are Linux's (inet_csk_get_port, udp_lib_get_port), tested against it.
 *
 * A reservation is one object for one use of a port: embedded in the socket that it belongs to, in
 * one state at a time, released exactly once. A TIME-WAIT is held by a byte: its owner is of no
 * matter, so that those of one address and port can be told apart by how they share it alone.
 *
 *	bind ──> BOUND ──listen──> LISTENING
 *	           └────connect──> CONNECTED ──wait──> (none: a TIME-WAIT's hold)
 *	(fresh) ───────connect──> CONNECTED     (a port chosen for it: `implicit`)
 *	(accepted) ────inherit──> CONNECTED
 *
 * bind to port 0 is put off (`deferred`): it holds a unit of the range's capacity, so that the
 * choice made later by settle, listen or connect cannot fail for want of ports, while a connecting
 * socket may still use any port that is free towards its destination.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "port/demux.h"
#include "port/wait.h"
#include "reeve/address.h"
#include "reeve/time.h"

enum port_protocol {
	PORT_TCP,
	PORT_UDP,
};

enum port_state {
	PORT_NONE, /* reserves nothing */
	PORT_BOUND,
	PORT_LISTENING,
	PORT_CONNECTED,
	PORT_TIME_WAIT, /* of a hold: the space's own */
};

/* The flags are the owner's to set while the state allows it; the rest is the space's. Linux
 * compares the flags as they are at the time of the later bind, so setting SO_REUSEADDR after bind
 * counts: change flags only through port_space_set_reuse(). */
struct port_reservation {
	uint32_t use;  /* the space's: what of the port this counts in, by number; 0: nothing */
	uint32_t home; /* the space's: the wildcard's, while connected from it */
	struct reeve_address address;
	uint32_t owner;    /* uid */
	uint16_t port;     /* 0: none yet */
	uint8_t state : 4; /* enum port_state */
	uint8_t class : 4; /* the space's */
	bool ipv6 : 1;     /* an AF_INET6 socket's */
	bool ipv6_only : 1;
	bool reuse_address : 1;
	bool reuse_port : 1;
	bool deferred : 1; /* bound to port 0, and settle has not chosen one */
	bool implicit : 1; /* chosen by connect */
	bool any_ipv4 : 1; /* the space's: the wildcard that it was bound to */
	bool any_ipv6 : 1;
};

struct port_space;

struct port_space_config {
	enum port_protocol protocol;
	uint8_t seed[32];
	uint16_t ephemeral_first, ephemeral_last; /* inclusive, from 1024 up */
	bool avoid_registered;                    /* ports of registered services are not chosen */
};

struct port_space *port_space_new(const struct port_space_config *config); /* NULL: no memory */
struct port_space *port_space_free(struct port_space *s);                  /* must be empty */

void port_reservation_init(struct port_reservation *r, bool ipv6);

/* Port 0: deferred; when every free port is promised to deferred ones already, one that is taken
 * only at other addresses is chosen at once. -EADDRINUSE, -EINVAL (not PORT_NONE, or an IPv4
 * address and ipv6_only), -ENOMEM. */
int port_space_bind(struct port_space *s, struct port_reservation *r,
		    const struct reeve_address *address, uint16_t port);

/* Chooses a deferred port now (getsockname, listen). 0 when there is nothing to choose. */
int port_space_settle(struct port_space *s, struct port_reservation *r);

/* BOUND (settled if need be) or NONE (bound to the wildcard and an ephemeral port first) to
 * LISTENING: another listener may be in the way. -EADDRINUSE. */
int port_space_listen(struct port_space *s, struct port_reservation *r);

/* Back from LISTENING to BOUND. */
void port_space_unlisten(struct port_space *s, struct port_reservation *r);

/*
 * NONE or BOUND to CONNECTED: `flow` holds the local address and the remote name; its local port
 * is the reservation's, or chosen here at random among those free for this destination, and then
 * the flow is in `demux`. From CONNECTED, for a UDP socket that names another peer (its flow has
 * left the demux): it keeps its port if it can. A TIME-WAIT that may be taken over at `now` has its
 * name taken and is given back in *ret_replaced for its owner to end; else that is NULL.
 * -EADDRNOTAVAIL: no port left for this destination, or the four-tuple of a bound port is taken
 * (Linux's errno for both); -ENOBUFS, -ENOMEM. On failure nothing has changed.
 */
int port_space_connect(struct port_space *s, struct port_reservation *r, struct port_demux *demux,
		       struct port_flow *flow, struct reeve_time now,
		       struct port_wait **ret_replaced);

/* CONNECTED back to BOUND (UDP disconnect, a failed connect) or, if implicit, to NONE. What was
 * bound to port 0 is deferred again, or NONE if no capacity is left; as in Linux, a port that
 * connect chose is given back. The flow must have left the demux. */
void port_space_disconnect(struct port_space *s, struct port_reservation *r);

/* NONE to CONNECTED, for a connection that the listener has accepted. -ENOMEM. */
int port_space_inherit(struct port_space *s, struct port_reservation *child,
		       const struct port_reservation *listener,
		       const struct reeve_address *address);

/* CONNECTED to NONE; what is in *ret_hold keeps the port at the address as a TIME-WAIT, until it is
 * ended with both. -ENOMEM: nothing has changed. */
int port_space_wait(struct port_space *s, struct port_reservation *r, uint8_t *ret_hold);
void port_space_end_wait(struct port_space *s, const struct reeve_address *address, uint16_t port,
			 uint8_t hold);

/* The reservation passes from one object to another: `to` must be NONE and becomes `state`; `from`
 * becomes NONE. Cannot fail. */
void port_space_move(struct port_space *s, struct port_reservation *from,
		     struct port_reservation *to, enum port_state state);

/* To NONE, from any state; harmless on NONE. */
void port_space_release(struct port_space *s, struct port_reservation *r);

void port_space_set_reuse(struct port_space *s, struct port_reservation *r, bool reuse_address,
			  bool reuse_port);

/* Reservations and holds in all, for tests of leaks. */
uint32_t port_space_count(const struct port_space *s);

/* Ports, words of bitmaps and TIME-WAITs that choices have looked at, for tests of their cost. */
uint64_t port_space_steps(const struct port_space *s);
