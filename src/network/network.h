/*
 * One network: hosts joined by a switch, and the pump that moves packets between hosts, links and
 * switch. All of it belongs to one loop.
 *
 * The pump never walks over hosts. Whoever gives a station (a host or a link, on a port of the
 * switch) something to do says station_activate(); the switch names the ports for which frames have
 * come in; and each station has one timer for its next deadline. network_settle() then lets the
 * active stations work, a bounded step each, until none is active or the loop's other sources
 * should have their turn.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "base/random.h"
#include "link/switch.h"
#include "network/loop.h"
#include "network/path.h"
#include "reeve/reeve.h"

#define NETWORK_PREFIX_LENGTH 16
#define NETWORK_ADDRESS       0xc6120000u /* 198.18.0.0, RFC 2544: for use in tests and inside */
#define NETWORK_GATEWAY       (NETWORK_ADDRESS + 1)
#define NETWORK_MTU           1500
#define NETWORK_MAX_HOSTS     65000
#define NETWORK_MAX_LINKS     64
#define NETWORK_MAX_SOCKETS   (1u << 20) /* a host and protocol */
#define NETWORK_MAX_PACKETS   (1u << 18)
#define NETWORK_MAX_BUFFERS   (UINT64_C(1) << 30) /* bytes */
#define NETWORK_QUEUE_PACKETS 1024
#define NETWORK_QUEUE_BYTES   (16u << 20)

struct network;
struct station;
struct host_table;
struct control_server;
struct guest_server;
struct lifetime;

typedef void station_work_function(struct station *station);

/* Something on a port of the switch. Embedded in struct network_host and struct network_link. */
struct station {
	struct network *network;
	station_work_function *work; /* a bounded step; activates itself again if there is more */
	struct link *link;           /* its end of the port, with all wrappers; owned */
	unsigned port;
	struct list active;
	struct loop_timer timer;
};

struct network {
	char name[PATH_NETWORK_NAME];
	struct loop *loop;
	struct reeve_pool *pool;
	struct switch_ *switch_;
	struct station **ports; /* by the switch's index */
	struct list active;     /* stations with something to do */
	struct random random;
	struct hash_key key;
	struct reeve_time started;
	struct host_table *hosts;
	uint32_t max_hosts;     /* NETWORK_MAX_HOSTS, but for tests */
	struct list links;      /* struct network_link */
	struct list recordings; /* struct recording */
	struct list managers;   /* struct manager_link */
	struct guest_server *guests;
	struct control_server *control;
	struct lifetime *lifetime; /* NULL in tests that have none */
	bool keep;                 /* stays without programs because it was told so */
	bool configured;           /* or because something was configured by name */
	bool ending;
};

/* Without sockets to the outside. `settle` is called after each turn of the loop and must call
 * network_settle(). 0 or a negative errno. */
int network_init(struct network *n, const char *name, loop_settle_function *settle, void *user);
void network_deinit(struct network *n);

struct reeve_time network_now(const struct network *n);

/* Lets active stations work. True when there are still some. */
bool network_settle(struct network *n);

/* A port for the station with these properties; station->link is the bare port then. 0, -ENOSPC,
 * -ENOMEM. */
int station_init(struct station *s, struct network *n, uint32_t offloads,
		 station_work_function *work);
void station_deinit(struct station *s);
void station_activate(struct station *s);

/* Wakes the station at `deadline` or when its link has something, whichever is first. */
void station_wait(struct station *s, struct reeve_time deadline);
