/* A host of libreeve behind a link, as the measuring programs drive it: one connection, no threads. */
#pragma once

#include <stdbool.h>

#include "link/link.h"
#include "reeve/reeve.h"

#define MACHINE_QUEUE 256 /* frames that may wait at its interface */
#define MACHINE_PORT  80

struct machine {
	struct reeve_host *host;
	unsigned iface;
	struct link *link;
	struct reeve_tcp *listener, *connection; /* whichever it has */
};

struct reeve_time machine_clock(void);

/* The machine of this number, 198.18.0.number, with all of the link's offloads and MTU. It does not
 * own the link. Ends the program, as all of these do, when that cannot be. */
void machine_init(struct machine *m, struct link *link, struct reeve_pool *pool, uint8_t number);
void machine_deinit(struct machine *m);

void machine_listen(struct machine *m);
void machine_connect(struct machine *m, uint8_t number);

/* What it has to hear and to say at this time, no more than some packets; `handle` is told of each event but ACCEPTABLE,
 * whose connection it takes itself. True when there was anything. */
bool machine_turn(struct machine *m, struct reeve_time now,
		  void (*handle)(struct machine *m, const struct reeve_event *event));
