/* A pcapng stream, in pieces of any size; and bytes that are none. */
#include <errno.h>
#include <string.h>

#include "cli/pcapng.h"

#include "cmocka_all.h"
#include "seed.h"

struct stream {
	uint8_t bytes[4096];
	size_t length;
};

static void put(struct stream *s, const void *bytes, size_t length)
{
	assert_true(s->length + length <= sizeof(s->bytes));
	memcpy(s->bytes + s->length, bytes, length);
	s->length += length;
}

static void put_u32(struct stream *s, uint32_t n)
{
	put(s, &n, sizeof(n));
}

static void put_block(struct stream *s, uint32_t type, const struct stream *body)
{
	put_u32(s, type);
	put_u32(s, (uint32_t)body->length + 12);
	put(s, body->bytes, body->length);
	put_u32(s, (uint32_t)body->length + 12);
}

static void put_section(struct stream *s)
{
	struct stream body = { .length = 0 };

	put_u32(&body, 0x1a2b3c4d);
	put_u32(&body, 1);
	put_u32(&body, UINT32_MAX);
	put_u32(&body, UINT32_MAX);
	put_block(s, 0x0a0d0d0a, &body);
}

static void put_interface(struct stream *s, const char name[4])
{
	struct stream body = { .length = 0 };

	put_u32(&body, 1);
	put_u32(&body, 65535);
	put_u32(&body, 2 | 3 << 16); /* if_name, three bytes and one of padding */
	put(&body, name, 4);
	put_u32(&body, 9 | 1 << 16); /* if_tsresol: nanoseconds */
	put_u32(&body, 9);
	put_u32(&body, 0);
	put_block(s, 1, &body);
}

static void put_packet(struct stream *s, uint32_t interface, uint64_t ns, uint32_t captured)
{
	struct stream body = { .length = 0 };
	uint8_t frame[64];

	memset(frame, (int)captured, sizeof(frame));
	put_u32(&body, interface);
	put_u32(&body, (uint32_t)(ns >> 32));
	put_u32(&body, (uint32_t)ns);
	put_u32(&body, captured);
	put_u32(&body, captured + 1000);
	put(&body, frame, (captured + 3) & ~3u);
	put_block(s, 6, &body);
}

static void feed(struct pcapng *p, const uint8_t *bytes, size_t length)
{
	size_t size;
	uint8_t *room = pcapng_room(p, &size);

	assert_non_null(room);
	assert_true(size >= length);
	memcpy(room, bytes, length);
	pcapng_filled(p, length);
}

static void test_stream_in_pieces(void **state)
{
	struct random r = seeded(3);
	struct stream s = { .length = 0 };

	(void)state;
	put_section(&s);
	put_interface(&s, "web");
	put_interface(&s, "db1");
	for (uint32_t i = 1; i <= 40; i++)
		put_packet(&s, i % 2, UINT64_C(1800000000000000000) + i, i);
	struct pcapng *p = pcapng_new();
	struct pcapng_block b;
	uint32_t packets = 0;
	size_t out = 0;
	int status = 0;

	for (size_t in = 0; in < s.length;) {
		size_t piece = random_u64(&r) % 100;

		piece = piece < s.length - in ? piece : s.length - in;
		feed(p, s.bytes + in, piece);
		in += piece;
		while ((status = pcapng_next(p, &b)) == 1) {
			assert_memory_equal(b.bytes, s.bytes + out, b.length);
			out += b.length;
			if (!b.is_packet)
				continue;
			packets++;
			assert_string_equal(b.interface, packets % 2 ? "db1" : "web");
			assert_true(b.time_ns == INT64_C(1800000000000000000) + packets);
			assert_int_equal(b.captured, packets);
			assert_int_equal(b.original, packets + 1000);
			assert_int_equal(b.frame[packets - 1], packets);
		}
		assert_int_equal(status, 0);
	}
	assert_int_equal(packets, 40);
	assert_int_equal(out, s.length);
	pcapng_free(p);
}

static void test_no_pcapng(void **state)
{
	struct stream streams[4] = { { .length = 0 } };
	struct pcapng_block b;

	(void)state;
	put_interface(&streams[0], "web"); /* without a section */
	put_u32(&streams[1], 0x0a0d0d0a);  /* of no length */
	put_u32(&streams[1], 0);
	put_u32(&streams[1], 0);
	put_u32(&streams[2], 0x0a0d0d0a); /* of a gigabyte */
	put_u32(&streams[2], 1u << 30);
	put_u32(&streams[2], 0);
	put(&streams[3], "GET / HTTP/1.0\r\n\r\n", 18);
	for (size_t i = 0; i < 4; i++) {
		struct pcapng *p = pcapng_new();

		feed(p, streams[i].bytes, streams[i].length);
		assert_int_equal(pcapng_next(p, &b), -EBADMSG);
		pcapng_free(p);
	}
}

static void test_packet_that_claims_too_much(void **state)
{
	struct stream s = { .length = 0 };
	struct pcapng *p = pcapng_new();
	struct pcapng_block b;
	const uint32_t captured = 5000;

	(void)state;
	put_section(&s);
	const size_t at = s.length;

	put_packet(&s, 9, 1, 8);
	memcpy(s.bytes + at + 8 + 12, &captured, sizeof(captured));
	feed(p, s.bytes, s.length);
	assert_int_equal(pcapng_next(p, &b), 1);
	assert_int_equal(pcapng_next(p, &b), -EBADMSG);
	pcapng_free(p);
}

static void test_random_bytes(void **state)
{
	struct random r = seeded(5);

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct stream s = { .length = 0 };
		struct pcapng *p = pcapng_new();
		struct pcapng_block b;

		put_section(&s);
		put_interface(&s, "web");
		put_packet(&s, 0, 1, 17);
		for (int j = 0; j < 4; j++)
			s.bytes[random_u64(&r) % s.length] = (uint8_t)random_u64(&r);
		feed(p, s.bytes, s.length);
		while (pcapng_next(p, &b) == 1)
			assert_true(b.length <= s.length);
		pcapng_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_in_pieces),
		cmocka_unit_test(test_no_pcapng),
		cmocka_unit_test(test_packet_that_claims_too_much),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests_name("pcapng", tests, NULL, NULL);
}
