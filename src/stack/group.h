/*
 * The multicast groups that the host is a member of, on which interface (RFC 1112; RFC 3376), and
 * what routers and switches on the links are told of it. All hosts' group, 224.0.0.1, is joined
 * everywhere, always, and never spoken of.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "stack/host_private.h"
#include "stack/ip.h"

#define GROUP_MAX 1024 /* memberships of a host */

struct group_table *group_table_new(struct reeve_host *host); /* NULL: no memory */
struct group_table *group_table_free(struct reeve_host *host, struct group_table *t);

/* Held by one more. 0 or -ENOBUFS. */
int group_join(struct reeve_host *host, unsigned iface, uint32_t address);

/* Held by one less; it must have been joined. */
void group_leave(struct reeve_host *host, unsigned iface, uint32_t address);

bool group_has(const struct reeve_host *host, unsigned iface, uint32_t address);

/* An IGMP message. */
void group_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		      const struct ip_received *how);

void group_timer_fired(struct reeve_host *host, struct timer *timer);

/* Records now, for tests of bounds. */
uint32_t group_count(const struct reeve_host *host);
