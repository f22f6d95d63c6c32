/*
 * Neighbours: the stations on the links, found by ARP (RFC 826, RFC 1122, 2.3.2).
 */
#pragma once

#include "stack/host_private.h"
#include "stack/iface.h"
#include "wire/arp.h"

#define NEIGHBOUR_TIMER_ENTRY HOST_TIMER_NEIGHBOUR

#define NEIGHBOUR_MAX       1024 /* entries of a host */
#define NEIGHBOUR_QUEUE_MAX 128  /* packets that wait for one: a datagram may be as many */

struct neighbour_table *neighbour_table_new(struct reeve_host *host); /* NULL: no memory */
struct neighbour_table *neighbour_table_free(struct reeve_host *host, struct neighbour_table *t);

/* An IPv4 packet to a station on the link: sent at once, or when the station has answered. 0 or
 * -ENOBUFS (dropped, counted). */
int neighbour_send_take(struct reeve_host *host, unsigned iface, uint32_t next_hop,
			struct reeve_packet *p_take);

/* An ARP packet, its Ethernet header gone. */
void neighbour_input_take(struct reeve_host *host, unsigned iface, struct reeve_packet *p_take);

/* False when it is not sent: no memory, or no room (counted). */
bool neighbour_send_arp(struct reeve_host *host, unsigned iface, const struct arp_packet *a,
			const uint8_t destination[ETHER_ADDRESS]);

void neighbour_timer_fired(struct reeve_host *host, struct timer *timer);

/* Entries now, for tests of bounds. */
uint32_t neighbour_count(const struct reeve_host *host);
