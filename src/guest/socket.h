/*
 * A socket of a program, as the supervisor knows it, and the table of them all.
 *
 * The program holds an AF_UNIX socket (its own end). Of the other end, the network process's, the
 * supervisor keeps a duplicate while it is attached; of the program's own end it keeps none, or a
 * close would go unseen.
 *
 *	FRESH        no peer yet. TCP: an unconnected stream socket. UDP: one end of a pair of
 *	             datagram sockets whose other end waits here until the network process learns of
 *	             the socket
 *	LISTENING    a real AF_UNIX listener at a path of ours; `queue` holds what the program has
 *	             not yet accepted, in the order of its backlog
 *	CONNECTING   asked of the network process. `end` is there, and filler lies in it, when the
 *	             program does not wait in connect()
 *	CONNECTED    `end` attached. It says when the program has closed, but of one that has been
 *	             shut down both ways, which is watched then
 *	FAILED       an asynchronous connect failed: the program's end is dead; a new connect() is
 *	             given a new one
 *	RESET        was connected; the program's end reads ECONNRESET, or the end of the data if both
 *	             sides have said their last
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "guest/option.h"
#include "guest/problem.h"
#include "guest/watch.h"
#include "reeve/address.h"

enum socket_kind { SOCKET_TCP, SOCKET_UDP, SOCKET_NETLINK };

enum socket_state {
	SOCKET_FRESH,
	SOCKET_LISTENING,
	SOCKET_CONNECTING,
	SOCKET_CONNECTED,
	SOCKET_FAILED,
	SOCKET_RESET,
};

#define SOCKET_DATAGRAMS 8192 /* whose addresses are kept at a time */

/* What is known of a datagram that waits in the program's end. */
struct socket_datagram {
	struct reeve_sockaddr remote, local;
	int64_t realtime_ns;
	uint32_t length, charge; /* struct guest_arrival */
	uint32_t iface;          /* from 1 */
	uint32_t lost;           /* by the socket before it */
	uint8_t ttl, tos;
};

struct socket_datagrams {
	struct socket_datagram *ring;
	uint32_t size, first, count; /* size is 0 or a power of two */
	uint64_t charged;
};

struct guest_socket {
	struct guest_socket *next_by_cookie, *next_by_number;
	struct list node;  /* in the table's list of all */
	struct list calls; /* trapped calls that wait for this socket */
	uint64_t cookie;   /* 0: the program has no end yet (in a listener's queue) */
	uint64_t number;   /* for the network process */

	enum socket_kind kind;
	enum socket_state state;
	int family;
	bool is_known;     /* to the network process */
	bool is_bound;     /* `local` holds; its port may still be 0: put off */
	bool is_named;     /* by bind(), with a port: that outlives a disconnect */
	bool has_address;  /* by bind(), a certain one: that does too, alone (peer_bind_again()) */
	bool is_portless;  /* bound with IP_BIND_ADDRESS_NO_PORT, and not used yet */
	bool is_confirmed; /* a connect() has returned the success of an asynchronous one */
	bool is_attached;  /* `end` has been handed over */
	bool has_peer_ended; /* in order, before it was reset */
	bool has_reset;      /* reset while still in a listener's queue */
	bool is_shut;        /* the program has shut down its sending; */
	bool is_marked;      /* behind its last byte lies one of ours (peer_leave_mark()) */
	bool is_asked;       /* CONNECTING, but only where to (direct_ask()) */
	bool is_direct; /* joined to another program's socket: `end` is -1, and not `is_known`; */
	bool is_told;   /* but listed */
	bool is_echo;   /* UDP: an echo socket (IPPROTO_ICMP) */
	bool is_deaf;   /* UDP: shut down for receiving; */
	bool is_mute;   /* for sending */
	bool has_shut_read; /* TCP: its receiving */
	bool is_both;       /* and its sending: `watch` and `set` tell of a close */
	bool is_fast_open;  /* its connect() was to use Fast Open */
	uint16_t filler;    /* bytes of ours in the program's end while CONNECTING */
	int send_buffer;    /* SO_SNDBUF to restore, while there is filler */
	int error;          /* SO_ERROR */
	uint8_t congestion; /* enum reeve_congestion */
	uint8_t fast_open_key_length, fast_open_key[32]; /* TCP_FASTOPEN_KEY, once it was set */
	uint64_t pacing_max;                             /* SO_MAX_PACING_RATE; UINT64_MAX: none */
	struct reeve_sockaddr local, remote;

	int end;            /* -1: none */
	struct watch watch; /* of `end`, while it is not attached, or is_both */
	pid_t hint_pid;     /* where the program's end was last seen */
	int hint_fd;

	struct guest_socket *listener; /* while in its queue */
	struct list queue;             /* of a listener; or the member in one */
	uint32_t backlog, unreported;  /* a listener's: the most that wait; accepts not yet told */
	struct list young;             /* direct.c's, of those that are not told */
	uint16_t lease;                /* the local port, if it is direct.c's to give again; 0 */
	int early_fd;          /* a listener's: taken from its queue and not yet a call's; -1 */
	pid_t early_joiner;    /* whose connection that is */
	bool has_token;        /* a connection of ours lies there, so that it is ready */
	uint32_t path;         /* a listener's file; 0: none */
	struct list listening; /* in the table of listeners, and by its port: */
	struct guest_socket *next_by_port;

	struct socket_options options;
	struct socket_datagrams datagrams;
	struct problems problems;
	struct reeve_address multicast_source;                 /* IP_MULTICAST_IF as it was given */
	uint32_t netlink_pid, netlink_groups, netlink_options; /* bit n: option n is set */
	int netlink_type;
	struct liveness_set *set; /* NULL: not watched */
	struct list member;       /* of the set */
	uint64_t seen;            /* the last look that saw it alive */
};

struct socket_index {
	struct guest_socket **buckets;
	uint32_t mask, count;
};

struct socket_table {
	struct socket_index by_cookie, by_number;
	struct list all;
	uint32_t count;
};

int socket_table_init(struct socket_table *t); /* 0 or -ENOMEM */
void socket_table_deinit(struct socket_table *t);

/* A fresh one, in no index yet. NULL without memory. */
struct guest_socket *socket_new(struct socket_table *t, enum socket_kind kind, int family);

/* Closes `end`. It must be in no queue, and no call may wait for it. */
struct guest_socket *socket_free(struct socket_table *t, struct guest_socket *socket);

/* The program's end and the network process's number; each may be given again. */
void socket_set_cookie(struct socket_table *t, struct guest_socket *s, uint64_t cookie);
void socket_set_number(struct socket_table *t, struct guest_socket *s, uint64_t number);

struct guest_socket *socket_by_cookie(const struct socket_table *t, uint64_t cookie);
struct guest_socket *socket_by_number(const struct socket_table *t, uint64_t number);

/* The oldest entry is dropped when the ring is full and cannot grow. */
void socket_datagram_push(struct socket_datagrams *d, const struct socket_datagram *datagram);
const struct socket_datagram *socket_datagram_first(const struct socket_datagrams *d);
void socket_datagram_pop(struct socket_datagrams *d);
