/*
 * A socket's memberships in multicast groups, and the sources that it wants to hear there (RFC 3376,
 * 3.1). The host is a member for all sources; each socket lets through what is its own.
 */
#include <errno.h>
#include <stdlib.h>

#include "stack/group.h"
#include "stack/iface.h"
#include "stack/udp_private.h"

#define MEMBERSHIPS 20 /* Linux's net.ipv4.igmp_max_memberships */
#define SOURCES     10 /* net.ipv4.igmp_max_msf */

struct membership {
	uint32_t group;
	uint32_t sources[SOURCES];
	uint8_t source_count;
	uint8_t iface;
	bool is_include; /* the sources are those that are heard; else those that are not */
};

struct udp_memberships {
	unsigned count;
	struct membership list[MEMBERSHIPS];
};

static struct membership *find(const struct reeve_udp *udp, uint32_t group, unsigned iface)
{
	struct udp_memberships *const m = udp->memberships;

	for (unsigned i = 0; m && i < m->count; i++)
		if (m->list[i].group == group && m->list[i].iface == iface)
			return &m->list[i];
	return NULL;
}

static unsigned find_source(const struct membership *m, uint32_t source)
{
	unsigned i = 0;

	while (i < m->source_count && m->sources[i] != source)
		i++;
	return i;
}

static int join(struct reeve_udp *udp, uint32_t group, unsigned iface, bool is_include)
{
	if (find(udp, group, iface))
		return -EADDRINUSE;
	if (!udp->memberships)
		udp->memberships = calloc(1, sizeof(*udp->memberships));
	struct udp_memberships *const m = udp->memberships;

	if (!m || m->count == MEMBERSHIPS)
		return -ENOBUFS;
	const int error = group_join(udp->host, iface, group);

	if (error)
		return error;
	m->list[m->count++] = (struct membership){
		.group = group,
		.iface = (uint8_t)iface,
		.is_include = is_include,
	};
	return 0;
}

static void leave(struct reeve_udp *udp, struct membership *left)
{
	struct udp_memberships *const m = udp->memberships;

	group_leave(udp->host, left->iface, left->group);
	*left = m->list[--m->count];
}

void udp_membership_leave_all(struct reeve_udp *udp)
{
	while (udp->memberships && udp->memberships->count > 0)
		leave(udp, &udp->memberships->list[0]);
	free(udp->memberships);
	udp->memberships = NULL;
}

/* `iface` 0: the first, whichever interface it is on. */
static int leave_group(struct reeve_udp *udp, uint32_t group, unsigned iface)
{
	struct udp_memberships *const m = udp->memberships;

	for (unsigned i = 0; m && i < m->count; i++) {
		if (m->list[i].group != group || (iface && m->list[i].iface != iface - 1))
			continue;
		leave(udp, &m->list[i]);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

static int add_source(struct membership *m, uint32_t source)
{
	if (find_source(m, source) < m->source_count)
		return -EADDRNOTAVAIL;
	if (m->source_count == SOURCES)
		return -ENOBUFS;
	m->sources[m->source_count++] = source;
	return 0;
}

static int remove_source(struct reeve_udp *udp, struct membership *m, uint32_t source)
{
	const unsigned i = find_source(m, source);

	if (i == m->source_count)
		return -EADDRNOTAVAIL;
	m->sources[i] = m->sources[--m->source_count];
	if (m->is_include && m->source_count == 0)
		leave(udp, m);
	return 0;
}

/* Linux's ip_mc_source(). */
static int change_source(struct reeve_udp *udp, enum reeve_udp_membership what, uint32_t group,
			 uint32_t source, unsigned iface)
{
	const bool is_include = what == REEVE_UDP_JOIN_SOURCE || what == REEVE_UDP_LEAVE_SOURCE;
	const bool is_new = what == REEVE_UDP_JOIN_SOURCE || what == REEVE_UDP_BLOCK_SOURCE;
	struct membership *m = find(udp, group, iface);

	if (!m && what == REEVE_UDP_JOIN_SOURCE) {
		const int error = join(udp, group, iface, true);

		if (error)
			return error;
		m = find(udp, group, iface);
	}
	if (!m || (m->is_include != is_include && m->source_count > 0))
		return -EINVAL;
	m->is_include = is_include;
	return is_new ? add_source(m, source) : remove_source(udp, m, source);
}

/* Counted from 1. */
static int choose_iface(const struct reeve_udp *udp, const struct reeve_address *group,
			unsigned iface, unsigned *ret)
{
	struct ip_route route;

	if (iface) {
		*ret = iface;
		return iface_exists(udp->host, iface - 1) ? 0 : -ENODEV;
	}
	if (ip_route(udp->host, group, NULL, &route))
		return -ENODEV;
	*ret = route.iface + 1;
	return 0;
}

int reeve_udp_member(struct reeve_udp *udp, enum reeve_udp_membership what,
		     const struct reeve_address *group, const struct reeve_address *source,
		     unsigned iface)
{
	unsigned on = 0;

	if (!reeve_address_is_ipv4(group) || !reeve_address_is_multicast(group))
		return what == REEVE_UDP_LEAVE ? -EADDRNOTAVAIL : -EINVAL;
	const uint32_t address = reeve_address_to_ipv4(group);

	if (what == REEVE_UDP_LEAVE)
		return leave_group(udp, address, iface);
	const int error = choose_iface(udp, group, iface, &on);

	if (error)
		return error;

	if (what == REEVE_UDP_JOIN)
		return join(udp, address, on - 1, false);
	if (!source || !reeve_address_is_ipv4(source))
		return -EINVAL;
	return change_source(udp, what, address, reeve_address_to_ipv4(source), on - 1);
}

bool udp_membership_allows(const struct reeve_udp *udp, const struct udp_waiting *w)
{
	if (!reeve_address_is_ipv4(&w->local.address) ||
	    !reeve_address_is_multicast(&w->local.address))
		return true;
	const struct membership *const m =
		find(udp, reeve_address_to_ipv4(&w->local.address), w->iface);

	if (!m)
		return udp->multicast_all;
	const bool is_listed =
		find_source(m, reeve_address_to_ipv4(&w->remote.address)) < m->source_count;

	return m->is_include == is_listed;
}
