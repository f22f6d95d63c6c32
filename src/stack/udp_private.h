/*
 * The inside of UDP, for udp*.c only.
 *
 * A socket is in one of these, and its place in the tables follows from it:
 *
 *	fresh      no port; nobody can reach it
 *	deferred   bound to port 0 and not chosen yet; nobody can reach it either
 *	listening  has a port: a listener in the demux
 *	connected  a flow in the demux, and then no listener
 *	intercept  in neither; in the host's list of intercepts
 */
#pragma once

#include "port/demux.h"
#include "port/space.h"
#include "reeve/udp.h"
#include "stack/host_private.h"
#include "stack/icmp.h"
#include "stack/ip.h"
#include "stack/udp.h"
#include "stack/udp_problem.h"
#include "stack/udp_queue.h"

#define UDP_INTERCEPTS 64

struct reeve_udp {
	struct reeve_host *host;
	struct udp_host *table; /* the host's of UDP, or of echoes */
	struct socket_events events;
	struct udp_queue queue;
	struct udp_problems problems;
	struct udp_memberships *memberships; /* NULL: none */
	struct udp_cork *cork;               /* NULL: nothing is held back */
	struct port_reservation reservation;
	struct port_listener listener;
	struct port_flow flow;
	uint32_t index; /* in the host's array */
	int error;      /* pending, positive */
	uint8_t family; /* enum reeve_family */
	uint8_t ttl, tos;
	uint8_t multicast_ttl;
	uint8_t device, multicast_device; /* interfaces, counted from 1 */
	bool dont_fragment, may_broadcast, dont_route;
	bool keeps_problems, corked;
	bool multicast_loop, multicast_all;
	bool listening, connected, intercept;
	bool named; /* the port was named by bind; one that was chosen is lost by disconnect */
	struct reeve_address bound; /* the address that bind gave it, or the family's wildcard */
	struct reeve_prefix to;     /* intercept: which destinations; length 0 of ::: all */
	uint16_t to_port;           /* intercept: 0 for every port */
};

struct udp_host {
	bool is_echo;
	uint32_t devices; /* sockets that are bound to one */
	struct port_space *space;
	struct port_demux *demux;
	struct reeve_udp **sockets; /* in no order; a hole is filled by the last */
	uint32_t count, capacity;
	struct reeve_udp *intercepts[UDP_INTERCEPTS];
	unsigned intercept_count;
};

/* udp_socket.c: a socket in the host's array, or NULL. */
struct reeve_udp *udp_new(struct reeve_host *host, struct udp_host *table, enum reeve_family family,
			  void *user);

/* Chooses a port for a socket that has none. -EAGAIN when none is left, as Linux's send and connect
 * say for UDP. */
int udp_autobind(struct reeve_udp *udp);

/* The name that the caller means: checks the family, and to the unspecified address is to the host
 * itself. */
int udp_destination(const struct reeve_udp *udp, const struct reeve_sockaddr *given,
		    struct reeve_sockaddr *ret);

/* The socket's own address, or unspecified if the route is to say: nothing bound, an address that is
 * only for receiving (broadcast, multicast), or one of the other family. */
struct reeve_address udp_source(const struct reeve_udp *udp,
				const struct reeve_address *destination);

/* ip_route_by() with what UDP adds: -EACCES for a broadcast without the option. */
int udp_route(const struct reeve_udp *udp, const struct reeve_address *destination,
	      const struct reeve_address *source, struct ip_way way, struct ip_route *ret);

/* The way that the socket's options ask for. */
struct ip_way udp_way(const struct reeve_udp *udp, const struct reeve_address *destination);

/* udp_membership.c: whether the socket's memberships let it have a datagram of the group. */
bool udp_membership_allows(const struct reeve_udp *udp, const struct udp_waiting *w);
void udp_membership_leave_all(struct reeve_udp *udp);

/* udp_output.c: what was held back is forgotten. */
void udp_cork_free(struct reeve_udp *udp);
int udp_cork_flush(struct reeve_udp *udp);

/* udp_echo.c: the first bytes of what an echo socket sends. -EINVAL. */
int udp_echo_check(const struct iovec *iov, size_t count);

/* Fills in the identifier and the checksum. */
void udp_echo_finish(struct reeve_packet *p, uint16_t identifier);

/* udp.c */
struct reeve_udp *udp_find(const struct udp_host *u, const struct reeve_sockaddr *local,
			   const struct reeve_sockaddr *remote, unsigned iface);
/* To one socket. */
void udp_give_take(struct reeve_host *host, struct reeve_udp *udp, const struct udp_waiting *w);
bool udp_tell(struct reeve_host *host, struct udp_host *u, const struct icmp_error *e);
