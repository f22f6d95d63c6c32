/* The registry's look-ups against each other: constant time against a walk over all entries. */
#include <string.h>
#include <strings.h>

#include "port/registry.h"

#include "cmocka_all.h"

static void test_entries_are_in_order(void **state)
{
	struct registry_entry before = { .has_port = true }, e;
	size_t count = 0;

	(void)state;
	for (; registry_entry(count, &e); count++) {
		if (before.has_port && e.has_port && before.first == e.first)
			assert_true(before.protocol <= e.protocol);
		else
			assert_true(e.has_port ? before.has_port && before.first <= e.first : true);
		assert_true(e.first <= e.last);
		before = e;
	}
	assert_int_equal(count, registry_count());
	assert_true(count > 14000);
}

/* Whether some row gives the port this service's name. */
static bool is_named(uint16_t port, unsigned protocol, const char *name)
{
	struct registry_entry e;

	for (size_t i = 0; registry_by_port(port, protocol, i, &e); i++) {
		if (strcmp(e.name, name) == 0)
			return true;
	}
	return false;
}

static bool has_service(uint16_t port, unsigned protocol)
{
	struct registry_entry e;

	for (size_t i = 0; registry_by_port(port, protocol, i, &e); i++) {
		if (*e.name)
			return true;
	}
	return false;
}

static void test_service_names_agree_with_entries(void **state)
{
	(void)state;
	for (unsigned p = REGISTRY_TCP; p <= REGISTRY_DCCP; p <<= 1) {
		for (uint32_t port = 0; port <= 65535; port++) {
			const char *name = registry_service_name((uint16_t)port, p);

			if (name)
				assert_true(is_named((uint16_t)port, p, name));
			else
				assert_false(has_service((uint16_t)port, p));
		}
	}
}

static void test_every_entry_is_found(void **state)
{
	struct registry_entry e, found;

	(void)state;
	for (size_t i = 0; registry_entry(i, &e); i++) {
		const unsigned protocols = e.protocol ? e.protocol : REGISTRY_ANY;
		bool by_port = !e.has_port, by_name = *e.name == '\0';

		for (size_t j = 0; !by_port && registry_by_port(e.last, protocols, j, &found); j++)
			by_port = found.name == e.name && found.first == e.first;
		for (size_t j = 0; !by_name && registry_by_name(e.name, protocols, j, &found); j++)
			by_name = found.first == e.first && found.description == e.description;
		assert_true(by_port && by_name);
	}
}

static void test_well_known_services(void **state)
{
	static const struct {
		uint16_t port;
		const char *name;
	} services[] = {
		{ 21, "ftp" },     { 23, "telnet" }, { 25, "smtp" },    { 53, "domain" },
		{ 63, "whoispp" }, { 70, "gopher" }, { 79, "finger" },  { 80, "http" },
		{ 110, "pop3" },   { 119, "nntp" },  { 43, "nicname" }, { 6063, "x11" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		assert_string_equal(registry_service_name(services[i].port, REGISTRY_TCP),
				    services[i].name);
	assert_null(registry_service_name(0, REGISTRY_TCP));
	assert_null(registry_service_name(65535, REGISTRY_TCP));
	assert_null(registry_service_name(80, REGISTRY_NONE));
	assert_null(registry_service_name(80, REGISTRY_ANY));
}

static void test_whois_is_two_services(void **state)
{
	struct registry_entry e;

	(void)state;
	assert_true(registry_by_name("WhoIs", REGISTRY_TCP, 0, &e));
	assert_int_equal(e.first, 43);
	assert_string_equal(e.name, "nicname");
	assert_true(registry_by_name("whois", REGISTRY_TCP, 1, &e));
	assert_int_equal(e.first, 63);
	assert_string_equal(e.name, "whoispp");
	assert_false(registry_by_name("whois", REGISTRY_TCP, 2, &e));
	assert_int_equal(e.first, 63);
}

static void test_names_ignore_case(void **state)
{
	struct registry_entry e;

	(void)state;
	assert_true(registry_by_name("HTTP", REGISTRY_UDP, 0, &e));
	assert_int_equal(e.first, 80);
	assert_int_equal(e.protocol, REGISTRY_UDP);
	assert_false(registry_by_name("", REGISTRY_ANY, 0, &e));
	assert_false(registry_by_name("http!", REGISTRY_ANY, 0, &e));
}

static void test_statuses(void **state)
{
	struct registry_entry e;

	(void)state;
	assert_true(registry_by_port(0, REGISTRY_TCP, 0, &e));
	assert_int_equal(e.status, REGISTRY_RESERVED);
	assert_true(registry_by_port(4, REGISTRY_TCP, 0, &e));
	assert_int_equal(e.status, REGISTRY_UNASSIGNED);
	assert_true(registry_by_port(24, REGISTRY_TCP, 0, &e)); /* "any private mail system" */
	assert_int_equal(e.status, REGISTRY_ASSIGNED);
	assert_string_equal(e.name, "");
	assert_false(registry_by_port(50000, REGISTRY_ANY, 0, &e));
}

static void test_suggestions(void **state)
{
	static const char *const slips[][2] = {
		{ "htpp", "http" },   { "tlenet", "telnet" }, { "fingr", "finger" },
		{ "whios", "whois" }, { "SMPT", "smtp" },     { "domian", "domain" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++)
		assert_string_equal(registry_suggest(slips[i][0]), slips[i][1]);
	assert_null(registry_suggest("qqqqqqqqqqqq"));
	assert_null(registry_suggest(""));
	assert_null(registry_suggest("a-name-much-longer-than-any-service-ever-had"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_are_in_order),
		cmocka_unit_test(test_service_names_agree_with_entries),
		cmocka_unit_test(test_every_entry_is_found),
		cmocka_unit_test(test_well_known_services),
		cmocka_unit_test(test_whois_is_two_services),
		cmocka_unit_test(test_names_ignore_case),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_suggestions),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
