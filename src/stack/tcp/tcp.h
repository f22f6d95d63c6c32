/*
 * TCP as the host knows it: one tcp_host a host, made with it and freed with it.
 */
#pragma once

#include "base/timers.h"
#include "stack/icmp.h"
#include "stack/ip.h"

struct tcp_host;

#define TCP_RECEIVE_MOST (UINT32_C(64) << 20)           /* of reeve_host_config */
struct tcp_host *tcp_host_new(struct reeve_host *host); /* NULL: no memory */
struct tcp_host *tcp_host_free(struct tcp_host *t);     /* with all its sockets, silently */

void tcp_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		    const struct ip_received *how);
/* False when it is about nothing that is in flight. */
bool tcp_icmp_error(struct reeve_host *host, const struct icmp_error *e);

/* The host is about to give the address up: its connections are reset. */
void tcp_address_lost(struct reeve_host *host, const struct reeve_address *address);

void tcp_timer_fired(struct reeve_host *host, struct timer *timer);

/* Turns what the sockets have marked as work into segments (ip_send_take). Bounded work a call;
 * true when there is more. */
bool tcp_flush(struct reeve_host *host);

bool tcp_has_work(const struct reeve_host *host);

bool tcp_next_socket(const struct reeve_host *host, uint64_t *cursor,
		     struct reeve_socket_info *ret);
uint32_t tcp_lingering(const struct reeve_host *host);
