/*
 * The options of a UDP socket.
 */
#include <errno.h>

#include "stack/iface.h"
#include "stack/udp_private.h"

#define RECEIVE_BUFFER_MIN 2048
#define RECEIVE_BUFFER_MAX (INT64_C(1) << 28)

static int set_reuse(struct reeve_udp *udp, bool address, bool port)
{
	port_space_set_reuse(udp->table->space, &udp->reservation, address, port);
	return 0;
}

static int set_ipv6_only(struct reeve_udp *udp, bool only)
{
	if (udp->family != REEVE_IPV6)
		return -ENOPROTOOPT;
	if (udp->reservation.state != PORT_NONE)
		return -EINVAL;
	udp->reservation.ipv6_only = only;
	return 0;
}

/* The least and most that an option may be set to. */
static const struct {
	int64_t least, most;
} ranges[REEVE_UDP_OPTION_COUNT] = {
	[REEVE_UDP_REUSE_ADDRESS] = { 0, 1 },
	[REEVE_UDP_REUSE_PORT] = { 0, 1 },
	[REEVE_UDP_IPV6_ONLY] = { 0, 1 },
	[REEVE_UDP_OWNER] = { 0, UINT32_MAX },
	[REEVE_UDP_BROADCAST] = { 0, 1 },
	[REEVE_UDP_RECEIVE_BUFFER] = { RECEIVE_BUFFER_MIN, RECEIVE_BUFFER_MAX },
	[REEVE_UDP_TTL] = { 1, 255 },
	[REEVE_UDP_TOS] = { 0, 255 },
	[REEVE_UDP_DONT_FRAGMENT] = { 0, 1 },
	[REEVE_UDP_DEVICE] = { 0, IFACE_MAX },
	[REEVE_UDP_DONT_ROUTE] = { 0, 1 },
	[REEVE_UDP_PROBLEMS] = { 0, 1 },
	[REEVE_UDP_CORK] = { 0, 1 },
	[REEVE_UDP_MULTICAST_DEVICE] = { 0, IFACE_MAX },
	[REEVE_UDP_MULTICAST_TTL] = { 0, 255 },
	[REEVE_UDP_MULTICAST_LOOP] = { 0, 1 },
	[REEVE_UDP_MULTICAST_ALL] = { 0, 1 },
};

static int set_device(struct reeve_udp *udp, unsigned device)
{
	if (device && !iface_exists(udp->host, device - 1))
		return -ENODEV;
	udp->table->devices += (device != 0) - (udp->device != 0);
	udp->device = (uint8_t)device;
	return 0;
}

static int set_multicast_device(struct reeve_udp *udp, unsigned device)
{
	if (device && !iface_exists(udp->host, device - 1))
		return -ENODEV;
	udp->multicast_device = (uint8_t)device;
	return 0;
}

static void set_problems(struct reeve_udp *udp, bool keeps)
{
	udp->keeps_problems = keeps;
	if (!keeps)
		udp_problems_deinit(&udp->problems);
}

/* What was held back goes out now. */
static int set_cork(struct reeve_udp *udp, bool corked)
{
	udp->corked = corked;
	return corked ? 0 : udp_cork_flush(udp);
}

/* Of multicast, and what has come with it; the range has been looked at. */
static int set_more(struct reeve_udp *udp, enum reeve_udp_option option, int64_t value)
{
	if (option == REEVE_UDP_DEVICE)
		return set_device(udp, (unsigned)value);
	if (option == REEVE_UDP_MULTICAST_DEVICE)
		return set_multicast_device(udp, (unsigned)value);
	if (option == REEVE_UDP_CORK)
		return set_cork(udp, value);
	if (option == REEVE_UDP_DONT_ROUTE)
		udp->dont_route = value;
	else if (option == REEVE_UDP_PROBLEMS)
		set_problems(udp, value);
	else if (option == REEVE_UDP_MULTICAST_TTL)
		udp->multicast_ttl = (uint8_t)value;
	else if (option == REEVE_UDP_MULTICAST_LOOP)
		udp->multicast_loop = value;
	else
		udp->multicast_all = value;
	return 0;
}

int reeve_udp_set(struct reeve_udp *udp, enum reeve_udp_option option, int64_t value)
{
	struct port_reservation *const r = &udp->reservation;

	if (option >= REEVE_UDP_OPTION_COUNT || value < ranges[option].least ||
	    value > ranges[option].most)
		return -EINVAL;
	switch (option) {
	case REEVE_UDP_REUSE_ADDRESS:
		return set_reuse(udp, value, r->reuse_port);
	case REEVE_UDP_REUSE_PORT:
		return set_reuse(udp, r->reuse_address, value);
	case REEVE_UDP_IPV6_ONLY:
		return set_ipv6_only(udp, value);
	case REEVE_UDP_OWNER:
		if (r->state != PORT_NONE)
			return -EINVAL;
		r->owner = (uint32_t)value;
		return 0;
	case REEVE_UDP_BROADCAST:
		udp->may_broadcast = value;
		return 0;
	case REEVE_UDP_RECEIVE_BUFFER:
		udp->queue.limit = (uint32_t)value;
		return 0;
	case REEVE_UDP_TTL:
		udp->ttl = (uint8_t)value;
		return 0;
	case REEVE_UDP_TOS:
		udp->tos = (uint8_t)value;
		return 0;
	case REEVE_UDP_DONT_FRAGMENT:
		udp->dont_fragment = value;
		return 0;
	case REEVE_UDP_DEVICE:
	case REEVE_UDP_DONT_ROUTE:
	case REEVE_UDP_PROBLEMS:
	case REEVE_UDP_CORK:
	case REEVE_UDP_MULTICAST_DEVICE:
	case REEVE_UDP_MULTICAST_TTL:
	case REEVE_UDP_MULTICAST_LOOP:
	case REEVE_UDP_MULTICAST_ALL:
		return set_more(udp, option, value);
	case REEVE_UDP_OPTION_COUNT:
		break;
	}
	return -EINVAL;
}

int64_t reeve_udp_get(const struct reeve_udp *udp, enum reeve_udp_option option)
{
	switch (option) {
	case REEVE_UDP_REUSE_ADDRESS:
		return udp->reservation.reuse_address;
	case REEVE_UDP_REUSE_PORT:
		return udp->reservation.reuse_port;
	case REEVE_UDP_IPV6_ONLY:
		return udp->reservation.ipv6_only;
	case REEVE_UDP_OWNER:
		return udp->reservation.owner;
	case REEVE_UDP_BROADCAST:
		return udp->may_broadcast;
	case REEVE_UDP_RECEIVE_BUFFER:
		return udp->queue.limit;
	case REEVE_UDP_TTL:
		return udp->ttl;
	case REEVE_UDP_TOS:
		return udp->tos;
	case REEVE_UDP_DONT_FRAGMENT:
		return udp->dont_fragment;
	case REEVE_UDP_DEVICE:
		return udp->device;
	case REEVE_UDP_DONT_ROUTE:
		return udp->dont_route;
	case REEVE_UDP_PROBLEMS:
		return udp->keeps_problems;
	case REEVE_UDP_CORK:
		return udp->corked;
	case REEVE_UDP_MULTICAST_DEVICE:
		return udp->multicast_device;
	case REEVE_UDP_MULTICAST_TTL:
		return udp->multicast_ttl;
	case REEVE_UDP_MULTICAST_LOOP:
		return udp->multicast_loop;
	case REEVE_UDP_MULTICAST_ALL:
		return udp->multicast_all;
	case REEVE_UDP_OPTION_COUNT:
		break;
	}
	return -EINVAL;
}
