/* Owns the reading and making of datagrams' control data. The order and the checks are Linux's
 * (ip_cmsg_send(), ip6_datagram_send_ctl(), ip_cmsg_recv(), sock_recv_timestamp()). */
#include "guest/control.h"

#include <asm/socket.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "base/check.h"
#include "guest/names.h"
#include "guest/supervisor.h"

#define READ_MAX 1024

static bool read_number(const struct cmsghdr *header, int32_t *ret)
{
	if (header->cmsg_len != CMSG_LEN(sizeof(*ret)))
		return false;
	memcpy(ret, CMSG_DATA(header), sizeof(*ret));
	return true;
}

static int take_ipv4(const struct cmsghdr *header, struct control_sent *ret)
{
	struct in_pktinfo info;
	int32_t value = 0;

	switch (header->cmsg_type) {
	case IP_PKTINFO:
		if (header->cmsg_len != CMSG_LEN(sizeof(info)))
			return -EINVAL;
		memcpy(&info, CMSG_DATA(header), sizeof(info));
		if (info.ipi_ifindex)
			ret->out = (uint32_t)info.ipi_ifindex;
		if (info.ipi_spec_dst.s_addr)
			ret->local.address =
				reeve_address_from_ipv4(ntohl(info.ipi_spec_dst.s_addr));
		return 0;
	case IP_TTL:
		if (!read_number(header, &value) || value < 1 || value > UINT8_MAX)
			return -EINVAL;
		ret->ttl = value;
		return 0;
	case IP_TOS:
		if (header->cmsg_len == CMSG_LEN(1))
			value = *CMSG_DATA(header);
		else if (!read_number(header, &value))
			return -EINVAL;
		if (value < 0 || value > UINT8_MAX)
			return -EINVAL;
		ret->tos = value;
		return 0;
	case IP_RETOPTS:
		return 0;
	default:
		return -EINVAL;
	}
}

static int take_ipv6(const struct cmsghdr *header, struct control_sent *ret)
{
	struct in6_pktinfo info;
	int32_t value = 0;

	switch (header->cmsg_type) {
	case IPV6_PKTINFO:
		if (header->cmsg_len < CMSG_LEN(sizeof(info)))
			return -EINVAL;
		memcpy(&info, CMSG_DATA(header), sizeof(info));
		if (info.ipi6_ifindex)
			ret->out = info.ipi6_ifindex;
		memcpy(ret->local.address.bytes, &info.ipi6_addr, 16);
		return 0;
	case IPV6_HOPLIMIT:
	case IPV6_TCLASS:
		if (!read_number(header, &value) || value < -1 || value > UINT8_MAX)
			return -EINVAL;
		if (header->cmsg_type == IPV6_HOPLIMIT)
			ret->ttl = value;
		else
			ret->tos = value;
		return 0;
	case IPV6_DONTFRAG:
		return read_number(header, &value) && (value == 0 || value == 1) ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int take(const struct guest_socket *socket, const struct cmsghdr *header,
		struct control_sent *ret)
{
	if (header->cmsg_level == SOL_SOCKET)
		switch (header->cmsg_type) {
		case SO_MARK:
			return -EPERM;
		case SCM_RIGHTS:
		case SCM_CREDENTIALS:
		case SO_PRIORITY:
		case SO_TIMESTAMPING:
			return 0;
		default:
			return -EINVAL;
		}
	if (header->cmsg_level == IPPROTO_IPV6 && socket->family == AF_INET6)
		return take_ipv6(header, ret);
	if (header->cmsg_level != IPPROTO_IP)
		return 0;
	const int r = take_ipv4(header, ret);

	/* Sent by IPv6 it is passed over. */
	return socket->family == AF_INET ? r : 0;
}

int control_read(const struct call *c, const struct message *m, struct control_sent *ret)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[READ_MAX];
	} control;
	const struct msghdr *given = &m->memory.header;
	struct msghdr h = { .msg_control = &control };

	*ret = (struct control_sent){ .ttl = -1, .tos = -1 };
	if (!m->header || !given->msg_control || given->msg_controllen == 0)
		return 0;
	if (given->msg_controllen > sizeof(control))
		return -ENOBUFS;
	h.msg_controllen = given->msg_controllen;
	int r = memory_read(c->trapped.tid, (uint64_t)(uintptr_t)given->msg_control, &control,
			    h.msg_controllen);

	for (struct cmsghdr *e = CMSG_FIRSTHDR(&h); e && r == 0; e = CMSG_NXTHDR(&h, e)) {
		const size_t left = h.msg_controllen - (size_t)((uint8_t *)e - control.bytes);

		r = e->cmsg_len < sizeof(*e) || e->cmsg_len > left ? -EINVAL
								   : take(c->socket, e, ret);
	}
	return r;
}

/* What is being made. */
struct control {
	uint8_t *bytes;
	uint32_t used;
};

static void put(struct control *to, int level, int type, const void *value, size_t size)
{
	const struct cmsghdr header = {
		.cmsg_len = CMSG_LEN(size),
		.cmsg_level = level,
		.cmsg_type = type,
	};

	check(to->used + CMSG_SPACE(size) <= CONTROL_MAX);
	memset(to->bytes + to->used, 0, CMSG_SPACE(size));
	memcpy(to->bytes + to->used, &header, sizeof(header));
	memcpy(to->bytes + to->used + CMSG_LEN(0), value, size);
	to->used += (uint32_t)CMSG_SPACE(size);
}

/* Options that the kernel keeps for AF_UNIX sockets as for all. */
static bool native_option(const struct call *c, int name)
{
	int value = 0;
	socklen_t length = sizeof(value);

	return getsockopt(c->fd, SOL_SOCKET, name, &value, &length) == 0 && value;
}

static void put_socket_level(const struct call *c, const struct socket_datagram *d,
			     struct control *to)
{
	const struct timespec t = { d->realtime_ns / REEVE_NS_PER_S,
				    d->realtime_ns % REEVE_NS_PER_S };
	const struct timeval coarse = { t.tv_sec, t.tv_nsec / 1000 };

	if (native_option(c, SO_TIMESTAMP_OLD))
		put(to, SOL_SOCKET, SO_TIMESTAMP_OLD, &coarse, sizeof(coarse));
	else if (native_option(c, SO_TIMESTAMP_NEW))
		put(to, SOL_SOCKET, SO_TIMESTAMP_NEW, &coarse, sizeof(coarse));
	else if (native_option(c, SO_TIMESTAMPNS_OLD))
		put(to, SOL_SOCKET, SO_TIMESTAMPNS_OLD, &t, sizeof(t));
	else if (native_option(c, SO_TIMESTAMPNS_NEW))
		put(to, SOL_SOCKET, SO_TIMESTAMPNS_NEW, &t, sizeof(t));
	if (d->lost && native_option(c, SO_RXQ_OVFL))
		put(to, SOL_SOCKET, SO_RXQ_OVFL, &d->lost, sizeof(d->lost));
}

/* What came inside the host was to the interface that has the address. */
static const struct guest_interface *interface_of(const struct supervisor *s,
						  const struct socket_datagram *d)
{
	const struct guest_interface *own = interfaces_by_index(&s->interfaces, d->iface);

	if (own && own->loopback && !reeve_address_is_loopback(&d->local.address))
		for (uint32_t i = 0; i < s->interfaces.count; i++)
			if (reeve_address_equal(&s->interfaces.list[i].addresses[0].address,
						&d->local.address))
				return &s->interfaces.list[i];
	return own;
}

static uint32_t first_address(const struct guest_interface *interface)
{
	for (uint32_t i = 0; interface && i < interface->address_count; i++)
		if (reeve_address_is_ipv4(&interface->addresses[i].address))
			return reeve_address_to_ipv4(&interface->addresses[i].address);
	return 0;
}

/* Whether a datagram to the address is for this host alone. */
static bool is_own(const struct supervisor *s, const struct reeve_address *a)
{
	return reeve_address_is_loopback(a) || reeve_address_equal(a, &s->welcome.address);
}

static void put_ipv4(const struct supervisor *s, const struct guest_socket *socket,
		     const struct socket_datagram *d, struct control *to)
{
	const struct socket_options *o = &socket->options;
	const struct guest_interface *interface = interface_of(s, d);
	const uint32_t address = reeve_address_to_ipv4(&d->local.address);
	const struct in_pktinfo info = {
		.ipi_ifindex = interface ? (int)interface->index : 1,
		.ipi_spec_dst.s_addr =
			htonl(is_own(s, &d->local.address) ? address : first_address(interface)),
		.ipi_addr.s_addr = htonl(address),
	};
	const struct sockaddr_in original = {
		.sin_family = AF_INET,
		.sin_port = htons(socket->is_echo ? 0 : d->local.port),
		.sin_addr.s_addr = htonl(address),
	};
	const int ttl = d->ttl;

	if (socket_option(o, IPPROTO_IP, IP_PKTINFO))
		put(to, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	if (socket_option(o, IPPROTO_IP, IP_RECVTTL))
		put(to, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (socket_option(o, IPPROTO_IP, IP_RECVTOS))
		put(to, IPPROTO_IP, IP_TOS, &d->tos, sizeof(d->tos));
	if (socket_option(o, IPPROTO_IP, IP_RECVORIGDSTADDR))
		put(to, IPPROTO_IP, IP_ORIGDSTADDR, &original, sizeof(original));
}

static void put_ipv6_info(const struct supervisor *s, const struct guest_socket *socket,
			  const struct socket_datagram *d, struct control *to)
{
	const struct guest_interface *interface = interface_of(s, d);
	struct in6_pktinfo info = { .ipi6_ifindex = interface ? interface->index : 1 };

	if (!socket_option(&socket->options, IPPROTO_IPV6, IPV6_RECVPKTINFO))
		return;
	memcpy(&info.ipi6_addr, d->local.address.bytes, sizeof(info.ipi6_addr));
	put(to, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

static void put_ipv6(const struct guest_socket *socket, const struct socket_datagram *d,
		     struct control *to)
{
	const int ttl = d->ttl, tos = d->tos;

	if (socket_option(&socket->options, IPPROTO_IPV6, IPV6_RECVHOPLIMIT))
		put(to, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if (socket_option(&socket->options, IPPROTO_IPV6, IPV6_RECVTCLASS))
		put(to, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

static void put_network_level(const struct supervisor *s, const struct guest_socket *socket,
			      const struct socket_datagram *d, struct control *to)
{
	if (socket->family == AF_INET6)
		put_ipv6_info(s, socket, d, to);
	if (reeve_address_is_ipv4(&d->local.address))
		put_ipv4(s, socket, d, to);
	else
		put_ipv6(socket, d, to);
}

uint32_t control_of_datagram(const struct supervisor *s, const struct call *c,
			     const struct socket_datagram *d, uint8_t ret[CONTROL_MAX])
{
	struct control to = { .bytes = memset(ret, 0, CONTROL_MAX) };

	put_socket_level(c, d, &to);
	put_network_level(s, c->socket, d, &to);
	return to.used;
}

uint32_t control_of_problem(const struct supervisor *s, const struct call *c,
			    const struct problem *p, uint8_t ret[CONTROL_MAX])
{
	const struct guest_socket *socket = c->socket;
	const bool is_v4 = reeve_address_is_ipv4(&p->remote.address);
	const struct reeve_sockaddr offender = { .address = p->what.offender };
	const struct socket_datagram about = {
		.local.address = p->what.local,
		.realtime_ns = p->what.realtime_ns,
		.iface = p->what.iface,
		.ttl = p->what.ttl,
		.tos = p->what.tos,
	};
	struct control to = { .bytes = memset(ret, 0, CONTROL_MAX) };
	struct {
		struct sock_extended_err error;
		struct sockaddr_storage offender;
	} value = {
		.error = {
			.ee_errno = (uint32_t)p->what.error,
			.ee_origin = p->what.is_local ? SO_EE_ORIGIN_LOCAL
				     : is_v4	      ? SO_EE_ORIGIN_ICMP
						      : SO_EE_ORIGIN_ICMP6,
			.ee_type = p->what.type,
			.ee_code = p->what.code,
			.ee_info = p->what.info,
		},
	};
	const size_t size =
		sizeof(value.error) + (socket->family == AF_INET6 ? sizeof(struct sockaddr_in6)
								  : sizeof(struct sockaddr_in));

	put_socket_level(c, &about, &to);
	if (!p->what.is_local) {
		(void)name_format(&offender, socket->family, &value.offender);
		put_network_level(s, socket, &about, &to);
	}
	if (socket->family == AF_INET6)
		put(&to, IPPROTO_IPV6, IPV6_RECVERR, &value, size);
	else
		put(&to, IPPROTO_IP, IP_RECVERR, &value, size);
	return to.used;
}
