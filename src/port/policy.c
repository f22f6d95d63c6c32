/*
 * Who may bind what (RFC 6335, 6), and the lists of ports that --allow-port takes.
 *
 * Theory of operation: a grant is a list of inclusive ranges in the order given; nothing is merged,
 * PORT_GRANT_MAX ranges are all there can be, and a port is covered when one range has it. A list
 * that does not parse to its last character changes nothing.
 */
#include "port/policy.h"

#include <errno.h>
#include <stddef.h>

#include "base/check.h"

/* 1..65535 in decimal; moves *text behind it. False: not such a number. */
static bool parse_port(const char **text, uint16_t *ret)
{
	const char *p = *text;
	uint32_t port = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		port = port * 10 + (uint32_t)(*p - '0');
		if (port > UINT16_MAX)
			return false;
	}
	if (port == 0)
		return false;
	*text = p;
	*ret = (uint16_t)port;
	return true;
}

static bool parse_range(const char **text, struct port_range *ret)
{
	if (!parse_port(text, &ret->first))
		return false;
	ret->last = ret->first;
	if (**text != '-')
		return true;
	++*text;
	return parse_port(text, &ret->last) && ret->first <= ret->last;
}

int port_grant_parse(const char *text, struct port_grant *ret)
{
	struct port_grant grant = { 0 };

	for (;;) {
		struct port_range range;

		if (!parse_range(&text, &range))
			return -EINVAL;
		if (*text != '\0' && *text != ',')
			return -EINVAL;
		if (grant.count == array_length(grant.ranges))
			return -E2BIG;
		grant.ranges[grant.count++] = range;
		if (*text++ == '\0')
			break;
	}
	*ret = grant;
	return 0;
}

int port_grant_join(struct port_grant *g, const struct port_grant *other)
{
	struct port_grant joined = *g;

	for (uint32_t i = 0; i < other->count; i++) {
		const struct port_range *range = &other->ranges[i];
		bool is_there = false;

		for (uint32_t j = 0; j < g->count && !is_there; j++)
			is_there = g->ranges[j].first <= range->first &&
				   g->ranges[j].last >= range->last;
		if (is_there)
			continue;
		if (joined.count == PORT_GRANT_MAX)
			return -E2BIG;
		joined.ranges[joined.count++] = *range;
	}
	*g = joined;
	return 0;
}

bool port_grant_covers(const struct port_grant *g, uint16_t port)
{
	for (uint32_t i = 0; i < g->count; i++) {
		if (port >= g->ranges[i].first && port <= g->ranges[i].last)
			return true;
	}
	return false;
}

int port_policy_may_bind(enum port_well_known policy, const struct port_actor *who, uint16_t port)
{
	if (port == 0 || port > PORT_WELL_KNOWN_LAST)
		return 0;
	if (port_grant_covers(&who->grant, port))
		return 0;
	switch (policy) {
	case PORT_WELL_KNOWN_OWNER:
		return who->is_owner ? 0 : -EACCES;
	case PORT_WELL_KNOWN_GRANTED:
		return -EACCES;
	}
	return -EACCES;
}
