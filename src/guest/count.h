/*
 * How often the calls of a program's tree were trapped, and how long their answers took:
 * `reeve run --count`. The supervisor counts; the front, which has the terminal, prints.
 *
 * A call is answered at once, or it waits: for the network process, for a peer, for data. Only the
 * first kind's time is the price of the trap, so the two are kept apart.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define COUNT_KINDS 32 /* of calls, at most */

struct count {
	uint64_t answered, waited; /* calls */
	int64_t answered_ns, waited_ns;
};

/* One for each kind of call; goes from the supervisor to the front as it is. */
struct counts {
	struct count kinds[COUNT_KINDS];
};

void counts_add(struct counts *c, unsigned kind, bool has_waited, int64_t ns);

/* A table for people, the most frequent call first; an object of JSON. False when `to` cannot be
 * written. */
bool counts_print(const struct counts *c, FILE *to);
bool counts_print_json(const struct counts *c, FILE *to);
