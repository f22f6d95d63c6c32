/*
 * The datagrams that wait in a UDP socket, with where they came from. Bounded by what keeping them
 * costs, not by the bytes that they carry: small datagrams hold on to whole buffers.
 */
#pragma once

#include <stdbool.h>

#include "base/packet.h"
#include "reeve/address.h"
#include "reeve/udp.h"
#include "stack/ip.h"

struct udp_waiting {
	struct reeve_packet *packet; /* the payload */
	struct reeve_sockaddr remote, local;
	unsigned iface;
	struct reeve_time arrived;
	uint32_t charge; /* the queue's */
	uint16_t
		header_length; /* of the IP header, in front of UDP's, which lies before the payload */
	uint8_t ttl, tos;
};

/* A ring that grows as it fills and is not there at all before the first datagram. */
struct udp_queue {
	struct udp_waiting *ring;
	uint32_t first, count, size;
	uint32_t charged, limit; /* bytes */
	uint32_t lost;           /* datagrams that did not fit */
};

void udp_queue_init(struct udp_queue *q, uint32_t limit);
void udp_queue_deinit(struct udp_queue *q); /* frees what is in it */

/* 0; or the packet is still the caller's: -ENOBUFS (full), -ENOMEM. As in Linux one datagram may go
 * over the limit, or a large one would never fit. */
int udp_queue_push(struct udp_queue *q, const struct udp_waiting *w);

/* The oldest, or NULL. */
const struct udp_waiting *udp_queue_first(const struct udp_queue *q);
void udp_queue_pop(struct udp_queue *q);

/* The oldest, out of the queue; its packet is the caller's. There must be one. */
struct udp_waiting udp_queue_take(struct udp_queue *q);

/* Payload bytes in all. */
uint64_t udp_queue_bytes(const struct udp_queue *q);
