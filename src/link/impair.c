/*
 * Owns impairment: what happens to a frame between the two sides of a link.
 *
 * Theory of operation. Each direction has its own random numbers, clock of the rate and frames
 * under way, so that what passes one way changes nothing the other way. A frame is first cut to
 * what a link without offloads carries; then, in this order:
 *
 *	down       it is lost
 *	loss       it is lost
 *	corrupt    its bytes become its own, and one byte behind the link header is changed: what the
 *	           Internet checksum covers can't hide that. Only IP: ARP has no checksum
 *	duplicate  a copy follows it, as a frame of its own
 *	queue      lost if queue_packets are under way this way already
 *	rate       it is sent when all that came before has been sent
 *	delay      it arrives delay +- jitter later, not before a frame sent before it
 *	reorder    it arrives later still, by up to the delay or a millisecond, and lets others pass
 *
 * A frame whose time comes while the link is down is lost. Frames under way are in a heap by time,
 * then by order of sending. Nothing runs by itself: receive() moves what is due, both ways.
 */
#include "link/impair.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/packet.h"
#include "base/random.h"
#include "stack/segment.h"
#include "wire/ether.h"

#define QUEUE_DEFAULT 1000

struct under_way {
	struct reeve_time due;
	uint64_t order;
	struct reeve_packet *packet;
};

struct direction {
	struct random random;
	struct under_way *heap; /* the earliest first */
	uint32_t count, room;
	uint64_t order;
	struct reeve_time sent; /* when the rate has let all through that came so far */
	struct reeve_time last; /* due time of the latest frame that was not reordered */
};

struct impair {
	struct link link;
	struct link *inner;
	struct direction out, in;
	struct impair_settings settings;
	struct impair_stats stats;
	bool active;
};

static struct impair *impair_of(struct link *l)
{
	return container_of(l, struct impair, link);
}

static bool is_before(const struct under_way *a, const struct under_way *b)
{
	if (a->due.ns != b->due.ns)
		return reeve_time_before(a->due, b->due);
	return a->order < b->order;
}

static bool heap_push(struct direction *d, const struct under_way *w)
{
	if (d->count == d->room) {
		const uint32_t room = d->room ? d->room * 2 : 16;
		struct under_way *heap = realloc(d->heap, room * sizeof(*heap));

		if (!heap)
			return false;
		d->heap = heap;
		d->room = room;
	}
	uint32_t at = d->count++;

	while (at > 0 && is_before(w, &d->heap[(at - 1) / 2])) {
		d->heap[at] = d->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	d->heap[at] = *w;
	return true;
}

static struct reeve_packet *heap_pop(struct direction *d)
{
	struct reeve_packet *p = d->heap[0].packet;
	const struct under_way moved = d->heap[--d->count];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= d->count)
			break;
		if (child + 1 < d->count && is_before(&d->heap[child + 1], &d->heap[child]))
			child++;
		if (!is_before(&d->heap[child], &moved))
			break;
		d->heap[at] = d->heap[child];
		at = child;
	}
	d->heap[at] = moved;
	return p;
}

static bool happens(struct direction *d, double probability)
{
	if (probability <= 0)
		return false;
	return (double)random_u32(&d->random) < probability * 4294967296.0;
}

/* 0..bound. */
static int64_t random_up_to(struct direction *d, int64_t bound)
{
	if (bound <= 0)
		return 0;
	return (int64_t)(random_u64(&d->random) % ((uint64_t)bound + 1));
}

static bool is_ip(struct reeve_packet *p)
{
	if (p->length <= ETHER_HEADER || !packet_pull(p, ETHER_HEADER))
		return false;
	const uint16_t type = load_be16(packet_data(p) + 12);

	return type == ETHER_IPV4 || type == ETHER_IPV6;
}

/* False when there was no memory for bytes of its own. */
static bool corrupt(struct impair *i, struct direction *d, struct reeve_packet *p)
{
	if (!happens(d, i->settings.corrupt) || !is_ip(p))
		return true;
	const uint32_t at = ETHER_HEADER + random_below(&d->random, p->length - ETHER_HEADER);
	const uint8_t change = (uint8_t)(1 + random_below(&d->random, 255));

	if (!packet_unshare(p))
		return false;
	*packet_byte(p, at) ^= change;
	p->offload.checksum = REEVE_CHECKSUM_UNKNOWN;
	i->stats.corrupted++;
	return true;
}

static struct reeve_time arrival(struct impair *i, struct direction *d, uint32_t length,
				 struct reeve_time now)
{
	const struct impair_settings *s = &i->settings;

	if (reeve_time_before(d->sent, now))
		d->sent = now;
	if (s->rate_bits) {
		const double ns =
			(double)length * 8 * (double)REEVE_NS_PER_S / (double)s->rate_bits;

		d->sent = reeve_time_add(d->sent, ns < 9e18 ? (int64_t)ns : INT64_MAX);
	}
	int64_t delay = s->delay_ns;

	if (s->jitter_ns > 0)
		delay += random_up_to(d, 2 * s->jitter_ns) - s->jitter_ns;
	struct reeve_time due = reeve_time_add(d->sent, delay > 0 ? delay : 0);

	if (happens(d, s->reorder)) {
		const int64_t most = s->delay_ns > REEVE_NS_PER_MS ? s->delay_ns : REEVE_NS_PER_MS;

		i->stats.reordered++;
		return reeve_time_add(due, 1 + random_up_to(d, most));
	}
	if (reeve_time_before(due, d->last))
		due = d->last;
	d->last = due;
	return due;
}

static void enqueue(struct impair *i, struct direction *d, struct reeve_packet *p_take,
		    struct reeve_time now)
{
	const uint32_t limit =
		i->settings.queue_packets ? i->settings.queue_packets : QUEUE_DEFAULT;

	if (d->count >= limit) {
		i->stats.overflowed++;
		i->link.stats.dropped++;
		reeve_packet_free(p_take);
		return;
	}
	const struct under_way w = {
		.due = arrival(i, d, p_take->length, now),
		.order = d->order++,
		.packet = p_take,
	};

	if (!heap_push(d, &w)) {
		i->link.stats.dropped++;
		reeve_packet_free(p_take);
	}
}

static void impair_frame(struct impair *i, struct direction *d, struct reeve_packet *p_take,
			 struct reeve_time now)
{
	if (i->settings.down || happens(d, i->settings.loss)) {
		i->stats.lost++;
		reeve_packet_free(p_take);
		return;
	}
	if (!corrupt(i, d, p_take)) {
		i->link.stats.dropped++;
		reeve_packet_free(p_take);
		return;
	}
	struct reeve_packet *copy = NULL;

	if (happens(d, i->settings.duplicate)) {
		copy = packet_clone(p_take);
		if (copy)
			i->stats.duplicated++;
		else
			i->link.stats.dropped++;
	}
	enqueue(i, d, p_take, now);
	if (copy)
		enqueue(i, d, copy, now);
}

static void impair_packet(struct impair *i, struct direction *d, struct reeve_packet *p_take,
			  struct reeve_time now)
{
	struct packet_queue frames;
	struct reeve_packet *p;

	packet_queue_init(&frames);
	if (!segment_for_link(p_take, 0, &frames))
		i->link.stats.dropped++;
	while ((p = packet_queue_pop(&frames)))
		impair_frame(i, d, p, now);
}

/* The next frame whose time has come, or NULL. */
static struct reeve_packet *next_due(struct impair *i, struct direction *d, struct reeve_time now)
{
	while (d->count && !reeve_time_before(now, d->heap[0].due)) {
		struct reeve_packet *p = heap_pop(d);

		if (!i->active || !i->settings.down) {
			i->stats.passed++;
			return p;
		}
		i->stats.lost++;
		reeve_packet_free(p);
	}
	return NULL;
}

static void send_due(struct impair *i, struct reeve_time now)
{
	struct reeve_packet *p;

	while ((p = next_due(i, &i->out, now)))
		link_send(i->inner, p, now);
}

static void impair_send(struct link *l, struct reeve_packet *p_take, struct reeve_time now)
{
	struct impair *i = impair_of(l);

	l->stats.sent_packets++;
	l->stats.sent_bytes += p_take->length;
	if (!i->active) {
		i->stats.passed++;
		link_send(i->inner, p_take, now);
		return;
	}
	impair_packet(i, &i->out, p_take, now);
	send_due(i, now);
}

static struct reeve_packet *impair_receive(struct link *l, struct reeve_time now)
{
	struct impair *i = impair_of(l);
	struct reeve_packet *p;

	send_due(i, now);
	if (i->active)
		while ((p = link_receive(i->inner, now)))
			impair_packet(i, &i->in, p, now);
	p = next_due(i, &i->in, now);
	if (!p && !i->active) {
		p = link_receive(i->inner, now);
		if (p)
			i->stats.passed++;
	}
	if (p) {
		l->stats.received_packets++;
		l->stats.received_bytes += p->length;
	}
	return p;
}

static struct reeve_time impair_deadline(const struct link *l)
{
	const struct impair *i = container_of_const(l, struct impair, link);
	struct reeve_time first = link_deadline(i->inner);

	if (i->in.count)
		first = reeve_time_min(first, i->in.heap[0].due);
	if (i->out.count)
		first = reeve_time_min(first, i->out.heap[0].due);
	return first;
}

static void direction_free(struct direction *d)
{
	while (d->count)
		reeve_packet_free(heap_pop(d));
	free(d->heap);
}

static void impair_free(struct link *l)
{
	struct impair *i = impair_of(l);

	direction_free(&i->out);
	direction_free(&i->in);
	link_free(i->inner);
	free(i);
}

static const struct link_ops impair_ops = {
	.name = "impair",
	.send = impair_send,
	.receive = impair_receive,
	.deadline = impair_deadline,
	.free = impair_free,
};

struct link *impair_new(struct link *inner)
{
	struct impair *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->link.ops = &impair_ops;
	i->link.mtu = inner->mtu;
	i->link.offloads = inner->offloads;
	i->inner = inner;
	return &i->link;
}

static void direction_seed(struct direction *d, uint64_t number, uint8_t which)
{
	uint8_t seed[32] = { 0 };

	store_be32(seed, (uint32_t)(number >> 32));
	store_be32(seed + 4, (uint32_t)number);
	seed[8] = which;
	random_init(&d->random, seed);
}

void impair_set(struct link *impair, const struct impair_settings *settings, struct reeve_time now)
{
	struct impair *i = impair_of(impair);

	i->active = settings;
	i->link.offloads = settings ? 0 : i->inner->offloads;
	if (!settings)
		return;
	i->settings = *settings;
	direction_seed(&i->out, settings->seed, 0);
	direction_seed(&i->in, settings->seed, 1);
	/* What was slower must not hold up what comes from now on. */
	i->out.sent = i->out.last = now;
	i->in.sent = i->in.last = now;
}

bool impair_get(const struct link *impair, struct impair_settings *ret)
{
	const struct impair *i = container_of_const(impair, struct impair, link);

	if (i->active)
		*ret = i->settings;
	return i->active;
}

void impair_stats(const struct link *impair, struct impair_stats *ret)
{
	const struct impair *i = container_of_const(impair, struct impair, link);

	*ret = i->stats;
}
