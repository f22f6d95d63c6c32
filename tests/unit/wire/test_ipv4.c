/* IPv4 headers and their options. */
#include "cmocka_all.h"

#include <string.h>

#include "base/bytes.h"
#include "seed.h"
#include "wire/ipv4.h"

/* A UDP datagram of 115 bytes from 192.0.2.1 to 192.0.2.199. */
static const uint8_t example[IPV4_HEADER] = {
	0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
	0xb6, 0x1c, 0xc0, 0x00, 0x02, 0x01, 0xc0, 0x00, 0x02, 0xc7,
};

static enum ipv4_fault parse(const uint8_t *bytes, size_t length, struct ipv4_header *ret)
{
	struct cursor c = cursor_over(bytes, length);

	return ipv4_parse(&c, ret);
}

static void test_known_bytes(void **state)
{
	struct ipv4_header h;
	uint8_t again[IPV4_HEADER];

	(void)state;
	assert_int_equal(parse(example, sizeof(example), &h), IPV4_OK);
	assert_int_equal(h.header_length, 20);
	assert_int_equal(h.total_length, 0x73);
	assert_true(h.dont_fragment);
	assert_false(h.more_fragments);
	assert_int_equal(h.fragment_offset, 0);
	assert_int_equal(h.ttl, 64);
	assert_int_equal(h.protocol, 17);
	assert_int_equal(h.source, 0xc0000201);
	assert_int_equal(h.destination, 0xc00002c7);
	ipv4_emit(&h, again);
	assert_true(ipv4_checksum_ok(again, sizeof(again)));
	/* By hand: the sum of the other nine words, folded and complemented. */
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += i == 10 ? 0 : load_be16(example + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(load_be16(again + 10), (uint16_t)~sum);
	for (unsigned i = 0; i < 20; i++)
		assert_true(i == 10 || i == 11 || again[i] == example[i]);
}

static void random_header(struct random *r, uint8_t *bytes, size_t header_length)
{
	for (size_t i = 0; i < header_length; i++)
		bytes[i] = (uint8_t)random_u32(r);
	bytes[0] = (uint8_t)(0x40 | header_length / 4);
	store_be16(bytes + 2, (uint16_t)(header_length + random_below(r, 65536 - 60)));
}

static void test_emit_undoes_parse(void **state)
{
	struct random r = seeded(3);

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		uint8_t bytes[IPV4_HEADER_MAX], again[IPV4_HEADER_MAX];
		const size_t length = 20 + 4 * random_below(&r, 11);
		struct ipv4_header h, second;

		random_header(&r, bytes, length);
		assert_int_equal(parse(bytes, length, &h), IPV4_OK);
		ipv4_emit(&h, again);
		assert_true(ipv4_checksum_ok(again, length));
		/* All but the checksum, which emit computes. */
		assert_memory_equal(again, bytes, 10);
		assert_memory_equal(again + 12, bytes + 12, length - 12);
		/* And the other way round. */
		assert_int_equal(parse(again, length, &second), IPV4_OK);
		second.checksum = h.checksum;
		assert_memory_equal(&second, &h, sizeof(h));
	}
}

static void test_truncated(void **state)
{
	struct random r = seeded(4);

	(void)state;
	for (size_t header_length = 20; header_length <= 60; header_length += 4) {
		uint8_t bytes[IPV4_HEADER_MAX];

		random_header(&r, bytes, header_length);
		for (size_t length = 0; length < header_length; length++) {
			struct ipv4_header h;
			struct ipv4_header before;

			memset(&h, 0xa5, sizeof(h));
			memset(&before, 0xa5, sizeof(before));
			assert_int_equal(parse(bytes, length, &h), IPV4_SHORT);
			assert_memory_equal(&h, &before, sizeof(h));
		}
	}
}

/* hazard 2: a header length under 20, a total length under the header's. */
static void test_lengths(void **state)
{
	struct ipv4_header h;
	uint8_t bytes[IPV4_HEADER_MAX] = { 0 };

	(void)state;
	for (unsigned first = 0; first < 256; first++) {
		memset(bytes, 0, sizeof(bytes));
		bytes[0] = (uint8_t)first;
		store_be16(bytes + 2, 60);
		const enum ipv4_fault expected = first >> 4 != 4     ? IPV4_VERSION
						 : (first & 0xf) < 5 ? IPV4_LENGTH
								     : IPV4_OK;

		assert_int_equal(parse(bytes, sizeof(bytes), &h), expected);
	}
	for (unsigned ihl = 5; ihl < 16; ihl++) {
		for (uint16_t total = 0; total < 70; total++) {
			bytes[0] = (uint8_t)(0x40 | ihl);
			store_be16(bytes + 2, total);
			assert_int_equal(parse(bytes, sizeof(bytes), &h),
					 total < 4 * ihl ? IPV4_LENGTH : IPV4_OK);
		}
	}
}

static void test_every_bit_error_is_seen(void **state)
{
	uint8_t bytes[IPV4_HEADER];
	struct ipv4_header h;

	(void)state;
	assert_int_equal(parse(example, sizeof(example), &h), IPV4_OK);
	ipv4_emit(&h, bytes);
	for (unsigned bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(ipv4_checksum_ok(bytes, sizeof(bytes)));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_options(void **state)
{
	static const struct {
		size_t length;
		uint8_t bytes[12];
		bool good;
	} cases[] = {
		{ 0, { 0 }, true },
		{ 4, { 1, 1, 1, 0 }, true },
		{ 4, { 0, 7, 0, 0 }, true },               /* nothing counts behind the end */
		{ 8, { 7, 7, 4, 0, 0, 0, 0, 0 }, true },   /* record route, empty */
		{ 8, { 7, 7, 8, 0, 0, 0, 0, 0 }, true },   /* full */
		{ 8, { 7, 7, 12, 0, 0, 0, 0, 0 }, false }, /* pointer behind its end */
		{ 8, { 7, 7, 3, 0, 0, 0, 0, 0 }, false },  /* before its start */
		{ 8, { 7, 7, 5, 0, 0, 0, 0, 0 }, false },  /* within an address */
		{ 8, { 7, 8, 4, 0, 0, 0, 0, 0 }, false },  /* no whole addresses */
		{ 4, { 7, 3, 4, 0 }, true },               /* full from the start: no room at all */
		{ 8, { 68, 8, 5, 0, 0, 0, 0, 0 }, true },  /* timestamp */
		{ 8, { 68, 8, 4, 0, 0, 0, 0, 0 }, false },
		{ 8, { 68, 3, 5, 0, 0, 0, 0, 0 }, false },
		{ 8, { 131, 7, 4, 0, 0, 0, 0, 0 }, false }, /* loose source route (hazard 5) */
		{ 8, { 137, 7, 4, 0, 0, 0, 0, 0 }, false }, /* strict source route */
		{ 8, { 1, 131, 7, 4, 0, 0, 0, 0 }, false }, /* behind a NOP */
		{ 4, { 148, 4, 0, 0 }, true },              /* router alert */
		{ 4, { 136, 4, 0, 9 }, true },              /* stream identifier */
		{ 4, { 99, 0, 0, 0 }, false }, /* length 0 would never end (hazard 1) */
		{ 4, { 99, 1, 0, 0 }, false }, /* length 1 */
		{ 4, { 99, 5, 0, 0 }, false }, /* longer than what is left */
		{ 4, { 1, 1, 1, 99 }, false }, /* no length byte */
		{ 4, { 99, 2, 99, 2 }, true },
		{ 8, { 68, 4, 5, 0, 68, 4, 5, 0 }, false }, /* twice */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (ipv4_options_ok(cases[i].bytes, cases[i].length) != cases[i].good)
			fail_msg("case %zu", i);
	}
}

/* Any bytes: it ends, and reads nothing behind the end (the sanitizers watch). */
static void test_random_options(void **state)
{
	struct random r = seeded(5);
	unsigned good = 0;

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		const size_t length = 4 * (size_t)random_below(&r, 11);
		uint8_t *const bytes = malloc(length ? length : 1);

		for (size_t k = 0; k < length; k++)
			bytes[k] = (uint8_t)random_below(&r, i % 2 ? 256 : 12);
		good += ipv4_options_ok(bytes, length);
		free(bytes);
	}
	assert_in_range(good, 1, 49999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_bytes),
		cmocka_unit_test(test_emit_undoes_parse),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_every_bit_error_is_seen),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_random_options),
	};

	return cmocka_run_group_tests_name("ipv4", tests, NULL, NULL);
}
