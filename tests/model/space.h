/*
 * The port space beside a model that is slow and obvious: a list of sockets, each looked at for
 * every question, with the rules written down as they read in Linux. After each operation both
 * agree on the errno and on every socket's state; else check() traps.
 */
#pragma once

#include <stdbool.h>

#include "choice.h"
#include "port/space.h"

#define SPACE_MODEL_SOCKETS    320
#define SPACE_MODEL_OPERATIONS 10

struct space_plan {
	enum port_protocol protocol;
	uint16_t first, last; /* the range to choose from */
	uint32_t sockets, addresses;
	/* How often each operation comes: release, bind, settle, listen, connect, disconnect,
	 * inherit, TIME-WAIT, set reuse, open. */
	unsigned weights[SPACE_MODEL_OPERATIONS];
};

struct space_model;

struct space_model_counts {
	unsigned succeeded, refused, starved; /* operations */
	unsigned replaced;                    /* TIME-WAITs */
};

struct space_model *space_model_new(const struct space_plan *plan, const struct choice *choice);

/* An operation; `failing`: an allocation in it may fail, which must change nothing. False: there
 * are no bytes left to choose by. */
bool space_model_step(struct space_model *m, bool failing);

/* Releases all, and checks that nothing is left. */
struct space_model_counts space_model_free(struct space_model *m);
