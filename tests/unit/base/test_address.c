/* Addresses and their text, against inet_pton and inet_ntop, and by hand where those differ. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "reeve/address.h"

#include "cmocka_all.h"
#include "seed.h"

static struct reeve_address parsed(const char *text)
{
	struct reeve_address a;

	assert_int_equal(reeve_address_parse(text, &a), 0);
	return a;
}

static void assert_refused(const char *text)
{
	struct reeve_address a, before;
	struct reeve_prefix p, prefix_before;

	memset(&a, 0x5a, sizeof(a));
	before = a;
	assert_int_equal(reeve_address_parse(text, &a), -EINVAL);
	assert_memory_equal(&a, &before, sizeof(a));
	memset(&p, 0x5a, sizeof(p));
	prefix_before = p;
	assert_int_equal(reeve_prefix_parse(text, &p), -EINVAL);
	assert_memory_equal(&p, &prefix_before, sizeof(p));
}

static void test_ipv4_text(void **state)
{
	struct random r = seeded(8);

	(void)state;
	for (int i = 0; i < 20000; i++) {
		const uint32_t number = random_u32(&r);
		const uint32_t network = htonl(number);
		char expected[INET_ADDRSTRLEN], text[REEVE_ADDRESS_TEXT];
		const struct reeve_address a = reeve_address_from_ipv4(number);

		inet_ntop(AF_INET, &network, expected, sizeof(expected));
		assert_string_equal(reeve_address_format(&a, text), expected);
		const struct reeve_address back = parsed(text);

		assert_true(reeve_address_equal(&back, &a));
		assert_true(reeve_address_is_ipv4(&back));
		assert_int_equal(reeve_address_family(&back), REEVE_IPV4);
		assert_int_equal(reeve_address_to_ipv4(&back), number);
	}
}

static void test_ipv6_text(void **state)
{
	struct random r = seeded(9);

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct reeve_address a;
		char expected[INET6_ADDRSTRLEN], text[REEVE_ADDRESS_TEXT];

		/* Many zeroes, for the double colon to have something to choose from. */
		for (int byte = 0; byte < 16; byte++)
			a.bytes[byte] = random_below(&r, 3) ? 0 : (uint8_t)random_u32(&r);
		if (reeve_address_is_ipv4(&a))
			continue;
		inet_ntop(AF_INET6, a.bytes, expected, sizeof(expected));
		assert_string_equal(reeve_address_format(&a, text), expected);
		const struct reeve_address back = parsed(text);

		assert_true(reeve_address_equal(&back, &a));
		assert_int_equal(reeve_address_family(&back), REEVE_IPV6);
	}
}

/* Text with one character changed is taken if and only if libc takes it. */
static void test_damaged_text(void **state)
{
	struct random r = seeded(10);
	static const char *const samples[] = { "192.0.2.17",       "2001:db8::1",
					       "::ffff:192.0.2.1", "2001:db8:1:2:3:4:5:6",
					       "255.255.255.255",  "::" };
	static const char letters[] = "0123456789abcdefg.:/% x";

	(void)state;
	for (int i = 0; i < 50000; i++) {
		char text[64];
		uint8_t bytes[16];
		struct reeve_address a;

		snprintf(text, sizeof(text), "%s", samples[random_below(&r, 6)]);
		for (uint32_t n = 1 + random_below(&r, 2); n > 0; n--)
			text[random_below(&r, (uint32_t)strlen(text))] =
				letters[random_below(&r, sizeof(letters) - 1)];
		const bool right = inet_pton(AF_INET, text, bytes) == 1 ||
				   inet_pton(AF_INET6, text, bytes) == 1;

		assert_int_equal(reeve_address_parse(text, &a), right ? 0 : -EINVAL);
	}
}

static void test_mapped_is_ipv4(void **state)
{
	const struct reeve_address mapped = parsed("::ffff:192.0.2.1");
	const struct reeve_address plain = parsed("192.0.2.1");
	char text[REEVE_ADDRESS_TEXT];

	(void)state;
	assert_true(reeve_address_equal(&mapped, &plain));
	assert_string_equal(reeve_address_format(&mapped, text), "192.0.2.1");
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"192.0.2",
		"192.0.2.256",
		"192.0.2.1 ",
		" 192.0.2.1",
		"192.0.2.1.",
		"0xc0.0.2.1",
		"3221225985",
		"192.0.2.1x",
		"2001:db8",
		"2001:db8::1::2",
		"2001:db8::12345",
		"::1%lo",
		"[::1]",
		"2001:db8:1:2:3:4:5:6:7",
		"1111111111111111111111111111111111111111111111111111111111111111",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(bad[i]);
}

static void test_classes(void **state)
{
	static const struct {
		const char *text;
		bool unspecified, loopback, multicast, broadcast;
	} cases[] = {
		{ "0.0.0.0", true, false, false, false },
		{ "::", true, false, false, false },
		{ "0.0.0.1", false, false, false, false },
		{ "127.0.0.1", false, true, false, false },
		{ "127.255.255.255", false, true, false, false },
		{ "128.0.0.0", false, false, false, false },
		{ "::1", false, true, false, false },
		{ "::2", false, false, false, false },
		{ "223.255.255.255", false, false, false, false },
		{ "224.0.0.0", false, false, true, false },
		{ "239.255.255.255", false, false, true, false },
		{ "240.0.0.0", false, false, false, false },
		{ "255.255.255.255", false, false, false, true },
		{ "255.255.255.254", false, false, false, false },
		{ "ff02::1", false, false, true, false },
		{ "fe80::1", false, false, false, false },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, false, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct reeve_address a = parsed(cases[i].text);

		assert_int_equal(reeve_address_is_unspecified(&a), cases[i].unspecified);
		assert_int_equal(reeve_address_is_loopback(&a), cases[i].loopback);
		assert_int_equal(reeve_address_is_multicast(&a), cases[i].multicast);
		assert_int_equal(reeve_address_is_broadcast(&a), cases[i].broadcast);
	}
}

static void test_prefix_text(void **state)
{
	struct reeve_prefix p;

	(void)state;
	assert_int_equal(reeve_prefix_parse("198.18.0.0/16", &p), 0);
	assert_int_equal(p.length, 16);
	assert_int_equal(reeve_prefix_parse("198.18.0.1", &p), 0);
	assert_int_equal(p.length, 32);
	assert_int_equal(reeve_prefix_parse("2001:db8::/32", &p), 0);
	assert_int_equal(p.length, 32);
	assert_int_equal(reeve_prefix_parse("::1", &p), 0);
	assert_int_equal(p.length, 128);
	assert_int_equal(reeve_prefix_parse("0.0.0.0/0", &p), 0);
	assert_int_equal(p.length, 0);
	static const char *const bad[] = { "198.18.0.0/33", "198.18.0.0/",
					   "198.18.0.0/-1", "198.18.0.0/ 8",
					   "198.18.0.0/1x", "198.18.0.0/0016",
					   "::/129",        "/8",
					   "198.18.0.0//8" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(bad[i]);
}

/* Against a comparison bit by bit. */
static void test_prefix_contains(void **state)
{
	struct random r = seeded(11);

	(void)state;
	for (int i = 0; i < 50000; i++) {
		const bool ipv4 = random_below(&r, 2);
		struct reeve_prefix p = { .length = (uint8_t)random_below(&r, ipv4 ? 33 : 129) };
		const unsigned skipped = ipv4 ? 96 : 0;

		p.address = ipv4 ? reeve_address_from_ipv4(random_u32(&r)) : parsed("2001:db8::");
		struct reeve_address a = p.address;
		const unsigned bit = skipped + random_below(&r, 128 - skipped);

		assert_true(reeve_prefix_contains(&p, &a));
		a.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		assert_int_equal(reeve_prefix_contains(&p, &a), bit - skipped >= p.length);
	}
	const struct reeve_prefix all = { reeve_any_ipv4, 0 }, all6 = { reeve_any_ipv6, 0 };
	const struct reeve_address one = parsed("192.0.2.1"), one6 = parsed("2001:db8::1");

	assert_true(reeve_prefix_contains(&all, &one));
	assert_false(reeve_prefix_contains(&all, &one6));
	assert_true(reeve_prefix_contains(&all6, &one6));
	assert_false(reeve_prefix_contains(&all6, &one));
}

static void test_sockaddr(void **state)
{
	struct reeve_sockaddr a = { .address = parsed("192.0.2.1"), .port = 65535 };
	struct reeve_sockaddr b = { .address = parsed("2001:db8::1"), .port = 80 };
	char text[REEVE_SOCKADDR_TEXT];

	(void)state;
	assert_string_equal(reeve_sockaddr_format(&a, text), "192.0.2.1:65535");
	assert_string_equal(reeve_sockaddr_format(&b, text), "[2001:db8::1]:80");
	assert_false(reeve_sockaddr_equal(&a, &b));
	b = a;
	assert_true(reeve_sockaddr_equal(&a, &b));
	b.port = 0;
	assert_false(reeve_sockaddr_equal(&a, &b));
	b = a;
	b.scope = 1;
	assert_false(reeve_sockaddr_equal(&a, &b));
	memset(b.address.bytes, 0xfe, sizeof(b.address.bytes));
	reeve_sockaddr_format(&b, text);
	assert_true(strlen(text) < REEVE_SOCKADDR_TEXT);
}

static void test_constants(void **state)
{
	(void)state;
	const struct {
		const char *text;
		const struct reeve_address *address;
	} cases[] = { { "0.0.0.0", &reeve_any_ipv4 },
		      { "::", &reeve_any_ipv6 },
		      { "127.0.0.1", &reeve_loopback_ipv4 },
		      { "::1", &reeve_loopback_ipv6 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct reeve_address a = parsed(cases[i].text);

		assert_true(reeve_address_equal(&a, cases[i].address));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_text),    cmocka_unit_test(test_ipv6_text),
		cmocka_unit_test(test_damaged_text), cmocka_unit_test(test_mapped_is_ipv4),
		cmocka_unit_test(test_refused),      cmocka_unit_test(test_classes),
		cmocka_unit_test(test_prefix_text),  cmocka_unit_test(test_prefix_contains),
		cmocka_unit_test(test_sockaddr),     cmocka_unit_test(test_constants),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
