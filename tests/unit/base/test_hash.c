/* SipHash-2-4 against the vectors its authors published with it (key 00 01 .. 0f, input 00 01 ..). */
#include "base/hash.h"

#include "cmocka_all.h"

static const struct hash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };

static void test_published_vectors(void **state)
{
	static const struct {
		size_t length;
		uint64_t hash;
	} vectors[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) },  { 1, UINT64_C(0x74f839c593dc67fd) },
		{ 2, UINT64_C(0x0d6c8009d9a94f5a) },  { 3, UINT64_C(0x85676696d7fb7e2d) },
		{ 7, UINT64_C(0xab0200f58b01d137) },  { 8, UINT64_C(0x93f5f5799a932462) },
		{ 9, UINT64_C(0x9e0082df0ba9e4b0) },  { 15, UINT64_C(0xa129ca6149be45e5) },
		{ 16, UINT64_C(0x3f2acc7f57c29bdb) }, { 63, UINT64_C(0x958a324ceb064572) },
	};
	uint8_t input[64];

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(hash_bytes(&key, input, vectors[i].length) == vectors[i].hash);
}

static void test_every_bit_counts(void **state)
{
	uint8_t input[40] = { 0 };
	const uint64_t before = hash_bytes(&key, input, sizeof(input));
	struct hash_key other = key;

	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(input); bit++) {
		input[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(hash_bytes(&key, input, sizeof(input)) != before);
		input[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(hash_bytes(&key, input, sizeof(input) - 1) != before);
	other.k1 ^= 1;
	assert_true(hash_bytes(&other, input, sizeof(input)) != before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_vectors),
		cmocka_unit_test(test_every_bit_counts),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
