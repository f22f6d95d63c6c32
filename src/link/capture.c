/*
 * Owns the pcapng stream of one reader, and the link that feeds it
 * (draft-ietf-opsawg-pcapng-02: section header 4.1, interface description 4.2, enhanced packet 4.3,
 * interface statistics 4.6; options 3.5). Blocks are in the machine's byte order, as their magic
 * says.
 *
 * The stream is a ring of bytes. A block is written whole or not at all; the one that did not fit
 * is counted, and the count is written ahead of the next one that does.
 */
#include "link/capture.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/packet.h"

#define ATTACHED_MAX 8
#define NAME_LENGTH  63 /* a host's name is a DNS label */

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_FRAMING = 12, /* type and twice the length */
	SECTION_MAGIC = 0x1a2b3c4d,
	LINKTYPE_ETHERNET = 1,
};

enum {
	OPTION_END = 0,
	OPTION_APPLICATION = 4, /* of a section */
	OPTION_NAME = 2,        /* of an interface */
	OPTION_RESOLUTION = 9,
	OPTION_FLAGS = 2,    /* of a packet */
	OPTION_RECEIVED = 4, /* of statistics */
	OPTION_DROPPED = 5,
};

enum direction {
	INBOUND = 1, /* the values of the flags option, 4.3.1 */
	OUTBOUND = 2,
};

struct capture {
	struct capture_config config;
	uint8_t *ring;
	size_t start, used;
	int64_t wall_offset_ns; /* to be added to a time */
	uint32_t interfaces;    /* described so far */
	uint32_t attached;
};

struct attachment {
	struct capture *capture; /* NULL: free */
	bool described;
	uint32_t interface;
	uint64_t seen, dropped;
	bool to_report; /* drops that the stream has not told yet */
};

struct capture_link {
	struct link link;
	struct link *inner;
	char name[NAME_LENGTH + 1];
	uint32_t attached;
	struct attachment attachments[ATTACHED_MAX];
};

static size_t padded(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

/* Room must have been asked for. */
static void put(struct capture *c, const void *bytes, size_t length)
{
	const size_t end = (c->start + c->used) % c->config.buffer_bytes;
	const size_t to_end = c->config.buffer_bytes - end;
	const size_t first = length < to_end ? length : to_end;

	memcpy(c->ring + end, bytes, first);
	memcpy(c->ring, (const uint8_t *)bytes + first, length - first);
	c->used += length;
}

static void put_u16(struct capture *c, uint16_t v)
{
	put(c, &v, sizeof(v));
}

static void put_u32(struct capture *c, uint32_t v)
{
	put(c, &v, sizeof(v));
}

static void put_padding(struct capture *c, size_t length)
{
	static const uint8_t zeroes[4];

	put(c, zeroes, padded(length) - length);
}

static void put_option(struct capture *c, uint16_t code, const void *value, size_t length)
{
	put_u16(c, code);
	put_u16(c, (uint16_t)length);
	put(c, value, length);
	put_padding(c, length);
}

static size_t option_size(size_t length)
{
	return 4 + padded(length);
}

/* High half first, whatever the byte order. */
static void put_time(struct capture *c, struct reeve_time now)
{
	const uint64_t ns = (uint64_t)(now.ns + c->wall_offset_ns);

	put_u32(c, (uint32_t)(ns >> 32));
	put_u32(c, (uint32_t)ns);
}

static bool has_room(const struct capture *c, size_t length)
{
	return length <= c->config.buffer_bytes - c->used;
}

static bool put_section(struct capture *c)
{
	static const char application[] = "reeve";
	const size_t name = sizeof(application) - 1;
	const size_t size = BLOCK_FRAMING + 16 + option_size(name) + 4;
	const int64_t unknown = -1;

	if (!has_room(c, size))
		return false;
	put_u32(c, BLOCK_SECTION);
	put_u32(c, (uint32_t)size);
	put_u32(c, SECTION_MAGIC);
	put_u16(c, 1); /* version 1.0 */
	put_u16(c, 0);
	put(c, &unknown, sizeof(unknown));
	put_option(c, OPTION_APPLICATION, application, name);
	put_option(c, OPTION_END, "", 0);
	put_u32(c, (uint32_t)size);
	return true;
}

static bool put_interface(struct capture *c, const char *name)
{
	static const uint8_t nanoseconds = 9;
	const size_t length = strlen(name);
	const size_t size = BLOCK_FRAMING + 8 + option_size(length) + option_size(1) + 4;

	if (!has_room(c, size))
		return false;
	put_u32(c, BLOCK_INTERFACE);
	put_u32(c, (uint32_t)size);
	put_u16(c, LINKTYPE_ETHERNET);
	put_u16(c, 0);
	put_u32(c, c->config.snap_length);
	put_option(c, OPTION_NAME, name, length);
	put_option(c, OPTION_RESOLUTION, &nanoseconds, 1);
	put_option(c, OPTION_END, "", 0);
	put_u32(c, (uint32_t)size);
	return true;
}

static bool put_statistics(struct capture *c, const struct attachment *a, struct reeve_time now)
{
	const size_t size = BLOCK_FRAMING + 12 + 2 * option_size(8) + 4;

	if (!has_room(c, size))
		return false;
	put_u32(c, BLOCK_STATISTICS);
	put_u32(c, (uint32_t)size);
	put_u32(c, a->interface);
	put_time(c, now);
	put_option(c, OPTION_RECEIVED, &a->seen, sizeof(a->seen));
	put_option(c, OPTION_DROPPED, &a->dropped, sizeof(a->dropped));
	put_option(c, OPTION_END, "", 0);
	put_u32(c, (uint32_t)size);
	return true;
}

/* A byte of the frame that was just put at `frame` bytes behind the ring's first. */
static void patch(struct capture *c, size_t frame, size_t captured, size_t at, uint8_t value)
{
	if (at < captured)
		c->ring[(c->start + frame + at) % c->config.buffer_bytes] = value;
}

static void put_frame(struct capture *c, const struct reeve_packet *p, size_t captured)
{
	struct iovec iov[REEVE_PACKET_IOV];
	const size_t count = reeve_packet_iov(p, iov, REEVE_PACKET_IOV);
	const size_t frame = c->used;
	size_t left = captured;

	for (size_t i = 0; i < count && left; i++) {
		const size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

		put(c, iov[i].iov_base, n);
		left -= n;
	}
	const struct reeve_offload *o = &p->offload;

	if (o->checksum != REEVE_CHECKSUM_PARTIAL || o->checksum_start >= p->length)
		return;
	const uint16_t value = packet_checksum(p, o->checksum_start);
	const size_t field = (size_t)o->checksum_start + o->checksum_offset;

	patch(c, frame, captured, field, (uint8_t)(value >> 8));
	patch(c, frame, captured, field + 1, (uint8_t)value);
}

static bool put_packet(struct capture *c, const struct attachment *a, const struct reeve_packet *p,
		       enum direction direction, struct reeve_time now)
{
	const size_t captured =
		p->length < c->config.snap_length ? p->length : c->config.snap_length;
	const size_t size = BLOCK_FRAMING + 20 + padded(captured) + option_size(4) + 4;
	const uint32_t flags = direction;

	if (!has_room(c, size))
		return false;
	put_u32(c, BLOCK_PACKET);
	put_u32(c, (uint32_t)size);
	put_u32(c, a->interface);
	put_time(c, now);
	put_u32(c, (uint32_t)captured);
	put_u32(c, p->length);
	put_frame(c, p, captured);
	put_padding(c, captured);
	put_option(c, OPTION_FLAGS, &flags, sizeof(flags));
	put_option(c, OPTION_END, "", 0);
	put_u32(c, (uint32_t)size);
	return true;
}

static bool describe(struct attachment *a, const char *name)
{
	if (!a->described && put_interface(a->capture, name)) {
		a->interface = a->capture->interfaces++;
		a->described = true;
	}
	return a->described;
}

static void report(struct attachment *a, struct reeve_time now)
{
	if (a->described && a->to_report && put_statistics(a->capture, a, now))
		a->to_report = false;
}

static void record(struct capture_link *l, const struct reeve_packet *p, enum direction direction,
		   struct reeve_time now)
{
	uint32_t left = l->attached;

	for (unsigned i = 0; left > 0; i++) {
		struct attachment *a = &l->attachments[i];

		if (!a->capture)
			continue;
		left--;
		a->seen++;
		if (describe(a, l->name)) {
			report(a, now);
			if (put_packet(a->capture, a, p, direction, now))
				continue;
		}
		a->dropped++;
		a->to_report = true;
	}
}

static struct capture_link *capture_of(struct link *l)
{
	return container_of(l, struct capture_link, link);
}

static void capture_send(struct link *l, struct reeve_packet *p_take, struct reeve_time now)
{
	struct capture_link *c = capture_of(l);

	l->stats.sent_packets++;
	l->stats.sent_bytes += p_take->length;
	if (c->attached)
		record(c, p_take, OUTBOUND, now);
	link_send(c->inner, p_take, now);
	l->offloads = c->inner->offloads;
}

static struct reeve_packet *capture_receive(struct link *l, struct reeve_time now)
{
	struct capture_link *c = capture_of(l);
	struct reeve_packet *p = link_receive(c->inner, now);

	if (p) {
		l->stats.received_packets++;
		l->stats.received_bytes += p->length;
		if (c->attached)
			record(c, p, INBOUND, now);
	}
	return p;
}

static struct reeve_time capture_deadline(const struct link *l)
{
	return link_deadline(container_of_const(l, struct capture_link, link)->inner);
}

static void capture_free_link(struct link *l)
{
	struct capture_link *c = capture_of(l);

	check(c->attached == 0);
	link_free(c->inner);
	free(c);
}

static const struct link_ops capture_ops = {
	.name = "capture",
	.send = capture_send,
	.receive = capture_receive,
	.deadline = capture_deadline,
	.free = capture_free_link,
};

struct capture *capture_new(const struct capture_config *config, struct reeve_time now,
			    int64_t wall_ns)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->config = *config;
	if (c->config.snap_length == 0 || c->config.snap_length > REEVE_FRAME_MAX)
		c->config.snap_length = REEVE_FRAME_MAX;
	c->wall_offset_ns = wall_ns - now.ns;
	c->ring = malloc(config->buffer_bytes);
	if (!c->ring || !put_section(c)) {
		free(c->ring);
		free(c);
		return NULL;
	}
	return c;
}

struct capture *capture_free(struct capture *c)
{
	if (!c)
		return NULL;
	check(c->attached == 0);
	free(c->ring);
	free(c);
	return NULL;
}

size_t capture_peek(const struct capture *c, const void **ret)
{
	const size_t to_end = c->config.buffer_bytes - c->start;

	*ret = c->ring + c->start;
	return c->used < to_end ? c->used : to_end;
}

void capture_consume(struct capture *c, size_t bytes)
{
	check(bytes <= c->used);
	c->start = (c->start + bytes) % c->config.buffer_bytes;
	c->used -= bytes;
}

struct link *capture_link_new(struct link *inner, const char *name)
{
	struct capture_link *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->link.ops = &capture_ops;
	c->link.mtu = inner->mtu;
	c->link.offloads = inner->offloads;
	c->inner = inner;
	strncpy(c->name, name, NAME_LENGTH);
	return &c->link;
}

bool capture_attach(struct link *capture_link, struct capture *c)
{
	struct capture_link *l = capture_of(capture_link);

	for (unsigned i = 0; i < ATTACHED_MAX; i++) {
		if (l->attachments[i].capture)
			continue;
		l->attachments[i] = (struct attachment){ .capture = c };
		describe(&l->attachments[i], l->name);
		l->attached++;
		c->attached++;
		return true;
	}
	return false;
}

void capture_detach(struct link *capture_link, struct capture *c, struct reeve_time now)
{
	struct capture_link *l = capture_of(capture_link);

	for (unsigned i = 0; i < ATTACHED_MAX; i++) {
		struct attachment *a = &l->attachments[i];

		if (a->capture != c)
			continue;
		a->to_report = true;
		report(a, now);
		a->capture = NULL;
		l->attached--;
		c->attached--;
		return;
	}
}
