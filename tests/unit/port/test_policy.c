/* Who may bind what, and the lists of --allow-port. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "port/policy.h"

#include "../base/cmocka_all.h"
#include "../base/seed.h"

static void test_good_lists(void **state)
{
	static const struct {
		const char *text;
		uint32_t count;
		struct port_range ranges[4];
	} cases[] = {
		{ "80", 1, { { 80, 80 } } },
		{ "1", 1, { { 1, 1 } } },
		{ "65535", 1, { { 65535, 65535 } } },
		{ "1-65535", 1, { { 1, 65535 } } },
		{ "00080", 1, { { 80, 80 } } },
		{ "80-80", 1, { { 80, 80 } } },
		{ "80,443,8000-8100", 3, { { 80, 80 }, { 443, 443 }, { 8000, 8100 } } },
		{ "443,80,80,79-81", 4, { { 443, 443 }, { 80, 80 }, { 80, 80 }, { 79, 81 } } },
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct port_grant grant;

		assert_int_equal(port_grant_parse(cases[i].text, &grant), 0);
		assert_int_equal(grant.count, cases[i].count);
		assert_memory_equal(grant.ranges, cases[i].ranges,
				    cases[i].count * sizeof(struct port_range));
	}
}

static void test_bad_lists(void **state)
{
	static const char *const cases[] = {
		"",
		",",
		"80,",
		",80",
		"80,,81",
		"0",
		"0-5",
		"65536",
		"80-65536",
		"81-80",
		"80-",
		"-80",
		"80-81-82",
		" 80",
		"80 ",
		"80, 81",
		"+80",
		"0x50",
		"8.0",
		"http",
		"80;81",
		"80\n",
		"99999999999999999999999999999999",
	};
	struct port_grant before, grant;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	grant = before;
	for (size_t i = 0; i < array_length(cases); i++) {
		assert_int_equal(port_grant_parse(cases[i], &grant), -EINVAL);
		assert_memory_equal(&grant, &before, sizeof(before));
	}
}

static void test_as_many_ranges_as_fit(void **state)
{
	char text[PORT_GRANT_MAX * 8 + 8];
	size_t length = 0;
	struct port_grant grant;

	(void)state;
	for (int i = 0; i < PORT_GRANT_MAX; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%d",
					   i ? "," : "", 2 * i + 1);
	assert_int_equal(port_grant_parse(text, &grant), 0);
	assert_int_equal(grant.count, PORT_GRANT_MAX);
	assert_true(port_grant_covers(&grant, 2 * (PORT_GRANT_MAX - 1) + 1));
	memcpy(text + length, ",9", 3);
	assert_int_equal(port_grant_parse(text, &grant), -E2BIG);
	assert_int_equal(grant.count, PORT_GRANT_MAX);
	/* The first thing wrong is what is said. */
	memcpy(text + length, ",x", 3);
	assert_int_equal(port_grant_parse(text, &grant), -EINVAL);
}

static void test_covers(void **state)
{
	struct port_grant grant;

	(void)state;
	assert_int_equal(port_grant_parse("443,80-82,65535", &grant), 0);
	for (uint32_t port = 0; port <= 65535; port++) {
		const bool covered = port == 443 || (port >= 80 && port <= 82) || port == 65535;

		assert_int_equal(port_grant_covers(&grant, (uint16_t)port), covered);
	}
}

static void test_may_bind(void **state)
{
	struct port_actor owner = { .is_owner = true }, other = { .is_owner = false };

	(void)state;
	for (uint32_t p = 0; p <= 65535; p++) {
		const uint16_t port = (uint16_t)p;
		const int known = port >= 1 && port <= 1023 ? -EACCES : 0;

		assert_int_equal(port_policy_may_bind(PORT_WELL_KNOWN_OWNER, &owner, port), 0);
		assert_int_equal(port_policy_may_bind(PORT_WELL_KNOWN_OWNER, &other, port), known);
		assert_int_equal(port_policy_may_bind(PORT_WELL_KNOWN_GRANTED, &owner, port),
				 known);
		assert_int_equal(port_policy_may_bind(PORT_WELL_KNOWN_GRANTED, &other, port),
				 known);
	}
	assert_int_equal(port_grant_parse("80,1000-1023", &other.grant), 0);
	for (uint32_t p = 0; p <= 65535; p++) {
		const uint16_t port = (uint16_t)p;
		const bool granted = port == 80 || port >= 1000 || port == 0;

		assert_int_equal(port_policy_may_bind(PORT_WELL_KNOWN_GRANTED, &other, port),
				 granted ? 0 : -EACCES);
		assert_int_equal(port_policy_may_bind(PORT_WELL_KNOWN_OWNER, &other, port),
				 granted ? 0 : -EACCES);
	}
}

/* Whatever parses covers exactly the ports that a second, slow reading of the text names. */
static void test_random_lists(void **state)
{
	static const char alphabet[] = "0123456789,-";
	struct random random = seeded(443);
	unsigned parsed = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char text[12];
		const uint32_t length = random_below(&random, sizeof(text));
		struct port_grant grant;

		for (uint32_t j = 0; j < length; j++)
			text[j] = alphabet[random_below(&random, sizeof(alphabet) - 1)];
		text[length] = '\0';
		if (port_grant_parse(text, &grant))
			continue;
		parsed++;

		char *at = text;

		for (uint32_t j = 0; j < grant.count; j++) {
			const unsigned long first = strtoul(at, &at, 10);
			const unsigned long last = *at == '-' ? strtoul(at + 1, &at, 10) : first;

			assert_int_equal(grant.ranges[j].first, first);
			assert_int_equal(grant.ranges[j].last, last);
			assert_true(*at++ == (j + 1 < grant.count ? ',' : '\0'));
		}
	}
	assert_true(parsed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lists),
		cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_as_many_ranges_as_fit),
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_may_bind),
		cmocka_unit_test(test_random_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
