/* Joining segments: what becomes one packet, and that nothing does which says anything else. */
#include "stack/join.h"

#include <string.h>

#include "base/bytes.h"
#include "base/packet.h"
#include "wire/ether.h"
#include "wire/tcp.h"

#include "cmocka_all.h"
#include "seed.h"
#include "slow_sum.h"

#define IP      14
#define TCP     34
#define HEADERS 66          /* with timestamps */
#define FIRST   0xfffff000u /* the stream's first sequence number: it wraps */
#define PIECE   1448

static uint8_t stream[1 << 17];
static struct reeve_pool *pool;

static int open_pool(void **state)
{
	struct random r = seeded(7);

	(void)state;
	for (size_t i = 0; i < sizeof(stream); i++)
		stream[i] = (uint8_t)random_u32(&r);
	pool = reeve_pool_new(&(struct reeve_pool_config){ 1000, 16 << 20 });
	return pool ? 0 : -1;
}

/* Nothing is left in it. */
static int close_pool(void **state)
{
	(void)state;
	pool = reeve_pool_free(pool);
	return 0;
}

static void set_checksums(uint8_t *bytes, uint32_t length)
{
	static uint8_t pseudo[12 + 65536];
	const uint32_t tcp_length = length - TCP;

	store_be16(bytes + IP + 10, 0);
	store_be16(bytes + IP + 10, (uint16_t)~slow_sum(bytes + IP, 20));
	store_be16(bytes + TCP + 16, 0);
	memcpy(pseudo, bytes + IP + 12, 8);
	store_be16(pseudo + 8, bytes[IP + 9]);
	store_be16(pseudo + 10, (uint16_t)tcp_length);
	memcpy(pseudo + 12, bytes + TCP, tcp_length);
	store_be16(bytes + TCP + 16, (uint16_t)~slow_sum(pseudo, 12 + tcp_length));
}

/* A frame with the stream's bytes from `offset` on. */
static uint32_t build(uint8_t *bytes, uint32_t offset, uint32_t length, uint8_t flags)
{
	static const uint8_t headers[HEADERS] = {
		2,    0,    0, 0,  0,   1, 2,    0, 0,  0, 0, 2, 8,    0, /* Ethernet */
		0x45, 0,    0, 0,  0,   0, 0x40, 0, 64, 6, 0, 0,          /* IP */
		192,  0,    2, 2,  192, 0, 2,    1,                       /* addresses */
		0x9c, 0x40, 0, 80, 0,   0, 0,    0, 1,  2, 3, 4, 0x80, 0, /* TCP */
		1,    0,    0, 0,  0,   0,                                /* window */
		1,    1,    8, 10, 0,   0, 0,    7, 0,  0, 0, 9,          /* timestamps */
	};

	memcpy(bytes, headers, HEADERS);
	store_be16(bytes + IP + 2, (uint16_t)(HEADERS - IP + length));
	store_be16(bytes + IP + 4, (uint16_t)offset);
	store_be32(bytes + TCP + 4, FIRST + offset);
	bytes[TCP + 13] = flags;
	memcpy(bytes + HEADERS, stream + offset, length);
	set_checksums(bytes, HEADERS + length);
	return HEADERS + length;
}

/* As a link brings it: headers in the head, payload in a buffer of its own. */
static struct reeve_packet *packet_of(const uint8_t *bytes, uint32_t length)
{
	struct reeve_packet *const p = packet_new(pool);
	struct buffer *const b = buffer_new(pool, length - HEADERS);

	assert_true(p && b);
	memcpy(packet_push(p, HEADERS), bytes, HEADERS);
	memcpy(b->bytes, bytes + HEADERS, length - HEADERS);
	assert_true(packet_append(p, b, 0, length - HEADERS));
	buffer_unref(b);
	return p;
}

static struct reeve_packet *segment(uint32_t offset, uint32_t length, uint8_t flags)
{
	uint8_t bytes[HEADERS + PIECE];

	return packet_of(bytes, build(bytes, offset, length, flags));
}

/* What came of it: the headers of one packet, and the stream's bytes behind them. */
static void assert_joined(struct reeve_packet *p, uint32_t length, uint32_t size, uint8_t flags)
{
	uint8_t *const bytes = malloc(p->length);

	assert_non_null(bytes);
	assert_int_equal(p->length, HEADERS + length);
	packet_copy(p, 0, p->length, bytes);
	assert_int_equal(load_be16(bytes + IP + 2), HEADERS - IP + length);
	assert_int_equal(slow_sum(bytes + IP, 20), 0xffff);
	assert_int_equal(load_be32(bytes + TCP + 4), FIRST);
	assert_int_equal(bytes[TCP + 13], flags);
	assert_memory_equal(bytes + HEADERS, stream, length);
	assert_int_equal(p->offload.segmentation, REEVE_SEGMENTATION_TCP4);
	assert_int_equal(p->offload.segment_size, size);
	assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_VERIFIED);
	free(bytes);
	reeve_packet_free(p);
}

static void test_joins(void **state)
{
	struct join j = { 0 };
	uint32_t at = PIECE;

	(void)state;
	assert_null(join_take(&j));
	assert_true(join_begin(&j, segment(0, PIECE, TCP_ACK)));
	for (; at < 8 * PIECE; at += PIECE)
		assert_true(join_add(&j, segment(at, PIECE, TCP_ACK)));
	assert_true(join_add(&j, segment(at, 500, TCP_ACK | TCP_PSH)));

	struct reeve_packet *const next = segment(at + 500, PIECE, TCP_ACK);

	assert_false(join_add(&j, next));
	reeve_packet_free(next);
	assert_joined(join_take(&j), at + 500, PIECE, TCP_ACK | TCP_PSH);
	assert_null(join_take(&j));
}

/* One that nobody joined is as it was. */
static void test_alone(void **state)
{
	struct join j = { 0 };
	struct reeve_packet *const p = segment(0, 700, TCP_ACK);

	(void)state;
	assert_true(join_begin(&j, p));
	assert_ptr_equal(join_take(&j), p);
	assert_int_equal(p->offload.segmentation, REEVE_SEGMENTATION_NONE);
	assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_UNKNOWN);
	reeve_packet_free(p);
}

static void refuse(uint32_t offset, uint32_t length, uint8_t flags)
{
	struct join j = { 0 };
	struct reeve_packet *const other = segment(offset, length, flags);

	assert_true(join_begin(&j, segment(0, 1000, TCP_ACK)));
	assert_false(join_add(&j, other));
	reeve_packet_free(other);
	reeve_packet_free(join_take(&j));
}

static void test_what_does_not_continue(void **state)
{
	(void)state;
	refuse(0, 1000, TCP_ACK);    /* the same again */
	refuse(999, 1000, TCP_ACK);  /* an overlap */
	refuse(1001, 1000, TCP_ACK); /* a gap */
	refuse(1000, 1001, TCP_ACK); /* longer than the first */
	for (unsigned flags = 0; flags < 256; flags++) {
		if ((flags | TCP_PSH) != (TCP_ACK | TCP_PSH))
			refuse(1000, 1000, (uint8_t)flags);
	}
}

static void test_what_does_not_begin(void **state)
{
	struct join j = { 0 };

	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		struct reeve_packet *const p = segment(0, 1000, (uint8_t)flags);

		assert_int_equal(join_begin(&j, p), flags == TCP_ACK);
		reeve_packet_free(p);
	}
	struct reeve_packet *const empty = segment(0, 0, TCP_ACK);

	assert_false(join_begin(&j, empty));
	empty->offload.segmentation = REEVE_SEGMENTATION_TCP4;
	reeve_packet_free(empty);
}

/* Each bit of both headers, with checksums that are right for it. What may differ: the
 * identification, PSH, and an urgent pointer that URG does not point to. */
static bool may_differ(uint32_t byte, uint8_t bit)
{
	return byte == IP + 4 || byte == IP + 5 || byte == TCP + 18 || byte == TCP + 19 ||
	       (byte == TCP + 13 && bit == TCP_PSH);
}

static bool is_checksum(uint32_t byte)
{
	return byte == IP + 10 || byte == IP + 11 || byte == TCP + 16 || byte == TCP + 17;
}

static void test_each_bit(void **state)
{
	uint8_t bytes[HEADERS + PIECE];

	(void)state;
	for (uint32_t at = 0; at < HEADERS * 8; at++) {
		const uint32_t byte = at / 8;
		const uint8_t bit = (uint8_t)(1 << at % 8);
		const uint32_t length = build(bytes, 1000, 1000, TCP_ACK);
		struct join j = { 0 };

		bytes[byte] ^= bit;
		if (!is_checksum(byte))
			set_checksums(bytes, length);

		struct reeve_packet *const other = packet_of(bytes, length);

		assert_true(join_begin(&j, segment(0, 1000, TCP_ACK)));
		const bool added = join_add(&j, other);

		assert_int_equal(added, may_differ(byte, bit));
		if (!added)
			reeve_packet_free(other);
		reeve_packet_free(join_take(&j));
	}
}

/* The first's checksum is looked at too, before anything is called verified. */
static void test_wrong_bytes(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct join j = { 0 };
		uint8_t bytes[HEADERS + PIECE];
		struct reeve_packet *frames[2];

		for (uint32_t i = 0; i < 2; i++) {
			const uint32_t length = build(bytes, i * 1000, 1000, TCP_ACK);

			bytes[HEADERS + 500] ^= (int)i == which ? 1 : 0;
			frames[i] = packet_of(bytes, length);
		}
		assert_true(join_begin(&j, frames[0]));
		assert_false(join_add(&j, frames[1]));
		assert_ptr_equal(join_take(&j), frames[0]);
		assert_int_equal(frames[0]->length, HEADERS + 1000);
		assert_int_equal(frames[0]->offload.checksum, REEVE_CHECKSUM_UNKNOWN);
		reeve_packet_free(frames[0]);
		reeve_packet_free(frames[1]);
	}
}

/* No more than an IP packet has room for, and a packet for slices. */
static void test_limits(void **state)
{
	const uint32_t small = 93;
	struct buffer *const b = buffer_new(pool, REEVE_FRAME_MAX);
	struct join j = { 0 };
	uint32_t at = 0;

	(void)state;
	for (unsigned n = 0;; n++) {
		struct reeve_packet *const p = segment(at, PIECE, TCP_ACK);

		if (n == 0) {
			assert_true(join_begin(&j, p));
		} else if (!join_add(&j, p)) {
			assert_int_equal(n, PACKET_SLICES);
			reeve_packet_free(p);
			break;
		}
		at += PIECE;
	}
	assert_joined(join_take(&j), at, PIECE, TCP_ACK);

	/* All of one buffer, in pieces of which one more still lies in it. */
	memcpy(b->bytes, stream, b->size);
	for (at = 0;; at += small) {
		struct reeve_packet *const p = segment(at, small, TCP_ACK);

		packet_trim(p, HEADERS);
		assert_true(packet_append(p, b, at, small));
		if (at > 0 && !join_add(&j, p)) {
			assert_int_equal(at, (UINT16_MAX - (HEADERS - IP)) / small * small);
			reeve_packet_free(p);
			break;
		}
		assert_true(at > 0 || join_begin(&j, p));
	}
	assert_joined(join_take(&j), at, small, TCP_ACK);
	buffer_unref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_joins, open_pool, close_pool),
		cmocka_unit_test_setup_teardown(test_alone, open_pool, close_pool),
		cmocka_unit_test_setup_teardown(test_what_does_not_continue, open_pool, close_pool),
		cmocka_unit_test_setup_teardown(test_what_does_not_begin, open_pool, close_pool),
		cmocka_unit_test_setup_teardown(test_each_bit, open_pool, close_pool),
		cmocka_unit_test_setup_teardown(test_wrong_bytes, open_pool, close_pool),
		cmocka_unit_test_setup_teardown(test_limits, open_pool, close_pool),
	};

	return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
