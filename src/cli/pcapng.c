/* A pcapng stream, block by block. */
#include "cli/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MOST (1u << 20) /* far more than a frame of 64 KiB with its options */
#define READ_LEAST 65536u

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BLOCK_FRAME = 12, /* type, length, and the length again */
	PACKET_HEAD = 20, /* interface, time, captured, original */
	INTERFACE_HEAD = 8,
	OPTION_NAME = 2,
	OPTION_RESOLUTION = 9,
	SECTION_MAGIC = 0x1a2b3c4d,
};

struct interface {
	char name[PCAPNG_NAME];
	int64_t tick_ns;
};

struct pcapng {
	uint8_t *buffer;
	size_t start, length, room; /* what is unread begins at start */
	bool begun;
	struct interface *interfaces;
	size_t interface_count;
	char number[PCAPNG_NAME];
};

struct pcapng *pcapng_new(void)
{
	return calloc(1, sizeof(struct pcapng));
}

struct pcapng *pcapng_free(struct pcapng *p)
{
	if (!p)
		return NULL;
	free(p->buffer);
	free(p->interfaces);
	free(p);
	return NULL;
}

uint8_t *pcapng_room(struct pcapng *p, size_t *ret_size)
{
	if (p->start > 0) {
		memmove(p->buffer, p->buffer + p->start, p->length);
		p->start = 0;
	}
	if (p->room - p->length < READ_LEAST) {
		const size_t room = 2 * p->room + READ_LEAST;
		uint8_t *buffer = realloc(p->buffer, room);

		if (!buffer)
			return NULL;
		p->buffer = buffer;
		p->room = room;
	}
	*ret_size = p->room - p->length;
	return p->buffer + p->length;
}

void pcapng_filled(struct pcapng *p, size_t length)
{
	p->length += length;
}

static uint32_t u32_at(const uint8_t *bytes)
{
	uint32_t n;

	memcpy(&n, bytes, sizeof(n));
	return n;
}

static uint16_t u16_at(const uint8_t *bytes)
{
	uint16_t n;

	memcpy(&n, bytes, sizeof(n));
	return n;
}

/* if_tsresol: a power of ten, or with the first bit set of two; microseconds without it. */
static int64_t tick_of(uint8_t resolution)
{
	int64_t tick = 1000000000;

	if (resolution & 0x80)
		return 0; /* ours are decimal */
	for (; resolution > 0; resolution--)
		tick /= 10;
	return tick;
}

/* `body` is behind the block's type and length. */
static int read_interface(struct pcapng *p, const uint8_t *body, size_t length)
{
	struct interface interface = { .tick_ns = 1000 };
	size_t at = INTERFACE_HEAD;

	if (length < INTERFACE_HEAD)
		return -EBADMSG;
	snprintf(interface.name, sizeof(interface.name), "%zu", p->interface_count);
	while (at + 4 <= length) {
		const uint16_t code = u16_at(body + at), size = u16_at(body + at + 2);

		at += 4;
		if (code == 0 || size > length - at)
			break;
		if (code == OPTION_NAME)
			snprintf(interface.name, sizeof(interface.name), "%.*s", (int)size,
				 (const char *)body + at);
		if (code == OPTION_RESOLUTION && size == 1)
			interface.tick_ns = tick_of(body[at]);
		at += (size + 3u) & ~3u;
	}
	if (p->interface_count == PCAPNG_INTERFACES)
		return 0;
	struct interface *more = reallocarray(p->interfaces, p->interface_count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	p->interfaces = more;
	p->interfaces[p->interface_count++] = interface;
	return 0;
}

/* A time that no clock can show is none. */
static int64_t time_of(uint64_t ticks, int64_t tick_ns)
{
	int64_t ns;

	if (ticks > INT64_MAX || __builtin_mul_overflow((int64_t)ticks, tick_ns, &ns))
		return 0;
	return ns;
}

static int read_packet(struct pcapng *p, const uint8_t *body, size_t length,
		       struct pcapng_block *ret)
{
	if (length < PACKET_HEAD)
		return -EBADMSG;
	const uint32_t index = u32_at(body), captured = u32_at(body + 12);
	const uint64_t ticks = (uint64_t)u32_at(body + 4) << 32 | u32_at(body + 8);

	if (captured > length - PACKET_HEAD)
		return -EBADMSG;
	ret->is_packet = true;
	ret->captured = captured;
	ret->original = u32_at(body + 16);
	ret->frame = body + PACKET_HEAD;
	if (index < p->interface_count) {
		ret->interface = p->interfaces[index].name;
		ret->time_ns = time_of(ticks, p->interfaces[index].tick_ns);
		return 0;
	}
	snprintf(p->number, sizeof(p->number), "%u", index);
	ret->interface = p->number;
	ret->time_ns = time_of(ticks, 1);
	return 0;
}

static int read_section(struct pcapng *p, const uint8_t *body, size_t length)
{
	if (length < 4 || u32_at(body) != SECTION_MAGIC)
		return -EBADMSG;
	p->begun = true;
	p->interface_count = 0; /* they are numbered anew in each section */
	return 0;
}

int pcapng_next(struct pcapng *p, struct pcapng_block *ret)
{
	if (p->length < BLOCK_FRAME)
		return 0;
	const uint8_t *bytes = p->buffer + p->start;
	const uint32_t type = u32_at(bytes), length = u32_at(bytes + 4);

	if (length < BLOCK_FRAME || length > BLOCK_MOST || length % 4 ||
	    (!p->begun && type != BLOCK_SECTION))
		return -EBADMSG;
	if (p->length < length)
		return 0;
	const size_t body_length = length - BLOCK_FRAME;
	struct pcapng_block block = { .bytes = bytes, .length = length };
	int r = 0;

	if (type == BLOCK_SECTION)
		r = read_section(p, bytes + 8, body_length);
	else if (type == BLOCK_INTERFACE)
		r = read_interface(p, bytes + 8, body_length);
	else if (type == BLOCK_PACKET)
		r = read_packet(p, bytes + 8, body_length, &block);
	if (r)
		return r;
	p->start += length;
	p->length -= length;
	*ret = block;
	return 1;
}
