/*
 * The supervisor of one program's tree: everything it knows, and what its parts ask of each other.
 *
 * One thread, one epoll set, and nothing waits but the set: a trapped call is received and handled
 * at once; what the network process must decide is asked of it, and the call is kept until the
 * answer is there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/timers.h"
#include "guest/call.h"
#include "guest/channel.h"
#include "guest/count.h"
#include "guest/descriptor.h"
#include "guest/direct.h"
#include "guest/interfaces.h"
#include "guest/listeners.h"
#include "guest/liveness.h"
#include "guest/notify.h"
#include "guest/protocol.h"
#include "guest/rendezvous.h"
#include "guest/socket.h"

struct supervisor {
	int epoll_fd, signal_fd, front_fd;
	pid_t program;
	uint32_t kept;   /* calls that wait */
	uint32_t logged; /* lines */
	uint32_t next_netlink_pid;
	unsigned quiet_sweeps; /* since the program made a call */
	struct watch notify_watch, signal_watch, front_watch;
	struct notify notify;
	struct channel channel;
	struct descriptor_cache descriptors;
	struct socket_table sockets;
	struct liveness liveness;
	struct listeners listeners;
	struct direct direct;
	struct rendezvous rendezvous;
	struct interfaces interfaces;
	struct guest_welcome welcome;

	struct list calls, free_calls;
	int64_t look_cost_ns;
	struct timers timers;
	struct timer sweep_timer;
	struct reeve_time sweep_due;  /* of what is not a listener */
	struct reeve_time listen_due; /* of the listeners, when a process has ended */
	struct reeve_time now;

	bool is_killable; /* received calls are answered before signals interrupt them */
	bool is_direct;   /* connections inside the host are joined directly where they can be */
	bool has_ended;
	bool reported_ended;
	bool is_detached; /* nobody waits for the program */
	bool is_counting;
	char private_directory[108]; /* the network process's; closed to the program */
	char log_path[128];          /* the network process's log */
	struct counts counts;
	uint8_t *scratch; /* GUEST_DATA_MAX bytes for one call's data */
};

enum { SUPERVISOR_TIMER_SWEEP = 8, SUPERVISOR_TIMER_PARCEL, SUPERVISOR_TIMER_DIRECT };

/* What the program's start needs of the supervisor; kept by value. */
struct supervisor_start {
	int notify_fd, network_fd, front_fd; /* taken */
	pid_t program;
	bool is_killable;
	bool is_direct;
	bool is_counting; /* and the front is told what */
	bool is_detached;
	const char *directory; /* of the rendezvous */
	const char *private_directory;
	const struct guest_welcome *welcome;
};

/* Runs until the last process of the tree has ended. An exit status. */
int supervisor_run(const struct supervisor_start *start);

struct reeve_time supervisor_clock(void);

/* A line in the network process's log. */
void supervisor_log(struct supervisor *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Frees what the program no longer holds of the sockets that could have that local port. */
void supervisor_look_at_port(struct supervisor *s, uint16_t port);

/* Arms the next look for sockets that the program no longer holds, if it is not armed. */
void supervisor_sweep_later(struct supervisor *s);
