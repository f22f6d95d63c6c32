/* ICMP headers. */
#include "cmocka_all.h"

#include <string.h>

#include "seed.h"
#include "wire/icmp.h"

static void test_emit_undoes_parse(void **state)
{
	struct random r = seeded(7);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t bytes[ICMP_HEADER], again[ICMP_HEADER];
		struct icmp_header h;

		for (unsigned k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)random_u32(&r);
		struct cursor c = cursor_over(bytes, sizeof(bytes));

		assert_true(icmp_parse(&c, &h));
		icmp_emit(&h, again);
		assert_memory_equal(again, bytes, sizeof(bytes));
	}
}

static void test_fields(void **state)
{
	static const uint8_t bytes[ICMP_HEADER] = { 8, 0, 0xf7, 0xfd, 0x12, 0x34, 0x00, 0x02 };
	struct cursor c = cursor_over(bytes, sizeof(bytes));
	struct icmp_header h;

	(void)state;
	assert_true(icmp_parse(&c, &h));
	assert_int_equal(h.type, ICMPV4_ECHO_REQUEST);
	assert_int_equal(h.checksum, 0xf7fd);
	assert_int_equal(h.rest, icmp_echo_rest(0x1234, 2));
}

static void test_truncated(void **state)
{
	static const uint8_t bytes[ICMP_HEADER] = { 8 };

	(void)state;
	for (size_t length = 0; length < ICMP_HEADER; length++) {
		struct cursor c = cursor_over(bytes, length);
		struct icmp_header h;
		struct icmp_header before;

		memset(&h, 0xa5, sizeof(h));
		memset(&before, 0xa5, sizeof(before));
		assert_false(icmp_parse(&c, &h));
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

	return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
