/* Sockets' names to bytes and back, and what Linux says of bytes that are none. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "guest/names.h"

static void test_round(void **unused)
{
	static const struct {
		const char *address;
		int family;
		uint32_t length;
	} cases[] = {
		{ "192.0.2.1", AF_INET, sizeof(struct sockaddr_in) },
		{ "0.0.0.0", AF_INET, sizeof(struct sockaddr_in) },
		{ "2001:db8::1", AF_INET6, sizeof(struct sockaddr_in6) },
		{ "::", AF_INET6, sizeof(struct sockaddr_in6) },
		{ "::ffff:192.0.2.1", AF_INET6, sizeof(struct sockaddr_in6) },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reeve_sockaddr in = { .port = 8080 };
		char bytes[sizeof(struct sockaddr_in6)];
		struct name out;

		assert_int_equal(reeve_address_parse(cases[i].address, &in.address), 0);
		assert_int_equal(name_format(&in, cases[i].family, bytes), cases[i].length);
		assert_int_equal(name_parse(bytes, cases[i].length, cases[i].family, &out), 0);
		assert_int_equal(out.family, cases[i].family);
		assert_true(reeve_sockaddr_equal(&out.socket, &in));
	}
}

static void test_faults(void **unused)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	const struct sockaddr_in other = { .sin_family = 77 };
	struct name n = { .family = 1 };

	(void)unused;
	assert_int_equal(name_parse(&in, 0, AF_INET, &n), -EINVAL);
	assert_int_equal(name_parse(&in, 1, AF_INET, &n), -EINVAL);
	assert_int_equal(name_parse(&in, sizeof(in) - 1, AF_INET, &n), -EINVAL);
	assert_int_equal(name_parse(&in6, 23, AF_INET6, &n), -EINVAL);
	assert_int_equal(name_parse(&in6, 24, AF_INET6, &n), 0);
	n.family = 1;
	assert_int_equal(name_parse(&in6, sizeof(in6), AF_INET, &n), -EAFNOSUPPORT);
	assert_int_equal(name_parse(&other, sizeof(other), AF_INET, &n), -EAFNOSUPPORT);
	assert_int_equal(n.family, 1);
	assert_int_equal(name_parse(&(sa_family_t){ AF_UNSPEC }, 2, AF_INET, &n), 0);
	assert_int_equal(n.family, AF_UNSPEC);
}

static void test_destination(void **unused)
{
	struct reeve_sockaddr four = { .address = reeve_any_ipv4 };
	struct reeve_sockaddr six = { .address = reeve_any_ipv6 };
	struct reeve_sockaddr one = { .address = reeve_address_from_ipv4(0xc0000201) };

	(void)unused;
	name_make_destination(&four);
	name_make_destination(&six);
	name_make_destination(&one);
	assert_true(reeve_address_equal(&four.address, &reeve_loopback_ipv4));
	assert_true(reeve_address_equal(&six.address, &reeve_loopback_ipv6));
	assert_int_equal(reeve_address_to_ipv4(&one.address), 0xc0000201);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
