/*
 * The inside of a simulation, for its files.
 */
#pragma once

#include "link/link.h"
#include "sim.h"

struct capture;

enum user_kind {
	USER_LISTENER,
	USER_ENDPOINT,
	USER_DATAGRAMS,
};

/* What a socket's `user` points to, first of all. */
struct user {
	enum user_kind kind;
};

/* One side of a connection. */
struct endpoint {
	struct user user;
	struct world *world;
	struct connection *connection; /* NULL: accepted, but its client is gone already */
	const struct side_plan *plan;
	unsigned side; /* 0: the client's */
	struct reeve_tcp *tcp;
	bool started, connected, done;
	bool finished; /* FIN is said */
	bool at_end;   /* the peer's was read */
	int error;     /* that was reported, positive */
	uint64_t written, read;
	bool stalled; /* the plan's stall has been */
	bool uncorked, rebuffered;
	struct reeve_time read_again, write_again, wake;
	struct endpoint *next; /* of all that was accepted */
};

struct connection {
	const struct connection_plan *plan;
	unsigned index;
	struct endpoint client;
	struct endpoint *server;    /* once accepted */
	struct reeve_sockaddr name; /* the client's, once it connects */
};

struct listener {
	struct user user;
	unsigned host, index;
	struct reeve_tcp *tcp;
};

/* Sends datagrams to another one of its kind; both know what must be in them. */
struct datagrams {
	struct user user;
	const struct datagram_plan *plan;
	unsigned index;
	struct reeve_udp *from, *to;
	uint32_t sent;
	struct reeve_time next;
};

struct machine {
	struct reeve_host *host;
	struct link *link, *plain; /* with whatever is round it; the one without */
	struct reeve_address address;
	unsigned iface;
	struct listener listeners[SIM_LISTENERS];
};

struct world {
	const struct sim_options *options;
	struct sim_result *result;
	struct scenario scenario;
	struct random random; /* of the lateness */
	struct reeve_pool *pool;
	struct reeve_time now;
	struct machine machines[SIM_HOSTS];
	struct link *impair;
	struct capture *capture;
	struct connection connections[SIM_CONNECTIONS];
	struct endpoint *accepted;
	struct datagrams datagrams[SIM_DATAGRAMS];
	unsigned weather; /* the next */
	bool listener_closed;
	uint64_t steps;
};

/* The first reason is kept, and ends the simulation. */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_say(const struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Connections (endpoint.c). */
void endpoint_start(struct endpoint *e);
void endpoint_accept(struct world *w, struct listener *l);
void endpoint_event(struct endpoint *e, uint32_t what);
void endpoint_wake(struct endpoint *e); /* its time has come */
/* With nothing left that could happen: a peer that vanished while the link was bad is missed only by
 * who asks (keepalive), or who gives up; false if that is not so. */
bool endpoint_give_up(struct endpoint *e);
void endpoint_judge(const struct connection *c);

/* Datagrams (datagrams.c). */
void datagrams_open(struct world *w, struct datagrams *d);
void datagrams_wake(struct world *w, struct datagrams *d);
void datagrams_event(struct world *w, struct datagrams *d);
void datagrams_close(struct datagrams *d);

/* What a stream consists of: the same for writer and reader. */
void content_fill(uint64_t stream, uint64_t offset, uint8_t *bytes, size_t length);
bool content_matches(uint64_t stream, uint64_t offset, const uint8_t *bytes, size_t length);
