/*
 * `reeve run`: starts a program on a host of a network, and waits for it as `env` would.
 *
 * Three processes: the front is the caller itself (terminal, job control, signals, exit status);
 * the supervisor answers the program's trapped system calls for as long as any process of the
 * program's tree lives; between them a keeper, which ends the tree if the supervisor dies.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "port/policy.h"
#include "reeve/address.h"

/* Statuses of the front when the program itself could not be run, as env(1) has them. */
#define RUN_FAILED         125
#define RUN_NOT_EXECUTABLE 126
#define RUN_NOT_FOUND      127

struct run_options {
	int network_fd;               /* connected to the network process; taken */
	const char *host;             /* its name */
	struct reeve_address address; /* all zeroes: whichever the host has or gets */
	struct port_grant grant;
	bool is_counting;       /* a table of trapped calls on stderr, at the tree's end */
	FILE *count_to;         /* the same as JSON, or NULL */
	const char *count_name; /* of that file */
	bool is_direct; /* connections inside the host are joined directly where they can be */
	bool udp_lite; /* sendmsg and recvmsg stay native: faster for streams, less exact for UDP */
	bool hostname; /* the program takes its host's name for the machine's */
	bool is_detached;  /* returns 0 when the program has begun, and does not wait for its end */
	const char *title; /* what listings call it; NULL: argv */
	char **argv;
};

/*
 * Runs argv on the host and returns the program's exit status, or one of the three above with a
 * line on stderr. If a signal ended the program, the same signal ends the caller.
 */
int run_main(const struct run_options *options);

/* Whether the caller itself runs under `reeve run`. */
bool run_is_nested(void);
