/* Special-purpose blocks: the narrowest comes first, and both ends are in. */
#include <string.h>

#include "cli/block.h"

#include "cmocka_all.h"

static struct block nth_block(const char *text, size_t index)
{
	struct reeve_address a;
	struct block b = { .name = "none" };

	assert_int_equal(reeve_address_parse(text, &a), 0);
	block_of(&a, index, &b);
	return b;
}

static void test_blocks(void **state)
{
	static const struct {
		const char *address, *name;
	} known[] = {
		{ "0.0.0.0", "This host on this network" },
		{ "127.255.255.255", "Loopback" },
		{ "192.0.2.255", "Documentation (TEST-NET-1)" },
		{ "198.51.100.0", "Documentation (TEST-NET-2)" },
		{ "203.0.113.77", "Documentation (TEST-NET-3)" },
		{ "198.18.0.0", "Benchmarking" },
		{ "198.19.255.255", "Benchmarking" },
		{ "255.255.255.255", "Limited broadcast" },
		{ "::1", "Loopback" },
		{ "::", "Unspecified" },
		{ "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "Documentation" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_string_equal(nth_block(known[i].address, 0).name, known[i].name);
}

static void test_narrow_before_wide(void **state)
{
	(void)state;
	assert_string_equal(nth_block("0.0.0.0", 1).name, "This network");
	assert_string_equal(nth_block("0.0.0.0", 2).name, "none");
	assert_string_equal(nth_block("255.255.255.255", 1).name, "Reserved");
	/* Whatever the address, each further block is wider. */
	for (uint32_t n = 0; n < 1u << 24; n += 251) {
		const struct reeve_address a = reeve_address_from_ipv4(n << 8 | (n & 0xff));
		struct block b;
		int length = 33;

		for (size_t i = 0; block_of(&a, i, &b); i++) {
			assert_true(b.prefix.length < length);
			assert_true(reeve_prefix_contains(&b.prefix, &a));
			length = b.prefix.length;
		}
	}
}

static void test_answers(void **state)
{
	const struct block loopback = nth_block("127.0.0.1", 0);
	const struct block benchmarking = nth_block("198.18.0.1", 0);

	(void)state;
	assert_int_equal(loopback.source, BLOCK_NO);
	assert_int_equal(loopback.reserved, BLOCK_YES);
	assert_int_equal(loopback.prefix.length, 8);
	assert_int_equal(benchmarking.source, BLOCK_YES);
	assert_int_equal(benchmarking.destination, BLOCK_YES);
	assert_int_equal(benchmarking.forwardable, BLOCK_YES);
	assert_int_equal(benchmarking.global, BLOCK_NO);
	assert_int_equal(benchmarking.reserved, BLOCK_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_narrow_before_wide),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
