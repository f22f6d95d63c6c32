/*
 * Packets, buffers and pools.
 *
 * Theory of operation. A pool hands out packets of one size and buffers of a few sizes, and keeps
 * what is given back in free lists, so that the steady state allocates nothing. The limits count
 * what is alive; the free lists are bounded by themselves.
 */
#include "base/packet.h"

#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/poison.h"

/* Sizes of buffers: a small write or a frame of 1,500 bytes; some; a whole frame of 64 KiB. */
static const uint32_t class_size[] = { 2048, 16384, REEVE_FRAME_MAX + 51 };

#define CLASSES       array_length(class_size)
#define FREE_PACKETS  1024
#define RESERVE_SHARE 8   /* the last eighth is short */
#define FREE_BUFFERS  128 /* a class */

/* Where the head of a packet that begins empty is filled from when bytes are pulled into it. */
#define PULL_START 8

struct reeve_pool {
	struct reeve_pool_config config;
	struct reeve_pool_stats stats;
	struct reeve_packet *free_packets;
	uint32_t free_packet_count;
	struct buffer *free_buffers[CLASSES];
	uint32_t free_buffer_count[CLASSES];
};

struct reeve_pool *reeve_pool_new(const struct reeve_pool_config *config)
{
	struct reeve_pool *pool = calloc(1, sizeof(*pool));

	if (pool)
		pool->config = *config;
	return pool;
}

struct reeve_pool *reeve_pool_free(struct reeve_pool *pool)
{
	if (!pool)
		return NULL;
	check(pool->stats.packets == 0 && pool->stats.buffers == 0);
	while (pool->free_packets) {
		struct reeve_packet *const p = pool->free_packets;

		pool->free_packets = p->next;
		free(p);
	}
	for (size_t i = 0; i < CLASSES; i++) {
		while (pool->free_buffers[i]) {
			struct buffer *const b = pool->free_buffers[i];

			pool->free_buffers[i] = b->next;
			free(b);
		}
	}
	free(pool);
	return NULL;
}

void reeve_pool_stats(const struct reeve_pool *pool, struct reeve_pool_stats *ret)
{
	*ret = pool->stats;
}

bool pool_is_short(const struct reeve_pool *pool)
{
	const struct reeve_pool_config *const most = &pool->config;

	return pool->stats.packets > most->max_packets - most->max_packets / RESERVE_SHARE ||
	       pool->stats.buffer_bytes >
		       most->max_buffer_bytes - most->max_buffer_bytes / RESERVE_SHARE;
}

static struct buffer *buffer_allocate(struct reeve_pool *pool, uint32_t class)
{
	struct buffer *b = pool->free_buffers[class];

	if (b) {
		pool->free_buffers[class] = b->next;
		pool->free_buffer_count[class]--;
		unpoison(b->bytes, b->size);
		return b;
	}
	b = malloc(sizeof(*b) + class_size[class]);
	if (b) {
		b->pool = pool;
		b->size = class_size[class];
		b->class = class;
	}
	return b;
}

struct buffer *buffer_new(struct reeve_pool *pool, size_t size)
{
	uint32_t class = 0;

	while (class < CLASSES && class_size[class] < size)
		class ++;
	check(class < CLASSES);
	struct buffer *b = NULL;

	if (pool->stats.buffer_bytes + class_size[class] <= pool->config.max_buffer_bytes)
		b = buffer_allocate(pool, class);
	if (!b) {
		pool->stats.refused++;
		return NULL;
	}
	b->references = 1;
	b->next = NULL;
	pool->stats.buffers++;
	pool->stats.buffer_bytes += b->size;
	return b;
}

struct buffer *buffer_ref(struct buffer *b)
{
	check(b->references > 0 && b->references < UINT32_MAX);
	b->references++;
	return b;
}

struct buffer *buffer_unref(struct buffer *b)
{
	if (!b)
		return NULL;
	check(b->references > 0);
	if (--b->references > 0)
		return NULL;
	struct reeve_pool *const pool = b->pool;

	pool->stats.buffers--;
	pool->stats.buffer_bytes -= b->size;
	if (pool->free_buffer_count[b->class] >= FREE_BUFFERS) {
		free(b);
		return NULL;
	}
	b->next = pool->free_buffers[b->class];
	poison(b->bytes, b->size);
	pool->free_buffers[b->class] = b;
	pool->free_buffer_count[b->class]++;
	return NULL;
}

static struct reeve_packet *packet_allocate(struct reeve_pool *pool)
{
	struct reeve_packet *p = pool->free_packets;

	if (p) {
		pool->free_packets = p->next;
		pool->free_packet_count--;
		unpoison(&p->length, sizeof(*p) - offsetof(struct reeve_packet, length));
		return p;
	}
	p = malloc(sizeof(*p));
	if (p)
		p->pool = pool;
	return p;
}

struct reeve_packet *packet_new(struct reeve_pool *pool)
{
	struct reeve_packet *p = NULL;

	if (pool->stats.packets < pool->config.max_packets)
		p = packet_allocate(pool);
	if (!p) {
		pool->stats.refused++;
		return NULL;
	}
	pool->stats.packets++;
	p->next = NULL;
	p->length = 0;
	p->head_start = PACKET_HEAD;
	p->head_end = PACKET_HEAD;
	p->first_slice = 0;
	p->slice_end = 0;
	p->offload = (struct reeve_offload){ 0 };
	p->iface = 0;
	return p;
}

struct reeve_packet *reeve_packet_free(struct reeve_packet *p)
{
	if (!p)
		return NULL;
	struct reeve_pool *const pool = p->pool;

	for (unsigned i = p->first_slice; i < p->slice_end; i++)
		buffer_unref(p->slices[i].buffer);
	pool->stats.packets--;
	if (pool->free_packet_count >= FREE_PACKETS) {
		free(p);
		return NULL;
	}
	p->next = pool->free_packets;
	poison(&p->length, sizeof(*p) - offsetof(struct reeve_packet, length));
	pool->free_packets = p;
	pool->free_packet_count++;
	return NULL;
}

struct reeve_packet *packet_clone(const struct reeve_packet *p)
{
	struct reeve_packet *const c = packet_new(p->pool);

	if (!c)
		return NULL;
	c->length = p->length;
	c->head_start = p->head_start;
	c->head_end = p->head_end;
	c->offload = p->offload;
	memcpy(c->head + c->head_start, p->head + p->head_start, packet_head_length(p));
	for (unsigned i = p->first_slice; i < p->slice_end; i++) {
		c->slices[c->slice_end] = p->slices[i];
		buffer_ref(c->slices[c->slice_end].buffer);
		c->slice_end++;
	}
	return c;
}

bool packet_append(struct reeve_packet *p, struct buffer *b, uint32_t offset, uint32_t length)
{
	check(offset <= b->size && length <= b->size - offset);
	if (length == 0)
		return true;
	if (p->slice_end > p->first_slice) {
		struct slice *const last = &p->slices[p->slice_end - 1];

		if (last->buffer == b && last->offset + last->length == offset) {
			last->length += length;
			p->length += length;
			return true;
		}
	}
	if (p->slice_end == PACKET_SLICES)
		return false;
	p->slices[p->slice_end++] = (struct slice){ buffer_ref(b), offset, length };
	p->length += length;
	return true;
}

bool packet_append_slices(struct reeve_packet *p, const struct reeve_packet *from)
{
	const uint32_t length = p->length;

	for (unsigned i = from->first_slice; i < from->slice_end; i++) {
		const struct slice *const s = &from->slices[i];

		if (packet_append(p, s->buffer, s->offset, s->length))
			continue;
		packet_trim(p, length);
		return false;
	}
	return true;
}

bool packet_append_bytes(struct reeve_packet *p, const void *bytes, size_t length)
{
	if (p->slice_end == p->first_slice && length <= (size_t)(PACKET_HEAD - p->head_end)) {
		memcpy(p->head + p->head_end, bytes, length);
		p->head_end = (uint16_t)(p->head_end + length);
		p->length += (uint32_t)length;
		return true;
	}
	if (length > REEVE_FRAME_MAX)
		return false;
	struct buffer *b = buffer_new(p->pool, length);

	if (!b)
		return false;
	memcpy(b->bytes, bytes, length);
	const bool done = packet_append(p, b, 0, (uint32_t)length);

	buffer_unref(b);
	return done;
}

struct reeve_packet *reeve_packet_from_bytes(struct reeve_pool *pool, const void *bytes,
					     size_t length, const struct reeve_offload *offload)
{
	const uint8_t *from = bytes;

	if (length > REEVE_FRAME_MAX)
		return NULL;
	struct reeve_packet *const p = packet_new(pool);

	if (!p)
		return NULL;
	/* All headers fit into the head, so that nothing has to be pulled later. */
	const size_t room = PACKET_HEAD - PULL_START;
	const size_t head = length < room ? length : room;

	p->head_start = PULL_START;
	p->head_end = PULL_START;
	if (!packet_append_bytes(p, from, head) ||
	    (length > head && !packet_append_bytes(p, from + head, length - head)))
		return reeve_packet_free(p);
	if (offload)
		p->offload = *offload;
	return p;
}

size_t reeve_packet_length(const struct reeve_packet *p)
{
	return p->length;
}

const struct reeve_offload *reeve_packet_offload(const struct reeve_packet *p)
{
	return &p->offload;
}

size_t reeve_packet_iov(const struct reeve_packet *p, struct iovec *iov, size_t count)
{
	const size_t head = packet_head_length(p);
	const size_t needed = (head > 0) + (size_t)(p->slice_end - p->first_slice);
	size_t used = 0;

	if (needed > count)
		return 0;
	/* struct iovec has no const; readers of a packet only read. */
	if (head > 0)
		iov[used++] = (struct iovec){
			(void *)(uintptr_t)(p->head + p->head_start),
			head,
		};
	for (unsigned i = p->first_slice; i < p->slice_end; i++) {
		const struct slice *const s = &p->slices[i];

		iov[used++] = (struct iovec){ s->buffer->bytes + s->offset, s->length };
	}
	return used;
}

uint8_t *packet_push(struct reeve_packet *p, size_t length)
{
	check(length <= p->head_start);
	p->head_start = (uint16_t)(p->head_start - length);
	p->length += (uint32_t)length;
	if (p->offload.checksum == REEVE_CHECKSUM_PARTIAL)
		p->offload.checksum_start = (uint16_t)(p->offload.checksum_start + length);
	return packet_data(p);
}

/* Moves the head's bytes down if they would otherwise not fit behind each other. */
static bool head_make_room(struct reeve_packet *p, size_t more)
{
	const size_t head = packet_head_length(p);

	if (head == 0) {
		p->head_start = PULL_START;
		p->head_end = PULL_START;
	}
	if (p->head_end + more <= PACKET_HEAD)
		return true;
	if (head + more > PACKET_HEAD)
		return false;
	memmove(p->head, p->head + p->head_start, head);
	p->head_start = 0;
	p->head_end = (uint16_t)head;
	return true;
}

/* Takes bytes from the front of the slices, into `ret` if it is not NULL. */
static void slices_take(struct reeve_packet *p, size_t length, uint8_t *ret)
{
	while (length > 0) {
		struct slice *const s = &p->slices[p->first_slice];
		const uint32_t part = length < s->length ? (uint32_t)length : s->length;

		if (ret) {
			memcpy(ret, s->buffer->bytes + s->offset, part);
			ret += part;
		}
		s->offset += part;
		s->length -= part;
		length -= part;
		if (s->length == 0) {
			buffer_unref(s->buffer);
			p->first_slice++;
		}
	}
}

bool packet_pull(struct reeve_packet *p, size_t length)
{
	const size_t head = packet_head_length(p);

	if (length <= head)
		return true;
	if (length > p->length || !head_make_room(p, length - head))
		return false;
	slices_take(p, length - head, p->head + p->head_end);
	p->head_end = (uint16_t)(p->head_end + (length - head));
	return true;
}

void packet_strip(struct reeve_packet *p, size_t length)
{
	const size_t head = packet_head_length(p);
	const size_t from_head = length < head ? length : head;

	check(length <= p->length);
	p->head_start = (uint16_t)(p->head_start + from_head);
	slices_take(p, length - from_head, NULL);
	p->length -= (uint32_t)length;
	if (p->offload.checksum == REEVE_CHECKSUM_PARTIAL)
		p->offload.checksum_start = p->offload.checksum_start > length
						    ? (uint16_t)(p->offload.checksum_start - length)
						    : 0;
}

void packet_trim(struct reeve_packet *p, size_t length)
{
	check(length <= p->length);
	size_t excess = p->length - length;

	p->length = (uint32_t)length;
	while (excess > 0 && p->slice_end > p->first_slice) {
		struct slice *const s = &p->slices[p->slice_end - 1];
		const uint32_t part = excess < s->length ? (uint32_t)excess : s->length;

		s->length -= part;
		excess -= part;
		if (s->length == 0) {
			buffer_unref(s->buffer);
			p->slice_end--;
		}
	}
	p->head_end = (uint16_t)(p->head_end - excess);
}

void packet_copy(const struct reeve_packet *p, size_t offset, size_t length, void *ret)
{
	uint8_t *to = ret;
	const size_t head = packet_head_length(p);

	check(offset <= p->length && length <= p->length - offset);
	if (offset < head) {
		const size_t part = length < head - offset ? length : head - offset;

		memcpy(to, p->head + p->head_start + offset, part);
		to += part;
		length -= part;
		offset = 0;
	} else {
		offset -= head;
	}
	for (unsigned i = p->first_slice; length > 0; i++) {
		const struct slice *const s = &p->slices[i];

		if (offset >= s->length) {
			offset -= s->length;
			continue;
		}
		const size_t part = length < s->length - offset ? length : s->length - offset;

		memcpy(to, s->buffer->bytes + s->offset + offset, part);
		to += part;
		length -= part;
		offset = 0;
	}
}

bool packet_unshare(struct reeve_packet *p)
{
	const size_t head = packet_head_length(p);
	const size_t length = p->length - head;

	if (length == 0)
		return true;
	struct buffer *const b = buffer_new(p->pool, length);

	if (!b)
		return false;
	packet_copy(p, head, length, b->bytes);
	for (unsigned i = p->first_slice; i < p->slice_end; i++)
		buffer_unref(p->slices[i].buffer);
	p->first_slice = 0;
	p->slice_end = 1;
	p->slices[0] = (struct slice){ b, 0, (uint32_t)length };
	return true;
}

uint8_t *packet_byte(struct reeve_packet *p, size_t offset)
{
	const size_t head = packet_head_length(p);

	check(offset < p->length);
	if (offset < head)
		return packet_data(p) + offset;
	offset -= head;
	unsigned i = p->first_slice;

	for (; offset >= p->slices[i].length; i++)
		offset -= p->slices[i].length;
	check(p->slices[i].buffer->references == 1);
	return p->slices[i].buffer->bytes + p->slices[i].offset + offset;
}

uint64_t packet_sum(const struct reeve_packet *p, size_t offset, size_t length, uint64_t sum)
{
	const size_t head = packet_head_length(p);
	size_t summed = 0;

	check(offset <= p->length && length <= p->length - offset);
	if (offset < head) {
		summed = length < head - offset ? length : head - offset;
		sum = checksum_add(sum, p->head + p->head_start + offset, summed);
		offset = head;
	}
	offset -= head; /* in the slices from here on */
	for (unsigned i = p->first_slice; summed < length; i++) {
		const struct slice *const s = &p->slices[i];

		if (offset >= s->length) {
			offset -= s->length;
			continue;
		}
		const uint8_t *const from = s->buffer->bytes + s->offset + offset;
		const size_t left = s->length - offset;
		const size_t part = left < length - summed ? left : length - summed;

		sum = summed % 2 ? checksum_add_odd(sum, from, part)
				 : checksum_add(sum, from, part);
		summed += part;
		offset = 0;
	}
	return sum;
}

uint16_t packet_checksum(const struct reeve_packet *p, size_t start)
{
	const uint16_t sum = checksum_fold(packet_sum(p, start, p->length - start, 0));

	return sum == 0xffff ? sum : (uint16_t)~sum;
}

void packet_queue_init(struct packet_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
	q->count = 0;
	q->bytes = 0;
}

void packet_queue_push(struct packet_queue *q, struct reeve_packet *p_take)
{
	p_take->next = NULL;
	*q->last = p_take;
	q->last = &p_take->next;
	q->count++;
	q->bytes += p_take->length;
}

struct reeve_packet *packet_queue_pop(struct packet_queue *q)
{
	struct reeve_packet *const p = q->first;

	if (!p)
		return NULL;
	q->first = p->next;
	if (!q->first)
		q->last = &q->first;
	q->count--;
	q->bytes -= p->length;
	p->next = NULL;
	return p;
}

void packet_queue_clear(struct packet_queue *q)
{
	for (struct reeve_packet *p; (p = packet_queue_pop(q)) != NULL;)
		reeve_packet_free(p);
}
