/*
 * Routes.
 *
 * Theory of operation. A lookup is made for every datagram, a change almost never. So a change cuts
 * the whole address space into ranges, each of which has one best route (or none), and a lookup is
 * a binary search among at most 2 * 256 + 1 of them.
 */
#include "stack/route.h"

#include <errno.h>
#include <stdlib.h>

#include "stack/iface.h"

#define RANGE_MAX (2 * ROUTE_MAX + 1)
#define NO_ROUTE  UINT16_MAX

struct range {
	uint32_t first; /* up to the next range's first */
	uint16_t route; /* index, or NO_ROUTE */
};

struct route_table {
	unsigned count, range_count;
	struct route routes[ROUTE_MAX];
	struct range ranges[RANGE_MAX];
};

struct route_table *route_table_new(void)
{
	struct route_table *const t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->ranges[0] = (struct range){ 0, NO_ROUTE };
	t->range_count = 1;
	return t;
}

struct route_table *route_table_free(struct route_table *t)
{
	free(t);
	return NULL;
}

static uint16_t best_route(const struct route_table *t, uint32_t address)
{
	uint16_t best = NO_ROUTE;

	for (unsigned i = 0; i < t->count; i++) {
		const struct route *const r = &t->routes[i];

		if ((address & route_mask(r->length)) != r->network)
			continue;
		if (best == NO_ROUTE || r->length > t->routes[best].length)
			best = (uint16_t)i;
	}
	return best;
}

static int compare_u32(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a;
	const uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Ranges begin where a prefix begins or has just ended. */
static void ranges_rebuild(struct route_table *t)
{
	uint32_t starts[RANGE_MAX];
	unsigned count = 0;

	starts[count++] = 0;
	for (unsigned i = 0; i < t->count; i++) {
		const struct route *const r = &t->routes[i];
		const uint32_t last = r->network | ~route_mask(r->length);

		starts[count++] = r->network;
		if (last != UINT32_MAX)
			starts[count++] = last + 1;
	}
	qsort(starts, count, sizeof(starts[0]), compare_u32);
	t->range_count = 0;
	for (unsigned i = 0; i < count; i++) {
		if (i > 0 && starts[i] == starts[i - 1])
			continue;
		t->ranges[t->range_count++] = (struct range){ starts[i], best_route(t, starts[i]) };
	}
}

const struct route *route_find(const struct reeve_host *host, uint32_t destination)
{
	const struct route_table *const t = host->routes;
	unsigned low = 0;
	unsigned high = t->range_count;

	while (high - low > 1) {
		const unsigned middle = low + (high - low) / 2;

		if (t->ranges[middle].first <= destination)
			low = middle;
		else
			high = middle;
	}
	const uint16_t found = t->ranges[low].route;

	return found == NO_ROUTE ? NULL : &t->routes[found];
}

int reeve_host_add_route(struct reeve_host *host, const struct reeve_prefix *to,
			 const struct reeve_address *gateway, unsigned iface)
{
	struct route_table *const t = host->routes;

	if (!iface_exists(host, iface))
		return -ENODEV;
	if (!reeve_address_is_ipv4(&to->address) || to->length > 32)
		return -EINVAL;
	if (gateway &&
	    (!reeve_address_is_ipv4(gateway) || reeve_address_is_unspecified(gateway) ||
	     reeve_address_is_multicast(gateway) || reeve_address_is_broadcast(gateway) ||
	     reeve_address_is_loopback(gateway) || iface == IFACE_LO))
		return -EINVAL;
	const struct route r = {
		.network = reeve_address_to_ipv4(&to->address) & route_mask(to->length),
		.gateway = gateway ? reeve_address_to_ipv4(gateway) : 0,
		.length = to->length,
		.iface = (uint8_t)iface,
		.has_gateway = gateway != NULL,
	};

	for (unsigned i = 0; i < t->count; i++) {
		if (t->routes[i].network == r.network && t->routes[i].length == r.length)
			return -EEXIST;
	}
	if (t->count == ROUTE_MAX)
		return -ENOSPC;
	t->routes[t->count++] = r;
	ranges_rebuild(t);
	return 0;
}
