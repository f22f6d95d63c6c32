#include "stack/tcp/receive_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define RING_CAPACITY 4    /* at first; a power of two always */
#define RING_KEPT     256  /* while the queue is empty: what comes next needs no allocation */
#define COPY_MAX      2048 /* longer slices are never copied */
#define COPY_FEW      256
#define HELD_MAX      (256U << 10) /* bytes of buffers; then wasteful slices are copied */
#define COPY_SHARE    8            /* nor those of more than an eighth of their buffer */
#define COPY_BUFFER   2048         /* where copies go; more when much is queued */
#define COPY_LARGE    16384

/* A range without gaps: its packets are linked by their `next`, in order. */
struct receive_range {
	struct list node;
	struct tcp_seq start, end;
	struct reeve_packet *first, *last;
	uint32_t stamp;
	uint64_t bytes; /* of memory */
};

void receive_queue_init(struct receive_queue *q)
{
	*q = (struct receive_queue){ 0 };
	list_init(&q->ranges);
}

static struct slice *slice_at(const struct receive_queue *q, uint32_t index)
{
	return &q->slices[(q->first + index) & (q->capacity - 1)];
}

static void free_packets(struct reeve_packet *p)
{
	while (p) {
		struct reeve_packet *const next = p->next;

		p->next = NULL;
		reeve_packet_free(p);
		p = next;
	}
}

static void free_range(struct receive_queue *q, struct receive_range *r)
{
	free_packets(r->first);
	q->range_bytes -= r->bytes;
	q->range_count--;
	list_remove(&r->node);
	free(r);
}

void receive_queue_prune(struct receive_queue *q)
{
	list_for_each_safe(node, &q->ranges)
		free_range(q, list_entry(node, struct receive_range, node));
}

void receive_queue_deinit(struct receive_queue *q)
{
	receive_queue_prune(q);
	for (uint32_t i = 0; i < q->count; i++)
		buffer_unref(slice_at(q, i)->buffer);
	free(q->slices);
	receive_queue_init(q);
}

/* Room for `more` slices. */
static bool ensure_ring(struct receive_queue *q, uint32_t more)
{
	uint32_t capacity = q->capacity ? q->capacity : RING_CAPACITY;

	while (capacity < q->count + more)
		capacity *= 2;
	if (capacity == q->capacity)
		return true;

	struct slice *const slices = malloc(capacity * sizeof(*slices));

	if (!slices)
		return false;
	for (uint32_t i = 0; i < q->count; i++)
		slices[i] = *slice_at(q, i);
	free(q->slices);
	q->slices = slices;
	q->first = 0;
	q->capacity = capacity;
	return true;
}

static void release_ring(struct receive_queue *q)
{
	if (q->count > 0 || q->capacity <= RING_KEPT)
		return;
	free(q->slices);
	q->slices = NULL;
	q->first = q->capacity = 0;
}

/* Whether the bytes are few enough, and their buffer large enough, to be worth a copy: always when
 * they are very few, else once the queue holds much memory in that way. */
static bool should_copy(const struct receive_queue *q, const struct slice *s)
{
	if (s->length > COPY_MAX || s->length >= s->buffer->size / COPY_SHARE)
		return false;
	return s->length <= COPY_FEW || q->held > HELD_MAX;
}

/* The last buffer can take copies when nobody but the queue refers to it: it is one of its own. */
static uint32_t tail_room(const struct receive_queue *q)
{
	if (q->count == 0)
		return 0;

	const struct slice *const tail = slice_at(q, q->count - 1);

	if (tail->buffer->references > 1)
		return 0;
	return tail->buffer->size - tail->offset - tail->length;
}

/* `size` is a new buffer's, if one is needed. */
static bool append_copy(struct receive_queue *q, struct reeve_pool *pool, const uint8_t *bytes,
			uint32_t length, uint32_t size)
{
	if (tail_room(q) < length) {
		struct buffer *const b = buffer_new(pool, size);

		if (!b)
			return false;
		*slice_at(q, q->count++) = (struct slice){ .buffer = b, .offset = 0, .length = 0 };
		q->held += b->size;
	}
	check(q->count > 0);

	struct slice *const tail = slice_at(q, q->count - 1);

	memcpy(tail->buffer->bytes + tail->offset + tail->length, bytes, length);
	tail->length += length;
	q->length += length;
	return true;
}

/* Takes the slice's reference. */
static void append_slice(struct receive_queue *q, const struct slice *s)
{
	q->length += s->length;
	if (q->count > 0) {
		struct slice *const tail = slice_at(q, q->count - 1);

		if (tail->buffer == s->buffer && tail->offset + tail->length == s->offset) {
			tail->length += s->length;
			buffer_unref(s->buffer);
			return;
		}
	}
	*slice_at(q, q->count) = *s;
	q->count++;
	q->held += s->buffer->size;
}

static bool continues_tail(const struct receive_queue *q, const struct slice *s)
{
	if (q->count == 0)
		return false;

	const struct slice *const tail = slice_at(q, q->count - 1);

	return tail->buffer == s->buffer && tail->offset + tail->length == s->offset;
}

/* Of a new buffer for copies. */
static uint32_t copy_size(const struct receive_queue *q)
{
	return q->length < COPY_BUFFER ? COPY_BUFFER : COPY_LARGE;
}

/* What came from a link begins in the packet's head. That much has to be copied; and of a small
 * packet all, so that it takes no buffer of its own. */
static bool append_head(struct receive_queue *q, struct reeve_pool *pool, struct reeve_packet *p)
{
	const uint32_t in_head = (uint32_t)packet_head_length(p);
	uint8_t bytes[COPY_MAX];

	if (in_head == 0)
		return true;
	if (p->length > COPY_MAX) {
		if (!append_copy(q, pool, packet_data(p), in_head, in_head))
			return false;
		packet_strip(p, in_head);
		return true;
	}

	const uint32_t length = p->length;

	packet_copy(p, 0, length, bytes);
	if (!append_copy(q, pool, bytes, length, copy_size(q)))
		return false;
	packet_strip(p, length);
	return true;
}

/* Moves what can be moved; at the first failure the rest stays in the packet. */
static bool append_packet(struct receive_queue *q, struct reeve_pool *pool, struct reeve_packet *p)
{
	if (!ensure_ring(q, (uint32_t)(p->slice_end - p->first_slice) + 1) ||
	    !append_head(q, pool, p))
		return false;
	while (p->first_slice < p->slice_end) {
		struct slice *const s = &p->slices[p->first_slice];

		if (s->length == 0 ||
		    (should_copy(q, s) && !continues_tail(q, s) &&
		     append_copy(q, pool, s->buffer->bytes + s->offset, s->length, copy_size(q))))
			buffer_unref(s->buffer);
		else
			append_slice(q, s);
		p->length -= s->length;
		p->first_slice++;
	}
	return true;
}

int receive_queue_append_take(struct receive_queue *q, struct reeve_pool *pool,
			      struct reeve_packet *p_take)
{
	const bool done = append_packet(q, pool, p_take);

	reeve_packet_free(p_take);
	release_ring(q);
	return done ? 0 : -ENOBUFS;
}

/* The memory that a packet holds; a buffer that several refer to counts for each in part. */
static uint64_t packet_cost(const struct reeve_packet *p)
{
	uint64_t cost = sizeof(*p);

	for (unsigned i = p->first_slice; i < p->slice_end; i++) {
		const struct buffer *const b = p->slices[i].buffer;
		const uint32_t part = b->size / b->references;

		cost += part > p->slices[i].length ? part : p->slices[i].length;
	}
	return cost;
}

static struct receive_range *range_of(struct list *node)
{
	return list_entry(node, struct receive_range, node);
}

/* The last range that begins at `s` or before; the head when there is none. From the end, where
 * most of what arrives belongs. */
static struct list *find_left(struct receive_queue *q, struct tcp_seq s)
{
	struct list *node = q->ranges.prev;

	while (node != &q->ranges && seq_after(range_of(node)->start, s))
		node = node->prev;
	return node;
}

/* Removes the ranges that the new bytes cover, and cuts the packet where it runs into one that
 * they do not. */
static void clear_right(struct receive_queue *q, struct list *left, struct tcp_seq start,
			struct reeve_packet *p)
{
	while (left->next != &q->ranges) {
		struct receive_range *const r = range_of(left->next);
		const struct tcp_seq end = seq_add(start, (uint32_t)reeve_packet_length(p));

		if (seq_until(end, r->start))
			break;
		if (seq_after(r->end, end)) {
			packet_trim(p, seq_distance(start, r->start));
			break;
		}
		free_range(q, r);
	}
}

static void join_right(struct receive_queue *q, struct receive_range *r)
{
	if (r->node.next == &q->ranges)
		return;

	struct receive_range *const right = range_of(r->node.next);

	if (!seq_equal(r->end, right->start))
		return;
	r->last->next = right->first;
	r->last = right->last;
	r->end = right->end;
	r->bytes += right->bytes;
	q->range_bytes += right->bytes;
	right->first = NULL;
	free_range(q, right);
}

static struct receive_range *new_range(struct receive_queue *q, struct list *left,
				       struct tcp_seq start)
{
	struct receive_range *const r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct receive_range){ .start = start, .end = start };
	list_init(&r->node);
	list_prepend(left, &r->node); /* behind `left` */
	q->range_count++;
	return r;
}

enum receive_insert receive_queue_insert(struct receive_queue *q, struct tcp_seq start,
					 struct reeve_packet *p, uint64_t max_bytes)
{
	struct list *const left = find_left(q, start);
	struct receive_range *r = left == &q->ranges ? NULL : range_of(left);
	const struct tcp_seq end = seq_add(start, (uint32_t)reeve_packet_length(p));

	check(left);
	/* Its range is reported first: behind a D-SACK that says where it lies (RFC 2883, 4, (3)). */
	if (r && seq_until(end, r->end)) {
		r->stamp = ++q->stamp;
		return RECEIVE_DUPLICATE;
	}
	if (q->range_bytes + packet_cost(p) > max_bytes)
		return RECEIVE_FULL;
	if (r && seq_before(r->end, start))
		r = NULL; /* a gap between them */
	if (!r && q->range_count >= RECEIVE_RANGES_MAX)
		return RECEIVE_FULL;
	if (!r) {
		r = new_range(q, left, start);
		if (!r)
			return RECEIVE_FULL;
	}
	packet_strip(p, seq_distance(start, r->end));
	start = r->end;
	clear_right(q, &r->node, start, p);

	const uint64_t cost = packet_cost(p);

	p->next = NULL;
	if (r->first)
		r->last->next = p;
	else
		r->first = p;
	r->last = p;
	r->end = seq_add(start, (uint32_t)reeve_packet_length(p));
	r->bytes += cost;
	q->range_bytes += cost;
	r->stamp = ++q->stamp;
	join_right(q, r);
	return RECEIVE_INSERTED;
}

/* Moves a range's packets into order. False when memory ran out: the rest stays a range. */
static bool move_range(struct receive_queue *q, struct reeve_pool *pool, struct receive_range *r,
		       struct tcp_seq *next)
{
	while (r->first) {
		struct reeve_packet *const p = r->first;
		const uint32_t length = (uint32_t)reeve_packet_length(p);
		const struct tcp_seq end = seq_add(r->start, length);

		if (seq_after(end, *next)) {
			packet_strip(p, seq_distance(r->start, *next));
			r->start = *next;

			const uint32_t before = q->length;
			const bool done = append_packet(q, pool, p);

			*next = seq_add(*next, q->length - before);
			r->start = *next;
			if (!done)
				return false;
		} else {
			r->start = end;
		}
		r->first = p->next;
		p->next = NULL;
		reeve_packet_free(p);
	}
	return true;
}

struct tcp_seq receive_queue_advance(struct receive_queue *q, struct reeve_pool *pool,
				     struct tcp_seq next)
{
	while (!list_is_empty(&q->ranges)) {
		struct receive_range *const r = range_of(q->ranges.next);

		if (seq_after(r->start, next) || !move_range(q, pool, r, &next))
			break;
		free_range(q, r);
	}
	release_ring(q);
	return next;
}

static bool is_reported(const struct tcp_sack_block *blocks, unsigned count,
			const struct receive_range *r)
{
	for (unsigned i = 0; i < count; i++)
		if (blocks[i].start == r->start.n)
			return true;
	return false;
}

bool receive_queue_has(const struct receive_queue *q, struct tcp_seq start, struct tcp_seq end,
		       struct tcp_sack_block *ret)
{
	for (struct list *node = q->ranges.next; node != &q->ranges; node = node->next) {
		const struct receive_range *const r = range_of(node);
		const struct tcp_seq first = seq_max(start, r->start), last = seq_min(end, r->end);

		if (!seq_before(r->start, end))
			return false;
		if (seq_before(first, last)) {
			*ret = (struct tcp_sack_block){ first.n, last.n };
			return true;
		}
	}
	return false;
}

unsigned receive_queue_sack(const struct receive_queue *q, struct tcp_sack_block *ret,
			    unsigned count)
{
	unsigned used = 0;

	while (used < count && used < q->range_count) {
		const struct receive_range *best = NULL;

		for (struct list *node = q->ranges.next; node != &q->ranges; node = node->next) {
			const struct receive_range *const r = range_of(node);

			if (!is_reported(ret, used, r) &&
			    (!best || (int32_t)(r->stamp - best->stamp) > 0))
				best = r;
		}
		check(best);
		ret[used++] = (struct tcp_sack_block){ best->start.n, best->end.n };
	}
	return used;
}

size_t receive_queue_peek(const struct receive_queue *q, struct iovec *iov, size_t count)
{
	size_t used = 0;

	for (; used < count && used < q->count; used++) {
		const struct slice *const s = slice_at(q, (uint32_t)used);

		iov[used] = (struct iovec){ s->buffer->bytes + s->offset, s->length };
	}
	return used;
}

void receive_queue_consume(struct receive_queue *q, size_t bytes)
{
	check(bytes <= q->length);
	q->length -= (uint32_t)bytes;
	while (q->count > 0) {
		struct slice *const head = slice_at(q, 0);

		if (bytes < head->length) {
			head->offset += (uint32_t)bytes;
			head->length -= (uint32_t)bytes;
			break;
		}
		bytes -= head->length;
		q->held -= head->buffer->size;
		buffer_unref(head->buffer);
		q->first = (q->first + 1) & (q->capacity - 1);
		q->count--;
	}
	release_ring(q);
}
