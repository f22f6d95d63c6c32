/*
 * Grants of ports beside a second parser that cuts the text up; who may bind what; and the
 * registry beside a search through all of its rows. The first byte chooses.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cursor.h"
#include "fuzz.h"
#include "port/policy.h"
#include "port/registry.h"

#define PORTS 65536
#define TEXT  512

struct slow_grant {
	unsigned ranges;
	long first[PORT_GRANT_MAX + 1], last[PORT_GRANT_MAX + 1];
};

/* Digits only, as strtol() would also take a sign and white space. */
static bool slow_port(char *text, long *ret)
{
	if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	*ret = strtol(text, NULL, 10);
	return errno == 0 && *ret >= 1 && *ret < PORTS;
}

static int slow_range(char *text, struct slow_grant *g)
{
	char *const dash = strchr(text, '-');
	long first, last;

	if (dash)
		*dash = '\0';
	if (!slow_port(text, &first))
		return -EINVAL;
	last = first;
	if (dash && (!slow_port(dash + 1, &last) || first > last))
		return -EINVAL;
	g->first[g->ranges] = first;
	g->last[g->ranges] = last;
	return 0;
}

static bool slow_has(const struct slow_grant *g, uint16_t port)
{
	bool has = false;

	for (unsigned i = 0; i < g->ranges; i++)
		has |= g->first[i] <= port && port <= g->last[i];
	return has;
}

/* Cuts the text up. As the real one it finds what is wrong from left to right. */
static int slow_parse(char *text, struct slow_grant *g)
{
	g->ranges = 0;
	for (char *part = text, *comma; part; part = comma) {
		comma = strchr(part, ',');
		if (comma)
			*comma++ = '\0';
		if (slow_range(part, g))
			return -EINVAL;
		if (g->ranges++ == PORT_GRANT_MAX)
			return -E2BIG;
	}
	return 0;
}

/* At both ends of each of its ranges a grant covers what one of two lists has. */
static void check_covers(const struct port_grant *grant, const struct slow_grant *a,
			 const struct slow_grant *b)
{
	for (uint32_t i = 0; i < grant->count; i++) {
		const struct port_range *const r = &grant->ranges[i];
		const uint16_t around[] = { (uint16_t)(r->first - 1), r->first, r->last,
					    (uint16_t)(r->last + 1) };

		for (size_t k = 0; k < array_length(around); k++)
			check(port_grant_covers(grant, around[k]) ==
			      (slow_has(a, around[k]) || slow_has(b, around[k])));
	}
	check(!port_grant_covers(grant, 0));
}

static void check_policy(const struct port_grant *grant, uint16_t port)
{
	const struct port_actor stranger = { .is_owner = false, .grant = *grant };
	const struct port_actor owner = { .is_owner = true, .grant = *grant };
	const bool is_free = port == 0 || port >= 1024 || port_grant_covers(grant, port);

	check(port_policy_may_bind(PORT_WELL_KNOWN_OWNER, &owner, port) == 0);
	check(port_policy_may_bind(PORT_WELL_KNOWN_OWNER, &stranger, port) ==
	      (is_free ? 0 : -EACCES));
	check(port_policy_may_bind(PORT_WELL_KNOWN_GRANTED, &owner, port) ==
	      (is_free ? 0 : -EACCES));
	check(port_policy_may_bind(PORT_WELL_KNOWN_GRANTED, &stranger, port) ==
	      (is_free ? 0 : -EACCES));
}

/* Two lists with a NUL between them; both joined cover what either does. */
static void fuzz_grants(struct cursor *c)
{
	struct slow_grant slow[2];
	const uint16_t port = cursor_be16(c);
	struct port_grant grant[2] = { 0 }, joined;
	char text[2][TEXT], copy[TEXT];

	for (int i = 0; i < 2; i++) {
		const uint8_t *const nul = memchr(c->at, 0, cursor_left(c));
		const size_t length = nul ? (size_t)(nul - c->at) : cursor_left(c);

		if (length >= TEXT)
			return;
		cursor_copy(c, text[i], length);
		text[i][length] = '\0';
		if (nul)
			cursor_u8(c);
		memcpy(copy, text[i], length + 1);
		const int error = slow_parse(copy, &slow[i]);

		check(port_grant_parse(text[i], &grant[i]) == error);
		if (error)
			return;
		check(grant[i].count == slow[i].ranges);
		check_covers(&grant[i], &slow[i], &slow[i]);
		check_policy(&grant[i], port);
	}
	joined = grant[0];
	if (port_grant_join(&joined, &grant[1])) {
		check(memcmp(&joined, &grant[0], sizeof(joined)) == 0);
		check(grant[0].count + grant[1].count > PORT_GRANT_MAX);
		return;
	}
	check_covers(&joined, &slow[0], &slow[1]);
	check(port_grant_covers(&joined, port) ==
	      (slow_has(&slow[0], port) || slow_has(&slow[1], port)));
}

#define ROWS_MOST 20000

static const struct registry_entry *all_rows(void)
{
	static struct registry_entry rows[ROWS_MOST];

	check(registry_count() <= ROWS_MOST);
	for (size_t i = 0; !rows[0].name && i < registry_count(); i++)
		check(registry_entry(registry_count() - 1 - i, &rows[registry_count() - 1 - i]));
	return rows;
}

static bool is_for(const struct registry_entry *e, unsigned protocols)
{
	return e->protocol == REGISTRY_NONE || (e->protocol & protocols) != 0;
}

/* All rows in order: those of just this port, then those of ranges. */
static void check_by_port(uint16_t port, unsigned protocols)
{
	const struct registry_entry *const rows = all_rows();
	struct registry_entry fast;
	size_t found = 0;

	for (int ranges = 0; ranges < 2; ranges++) {
		for (const struct registry_entry *r = rows; r < rows + registry_count(); r++) {
			if (!r->has_port || r->first > port || r->last < port ||
			    (r->first != r->last) != ranges || !is_for(r, protocols))
				continue;
			check(registry_by_port(port, protocols, found++, &fast));
			check(fast.name == r->name && fast.protocol == r->protocol);
			check(fast.first == r->first && fast.last == r->last);
		}
	}
	check(!registry_by_port(port, protocols, found, &fast));
}

/* The rows that have the name, before those that have it for an alias. */
static void check_by_name(const char *name, unsigned protocols)
{
	const struct registry_entry *const rows = all_rows();
	struct registry_entry fast;
	size_t found = 0;

	if (name[0] == '\0')
		return;
	for (size_t i = 0; i < registry_count(); i++) {
		const struct registry_entry *const r = &rows[i];

		found += (r->name[0] | 0x20) == (name[0] | 0x20) && is_for(r, protocols) &&
			 strcasecmp(r->name, name) == 0;
	}
	for (size_t i = 0; i < found; i++) {
		check(registry_by_name(name, protocols, i, &fast));
		check(is_for(&fast, protocols) && strcasecmp(fast.name, name) == 0);
	}
	for (; registry_by_name(name, protocols, found, &fast); found++)
		check(is_for(&fast, protocols) && strcasecmp(fast.name, name) != 0);
}

/* A port and protocols; or a name of the registry's, and what the rest of the bytes change. */
static void fuzz_registry(struct cursor *c)
{
	const uint16_t number = cursor_be16(c);
	const uint8_t protocols = cursor_u8(c);
	struct registry_entry entry;
	char name[40] = "";

	if (protocols & 0x80) {
		check_by_port(number, protocols & REGISTRY_ANY);
		return;
	}
	check(registry_entry(number % registry_count(), &entry));
	strncpy(name, entry.name, sizeof(name) - 1);
	while (cursor_left(c) >= 2) {
		const uint8_t at = cursor_u8(c) % (sizeof(name) - 1);

		name[at] = (char)cursor_u8(c);
	}
	check_by_name(name, protocols & REGISTRY_ANY);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct cursor c = cursor_over(bytes, length);

	if (cursor_u8(&c) != 0xf7) /* the registry is slow to search */
		fuzz_grants(&c);
	else
		fuzz_registry(&c);
	return 0;
}
