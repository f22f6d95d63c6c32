/*
 * UDP as the host knows it: one udp_host a host, made with it and freed with it.
 */
#pragma once

#include "stack/icmp.h"
#include "stack/ip.h"

struct udp_host;

/* NULL: no memory. `is_echo`: for echo sockets. */
struct udp_host *udp_host_new(struct reeve_host *host, bool is_echo);
struct udp_host *udp_host_free(struct udp_host *u); /* with all its sockets */

void udp_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		    const struct ip_received *how);

/* False when no socket of ours sends there. */
bool udp_icmp_error(struct reeve_host *host, const struct icmp_error *e);

/* The same for echo sockets: an echo reply, its ICMP header in front; an error about a request with
 * that identifier. */
bool udp_echo_input(struct reeve_host *host, const struct reeve_packet *p,
		    const struct ip_received *how, uint16_t identifier);
bool udp_echo_error(struct reeve_host *host, const struct icmp_error *e, uint16_t identifier);

bool udp_next_socket(const struct reeve_host *host, uint64_t *cursor,
		     struct reeve_socket_info *ret);
