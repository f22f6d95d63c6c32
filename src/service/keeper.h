/*
 * The keeper of one program: a process between the manager and the program that outlives neither.
 *
 * It is the program's parent and, as the nearest subreaper, that of everything which loses its own
 * parent below it: a program that makes itself a daemon stays in its hands. It ends when no process
 * is left. It holds the reading end of a pipe, the lease: when the manager closes the other end, or
 * is gone, the keeper ends the program (SIGTERM, and SIGKILL after the grace). It tells what happens
 * through another pipe, the reports.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

enum keeper_event {
	KEEPER_STARTED = 1, /* value: the program's pid */
	KEEPER_FAILED,      /* value: the errno; the program could not be run, `step` says why */
	KEEPER_ENDED,       /* value: its status, as wait() has it */
};

enum keeper_step {
	KEEPER_RUN = 0,
	KEEPER_DIRECTORY,
	KEEPER_PROCESS,
};

struct keeper_report {
	uint16_t event, step;
	int32_t value;
};

/* How the program is begun. Everything is borrowed. */
struct keeper_start {
	char *const *run;
	char *const *environment; /* added to the manager's */
	const char *directory;
	int standard[3];    /* what becomes its standard streams; -1: /dev/null */
	const int *sockets; /* become 3, 4, ...; LISTEN_FDS */
	int socket_count;
	const char *socket_names;     /* LISTEN_FDNAMES */
	const char *peer, *peer_port; /* REMOTE_ADDR and REMOTE_PORT, or NULL */
	int64_t grace_ms;
	bool is_lasting;            /* processes that it leaves behind when it ends well go on */
	const sigset_t *signals;    /* its mask */
	const struct rlimit *files; /* its limit of descriptors */
};

struct keeper {
	pid_t pid;
	int lease;   /* to be closed when the program is to end */
	int reports; /* non-blocking; at its end when the keeper has */
};

/* 0 or a negative errno. */
int keeper_begin(const struct keeper_start *start, struct keeper *ret);

/* Ends what has lost its keeper, which was killed, and so became the caller's child. `is_ours`: is
 * a keeper. */
void keeper_end_strangers(bool (*is_ours)(pid_t pid, void *user), void *user);
