/*
 * Connections inside the host that supervisors make between themselves (`--loopback=direct`): the
 * program's socket is connected to the other program's listener, in place, and the network process is
 * not asked. What it has to say once is kept: which file is at a port, and which ports are ours to give.
 *
 * Who accepts learns both names from the connecting end's own, an abstract one, and asks the network
 * process now and then whether a process that joins is a supervisor.
 *
 * Of a connection that has been closed within a moment nobody hears. What has lasted is told, for
 * listings; then, as of any socket without another end, sweeps find out that it was closed, and until
 * then its port is taken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/list.h"
#include "base/timers.h"
#include "guest/call.h"
#include "guest/protocol.h"

#define DIRECT_PLACES 8
#define DIRECT_PORTS  4096 /* a power of two */
#define DIRECT_KNOWN  16

struct direct_place {
	struct reeve_sockaddr to;
	struct reeve_address source;
	char file[GUEST_FILE]; /* "": connections there go the ordinary way */
};

/* A process that has been vouched for; its number may be another's one day. */
struct direct_known {
	pid_t pid;
	struct reeve_time until;
};

struct direct {
	struct direct_place places[DIRECT_PLACES];
	unsigned place_count, next_place;
	/* Leased and free: a ring, so that each rests before its next use. */
	uint16_t ports[DIRECT_PORTS];
	uint32_t first, count, leased;
	bool has_all_ports; /* that it is given */
	bool is_topped_up;  /* more are on their way */
	struct direct_known known[DIRECT_KNOWN];
	unsigned next_known;
	pid_t asked;       /* whether it is a supervisor; 0: nobody's */
	uint32_t serial;   /* of names */
	call_retry *then;  /* what goes on when the network process has answered */
	struct list young; /* struct guest_socket: joined and not told */
	struct timer timer;
};

/* What the connecting end is bound to. Anybody could be: who it is says its process. */
struct direct_name {
	char abstract; /* 0 */
	char mark[7];
	uint32_t pid, serial;                /* no other has these */
	struct reeve_sockaddr local, remote; /* as who accepts sees them */
};

void direct_init(struct direct *d);

/* Joins the program's socket `fd`, which has those flags (F_GETFL). 0; -EAGAIN: only when the network
 * process has been asked (direct_ask()); another negative errno: the connection goes the ordinary way. */
int direct_join(struct supervisor *s, struct guest_socket *socket, int fd, int flags,
		const struct reeve_sockaddr *to);

/* Until `then` is called and the socket is not `is_asked` any more, its state is CONNECTING. 0 or a
 * negative errno. */
int direct_ask(struct supervisor *s, struct call *c, const struct reeve_sockaddr *to,
	       call_retry *then);

/* What it has said may be otherwise now. */
void direct_forget(struct direct *d);

/* Is the name of who joined a listener one of ours? */
bool direct_is_name(const struct sockaddr_un *name, socklen_t length);

/* Does that process join as a supervisor? 1, 0, or -EAGAIN: it is being asked, and the calls of all
 * listeners are tried again then. */
int direct_is_known(struct supervisor *s, pid_t pid);

/* What the program has accepted from it at `fd`; NULL without memory. */
struct guest_socket *direct_accepted(struct supervisor *s, const struct guest_socket *listener,
				     int fd);

/* From now on the program holds the socket. */
void direct_begin(struct supervisor *s, struct guest_socket *socket);

/* It does no longer, or is given another: the port is free. */
void direct_end(struct supervisor *s, struct guest_socket *socket);

/* Gives back what is far more than what is used. Now and then. */
void direct_return_ports(struct supervisor *s);

/* The moment is over. */
void direct_tell(struct supervisor *s);
