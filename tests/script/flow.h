/*
 * The connection that a script speaks of: its ports, and how the script's numbers lie to those on
 * the wire. The peer's own numbers are the script's; those of the host are moved by what its SYN
 * began with.
 */
#pragma once

#include "script.h"

#define FLOW_TIMESTAMPS 64

struct flow {
	uint16_t host_port, peer_port;
	bool is_known;   /* the host has sent its SYN */
	bool is_closed;  /* its descriptor was closed */
	uint32_t offset; /* of the host's sequence numbers: wire less script */
	bool has_peer_start;
	uint32_t peer_start;      /* the peer's SYN */
	uint32_t peer_syn_length; /* bytes of data in its first SYN */
	uint32_t sent;            /* the sequence number that the host has sent last, on the wire */
	bool has_timestamp;
	uint32_t first_script, first_wire; /* timestamps: the first pair */
	unsigned pairs;                    /* so many were seen */
	uint32_t script[FLOW_TIMESTAMPS], wire[FLOW_TIMESTAMPS];
};

/* The host has sent a timestamp for which the script says something else. */
void flow_note_timestamp(struct flow *f, uint32_t script, uint32_t wire);

/* What the peer must echo so that the host sees the timestamp that the script speaks of. */
uint32_t flow_wire_timestamp(const struct flow *f, uint32_t script);

/* The bytes of streams: what stands at a position, counted from 1 behind the SYN. */
void flow_content(uint32_t position, uint8_t *bytes, size_t length);
bool flow_is_content(uint32_t position, const uint8_t *bytes, size_t length);
