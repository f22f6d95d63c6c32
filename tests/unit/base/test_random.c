/* ChaCha20 as a generator: the published key stream, and numbers without bias. */
#include <string.h>

#include "base/random.h"

#include "cmocka_all.h"
#include "seed.h"

/* RFC 8439, appendix A.1, test vectors 1 and 2: key and nonce of zeroes, blocks 0 and 1. */
static void test_published_key_stream(void **state)
{
	static const uint8_t expected[128] = {
		0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53,
		0x86, 0xbd, 0x28, 0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36,
		0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7, 0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48,
		0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4,
		0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86, 0x9f,
		0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d,
		0x08, 0x0d, 0xcb, 0x0f, 0x29, 0xa0, 0x48, 0xe3, 0x65, 0x69, 0x12, 0xc6, 0x53,
		0x3e, 0x32, 0xee, 0x7a, 0xed, 0x29, 0xb7, 0x21, 0x76, 0x9c, 0xe6, 0x4e, 0x43,
		0xd5, 0x71, 0x33, 0xb0, 0x74, 0xd8, 0x39, 0xd5, 0x31, 0xed, 0x1f, 0x28, 0x51,
		0x0a, 0xfb, 0x45, 0xac, 0xe1, 0x0a, 0x1f, 0x4b, 0x79, 0x4d, 0x6f,
	};
	const uint8_t seed[32] = { 0 };
	struct random r;

	(void)state;
	random_init(&r, seed);
	for (size_t i = 0; i < sizeof(expected); i += 4) {
		const uint32_t word = random_u32(&r);
		const uint8_t bytes[] = { (uint8_t)word, (uint8_t)(word >> 8),
					  (uint8_t)(word >> 16), (uint8_t)(word >> 24) };

		assert_memory_equal(bytes, expected + i, 4);
	}
}

static void test_same_seed_same_numbers(void **state)
{
	struct random a = seeded(6), b = a;
	uint8_t seed[32] = { 1 };
	struct random other;
	unsigned equal = 0;

	(void)state;
	random_init(&other, seed);
	seed[31] = 1;
	random_init(&b, seed);
	for (int i = 0; i < 1000; i++)
		equal += random_u32(&other) == random_u32(&b);
	assert_true(equal < 3);
	b = a;
	for (int i = 0; i < 1000; i++)
		assert_true(random_u64(&a) == random_u64(&b));
}

/* Pearson's chi-squared over 100 cells: 99 degrees of freedom, so over 200 once in 10^8. */
static void test_below_is_uniform(void **state)
{
	struct random r = seeded(7);
	static const uint32_t bounds[] = { 1, 2, 3, 100, 16384, 65535, 3000000000u, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		const uint32_t cells = bounds[i] < 100 ? bounds[i] : 100;
		unsigned count[100] = { 0 };
		const unsigned draws = 100000;
		double chi_squared = 0;

		for (unsigned n = 0; n < draws; n++) {
			const uint32_t value = random_below(&r, bounds[i]);

			assert_true(value < bounds[i]);
			count[(uint64_t)value * cells / bounds[i]]++;
		}
		for (uint32_t c = 0; c < cells; c++) {
			/* How many of the bound's values fall into the cell. */
			const uint64_t low = ((uint64_t)c * bounds[i] + cells - 1) / cells;
			const uint64_t high = ((uint64_t)(c + 1) * bounds[i] + cells - 1) / cells;
			const double expected = (double)draws * (double)(high - low) / bounds[i];
			const double off = count[c] - expected;

			chi_squared += off * off / expected;
		}
		assert_true(chi_squared < 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_key_stream),
		cmocka_unit_test(test_same_seed_same_numbers),
		cmocka_unit_test(test_below_is_uniform),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
