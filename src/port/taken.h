/*
 * The ports of a space that are taken: by which addresses, by how many reservations of which kind,
 * and whether one more gets along with those. What the states mean, and when a port is taken or
 * given back, is space's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/chains.h"
#include "base/hash.h"
#include "base/records.h"
#include "base/ring.h"
#include "port/buckets.h"
#include "port/ephemeral.h"
#include "port/space.h"
#include "port/table.h"

struct local;

struct taken {
	struct hash_key key; /* of ports and addresses */
	struct ephemeral *range;
	/* Ports of the range that somebody has; that somebody asked for; that a wildcard has. */
	struct ephemeral_set used, bound, wild;
	struct buckets buckets;
	struct records uses;
	struct rings siblings; /* the uses of one port */
	struct chains crowded; /* uses by address and port, of ports that have many */
	struct port_table locals;
	struct local *recent; /* the local address looked for last, or NULL */
};

void taken_init(struct taken *t, struct ephemeral *range); /* which must outlive it */
void taken_deinit(struct taken *t);
bool taken_has(const struct taken *t, uint16_t port);

/* What is taken at a specific address by its own name, not through a wildcard; NULL: nothing. */
const struct ephemeral_set *taken_at(struct taken *t, const struct reeve_address *address);

/* Whether somebody at the port is in the way of `r` at `address`; itself it is not. */
bool taken_conflicts(const struct taken *t, const struct port_reservation *r,
		     const struct reeve_address *address, uint16_t port);

/* Enters a reservation, whose state and flags are set, at an address and port, and sets them.
 * -ENOMEM: nothing has changed. */
int taken_enter(struct taken *t, struct port_reservation *r, const struct reeve_address *address,
		uint16_t port);

/* For who has not kept it: makes `r`, its state and flags set, the reservation that was entered with
 * the same, or one that is as good. */
void taken_find(const struct taken *t, struct port_reservation *r,
		const struct reeve_address *address, uint16_t port);

/* Harmless on one that is not entered. */
void taken_leave(struct taken *t, struct port_reservation *r);

/* The state or flags of `r` have changed. */
void taken_recount(const struct taken *t, struct port_reservation *r);

/* `r` has left `from` for another address of the same port, and will go back. */
void taken_set_home(const struct taken *t, struct port_reservation *r,
		    const struct port_reservation *from);

/* From its address back to its home. */
void taken_go_home(struct taken *t, struct port_reservation *r);
