/*
 * The IPv4 header (RFC 791, 3.1).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

#define IPV4_HEADER     20
#define IPV4_HEADER_MAX 60
#define IPV4_PACKET_MAX 65535

struct ipv4_header {
	uint8_t header_length; /* bytes, options included */
	uint8_t tos, ttl, protocol;
	uint16_t total_length;
	uint16_t id;
	bool reserved_flag; /* must be 0, but nothing follows from it (RFC 791; RFC 3514 jests) */
	bool dont_fragment, more_fragments;
	uint16_t fragment_offset; /* bytes */
	uint16_t checksum;
	uint32_t source, destination;
	uint8_t options[IPV4_HEADER_MAX - IPV4_HEADER]; /* header_length - 20 bytes of them */
};

enum ipv4_fault {
	IPV4_OK,
	IPV4_SHORT,   /* bytes end within the header */
	IPV4_VERSION, /* not 4 */
	IPV4_LENGTH,  /* header length below 20, or total length below header length */
};

/* Reads the header; does not look at the checksum, nor at whether total_length bytes are there.
 * *ret is untouched unless IPV4_OK. */
enum ipv4_fault ipv4_parse(struct cursor *c, struct ipv4_header *ret);

/* Whether the sum over the header's bytes is right (RFC 1071). */
bool ipv4_checksum_ok(const uint8_t *bytes, size_t header_length);

/* Writes header_length bytes, the checksum computed. */
void ipv4_emit(const struct ipv4_header *h, uint8_t *bytes);

enum ipv4_option {
	IPV4_OPTION_END = 0,
	IPV4_OPTION_NOP = 1,
	IPV4_OPTION_RECORD_ROUTE = 7,
	IPV4_OPTION_TIMESTAMP = 68,
	IPV4_OPTION_LOOSE_ROUTE = 131,
	IPV4_OPTION_STRICT_ROUTE = 137,
};

/* Whether the options are well-formed (each within the header, pointers within their option, none
 * of those twice that may come once) and hold no source route (RFC 7126, 4.3 and 4.4). Unknown ones
 * are passed over by their length (RFC 1122, 3.2.1.8). */
bool ipv4_options_ok(const uint8_t *options, size_t length);
