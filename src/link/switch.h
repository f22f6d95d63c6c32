/*
 * A learning Ethernet switch (IEEE 802.1D without spanning tree): frames to a known station go to
 * its port, all others to every port but the one they came from. Bounded queues a port, a bounded
 * table of stations with ageing.
 */
#pragma once

#include <stdbool.h>

#include "base/hash.h"
#include "link/link.h"

struct switch_;

struct switch_config {
	uint32_t max_ports;
	uint32_t max_stations;
	uint32_t queue_packets; /* a port */
	uint64_t queue_bytes;   /* a port */
	int64_t ageing_s;       /* 300 is the standard's */
	struct hash_key key;    /* secret: whoever sends frames chooses addresses */
};

struct switch_stats {
	uint64_t forwarded; /* to a known station */
	uint64_t flooded;   /* to all other ports */
	uint64_t filtered;  /* on the station's own port, or not for passing on */
	uint64_t malformed; /* too short */
	uint32_t stations;  /* known now */
};

struct switch_ *switch_new(const struct switch_config *config); /* NULL: no memory */
struct switch_ *switch_free(struct switch_ *s);                 /* all ports freed before */

/*
 * A port as a link: send into the switch, receive what it forwards there. Offloads and MTU hold for
 * both ways: what is received from the port is cut for them, and longer frames are dropped. `index`
 * is what switch_next_ready() gives, the lowest one free. -ENOSPC, -ENOMEM.
 */
int switch_add_port(struct switch_ *s, uint32_t mtu, uint32_t offloads, struct link **ret,
		    unsigned *ret_index);

/* A port for which frames have come in since it was last given out here; false when none has. So
 * the loop never walks all ports. */
bool switch_next_ready(struct switch_ *s, unsigned *ret_index);

void switch_stats(const struct switch_ *s, struct switch_stats *ret);
