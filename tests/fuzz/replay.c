/*
 * Runs a fuzzer without libFuzzer: over the files of its corpus, and over random changes of them.
 *
 *	fuzz_x COUNT FILE...
 *
 * COUNT random inputs, of which each is a file of the corpus with some bytes changed, cut or
 * repeated, or nothing but random bytes. REEVE_SEED in the environment chooses others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

#include "fuzz.h"

#define INPUT_MAX  32768
#define CORPUS_MAX 1024

struct input {
	uint8_t bytes[INPUT_MAX];
	size_t length;
};

/* A file of the corpus, as long as it is. */
static struct {
	uint8_t *bytes;
	size_t length;
} corpus[CORPUS_MAX];
static size_t corpus_count;

/* An allocation of just that length, so that a sanitizer sees every byte behind it. */
static uint8_t *exactly(const uint8_t *bytes, size_t length)
{
	uint8_t *const copy = malloc(length ? length : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, length);
	return copy;
}

static void read_file(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *const file = fopen(path, "rb");

	if (!file || corpus_count == CORPUS_MAX) {
		perror(path);
		exit(1);
	}
	const size_t length = fread(bytes, 1, sizeof(bytes), file);

	fclose(file);
	corpus[corpus_count].bytes = exactly(bytes, length);
	corpus[corpus_count++].length = length;
}

static void run(const struct input *in)
{
	uint8_t *const bytes = exactly(in->bytes, in->length);

	LLVMFuzzerTestOneInput(bytes, in->length);
	free(bytes);
}

static void change(struct input *in, struct random *r)
{
	if (in->length == 0)
		return;
	const uint32_t length = (uint32_t)in->length;
	const uint32_t at = random_below(r, length);
	const uint32_t part = 1 + random_below(r, length - at < 16 ? length - at : 16);

	switch (random_below(r, 5)) {
	case 0:
		in->bytes[at] = (uint8_t)random_u32(r);
		break;
	case 1:
		in->bytes[at] ^= (uint8_t)(1 << random_below(r, 8));
		break;
	case 2: /* cut out */
		memmove(in->bytes + at, in->bytes + at + part, in->length - at - part);
		in->length -= part;
		break;
	case 3: /* say twice */
		if (in->length + part > sizeof(in->bytes))
			break;
		memmove(in->bytes + at + part, in->bytes + at, in->length - at);
		in->length += part;
		break;
	default: /* the values at which lengths break */
		in->bytes[at] = (uint8_t[]){ 0, 1, 0x7f, 0x80, 0xff }[random_below(r, 5)];
	}
}

static void make_up(struct input *in, struct random *r)
{
	if (corpus_count > 0 && random_below(r, 8)) {
		const uint32_t which = random_below(r, (uint32_t)corpus_count);

		in->length = corpus[which].length;
		memcpy(in->bytes, corpus[which].bytes, in->length);
		for (uint32_t i = random_below(r, 8); i > 0; i--)
			change(in, r);
		return;
	}
	in->length = random_below(r, 200);
	for (size_t i = 0; i < in->length; i++)
		in->bytes[i] = (uint8_t)random_u32(r);
}

int main(int argc, char **argv)
{
	const char *const text = getenv("REEVE_SEED");
	const uint64_t number = text ? strtoull(text, NULL, 0) : 1;
	uint8_t seed[32] = { 0 };
	struct random r;
	static struct input in;

	memcpy(seed, &number, sizeof(number));
	random_init(&r, seed);
	for (int i = 2; i < argc; i++)
		read_file(argv[i]);
	for (size_t i = 0; i < corpus_count; i++)
		LLVMFuzzerTestOneInput(corpus[i].bytes, corpus[i].length);
	const long count = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

	printf("REEVE_SEED=%llu, %zu files, %ld random inputs\n", (unsigned long long)number,
	       corpus_count, count);
	fflush(stdout);
	for (long i = 0; i < count; i++) {
		make_up(&in, &r);
		run(&in);
	}
	for (size_t i = 0; i < corpus_count; i++)
		free(corpus[i].bytes);
	return 0;
}
