/*
 * Joining what TCP has cut: segments that have arrived together and continue one another become one
 * packet of up to 64 KiB with the fact of how long they were, as if the link had brought it so. All
 * above sees one packet instead of many.
 *
 * Theory of operation. The packet in the making is the first segment, to which the payload of each
 * next one is added by reference. Joined is only what says the same: all headers are equal but for
 * lengths, identification, checksums and the sequence number, which goes on exactly where the last
 * segment ended; so acknowledgments, windows, timestamps and marks of congestion are those of every
 * single segment. Neither one of them has a flag besides ACK, and PSH in the last; none is longer than
 * the first, and only the last is shorter. Each checksum is verified before: what is wrong goes its
 * own way, to be counted. The identification of what is no fragment says nothing (RFC 6864, 4.1).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "reeve/packet.h"

struct join {
	struct reeve_packet *packet; /* NULL: none */
	uint16_t payload;            /* its offset in the frame */
	uint32_t next;               /* the sequence number that goes on */
	uint32_t size;               /* of the first's payload */
	bool is_joined;              /* with one more at least */
	bool is_whole;               /* nothing may follow */
};

/* Whether others may join the frame, which is then held; what was held must have been taken. */
bool join_begin(struct join *j, struct reeve_packet *frame);

/* Whether the frame goes on where the held one ends: it is taken then, and its bytes are behind
 * those. */
bool join_add(struct join *j, struct reeve_packet *frame);

/* The frame that was held, with the headers and the facts of one packet; NULL when there is none. */
struct reeve_packet *join_take(struct join *j);
