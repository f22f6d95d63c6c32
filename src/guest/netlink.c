/* Owns netlink sockets: their names and options, and what becomes of what is sent. */
#include "guest/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "guest/kernel.h"
#include "guest/memory.h"
#include "guest/names.h"
#include "guest/netlink_reply.h"
#include "guest/supervisor.h"

#define PID_OF_MANY (UINT32_MAX - 4096) /* sockets after a process's first have such numbers */
#define KIND_MASK   3                   /* rtnetlink(7): of each four types, NEW, DEL, GET, SET */
#define KIND_GET    2

static void answer_get(struct netlink_reply *r, int family)
{
	switch (r->request->nlmsg_type) {
	case RTM_GETLINK:
		netlink_get_link(r);
		return;
	case RTM_GETADDR:
		netlink_get_address(r, family);
		return;
	case RTM_GETROUTE:
		netlink_get_route(r, family);
		return;
	case RTM_GETRULE:
		netlink_get_rule(r, family);
		return;
	/* There are none of these. */
	case RTM_GETNEIGH:
	case RTM_GETQDISC:
	case RTM_GETADDRLABEL:
	case RTM_GETMULTICAST:
	case RTM_GETANYCAST:
	case RTM_GETNSID:
	case RTM_GETNETCONF:
	case RTM_GETNEXTHOP:
		if (netlink_is_dump(r)) {
			netlink_done(r);
			return;
		}
		break;
	default:
		break;
	}
	netlink_error(r, -EOPNOTSUPP);
}

/* rtnetlink_rcv_msg(). */
static void answer(struct netlink_reply *r)
{
	const struct rtgenmsg *generic = netlink_request(r, sizeof(*generic));
	const uint16_t type = r->request->nlmsg_type, flags = r->request->nlmsg_flags;

	if (!(flags & NLM_F_REQUEST) || type < NLMSG_MIN_TYPE || (type <= RTM_MAX && !generic)) {
		if (flags & NLM_F_ACK)
			netlink_error(r, 0);
	} else if (type > RTM_MAX) {
		netlink_error(r, -EOPNOTSUPP);
	} else if ((type & KIND_MASK) != KIND_GET) {
		netlink_error(r, -EPERM);
	} else {
		answer_get(r, generic->rtgen_family);
		/* An error has been the acknowledgement, and a dump's end is one. */
		if (flags & NLM_F_ACK && !netlink_is_dump(r) && r->open->nlmsg_type != NLMSG_ERROR)
			netlink_error(r, 0);
	}
}

static bool is_taken(const struct supervisor *s, uint32_t pid)
{
	list_for_each(node, &s->sockets.all) {
		const struct guest_socket *socket = list_entry(node, struct guest_socket, node);

		if (socket->kind == SOCKET_NETLINK && socket->netlink_pid == pid)
			return true;
	}
	return false;
}

/* The first socket of a process has its number, as in the kernel; others a high one. */
static void choose_pid(struct supervisor *s, struct guest_socket *socket)
{
	uint32_t pid = (uint32_t)socket->hint_pid;

	if (socket->netlink_pid)
		return;
	while (pid == 0 || is_taken(s, pid)) {
		if (s->next_netlink_pid == 0)
			s->next_netlink_pid = PID_OF_MANY;
		pid = s->next_netlink_pid--;
	}
	socket->netlink_pid = pid;
}

void netlink_input(struct supervisor *s, struct guest_socket *socket, const void *bytes,
		   size_t length)
{
	static struct netlink_reply r;
	size_t at = 0;

	choose_pid(s, socket);
	r.supervisor = s;
	r.is_strict = socket->netlink_options & 1U << NETLINK_GET_STRICT_CHK;
	r.is_capped = socket->netlink_options & 1U << NETLINK_CAP_ACK;
	r.pid = socket->netlink_pid;
	r.end = socket->end;
	r.used = 0;
	while (at + sizeof(struct nlmsghdr) <= length) {
		const struct nlmsghdr *h =
			(const struct nlmsghdr *)(const void *)((const uint8_t *)bytes + at);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > length - at)
			break;
		r.request = h;
		r.open = NULL;
		answer(&r);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	(void)interfaces_refresh(s);
}

static int bind_to(struct supervisor *s, const struct call *c)
{
	struct guest_socket *socket = c->socket;
	struct sockaddr_nl name = { 0 };

	if ((uint32_t)c->trapped.arguments[2] < sizeof(name))
		return -EINVAL;
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[1], &name, sizeof(name));

	if (r < 0)
		return r;
	if (name.nl_family != AF_NETLINK ||
	    (socket->netlink_pid && name.nl_pid && name.nl_pid != socket->netlink_pid))
		return -EINVAL;
	if (!socket->netlink_pid && name.nl_pid && is_taken(s, name.nl_pid))
		return -EADDRINUSE;
	if (name.nl_pid)
		socket->netlink_pid = name.nl_pid;
	choose_pid(s, socket);
	socket->netlink_groups = name.nl_groups;
	return 0;
}

void netlink_bind(struct supervisor *s, struct call *c)
{
	(void)call_answer(s, c, bind_to(s, c));
}

/* Only the kernel can be spoken to, which it is anyway. */
static int connect_to(struct supervisor *s, const struct call *c)
{
	struct sockaddr_nl name = { 0 };
	const uint32_t length = (uint32_t)c->trapped.arguments[2];
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[1], &name,
				  length < sizeof(name) ? length : sizeof(name));

	if (r < 0)
		return r;
	if (length < sizeof(name.nl_family))
		return -EINVAL;
	if (name.nl_family == AF_UNSPEC)
		return 0;
	if (name.nl_family != AF_NETLINK || length < sizeof(name))
		return -EINVAL;
	if (name.nl_pid || name.nl_groups)
		return -EPERM;
	choose_pid(s, c->socket);
	return 0;
}

void netlink_connect(struct supervisor *s, struct call *c)
{
	(void)call_answer(s, c, connect_to(s, c));
}

static void answer_name(struct supervisor *s, struct call *c, const struct sockaddr_nl *name)
{
	(void)call_answer(s, c,
			  name_write_bytes(c, c->trapped.arguments[1], c->trapped.arguments[2],
					   name, sizeof(*name)));
}

void netlink_getsockname(struct supervisor *s, struct call *c)
{
	const struct sockaddr_nl name = {
		.nl_family = AF_NETLINK,
		.nl_pid = c->socket->netlink_pid,
		.nl_groups = c->socket->netlink_groups,
	};

	answer_name(s, c, &name);
}

void netlink_getpeername(struct supervisor *s, struct call *c)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	answer_name(s, c, &kernel);
}

static bool is_flag(int name)
{
	switch (name) {
	case NETLINK_PKTINFO:
	case NETLINK_BROADCAST_ERROR:
	case NETLINK_NO_ENOBUFS:
	case NETLINK_CAP_ACK:
	case NETLINK_EXT_ACK:
	case NETLINK_GET_STRICT_CHK:
		return true;
	default:
		return false;
	}
}

static int set_option(const struct call *c)
{
	const int name = call_int(c, 2);
	uint32_t value = 0;

	if (call_int(c, 4) < 0)
		return -EINVAL;
	if (call_int(c, 1) != SOL_NETLINK)
		return -ENOPROTOOPT;
	const int r = (uint32_t)c->trapped.arguments[4] < sizeof(value)
			      ? 0
			      : memory_read(c->trapped.tid, c->trapped.arguments[3], &value,
					    sizeof(value));

	if (r < 0)
		return r;
	/* Nothing is told to groups: a host's network changes with no program looking on. */
	if (name == NETLINK_ADD_MEMBERSHIP || name == NETLINK_DROP_MEMBERSHIP)
		return value >= 1 && value <= RTNLGRP_MAX ? 0 : -EINVAL;
	if (name == NETLINK_LISTEN_ALL_NSID)
		return -EPERM;
	if (!is_flag(name))
		return -ENOPROTOOPT;
	c->socket->netlink_options &= ~(1U << name);
	c->socket->netlink_options |= value ? 1U << name : 0;
	return 0;
}

void netlink_setsockopt(struct supervisor *s, struct call *c)
{
	/* SO_* as the kernel has them. */
	if (call_int(c, 1) == SOL_SOCKET)
		call_continue(s, c);
	else
		(void)call_answer(s, c, set_option(c));
}

static int write_option(const struct call *c, int32_t value)
{
	const uint32_t length = sizeof(value);
	int32_t room = 0;
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[4], &room, sizeof(room));
	const struct memory_piece pieces[2] = {
		{ c->trapped.arguments[3], &value, length },
		{ c->trapped.arguments[4], &length, sizeof(length) },
	};

	if (r < 0)
		return r;
	return room < (int32_t)sizeof(value) ? -EINVAL
					     : memory_write_pieces(c->trapped.tid, pieces, 2);
}

void netlink_getsockopt(struct supervisor *s, struct call *c)
{
	const struct guest_socket *socket = c->socket;
	const int level = call_int(c, 1), name = call_int(c, 2);

	if (level == SOL_SOCKET && name == SO_TYPE)
		(void)call_answer(s, c, write_option(c, socket->netlink_type));
	else if (level == SOL_SOCKET && name == SO_DOMAIN)
		(void)call_answer(s, c, write_option(c, AF_NETLINK));
	else if (level == SOL_SOCKET && name == SO_PROTOCOL)
		(void)call_answer(s, c, write_option(c, NETLINK_ROUTE));
	else if (level == SOL_SOCKET)
		call_continue(s, c);
	else if (level == SOL_NETLINK && is_flag(name))
		(void)call_answer(s, c, write_option(c, !!(socket->netlink_options & 1U << name)));
	else
		(void)call_answer(s, c, -ENOPROTOOPT);
}
