/*
 * The inside of packets, buffers and pools (reeve/packet.h has the outside).
 *
 * A packet's bytes are its head, then its slices. Headers are pushed in front of the head and
 * pulled from the slices into it: whoever parses a header asks packet_pull() first, and then finds
 * those bytes in one piece at packet_data(). Between two hosts of one loop the headers are already
 * in the head and nothing is copied.
 *
 * A buffer may be written behind what any slice covers, by the one queue that fills it; what a
 * slice covers never changes while another holds a reference (impairment copies before it
 * corrupts: packet_unshare()).
 */
#pragma once

#include "base/check.h"
#include "reeve/packet.h"

#define PACKET_HEAD   160 /* Ethernet 18, IPv6 or IPv4 with options 60, TCP 60, and some */
#define PACKET_SLICES 18  /* 64 KiB in 4 KiB buffers, and both ends */

struct buffer {
	struct reeve_pool *pool;
	uint32_t references;
	uint32_t size;       /* bytes at `bytes` */
	uint32_t class;      /* of size, for the pool's free lists */
	struct buffer *next; /* in a free list */
	uint8_t bytes[];
};

struct slice {
	struct buffer *buffer;
	uint32_t offset, length;
};

struct reeve_packet {
	struct reeve_packet *next; /* in a queue or a free list */
	struct reeve_pool *pool;
	uint32_t length;                 /* head and slices */
	uint16_t head_start, head_end;   /* the head's bytes within `head` */
	uint16_t first_slice, slice_end; /* slices[first_slice..slice_end-1] are in use */
	struct reeve_offload offload;    /* offsets count from the packet's first byte now */
	uint8_t iface;                   /* goes round inside its host: the one it comes in by */
	struct slice slices[PACKET_SLICES];
	uint8_t head[PACKET_HEAD];
};

/* First in, first out; packets are owned by the queue while in it. */
struct packet_queue {
	struct reeve_packet *first, **last;
	uint32_t count;
	uint64_t bytes;
};

/* One reference, `size` bytes at least (the pool rounds up: look at ->size). NULL at the limit. */
struct buffer *buffer_new(struct reeve_pool *pool, size_t size);
struct buffer *buffer_ref(struct buffer *b);
struct buffer *buffer_unref(struct buffer *b); /* takes NULL, returns NULL */

/* Whether little of what the limits allow is left: what can be had again is to be given up. */
bool pool_is_short(const struct reeve_pool *pool);

/* An empty packet with all its head room free. NULL at the limit. */
struct reeve_packet *packet_new(struct reeve_pool *pool);

/* A packet of its own over the same buffers. NULL at the limit. */
struct reeve_packet *packet_clone(const struct reeve_packet *p);

/* A slice more at the end; takes a reference of its own. False when there is no room for one (a
 * slice that continues the last one needs none). */
bool packet_append(struct reeve_packet *p, struct buffer *b, uint32_t offset, uint32_t length);

/* The slices of `from`, all that lies behind its head, at the end of `p` too; `from` keeps its own.
 * False when there is no room for them; `p` is then unchanged. */
bool packet_append_slices(struct reeve_packet *p, const struct reeve_packet *from);

/* Copies bytes to the end, into a new buffer or, while there are no slices, the head. False at the
 * pool's limit or without room; the packet is then unchanged. */
bool packet_append_bytes(struct reeve_packet *p, const void *bytes, size_t length);

/* Room for `length` bytes in front, which the caller fills. The offload's offsets move along. */
uint8_t *packet_push(struct reeve_packet *p, size_t length);

/* Makes the first `length` bytes one piece at packet_data(). False when the packet is shorter or
 * `length` is over PACKET_HEAD. */
bool packet_pull(struct reeve_packet *p, size_t length);

static inline uint8_t *packet_data(struct reeve_packet *p)
{
	return p->head + p->head_start;
}

static inline size_t packet_head_length(const struct reeve_packet *p)
{
	return (size_t)(p->head_end - p->head_start);
}

/* Removes bytes in front, or all but the first `length`. */
void packet_strip(struct reeve_packet *p, size_t length);
void packet_trim(struct reeve_packet *p, size_t length);

/* Copies out; the range must lie in the packet. */
void packet_copy(const struct reeve_packet *p, size_t offset, size_t length, void *ret);

/* Moves the slices' bytes into buffers that nobody else refers to. False at the pool's limit. */
bool packet_unshare(struct reeve_packet *p);

/* A byte of an unshared packet. */
uint8_t *packet_byte(struct reeve_packet *p, size_t offset);

/* The Internet checksum's sum (RFC 1071), not complemented, over a range of the packet, starting
 * from `sum`; fold it with checksum_fold() (base/checksum.h). */
uint64_t packet_sum(const struct reeve_packet *p, size_t offset, size_t length, uint64_t sum);

/* What belongs into the checksum's field: over all from `start` on, with what the field holds
 * already. Never 0, which in UDP says that there is none (RFC 768) and to all others is the same
 * number as 0xffff (RFC 1071). */
uint16_t packet_checksum(const struct reeve_packet *p, size_t start);

void packet_queue_init(struct packet_queue *q);
void packet_queue_push(struct packet_queue *q, struct reeve_packet *p_take);
struct reeve_packet *packet_queue_pop(struct packet_queue *q); /* NULL when empty */
void packet_queue_clear(struct packet_queue *q);               /* frees what is in it */
