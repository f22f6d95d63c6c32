/* The Internet checksum against the definition of RFC 1071, 1: sixteen bits at a time. */
#include <string.h>

#include "base/checksum.h"

#include "cmocka_all.h"
#include "seed.h"
#include "slow_sum.h"

static void test_example_of_rfc_1071(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(checksum_fold(checksum_add(0, bytes, sizeof(bytes))), 0xddf2);
}

static void test_every_length_and_alignment(void **state)
{
	struct random r = seeded(4);
	uint8_t bytes[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_u32(&r);
	for (size_t offset = 0; offset < 33; offset++) {
		for (size_t length = 0; length < 300; length++) {
			const uint16_t right = slow_sum(bytes + offset, length);

			assert_int_equal(checksum_fold(checksum_add(0, bytes + offset, length)),
					 right);
			assert_int_equal(
				checksum_fold(checksum_add_narrow(0, bytes + offset, length)),
				right);
		}
	}
}

/* A range cut anywhere into three, at odd places too, sums as the whole does. */
static void test_pieces(void **state)
{
	struct random r = seeded(5);
	uint8_t bytes[2048];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const size_t length = random_below(&r, sizeof(bytes) + 1);
		const size_t second = random_below(&r, (uint32_t)length + 1);
		const size_t first = random_below(&r, (uint32_t)second + 1);
		const size_t cut[] = { 0, first, second, length };
		uint64_t sum = 0;

		bytes[random_below(&r, sizeof(bytes))] = (uint8_t)random_u32(&r);
		for (int i = 0; i < 3; i++)
			sum = cut[i] % 2
				      ? checksum_add_odd(sum, bytes + cut[i], cut[i + 1] - cut[i])
				      : checksum_add(sum, bytes + cut[i], cut[i + 1] - cut[i]);
		assert_int_equal(checksum_fold(sum), slow_sum(bytes, length));
	}
}

static void test_carries(void **state)
{
	static uint8_t bytes[65536];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(checksum_fold(checksum_add(0, bytes, sizeof(bytes))), 0xffff);
	assert_int_equal(checksum_fold(checksum_add_narrow(0, bytes, sizeof(bytes))), 0xffff);
	assert_int_equal(checksum_fold(checksum_add(0, bytes, 0)), 0);
	uint64_t sum = 0;

	for (int i = 0; i < 1000; i++)
		sum = checksum_add(sum, bytes, sizeof(bytes));
	assert_int_equal(checksum_fold(sum), 0xffff);
}

/* Every carry that folding can make, and 0 for nothing but 0 (RFC 1071: 0xffff is the same number). */
static void test_fold(void **state)
{
	static const uint64_t halves[] = { 0,       1,          0xfffe,     0xffff,
					   0x10000, 0xfffeffff, 0xffff0000, 0xffffffff };
	struct random r = seeded(6);

	(void)state;
	for (int round = 0; round < 100000; round++) {
		const uint64_t high = round % 2 ? halves[random_below(&r, 8)] : random_u32(&r);
		const uint64_t low = round % 4 < 2 ? halves[random_below(&r, 8)] : random_u32(&r);
		uint64_t native = high << 32 | low;
		uint16_t right;
		uint8_t bytes[2];

		const uint16_t folded = checksum_fold(native);

		while (native >> 16)
			native = (native & 0xffff) + (native >> 16);
		right = (uint16_t)native;
		memcpy(bytes, &right, sizeof(bytes));
		assert_int_equal(folded, bytes[0] << 8 | bytes[1]);
	}
}

static void test_words(void **state)
{
	(void)state;
	for (uint32_t value = 0; value <= UINT16_MAX; value++) {
		const uint8_t bytes[2] = { (uint8_t)(value >> 8), (uint8_t)value };

		assert_int_equal(checksum_word((uint16_t)value), checksum_add(0, bytes, 2));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_of_rfc_1071),
		cmocka_unit_test(test_every_length_and_alignment),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_carries),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
