/*
 * What a sender knows of the bytes in flight beyond the oldest unacknowledged one (RFC 2018,
 * RFC 6675): ranges that the receiver has reported, and ranges that were sent again.
 *
 * Entries are disjoint, in order and bounded in number. Bytes in no entry are fresh: neither
 * reported nor sent again. When a range that was sent again is lost once more is for RACK to say
 * (RFC 8985), which gets the time it was sent; and without it, when enough was reported of what was
 * sent later: new data beyond `mark`, or later ranges (`order`).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "stack/tcp/sequence.h"

#define SCOREBOARD_MAX 512

struct score {
	struct tcp_seq start, end;
	struct tcp_seq mark; /* resent: what was next to be sent then */
	uint32_t at_us;      /* resent: when */
	uint32_t resent : 1; /* else reported */
	uint32_t order : 31; /* resent: the how-manieth */
};

struct scoreboard {
	struct score *entries;
	uint16_t count, capacity;
	uint32_t sacked_bytes;
	uint32_t order;     /* of the last range sent again */
	uint32_t delivered; /* the highest order that was reported */
};

struct scoreboard_range {
	struct tcp_seq start, end;
};

/* How far losses are known, for the questions below. */
struct scoreboard_view {
	struct tcp_seq una, next;
	struct tcp_seq lost;      /* below it, what is fresh is lost */
	struct tcp_seq sack_edge; /* by scoreboard_lost_edge(); una: marks and orders say nothing */
	bool first_lost;          /* what begins at una is lost, also when it was sent again */
	bool has_rack;
	uint32_t rack_us;        /* the latest time at which something that has arrived was sent */
	struct tcp_seq rack_end; /* and its end */
	uint32_t expired_us; /* what was sent at this time or before, and before that, is lost */
};

void scoreboard_init(struct scoreboard *b);
void scoreboard_clear(struct scoreboard *b); /* frees what it holds */

/* [start, end) was reported. Returns the bytes that are news; 0 too when there is no room. */
uint32_t scoreboard_sack(struct scoreboard *b, struct tcp_seq start, struct tcp_seq end);

/* Whether a range can still be noted as sent again. What cannot be must not be sent: it would seem
 * never to have been. Reports leave some entries free for that. */
bool scoreboard_has_room(struct scoreboard *b);

/* [start, end), no byte of it reported, was sent again now, with `next` next to be sent. */
void scoreboard_resent(struct scoreboard *b, const struct scoreboard_range *range,
		       struct tcp_seq next, uint32_t now_us);

/* Everything before `una` is acknowledged. */
void scoreboard_ack(struct scoreboard *b, struct tcp_seq una);

/* After a timeout: whatever was sent again is held for lost. */
void scoreboard_forget_resent(struct scoreboard *b);

bool scoreboard_is_sacked(const struct scoreboard *b, struct tcp_seq s);

/* The entries that [start, end) meets: the first from index *cursor (begin with 0), or NULL. */
const struct score *scoreboard_next(const struct scoreboard *b, struct tcp_seq start,
				    struct tcp_seq end, unsigned *cursor);

/* RFC 6675, 4, IsLost(): below this, what is not reported is lost. Not before `una`. */
struct tcp_seq scoreboard_lost_edge(const struct scoreboard *b, struct tcp_seq una, uint32_t mss);

/* RFC 6675, 4, SetPipe(): bytes that are held to be in the network. */
uint32_t scoreboard_pipe(const struct scoreboard *b, const struct scoreboard_view *v);

/* The first range to be sent again; false when there is none. */
bool scoreboard_next_lost(const struct scoreboard *b, const struct scoreboard_view *v,
			  struct scoreboard_range *ret);

/* The first range that is lost by `later` and not yet by `now`, which has the same una. */
bool scoreboard_next_late(const struct scoreboard *b, const struct scoreboard_view *now,
			  const struct scoreboard_view *later, struct scoreboard_range *ret);
