/*
 * Impairment: what share of frames meets which fate, when they arrive, that the same seed gives
 * the same, and that nobody else's bytes change.
 */
#include "link/impair.h"

#include "../base/cmocka_all.h"
#include "base/packet.h"
#include "frames.h"
#include "link/pipe.h"

#define FRAMES 20000
#define LENGTH 1000

struct bench {
	struct reeve_pool *pool;
	struct link *near, *far; /* near is impaired */
	struct reeve_time now;
};

static void bench_init(struct bench *b, const struct impair_settings *settings)
{
	struct link *inner;

	*b = (struct bench){ 0 };
	b->pool = reeve_pool_new(&(struct reeve_pool_config){ 100000, UINT64_C(1) << 30 });
	assert_int_equal(pipe_new(&(struct pipe_config){ 1500, REEVE_OFFLOAD_CHECKSUM, 100000 },
				  &inner, &b->far),
			 0);
	b->near = impair_new(inner);
	assert_non_null(b->near);
	if (settings)
		impair_set(b->near, settings, b->now);
}

static void bench_deinit(struct bench *b)
{
	struct reeve_pool_stats stats;

	link_free(b->near);
	link_free(b->far);
	reeve_pool_stats(b->pool, &stats);
	assert_int_equal(stats.packets, 0);
	reeve_pool_free(b->pool);
}

static struct reeve_packet *numbered(struct bench *b, uint32_t number)
{
	uint8_t bytes[LENGTH] = { [12] = 8 };

	store_be32(bytes + 14, number);
	return reeve_packet_from_bytes(b->pool, bytes, sizeof(bytes), NULL);
}

static uint32_t number_of(const struct reeve_packet *p)
{
	uint8_t bytes[4];

	packet_copy(p, 14, 4, bytes);
	return load_be32(bytes);
}

/* Moves time to the next frame that arrives at the far end. */
static struct reeve_packet *next_at_far(struct bench *b)
{
	for (;;) {
		struct reeve_packet *p = link_receive(b->far, b->now);

		if (p)
			return p;
		const struct reeve_time due = link_deadline(b->near);

		if (reeve_time_is_never(due))
			return NULL;
		if (reeve_time_before(b->now, due))
			b->now = due;
		assert_null(link_receive(b->near, b->now));
	}
}

static uint32_t count_at_far(struct bench *b)
{
	uint32_t count = 0;
	struct reeve_packet *p;

	while ((p = next_at_far(b))) {
		count++;
		reeve_packet_free(p);
	}
	return count;
}

/* Within six standard deviations. */
static void assert_share(uint64_t got, double probability, double of)
{
	const double mean = of * probability;
	const double off = (double)got - mean;

	assert_true(off * off <= 36 * mean * (1 - probability));
}

static void test_shares(void **state)
{
	(void)state;
	const struct impair_settings settings = {
		.loss = 0.1,
		.reorder = 0.05,
		.duplicate = 0.03,
		.corrupt = 0.02,
		.queue_packets = 100000,
		.seed = 42,
	};
	struct bench b;
	struct impair_stats stats;

	bench_init(&b, &settings);
	for (uint32_t i = 0; i < FRAMES; i++)
		link_send(b.near, numbered(&b, i), b.now);
	const uint32_t arrived = count_at_far(&b);

	impair_stats(b.near, &stats);
	assert_share(stats.lost, 0.1, FRAMES);
	assert_share(stats.duplicated, 0.03, (double)(FRAMES - stats.lost));
	assert_share(stats.corrupted, 0.02, (double)(FRAMES - stats.lost));
	assert_share(stats.reordered, 0.05, (double)(FRAMES - stats.lost + stats.duplicated));
	assert_int_equal(stats.passed, FRAMES - stats.lost + stats.duplicated);
	assert_int_equal(arrived, stats.passed);
	assert_int_equal(stats.overflowed, 0);
	bench_deinit(&b);
}

static void test_certain(void **state)
{
	(void)state;
	struct impair_settings settings = { .loss = 1, .seed = 1 };
	struct impair_stats stats;
	struct bench b;

	bench_init(&b, &settings);
	for (uint32_t i = 0; i < 100; i++)
		link_send(b.near, numbered(&b, i), b.now);
	settings = (struct impair_settings){ .down = true };
	impair_set(b.near, &settings, b.now);
	for (uint32_t i = 0; i < 100; i++)
		link_send(b.near, numbered(&b, i), b.now);
	link_send(b.far, numbered(&b, 0), b.now);
	assert_null(link_receive(b.near, b.now));
	assert_int_equal(count_at_far(&b), 0);
	impair_stats(b.near, &stats);
	assert_int_equal(stats.lost, 201);
	bench_deinit(&b);
}

/* Frames arrive one after another as the rate lets them, each the delay later. */
static void test_rate_and_delay(void **state)
{
	(void)state;
	const struct impair_settings settings = {
		.delay_ns = 5 * REEVE_NS_PER_MS,
		.rate_bits = 8000000, /* a millisecond a frame */
		.queue_packets = 10,
		.seed = 7,
	};
	struct impair_stats stats;
	struct bench b;

	bench_init(&b, &settings);
	for (uint32_t i = 0; i < 15; i++)
		link_send(b.near, numbered(&b, i), b.now);
	for (uint32_t i = 0; i < 10; i++) {
		struct reeve_packet *p = next_at_far(&b);

		assert_non_null(p);
		assert_int_equal(number_of(p), i);
		assert_int_equal(b.now.ns, (6 + i) * REEVE_NS_PER_MS);
		reeve_packet_free(p);
	}
	assert_null(next_at_far(&b));
	impair_stats(b.near, &stats);
	assert_int_equal(stats.overflowed, 5);
	bench_deinit(&b);
}

/* Jitter keeps the order; reordering does not. Both ways are impaired, each by itself. */
static void test_order(void **state)
{
	(void)state;
	struct impair_settings settings = {
		.delay_ns = 5 * REEVE_NS_PER_MS,
		.jitter_ns = 4 * REEVE_NS_PER_MS,
		.queue_packets = 100000,
		.seed = 9,
	};
	int late = 0;
	struct bench b;

	bench_init(&b, &settings);
	for (uint32_t round = 0; round < 2; round++) {
		uint32_t last = 0;
		struct reeve_packet *p;

		for (uint32_t i = 0; i < 1000; i++)
			link_send(b.near, numbered(&b, i), b.now);
		for (uint32_t i = 0; i < 1000; i++) {
			p = next_at_far(&b);
			assert_non_null(p);
			if (number_of(p) < last)
				late++;
			else
				last = number_of(p);
			reeve_packet_free(p);
		}
		if (round == 0)
			assert_int_equal(late, 0);
		settings.reorder = 0.1;
		impair_set(b.near, &settings, b.now);
	}
	assert_true(late > 50);
	bench_deinit(&b);
}

static uint64_t trace(uint64_t seed)
{
	const struct impair_settings settings = {
		.loss = 0.1,
		.reorder = 0.1,
		.duplicate = 0.1,
		.corrupt = 0.1,
		.delay_ns = REEVE_NS_PER_MS,
		.jitter_ns = REEVE_NS_PER_MS,
		.rate_bits = 1000000000,
		.queue_packets = 5000,
		.seed = seed,
	};
	uint64_t hash = 0xcbf29ce484222325;
	struct reeve_packet *p;
	static struct flat f;
	struct bench b;

	bench_init(&b, &settings);
	for (uint32_t i = 0; i < 2000; i++)
		link_send(b.near, numbered(&b, i), b.now);
	while ((p = next_at_far(&b))) {
		gather(p, &f);
		for (uint32_t i = 0; i < f.length; i++)
			hash = (hash ^ f.bytes[i]) * 0x100000001b3;
		hash = (hash ^ (uint64_t)b.now.ns) * 0x100000001b3;
		reeve_packet_free(p);
	}
	bench_deinit(&b);
	return hash;
}

static void test_same_seed(void **state)
{
	(void)state;
	assert_true(trace(1) == trace(1));
	assert_true(trace(1) != trace(2));
}

/* A buffer that the sender still holds is never changed, nor what is called verified kept so; one
 * byte behind the link header differs. */
static void test_corrupt_copies(void **state)
{
	(void)state;
	const struct impair_settings settings = { .corrupt = 1, .seed = 3 };
	uint8_t seed[32] = { 5 };
	static struct flat f, got;
	struct random r;
	struct bench b;

	random_init(&r, seed);
	bench_init(&b, &settings);
	for (int round = 0; round < 2000; round++) {
		f.length = between(&r, 15, 1500);
		fill(&r, f.bytes, f.length);
		store_be16(f.bytes + 12, round % 2 ? 0x0800 : 0x86dd);
		struct reeve_packet *p = scatter(&r, b.pool, &f);
		struct reeve_packet *kept = packet_clone(p);

		p->offload.checksum = REEVE_CHECKSUM_VERIFIED;
		link_send(b.near, p, b.now);
		p = link_receive(b.far, b.now);
		assert_non_null(p);
		assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_UNKNOWN);
		gather(p, &got);
		int differ = 0;

		for (uint32_t i = 0; i < f.length; i++)
			differ += got.bytes[i] != f.bytes[i];
		assert_int_equal(differ, 1);
		assert_memory_equal(got.bytes, f.bytes, 14);
		gather(kept, &got);
		assert_memory_equal(got.bytes, f.bytes, f.length);
		reeve_packet_free(p);
		reeve_packet_free(kept);
	}
	bench_deinit(&b);
}

/* Without settings everything passes as it is, offloads too; with them none are declared, and what
 * comes with facts all the same is made complete, from either side. */
static void test_offloads(void **state)
{
	(void)state;
	const struct reeve_offload partial = { .checksum = REEVE_CHECKSUM_PARTIAL,
					       .checksum_start = 34,
					       .checksum_offset = 16 };
	const struct impair_settings settings = { .seed = 1 };
	struct impair_settings got;
	uint8_t bytes[100] = { [12] = 8 };
	struct reeve_packet *p;
	struct bench b;

	bench_init(&b, NULL);
	assert_false(impair_get(b.near, &got));
	assert_int_equal(b.near->offloads, REEVE_OFFLOAD_CHECKSUM);
	link_send(b.near, reeve_packet_from_bytes(b.pool, bytes, sizeof(bytes), &partial), b.now);
	p = link_receive(b.far, b.now);
	assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_PARTIAL);
	impair_set(b.near, &settings, b.now);
	assert_true(impair_get(b.near, &got));
	assert_int_equal(b.near->offloads, 0);
	link_send(b.far, p, b.now);
	p = link_receive(b.near, b.now);
	assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_VERIFIED);
	p->offload = partial;
	link_send(b.near, p, b.now);
	p = link_receive(b.far, b.now);
	assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_VERIFIED);
	reeve_packet_free(p);
	impair_set(b.near, NULL, b.now);
	assert_int_equal(b.near->offloads, REEVE_OFFLOAD_CHECKSUM);
	bench_deinit(&b);
}

/* What is under way keeps its times when settings change, and is lost if the link is down then. */
static void test_change(void **state)
{
	(void)state;
	struct impair_settings settings = { .delay_ns = 100, .seed = 1 };
	struct impair_stats stats;
	struct reeve_packet *p;
	struct bench b;

	bench_init(&b, &settings);
	link_send(b.near, numbered(&b, 1), b.now);
	link_send(b.far, numbered(&b, 2), b.now);
	assert_null(link_receive(b.near, b.now));
	impair_set(b.near, NULL, b.now);
	assert_int_equal(link_deadline(b.near).ns, 100);
	b.now.ns = 100;
	p = link_receive(b.near, b.now);
	assert_non_null(p);
	assert_int_equal(number_of(p), 2);
	reeve_packet_free(p);
	p = link_receive(b.far, b.now);
	assert_non_null(p);
	assert_int_equal(number_of(p), 1);
	reeve_packet_free(p);
	impair_set(b.near, &settings, b.now);
	link_send(b.near, numbered(&b, 3), b.now);
	settings.down = true;
	impair_set(b.near, &settings, b.now);
	assert_int_equal(count_at_far(&b), 0);
	impair_stats(b.near, &stats);
	assert_int_equal(stats.lost, 1);
	assert_int_equal(stats.passed, 2);
	bench_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),         cmocka_unit_test(test_certain),
		cmocka_unit_test(test_rate_and_delay), cmocka_unit_test(test_order),
		cmocka_unit_test(test_same_seed),      cmocka_unit_test(test_corrupt_copies),
		cmocka_unit_test(test_offloads),       cmocka_unit_test(test_change),
	};

	return cmocka_run_group_tests_name("impair", tests, NULL, NULL);
}
