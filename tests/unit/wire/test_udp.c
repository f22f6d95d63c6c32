/* UDP headers, and the pseudo-header that their checksums begin with. */
#include "cmocka_all.h"

#include <string.h>

#include "base/checksum.h"
#include "seed.h"
#include "slow_sum.h"
#include "wire/pseudo.h"
#include "wire/udp.h"

static void test_emit_undoes_parse(void **state)
{
	struct random r = seeded(8);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t bytes[UDP_HEADER], again[UDP_HEADER];
		struct udp_header h;

		for (unsigned k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)random_u32(&r);
		bytes[4] |= 1;
		struct cursor c = cursor_over(bytes, sizeof(bytes));

		assert_true(udp_parse(&c, &h));
		udp_emit(&h, again);
		assert_memory_equal(again, bytes, sizeof(bytes));
	}
}

static void test_lengths(void **state)
{
	(void)state;
	for (uint16_t length = 0; length < 16; length++) {
		uint8_t bytes[UDP_HEADER] = { 0, 53, 0, 53 };
		struct udp_header h;

		store_be16(bytes + 4, length);
		struct cursor c = cursor_over(bytes, sizeof(bytes));

		assert_int_equal(udp_parse(&c, &h), length >= UDP_HEADER);
	}
}

static void test_truncated(void **state)
{
	static const uint8_t bytes[UDP_HEADER] = { 0, 53, 0, 53, 0, 8 };

	(void)state;
	for (size_t length = 0; length < UDP_HEADER; length++) {
		struct cursor c = cursor_over(bytes, length);
		struct udp_header h;
		struct udp_header before;

		memset(&h, 0xa5, sizeof(h));
		memset(&before, 0xa5, sizeof(before));
		assert_false(udp_parse(&c, &h));
		assert_memory_equal(&h, &before, sizeof(h));
	}
}

/* Against the pseudo-header written out and summed byte by byte. */
static void test_pseudo(void **state)
{
	struct random r = seeded(9);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		const bool ipv4 = i % 2;
		const size_t size = ipv4 ? 4 : 16;
		const uint32_t length = random_below(&r, ipv4 ? 65536 : 1u << 31);
		const uint8_t protocol = (uint8_t)random_u32(&r);
		struct reeve_address a = reeve_any_ipv4;
		struct reeve_address b = reeve_any_ipv4;
		uint8_t whole[40] = { 0 };

		for (size_t k = 16 - size; k < 16; k++) {
			a.bytes[k] = (uint8_t)(random_u32(&r) | 1);
			b.bytes[k] = (uint8_t)(random_u32(&r) | 1);
		}
		memcpy(whole, a.bytes + 16 - size, size);
		memcpy(whole + size, b.bytes + 16 - size, size);
		if (ipv4) {
			whole[9] = protocol;
			store_be16(whole + 10, (uint16_t)length);
		} else {
			store_be32(whole + 32, length);
			whole[39] = protocol;
		}
		assert_int_equal(checksum_fold(pseudo_sum(&a, &b, protocol, length)),
				 slow_sum(whole, ipv4 ? 12 : 40));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_emit_undoes_parse),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_pseudo),
	};

	return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
