/*
 * How fast one stream is over links of many kinds, in virtual time: a table of what recovery and
 * congestion control are worth, the same on every machine. Each has a floor, well below what was
 * reached when it was set, that a fault in recovery falls through: a link without loss is to be
 * nearly full, reordering is not to be taken for loss, and with loss the square-root law (RFC 5348,
 * 3.1) says what to expect.
 */

#include "sim.h"

#define STREAM_MAX (64 << 20)
#define SECONDS    20

struct kind {
	double loss, reorder;
	uint32_t delay_ms; /* one way */
	uint32_t rate_mbit;
	uint32_t queue;       /* packets, those under way included */
	double least_mbit[2]; /* cubic, reno */
};

static void prepare(struct scenario *s, const struct kind *k, enum reeve_congestion congestion)
{
	const uint64_t most = (uint64_t)k->rate_mbit * 1000000 / 8 * SECONDS;

	scenario_plain(s, 8);
	s->weather[0].settings = (struct impair_settings){
		.loss = k->loss,
		.reorder = k->reorder,
		.delay_ns = k->delay_ms * REEVE_NS_PER_MS,
		.rate_bits = (uint64_t)k->rate_mbit * 1000000,
		.queue_packets = k->queue,
		.seed = 1,
	};
	s->connection_count = 1;
	s->connections[0] = (struct connection_plan){ .client = 0, .server = 1 };
	for (unsigned i = 0; i < 2; i++)
		s->connections[0].sides[i] = (struct side_plan){
			.write_size = 65536,
			.read_size = 65536,
			.congestion = congestion,
			.without_copy = true,
			.ending = i ? END_SECOND : END_FIRST,
		};
	s->connections[0].sides[0].bytes = most < STREAM_MAX ? most : STREAM_MAX;
}

int sim_throughput(void)
{
	static const struct kind kinds[] = {
		{ 0, 0, 0, 1000, 1000, { 900, 900 } },    { 0, 0, 5, 100, 100, { 80, 80 } },
		{ 0, 0, 20, 100, 400, { 75, 70 } },       { 0, 0, 20, 100, 50, { 9, 8 } },
		{ 0, 0, 100, 10, 200, { 7, 7 } },         { 0, 0, 100, 1000, 30000, { 40, 40 } },
		{ 0.0001, 0, 20, 100, 1000, { 50, 25 } }, { 0.001, 0, 20, 100, 1000, { 9, 8 } },
		{ 0.01, 0, 5, 100, 1000, { 10, 9 } },     { 0.01, 0, 20, 100, 1000, { 2.5, 2.3 } },
		{ 0.05, 0, 20, 100, 1000, { 0.8, 0.7 } }, { 0.1, 0, 20, 10, 1000, { 0.35, 0.35 } },
		{ 0, 0.02, 20, 100, 1000, { 70, 70 } },   { 0, 0.1, 20, 100, 1000, { 70, 70 } },
	};
	static const char *const names[] = { "cubic", "reno" };
	const struct sim_options options = { 0 };
	static struct scenario s;
	struct sim_result result;
	int failed = 0;

	const size_t points = 2 * sizeof(kinds) / sizeof(kinds[0]);

	printf("1..%zu\n", points);
	for (size_t i = 0; i < points; i++) {
		const struct kind *k = &kinds[i / 2];

		prepare(&s, k, i % 2 ? REEVE_RENO : REEVE_CUBIC);
		sim_run(&s, &options, &result);
		const double mbit = result.last_read_s > 0
					    ? (double)result.bytes * 8e-6 / result.last_read_s
					    : 0;
		const bool fine = !result.failed && mbit >= k->least_mbit[i % 2];

		printf("%sok %zu - %s, loss %.2f %%, reordering %.0f %%, %u ms, %u Mbit/s, queue "
		       "%u: %.2f Mbit/s (at least %.2f), %llu sent again, %llu timeouts %s\n",
		       fine ? "" : "not ", i + 1, names[i % 2], k->loss * 100, k->reorder * 100,
		       k->delay_ms, k->rate_mbit, k->queue, mbit, k->least_mbit[i % 2],
		       (unsigned long long)result.retransmits, (unsigned long long)result.timeouts,
		       result.reason);
		failed |= !fine;
	}
	return failed;
}
