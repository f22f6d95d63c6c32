/*
 * The hosts of a network: their names, their addresses, and how each works on its port of the
 * switch. A host's way to the switch is: its interface, capture, impairment, the port; so a capture
 * shows what the host sends and receives, losses included.
 *
 * A host that was added or impaired by name stays. One that came with a program goes when its last
 * program has ended and everything is delivered.
 */
#pragma once

#include "network/network.h"
#include "port/policy.h"

#define HOST_NAME_LENGTH  64 /* with its NUL: a DNS label (RFC 1035, 2.3.1; RFC 1123, 2.1) */
#define HOST_GATEWAY_NAME "gateway"

struct network_host;
struct socket_owner;
struct impair_settings;

/* What every `user` of a socket points to: who has it, and who is told of its events. */
struct socket_owner_ops {
	void (*event)(struct socket_owner *owner, const struct reeve_event *event);
	void (*resume)(struct socket_owner *owner); /* its turn after socket_owner_resume() */
};

struct socket_owner {
	const struct socket_owner_ops *ops;
	struct network_host *host;
	struct list resume;
	const char *program; /* for listings; NULL: the network process itself */
	uint32_t pid;
};

struct network_host {
	struct station station;
	char name[HOST_NAME_LENGTH];
	struct reeve_address address;
	uint8_t mac[6];
	enum port_well_known well_known;
	bool is_explicit;
	bool has_conflict; /* a station on a link has its address too, and the log says so */
	uint32_t programs; /* supervisors attached */
	uint32_t holders;  /* these, and others who need the host to stay */
	struct reeve_host *stack;
	unsigned iface;
	struct link *capture, *impair; /* wrappers on the way to the port; owned by station.link */
	struct list resume;            /* socket owners that want a turn */
	struct list node;              /* in the table's list */
	struct network_host *next_by_name;
	struct list resolvers; /* dns.c's */
	struct list direct;    /* struct guest_socket: guest_direct.c's */
	uint32_t direct_count;
	pid_t *past; /* supervisors that have ended, a ring; NULL: none */
	uint32_t past_count;
	bool has_changed;         /* its listeners, since that was told: guest_direct.c's, too */
	uint32_t own_sockets;     /* of the stack's: the name server's, and leased ports */
	struct socket_owner self; /* of what the gateway has open */
};

enum host_failure {
	HOST_OK,
	HOST_NAME_INVALID,
	HOST_NAME_TAKEN,
	HOST_ADDRESS_INVALID,
	HOST_ADDRESS_TAKEN,
	HOST_NETWORK_FULL,
	HOST_NO_MEMORY,
};

struct host_table *host_table_new(void); /* NULL: no memory */
struct host_table *host_table_free(struct network *n);

/* NULL if the name is good, else what is wrong with it. */
const char *host_name_fault(const char *name);
/* NULL if a host may have the address, else what is wrong with it. */
const char *host_address_fault(const struct reeve_address *address);

/* `address` NULL: the next free one. */
enum host_failure host_add(struct network *n, const char *name, const struct reeve_address *address,
			   struct network_host **ret);
void host_remove(struct network_host *host);

/* Case-insensitive; the gateway too. NULL if there is none. */
struct network_host *host_by_name(const struct network *n, const char *name);
struct network_host *host_by_address(const struct network *n, const struct reeve_address *address);
struct network_host *host_gateway(const struct network *n);

/* All but the gateway, in the order in which they came. */
uint32_t host_count(const struct network *n);
struct network_host *host_first(const struct network *n);
struct network_host *host_next(const struct network_host *host);

/* After any call on the host's stack: it may have something to send or tell. */
void host_activate(struct network_host *host);

/* A host that is not explicit stays while it is held, and until everything is delivered. It never
 * goes in the middle of a call, but when its station next works. */
void host_hold(struct network_host *host);
void host_release(struct network_host *host);

/* NULL clears. */
void host_impair(struct network_host *host, const struct impair_settings *settings);

void socket_owner_init(struct socket_owner *owner, const struct socket_owner_ops *ops,
		       struct network_host *host);
/* Calls resume() when the loop comes round again. */
void socket_owner_resume(struct socket_owner *owner);
/* Before the owner is freed. */
void socket_owner_deinit(struct socket_owner *owner);
