/* The IPv6 base header. */
#include "cmocka_all.h"

#include <string.h>

#include "seed.h"
#include "wire/ipv6.h"

static enum ipv6_fault parse(const uint8_t *bytes, size_t length, struct ipv6_header *ret)
{
	struct cursor c = cursor_over(bytes, length);

	return ipv6_parse(&c, ret);
}

static void test_emit_undoes_parse(void **state)
{
	struct random r = seeded(6);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t bytes[IPV6_HEADER], again[IPV6_HEADER];
		struct ipv6_header h;

		for (unsigned k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)random_u32(&r);
		const bool good = bytes[0] >> 4 == 6;

		assert_int_equal(parse(bytes, sizeof(bytes), &h), good ? IPV6_OK : IPV6_VERSION);
		bytes[0] = (uint8_t)(0x60 | (bytes[0] & 0xf));
		assert_int_equal(parse(bytes, sizeof(bytes), &h), IPV6_OK);
		ipv6_emit(&h, again);
		assert_memory_equal(again, bytes, sizeof(bytes));
	}
}

static void test_fields(void **state)
{
	const struct ipv6_header h = {
		.traffic_class = 0xb8,
		.flow_label = 0xabcde,
		.payload_length = 0x1234,
		.next_header = 17,
		.hop_limit = 64,
		.source = reeve_loopback_ipv6,
		.destination = reeve_loopback_ipv6,
	};
	static const uint8_t expected[] = { 0x6b, 0x8a, 0xbc, 0xde, 0x12, 0x34, 17, 64 };
	uint8_t bytes[IPV6_HEADER];

	(void)state;
	ipv6_emit(&h, bytes);
	assert_memory_equal(bytes, expected, sizeof(expected));
	assert_int_equal(bytes[23], 1);
	assert_int_equal(bytes[39], 1);
}

static void test_truncated(void **state)
{
	static const uint8_t bytes[IPV6_HEADER] = { 0x60 };

	(void)state;
	for (size_t length = 0; length < IPV6_HEADER; length++) {
		struct ipv6_header h;
		struct ipv6_header before;

		memset(&h, 0xa5, sizeof(h));
		memset(&before, 0xa5, sizeof(before));
		assert_int_equal(parse(bytes, length, &h), IPV6_SHORT);
		assert_memory_equal(&h, &before, sizeof(h));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_emit_undoes_parse),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests_name("ipv6", tests, NULL, NULL);
}
