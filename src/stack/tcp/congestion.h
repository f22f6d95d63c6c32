/*
 * Congestion control behind one interface: the window, and the algorithm that moves it. Everything
 * is in bytes. What is common to all (slow start, initial window, loss of a whole flight, a window
 * that is not used) is in congestion.c; an algorithm says how the window grows after that and how
 * far it falls.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "reeve/tcp.h"
#include "reeve/time.h"
#include "stack/tcp/hystart.h"

struct tcp_congestion;

struct congestion_ops {
	const char *name;
	bool has_hystart;
	uint8_t after_loss, after_mark; /* of the flight, in percent, the new ssthresh is */
	void (*init)(struct tcp_congestion *c);
	/* Congestion avoidance: `bytes` were acknowledged while the window was in full use. */
	void (*avoid)(struct tcp_congestion *c, uint32_t bytes, uint32_t now_ms, uint32_t rtt_us);
	/* From here on, until it is in full use again, the window does not grow. */
	void (*pause)(struct tcp_congestion *c, uint32_t now_ms);
	void (*resume)(struct tcp_congestion *c, uint32_t now_ms);
	/* The window is about to be reduced. */
	void (*reduce)(struct tcp_congestion *c);
	/* What outlives a rest, beside window and threshold. */
	void (*remember)(const struct tcp_congestion *c, uint32_t ret_own[2]);
	void (*recall)(struct tcp_congestion *c, const uint32_t own[2]);
	/* After that, when it was told by a timeout. */
	void (*forget)(struct tcp_congestion *c);
};

/* Times are in milliseconds modulo 2^32. */
struct cubic {
	uint32_t epoch_ms;    /* when congestion avoidance began, the pauses since then added */
	uint32_t paused_ms;   /* since when the window has not been in full use */
	uint32_t w_max;       /* the window at the last reduction */
	uint32_t origin;      /* the plateau of this epoch */
	uint32_t prior;       /* the window before the last reduction */
	uint32_t k_ms;        /* from the epoch to the plateau */
	uint32_t estimate;    /* what Reno would have */
	uint32_t window_rest; /* of divisions, which small steps of large windows are made of */
	uint64_t estimate_rest;
	bool has_epoch, is_paused;
};

union congestion_own {
	struct cubic cubic;
	uint32_t reno_acked;
};

/* What a reduction changes, to be brought back when it was a mistake (RFC 9438, 4.9). */
struct congestion_saved {
	uint32_t window, threshold;
	union congestion_own own;
};

struct tcp_congestion {
	const struct congestion_ops *ops;
	uint32_t window, threshold; /* cwnd and ssthresh */
	uint32_t mss;
	uint32_t used;    /* the most in flight since `used_ms`, with the window not in full use */
	uint32_t used_ms; /* when it last was, or when it was cut because it was not */
	struct hystart hystart; /* as long as the threshold is at its maximum */
	union congestion_own own;
	struct congestion_saved saved;
};

/* What an acknowledgment of new data says. */
struct congestion_news {
	uint32_t bytes;
	struct tcp_seq una, nxt; /* after it */
	struct reeve_time now;
	uint32_t rtt_us;    /* smoothed */
	uint32_t sample_us; /* of this one; 0: it timed nothing */
	bool is_full;       /* the window was what limited sending */
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

/* New data was acknowledged, outside recovery. */
void congestion_acked(struct tcp_congestion *c, const struct congestion_news *news);

/* New data was sent, with `in_flight` bytes under way then. `is_full`: the window has ended it. */
void congestion_sent(struct tcp_congestion *c, uint32_t in_flight, bool is_full,
		     struct reeve_time now, uint32_t rto_ms);

/* A loss: threshold and window fall (RFC 6675, 5; RFC 9438, 4.6). */
void congestion_lost(struct tcp_congestion *c, uint32_t in_flight);

/* An echo of ECN: the same, but less far in congestion avoidance (RFC 8511). */
void congestion_marked(struct tcp_congestion *c, uint32_t in_flight);

/* The retransmission timer fired: slow start from one segment (RFC 5681, 3.1). `again`: for the
 * same data as before, so that the threshold stays. */
void congestion_timeout(struct tcp_congestion *c, uint32_t in_flight, bool again);

/* Before a reduction; and to take it back, which leaves what has grown since. */
void congestion_save(struct tcp_congestion *c);
void congestion_restore(struct tcp_congestion *c);

/* Nothing was in flight for idle_ms. */
void congestion_idle(struct tcp_congestion *c, int64_t idle_ms, uint32_t rto_ms,
		     struct reeve_time now);
