/*
 * UDP sockets (RFC 768, RFC 1122, 4.1) and echo sockets (RFC 792). As with TCP, calls never block
 * and errors are Linux's.
 */
#pragma once

#include "reeve/host.h"

#pragma GCC visibility push(default)

#define REEVE_UDP_MAX 65507 /* payload bytes over IPv4 */

struct reeve_udp;

struct reeve_udp *reeve_udp_new(struct reeve_host *host, enum reeve_family family, void *user);
void reeve_udp_close(struct reeve_udp *udp); /* takes NULL */

enum reeve_udp_option {
	REEVE_UDP_REUSE_ADDRESS,
	REEVE_UDP_REUSE_PORT,
	REEVE_UDP_IPV6_ONLY,
	REEVE_UDP_OWNER,
	REEVE_UDP_BROADCAST,      /* 0 or 1: may send to a broadcast address */
	REEVE_UDP_RECEIVE_BUFFER, /* bytes */
	REEVE_UDP_TTL,
	REEVE_UDP_TOS,
	REEVE_UDP_DONT_FRAGMENT, /* 0 or 1: -EMSGSIZE over the MTU */
	REEVE_UDP_OPTION_COUNT,
};

int reeve_udp_set(struct reeve_udp *udp, enum reeve_udp_option option, int64_t value);
int64_t reeve_udp_get(const struct reeve_udp *udp, enum reeve_udp_option option);

/* As for TCP; port 0 is chosen when something needs it. */
int reeve_udp_bind(struct reeve_udp *udp, const struct reeve_sockaddr *local);

/* May be called again with another name: the address that it sends from stays until disconnected, as
 * in Linux. NULL disconnects; a port that bind did not name is then given up. */
int reeve_udp_connect(struct reeve_udp *udp, const struct reeve_sockaddr *remote);

int reeve_udp_local(struct reeve_udp *udp, struct reeve_sockaddr *ret);
int reeve_udp_remote(const struct reeve_udp *udp, struct reeve_sockaddr *ret); /* -ENOTCONN */

/*
 * One datagram, copied. `to` NULL: to the connected name (-EDESTADDRREQ without one). `from` NULL:
 * the address bound to, else the route's; an intercept socket gives the address that was asked.
 * 0, or -EMSGSIZE, -ENETUNREACH, -EACCES (broadcast), -EADDRNOTAVAIL, -ENOBUFS, -EINVAL (port 0),
 * or the pending error.
 */
int reeve_udp_send(struct reeve_udp *udp, const struct reeve_sockaddr *to,
		   const struct reeve_sockaddr *from, const struct iovec *iov, size_t count);

struct reeve_datagram {
	struct reeve_sockaddr remote; /* who sent it */
	struct reeve_sockaddr local;  /* to which address and port */
	unsigned iface;
	uint8_t ttl, tos;
	size_t length;
	struct iovec iov[REEVE_PACKET_IOV]; /* its bytes; valid until consumed */
	size_t iov_count;
};

/* The oldest datagram, left in the queue. False when there is none. */
bool reeve_udp_peek(const struct reeve_udp *udp, struct reeve_datagram *ret);
void reeve_udp_consume(struct reeve_udp *udp);

/* The pending error (an ICMP's errno for a connected socket), and clears it. */
int reeve_udp_error(struct reeve_udp *udp);

/* Receives the datagrams that no other socket takes, as reeve_tcp_intercept() does connections. */
int reeve_udp_intercept(struct reeve_host *host, const struct reeve_prefix *to, uint16_t port,
			void *user, struct reeve_udp **ret);

/* An echo socket: sends echo requests and receives the answers to its own identifier. */
struct reeve_ping;

struct reeve_ping_reply {
	struct reeve_address from;
	uint16_t sequence;
	uint8_t ttl;
	size_t length; /* payload bytes */
	int error;     /* 0: an echo reply; else the errno of an ICMP error about the request */
};

struct reeve_ping *reeve_ping_new(struct reeve_host *host, void *user); /* NULL at the limit */
int reeve_ping_send(struct reeve_ping *ping, const struct reeve_address *to, uint16_t sequence,
		    size_t length);
bool reeve_ping_receive(struct reeve_ping *ping, struct reeve_ping_reply *ret);
void reeve_ping_close(struct reeve_ping *ping);

#pragma GCC visibility pop
