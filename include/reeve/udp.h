/*
 * UDP sockets (RFC 768, RFC 1122, 4.1) and echo sockets (RFC 792). As with TCP, calls never block
 * and errors are Linux's. Where an interface is named it is counted from 1, as Linux's programs do:
 * reeve_host_output()'s index and one; 0 is none.
 */
#pragma once

#include "reeve/host.h"

#pragma GCC visibility push(default)

#define REEVE_UDP_MAX 65507 /* payload bytes over IPv4 */

struct reeve_udp;

struct reeve_udp *reeve_udp_new(struct reeve_host *host, enum reeve_family family, void *user);

/*
 * An echo socket that is used as Linux's programs use theirs, by the calls of a UDP socket: its port
 * is the identifier, a datagram to send is an ICMP echo request with its header (whose identifier
 * and checksum are filled in), one that is received an echo reply to the identifier. IPv4.
 */
struct reeve_udp *reeve_udp_new_echo(struct reeve_host *host, void *user);

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
	REEVE_UDP_DEVICE,        /* sends and receives by that interface alone; 0: by any */
	REEVE_UDP_DONT_ROUTE,    /* 0 or 1: to neighbours alone */
	REEVE_UDP_PROBLEMS,      /* 0 or 1: keeps what ICMP says (reeve_udp_problem()) */
	REEVE_UDP_CORK, /* 0 or 1: what is sent becomes one datagram, sent when it is 0 again */
	REEVE_UDP_MULTICAST_DEVICE, /* sends multicast by that interface; 0: as the routes say */
	REEVE_UDP_MULTICAST_TTL,    /* 0: within the host */
	REEVE_UDP_MULTICAST_LOOP,   /* 0 or 1: members on this host get it too */
	REEVE_UDP_MULTICAST_ALL,    /* 0 or 1: receives for groups that it has not joined itself */
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
 * 0, or -EMSGSIZE, -ENETUNREACH (also from an address that is not the host's), -EACCES (broadcast),
 * -EADDRNOTAVAIL (one that it has given up), -ENOBUFS, -ENODEV, -EINVAL (port 0),
 * or the pending error.
 */
int reeve_udp_send(struct reeve_udp *udp, const struct reeve_sockaddr *to,
		   const struct reeve_sockaddr *from, const struct iovec *iov, size_t count);

/* The same with all that may be said of one datagram. */
struct reeve_udp_message {
	const struct reeve_sockaddr *to, *from; /* as above */
	unsigned out;                           /* the interface to send it by; 0: the socket's */
	int16_t ttl;                            /* -1: the socket's */
	int16_t tos;                            /* -1: the socket's */
	bool dont_route;                        /* to a neighbour alone */
	bool more; /* more of the same datagram is to come: kept until a call without it */
};

int reeve_udp_send_message(struct reeve_udp *udp, const struct reeve_udp_message *message,
			   const struct iovec *iov, size_t count);

/* Multicast (RFC 1112; RFC 3376). */
enum reeve_udp_membership {
	REEVE_UDP_JOIN,
	REEVE_UDP_LEAVE,
	REEVE_UDP_JOIN_SOURCE, /* joins for this source; again, for one more */
	REEVE_UDP_LEAVE_SOURCE,
	REEVE_UDP_BLOCK_SOURCE, /* of a group that is joined for all sources */
	REEVE_UDP_UNBLOCK_SOURCE,
};

/*
 * Changes what the socket receives. `source` is for the last four. `iface` 0: where a datagram to
 * the group would go; when leaving, any. -EINVAL (no group, not joined, joined the other way),
 * -ENODEV, -EADDRINUSE (joined already), -EADDRNOTAVAIL (not joined), -ENOBUFS (over 20 groups or
 * 10 sources a socket, or the host's limit).
 */
int reeve_udp_member(struct reeve_udp *udp, enum reeve_udp_membership what,
		     const struct reeve_address *group, const struct reeve_address *source,
		     unsigned iface);

struct reeve_datagram {
	struct reeve_sockaddr remote; /* who sent it */
	struct reeve_sockaddr local;  /* to which address and port */
	unsigned iface;               /* index: not counted from 1 */
	struct reeve_time arrived;
	uint8_t ttl, tos;
	size_t length;
	struct iovec iov[REEVE_PACKET_IOV]; /* its bytes; valid until consumed */
	size_t iov_count;
};

/* The oldest datagram, left in the queue. False when there is none. */
bool reeve_udp_peek(const struct reeve_udp *udp, struct reeve_datagram *ret);
void reeve_udp_consume(struct reeve_udp *udp);

/* Datagrams that were lost because the socket was full. */
uint32_t reeve_udp_lost(const struct reeve_udp *udp);

/* Closes the socket, whose owner will not receive any more, as if it had been done before what
 * waits in it came: that goes to whoever else would have it, or is refused. */
void reeve_udp_forsake(struct reeve_udp *udp);

/* The pending error (an ICMP's errno for a connected socket), and clears it. */
int reeve_udp_error(struct reeve_udp *udp);

/* What has gone wrong with a datagram of the socket's: with REEVE_UDP_PROBLEMS. */
struct reeve_udp_problem {
	int error;                     /* positive */
	bool is_local;                 /* found here, when it was sent: the rest is 0 but the MTU */
	uint8_t type, code;            /* ICMP's */
	uint32_t info;                 /* the MTU, with EMSGSIZE */
	struct reeve_address offender; /* who said so */
	struct reeve_sockaddr remote;  /* to whom the datagram was */
	struct reeve_address local;    /* to whom the ICMP error was */
	unsigned iface;                /* index, it came in by */
	uint8_t ttl, tos;              /* the ICMP error's own */
	struct reeve_time arrived;
	size_t length; /* what is quoted of the datagram: UDP's payload, or the ICMP header on */
	struct iovec iov[REEVE_PACKET_IOV]; /* valid until consumed */
	size_t iov_count;
};

/* The oldest of them, left in the queue; false when there is none. The queue is short: an owner that
 * does not look loses the newest. */
bool reeve_udp_problem(const struct reeve_udp *udp, struct reeve_udp_problem *ret);
void reeve_udp_consume_problem(struct reeve_udp *udp);

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
