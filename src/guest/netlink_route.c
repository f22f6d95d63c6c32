/* RTM_GETROUTE and RTM_GETRULE: the host's routes, and which way a destination is reached. */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/icmpv6.h>
#include <linux/in_route.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "guest/netlink_reply.h"
#include "guest/supervisor.h"

#define METRIC_LOCAL  0
#define METRIC_KERNEL 256 /* of IPv6 prefixes: IP6_RT_PRIO_ADDRCONF */
#define RULE_MAIN     32766
#define RULE_DEFAULT  32767

/* A route as it is told. Addresses are bytes as on the wire; NULL: none. */
struct route {
	int family;
	uint8_t table, type, scope, protocol, length;
	uint32_t index;
	const uint8_t *to, *gateway, *source;
	uint32_t metric;
};

static void put_route(struct netlink_reply *r, const struct route *route, uint16_t flags)
{
	const size_t size = route->family == AF_INET ? 4 : 16;
	const uint8_t medium = ICMPV6_ROUTER_PREF_MEDIUM;
	struct rtmsg *m = netlink_start(r, RTM_NEWROUTE, flags, sizeof(*m));

	m->rtm_family = (uint8_t)route->family;
	m->rtm_dst_len = route->length;
	m->rtm_table = route->table;
	m->rtm_type = route->type;
	m->rtm_scope = route->scope;
	m->rtm_protocol = route->protocol;
	netlink_attribute_u32(r, RTA_TABLE, route->table);
	if (route->to)
		netlink_attribute(r, RTA_DST, route->to, size);
	if (route->gateway)
		netlink_attribute(r, RTA_GATEWAY, route->gateway, size);
	if (route->source)
		netlink_attribute(r, RTA_PREFSRC, route->source, size);
	netlink_attribute_u32(r, RTA_OIF, route->index);
	if (route->family == AF_INET6) {
		netlink_attribute_u32(r, RTA_PRIORITY, route->metric);
		netlink_attribute(r, RTA_PREF, &medium, sizeof(medium));
	}
}

static void put_one(struct netlink_reply *r, const struct route *route)
{
	put_route(r, route, NLM_F_MULTI);
	netlink_finish(r);
}

static const uint8_t *bytes_of(const struct reeve_address *a)
{
	return a->bytes + (reeve_address_is_ipv4(a) ? 12 : 0);
}

static struct reeve_address with_host_bits(const struct reeve_prefix *p, bool ones)
{
	const uint32_t host = p->length >= 32 ? 0 : UINT32_MAX >> p->length;
	const uint32_t address = reeve_address_to_ipv4(&p->address);

	return reeve_address_from_ipv4(ones ? address | host : address & ~host);
}

static bool has_gateway(const struct interfaces *i)
{
	return reeve_address_is_ipv4(&i->gateway) && !reeve_address_is_unspecified(&i->gateway);
}

/* Table main: what is behind the gateway, and the prefixes of the interfaces. */
static void dump_main(struct netlink_reply *r, const struct guest_interface *i)
{
	const struct interfaces *all = &r->supervisor->interfaces;
	struct route route = {
		.family = AF_INET,
		.table = RT_TABLE_MAIN,
		.type = RTN_UNICAST,
		.protocol = RTPROT_BOOT,
		.index = i->index,
		.gateway = bytes_of(&all->gateway),
	};

	if (i->loopback)
		return;
	if (has_gateway(all))
		put_one(r, &route);
	route.gateway = NULL;
	route.protocol = RTPROT_KERNEL;
	route.scope = RT_SCOPE_LINK;
	for (uint32_t a = 0; a < i->address_count; a++) {
		const struct reeve_address network = with_host_bits(&i->addresses[a], false);

		if (!reeve_address_is_ipv4(&i->addresses[a].address))
			continue;
		route.to = bytes_of(&network);
		route.length = i->addresses[a].length;
		route.source = bytes_of(&i->addresses[a].address);
		put_one(r, &route);
	}
}

/* Table local: the addresses themselves, the whole of loopback, and broadcasts. */
static void dump_local(struct netlink_reply *r, const struct guest_interface *i)
{
	for (uint32_t a = 0; a < i->address_count; a++) {
		const struct reeve_prefix *p = &i->addresses[a];
		const struct reeve_address network = with_host_bits(p, false),
					   broadcast = with_host_bits(p, true);
		struct route route = {
			.family = AF_INET,
			.table = RT_TABLE_LOCAL,
			.type = RTN_LOCAL,
			.scope = RT_SCOPE_HOST,
			.protocol = RTPROT_KERNEL,
			.index = i->index,
			.source = bytes_of(&p->address),
		};

		if (!reeve_address_is_ipv4(&p->address))
			continue;
		route.to = bytes_of(&network);
		route.length = p->length;
		if (i->loopback && p->length < 32)
			put_one(r, &route);
		route.to = route.source;
		route.length = 32;
		put_one(r, &route);
		route.to = bytes_of(&broadcast);
		route.type = RTN_BROADCAST;
		route.scope = RT_SCOPE_LINK;
		if (p->length < 31)
			put_one(r, &route);
	}
}

static void dump_ipv6(struct netlink_reply *r, const struct guest_interface *i, uint8_t table)
{
	for (uint32_t a = 0; a < i->address_count; a++) {
		const struct reeve_prefix *p = &i->addresses[a];
		const bool is_local = table == RT_TABLE_LOCAL;
		const struct route route = {
			.family = AF_INET6,
			.table = table,
			.type = is_local ? RTN_LOCAL : RTN_UNICAST,
			.protocol = RTPROT_KERNEL,
			.index = i->index,
			.to = bytes_of(&p->address),
			.length = is_local ? 128 : p->length,
			.metric = is_local ? METRIC_LOCAL : METRIC_KERNEL,
		};

		/* That ::1 is reached needs no route of table main. */
		if (!reeve_address_is_ipv4(&p->address) && (is_local || !i->loopback))
			put_one(r, &route);
	}
}

static void dump_table(struct netlink_reply *r, int family, uint32_t wanted, uint8_t table)
{
	const struct interfaces *all = &r->supervisor->interfaces;

	if (wanted != RT_TABLE_UNSPEC && wanted != table)
		return;
	for (uint32_t n = 0; n < all->count; n++) {
		if (family == AF_INET6)
			dump_ipv6(r, &all->list[n], table);
		else if (table == RT_TABLE_MAIN)
			dump_main(r, &all->list[n]);
		else
			dump_local(r, &all->list[n]);
	}
}

static void dump_family(struct netlink_reply *r, int family, uint32_t table)
{
	dump_table(r, family, table, RT_TABLE_MAIN);
	dump_table(r, family, table, RT_TABLE_LOCAL);
}

static void dump_routes(struct netlink_reply *r, int family)
{
	const struct rtmsg *m = netlink_request(r, sizeof(*m));
	const void *table = netlink_find(r, sizeof(*m), RTA_TABLE, sizeof(uint32_t));
	uint32_t wanted = r->is_strict && m ? m->rtm_table : RT_TABLE_UNSPEC;

	if (r->is_strict && table)
		memcpy(&wanted, table, sizeof(wanted));
	if (family != AF_INET6)
		dump_family(r, AF_INET, wanted);
	if (family != AF_INET)
		dump_family(r, AF_INET6, wanted);
	netlink_done(r);
}

static const struct guest_interface *find_own(const struct interfaces *all,
					      const struct reeve_address *a)
{
	for (uint32_t n = 0; n < all->count; n++)
		for (uint32_t p = 0; p < all->list[n].address_count; p++)
			if (reeve_address_equal(&all->list[n].addresses[p].address, a))
				return &all->list[n];
	return NULL;
}

static const struct guest_interface *find_kind(const struct interfaces *all, bool loopback)
{
	for (uint32_t n = 0; n < all->count; n++)
		if (!!all->list[n].loopback == loopback)
			return &all->list[n];
	return NULL;
}

static const struct reeve_prefix *first_ipv4(const struct guest_interface *i)
{
	for (uint32_t a = 0; i && a < i->address_count; a++)
		if (reeve_address_is_ipv4(&i->addresses[a].address))
			return &i->addresses[a];
	return NULL;
}

static void answer_route(struct netlink_reply *r, const struct route *route, unsigned flags)
{
	const struct rta_cacheinfo cache = { 0 };

	put_route(r, route, 0);
	((struct rtmsg *)NLMSG_DATA(r->open))->rtm_flags = RTM_F_CLONED | flags;
	if (route->family == AF_INET)
		netlink_attribute_u32(r, RTA_UID, 0);
	netlink_attribute(r, RTA_CACHEINFO, &cache, sizeof(cache));
	netlink_finish(r);
	netlink_flush(r);
}

/* To the host itself, whichever interface has the address. */
static void answer_inside(struct netlink_reply *r, int family, const struct reeve_address *to)
{
	const struct guest_interface *lo = find_kind(&r->supervisor->interfaces, true);
	const struct route route = {
		.family = family,
		.table = family == AF_INET6 ? RT_TABLE_LOCAL : RT_TABLE_MAIN, /* as in Linux */
		.type = RTN_LOCAL,
		.protocol = family == AF_INET6 ? RTPROT_KERNEL : RTPROT_UNSPEC,
		.length = family == AF_INET6 ? 128 : 32,
		.index = lo ? lo->index : 1,
		.to = bytes_of(to),
		.source = bytes_of(to),
	};

	answer_route(r, &route, family == AF_INET6 ? 0 : RTCF_LOCAL);
}

static void answer_outside(struct netlink_reply *r, const struct reeve_address *to)
{
	const struct interfaces *all = &r->supervisor->interfaces;
	const struct guest_interface *i = find_kind(all, false);
	const struct reeve_prefix *own = first_ipv4(i);
	const uint32_t *only = netlink_find(r, sizeof(struct rtmsg), RTA_OIF, sizeof(*only));

	if (!own || (only && *only && *only != i->index)) {
		netlink_error(r, -ENETUNREACH);
		return;
	}
	const bool is_near = reeve_prefix_contains(own, to);
	const struct route route = {
		.family = AF_INET,
		.table = RT_TABLE_MAIN,
		.type = RTN_UNICAST,
		.length = 32,
		.index = i->index,
		.to = bytes_of(to),
		.source = bytes_of(&own->address),
		.gateway = is_near ? NULL : bytes_of(&all->gateway),
	};

	if (is_near || has_gateway(all))
		answer_route(r, &route, 0);
	else
		netlink_error(r, -ENETUNREACH);
}

static void find_route(struct netlink_reply *r, int family)
{
	const struct rtmsg *m = netlink_request(r, sizeof(*m));
	const uint8_t *bytes = netlink_find(r, sizeof(*m), RTA_DST, family == AF_INET6 ? 16 : 4);
	struct reeve_address to = family == AF_INET6 ? reeve_any_ipv6 : reeve_any_ipv4;

	if (!m || (family != AF_INET && family != AF_INET6)) {
		netlink_error(r, m ? -EOPNOTSUPP : -EINVAL);
		return;
	}
	if (bytes)
		memcpy(to.bytes + (family == AF_INET6 ? 0 : 12), bytes,
		       family == AF_INET6 ? 16 : 4);
	if (reeve_address_is_unspecified(&to))
		to = family == AF_INET6 ? reeve_loopback_ipv6 : reeve_loopback_ipv4;
	if (reeve_address_is_loopback(&to) || find_own(&r->supervisor->interfaces, &to))
		answer_inside(r, family, &to);
	else if (family == AF_INET)
		answer_outside(r, &to);
	else
		netlink_error(r, -ENETUNREACH);
}

void netlink_get_route(struct netlink_reply *r, int family)
{
	if (netlink_is_dump(r))
		dump_routes(r, family);
	else
		find_route(r, family);
}

static void put_rule(struct netlink_reply *r, int family, uint8_t table, uint32_t priority)
{
	struct fib_rule_hdr *m = netlink_start(r, RTM_NEWRULE, NLM_F_MULTI, sizeof(*m));

	m->family = (uint8_t)family;
	m->table = table;
	m->action = FR_ACT_TO_TBL;
	netlink_attribute_u32(r, FRA_TABLE, table);
	netlink_attribute_u32(r, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX);
	if (priority)
		netlink_attribute_u32(r, FRA_PRIORITY, priority);
	netlink_finish(r);
}

static void dump_rules(struct netlink_reply *r, int family)
{
	put_rule(r, family, RT_TABLE_LOCAL, 0);
	put_rule(r, family, RT_TABLE_MAIN, RULE_MAIN);
	if (family == AF_INET)
		put_rule(r, family, RT_TABLE_DEFAULT, RULE_DEFAULT);
}

/* The three that every host has. */
void netlink_get_rule(struct netlink_reply *r, int family)
{
	if (!netlink_is_dump(r)) {
		netlink_error(r, -EOPNOTSUPP);
		return;
	}
	if (family != AF_INET6)
		dump_rules(r, AF_INET);
	if (family != AF_INET)
		dump_rules(r, AF_INET6);
	netlink_done(r);
}
