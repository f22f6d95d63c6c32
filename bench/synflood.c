/*
 * A flood of SYNs with made-up sources, as fast as this machine can make them, through the switch and
 * its bounded queues, with honest connections beside it (tests/station/flood.h).
 *
 *	synflood SECONDS	honest connections are opened, a hundred a second, but in the last ten
 */

#include "station/flood.h"

#include "measure.h"

#define HONEST_EVERY_NS 10000000
#define SYNS_A_TURN     64 /* a station's turn */
#define SETTLE_S        2

static struct reeve_time clock_now(void)
{
	return (struct reeve_time){ (int64_t)measure_now_ns() };
}

int main(int argc, char **argv)
{
	const int64_t seconds = argc == 2 ? measure_number(argv[1]) : 0;
	const struct reeve_time start = clock_now();
	struct flood *const f = flood_new(1, start);
	struct flood_result result;
	struct reeve_time now = start, next = reeve_time_add(start, SETTLE_S * REEVE_NS_PER_S);
	const struct reeve_time begin = next;
	const struct reeve_time end = reeve_time_add(begin, seconds * REEVE_NS_PER_S);
	const struct reeve_time last = reeve_time_add(end, -FLOOD_PATIENCE_S * REEVE_NS_PER_S);
	const struct reeve_time warm = reeve_time_add(begin, 3 * REEVE_NS_PER_S);
	long before = 0;

	if (!f || seconds <= FLOOD_PATIENCE_S + 5)
		return 64;
	while (reeve_time_before(now, end)) {
		now = clock_now();
		if (!reeve_time_before(now, next) && reeve_time_before(now, last)) {
			flood_open(f, now);
			next = reeve_time_add(next, HONEST_EVERY_NS);
		}
		if (before == 0 && reeve_time_before(warm, now))
			before = measure_resident();
		flood_step(f, reeve_time_before(now, begin) ? 0 : SYNS_A_TURN, now);
	}
	flood_result(f, &result);
	printf("syns\t%.0f\t1/s\n", (double)result.syns / (double)seconds);
	printf("lost in the queue\t%.0f\t1/s\n", (double)result.dropped / (double)seconds);
	printf("honest connections\t%llu\t\n", (unsigned long long)result.opened);
	printf("succeeded\t%.2f\t%%\n", 100.0 * (double)result.succeeded / (double)result.opened);
	printf("memory's growth\t%ld\tbytes\n", measure_resident() - before);
	return 0;
}
