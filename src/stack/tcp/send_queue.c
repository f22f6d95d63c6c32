#include "stack/tcp/send_queue.h"

#include <stdlib.h>

#include "base/check.h"

#define CHUNK_MIN     2048
#define CHUNK_MAX     65536
#define RING_CAPACITY 4  /* at first; a power of two always */
#define RING_KEPT     64 /* while the queue is empty: what comes next needs no allocation */

void send_queue_init(struct send_queue *q)
{
	*q = (struct send_queue){ 0 };
}

static struct send_chunk *chunk_at(const struct send_queue *q, uint32_t index)
{
	return &q->chunks[(q->first + index) & (q->capacity - 1)];
}

void send_queue_deinit(struct send_queue *q)
{
	for (uint32_t i = 0; i < q->count; i++)
		buffer_unref(chunk_at(q, i)->buffer);
	buffer_unref(q->spare);
	free(q->chunks);
	*q = (struct send_queue){ 0 };
}

static bool grow(struct send_queue *q)
{
	const uint32_t capacity = q->capacity ? q->capacity * 2 : RING_CAPACITY;
	struct send_chunk *const chunks = malloc(capacity * sizeof(*chunks));

	if (!chunks)
		return false;
	for (uint32_t i = 0; i < q->count; i++)
		chunks[i] = *chunk_at(q, i);
	free(q->chunks);
	q->chunks = chunks;
	q->first = 0;
	q->capacity = capacity;
	return true;
}

static uint32_t chunk_room(const struct send_chunk *c)
{
	return c->buffer->size - c->offset - c->length;
}

static size_t new_chunk_size(const struct send_queue *q, size_t wanted)
{
	const size_t size = wanted > q->length ? wanted : q->length;

	if (size < CHUNK_MIN)
		return CHUNK_MIN;
	return size < CHUNK_MAX ? size : CHUNK_MAX;
}

size_t send_queue_reserve(struct send_queue *q, struct reeve_pool *pool, size_t room, size_t wanted,
			  struct iovec iov[2])
{
	size_t used = 0;

	q->spare = buffer_unref(q->spare); /* of a reservation that was not used */
	if (q->count > 0) {
		struct send_chunk *const tail = chunk_at(q, q->count - 1);
		const size_t free_bytes = chunk_room(tail);
		const size_t taken = free_bytes < room ? free_bytes : room;

		if (taken > 0)
			iov[used++] = (struct iovec){
				.iov_base = tail->buffer->bytes + tail->offset + tail->length,
				.iov_len = taken,
			};
		room -= taken;
		wanted -= taken < wanted ? taken : wanted;
		if (used && wanted == 0)
			return used;
	}
	if (room == 0 || (q->count == q->capacity && !grow(q)))
		return used;
	q->spare = buffer_new(pool, new_chunk_size(q, wanted));
	if (q->spare)
		iov[used++] = (struct iovec){
			.iov_base = q->spare->bytes,
			.iov_len = q->spare->size < room ? q->spare->size : room,
		};
	return used;
}

static void release_ring(struct send_queue *q)
{
	if (q->count > 0 || q->capacity <= RING_KEPT)
		return;
	free(q->chunks);
	q->chunks = NULL;
	q->first = q->capacity = 0;
}

void send_queue_commit(struct send_queue *q, size_t bytes)
{
	uint32_t end = 0; /* the stream position behind the last byte */

	if (q->count > 0) {
		struct send_chunk *const tail = chunk_at(q, q->count - 1);
		const uint32_t room = chunk_room(tail);
		const uint32_t taken = bytes < room ? (uint32_t)bytes : room;

		tail->length += taken;
		q->length += taken;
		bytes -= taken;
		end = tail->position + tail->length;
	}
	if (bytes > 0) {
		check(q->spare && bytes <= q->spare->size && q->count < q->capacity);
		*chunk_at(q, q->count) = (struct send_chunk){
			.buffer = q->spare,
			.length = (uint32_t)bytes,
			.position = end,
		};
		q->count++;
		q->length += (uint32_t)bytes;
		q->spare = NULL;
	}
	q->spare = buffer_unref(q->spare);
	release_ring(q);
}

void send_queue_ack(struct send_queue *q, uint32_t bytes)
{
	check(bytes <= q->length);
	q->length -= bytes;
	while (q->count > 0) {
		struct send_chunk *const head = chunk_at(q, 0);

		if (bytes < head->length) {
			head->offset += bytes;
			head->position += bytes;
			head->length -= bytes;
			break;
		}
		bytes -= head->length;
		buffer_unref(head->buffer);
		q->first = (q->first + 1) & (q->capacity - 1);
		q->count--;
	}
	release_ring(q);
}

/* The chunk that holds the byte at `offset`, by bisection: there may be thousands. */
static uint32_t find_chunk(const struct send_queue *q, uint32_t offset)
{
	const uint32_t base = chunk_at(q, 0)->position;
	uint32_t low = 0, high = q->count - 1;

	while (low < high) {
		const uint32_t middle = (low + high + 1) / 2;

		if (chunk_at(q, middle)->position - base <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

uint32_t send_queue_append(const struct send_queue *q, uint32_t offset, uint32_t length,
			   struct reeve_packet *p)
{
	uint32_t done = 0;

	if (length == 0)
		return 0;
	check(offset < q->length && length <= q->length - offset);
	for (uint32_t i = find_chunk(q, offset); done < length; i++) {
		const struct send_chunk *const c = chunk_at(q, i);
		const uint32_t skip = offset + done - (c->position - chunk_at(q, 0)->position);
		const uint32_t left = c->length - skip;
		const uint32_t taken = left < length - done ? left : length - done;

		if (!packet_append(p, c->buffer, c->offset + skip, taken))
			break;
		done += taken;
	}
	return done;
}
