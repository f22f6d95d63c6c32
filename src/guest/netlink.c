/* Owns the answers to rtnetlink requests. */
#include "guest/netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "guest/memory.h"
#include "guest/names.h"
#include "guest/supervisor.h"

#define REPLY_MAX 16384

/* Messages of one datagram, one behind the other. */
struct reply {
	struct supervisor *supervisor;
	const struct nlmsghdr *request;
	uint32_t pid, used;
	struct nlmsghdr *open; /* the message that is being written */
	int end;
	_Alignas(8) uint8_t bytes[REPLY_MAX];
};

static void flush(struct reply *r)
{
	if (r->used)
		(void)send(r->end, r->bytes, r->used, MSG_DONTWAIT | MSG_NOSIGNAL);
	r->used = 0;
}

/* Starts a message with room for its fixed part; flushes when little room is left. */
static void *start(struct reply *r, uint16_t type, uint16_t flags, uint32_t size)
{
	if (r->used + 1024 > REPLY_MAX)
		flush(r);
	r->open = (struct nlmsghdr *)(void *)(r->bytes + r->used);
	memset(r->open, 0, NLMSG_SPACE(size));
	*r->open = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(size),
		.nlmsg_type = type,
		.nlmsg_flags = flags,
		.nlmsg_seq = r->request->nlmsg_seq,
		.nlmsg_pid = r->pid,
	};
	return NLMSG_DATA(r->open);
}

static void attribute(struct reply *r, uint16_t type, const void *value, size_t size)
{
	struct rtattr *a =
		(struct rtattr *)(void *)((uint8_t *)r->open + NLMSG_ALIGN(r->open->nlmsg_len));

	memset(a, 0, RTA_SPACE(size));
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(size);
	memcpy(RTA_DATA(a), value, size);
	r->open->nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->open->nlmsg_len) + RTA_SPACE(size));
}

static void attribute_u32(struct reply *r, uint16_t type, uint32_t value)
{
	attribute(r, type, &value, sizeof(value));
}

static void finish(struct reply *r)
{
	r->used += NLMSG_ALIGN(r->open->nlmsg_len);
}

static void put_error(struct reply *r, int error)
{
	struct nlmsgerr *e = start(r, NLMSG_ERROR, 0, sizeof(*e));

	e->error = error;
	e->msg = *r->request;
	finish(r);
	flush(r);
}

static void put_done(struct reply *r)
{
	int *value = start(r, NLMSG_DONE, NLM_F_MULTI, sizeof(*value));

	*value = 0;
	finish(r);
	flush(r);
}

static void put_link(struct reply *r, const struct guest_interface *i, uint16_t flags)
{
	static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };
	struct ifinfomsg *m = start(r, RTM_NEWLINK, flags, sizeof(*m));
	const uint8_t state = i->loopback ? IF_OPER_UNKNOWN : IF_OPER_UP;

	m->ifi_type = i->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	m->ifi_index = (int)i->index;
	m->ifi_flags = (i->up ? IFF_UP | IFF_RUNNING | IFF_LOWER_UP : 0) |
		       (i->loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);
	attribute(r, IFLA_IFNAME, i->name, strnlen(i->name, sizeof(i->name) - 1) + 1);
	attribute_u32(r, IFLA_TXQLEN, 1000);
	attribute(r, IFLA_OPERSTATE, &state, 1);
	attribute_u32(r, IFLA_MTU, i->mtu);
	attribute(r, IFLA_QDISC, "noqueue", 8);
	attribute(r, IFLA_ADDRESS, i->mac, sizeof(i->mac));
	attribute(r, IFLA_BROADCAST, i->loopback ? i->mac : broadcast, sizeof(broadcast));
	finish(r);
}

static void put_address(struct reply *r, const struct guest_interface *i,
			const struct reeve_prefix *p)
{
	const bool ipv4 = reeve_address_is_ipv4(&p->address);
	const uint8_t *bytes = p->address.bytes + (ipv4 ? 12 : 0);
	const size_t size = ipv4 ? 4 : 16;
	const struct ifa_cacheinfo forever = { .ifa_prefered = UINT32_MAX,
					       .ifa_valid = UINT32_MAX };
	struct ifaddrmsg *m = start(r, RTM_NEWADDR, NLM_F_MULTI, sizeof(*m));

	m->ifa_family = ipv4 ? AF_INET : AF_INET6;
	m->ifa_prefixlen = p->length;
	m->ifa_flags = IFA_F_PERMANENT;
	m->ifa_scope = i->loopback ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	m->ifa_index = i->index;
	attribute(r, IFA_ADDRESS, bytes, size);
	if (ipv4)
		attribute(r, IFA_LOCAL, bytes, size);
	if (ipv4 && !i->loopback) {
		const uint32_t host = p->length >= 32 ? 0 : UINT32_MAX >> p->length;

		attribute_u32(r, IFA_BROADCAST, htonl(reeve_address_to_ipv4(&p->address) | host));
	}
	if (ipv4)
		attribute(r, IFA_LABEL, i->name, strnlen(i->name, sizeof(i->name) - 1) + 1);
	attribute_u32(r, IFA_FLAGS, IFA_F_PERMANENT);
	attribute(r, IFA_CACHEINFO, &forever, sizeof(forever));
	finish(r);
}

static struct rtmsg *start_route(struct reply *r, uint16_t flags, uint8_t length)
{
	struct rtmsg *m = start(r, RTM_NEWROUTE, flags, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = length;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_type = RTN_UNICAST;
	return m;
}

static void put_prefix_route(struct reply *r, const struct guest_interface *i,
			     const struct reeve_prefix *p)
{
	const uint32_t host = p->length >= 32 ? 0 : UINT32_MAX >> p->length;
	const uint32_t address = reeve_address_to_ipv4(&p->address);
	struct rtmsg *m = start_route(r, NLM_F_MULTI, p->length);

	m->rtm_protocol = RTPROT_KERNEL;
	m->rtm_scope = RT_SCOPE_LINK;
	attribute_u32(r, RTA_TABLE, RT_TABLE_MAIN);
	attribute_u32(r, RTA_DST, htonl(address & ~host));
	attribute_u32(r, RTA_PREFSRC, htonl(address));
	attribute_u32(r, RTA_OIF, i->index);
	finish(r);
}

static bool has_gateway(const struct interfaces *i)
{
	return reeve_address_is_ipv4(&i->gateway) && !reeve_address_is_unspecified(&i->gateway);
}

static void put_default_route(struct reply *r, const struct guest_interface *i,
			      const struct reeve_address *gateway)
{
	struct rtmsg *m = start_route(r, NLM_F_MULTI, 0);

	m->rtm_protocol = RTPROT_BOOT;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	attribute_u32(r, RTA_TABLE, RT_TABLE_MAIN);
	attribute_u32(r, RTA_GATEWAY, htonl(reeve_address_to_ipv4(gateway)));
	attribute_u32(r, RTA_OIF, i->index);
	finish(r);
}

static void dump_routes(struct reply *r, int family)
{
	const struct interfaces *all = &r->supervisor->interfaces;

	for (uint32_t n = 0; n < all->count && family != AF_INET6; n++) {
		const struct guest_interface *i = &all->list[n];

		if (i->loopback)
			continue;
		if (has_gateway(all))
			put_default_route(r, i, &all->gateway);
		for (uint32_t a = 0; a < i->address_count; a++)
			if (reeve_address_is_ipv4(&i->addresses[a].address))
				put_prefix_route(r, i, &i->addresses[a]);
	}
	put_done(r);
}

static void dump_links(struct reply *r)
{
	const struct interfaces *all = &r->supervisor->interfaces;

	for (uint32_t n = 0; n < all->count; n++)
		put_link(r, &all->list[n], NLM_F_MULTI);
	put_done(r);
}

static void dump_addresses(struct reply *r, int family)
{
	const struct interfaces *all = &r->supervisor->interfaces;

	for (uint32_t n = 0; n < all->count; n++) {
		const struct guest_interface *i = &all->list[n];

		for (uint32_t a = 0; a < i->address_count; a++) {
			const bool ipv4 = reeve_address_is_ipv4(&i->addresses[a].address);

			if (family == AF_UNSPEC || family == (ipv4 ? AF_INET : AF_INET6))
				put_address(r, i, &i->addresses[a]);
		}
	}
	put_done(r);
}

/* NLMSG_DATA and RTA_DATA cast const away. */
static const void *message_data(const struct nlmsghdr *h)
{
	return (const uint8_t *)h + NLMSG_HDRLEN;
}

static const void *attribute_data(const struct rtattr *a)
{
	return (const uint8_t *)a + RTA_LENGTH(0);
}

/* An attribute of a request, NULL without one. */
static const struct rtattr *find_attribute(const struct nlmsghdr *h, size_t fixed, uint16_t type)
{
	size_t at = NLMSG_LENGTH(NLMSG_ALIGN(fixed));

	while (at + sizeof(struct rtattr) <= h->nlmsg_len) {
		const struct rtattr *a =
			(const struct rtattr *)(const void *)((const uint8_t *)h + at);

		if (a->rta_len < sizeof(*a) || a->rta_len > h->nlmsg_len - at)
			return NULL;
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
		at += RTA_ALIGN(a->rta_len);
	}
	return NULL;
}

static void get_link(struct reply *r)
{
	const struct interfaces *all = &r->supervisor->interfaces;
	const struct ifinfomsg *m = message_data(r->request);
	const struct rtattr *name = find_attribute(r->request, sizeof(*m), IFLA_IFNAME);
	const struct guest_interface *i = NULL;
	char text[IFNAMSIZ] = { 0 };

	if (r->request->nlmsg_len < NLMSG_LENGTH(sizeof(*m))) {
		put_error(r, -EINVAL);
		return;
	}
	if (m->ifi_index > 0) {
		i = interfaces_by_index(all, (uint32_t)m->ifi_index);
	} else if (name) {
		const size_t size = RTA_PAYLOAD(name);

		memcpy(text, attribute_data(name),
		       size < sizeof(text) - 1 ? size : sizeof(text) - 1);
		i = interfaces_by_name(all, text);
	}
	if (!i) {
		put_error(r, -ENODEV);
		return;
	}
	put_link(r, i, 0);
	flush(r);
}

/* Which way to one destination: the interface, its address, and the gateway if it is not near. */
static void get_route(struct reply *r)
{
	const struct interfaces *all = &r->supervisor->interfaces;
	const struct rtmsg *asked = message_data(r->request);
	const struct rtattr *to = find_attribute(r->request, sizeof(*asked), RTA_DST);
	uint32_t bytes = 0;

	if (r->request->nlmsg_len < NLMSG_LENGTH(sizeof(*asked)) || asked->rtm_family != AF_INET ||
	    !to || RTA_PAYLOAD(to) < sizeof(bytes)) {
		put_error(r, -ENETUNREACH);
		return;
	}
	memcpy(&bytes, attribute_data(to), sizeof(bytes));
	const struct reeve_address destination = reeve_address_from_ipv4(ntohl(bytes));
	const bool inside = reeve_address_is_loopback(&destination) ||
			    reeve_address_equal(&destination, &r->supervisor->welcome.address);

	for (uint32_t n = 0; n < all->count; n++) {
		const struct guest_interface *i = &all->list[n];

		if (!!i->loopback != inside || i->address_count == 0)
			continue;
		const bool near = reeve_prefix_contains(&i->addresses[0], &destination);
		struct rtmsg *m = start_route(r, 0, 32);

		m->rtm_type = inside ? RTN_LOCAL : RTN_UNICAST;
		attribute_u32(r, RTA_TABLE, RT_TABLE_MAIN);
		attribute_u32(r, RTA_DST, bytes);
		attribute_u32(r, RTA_OIF, i->index);
		attribute_u32(
			r, RTA_PREFSRC,
			inside ? bytes
			       : htonl(reeve_address_to_ipv4(&r->supervisor->welcome.address)));
		if (!inside && !near && has_gateway(all))
			attribute_u32(r, RTA_GATEWAY, htonl(reeve_address_to_ipv4(&all->gateway)));
		finish(r);
		flush(r);
		return;
	}
	put_error(r, -ENETUNREACH);
}

static void answer(struct reply *r)
{
	const struct rtgenmsg *generic = message_data(r->request);
	const bool is_dump = (r->request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	const int family =
		r->request->nlmsg_len >= NLMSG_LENGTH(sizeof(*generic)) ? generic->rtgen_family : 0;

	switch (r->request->nlmsg_type) {
	case RTM_GETLINK:
		if (is_dump)
			dump_links(r);
		else
			get_link(r);
		return;
	case RTM_GETADDR:
		dump_addresses(r, family);
		return;
	case RTM_GETROUTE:
		if (is_dump)
			dump_routes(r, family);
		else
			get_route(r);
		return;
	case RTM_GETNEIGH:
	case RTM_GETRULE:
	case RTM_GETQDISC:
	case RTM_GETADDRLABEL:
	case RTM_GETMULTICAST:
	case RTM_GETANYCAST:
	case RTM_GETNSID:
		if (is_dump)
			put_done(r);
		else
			put_error(r, -EOPNOTSUPP);
		return;
	case NLMSG_NOOP:
	case NLMSG_DONE:
		return;
	default:
		/* In each group of four the third asks and the others change (rtnetlink(7)). */
		put_error(r, (r->request->nlmsg_type & 3) == 2 ? -EOPNOTSUPP : -EPERM);
		return;
	}
}

void netlink_input(struct supervisor *s, struct guest_socket *socket, const void *bytes,
		   size_t length)
{
	static struct reply r;
	size_t at = 0;

	r.supervisor = s;
	r.pid = socket->netlink_pid;
	r.end = socket->end;
	r.used = 0;
	while (at + sizeof(struct nlmsghdr) <= length) {
		const struct nlmsghdr *h =
			(const struct nlmsghdr *)(const void *)((const uint8_t *)bytes + at);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > length - at)
			return;
		r.request = h;
		answer(&r);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	(void)interfaces_refresh(s);
}

static void choose_pid(struct supervisor *s, const struct call *c, struct guest_socket *socket)
{
	if (socket->netlink_pid == 0)
		socket->netlink_pid =
			s->next_netlink_pid
				? s->next_netlink_pid
				: (uint32_t)descriptor_process(&s->descriptors, c->trapped.tid);
	/* The first socket of a process has its number, as in the kernel; others a high one. */
	s->next_netlink_pid = s->next_netlink_pid ? s->next_netlink_pid - 1 : UINT32_MAX - 4096;
}

void netlink_bind(struct supervisor *s, struct call *c)
{
	struct sockaddr_nl name = { 0 };
	int r = (uint32_t)c->trapped.arguments[2] < sizeof(name) ? -EINVAL : 0;

	if (r == 0)
		r = memory_read(c->trapped.tid, c->trapped.arguments[1], &name, sizeof(name));
	if (r == 0 && name.nl_family != AF_NETLINK)
		r = -EINVAL;
	if (r == 0) {
		c->socket->netlink_groups = name.nl_groups;
		if (name.nl_pid)
			c->socket->netlink_pid = name.nl_pid;
		choose_pid(s, c, c->socket);
	}
	(void)call_answer(s, c, r);
}

void netlink_getsockname(struct supervisor *s, struct call *c)
{
	const struct sockaddr_nl name = {
		.nl_family = AF_NETLINK,
		.nl_pid = c->socket->netlink_pid,
		.nl_groups = c->socket->netlink_groups,
	};

	(void)call_answer(s, c,
			  name_write_bytes(c, c->trapped.arguments[1], c->trapped.arguments[2],
					   &name, sizeof(name)));
}

void netlink_getpeername(struct supervisor *s, struct call *c)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	(void)call_answer(s, c,
			  name_write_bytes(c, c->trapped.arguments[1], c->trapped.arguments[2],
					   &kernel, sizeof(kernel)));
}

void netlink_setsockopt(struct supervisor *s, struct call *c)
{
	/* SO_* as the kernel has them; of SOL_NETLINK none changes what we answer. */
	if (call_int(c, 1) == SOL_SOCKET)
		call_continue(s, c);
	else
		(void)call_answer(s, c, 0);
}

void netlink_getsockopt(struct supervisor *s, struct call *c)
{
	int32_t value = 0;

	switch (call_int(c, 2)) {
	case SO_TYPE:
		value = SOCK_RAW;
		break;
	case SO_DOMAIN:
		value = AF_NETLINK;
		break;
	default:
		if (call_int(c, 1) != SOL_SOCKET)
			(void)call_answer(s, c, -ENOPROTOOPT);
		else
			call_continue(s, c);
		return;
	}
	const uint32_t length = sizeof(value);
	int r = memory_write(c->trapped.tid, c->trapped.arguments[3], &value, length);

	if (r == 0)
		r = memory_write(c->trapped.tid, c->trapped.arguments[4], &length, sizeof(length));
	(void)call_answer(s, c, r);
}
