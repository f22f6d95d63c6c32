/*
 * Reassembly of IPv4 fragments (RFC 791, 3.2; RFC 815), with hard limits: fragments are what a
 * stranger can make a host keep.
 */
#pragma once

#include "stack/host_private.h"
#include "stack/ip.h"
#include "wire/ipv4.h"

#define FRAGMENT_TIMER_DATAGRAM (HOST_TIMER_FRAGMENT + 0)

#define FRAGMENT_DATAGRAMS          256 /* unfinished ones of a host */
#define FRAGMENT_DATAGRAMS_A_SOURCE 16
#define FRAGMENT_PIECES             256                 /* of one datagram */
#define FRAGMENT_MEMORY             (UINT32_C(4) << 20) /* bytes, everything counted */
#define FRAGMENT_MEMORY_A_SOURCE    (UINT32_C(1) << 20)
#define FRAGMENT_TIMEOUT_MS         30000

struct fragment_table *fragment_table_new(struct reeve_host *host); /* NULL: no memory */
struct fragment_table *fragment_table_free(struct reeve_host *host, struct fragment_table *t);

/*
 * Takes a fragment, its IP header in front. Gives the whole datagram when this was the last piece
 * missing, with the first fragment's IP header in front, and in *h that header, total_length set to
 * the whole; else NULL, and *h is untouched.
 */
struct reeve_packet *fragment_input_take(struct reeve_host *host, struct reeve_packet *p_take,
					 const struct ip_received *how, struct ipv4_header *h);

void fragment_timer_fired(struct reeve_host *host, struct timer *timer);

/* What is kept now, for tests of the limits: fragments, and the bytes charged for them. */
uint32_t fragment_count(const struct reeve_host *host);
uint32_t fragment_memory(const struct reeve_host *host);
