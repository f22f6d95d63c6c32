/* The receive queue against a map of bytes, at random, across 2^32. Hazards 16, 17 and 19. */
#include "cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "seed.h"
#include "stack/tcp/receive_queue.h"

#define STREAM    400000
#define MAX_BYTES (UINT64_C(64) << 20)

static const struct tcp_seq start = { 0xfffe0000 }; /* the stream runs over 2^32 */
static uint8_t seen[STREAM];

static uint8_t content(uint32_t position)
{
	return (uint8_t)(position * 17 + (position >> 9));
}

static struct reeve_pool *new_pool(void)
{
	const struct reeve_pool_config config = { .max_packets = 20000,
						  .max_buffer_bytes = 256 << 20 };
	struct reeve_pool *const pool = reeve_pool_new(&config);

	assert_non_null(pool);
	return pool;
}

static void free_pool(struct reeve_pool *pool)
{
	struct reeve_pool_stats stats;

	reeve_pool_stats(pool, &stats);
	assert_int_equal(stats.packets, 0);
	assert_int_equal(stats.buffers, 0);
	reeve_pool_free(pool);
}

static struct reeve_packet *new_packet(struct reeve_pool *pool, uint32_t position, uint32_t length)
{
	uint8_t *const bytes = malloc(length);

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = content(position + i);

	struct reeve_packet *const p = reeve_packet_from_bytes(pool, bytes, length, NULL);

	assert_non_null(p);
	free(bytes);
	return p;
}

/* What the connection does with a segment that has arrived. */
static struct tcp_seq arrive(struct receive_queue *q, struct reeve_pool *pool, struct tcp_seq next,
			     uint32_t position, uint32_t length)
{
	struct reeve_packet *const p = new_packet(pool, position, length);
	const struct tcp_seq s = seq_add(start, position);

	memset(seen + position, 1, length);
	if (seq_until(seq_add(s, length), next)) {
		reeve_packet_free(p);
		return next;
	}
	if (seq_after(s, next)) {
		if (receive_queue_insert(q, s, p, MAX_BYTES) != RECEIVE_INSERTED)
			reeve_packet_free(p);
		return next;
	}
	packet_strip(p, seq_distance(s, next));

	const uint32_t added = (uint32_t)reeve_packet_length(p);

	assert_int_equal(receive_queue_append_take(q, pool, p), 0);
	return receive_queue_advance(q, pool, seq_add(next, added));
}

static void check_reports(const struct receive_queue *q, struct tcp_seq next)
{
	struct tcp_sack_block blocks[TCP_SACK_BLOCKS];
	const unsigned count = receive_queue_sack(q, blocks, TCP_SACK_BLOCKS);

	assert_int_equal(count, q->range_count < 4 ? q->range_count : 4);
	for (unsigned i = 0; i < count; i++) {
		const uint32_t from = blocks[i].start - start.n, to = blocks[i].end - start.n;

		assert_true(from < to && seq_after((struct tcp_seq){ blocks[i].start }, next));
		assert_int_equal(seen[from - 1], 0); /* whole ranges */
		for (uint32_t k = from; k < to; k++)
			assert_int_equal(seen[k], 1);
		assert_true(to == STREAM || seen[to] == 0);
	}
}

static void read_some(struct receive_queue *q, uint32_t *position, size_t most)
{
	struct iovec iov[3];
	const size_t count = receive_queue_peek(q, iov, 3);
	size_t got = 0;

	for (size_t i = 0; i < count && got < most; i++)
		for (size_t k = 0; k < iov[i].iov_len && got < most; k++, got++)
			assert_int_equal(((const uint8_t *)iov[i].iov_base)[k],
					 content(*position + (uint32_t)got));
	receive_queue_consume(q, got);
	*position += (uint32_t)got;
}

static void run(struct random *r, uint32_t longest)
{
	struct reeve_pool *const pool = new_pool();
	struct receive_queue q;
	struct tcp_seq next = start;
	uint32_t position = 0;

	memset(seen, 0, sizeof(seen));
	receive_queue_init(&q);
	while (position < STREAM) {
		const uint32_t base = seq_distance(start, next);
		uint32_t at = base + random_below(r, 4 * longest);
		uint32_t length = 1 + random_below(r, longest);

		if (random_below(r, 3) == 0)
			at = base;
		if (random_below(r, 8) == 0 && base > longest)
			at = base - random_below(r, longest);
		if (at >= STREAM)
			at = base;
		if (base == STREAM) {
			read_some(&q, &position, STREAM);
			continue;
		}
		if (length > STREAM - at)
			length = STREAM - at;
		next = arrive(&q, pool, next, at, length);
		assert_int_equal(q.length, seq_distance(start, next) - position);
		if (q.range_count < RECEIVE_RANGES_MAX)
			check_reports(&q, next);
		if (random_below(r, 3) == 0)
			read_some(&q, &position, random_below(r, 3 * longest));
	}
	assert_int_equal(q.range_count, 0);
	assert_int_equal(q.range_bytes, 0);
	receive_queue_deinit(&q);
	free_pool(pool);
}

static void test_random(void **state)
{
	struct random r = seeded(4);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		run(&r, 3000);
		run(&r, 400);
		run(&r, 40000);
	}
}

static void test_ranges_are_bounded(void **state)
{
	struct reeve_pool *const pool = new_pool();
	struct receive_queue q;
	unsigned refused = 0;

	(void)state;
	receive_queue_init(&q);
	for (uint32_t i = 0; i < 1000; i++) {
		struct reeve_packet *const p = new_packet(pool, i, 1);

		if (receive_queue_insert(&q, seq_add(start, 1 + 2 * i), p, MAX_BYTES) ==
		    RECEIVE_FULL) {
			reeve_packet_free(p);
			refused++;
		}
	}
	assert_int_equal(q.range_count, RECEIVE_RANGES_MAX);
	assert_int_equal(refused, 1000 - RECEIVE_RANGES_MAX);
	receive_queue_deinit(&q);
	free_pool(pool);
}

/* Adjacent tiny segments are one range, but their memory counts. */
static void test_memory_is_bounded(void **state)
{
	struct reeve_pool *const pool = new_pool();
	struct receive_queue q;
	uint32_t held = 0;

	(void)state;
	receive_queue_init(&q);
	for (uint32_t i = 0; i < 2000; i++) {
		struct reeve_packet *const p = new_packet(pool, i, 1);

		if (receive_queue_insert(&q, seq_add(start, 1 + i), p, 100000) == RECEIVE_INSERTED)
			held++;
		else
			reeve_packet_free(p);
	}
	assert_int_equal(q.range_count, 1);
	assert_true(held < 300);
	assert_true(q.range_bytes <= 100000);
	receive_queue_prune(&q);
	assert_int_equal(q.range_bytes, 0);
	receive_queue_deinit(&q);
	free_pool(pool);
}

/* A few bytes do not hold the 64 KiB they came in; nor do many such pieces. */
static uint32_t buffers_for(uint32_t pieces, uint32_t length)
{
	struct reeve_pool *const pool = new_pool();
	struct receive_queue q;
	struct reeve_pool_stats stats;

	receive_queue_init(&q);
	for (uint32_t i = 0; i < pieces; i++) {
		struct buffer *const b = buffer_new(pool, 65536);
		struct reeve_packet *const p = packet_new(pool);

		assert_true(packet_append(p, b, 100, length));
		buffer_unref(b);
		assert_int_equal(receive_queue_append_take(&q, pool, p), 0);
	}
	reeve_pool_stats(pool, &stats);
	assert_int_equal(q.length, pieces * length);
	receive_queue_consume(&q, q.length);
	assert_int_equal(q.held, 0);
	receive_queue_deinit(&q);
	free_pool(pool);
	return stats.buffers;
}

static void test_little_is_copied(void **state)
{
	(void)state;
	assert_int_equal(buffers_for(100, 1), 1);
	assert_int_equal(buffers_for(2, 1448), 2);
	assert_true(buffers_for(1000, 1448) < 140); /* 1.4 MB are 90 of 16 KiB */
}

static void test_most_is_not_copied(void **state)
{
	struct reeve_pool *const pool = new_pool();
	struct receive_queue q;
	struct buffer *b = buffer_new(pool, 65536);
	struct reeve_packet *const p = packet_new(pool);
	struct iovec iov;

	(void)state;
	receive_queue_init(&q);
	assert_true(packet_append(p, b, 0, 60000));
	assert_int_equal(receive_queue_append_take(&q, pool, p), 0);
	assert_int_equal(receive_queue_peek(&q, &iov, 1), 1);
	assert_ptr_equal(iov.iov_base, b->bytes);
	assert_int_equal(iov.iov_len, 60000);
	buffer_unref(b);
	receive_queue_deinit(&q);
	free_pool(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_ranges_are_bounded),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_little_is_copied),
		cmocka_unit_test(test_most_is_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
