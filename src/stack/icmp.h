/*
 * ICMPv4 (RFC 792, RFC 1122, 3.2.2; RFC 1812, 4.3.2.8 for the rate): echo, and errors both ways.
 */
#pragma once

#include <stdint.h>

#include "stack/ip.h"

/* What an ICMP error says about a packet of ours. The transports match it against their flows and
 * believe it as RFC 5927 says. */
struct icmp_error {
	struct reeve_sockaddr local, remote; /* of the packet that it is about */
	uint8_t protocol;                    /* enum ip_protocol */
	uint8_t type, code;
	int error;    /* the errno for it: ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ... (positive) */
	bool hard;    /* RFC 1122, 4.2.3.9: ends a connection attempt */
	uint32_t mtu; /* of the next hop with EMSGSIZE (RFC 1191), 0 if not said */
	uint32_t sequence; /* TCP: the sequence number of the segment that it is about */
};

void icmp_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		     const struct ip_received *how);

/* Answers a received packet (as the transports get it) with an error, unless RFC 1122, 3.2.2
 * forbids it or the limit is reached; counts the packet as `reason` and frees it. */
void icmp_refuse_take(struct reeve_host *host, struct reeve_packet *p_take,
		      const struct ip_received *how, uint8_t type, uint8_t code,
		      enum reeve_drop reason);
