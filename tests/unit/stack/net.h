/*
 * Two hosts on one wire, in virtual time: 192.0.2.1 and 192.0.2.2, and frames made by hand.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reeve/reeve.h"

struct net {
	struct reeve_pool *pool;
	struct reeve_host *hosts[2];
	unsigned ifaces[2];
	struct reeve_time now;
	uint32_t mtu, offloads;
	uint32_t carried; /* frames */
	bool cut;         /* the wire: frames are lost */
};

/* What differs from the usual is set in *n before. */
void net_init(struct net *n);
void net_deinit(struct net *n); /* the pool checks that nothing is left */

struct reeve_host *net_host_new(struct net *n, uint8_t seed);
unsigned net_add_iface(const struct net *n, struct reeve_host *host, uint8_t mac);

/* Carries frames until both hosts are silent, without time passing. */
void net_settle(struct net *n);

/* Lets time pass, ticking when the hosts ask for it, and carries what they send. */
void net_pass_ms(struct net *n, int64_t ms);

struct reeve_address net_address(const char *text);
struct reeve_sockaddr net_name(const char *text, uint16_t port);
struct reeve_prefix net_prefix(const char *text);

uint64_t net_drops(const struct reeve_host *host);
uint64_t net_drop(const struct reeve_host *host, enum reeve_drop reason);
struct reeve_host_stats net_stats(const struct reeve_host *host);

/* Gives the host a frame. */
void net_input(struct net *n, unsigned host, const void *bytes, size_t length);

/* The next frame that the host sends, as bytes; 0 when there is none. */
size_t net_output(struct net *n, unsigned host, uint8_t *bytes, size_t size);

/* The MAC address of a host made with this number. */
void net_mac(uint8_t number, uint8_t ret[6]);
