/*
 * What a socket has received: bytes in order that wait for the reader, and ranges beyond a gap.
 *
 * Bytes in order are slices of the buffers they came in; those that cover little of a large buffer
 * are copied into a buffer of the queue's own, so that a byte cannot hold 64 KiB. Ranges beyond a
 * gap keep their packets. They are bounded in count and in the memory that they hold (not in
 * payload bytes: tiny segments cost far more than they bring).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/list.h"
#include "base/packet.h"
#include "stack/tcp/sequence.h"
#include "wire/tcp.h"

#define RECEIVE_RANGES_MAX 256

struct receive_queue {
	struct slice *slices; /* a ring; a large one goes when it is empty */
	uint32_t first, count, capacity;
	uint32_t length; /* bytes in order */
	uint64_t held;   /* bytes of the buffers that the slices refer to */
	uint32_t range_count;
	uint32_t stamp;       /* of the range that changed last */
	uint64_t range_bytes; /* memory that the ranges hold */
	struct list ranges;   /* of struct receive_range, in order, with gaps between them */
};

void receive_queue_init(struct receive_queue *q);
void receive_queue_deinit(struct receive_queue *q);

/* The packet's bytes, payload only, to the end of what is in order. Takes the packet; -ENOBUFS:
 * nothing was added. */
int receive_queue_append_take(struct receive_queue *q, struct reeve_pool *pool,
			      struct reeve_packet *p_take);

enum receive_insert {
	RECEIVE_INSERTED,
	RECEIVE_DUPLICATE, /* all of it was there already; the packet is still the caller's */
	RECEIVE_FULL,      /* too many ranges, or too much memory; likewise */
};

/* The packet's bytes, which begin beyond a gap at `start`. Taken only when RECEIVE_INSERTED. */
enum receive_insert receive_queue_insert(struct receive_queue *q, struct tcp_seq start,
					 struct reeve_packet *p, uint64_t max_bytes);

/* Whether ranges have any of start..end already: then the first part that they have. */
bool receive_queue_has(const struct receive_queue *q, struct tcp_seq start, struct tcp_seq end,
		       struct tcp_sack_block *ret);

/* What begins at `next` or before is in order now: moves it there. Returns the new `next`. */
struct tcp_seq receive_queue_advance(struct receive_queue *q, struct reeve_pool *pool,
				     struct tcp_seq next);

/* Forgets the ranges beyond the gap (RFC 2018, 8: allowed, when memory is short). */
void receive_queue_prune(struct receive_queue *q);

/* The ranges to report, the one that changed last first (RFC 2018, 4). Returns how many. */
unsigned receive_queue_sack(const struct receive_queue *q, struct tcp_sack_block *ret,
			    unsigned count);

size_t receive_queue_peek(const struct receive_queue *q, struct iovec *iov, size_t count);
void receive_queue_consume(struct receive_queue *q, size_t bytes);
