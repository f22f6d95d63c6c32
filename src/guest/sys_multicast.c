/* Options of IPPROTO_IP about multicast groups, in the shapes that have come up over the years (ip(7),
 * RFC 3678). */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "guest/memory.h"
#include "guest/peer.h"
#include "guest/supervisor.h"
#include "guest/sys_options.h"
#include "reeve/udp.h"

/* What is asked for, whichever shape it had. */
struct wish {
	struct reeve_address group, source;
	uint32_t iface; /* 0: not said */
};

static const struct {
	int name;
	enum reeve_udp_membership what;
	enum { OLD, OLD_SOURCE, NEW, NEW_SOURCE } shape;
} memberships[] = {
	{ IP_ADD_MEMBERSHIP, REEVE_UDP_JOIN, OLD },
	{ IP_DROP_MEMBERSHIP, REEVE_UDP_LEAVE, OLD },
	{ IP_ADD_SOURCE_MEMBERSHIP, REEVE_UDP_JOIN_SOURCE, OLD_SOURCE },
	{ IP_DROP_SOURCE_MEMBERSHIP, REEVE_UDP_LEAVE_SOURCE, OLD_SOURCE },
	{ IP_BLOCK_SOURCE, REEVE_UDP_BLOCK_SOURCE, OLD_SOURCE },
	{ IP_UNBLOCK_SOURCE, REEVE_UDP_UNBLOCK_SOURCE, OLD_SOURCE },
	{ MCAST_JOIN_GROUP, REEVE_UDP_JOIN, NEW },
	{ MCAST_LEAVE_GROUP, REEVE_UDP_LEAVE, NEW },
	{ MCAST_JOIN_SOURCE_GROUP, REEVE_UDP_JOIN_SOURCE, NEW_SOURCE },
	{ MCAST_LEAVE_SOURCE_GROUP, REEVE_UDP_LEAVE_SOURCE, NEW_SOURCE },
	{ MCAST_BLOCK_SOURCE, REEVE_UDP_BLOCK_SOURCE, NEW_SOURCE },
	{ MCAST_UNBLOCK_SOURCE, REEVE_UDP_UNBLOCK_SOURCE, NEW_SOURCE },
};

/* At least, and at most, so much; what was not given is 0. */
static int read_bytes(const struct call *c, void *ret, uint32_t least, uint32_t most)
{
	const uint32_t length = option_length(c);

	memset(ret, 0, most);
	return length < least ? -EINVAL : option_read_bytes(c, ret, length < most ? length : most);
}

/* The interface that has the address; 0: none has. */
static uint32_t iface_with(const struct supervisor *s, struct in_addr address)
{
	const struct reeve_address a = reeve_address_from_ipv4(ntohl(address.s_addr));

	for (uint32_t i = 0; i < s->interfaces.count; i++) {
		const struct guest_interface *interface = &s->interfaces.list[i];

		if (interface->loopback && reeve_address_is_loopback(&a))
			return interface->index;
		for (uint32_t n = 0; n < interface->address_count; n++)
			if (reeve_address_equal(&interface->addresses[n].address, &a))
				return interface->index;
	}
	return 0;
}

/* By its number, or else by an address of it. */
static int choose_iface(const struct supervisor *s, int index, struct in_addr address,
			uint32_t *ret)
{
	*ret = 0;
	if (index) {
		*ret = (uint32_t)index;
		return interfaces_by_index(&s->interfaces, (uint32_t)index) ? 0 : -ENODEV;
	}
	if (address.s_addr == htonl(INADDR_ANY))
		return 0;
	*ret = iface_with(s, address);
	return *ret ? 0 : -ENODEV;
}

static int read_old(const struct supervisor *s, const struct call *c, struct wish *ret)
{
	struct ip_mreqn m;
	const int r = read_bytes(c, &m, sizeof(struct ip_mreq), sizeof(m));

	if (r < 0)
		return r;
	if (option_length(c) < sizeof(m))
		m.imr_ifindex = 0;
	ret->group = reeve_address_from_ipv4(ntohl(m.imr_multiaddr.s_addr));
	return choose_iface(s, m.imr_ifindex, m.imr_address, &ret->iface);
}

static int read_old_source(const struct supervisor *s, const struct call *c, struct wish *ret)
{
	struct ip_mreq_source m;
	const int r =
		option_length(c) == sizeof(m) ? read_bytes(c, &m, sizeof(m), sizeof(m)) : -EINVAL;

	if (r < 0)
		return r;
	ret->group = reeve_address_from_ipv4(ntohl(m.imr_multiaddr.s_addr));
	ret->source = reeve_address_from_ipv4(ntohl(m.imr_sourceaddr.s_addr));
	return choose_iface(s, 0, m.imr_interface, &ret->iface);
}

static int read_ipv4(const struct sockaddr_storage *from, struct reeve_address *ret)
{
	struct sockaddr_in in;

	memcpy(&in, from, sizeof(in));
	*ret = reeve_address_from_ipv4(ntohl(in.sin_addr.s_addr));
	return in.sin_family == AF_INET ? 0 : -EINVAL;
}

static int read_new(const struct supervisor *s, const struct call *c, struct wish *ret)
{
	struct group_req m;
	int r = read_bytes(c, &m, sizeof(m), sizeof(m));

	if (r == 0)
		r = read_ipv4(&m.gr_group, &ret->group);
	return r < 0 ? r : choose_iface(s, (int)m.gr_interface, (struct in_addr){ 0 }, &ret->iface);
}

static int read_new_source(const struct supervisor *s, const struct call *c, struct wish *ret)
{
	struct group_source_req m;
	int r = option_length(c) == sizeof(m) ? read_bytes(c, &m, sizeof(m), sizeof(m)) : -EINVAL;

	if (r == 0)
		r = read_ipv4(&m.gsr_group, &ret->group);
	if (r == 0)
		r = read_ipv4(&m.gsr_source, &ret->source);
	return r < 0 ? r
		     : choose_iface(s, (int)m.gsr_interface, (struct in_addr){ 0 }, &ret->iface);
}

static void changed(struct supervisor *s, struct request *r, const struct guest_message *answer,
		    const uint8_t *data)
{
	(void)data;
	if (r->call)
		(void)call_answer(s, r->call, -answer->error);
}

static int ask(struct supervisor *s, struct call *c, struct guest_message *m)
{
	peer_tell_options(s, c->socket);
	const int r = call_ask(s, c, m, NULL, changed);

	if (r < 0)
		return r;
	peer_attach(s, c->socket);
	return OPTION_KEPT;
}

static size_t row_of(const struct call *c)
{
	size_t i = 0;

	while (i < array_length(memberships) - 1 && memberships[i].name != call_int(c, 2))
		i++;
	return i;
}

static int set_membership(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const size_t row = row_of(c);
	struct wish wish = { 0 };
	int r = -EINVAL;

	if (socket->kind != SOCKET_UDP)
		return -EPROTO;

	switch (memberships[row].shape) {
	case OLD:
		r = read_old(s, c, &wish);
		break;
	case OLD_SOURCE:
		r = read_old_source(s, c, &wish);
		break;
	case NEW:
		r = read_new(s, c, &wish);
		break;
	case NEW_SOURCE:
		r = read_new_source(s, c, &wish);
		break;
	}
	const bool is_left = memberships[row].what == REEVE_UDP_LEAVE && r == -ENODEV;

	/* What is not a group is told first; an interface that is not there has no members. */
	if (r == -EFAULT || (r == -EINVAL && !wish.iface))
		return r;
	if (!reeve_address_is_multicast(&wish.group))
		return memberships[row].what == REEVE_UDP_LEAVE ? -EADDRNOTAVAIL : -EINVAL;
	if (r < 0)
		return is_left ? -EADDRNOTAVAIL : r;
	struct guest_message m = peer_message(socket, GUEST_MEMBER, -1);

	m.remote.address = wish.group;
	m.local.address = wish.source;
	m.value = memberships[row].what;
	m.value2 = wish.iface;
	return ask(s, c, &m);
}

/* IP_MULTICAST_IF: by one of three shapes. */
static int set_interface(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	struct ip_mreqn m;
	const uint32_t length = option_length(c);
	uint32_t iface = 0;
	const int r = socket->kind == SOCKET_UDP ? read_bytes(c, &m, 0, sizeof(m)) : -EINVAL;

	if (r < 0)
		return r;
	if (length < sizeof(struct ip_mreq)) {
		m.imr_address = m.imr_multiaddr;
		if (length < sizeof(struct in_addr))
			m.imr_address.s_addr = 0;
	}
	if (length < sizeof(m))
		m.imr_ifindex = 0;
	if (choose_iface(s, m.imr_ifindex, m.imr_address, &iface) < 0)
		return -EADDRNOTAVAIL;
	struct guest_message told = peer_message(socket, GUEST_SET, -1);

	socket->multicast_source = reeve_address_from_ipv4(ntohl(m.imr_address.s_addr));
	told.value = REEVE_UDP_MULTICAST_DEVICE;
	told.value2 = iface;
	return ask(s, c, &told);
}

static int get_interface(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const struct in_addr address = {
		.s_addr = htonl(reeve_address_is_ipv4(&socket->multicast_source)
					? reeve_address_to_ipv4(&socket->multicast_source)
					: 0),
	};

	(void)s;
	return option_write(c, &address, sizeof(address));
}

const struct option_special options_of_groups[] = {
	{ IPPROTO_IP, IP_MULTICAST_IF, set_interface, get_interface },
	{ IPPROTO_IP, IP_ADD_MEMBERSHIP, set_membership, NULL },
	{ IPPROTO_IP, IP_DROP_MEMBERSHIP, set_membership, NULL },
	{ IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, set_membership, NULL },
	{ IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, set_membership, NULL },
	{ IPPROTO_IP, IP_BLOCK_SOURCE, set_membership, NULL },
	{ IPPROTO_IP, IP_UNBLOCK_SOURCE, set_membership, NULL },
	{ IPPROTO_IP, MCAST_JOIN_GROUP, set_membership, NULL },
	{ IPPROTO_IP, MCAST_LEAVE_GROUP, set_membership, NULL },
	{ IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, set_membership, NULL },
	{ IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, set_membership, NULL },
	{ IPPROTO_IP, MCAST_BLOCK_SOURCE, set_membership, NULL },
	{ IPPROTO_IP, MCAST_UNBLOCK_SOURCE, set_membership, NULL },
};

const int options_of_groups_count = array_length(options_of_groups);
