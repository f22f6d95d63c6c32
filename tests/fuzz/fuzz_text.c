/* What people write: addresses, prefixes, grants of ports, names of services and of commands. */
#include <string.h>

#include "base/check.h"
#include "base/quantity.h"
#include "base/similar.h"
#include "port/policy.h"
#include "port/registry.h"
#include "reeve/address.h"

#include "fuzz.h"

static void fuzz_address(const char *text)
{
	struct reeve_address address, again;
	struct reeve_prefix prefix;
	char formatted[REEVE_ADDRESS_TEXT];

	if (reeve_address_parse(text, &address) == 0) {
		check(reeve_address_parse(reeve_address_format(&address, formatted), &again) == 0);
		check(reeve_address_equal(&address, &again));
	}
	if (reeve_prefix_parse(text, &prefix) == 0) {
		check(prefix.length <= (reeve_address_is_ipv4(&prefix.address) ? 32 : 128));
		check(reeve_prefix_contains(&prefix, &prefix.address));
	}
}

static void fuzz_grant(const char *text)
{
	struct port_grant grant;

	if (port_grant_parse(text, &grant))
		return;
	check(grant.count >= 1 && grant.count <= PORT_GRANT_MAX);
	for (uint32_t i = 0; i < grant.count; i++) {
		check(grant.ranges[i].first >= 1 && grant.ranges[i].first <= grant.ranges[i].last);
		check(port_grant_covers(&grant, grant.ranges[i].first));
		check(port_grant_covers(&grant, grant.ranges[i].last));
	}
	check(!port_grant_covers(&grant, 0));
}

static void fuzz_quantity(const char *text)
{
	int64_t number;
	double value;

	if (quantity_count(text, -1000, 1000000, &number) == 0)
		check(number >= -1000 && number <= 1000000);
	if (quantity_ratio(text, &value) == 0)
		check(value >= 0 && value <= 1);
	if (quantity_time_ms(text, &value) == 0)
		check(value >= 0 && value <= 3600e3);
	if (quantity_rate(text, &number) == 0)
		check(number >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char text[256];
	struct registry_entry entry;

	if (length >= sizeof(text))
		return 0;
	memcpy(text, bytes, length);
	text[length] = '\0';
	fuzz_address(text);
	fuzz_grant(text);
	fuzz_quantity(text);
	for (size_t i = 0; registry_by_name(text, REGISTRY_ANY, i, &entry); i++)
		check(entry.first <= entry.last);
	const size_t limit = similar_limit(text);

	check(similar_distance(text, "services", limit) <= limit);
	check(similar_distance(text, text, 1) <= 1);
	return 0;
}
