/* The TCP header and its options: identity, and what is malformed. Hazards 1 and 2. */
#include "cmocka_all.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "seed.h"
#include "wire/tcp.h"

static struct tcp_header random_header(struct random *r)
{
	struct tcp_header h = {
		.source_port = (uint16_t)random_u32(r),
		.destination_port = (uint16_t)random_u32(r),
		.sequence = random_u32(r),
		.acknowledgment = random_u32(r),
		.flags = (uint8_t)random_u32(r),
		.window = (uint16_t)random_u32(r),
		.checksum = (uint16_t)random_u32(r),
		.urgent = (uint16_t)random_u32(r),
	};
	struct tcp_options *const o = &h.options;

	if (random_below(r, 2))
		o->mss = (uint16_t)(1 + random_below(r, 65535));
	if (random_below(r, 2)) {
		o->has_window_scale = true;
		o->window_scale = (uint8_t)random_u32(r);
	}
	o->sack_permitted = random_below(r, 2);
	if (random_below(r, 2)) {
		o->has_timestamps = true;
		o->timestamp = random_u32(r);
		o->timestamp_echo = random_u32(r);
	}
	o->sack_count = (uint8_t)random_below(r, TCP_SACK_BLOCKS + 1);
	for (unsigned i = 0; i < o->sack_count; i++)
		o->sack[i] = (struct tcp_sack_block){ random_u32(r), random_u32(r) };
	if ((h.flags & TCP_SYN) && random_below(r, 2)) {
		struct tcp_fast_open *const f = &o->fast_open;

		f->is_there = true;
		f->length = (uint8_t)(2 * random_below(r, TCP_FAST_OPEN_MAX / 2 + 1));
		if (f->length < TCP_FAST_OPEN_MIN)
			f->length = 0;
		for (unsigned i = 0; i < f->length; i++)
			f->cookie[i] = (uint8_t)random_u32(r);
	}
	return h;
}

static void assert_same(const struct tcp_header *a, const struct tcp_header *b)
{
	assert_int_equal(a->source_port, b->source_port);
	assert_int_equal(a->destination_port, b->destination_port);
	assert_int_equal(a->sequence, b->sequence);
	assert_int_equal(a->acknowledgment, b->acknowledgment);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->window, b->window);
	assert_int_equal(a->checksum, b->checksum);
	assert_int_equal(a->urgent, b->urgent);
	assert_int_equal(a->options.mss, b->options.mss);
	assert_int_equal(a->options.has_window_scale, b->options.has_window_scale);
	assert_int_equal(a->options.window_scale, b->options.window_scale);
	assert_int_equal(a->options.sack_permitted, b->options.sack_permitted);
	assert_int_equal(a->options.has_timestamps, b->options.has_timestamps);
	assert_int_equal(a->options.timestamp, b->options.timestamp);
	assert_int_equal(a->options.timestamp_echo, b->options.timestamp_echo);
	assert_int_equal(a->options.sack_count, b->options.sack_count);
	for (unsigned i = 0; i < a->options.sack_count; i++) {
		assert_int_equal(a->options.sack[i].start, b->options.sack[i].start);
		assert_int_equal(a->options.sack[i].end, b->options.sack[i].end);
	}
	assert_int_equal(a->options.fast_open.is_there, b->options.fast_open.is_there);
	assert_int_equal(a->options.fast_open.length, b->options.fast_open.length);
	assert_memory_equal(a->options.fast_open.cookie, b->options.fast_open.cookie,
			    b->options.fast_open.length);
}

static void test_parse_undoes_emit(void **state)
{
	struct random r = seeded(1);

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		const struct tcp_header h = random_header(&r);
		uint8_t bytes[TCP_HEADER_MAX];
		struct tcp_header again;

		if (tcp_header_size(&h) > TCP_HEADER_MAX)
			continue;
		tcp_header_emit(&h, bytes);
		assert_int_equal(tcp_header_length_field(bytes), tcp_header_size(&h));
		assert_int_equal(tcp_header_parse(bytes, tcp_header_size(&h), &again), 0);
		assert_int_equal(again.length, tcp_header_size(&h));
		assert_same(&again, &h);
	}
}

/* A header of 20 bytes and these options, padded to whole words with `fill`. */
static int parse_with(const uint8_t *options, size_t length, uint8_t fill, struct tcp_header *ret)
{
	uint8_t bytes[TCP_HEADER_MAX] = { 0 };
	const size_t padded = (length + 3) / 4 * 4;

	memset(bytes + TCP_HEADER_MIN, fill, padded);
	memcpy(bytes + TCP_HEADER_MIN, options, length);
	bytes[12] = (uint8_t)((TCP_HEADER_MIN + padded) / 4 << 4);
	return tcp_header_parse(bytes, TCP_HEADER_MIN + padded, ret);
}

static void test_malformed_options(void **state)
{
	static const uint8_t zero[] = { 99, 0, 1, 1 }, one[] = { 99, 1, 1, 1 };
	static const uint8_t over[] = { 1, 1, 99, 4 }, no_length[] = { 1, 1, 1, 99 };
	static const uint8_t mss_over[] = { 1, 1, 2, 4 };
	struct tcp_header h = { .window = 4711 };

	(void)state;
	assert_int_equal(parse_with(zero, 4, 0, &h), -EBADMSG);
	assert_int_equal(parse_with(one, 4, 0, &h), -EBADMSG);
	assert_int_equal(parse_with(over, 4, 0, &h), -EBADMSG);
	assert_int_equal(parse_with(no_length, 4, 0, &h), -EBADMSG);
	assert_int_equal(parse_with(mss_over, 4, 0, &h), -EBADMSG);
	assert_int_equal(h.window, 4711); /* untouched on failure */
}

static void test_skipped_options(void **state)
{
	static const uint8_t unknown[] = { 99, 6, 1, 2, 3, 4, 2, 4, 5, 180 };
	static const uint8_t wrong_length[] = { 2, 3, 5, 3, 2, 0, 8, 4, 1, 1, 4, 3, 0, 5, 4, 1, 1 };
	static const uint8_t behind_end[] = { 0, 99, 0, 0 };
	struct tcp_header h;

	(void)state;
	assert_int_equal(parse_with(unknown, sizeof(unknown), 0, &h), 0);
	assert_int_equal(h.options.mss, 1460);
	assert_int_equal(parse_with(wrong_length, sizeof(wrong_length), 1, &h), 0);
	assert_int_equal(h.options.mss, 0);
	assert_false(h.options.has_window_scale);
	assert_false(h.options.has_timestamps);
	assert_false(h.options.sack_permitted);
	assert_int_equal(h.options.sack_count, 0);
	assert_int_equal(parse_with(behind_end, sizeof(behind_end), 0, &h), 0);
}

static void test_data_offset(void **state)
{
	uint8_t bytes[TCP_HEADER_MAX] = { 0 };
	struct tcp_header h;

	(void)state;
	for (unsigned offset = 0; offset < 16; offset++) {
		for (size_t length = 0; length <= TCP_HEADER_MAX; length++) {
			const bool is_short =
				length < TCP_HEADER_MIN || (offset >= 5 && offset > length / 4);
			const int expected = is_short ? -EMSGSIZE : offset < 5 ? -EBADMSG : 0;

			bytes[12] = (uint8_t)(offset << 4);
			assert_int_equal(tcp_header_parse(bytes, length, &h), expected);
		}
	}
}

/* RFC 7413, 4.1.1: lengths of 2, and 6 to 18 by twos, in a SYN (erratum 4238); all others are ignored, and
 * what stands behind them is not. */
static void test_fast_open(void **state)
{
	uint8_t bytes[TCP_HEADER_MAX] = { [12] = (TCP_HEADER_MAX / 4) << 4 };
	struct tcp_header h;

	(void)state;
	for (uint8_t length = 2; length <= 36; length++) {
		const bool is_good =
			length == 2 || (length % 2 == 0 && length >= 6 && length <= 18);

		memset(bytes + TCP_HEADER_MIN, 1, TCP_HEADER_MAX - TCP_HEADER_MIN);
		bytes[TCP_HEADER_MIN] = 34;
		bytes[TCP_HEADER_MIN + 1] = length;
		memset(bytes + TCP_HEADER_MIN + 2, 0xab, length - 2U);
		memcpy(bytes + TCP_HEADER_MIN + length, (uint8_t[]){ 2, 4, 5, 180 }, 4);
		bytes[13] = TCP_SYN;
		assert_int_equal(tcp_header_parse(bytes, sizeof(bytes), &h), 0);
		assert_int_equal(h.options.fast_open.is_there, is_good);
		assert_int_equal(h.options.mss, 1460);
		if (is_good)
			assert_int_equal(h.options.fast_open.length, length - 2);
		bytes[13] = TCP_ACK;
		assert_int_equal(tcp_header_parse(bytes, sizeof(bytes), &h), 0);
		assert_false(h.options.fast_open.is_there);
	}
	/* Kind 254, which it had while it was an experiment (RFC 7413, 9), is not spoken. */
	memset(bytes + TCP_HEADER_MIN, 1, TCP_HEADER_MAX - TCP_HEADER_MIN);
	memcpy(bytes + TCP_HEADER_MIN, (uint8_t[]){ 254, 4, 0xf9, 0x89 }, 4);
	bytes[13] = TCP_SYN;
	assert_int_equal(tcp_header_parse(bytes, sizeof(bytes), &h), 0);
	assert_false(h.options.fast_open.is_there);
}

/* Whatever the bytes are: an answer, and nothing read beyond the end (the sanitizers look). */
static void test_random_bytes(void **state)
{
	struct random r = seeded(2);

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		uint8_t bytes[TCP_HEADER_MAX];
		const size_t length = random_below(&r, sizeof(bytes) + 1);
		struct tcp_header h;

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)(random_below(&r, 3) ? random_below(&r, 11)
								 : random_u32(&r));
		bytes[12] = (uint8_t)(random_below(&r, 16) << 4);

		uint8_t *const exact = malloc(length ? length : 1);

		memcpy(exact, bytes, length);
		if (tcp_header_parse(exact, length, &h) == 0) {
			assert_true(h.length >= TCP_HEADER_MIN && h.length <= length);
			assert_true(h.options.sack_count <= TCP_SACK_BLOCKS);
		}
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_undoes_emit), cmocka_unit_test(test_malformed_options),
		cmocka_unit_test(test_skipped_options),   cmocka_unit_test(test_data_offset),
		cmocka_unit_test(test_fast_open),         cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
