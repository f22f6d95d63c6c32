/* What the measuring programs share: a clock, and what a list of samples says. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t measure_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A number of the command line. */
static inline uint32_t measure_number(const char *text)
{
	char *end;
	const unsigned long number = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || number > UINT32_MAX) {
		fprintf(stderr, "not a number: %s\n", text);
		exit(64);
	}
	return (uint32_t)number;
}

/* Bytes of this process in memory. */
static inline long measure_resident(void)
{
	char text[128] = "", *rest;
	FILE *const f = fopen("/proc/self/statm", "r");

	if (!f || !fgets(text, sizeof(text), f)) {
		fprintf(stderr, "cannot read /proc/self/statm\n");
		exit(1);
	}
	fclose(f);
	(void)strtol(text, &rest, 10); /* the whole address space */
	return strtol(rest, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static inline int measure_order(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One row for the harness: a case, then mean, median and the 99.9th percentile in nanoseconds. */
static inline void measure_report(const char *name, const char *level, uint64_t *samples,
				  size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += samples[i];
	qsort(samples, count, sizeof(*samples), measure_order);
	printf("%s\t%s\tmean\t%.1f\n", name, level, (double)sum / (double)count);
	printf("%s\t%s\tmedian\t%llu\n", name, level, (unsigned long long)samples[count / 2]);
	printf("%s\t%s\tp99.9\t%llu\n", name, level,
	       (unsigned long long)samples[count - 1 - count / 1000]);
	fflush(stdout);
}

/* How many of `range` are taken at each level of fill. */
struct measure_level {
	const char *name;
	double taken; /* over 1: all but one */
};

static const struct measure_level measure_levels[] = {
	{ "0 %", 0 },     { "50 %", 0.5 },     { "90 %", 0.9 },
	{ "99 %", 0.99 }, { "99.9 %", 0.999 }, { "all but one", 2 },
};

static inline uint32_t measure_taken(const struct measure_level *level, uint32_t range)
{
	return level->taken > 1 ? range - 1 : (uint32_t)(level->taken * range);
}
