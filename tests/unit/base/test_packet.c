/* Packets at random against a flat array of bytes; the pool must be empty at the end. */
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/packet.h"

#include "cmocka_all.h"
#include "seed.h"
#include "slow_sum.h"

#define MODEL_MAX (PACKET_HEAD + PACKET_SLICES * 3000)

struct model {
	struct reeve_packet *packet;
	size_t length;
	uint8_t bytes[MODEL_MAX + PACKET_HEAD];
};

static struct reeve_pool *new_pool(uint32_t packets, uint64_t bytes)
{
	return reeve_pool_new(&(struct reeve_pool_config){ packets, bytes });
}

static void free_pool(struct reeve_pool *pool)
{
	struct reeve_pool_stats stats;

	reeve_pool_stats(pool, &stats);
	assert_int_equal(stats.packets, 0);
	assert_int_equal(stats.buffers, 0);
	assert_int_equal(stats.buffer_bytes, 0);
	assert_null(reeve_pool_free(pool));
}

static void random_bytes(struct random *r, uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)random_u32(r);
}

static void model_check(const struct model *m, struct random *r)
{
	uint8_t copy[MODEL_MAX + PACKET_HEAD];
	struct iovec iov[REEVE_PACKET_IOV];
	const size_t count = reeve_packet_iov(m->packet, iov, REEVE_PACKET_IOV);
	size_t seen = 0;

	assert_int_equal(reeve_packet_length(m->packet), m->length);
	for (size_t i = 0; i < count; i++) {
		assert_true(iov[i].iov_len > 0);
		assert_memory_equal(iov[i].iov_base, m->bytes + seen, iov[i].iov_len);
		seen += iov[i].iov_len;
	}
	assert_int_equal(seen, m->length);
	const size_t offset = random_below(r, (uint32_t)m->length + 1);
	const size_t length = random_below(r, (uint32_t)(m->length - offset) + 1);

	packet_copy(m->packet, offset, length, copy);
	assert_memory_equal(copy, m->bytes + offset, length);
	assert_int_equal(checksum_fold(packet_sum(m->packet, offset, length, 0)),
			 slow_sum(m->bytes + offset, length));
}

static void do_append(struct model *m, struct random *r)
{
	const size_t length = random_below(r, 3000);

	if (m->length + length > MODEL_MAX)
		return;
	random_bytes(r, m->bytes + m->length, length);
	if (packet_append_bytes(m->packet, m->bytes + m->length, length))
		m->length += length;
	else
		assert_int_equal(m->packet->slice_end, PACKET_SLICES);
}

/* Two slices of one buffer, the second behind the first or not. */
static void do_append_slices(struct model *m, struct random *r)
{
	struct buffer *b = buffer_new(m->packet->pool, 1000);
	const uint32_t gap = random_below(r, 2) * 10;
	const uint16_t before = m->packet->slice_end;

	assert_non_null(b);
	if (m->length + 200 <= MODEL_MAX && before + 2 <= PACKET_SLICES) {
		random_bytes(r, b->bytes, 300);
		assert_true(packet_append(m->packet, b, 0, 100));
		assert_true(packet_append(m->packet, b, 100 + gap, 100));
		assert_int_equal(m->packet->slice_end, before + (gap ? 2 : 1));
		memcpy(m->bytes + m->length, b->bytes, 100);
		memcpy(m->bytes + m->length + 100, b->bytes + 100 + gap, 100);
		m->length += 200;
	}
	assert_null(buffer_unref(b));
}

static void do_push(struct model *m, struct random *r)
{
	const size_t length = random_below(r, 40);

	if (length > m->packet->head_start || m->length + length > MODEL_MAX)
		return;
	memmove(m->bytes + length, m->bytes, m->length);
	random_bytes(r, m->bytes, length);
	m->length += length;
	memcpy(packet_push(m->packet, length), m->bytes, length);
}

static void do_pull(struct model *m, struct random *r)
{
	const size_t length = random_below(r, PACKET_HEAD + 20);
	const bool pulled = packet_pull(m->packet, length);

	assert_int_equal(pulled, length <= m->length && (length <= PACKET_HEAD ||
							 length <= packet_head_length(m->packet)));
	if (pulled) {
		assert_true(packet_head_length(m->packet) >= length);
		assert_memory_equal(packet_data(m->packet), m->bytes, length);
	}
}

static void do_strip_or_trim(struct model *m, struct random *r, bool strip)
{
	const uint32_t most = random_below(r, 4) ? 100 : (uint32_t)m->length;
	const size_t length = random_below(r, (most < m->length ? most : (uint32_t)m->length) + 1);

	if (strip) {
		packet_strip(m->packet, length);
		memmove(m->bytes, m->bytes + length, m->length - length);
	} else {
		packet_trim(m->packet, m->length - length);
	}
	m->length -= length;
}

/* What is done to a clone that was unshared must not be seen in the original. */
static void do_clone(struct model *m, struct random *r)
{
	struct reeve_packet *clone = packet_clone(m->packet);
	struct reeve_packet *changed = m->packet;

	assert_non_null(clone);
	if (random_below(r, 2)) {
		m->packet = clone;
		clone = changed;
	}
	assert_true(packet_unshare(clone));
	for (int i = 0; i < 5 && m->length > 0; i++)
		*packet_byte(clone, random_below(r, (uint32_t)m->length)) ^= 0xff;
	model_check(m, r);
	assert_null(reeve_packet_free(clone));
}

static void do_unshare(struct model *m, struct random *r)
{
	assert_true(packet_unshare(m->packet));
	if (m->length == 0)
		return;
	const size_t offset = random_below(r, (uint32_t)m->length);

	m->bytes[offset] = (uint8_t)random_u32(r);
	*packet_byte(m->packet, offset) = m->bytes[offset];
}

static void random_step(struct model *m, struct random *r)
{
	switch (random_below(r, 8)) {
	case 0:
		do_append(m, r);
		break;
	case 1:
		do_append_slices(m, r);
		break;
	case 2:
		do_push(m, r);
		break;
	case 3:
		do_pull(m, r);
		break;
	case 4:
		do_strip_or_trim(m, r, true);
		break;
	case 5:
		do_strip_or_trim(m, r, false);
		break;
	case 6:
		do_clone(m, r);
		break;
	default:
		do_unshare(m, r);
	}
}

static void test_random_operations(void **state)
{
	struct random r = seeded(3);
	struct reeve_pool *pool = new_pool(4, 8 << 20);
	struct model *m = malloc(sizeof(*m));

	(void)state;
	for (int round = 0; round < 2000; round++) {
		m->packet = packet_new(pool);
		m->length = 0;
		if (random_below(&r, 2)) {
			reeve_packet_free(m->packet);
			m->length = random_below(&r, 2500);
			random_bytes(&r, m->bytes, m->length);
			m->packet = reeve_packet_from_bytes(pool, m->bytes, m->length, NULL);
			assert_non_null(m->packet);
		}
		for (uint32_t steps = random_below(&r, 30); steps > 0; steps--) {
			random_step(m, &r);
			model_check(m, &r);
		}
		assert_null(reeve_packet_free(m->packet));
	}
	free(m);
	free_pool(pool);
}

static void test_limits(void **state)
{
	static uint8_t bytes[REEVE_FRAME_MAX + 1];
	struct reeve_pool *pool = new_pool(2, 70000);
	struct reeve_pool_stats stats;

	(void)state;
	assert_null(reeve_packet_from_bytes(pool, bytes, REEVE_FRAME_MAX + 1, NULL));
	struct reeve_packet *const largest =
		reeve_packet_from_bytes(pool, bytes, REEVE_FRAME_MAX, NULL);

	assert_non_null(largest);
	assert_int_equal(reeve_packet_length(largest), REEVE_FRAME_MAX);
	/* The buffers are used up: a refusal leaves no packet behind, and a packet as it was. */
	assert_null(reeve_packet_from_bytes(pool, bytes, 9000, NULL));
	struct reeve_packet *const small = packet_new(pool);

	assert_non_null(small);
	assert_false(packet_append_bytes(small, bytes, 9000));
	assert_int_equal(reeve_packet_length(small), 0);
	assert_false(packet_unshare(largest));
	assert_int_equal(reeve_packet_length(largest), REEVE_FRAME_MAX);
	assert_null(packet_new(pool));
	assert_null(packet_clone(small));
	reeve_pool_stats(pool, &stats);
	assert_int_equal(stats.packets, 2);
	assert_int_equal(stats.buffers, 1);
	assert_int_equal(stats.refused, 5);
	reeve_packet_free(largest);
	reeve_packet_free(small);
	assert_null(reeve_packet_free(NULL));
	assert_null(buffer_unref(NULL));
	free_pool(pool);
	assert_null(reeve_pool_free(NULL));
}

static void test_offload_offsets_move_along(void **state)
{
	struct reeve_pool *pool = new_pool(2, 1 << 20);
	const struct reeve_offload offload = { .checksum = REEVE_CHECKSUM_PARTIAL,
					       .checksum_start = 34,
					       .checksum_offset = 16 };
	uint8_t bytes[100] = { 0 };
	struct reeve_packet *p = reeve_packet_from_bytes(pool, bytes, sizeof(bytes), &offload);

	(void)state;
	packet_strip(p, 14);
	assert_int_equal(reeve_packet_offload(p)->checksum_start, 20);
	packet_push(p, 18);
	assert_int_equal(reeve_packet_offload(p)->checksum_start, 38);
	assert_int_equal(reeve_packet_offload(p)->checksum_offset, 16);
	packet_strip(p, 60);
	assert_int_equal(reeve_packet_offload(p)->checksum_start, 0);
	reeve_packet_free(p);
	free_pool(pool);
}

static void test_queue(void **state)
{
	struct reeve_pool *pool = new_pool(10, 1 << 20);
	struct packet_queue q;
	struct reeve_packet *p[3];

	(void)state;
	packet_queue_init(&q);
	assert_null(packet_queue_pop(&q));
	for (int i = 0; i < 3; i++) {
		p[i] = reeve_packet_from_bytes(pool, "12345", (size_t)i + 1, NULL);
		packet_queue_push(&q, p[i]);
	}
	assert_int_equal(q.count, 3);
	assert_int_equal(q.bytes, 6);
	for (int i = 0; i < 2; i++) {
		assert_ptr_equal(packet_queue_pop(&q), p[i]);
		reeve_packet_free(p[i]);
	}
	packet_queue_push(&q, packet_new(pool));
	assert_int_equal(q.count, 2);
	packet_queue_clear(&q);
	assert_int_equal(q.count, 0);
	assert_int_equal(q.bytes, 0);
	assert_null(packet_queue_pop(&q));
	packet_queue_push(&q, packet_new(pool));
	packet_queue_clear(&q);
	free_pool(pool);
}

/* What is given back is used again: a pool in use does not grow. */
static void test_reuse(void **state)
{
	struct reeve_pool *pool = new_pool(2, 1 << 20);
	struct reeve_packet *const first = packet_new(pool);
	struct buffer *const buffer = buffer_new(pool, 1500);

	(void)state;
	assert_true(buffer->size >= 1500);
	reeve_packet_free(first);
	buffer_unref(buffer);
	assert_ptr_equal(packet_new(pool), first);
	assert_ptr_equal(buffer_new(pool, 1400), buffer);
	assert_ptr_equal(buffer_ref(buffer), buffer);
	assert_null(buffer_unref(buffer));
	reeve_packet_free(first);
	buffer_unref(buffer);
	free_pool(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_offload_offsets_move_along),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_reuse),
	};

	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
