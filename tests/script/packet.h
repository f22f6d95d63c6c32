/*
 * A script's packet and the one on the wire: made of each other by a flow's numbers, printed as a
 * script would have it, compared.
 */
#pragma once

#include "flow.h"
#include "world.h"

/* The bytes of the TCP segment or ICMP error, in `bytes`; how many, or 0 and a fault. */
#define PACKET_BYTES 65535
size_t packet_encode(const struct script_packet *p, const struct flow *f,
		     const struct script_settings *settings, uint8_t *ret_bytes,
		     const char **ret_fault);

/* What the host has sent, in the script's numbers; a SYN of the host's makes the flow known,
 * against what is expected. False: not of a kind that is known. */
bool packet_decode(const struct sent *s, struct flow *f, const struct script_packet *expected,
		   struct script_packet *ret);

/* The first difference from what is expected, or NULL. Timestamps may differ by so many ticks; when
 * that is negative, by any. */
const char *packet_difference(const struct script_packet *expected, const struct script_packet *got,
			      int64_t ticks);

/* Whether two segments of one flow differ in nothing but their place, payload, and flags. */
bool packet_is_like(const struct script_packet *a, const struct script_packet *b);

/* As a script has it. Returns `text`. */
#define PACKET_TEXT 200
char *packet_format(const struct script_packet *p, char text[PACKET_TEXT]);
