/*
 * Interfaces and their addresses: what the host is called on which link, the queue of frames that
 * wait to be sent, and the counters. Interface 0 is lo: it has no link, no queue of its own, and
 * nobody but the host itself ever sees its packets.
 */
#pragma once

#include "stack/host_private.h"
#include "wire/ether.h"

#define IFACE_LO        0
#define IFACE_MAX       16
#define IFACE_ADDRESSES 64 /* of all interfaces */

/* lo's: an IPv6 packet of one page over 64 KiB fits, an IPv4 one ends at 65,535 by its header. */
#define IFACE_LO_MTU 65536

struct iface_address {
	struct reeve_prefix prefix;
	unsigned iface;
	/* The rest is conflict.c's (RFC 5227). */
	uint8_t state;      /* enum reeve_address_state; iface_address_become() */
	uint8_t left;       /* probes or, when usable, announcements still to be sent */
	bool yields, quiet; /* REEVE_ADDRESS_YIELD, _QUIET */
	uint8_t conflict_mac[ETHER_ADDRESS];
	uint32_t conflicts;
	struct timer timer;             /* for the next of those that are left */
	struct reeve_time not_defended; /* until then: the last defence was just now (2.4) */
};

/* What limits the probing on an interface (RFC 5227, 2.1.1). */
struct iface_probing {
	uint32_t failures; /* addresses that another station had, or took */
	struct reeve_time last;
};

/* What an IPv4 address is to the host. */
enum iface_relation {
	IFACE_FOREIGN,
	IFACE_OWN,
	IFACE_BROADCAST, /* of a network that the host is on */
};

struct iface_table *iface_table_new(void);
struct iface_table *iface_table_free(struct iface_table *t);

/* The counters and facts; the index must be one that was given out. */
struct reeve_iface_info *iface_info(const struct reeve_host *host, unsigned iface);
unsigned iface_count(const struct reeve_host *host);
bool iface_exists(const struct reeve_host *host, unsigned iface);

enum iface_relation iface_relation_of(const struct reeve_host *host, uint32_t address,
				      unsigned *ret_iface);

/* ::1, and what else of IPv6 was given to lo: few, and looked through. */
bool iface_is_own_ipv6(const struct reeve_host *host, const struct reeve_address *a);

/* The interface's address for packets to `next_hop`: that of the network it is in, else the first.
 * False when it has none. */
bool iface_source(const struct reeve_host *host, unsigned iface, uint32_t next_hop,
		  uint32_t *ret_address);

/* Whether `address` lies in one of the interface's networks. */
bool iface_on_link(const struct reeve_host *host, unsigned iface, uint32_t address);

/* The record of an address on this interface, whatever its state, or NULL. */
struct iface_address *iface_find(struct reeve_host *host, unsigned iface, uint32_t address);

/* The same of a usable one. */
bool iface_owns(struct reeve_host *host, unsigned iface, uint32_t address);

void iface_address_become(struct reeve_host *host, struct iface_address *a,
			  enum reeve_address_state state);

/* Whether it is one of those that are tentative or have failed: nothing leaves from them. */
bool iface_is_unusable(const struct reeve_host *host, const struct reeve_address *address);

struct iface_probing *iface_probing(struct reeve_host *host, unsigned iface);

/* Puts the Ethernet header in front and queues the frame. 0 or -ENOBUFS (dropped, counted). */
int iface_send_take(struct reeve_host *host, unsigned iface, struct reeve_packet *p_take,
		    const uint8_t destination[ETHER_ADDRESS], uint16_t type);

/* How many frames more the interface's queue (lo: packets that go round inside) takes: TCP waits
 * rather than lose its own segments. */
uint32_t iface_room(const struct reeve_host *host, unsigned iface);

/* Whether the queue is more than half full: what only answers strangers leaves the rest to others. */
bool iface_is_crowded(const struct reeve_host *host, unsigned iface);

/* The next frame of any interface, each in its turn; NULL when all queues are empty. */
struct reeve_packet *iface_output(struct reeve_host *host, unsigned *ret_iface);
bool iface_has_output(const struct reeve_host *host);
