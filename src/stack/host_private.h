/*
 * The inside of a host, for the files of stack/ only.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "base/packet.h"
#include "base/random.h"
#include "base/timers.h"
#include "reeve/host.h"

struct iface_table;
struct route_table;
struct neighbour_table;
struct fragment_table;
struct group_table;
struct icmp_host;
struct udp_host;
struct tcp_host;

#define HOST_LOOPBACK_PACKETS 1024 /* that may wait to be brought in again */

#define HOST_ID_COUNTERS 256

/* Which module a timer of the host belongs to: timer.kind is one of these plus the module's own
 * number, 0..15. */
enum host_timer {
	HOST_TIMER_TCP = 0x00,
	HOST_TIMER_NEIGHBOUR = 0x10,
	HOST_TIMER_FRAGMENT = 0x20,
	HOST_TIMER_ICMP = 0x30,
	HOST_TIMER_CONFLICT = 0x40,
	HOST_TIMER_GROUP = 0x50,
	HOST_TIMER_OWNER_MASK = 0xf0,
};

/* A socket's place in the host's list of those with news. Embedded in every kind of socket. */
struct socket_events {
	struct list node; /* linked while `what` is not 0 */
	uint8_t kind;     /* enum reeve_socket_kind */
	uint16_t offset;  /* of this in the socket */
	uint32_t what;
	void *user;
};

struct reeve_host {
	struct reeve_host_config config;
	struct reeve_pool *pool;
	struct reeve_time now; /* of the last input, tick, output or connect; never goes back */
	struct random random;
	struct timers timers;
	struct list events; /* of struct socket_events */
	struct reeve_host_stats stats;

	struct iface_table *ifaces;
	struct route_table *routes;
	struct neighbour_table *neighbours;
	struct fragment_table *fragments;
	struct icmp_host *icmp; /* echo sockets and the rate limit */
	struct group_table *groups;
	struct udp_host *udp;
	struct udp_host *echo; /* the same of programs' echo sockets; NULL before the first */
	struct tcp_host *tcp;

	struct hash_key ip_key;            /* of the identification counters (RFC 7739) */
	uint16_t ip_ids[HOST_ID_COUNTERS]; /* which destinations share by their hash */

	uint32_t outputs; /* calls that gave a packet; connections get their turn after so many */

	struct packet_queue loopback; /* to be brought in again by reeve_host_output() */
};

void socket_events_init(struct socket_events *e, enum reeve_socket_kind kind, void *socket,
			void *user);

/* Adds to what the socket's owner will be told. */
void host_raise(struct reeve_host *host, struct socket_events *e, uint32_t what);

/* The owner has closed the socket: nothing more will be told. */
void host_silence(struct socket_events *e);

/* What keeping the packet costs: itself and its share of each buffer that it holds on to. The same
 * packet costs another amount later, when others have let go: keep the number. */
uint32_t host_charge(const struct reeve_packet *p);

/* Seeds and keys for the modules' own tables, different at each call. */
void host_derive(struct reeve_host *host, void *ret, size_t length);
