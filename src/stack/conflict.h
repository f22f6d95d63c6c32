/*
 * Conflicts: two stations of a link with one IPv4 address (RFC 5227). Our addresses are asked for,
 * announced and defended here.
 */
#pragma once

#include "stack/host_private.h"
#include "stack/iface.h"
#include "wire/arp.h"

/* The address is new in its table. With REEVE_ADDRESS_PROBE it is asked for, else usable and
 * announced at once. */
void conflict_begin(struct reeve_host *host, struct iface_address *a, unsigned flags);

/* The address of ours that the packet claims for another station; NULL when there is none. */
struct iface_address *conflict_claimed(struct reeve_host *host, unsigned iface,
				       const struct arp_packet *arp);

/* What follows from that. False when the packet is but one of our own. */
bool conflict_heard(struct reeve_host *host, struct iface_address *a, const struct arp_packet *arp);

void conflict_timer_fired(struct reeve_host *host, struct timer *timer);
