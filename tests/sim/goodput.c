/*
 * The golden table: what one flow and sixteen get of a link of 50 Mbit/s in virtual time, and how
 * evenly the sixteen share it, by loss, round-trip time and congestion control. It is the same on every
 * machine, so a change in how the stack recovers or controls congestion shows as a difference of
 * lines, to be judged and then kept (goodput.txt).
 *
 * Goodput is what the readers have at the end, over the whole time: slow start counts. Fairness is
 * Jain's index, (sum x)^2 / (n sum x^2): 1 when all get the same, 1/n when one has all.
 */
#include <string.h>

#include "sim.h"

#define RATE_BITS   50000000
#define SECONDS     10
#define FRAME_BITS  UINT64_C(12112) /* of 1,514 bytes */
#define QUEUE_LEAST 50
#define FLOWS_MOST  16
#define START_NS    (7 * REEVE_NS_PER_MS) /* after the flow before */
#define LINE_MAX    128

struct cell {
	double loss;
	uint32_t round_trip_ms;
	unsigned flows;
};

/* The buffer in front of the link takes one bandwidth-delay product, at least some; the frames on
 * their way are counted with it. */
static uint32_t queue_of(const struct cell *c)
{
	const uint32_t product =
		(uint32_t)((uint64_t)RATE_BITS * c->round_trip_ms / 1000 / FRAME_BITS);

	return (product > QUEUE_LEAST ? product : QUEUE_LEAST) + product / 2;
}

static void prepare(struct scenario *s, const struct cell *c, enum reeve_congestion congestion)
{
	scenario_plain(s, FLOWS_MOST);
	s->weather[0].settings = (struct impair_settings){
		.loss = c->loss,
		.delay_ns = c->round_trip_ms * REEVE_NS_PER_MS / 2,
		.rate_bits = RATE_BITS,
		.queue_packets = queue_of(c),
		.seed = 1,
	};
	s->connection_count = c->flows;
	for (unsigned i = 0; i < c->flows; i++) {
		s->connections[i] = (struct connection_plan){
			.client = 0,
			.server = 1,
			.start_ns = i * START_NS,
		};
		for (unsigned side = 0; side < 2; side++)
			s->connections[i].sides[side] = (struct side_plan){
				.bytes = side ? 0 : UINT64_C(1) << 40,
				.write_size = 65536,
				.read_size = 65536,
				.congestion = congestion,
				.without_copy = true,
			};
	}
}

struct share {
	double mbit, fairness;
};

static struct share share_of(const struct sim_result *r, unsigned flows)
{
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < flows; i++) {
		const double mbit = (double)r->read[i] * 8e-6 / SECONDS;

		sum += mbit;
		squares += mbit * mbit;
	}
	return (struct share){ sum, squares > 0 ? sum * sum / (flows * squares) : 0 };
}

/* False when the simulation itself has failed. */
static bool measure(const struct cell *c, enum reeve_congestion congestion, struct share *ret)
{
	const struct sim_options options = { .until_ns = SECONDS * REEVE_NS_PER_S };
	static struct scenario s;
	struct sim_result result;

	prepare(&s, c, congestion);
	sim_run(&s, &options, &result);
	*ret = share_of(&result, c->flows);
	if (result.failed)
		printf("# %s\n", result.reason);
	return !result.failed;
}

static bool write_line(const struct cell *c, char *line)
{
	struct share cubic = { 0 }, reno = { 0 };
	const bool fine = measure(c, REEVE_CUBIC, &cubic) && measure(c, REEVE_RENO, &reno);

	snprintf(line, LINE_MAX, "%6.2f %8u %6u %9.2f %9.3f %9.2f %9.3f\n", c->loss * 100,
		 c->round_trip_ms, c->flows, cubic.mbit, cubic.fairness, reno.mbit, reno.fairness);
	return fine;
}

static const char head[] = "# loss    round  flows     CUBIC             Reno\n"
			   "#    %  trip ms           Mbit/s  fairness    Mbit/s  fairness\n";

static const double losses[] = { 0, 0.0001, 0.001, 0.01, 0.03 };
static const uint32_t round_trips_ms[] = { 1, 10, 100 };
static const unsigned flows[] = { 1, FLOWS_MOST };

#define LOSSES      (sizeof(losses) / sizeof(losses[0]))
#define ROUND_TRIPS (sizeof(round_trips_ms) / sizeof(round_trips_ms[0]))
#define FLOWS       (sizeof(flows) / sizeof(flows[0]))
#define CELLS       (LOSSES * ROUND_TRIPS * FLOWS)

static struct cell cell_at(size_t i)
{
	return (struct cell){
		.loss = losses[i / FLOWS / ROUND_TRIPS],
		.round_trip_ms = round_trips_ms[i / FLOWS % ROUND_TRIPS],
		.flows = flows[i % FLOWS],
	};
}

int sim_goodput_print(void)
{
	int failed = 0;

	fputs(head, stdout);
	for (size_t i = 0; i < CELLS; i++) {
		const struct cell c = cell_at(i);
		char line[LINE_MAX];

		failed |= !write_line(&c, line);
		fputs(line, stdout);
	}
	return failed;
}

/* The next line of the kept table that is no comment; an empty one behind the last. */
static void read_line(FILE *kept, char *line)
{
	do {
		if (!fgets(line, LINE_MAX, kept))
			line[0] = 0;
	} while (line[0] == '#');
}

int sim_goodput_compare(const char *path, const char *program)
{
	FILE *const kept = fopen(path, "re");
	int failed = 0;

	printf("1..%zu\n", CELLS);
	for (size_t i = 0; i < CELLS; i++) {
		const struct cell c = cell_at(i);
		char now[LINE_MAX], before[LINE_MAX] = "";
		const bool fine = write_line(&c, now);

		if (kept)
			read_line(kept, before);
		if (fine && strcmp(now, before) == 0) {
			printf("ok %zu - %s", i + 1, now);
			continue;
		}
		printf("not ok %zu\n# -%s%s# +%s", i + 1, before, before[0] ? "" : "\n", now);
		failed = 1;
	}
	if (failed)
		printf("%s# When the change is meant: %s --goodput > %s\n", head, program, path);
	if (kept)
		fclose(kept);
	return failed;
}
