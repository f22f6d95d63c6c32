/*
 * How fast one stream is over links of many kinds, in virtual time: a table of what recovery and
 * congestion control are worth, the same on every machine.
 */
#include <string.h>

#include "sim.h"

#define STREAM_MAX (64 << 20)
#define SECONDS    20

struct kind {
	double loss, reorder;
	uint32_t delay_ms; /* one way */
	uint32_t rate_mbit;
	uint32_t queue; /* packets */
};

static void prepare(struct scenario *s, const struct kind *k, enum reeve_congestion congestion)
{
	const uint64_t most = (uint64_t)k->rate_mbit * 1000000 / 8 * SECONDS;

	memset(s, 0, sizeof(*s));
	s->seed = 1;
	s->backlog = 8;
	s->max_sockets = 100;
	s->pool_packets = 100000;
	s->pool_bytes = UINT64_C(512) << 20;
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		s->mtu[i] = 1500;
		s->offloads[i] = REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4;
	}
	s->weather_count = 1;
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
		{ 0, 0, 0, 1000, 1000 },      { 0, 0, 5, 100, 100 },
		{ 0, 0, 20, 100, 400 },       { 0, 0, 20, 100, 50 },
		{ 0, 0, 100, 10, 200 },       { 0, 0, 100, 1000, 30000 },
		{ 0.0001, 0, 20, 100, 1000 }, { 0.001, 0, 20, 100, 1000 },
		{ 0.01, 0, 5, 100, 1000 },    { 0.01, 0, 20, 100, 1000 },
		{ 0.05, 0, 20, 100, 1000 },   { 0.1, 0, 20, 10, 1000 },
		{ 0, 0.02, 20, 100, 1000 },   { 0, 0.1, 20, 100, 1000 },
	};
	static const char *const names[] = { [REEVE_CUBIC] = "cubic", [REEVE_RENO] = "reno" };
	const struct sim_options options = { 0 };
	static struct scenario s;
	struct sim_result result;
	int failed = 0;

	printf("  loss reorder  delay    rate  queue         Mbit/s  resent  timeouts\n");
	for (size_t i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *k = &kinds[i / 2];
		const enum reeve_congestion congestion = i % 2 ? REEVE_RENO : REEVE_CUBIC;

		prepare(&s, k, congestion);
		sim_run(&s, &options, &result);
		printf("%5.2f%% %6.1f%% %3u ms %4u Mb %6u  %-5s %7.2f %7llu %9llu%s%s\n",
		       k->loss * 100, k->reorder * 100, k->delay_ms, k->rate_mbit, k->queue,
		       names[congestion],
		       result.last_read_s > 0 ? (double)result.bytes * 8e-6 / result.last_read_s
					      : 0,
		       (unsigned long long)result.retransmits, (unsigned long long)result.timeouts,
		       result.failed ? " failed: " : "", result.reason);
		failed |= result.failed;
	}
	return failed;
}
