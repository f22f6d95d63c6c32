#include "link/pipe.h"

#include "../base/cmocka_all.h"
#include "base/packet.h"

static const struct reeve_time now = { 0 };

static struct reeve_packet *numbered(struct reeve_pool *pool, uint8_t number)
{
	const uint8_t bytes[60] = { number };

	return reeve_packet_from_bytes(pool, bytes, sizeof(bytes), NULL);
}

static uint8_t number_of(struct reeve_packet *p)
{
	assert_non_null(p);
	const uint8_t number = packet_data(p)[0];

	reeve_packet_free(p);
	return number;
}

static void test_both_ways(void **state)
{
	(void)state;
	struct reeve_pool *pool = reeve_pool_new(&(struct reeve_pool_config){ 100, 1 << 20 });
	struct link *a, *b;

	assert_int_equal(pipe_new(&(struct pipe_config){ 1500, REEVE_OFFLOAD_CHECKSUM, 3 }, &a, &b),
			 0);
	assert_int_equal(a->mtu, 1500);
	assert_int_equal(b->offloads, REEVE_OFFLOAD_CHECKSUM);
	assert_true(reeve_time_is_never(link_deadline(b)));
	for (uint8_t i = 0; i < 4; i++)
		link_send(a, numbered(pool, i), now);
	link_send(b, numbered(pool, 10), now);
	assert_false(reeve_time_is_never(link_deadline(b)));
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(number_of(link_receive(b, now)), i);
	assert_null(link_receive(b, now));
	assert_true(reeve_time_is_never(link_deadline(b)));
	assert_int_equal(number_of(link_receive(a, now)), 10);
	assert_int_equal(a->stats.sent_packets, 3);
	assert_int_equal(a->stats.dropped, 1); /* the queue holds three */
	assert_int_equal(b->stats.received_bytes, 180);
	link_free(a);
	link_free(b);
	reeve_pool_free(pool);
}

static void test_one_end_gone(void **state)
{
	(void)state;
	struct reeve_pool *pool = reeve_pool_new(&(struct reeve_pool_config){ 100, 1 << 20 });
	struct link *a, *b;

	assert_int_equal(pipe_new(&(struct pipe_config){ 1500, 0, 3 }, &a, &b), 0);
	link_send(a, numbered(pool, 1), now);
	link_send(b, numbered(pool, 2), now);
	link_free(a);
	link_send(b, numbered(pool, 3), now);
	assert_int_equal(b->stats.dropped, 1);
	assert_int_equal(number_of(link_receive(b, now)), 1);
	link_free(b);
	reeve_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_one_end_gone),
	};

	return cmocka_run_group_tests_name("pipe", tests, NULL, NULL);
}
