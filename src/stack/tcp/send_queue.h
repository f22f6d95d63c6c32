/*
 * What a socket has to send: bytes from the oldest unacknowledged on, in reference-counted buffers.
 * A segment, first sent or sent again, gets slices of those buffers: nothing is copied.
 *
 * Offsets count from the oldest byte. Small writes fill the last buffer; new buffers grow with what
 * is queued and with the writer's hint, so that an empty queue holds no buffer and a busy one 64 KiB
 * at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/packet.h"

struct send_chunk {
	struct buffer *buffer;
	uint32_t offset, length; /* of the queued bytes in the buffer */
	uint32_t position;       /* of the first of them in the stream, modulo 2^32 */
};

struct send_queue {
	struct send_chunk *chunks; /* a ring; a large one goes when it is empty */
	uint32_t first, count, capacity;
	uint32_t length;      /* bytes */
	struct buffer *spare; /* reserved, nothing committed to it yet */
};

void send_queue_init(struct send_queue *q);
void send_queue_deinit(struct send_queue *q);

/* Room for at most `room` bytes, `wanted` of them likely: see reeve_tcp_reserve(). 0 also when
 * memory is out. */
size_t send_queue_reserve(struct send_queue *q, struct reeve_pool *pool, size_t room, size_t wanted,
			  struct iovec iov[2]);

/* At most what was reserved; gives back what was not used. */
void send_queue_commit(struct send_queue *q, size_t bytes);

/* Removes the oldest bytes. */
void send_queue_ack(struct send_queue *q, uint32_t bytes);

/* Appends slices of the range to the packet. Returns the bytes appended: fewer than `length` when
 * the packet has no more room for slices. */
uint32_t send_queue_append(const struct send_queue *q, uint32_t offset, uint32_t length,
			   struct reeve_packet *p);
