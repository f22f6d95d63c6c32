/*
 * Runs the simulation over many seeds, a test point for each hundred:
 *
 *	test_sim [--first N] [--seeds N] [--share I/N]
 *	test_sim --seed N [--verbose] [--pcapng FILE]
 *	test_sim --throughput
 *	test_sim --goodput [--against FILE]
 *	test_sim --captures
 *
 * REEVE_SIM_SEEDS stands for --seeds; --share runs one part of them.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim.h"

#define SEEDS_DEFAULT 2000
#define BATCH         100
#define TWICE_EVERY   50
#define CAPTURES      20

struct arguments {
	uint64_t first, seeds;
	unsigned share, shares;
	bool one, throughput, goodput, captures;
	const char *against;
	struct sim_options options;
};

struct totals {
	uint64_t failed, frames, datagrams, bytes;
};

/* True when it is fine. */
static bool run_seed(uint64_t seed, const struct sim_options *options, struct totals *totals)
{
	struct sim_result result, again;
	static struct scenario scenario;

	scenario_draw(&scenario, seed);
	sim_run(&scenario, options, &result);
	totals->frames += result.frames;
	totals->datagrams += result.datagrams;
	totals->bytes += result.bytes;
	if (!result.failed && seed % TWICE_EVERY == 0) {
		sim_run(&scenario, options, &again);
		if (again.hash != result.hash) {
			result.failed = true;
			strcpy(result.reason, "other frames the second time");
		}
	}
	if (options->verbose)
		printf("# %llu frames, %llu bytes, %.3f s, hash %016llx\n",
		       (unsigned long long)result.frames, (unsigned long long)result.bytes,
		       result.virtual_s, (unsigned long long)result.hash);
	if (!result.failed)
		return true;
	printf("# seed %llu: %s\n#   again: test_sim --seed %llu --verbose --pcapng FILE\n",
	       (unsigned long long)seed, result.reason, (unsigned long long)seed);
	totals->failed++;
	return false;
}

static int run_batches(const struct arguments *a)
{
	const uint64_t each = (a->seeds + a->shares - 1) / a->shares;
	const uint64_t first = a->first + each * a->share;
	const uint64_t points = (each + BATCH - 1) / BATCH;
	struct totals totals = { 0 };

	printf("1..%llu\n", (unsigned long long)points);
	for (uint64_t point = 0; point < points; point++) {
		const uint64_t from = first + point * BATCH;
		uint64_t to = from + BATCH;
		bool fine = true;

		if (to > first + each)
			to = first + each;
		for (uint64_t seed = from; seed < to; seed++)
			fine &= run_seed(seed, &a->options, &totals);
		printf("%sok %llu - seeds %llu to %llu\n", fine ? "" : "not ",
		       (unsigned long long)point + 1, (unsigned long long)from,
		       (unsigned long long)to - 1);
		fflush(stdout);
	}
	printf("# %llu frames, %llu bytes in streams, %llu datagrams, %llu seeds failed\n",
	       (unsigned long long)totals.frames, (unsigned long long)totals.bytes,
	       (unsigned long long)totals.datagrams, (unsigned long long)totals.failed);
	return totals.failed ? 1 : 0;
}

struct file {
	char *bytes;
	size_t length;
};

static struct file capture_of(const struct scenario *scenario)
{
	struct file f;
	struct sim_options options = { .pcapng = open_memstream(&f.bytes, &f.length) };
	struct sim_result result;

	check(options.pcapng);
	sim_run(scenario, &options, &result);
	fclose(options.pcapng);
	return f;
}

/* The same seed gives the same capture file, byte for byte, and another seed another. */
static int run_captures(void)
{
	struct file before = { NULL, 0 };
	int failed = 0;

	printf("1..%u\n", CAPTURES);
	for (uint64_t seed = 1; seed <= CAPTURES; seed++) {
		static struct scenario scenario;

		scenario_draw(&scenario, seed);
		const struct file first = capture_of(&scenario), second = capture_of(&scenario);
		const bool same = first.length == second.length &&
				  memcmp(first.bytes, second.bytes, first.length) == 0;
		const bool is_news = !before.bytes || first.length != before.length ||
				     memcmp(first.bytes, before.bytes, first.length) != 0;

		printf("%sok %llu - seed %llu, %zu bytes%s%s\n", same && is_news ? "" : "not ",
		       (unsigned long long)seed, (unsigned long long)seed, first.length,
		       same ? "" : ", others the second time",
		       is_news ? "" : ", the same as of the seed before");
		failed |= !same || !is_news;
		free(before.bytes);
		free(second.bytes);
		before = first;
	}
	free(before.bytes);
	return failed;
}

static bool parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{ "first", required_argument, NULL, 'f' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "share", required_argument, NULL, 'h' },
		{ "seed", required_argument, NULL, 's' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "pcapng", required_argument, NULL, 'p' },
		{ "throughput", no_argument, NULL, 't' },
		{ "goodput", no_argument, NULL, 'g' },
		{ "captures", no_argument, NULL, 'c' },
		{ "against", required_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'f':
			ret->first = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			ret->seeds = strtoull(optarg, NULL, 0);
			break;
		case 'h': {
			char *rest;

			ret->share = (unsigned)strtoul(optarg, &rest, 10);
			ret->shares = *rest == '/' ? (unsigned)strtoul(rest + 1, NULL, 10) : 0;
			break;
		}
		case 's':
			ret->one = true;
			ret->first = strtoull(optarg, NULL, 0);
			break;
		case 't':
			ret->throughput = true;
			break;
		case 'g':
			ret->goodput = true;
			break;
		case 'c':
			ret->captures = true;
			break;
		case 'a':
			ret->against = optarg;
			break;
		case 'v':
			ret->options.verbose = true;
			break;
		case 'p':
			ret->options.pcapng = fopen(optarg, "wbe");
			if (!ret->options.pcapng)
				return false;
			break;
		default:
			return false;
		}
	}
	return optind == argc && ret->share < ret->shares;
}

int main(int argc, char **argv)
{
	const char *seeds = getenv("REEVE_SIM_SEEDS");
	struct arguments a = {
		.first = 1,
		.seeds = seeds ? strtoull(seeds, NULL, 0) : SEEDS_DEFAULT,
		.shares = 1,
	};
	struct totals totals = { 0 };

	if (!parse(argc, argv, &a)) {
		fprintf(stderr, "usage: test_sim [--first N] [--seeds N] [--share I/N]\n"
				"       test_sim --seed N [--verbose] [--pcapng FILE]\n"
				"       test_sim --throughput\n"
				"       test_sim --goodput [--against FILE]\n"
				"       test_sim --captures\n");
		return 2;
	}
	if (a.throughput)
		return sim_throughput();
	if (a.goodput)
		return a.against ? sim_goodput_compare(a.against, argv[0]) : sim_goodput_print();
	if (a.captures)
		return run_captures();
	if (!a.one)
		return run_batches(&a);
	const bool fine = run_seed(a.first, &a.options, &totals);

	printf("1..1\n%sok 1 - seed %llu\n", fine ? "" : "not ", (unsigned long long)a.first);
	if (a.options.pcapng)
		fclose(a.options.pcapng);
	return !fine;
}
