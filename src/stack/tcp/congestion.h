/*
 * Congestion control behind one interface: the window, and the algorithm that moves it. Everything
 * is in bytes. What is common to all (slow start, initial window, loss of a whole flight) is in
 * congestion.c; an algorithm says how the window grows after that and how far it falls.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "reeve/tcp.h"
#include "reeve/time.h"

struct tcp_congestion;

struct congestion_ops {
	const char *name;
	void (*init)(struct tcp_congestion *c);
	/* Congestion avoidance: `bytes` were acknowledged while the window was in full use. */
	void (*avoid)(struct tcp_congestion *c, uint32_t bytes, struct reeve_time now,
		      uint32_t rtt_us);
	/* A loss with `in_flight` bytes under way: the new ssthresh. */
	uint32_t (*reduce)(struct tcp_congestion *c, uint32_t in_flight);
	/* What outlives a rest, beside window and threshold. */
	void (*remember)(const struct tcp_congestion *c, uint32_t ret_own[2]);
	void (*recall)(struct tcp_congestion *c, const uint32_t own[2]);
};

struct cubic {
	struct reeve_time epoch; /* when congestion avoidance began; NEVER: not yet */
	uint32_t w_max;          /* the window at the last reduction */
	uint32_t origin;         /* the plateau of this epoch */
	uint32_t prior;          /* the window before the last reduction */
	uint32_t k_ms;           /* from the epoch to the plateau */
	uint32_t estimate;       /* what Reno would have */
};

struct tcp_congestion {
	const struct congestion_ops *ops;
	uint32_t window, threshold; /* cwnd and ssthresh */
	uint32_t mss;
	union {
		struct cubic cubic;
		uint32_t reno_acked;
	};
};

/* What is worth keeping of a connection that rests. A window of 0: nothing was learned yet. */
struct congestion_memory {
	uint32_t window, threshold;
	uint32_t own[2]; /* the algorithm's */
};

#define CONGESTION_WINDOW_MAX (UINT32_C(1) << 30)

extern const struct congestion_ops congestion_cubic;
extern const struct congestion_ops congestion_reno;

void congestion_init(struct tcp_congestion *c, enum reeve_congestion which, uint32_t mss);
const struct congestion_ops *congestion_ops_of(enum reeve_congestion which);
void congestion_remember(const struct tcp_congestion *c, struct congestion_memory *ret);
void congestion_recall(struct tcp_congestion *c, enum reeve_congestion which, uint32_t mss,
		       const struct congestion_memory *memory);
void congestion_set_mss(struct tcp_congestion *c, uint32_t mss);

/* RFC 6928, 2. */
uint32_t congestion_initial_window(uint32_t mss);

bool congestion_in_slow_start(const struct tcp_congestion *c);

/* New data was acknowledged, outside recovery, while the window was what limited sending. */
void congestion_acked(struct tcp_congestion *c, uint32_t bytes, struct reeve_time now,
		      uint32_t rtt_us);

/* A loss: threshold and window fall (RFC 6675, 5; RFC 9438, 4.6). */
void congestion_lost(struct tcp_congestion *c, uint32_t in_flight);

/* The retransmission timer fired: slow start from one segment (RFC 5681, 3.1). `again`: for the
 * same data as before, so that the threshold stays. */
void congestion_timeout(struct tcp_congestion *c, uint32_t in_flight, bool again);

/* Nothing was sent for longer than the timeout (RFC 5681, 4.1). */
void congestion_idle(struct tcp_congestion *c);
