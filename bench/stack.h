/*
 * What stack_reeve and stack_lwip share: the stream that both carry, and what is said of it. A
 * pattern without end is written by copy in pieces of up to 64 KiB and read where it lies. What is
 * read first is compared byte by byte and not measured; the rest is measured and only counted.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "measure.h"

#define STREAM_PERIOD   65536 /* bytes, after which the pattern begins anew */
#define STREAM_COMPARED (UINT64_C(64) << 20)

struct stream {
	uint64_t written, read;
	uint64_t first, end; /* what is measured */
	uint64_t from_ns;    /* the processor's time at `first` */
	uint8_t pattern[STREAM_PERIOD];
};

static inline uint64_t stream_processor_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void stream_init(struct stream *s, uint32_t measured_megabytes)
{
	memset(s, 0, sizeof(*s));
	s->end = STREAM_COMPARED + ((uint64_t)measured_megabytes << 20);
	srandom(1);
	for (size_t i = 0; i < STREAM_PERIOD; i++)
		s->pattern[i] = (uint8_t)random();
}

/* The next piece to write. */
static inline const uint8_t *stream_piece(const struct stream *s, size_t *ret_length)
{
	const size_t at = s->written % STREAM_PERIOD;

	*ret_length = STREAM_PERIOD - at;
	return s->pattern + at;
}

static inline void stream_compare(const struct stream *s, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == s->pattern[(s->read + i) % STREAM_PERIOD])
			continue;
		fprintf(stderr, "the stream is wrong at byte %llu\n",
			(unsigned long long)(s->read + i));
		exit(1);
	}
}

/* These have come next. */
static inline void stream_take(struct stream *s, const void *bytes, size_t length)
{
	if (s->read < STREAM_COMPARED)
		stream_compare(s, bytes, length);
	s->read += length;
	if (s->read >= STREAM_COMPARED && s->first == 0) {
		s->first = s->read;
		s->from_ns = stream_processor_ns();
	}
}

static inline bool stream_goes_on(const struct stream *s)
{
	return s->read < s->end;
}

/* A row for the harness: what one core moves from host to host. */
static inline void stream_report(const struct stream *s)
{
	const double seconds = (double)(stream_processor_ns() - s->from_ns) / 1e9;

	printf("%.0f\n", (double)(s->read - s->first) * 8 / seconds);
}
