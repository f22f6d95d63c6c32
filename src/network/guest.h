/*
 * The network process's side of guest/protocol.h: one session for each supervisor, and in it the
 * sockets of its programs. Its first message says on which host and with which grants, once and for
 * all. A socket's number means nothing in another session.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "network/loop.h"
#include "port/policy.h"
#include "reeve/host.h"

struct network;
struct network_host;
struct guest_server;
struct guest_session;
struct guest_socket;

/* Owns the listening descriptor in any case; -1: none. NULL: no memory. */
struct guest_server *guest_server_new(struct network *n, int listen_fd);
struct guest_server *guest_server_free(struct guest_server *s);
void guest_close_listener(struct guest_server *s);
void guest_accept(struct guest_server *s);

/* A supervisor that is connected already, without a look at who it is. For tests. */
int guest_adopt(struct guest_server *s, int fd_take);

/* Does the process belong to a program that runs in the network? */
bool guest_is_inside(const struct guest_server *s, pid_t pid);

uint32_t guest_session_count(const struct guest_server *s);

/* Of the session whose program is the process: whether it is a manager of services, which is not
 * told to end with the others but by its connection (managers.h); and what its programs may bind. */
void guest_set_managed(struct guest_server *s, pid_t program, bool is_managed);
void guest_set_grant(struct guest_server *s, pid_t program, const struct port_grant *grant);

/* Asks all programs to end; their sessions end when they have. */
void guest_terminate_all(struct guest_server *s);

/* Ends all programs, and with them their sessions. */
void guest_end_all(struct guest_server *s);

/* Resets what programs that have ended had written and what is not delivered. */
void guest_give_up(struct guest_server *s);

/* After each turn: frees what has gone. */
void guest_settle(struct guest_server *s);

struct guest_program {
	const struct network_host *host;
	pid_t pid;
	const char *command;
};

/* The sessions' programs, for listings: start with NULL; NULL after the last. */
const struct guest_session *guest_next_program(const struct guest_server *s,
					       const struct guest_session *after,
					       struct guest_program *ret);

/* A look by all supervisors at what their programs still hold, of one host or of all. */
struct guest_look;
typedef void guest_look_done(struct guest_look *look);

struct guest_look {
	struct list node;
	struct loop *loop;
	const struct network_host *host;
	uint64_t number;
	uint32_t left; /* supervisors that have not answered */
	struct loop_timer timer;
	guest_look_done *done;
};

/* `host` NULL: all; else it must stay until the look is over. `done` is called by the loop when all have
 * said what is gone, or not in time; never when it was cancelled before, or the server has ended. */
void guest_look_begin(struct guest_server *s, struct guest_look *look,
		      const struct network_host *host, guest_look_done *done);
void guest_look_cancel(struct guest_look *look);

/* The direct connections of a host's programs, of which the stack has nothing: likewise. */
const struct guest_socket *guest_next_direct(const struct network_host *host,
					     const struct guest_socket *after,
					     struct reeve_socket_info *ret);
