/*
 * The stream that capture writes, read back by a reader of its own, and by tshark where there is
 * one.
 */
#include "link/capture.h"

#include <stdio.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "../base/needs.h"
#include "../base/seed.h"
#include "base/packet.h"
#include "frames.h"
#include "link/pipe.h"

#define LINKS    2
#define WALL_NS  INT64_C(1700000000123456789)
#define SECTION  0x0a0d0d0a
#define FILE_MAX (8 << 20)

struct sent {
	struct flat frame; /* as it must be in the stream, before it is cut */
	int link;
	bool outbound;
	int64_t ns;
};

/* As long as a host's name may be. */
#define FIRST "first-in-a-name-of-sixty-three-letters-that-must-be-here-to-end"

struct bench {
	struct reeve_pool *pool;
	struct link *links[LINKS], *ends[LINKS];
	struct capture *capture;
	struct reeve_time now;
	uint8_t *file;
	size_t length;
};

static void bench_init(struct bench *b, const struct capture_config *config)
{
	*b = (struct bench){ .now = { 5000 } };
	b->pool = reeve_pool_new(&(struct reeve_pool_config){ 1000, 16 << 20 });
	b->capture = capture_new(config, b->now, WALL_NS);
	b->file = malloc(FILE_MAX);
	assert_true(b->capture && b->file);
	for (int i = 0; i < LINKS; i++) {
		struct link *inner;

		assert_int_equal(
			pipe_new(&(struct pipe_config){ 1500, 7, 1000 }, &inner, &b->ends[i]), 0);
		b->links[i] = capture_link_new(inner, i ? "second" : FIRST);
		assert_int_equal(b->links[i]->offloads, 7);
		assert_true(capture_attach(b->links[i], b->capture));
	}
}

static void consume(struct bench *b, size_t most)
{
	const void *bytes;
	size_t n = capture_peek(b->capture, &bytes);

	if (n > most)
		n = most;
	assert_true(b->length + n <= FILE_MAX);
	memcpy(b->file + b->length, bytes, n);
	b->length += n;
	capture_consume(b->capture, n);
}

static void consume_all(struct bench *b)
{
	const void *bytes;

	while (capture_peek(b->capture, &bytes))
		consume(b, SIZE_MAX);
}

static void bench_deinit(struct bench *b)
{
	struct reeve_pool_stats stats;

	capture_free(b->capture);
	for (int i = 0; i < LINKS; i++) {
		link_free(b->links[i]);
		link_free(b->ends[i]);
	}
	reeve_pool_stats(b->pool, &stats);
	assert_int_equal(stats.packets, 0);
	reeve_pool_free(b->pool);
	free(b->file);
}

/* What the reader finds, block by block. */
struct reader {
	const uint8_t *at, *end;
	uint32_t type, interface, captured, original, flags;
	uint64_t ns, received, dropped;
	const uint8_t *frame;
	char name[64];
	uint8_t resolution;
	uint32_t snap_length;
};

static uint32_t u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void read_option(struct reader *r, uint16_t code, const uint8_t *value, uint16_t length)
{
	if (r->type == 1 && code == 2) {
		assert_true(length < sizeof(r->name));
		memcpy(r->name, value, length);
		r->name[length] = '\0';
	} else if (r->type == 1 && code == 9) {
		r->resolution = value[0];
	} else if (r->type == 6 && code == 2) {
		r->flags = u32(value);
	} else if (r->type == 5 && code == 4) {
		memcpy(&r->received, value, 8);
	} else if (r->type == 5 && code == 5) {
		memcpy(&r->dropped, value, 8);
	}
}

static bool next_block(struct reader *r)
{
	if (r->at == r->end)
		return false;
	assert_true(r->end - r->at >= 12);
	const uint32_t length = u32(r->at + 4);

	assert_true(length % 4 == 0 && length >= 12 && length <= (size_t)(r->end - r->at));
	assert_int_equal(u32(r->at + length - 4), length);
	r->type = u32(r->at);
	const uint8_t *body = r->at + 8, *end = r->at + length - 4;

	switch (r->type) {
	case SECTION:
		assert_int_equal(u32(body), 0x1a2b3c4d);
		assert_int_equal(u16(body + 4), 1);
		body += 16;
		break;
	case 1:
		assert_int_equal(u16(body), 1);
		r->snap_length = u32(body + 4);
		body += 8;
		break;
	case 5:
		r->interface = u32(body);
		body += 12;
		break;
	case 6:
		r->interface = u32(body);
		r->ns = (uint64_t)u32(body + 4) << 32 | u32(body + 8);
		r->captured = u32(body + 12);
		r->original = u32(body + 16);
		r->frame = body + 20;
		body += 20 + (r->captured + 3) / 4 * 4;
		break;
	default:
		fail_msg("block of type %u", r->type);
	}
	while (body < end) {
		const uint16_t code = u16(body), size = u16(body + 2);

		if (code == 0)
			assert_ptr_equal(body + 4, end);
		assert_true(body + 4 + size <= end);
		read_option(r, code, body + 4, size);
		body += 4 + (size + 3) / 4 * 4;
	}
	assert_ptr_equal(body, end);
	r->at += length;
	return true;
}

/* Sends a random frame over one of the links and says what the stream must hold of it. */
static void send_one(struct bench *b, struct random *r, struct sent *ret)
{
	static struct flat after;
	struct flat *f = &ret->frame;

	ret->link = (int)random_below(r, LINKS);
	ret->outbound = random_u32(r) & 1;
	ret->ns = WALL_NS + b->now.ns - 5000;
	f->length = between(r, 60, random_below(r, 20) ? 1514 : 60000);
	fill(r, f->bytes, f->length);
	struct reeve_packet *p = scatter(r, b->pool, f);
	struct link *to = ret->outbound ? b->links[ret->link] : b->ends[ret->link];
	struct link *from = ret->outbound ? b->ends[ret->link] : b->links[ret->link];
	const bool partial = random_u32(r) & 1;

	if (partial)
		p->offload = (struct reeve_offload){ .checksum = REEVE_CHECKSUM_PARTIAL,
						     .checksum_start = 34,
						     .checksum_offset = 16 };
	link_send(to, p, b->now);
	p = link_receive(from, b->now);
	assert_non_null(p);
	gather(p, &after);
	assert_memory_equal(after.bytes, f->bytes, f->length); /* the original is as it was */
	if (partial) {
		assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_PARTIAL);
		const uint16_t sum = slow_checksum(f->bytes + 34, f->length - 34, 0);

		store_be16(f->bytes + 50, sum ? sum : 0xffff);
	}
	reeve_packet_free(p);
}

static bool is_block_of(const struct reader *r, const struct sent *s, uint32_t snap_length)
{
	const uint32_t captured = s->frame.length < snap_length ? s->frame.length : snap_length;

	return r->original == s->frame.length && r->captured == captured &&
	       r->ns == (uint64_t)s->ns && r->interface == (uint32_t)s->link &&
	       r->flags == (s->outbound ? 2U : 1U) &&
	       memcmp(r->frame, s->frame.bytes, captured) == 0;
}

/* Frames in a stream that is read too slowly: all that is there is right and in order, and the last
 * statistics tell exactly how much is not. */
static void test_stream(void **state)
{
	(void)state;
	enum { COUNT = 600 };
	const struct capture_config config = { .buffer_bytes = 40000, .snap_length = 2000 };
	struct random r = seeded(0xca97);
	struct sent *sent = calloc(COUNT, sizeof(*sent));
	uint64_t received[LINKS] = { 0 }, dropped[LINKS] = { 0 }, missing[LINKS] = { 0 };
	uint64_t seen[LINKS] = { 0 };
	uint64_t reports = 0;
	int interfaces = 0, at = 0;
	struct bench b;

	assert_non_null(sent);
	bench_init(&b, &config);
	for (int i = 0; i < COUNT; i++) {
		send_one(&b, &r, &sent[i]);
		b.now.ns += random_below(&r, 1000000);
		if (random_below(&r, 3) == 0)
			consume(&b, random_below(&r, 3000));
	}
	consume_all(&b);
	for (int i = 0; i < LINKS; i++)
		capture_detach(b.links[i], b.capture, b.now);
	consume_all(&b);

	struct reader reader = { .at = b.file, .end = b.file + b.length };

	assert_true(next_block(&reader));
	assert_int_equal(reader.type, SECTION);
	while (next_block(&reader)) {
		if (reader.type == 1) {
			assert_string_equal(reader.name, interfaces ? "second" : FIRST);
			assert_int_equal(reader.resolution, 9);
			assert_int_equal(reader.snap_length, 2000);
			interfaces++;
		} else if (reader.type == 5) {
			received[reader.interface] = reader.received;
			dropped[reader.interface] = reader.dropped;
			reports++;
		} else {
			while (at < COUNT && !is_block_of(&reader, &sent[at], 2000))
				missing[sent[at++].link]++;
			assert_true(at < COUNT);
			seen[sent[at++].link]++;
		}
	}
	assert_int_equal(interfaces, LINKS);
	assert_true(dropped[0] > 10 && dropped[1] > 10 && reports > 4);
	for (; at < COUNT; at++)
		missing[sent[at].link]++;
	for (int i = 0; i < LINKS; i++) {
		assert_int_equal(received[i], seen[i] + missing[i]);
		assert_int_equal(dropped[i], missing[i]);
	}
	free(sent);
	bench_deinit(&b);
}

/* With nothing lost, every frame is there. */
static void test_complete(void **state)
{
	(void)state;
	const struct capture_config config = { .buffer_bytes = 200000 };
	struct random r = seeded(0xca98);
	static struct sent sent[200];
	int at = 0;
	struct bench b;

	bench_init(&b, &config);
	for (int i = 0; i < 200; i++) {
		send_one(&b, &r, &sent[i]);
		consume_all(&b);
	}
	for (int i = 0; i < LINKS; i++)
		capture_detach(b.links[i], b.capture, b.now);
	consume_all(&b);
	struct reader reader = { .at = b.file, .end = b.file + b.length };

	while (next_block(&reader)) {
		if (reader.type == 6) {
			assert_true(is_block_of(&reader, &sent[at], UINT32_MAX));
			at++;
		} else if (reader.type == 5) {
			assert_int_equal(reader.dropped, 0);
		}
	}
	assert_int_equal(at, 200);
	bench_deinit(&b);
}

static void test_limits(void **state)
{
	(void)state;
	const struct capture_config config = { .buffer_bytes = 1000 };
	const struct capture_config too_small = { .buffer_bytes = 10 };
	struct capture *more[8];
	struct bench b;

	assert_null(capture_new(&too_small, (struct reeve_time){ 0 }, 0));
	bench_init(&b, &config);
	for (int i = 0; i < 8; i++) {
		more[i] = capture_new(&config, b.now, WALL_NS);
		assert_int_equal(capture_attach(b.links[0], more[i]), i < 7); /* one is there */
	}
	for (int i = 0; i < 8; i++) {
		capture_detach(b.links[0], more[i], b.now);
		capture_free(more[i]);
	}
	capture_detach(b.links[0], b.capture, b.now);
	capture_detach(b.links[1], b.capture, b.now);
	bench_deinit(&b);
}

static void test_tshark(void **state)
{
	(void)state;
	const struct capture_config config = { .buffer_bytes = 200000 };
	char path[] = "/tmp/reeve-capture-XXXXXX", command[200], line[200];
	struct random r = seeded(0xca99);
	static struct sent sent;
	int lines = 0;
	struct bench b;

	if (access("/usr/bin/tshark", X_OK) != 0)
		do_without("tshark is not installed", false);
	bench_init(&b, &config);
	for (int i = 0; i < 50; i++) {
		send_one(&b, &r, &sent);
		consume_all(&b);
	}
	for (int i = 0; i < LINKS; i++)
		capture_detach(b.links[i], b.capture, b.now);
	consume_all(&b);
	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b.file, b.length), b.length);
	close(fd);
	snprintf(command, sizeof(command),
		 "/usr/bin/tshark -r %s -T fields -e frame.number -e frame.interface_name "
		 "-e frame.packet_flags_direction 2>/dev/null",
		 path);
	FILE *out = popen(command, "r"); /* NOLINT(cert-env33-c): a fixed command */

	assert_non_null(out);
	while (fgets(line, sizeof(line), out)) {
		assert_true(strstr(line, "first") || strstr(line, "second"));
		lines++;
	}
	const int status = pclose(out);

	unlink(path);
	assert_int_equal(status, 0);
	assert_int_equal(lines, 50);
	bench_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_tshark),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
