/*
 * The UDP header (RFC 768).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

#define UDP_HEADER          8
#define UDP_CHECKSUM_OFFSET 6

struct udp_header {
	uint16_t source, destination;
	uint16_t length;   /* with the header */
	uint16_t checksum; /* 0: none was computed */
};

/* False when too short, or the length is less than the header's. Does not look at whether `length`
 * bytes are there. */
bool udp_parse(struct cursor *c, struct udp_header *ret);
void udp_emit(const struct udp_header *h, uint8_t bytes[UDP_HEADER]);
