/*
 * Frames for the tests of links: built as flat bytes, put into packets of random layout, and read
 * back; with checksums computed the slow way.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/packet.h"
#include "base/random.h"

#define FLAT_MAX (REEVE_FRAME_MAX + 4)

struct flat {
	uint8_t bytes[FLAT_MAX];
	uint32_t length;
};

static inline uint32_t between(struct random *r, uint32_t least, uint32_t most)
{
	return least + random_below(r, most - least + 1);
}

static inline void fill(struct random *r, uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i += 4) {
		const uint32_t word = random_u32(r);

		memcpy(bytes + i, &word, length - i < 4 ? length - i : 4);
	}
}

/* RFC 1071, one word at a time; complemented. */
static inline uint16_t slow_checksum(const uint8_t *bytes, uint32_t length, uint32_t sum)
{
	for (uint32_t i = 0; i < length; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		while (sum > 0xffff)
			sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

/* Of a pseudo-header, not complemented; the addresses are at `at`. */
static inline uint32_t slow_pseudo(const uint8_t *at, bool ipv6, uint8_t protocol, uint32_t length)
{
	uint8_t header[40] = { 0 };
	const uint32_t addresses = ipv6 ? 32 : 8;

	memcpy(header, at, addresses);
	store_be32(header + addresses, length);
	header[addresses + 7] = protocol;
	return (uint16_t)~slow_checksum(header, addresses + 8, 0);
}

/* A packet with these bytes: some in the head, the rest in slices at odd places. */
static inline struct reeve_packet *scatter(struct random *r, struct reeve_pool *pool,
					   const struct flat *f)
{
	struct reeve_packet *p = packet_new(pool);
	const uint32_t most = f->length < PACKET_HEAD ? f->length : PACKET_HEAD;
	const uint32_t head = between(r, 0, most);
	const uint32_t slices = between(r, 1, PACKET_SLICES - 1);

	check(p);
	memcpy(packet_push(p, head), f->bytes, head);
	for (uint32_t at = head, i = 0; at < f->length; i++) {
		uint32_t n = f->length - at;

		if (i + 1 < slices)
			n = between(r, 1, n);
		const uint32_t offset = n < 60000 ? between(r, 0, 40) : 0;
		struct buffer *b = buffer_new(pool, offset + n);

		check(b);
		memcpy(b->bytes + offset, f->bytes + at, n);
		check(packet_append(p, b, offset, n));
		buffer_unref(b);
		at += n;
	}
	return p;
}

static inline void gather(const struct reeve_packet *p, struct flat *ret)
{
	check(p->length <= FLAT_MAX);
	packet_copy(p, 0, p->length, ret->bytes);
	ret->length = p->length;
}
