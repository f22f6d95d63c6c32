/*
 * The host under test in virtual time, the wire behind it, and what the host has sent.
 */
#pragma once

#include "script.h"
#include "station/station.h"

/* A packet that the host has sent and nobody has looked at. */
struct sent {
	struct reeve_time at;
	struct ipv4_header ip;
	size_t length;
	struct sent *next;
	uint8_t body[];
};

struct world {
	struct reeve_pool *pool;
	struct reeve_host *host;
	unsigned iface;
	uint32_t mtu;
	struct reeve_time begin, now; /* of the script's clock */
	struct station station;
	struct sent *first, **last;
	uint32_t count;
	const char *wrong; /* the first that the host has done and must not; NULL: nothing */
};

/* What of the host's configuration a script can say. */
struct world_config {
	uint32_t receive_max;
	bool is_pacing;
};

/* The announcements of the host's address are over when the script's clock begins. */
void world_init(struct world *w, const struct script_settings *settings,
		const struct world_config *config);

/* True when nothing was left behind: no packet, no buffer. */
bool world_deinit(struct world *w);

/* Takes what the host has to send. */
void world_collect(struct world *w);

/* To the host's next deadline, or to `until` if that comes first. */
void world_step(struct world *w, struct reeve_time until);

/* The oldest that was sent, now the caller's to free; NULL when there is none. */
struct sent *world_take(struct world *w);
