/* The send queue against a plain array, at random. */
#include "cmocka_all.h"

#include <string.h>

#include "seed.h"
#include "stack/tcp/send_queue.h"

#define LIMIT 300000

static uint8_t model[LIMIT * 64];

static uint8_t content(uint64_t position)
{
	return (uint8_t)(position * 31 + (position >> 8));
}

static struct reeve_pool *new_pool(uint64_t bytes)
{
	const struct reeve_pool_config config = { .max_packets = 64, .max_buffer_bytes = bytes };
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

/* Writes up to `length` bytes that continue the stream at `end`; returns how many. */
static uint32_t put(struct send_queue *q, struct reeve_pool *pool, uint64_t end, uint32_t length)
{
	struct iovec iov[2];
	uint32_t filled = 0;
	const size_t room = LIMIT - q->length;
	const size_t count = send_queue_reserve(q, pool, room, length, iov);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < iov[i].iov_len && filled < length; k++, filled++)
			((uint8_t *)iov[i].iov_base)[k] = content(end + filled);
	send_queue_commit(q, filled);
	return filled;
}

static void verify(const struct send_queue *q, struct reeve_pool *pool, uint64_t start,
		   struct random *r)
{
	if (q->length == 0)
		return;

	const uint32_t offset = random_below(r, q->length);
	const uint32_t wanted = 1 + random_below(r, q->length - offset);
	struct reeve_packet *const p = packet_new(pool);

	assert_non_null(p);

	const uint32_t got = send_queue_append(q, offset, wanted < 65000 ? wanted : 65000, p);

	assert_true(got > 0);
	assert_int_equal(reeve_packet_length(p), got);
	packet_copy(p, 0, got, model);
	for (uint32_t i = 0; i < got; i++)
		assert_int_equal(model[i], content(start + offset + i));
	reeve_packet_free(p);
}

static void test_random(void **state)
{
	struct random r = seeded(3);
	struct reeve_pool *const pool = new_pool(64 << 20);
	struct send_queue q;
	uint64_t start = 0, end = 0;

	(void)state;
	send_queue_init(&q);
	for (unsigned i = 0; i < 20000; i++) {
		const uint32_t most = random_below(&r, 4) ? 300 : 70000;

		if (random_below(&r, 3))
			end += put(&q, pool, end, 1 + random_below(&r, most));
		assert_int_equal(q.length, end - start);
		verify(&q, pool, start, &r);
		if (q.length > 0 && random_below(&r, 2)) {
			const uint32_t acked =
				random_below(&r, 20) ? random_below(&r, q.length + 1) : q.length;

			send_queue_ack(&q, acked);
			start += acked;
		}
	}
	send_queue_deinit(&q);
	free_pool(pool);
}

static void test_empty_holds_no_buffer(void **state)
{
	struct reeve_pool *const pool = new_pool(64 << 20);
	struct reeve_pool_stats stats;
	struct send_queue q;

	(void)state;
	send_queue_init(&q);
	assert_int_equal(put(&q, pool, 0, 100), 100);
	send_queue_ack(&q, 100);
	reeve_pool_stats(pool, &stats);
	assert_int_equal(stats.buffers, 0);
	assert_true(q.capacity <= 4);

	struct iovec iov[2];

	assert_int_equal(send_queue_reserve(&q, pool, 1000, 10, iov), 1);
	send_queue_commit(&q, 0);
	reeve_pool_stats(pool, &stats);
	assert_int_equal(stats.buffers, 0);
	assert_true(q.capacity <= 4);
	send_queue_deinit(&q);
	free_pool(pool);
}

static void test_small_writes_share_a_buffer(void **state)
{
	struct reeve_pool *const pool = new_pool(64 << 20);
	struct reeve_pool_stats stats;
	struct send_queue q;

	(void)state;
	send_queue_init(&q);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(put(&q, pool, i, 1), 1);
	reeve_pool_stats(pool, &stats);
	assert_int_equal(stats.buffers, 1);
	send_queue_deinit(&q);
	free_pool(pool);
}

/* Hazard 32: without memory nothing is reserved and nothing is lost. */
static void test_no_memory(void **state)
{
	struct reeve_pool *const pool = new_pool(8192);
	struct iovec iov[2];
	struct send_queue q;
	uint64_t end = 0;

	(void)state;
	send_queue_init(&q);
	for (;;) {
		const uint32_t got = put(&q, pool, end, 1000);

		end += got;
		if (got < 1000)
			break;
	}
	assert_true(end > 0 && end <= 8192);
	assert_int_equal(send_queue_reserve(&q, pool, 1000, 1000, iov), 0);
	send_queue_commit(&q, 0);
	assert_int_equal(q.length, end);
	send_queue_deinit(&q);
	free_pool(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_empty_holds_no_buffer),
		cmocka_unit_test(test_small_writes_share_a_buffer),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
