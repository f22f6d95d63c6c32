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

	/* Who said so, and how it came; the packet with what is quoted, the transport header of which
	 * begins at `offset`. NULL when the host itself has found out. */
	const struct ip_received *how;
	const struct reeve_packet *packet;
	size_t offset;
};

void icmp_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		     const struct ip_received *how);

/* Answers a received packet (as the transports get it) with an error, unless RFC 1122, 3.2.2
 * forbids it or the limit is reached; counts the packet as `reason` and frees it. */
void icmp_refuse_take(struct reeve_host *host, struct reeve_packet *p_take,
		      const struct ip_received *how, uint8_t type, uint8_t code,
		      enum reeve_drop reason);

/* A packet of ours, its IPv4 header in front, that the neighbour will never get: tells its
 * transport EHOSTUNREACH, counts and frees it. */
void icmp_unreachable_take(struct reeve_host *host, struct reeve_packet *p_take);

struct icmp_host *icmp_host_new(struct reeve_host *host); /* NULL: no memory */
struct icmp_host *icmp_host_free(struct icmp_host *i);    /* with all echo sockets */

/* ping.c: an echo reply, its ICMP header in front, or an error about an echo request. False when no
 * socket of ours has sent such a request; nothing was taken then. */
bool ping_input(struct reeve_host *host, const struct reeve_packet *p,
		const struct ip_received *how, uint32_t rest);
bool ping_error(struct reeve_host *host, const struct icmp_error *e, uint32_t rest);

struct ping_table;

struct ping_table *ping_table_new(void); /* NULL: no memory */
struct ping_table *ping_table_free(struct ping_table *t);
struct ping_table *icmp_pings(const struct reeve_host *host);
