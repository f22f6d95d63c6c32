/*
 * Reassembly.
 *
 * Theory of operation. The pieces of a datagram are kept as they came, in an array sorted by
 * offset; they never overlap. When the last piece is known and the bytes add up to its end, there
 * are no holes, and all is copied into one new packet.
 *
 * A fragment that overlaps another kills its datagram for good (RFC 5722's rule for IPv6, which has
 * proved right for IPv4 too): its pieces are dropped, and the empty datagram stays until its time
 * is over, to drop those that still come. A piece that is there already, byte for byte in the same
 * place, is what a network that duplicates makes of honest traffic; only the duplicate is dropped.
 *
 * Limits: datagrams and memory of the host (the oldest datagram makes room), datagrams and memory
 * of a source (the newcomer is refused, so that a source only hurts itself), pieces of a datagram.
 * Memory counts what keeping a packet costs, not the few bytes that it may carry.
 */
#include "stack/fragment.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "stack/icmp.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

#define BUCKETS 256

/* A whole packet's first bytes, IP header and transport header, are put into its head. */
#define HEAD_START     16
#define HEAD_TRANSPORT 64

struct piece {
	uint16_t offset;
	uint16_t length;
	struct reeve_packet *packet; /* the IP header in front */
};

struct datagram {
	struct list bucket;
	struct list age; /* oldest first */
	struct timer timer;
	uint32_t source, destination;
	uint16_t id;
	uint8_t protocol;
	bool dead;        /* pieces overlapped */
	bool congested;   /* a piece was marked CE */
	bool incapable;   /* a piece was Not-ECT */
	uint32_t total;   /* payload bytes, 0: not known yet */
	uint32_t length;  /* payload bytes here */
	uint32_t charged; /* for the pieces */
	unsigned count, capacity;
	struct piece *pieces;
	struct ip_received first_how; /* how the first piece came */
};

struct fragment_table {
	struct hash_key key;
	uint32_t datagrams, pieces, memory;
	struct list age;
	struct list buckets[BUCKETS];
};

struct fragment_table *fragment_table_new(struct reeve_host *host)
{
	struct fragment_table *const t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	host_derive(host, &t->key, sizeof(t->key));
	list_init(&t->age);
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&t->buckets[i]);
	return t;
}

uint32_t fragment_count(const struct reeve_host *host)
{
	return host->fragments->pieces;
}

uint32_t fragment_memory(const struct reeve_host *host)
{
	return host->fragments->memory;
}

/* Lets go of all pieces; counts each as `reason` unless it is REEVE_DROP_COUNT. */
static void clear(struct reeve_host *host, struct fragment_table *t, struct datagram *d,
		  enum reeve_drop reason)
{
	for (unsigned i = 0; i < d->count; i++) {
		if (!d->pieces[i].packet)
			continue;
		if (reason != REEVE_DROP_COUNT)
			host_drop_take(host, d->pieces[i].packet, reason);
		else
			reeve_packet_free(d->pieces[i].packet);
	}
	t->pieces -= d->count;
	t->memory -= d->charged;
	d->charged = 0;
	d->count = 0;
}

static void forget(struct reeve_host *host, struct fragment_table *t, struct datagram *d,
		   enum reeve_drop reason)
{
	clear(host, t, d, reason);
	timer_disarm(&host->timers, &d->timer);
	list_remove(&d->bucket);
	list_remove(&d->age);
	t->datagrams--;
	t->memory -= (uint32_t)sizeof(*d);
	free(d->pieces);
	free(d);
}

struct fragment_table *fragment_table_free(struct reeve_host *host, struct fragment_table *t)
{
	if (!t)
		return NULL;
	list_for_each_safe(node, &t->age)
		forget(host, t, list_entry(node, struct datagram, age), REEVE_DROP_COUNT);
	free(t);
	return NULL;
}

static struct list *bucket_of(struct fragment_table *t, const struct ipv4_header *h)
{
	const uint32_t key[3] = {
		h->source,
		h->destination,
		(uint32_t)h->id << 8 | h->protocol,
	};

	return &t->buckets[hash_bytes(&t->key, key, sizeof(key)) % BUCKETS];
}

static struct datagram *find(struct fragment_table *t, const struct ipv4_header *h)
{
	const struct list *const bucket = bucket_of(t, h);

	list_for_each(node, bucket) {
		struct datagram *const d = list_entry(node, struct datagram, bucket);

		if (d->id == h->id && d->protocol == h->protocol && d->source == h->source &&
		    d->destination == h->destination)
			return d;
	}
	return NULL;
}

/* Whether this source may make the host keep `charge` bytes more, for one more datagram if `fresh`.
 * Walks the unfinished datagrams, of which there are few by the limit. */
static bool source_may(const struct fragment_table *t, uint32_t source, uint32_t charge, bool fresh)
{
	unsigned datagrams = fresh;
	uint32_t memory = charge;

	list_for_each(node, &t->age) {
		const struct datagram *const d = list_entry(node, struct datagram, age);

		if (d->source != source)
			continue;
		datagrams++;
		memory += d->charged;
	}
	return datagrams <= FRAGMENT_DATAGRAMS_A_SOURCE && memory <= FRAGMENT_MEMORY_A_SOURCE;
}

/* The oldest datagrams make room; `keep` does not. */
static void make_room(struct reeve_host *host, struct fragment_table *t, uint32_t charge,
		      const struct datagram *keep)
{
	list_for_each_safe(node, &t->age) {
		struct datagram *const d = list_entry(node, struct datagram, age);

		if (t->memory + charge <= FRAGMENT_MEMORY &&
		    (keep || t->datagrams < FRAGMENT_DATAGRAMS))
			return;
		if (d != keep)
			forget(host, t, d, REEVE_DROP_FRAGMENT_LIMIT);
	}
}

static struct datagram *create(struct reeve_host *host, struct fragment_table *t,
			       const struct ipv4_header *h)
{
	struct datagram *const d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->source = h->source;
	d->destination = h->destination;
	d->id = h->id;
	d->protocol = h->protocol;
	list_init(&d->bucket);
	list_init(&d->age);
	list_append(bucket_of(t, h), &d->bucket);
	list_append(&t->age, &d->age);
	timer_init(&d->timer, FRAGMENT_TIMER_DATAGRAM);
	timer_arm(&host->timers, &d->timer, reeve_time_add_ms(host->now, FRAGMENT_TIMEOUT_MS));
	t->datagrams++;
	t->memory += (uint32_t)sizeof(*d);
	return d;
}

/*
 * What no fragment may be. Zero bytes, a length that is no multiple of 8 but at the end (RFC 791),
 * an end over 65,535, and for TCP a first fragment that does not hold the whole fixed header or a
 * second one that begins within it (RFC 1858, 3; RFC 3128).
 */
static bool is_bad(const struct ipv4_header *h)
{
	const uint32_t length = (uint32_t)(h->total_length - h->header_length);

	if (length == 0 || (h->more_fragments && length % 8 != 0))
		return true;
	if ((uint32_t)h->fragment_offset + length + h->header_length > IPV4_PACKET_MAX)
		return true;
	if (h->protocol != IP_TCP)
		return false;
	return (h->fragment_offset == 0 && length < 20) ||
	       (h->fragment_offset > 0 && h->fragment_offset < 20);
}

enum place {
	PLACE_FREE,
	PLACE_DUPLICATE,
	PLACE_OVERLAP,
};

/* Where a piece belongs among those that are here: *ret_index is set when the place is free. */
static enum place find_place(const struct datagram *d, uint32_t offset, uint32_t length,
			     unsigned *ret_index)
{
	unsigned low = 0;
	unsigned high = d->count;

	while (low < high) {
		const unsigned middle = low + (high - low) / 2;

		if (d->pieces[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	const struct piece *const after = low < d->count ? &d->pieces[low] : NULL;
	const struct piece *const before = low > 0 ? &d->pieces[low - 1] : NULL;

	if (after && after->offset == offset && after->length == length)
		return PLACE_DUPLICATE;
	if (after && offset + length > after->offset)
		return PLACE_OVERLAP;
	if (before && (uint32_t)before->offset + before->length > offset)
		return PLACE_OVERLAP;
	*ret_index = low;
	return PLACE_FREE;
}

/* Whether the ends agree: one last fragment, and nothing behind it. */
static bool ends_agree(const struct datagram *d, const struct ipv4_header *h, uint32_t end)
{
	if (d->total && (end > d->total || (!h->more_fragments && end != d->total)))
		return false;
	if (h->more_fragments || d->count == 0)
		return true;
	const struct piece *const last = &d->pieces[d->count - 1];

	return (uint32_t)last->offset + last->length <= end;
}

static bool insert(struct fragment_table *t, struct datagram *d, unsigned index,
		   const struct piece *piece)
{
	if (d->count == d->capacity) {
		const unsigned capacity = d->capacity ? 2 * d->capacity : 8;
		struct piece *const pieces = realloc(d->pieces, capacity * sizeof(*pieces));

		if (!pieces)
			return false;
		d->pieces = pieces;
		d->capacity = capacity;
	}
	memmove(&d->pieces[index + 1], &d->pieces[index],
		(d->count - index) * sizeof(d->pieces[0]));
	d->pieces[index] = *piece;
	d->count++;
	t->pieces++;
	return true;
}

/* All the payload, copied behind the first fragment's IP header. NULL at the pool's limit. */
static struct reeve_packet *join(struct reeve_host *host, const struct datagram *d,
				 const struct ipv4_header *h)
{
	struct reeve_packet *p = packet_new(host->pool);
	struct buffer *b = NULL;
	const uint32_t in_head = d->total < HEAD_TRANSPORT ? d->total : HEAD_TRANSPORT;

	if (!p)
		return NULL;
	p->head_start = HEAD_START;
	p->head_end = HEAD_START;
	if (d->total > in_head) {
		b = buffer_new(host->pool, d->total - in_head);
		if (!b)
			return reeve_packet_free(p);
	}
	uint8_t *const head = p->head + p->head_end;

	ipv4_emit(h, head);
	for (unsigned i = 0; i < d->count; i++) {
		const struct piece *const piece = &d->pieces[i];
		const size_t header = piece->packet->length - piece->length;
		const uint32_t first = piece->offset < in_head ? in_head - piece->offset : 0;
		const uint32_t to_head = first < piece->length ? first : piece->length;

		packet_copy(piece->packet, header, to_head,
			    head + h->header_length + piece->offset);
		if (to_head < piece->length)
			packet_copy(piece->packet, header + to_head, piece->length - to_head,
				    b->bytes + piece->offset + to_head - in_head);
	}
	p->head_end = (uint16_t)(p->head_end + h->header_length + in_head);
	p->length = h->header_length + in_head;
	if (b) {
		check(packet_append(p, b, 0, d->total - in_head));
		buffer_unref(b);
	}
	return p;
}

/* The datagram is whole: gives it up for a packet. */
static struct reeve_packet *finish(struct reeve_host *host, struct datagram *d,
				   struct ipv4_header *h)
{
	struct fragment_table *const t = host->fragments;
	struct reeve_packet *const first = d->pieces[0].packet;
	struct ipv4_header whole;

	struct cursor c = cursor_over(packet_data(first), packet_head_length(first));

	check(ipv4_parse(&c, &whole) == IPV4_OK);
	whole.more_fragments = false;
	whole.total_length = (uint16_t)(whole.header_length + d->total);
	if (d->congested)
		whole.tos |= IP_ECN_CE;
	/* A first fragment with more options than the last one had; or a mark that a sender which takes
	 * no part in ECN would not understand, and that must not be lost (RFC 3168, 5.3). */
	if (whole.header_length + d->total > IPV4_PACKET_MAX || (d->congested && d->incapable)) {
		forget(host, t, d, REEVE_DROP_FRAGMENT_BAD);
		return NULL;
	}
	struct reeve_packet *const p = join(host, d, &whole);

	if (!p) {
		forget(host, t, d, REEVE_DROP_NO_MEMORY);
		return NULL;
	}
	host->stats.ip_reassembled++;
	host->stats.ip_fragments_joined += d->count;
	forget(host, t, d, REEVE_DROP_COUNT);
	*h = whole;
	return p;
}

/* Puts the piece in its place. REEVE_DROP_COUNT: it was taken; else why not. */
static enum reeve_drop add(struct reeve_host *host, struct datagram *d, struct reeve_packet *p,
			   const struct ip_received *how, const struct ipv4_header *h)
{
	struct fragment_table *const t = host->fragments;
	const uint32_t charge = host_charge(p);
	const struct piece piece = {
		.offset = h->fragment_offset,
		.length = (uint16_t)(h->total_length - h->header_length),
		.packet = p,
	};
	unsigned index = 0;
	const enum place place = find_place(d, piece.offset, piece.length, &index);

	if (place == PLACE_DUPLICATE)
		return REEVE_DROP_FRAGMENT_OVERLAP;
	if (place == PLACE_OVERLAP || !ends_agree(d, h, (uint32_t)piece.offset + piece.length)) {
		clear(host, t, d, REEVE_DROP_FRAGMENT_OVERLAP);
		d->dead = true;
		return REEVE_DROP_FRAGMENT_OVERLAP;
	}
	if (d->count == FRAGMENT_PIECES || !source_may(t, h->source, charge, false))
		return REEVE_DROP_FRAGMENT_LIMIT;
	make_room(host, t, charge, d);
	if (!insert(t, d, index, &piece))
		return REEVE_DROP_NO_MEMORY;
	d->charged += charge;
	t->memory += charge;
	d->length += piece.length;
	d->congested |= (h->tos & IP_ECN_MASK) == IP_ECN_CE;
	d->incapable |= (h->tos & IP_ECN_MASK) == IP_ECN_NONE;
	if (!h->more_fragments)
		d->total = (uint32_t)piece.offset + piece.length;
	if (h->fragment_offset == 0)
		d->first_how = *how;
	return REEVE_DROP_COUNT;
}

struct reeve_packet *fragment_input_take(struct reeve_host *host, struct reeve_packet *p_take,
					 const struct ip_received *how, struct ipv4_header *h)
{
	struct fragment_table *const t = host->fragments;

	host->stats.ip_fragments_in++;
	if (is_bad(h)) {
		host_drop_take(host, p_take, REEVE_DROP_FRAGMENT_BAD);
		return NULL;
	}
	struct datagram *d = find(t, h);

	if (!d) {
		if (!source_may(t, h->source, host_charge(p_take), true)) {
			host_drop_take(host, p_take, REEVE_DROP_FRAGMENT_LIMIT);
			return NULL;
		}
		make_room(host, t, (uint32_t)sizeof(*d), NULL);
		d = create(host, t, h);
	}
	if (!d || d->dead) {
		host_drop_take(host, p_take,
			       d ? REEVE_DROP_FRAGMENT_OVERLAP : REEVE_DROP_NO_MEMORY);
		return NULL;
	}
	const enum reeve_drop reason = add(host, d, p_take, how, h);

	if (reason != REEVE_DROP_COUNT) {
		host_drop_take(host, p_take, reason);
		return NULL;
	}
	return d->total && d->length == d->total ? finish(host, d, h) : NULL;
}

/* RFC 792, 4: time exceeded, if the first fragment is there to be quoted. */
void fragment_timer_fired(struct reeve_host *host, struct timer *timer)
{
	struct datagram *const d = container_of(timer, struct datagram, timer);
	struct reeve_packet *first = NULL;
	const struct ip_received how = d->first_how;

	if (d->count > 0 && d->pieces[0].offset == 0) {
		first = d->pieces[0].packet;
		d->pieces[0].packet = NULL;
	}
	forget(host, host->fragments, d, REEVE_DROP_FRAGMENT_TIMEOUT);
	if (!first)
		return;
	packet_strip(first, how.header_length);
	icmp_refuse_take(host, first, &how, ICMPV4_TIME_EXCEEDED, ICMPV4_REASSEMBLY,
			 REEVE_DROP_FRAGMENT_TIMEOUT);
}
