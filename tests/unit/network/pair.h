/*
 * Two supervisors that are the test, on one host that serves and one that connects, and the programs' ends
 * of what is between them.
 */
#pragma once

#include "rig.h"

#define PORT 80

struct pair {
	struct rig *rig;
	struct rig_session server, client;
	uint64_t listener;
	struct reeve_sockaddr listener_name;
	int listener_fd; /* the program's AF_UNIX listener, -1: none */
	char directory[32], path[48];
};

/* A connection of which both programs' ends are in the test's hands. */
struct connection {
	int client, server;
	uint64_t client_socket, server_socket;
};

static inline struct guest_message message(uint16_t type, uint64_t socket)
{
	return (struct guest_message){ .type = type, .socket = socket };
}

/* Of cmocka: a pair in *state, and nothing left of it. */
int pair_set_up(void **state);
int pair_tear_down(void **state);

#define PAIR_CASE(function) cmocka_unit_test_setup_teardown(function, pair_set_up, pair_tear_down)

/* What the program listens on, as its supervisor makes it. */
void open_listener(struct pair *p);
void close_listener(struct pair *p);
/* That, and the port. */
void listen_on(struct pair *p, int64_t backlog);

void start_connect(struct pair *p, uint64_t socket);
/* The program's end. */
int attach(struct rig_session *s, uint64_t socket);
struct connection connect_both(struct pair *p);

void expect(struct rig_session *s, uint16_t type, uint64_t socket, int error);
void expect_bytes(struct rig *rig, int fd, const char *bytes);
