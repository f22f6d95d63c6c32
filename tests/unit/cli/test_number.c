/* Addresses as numbers: every form that is written is read back, and what is no form is refused. */
#include <errno.h>
#include <string.h>

#include "cli/number.h"

#include "cmocka_all.h"
#include "seed.h"

static struct reeve_address parsed(const char *text, bool ipv6)
{
	struct reeve_address a = { .bytes = { 0xee } };
	const char *reason = "";

	if (number_parse_address(text, ipv6, &a, &reason) != 0)
		fail_msg("'%s': %s", text, reason);
	return a;
}

static void assert_forms_come_back(const struct reeve_address *a)
{
	const bool ipv4 = reeve_address_is_ipv4(a);
	char text[NUMBER_TEXT];

	for (enum number_base base = NUMBER_DECIMAL; base <= NUMBER_BINARY; base++) {
		number_format(number_of_address(a), ipv4 ? 32 : 128, base, text);
		assert_true(strlen(text) < NUMBER_TEXT);
		const struct reeve_address back = parsed(text, !ipv4);

		assert_true(reeve_address_equal(a, &back));
	}
}

static void test_random_addresses(void **state)
{
	struct random r = seeded(7);

	(void)state;
	for (int i = 0; i < 2000; i++) {
		const uint32_t n = (uint32_t)random_u64(&r) >> random_u64(&r) % 32;
		const struct reeve_address four = reeve_address_from_ipv4(n);
		struct reeve_address six;

		for (int j = 0; j < 16; j++)
			six.bytes[j] = (uint8_t)random_u64(&r);
		assert_forms_come_back(&four);
		assert_forms_come_back(&six);
	}
}

static void test_limits(void **state)
{
	const struct reeve_address edges[] = {
		reeve_any_ipv4,
		reeve_any_ipv6,
		reeve_loopback_ipv4,
		reeve_loopback_ipv6,
		reeve_address_from_ipv4(UINT32_MAX),
		parsed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		assert_forms_come_back(&edges[i]);
}

static void test_forms(void **state)
{
	static const char *const same[] = {
		"198.51.100.130",
		"3325256834",
		"3_325_256_834",
		"0xc6336482",
		"0XC6336482",
		"0xc6.33.64.82",
		"0xc6_33_64_82",
		"0o30614662202",
		"030614662202",
		"0b11000110001100110110010010000010",
		"11000110.00110011.01100100.10000010",
		"0b11000110_00110011_01100100_10000010",
		"::ffff:198.51.100.130",
	};
	const struct reeve_address wanted = parsed(same[0], false);

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		const struct reeve_address a = parsed(same[i], false);

		assert_true(reeve_address_equal(&a, &wanted));
	}
	const struct reeve_address first_bit_clear =
		parsed("01111111.00000000.00000000.00000001", false);

	assert_true(reeve_address_equal(&first_bit_clear, &reeve_loopback_ipv4));
}

static void test_family(void **state)
{
	struct reeve_address a = parsed("1", true);

	(void)state;
	assert_true(reeve_address_equal(&a, &reeve_loopback_ipv6));
	a = parsed("0x00000000000000000000000000000001", false);
	assert_true(reeve_address_equal(&a, &reeve_loopback_ipv6));
	a = parsed("4294967296", false);
	assert_false(reeve_address_is_ipv4(&a));
	a = parsed("4294967295", false);
	assert_true(reeve_address_is_broadcast(&a));
}

static void test_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"x",
		"0x",
		"0b",
		"0o",
		"0xg",
		"0b2",
		"089",
		"1.2.3",
		"1.2.3.4.5",
		"256.1.1.1",
		"0x7f.0.0.1",
		"1__2",
		"_1",
		"1_",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1e3",
		"0x1.",
		"::1::",
		"340282366920938463463374607431768211456",
		"0b1.0",
		"0x100000000000000000000000000000000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct reeve_address a = { .bytes = { 0xee } };
		const char *reason = NULL;

		if (number_parse_address(wrong[i], false, &a, &reason) != -EINVAL)
			fail_msg("'%s' is taken", wrong[i]);
		assert_non_null(reason);
		assert_int_equal(a.bytes[0], 0xee);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_addresses),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
