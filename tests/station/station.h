/*
 * The other station on the wire of a host under test: it answers the host's questions for
 * neighbours' addresses, whichever they are, and puts packets into frames and takes them out. What
 * the packets say is the test's affair.
 */
#pragma once

#include "reeve/host.h"
#include "wire/ipv4.h"

#define STATION_FRAME (65535 + 14)

struct station {
	struct reeve_pool *pool;
	struct reeve_host *host;
	unsigned iface;
	uint8_t host_mac[6], mac[6];
	uint32_t host_address; /* its address, for which the station does not answer */
	uint8_t frame[STATION_FRAME];
};

/* Brings the packet to the host: the header's lengths are filled in. False when the pool refuses. */
bool station_send(struct station *s, const struct ipv4_header *ip, const uint8_t *body,
		  size_t length, struct reeve_time now);

/* A packet of the host's. The body is valid until the next frame is read. */
struct station_packet {
	struct ipv4_header ip;
	const uint8_t *body;
	size_t length;
	struct reeve_offload offload;
};

enum station_frame {
	STATION_ANSWERED, /* a question for an address; or an announcement */
	STATION_PACKET,
	STATION_WRONG, /* no frame that a host may send */
};

enum station_frame station_read(struct station *s, struct reeve_packet *frame_take,
				struct reeve_time now, struct station_packet *ret);

/* Whether a transport header's checksum is right, if it is to be by now. */
bool station_checksum_ok(const struct station_packet *p);

/* Fills it in, at `offset` of the body of a packet with this header; ICMP's has no pseudo-header. */
void station_fill_checksum(const struct ipv4_header *ip, uint8_t *body, size_t length,
			   size_t offset);
