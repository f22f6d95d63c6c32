/* Owns the reading and writing of msghdrs and control data. */
#include "guest/message.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "guest/names.h"
#include "guest/supervisor.h"

int message_read_plain(const struct call *c, struct message *ret)
{
	struct message m = { .flags = call_int(c, 3), .name_length_at = c->trapped.arguments[5] };

	m.memory.vectors = malloc(sizeof(struct iovec));
	if (!m.memory.vectors)
		return -ENOBUFS;
	m.memory.total = c->trapped.arguments[2] > INT32_MAX ? INT32_MAX : c->trapped.arguments[2];
	m.memory.vectors[0] =
		(struct iovec){ (void *)(uintptr_t)c->trapped.arguments[1], m.memory.total };
	m.memory.header = (struct msghdr){
		.msg_name = (void *)(uintptr_t)c->trapped.arguments[4],
		.msg_namelen = (socklen_t)c->trapped.arguments[5],
		.msg_iovlen = 1,
	};
	*ret = m;
	return 0;
}

int message_read_header(const struct call *c, uint64_t header, int flags, struct message *ret)
{
	struct message m = { .flags = flags, .header = header };
	const int r = memory_read_message(c->trapped.tid, header, &m.memory);

	if (r == 0)
		*ret = m;
	return r;
}

void message_deinit(struct message *m)
{
	memory_message_deinit(&m->memory);
}

static int32_t control_value(const struct cmsghdr *header)
{
	int32_t value = 0;

	if (header->cmsg_len == CMSG_LEN(1))
		return *CMSG_DATA(header);
	if (header->cmsg_len >= CMSG_LEN(sizeof(value)))
		memcpy(&value, CMSG_DATA(header), sizeof(value));
	return value;
}

static void take_control(const struct cmsghdr *header, struct message_control *ret)
{
	const void *data = CMSG_DATA(header);
	struct in_pktinfo v4;
	struct in6_pktinfo v6;

	if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO &&
	    header->cmsg_len >= CMSG_LEN(sizeof(v4))) {
		memcpy(&v4, data, sizeof(v4));
		if (v4.ipi_spec_dst.s_addr)
			ret->local.address = reeve_address_from_ipv4(ntohl(v4.ipi_spec_dst.s_addr));
	}
	if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO &&
	    header->cmsg_len >= CMSG_LEN(sizeof(v6))) {
		memcpy(&v6, data, sizeof(v6));
		memcpy(ret->local.address.bytes, &v6.ipi6_addr, 16);
	}
	if ((header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TTL) ||
	    (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_HOPLIMIT))
		ret->ttl = control_value(header);
	if ((header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS) ||
	    (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS))
		ret->tos = control_value(header);
}

int message_read_control(const struct call *c, const struct message *m, struct message_control *ret)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[1024];
	} control;
	struct msghdr h = { .msg_control = &control };

	*ret = (struct message_control){ .ttl = -1, .tos = -1 };
	if (!m->memory.header.msg_control || m->memory.header.msg_controllen == 0)
		return 0;
	if (m->memory.header.msg_controllen > sizeof(control))
		return -ENOBUFS;
	h.msg_controllen = m->memory.header.msg_controllen;
	const int r = memory_read(c->trapped.tid, (uint64_t)(uintptr_t)m->memory.header.msg_control,
				  &control, h.msg_controllen);

	if (r < 0)
		return r;
	for (struct cmsghdr *e = CMSG_FIRSTHDR(&h); e; e = CMSG_NXTHDR(&h, e)) {
		if (e->cmsg_len < sizeof(*e) ||
		    e->cmsg_len > h.msg_controllen - (size_t)((uint8_t *)e - control.bytes))
			return -EINVAL;
		take_control(e, ret);
	}
	return 0;
}

static int write_field(const struct call *c, uint64_t header, size_t offset, const void *value,
		       size_t size)
{
	return memory_write(c->trapped.tid, header + offset, value, size);
}

/* As put_cmsg() does: what does not fit is cut, its header says so, and so do the flags. */
static int write_control(const struct call *c, const struct msghdr *h,
			 const struct message_result *result, size_t *ret_used, int *ret_flags)
{
	const size_t room = h->msg_control ? h->msg_controllen : 0;
	const uint8_t *bytes = result->control;
	size_t from = 0, to = 0;

	while (from < result->control_length) {
		struct cmsghdr header;

		memcpy(&header, bytes + from, sizeof(header));
		const size_t space = CMSG_ALIGN(header.cmsg_len);
		size_t length = header.cmsg_len;

		if (room - to < sizeof(header)) {
			*ret_flags |= MSG_CTRUNC;
			break;
		}
		if (room - to < length) {
			*ret_flags |= MSG_CTRUNC;
			length = room - to;
		}
		header.cmsg_len = length;
		const uint64_t at = (uint64_t)(uintptr_t)h->msg_control + to;
		int r = memory_write(c->trapped.tid, at, &header, sizeof(header));

		if (r == 0)
			r = memory_write(c->trapped.tid, at + sizeof(header),
					 bytes + from + sizeof(header), length - sizeof(header));
		if (r < 0)
			return r;
		from += space;
		to += space < room - to ? space : room - to;
	}
	*ret_used = to;
	return 0;
}

int message_write_result(const struct call *c, const struct message *m,
			 const struct message_result *result)
{
	const struct msghdr *h = &m->memory.header;
	int flags = result->flags;

	if (!m->header)
		return name_write_bytes(c, (uint64_t)(uintptr_t)h->msg_name, m->name_length_at,
					result->name, result->name_length);
	int r = 0;

	if (h->msg_name) {
		const socklen_t room = h->msg_namelen;

		r = memory_write(c->trapped.tid, (uint64_t)(uintptr_t)h->msg_name, result->name,
				 result->name_length < room ? result->name_length : room);
		if (r == 0)
			r = write_field(c, m->header, offsetof(struct msghdr, msg_namelen),
					&result->name_length, sizeof(result->name_length));
	}
	size_t control = 0;

	if (r == 0)
		r = write_control(c, h, result, &control, &flags);
	if (r == 0)
		r = write_field(c, m->header, offsetof(struct msghdr, msg_controllen), &control,
				sizeof(control));
	return r < 0 ? r
		     : write_field(c, m->header, offsetof(struct msghdr, msg_flags), &flags,
				   sizeof(flags));
}

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

	check(to->used + CMSG_SPACE(size) <= MESSAGE_CONTROL);
	memset(to->bytes + to->used, 0, CMSG_SPACE(size));
	memcpy(to->bytes + to->used, &header, sizeof(header));
	memcpy(to->bytes + to->used + CMSG_LEN(0), value, size);
	to->used += (uint32_t)CMSG_SPACE(size);
}

static uint32_t interface_of(const struct supervisor *s, const struct reeve_address *local)
{
	for (uint32_t i = 0; i < s->interfaces.count; i++)
		if (!!s->interfaces.list[i].loopback == reeve_address_is_loopback(local))
			return s->interfaces.list[i].index;
	return 1;
}

static void put_ipv4(const struct supervisor *s, const struct guest_socket *socket,
		     const struct socket_datagram *d, struct control *to)
{
	const struct socket_options *o = &socket->options;
	const uint32_t address = htonl(reeve_address_to_ipv4(&d->local.address));
	const int ttl = d->ttl;

	if (socket_option(o, IPPROTO_IP, IP_PKTINFO)) {
		const struct in_pktinfo info = {
			.ipi_ifindex = (int)interface_of(s, &d->local.address),
			.ipi_spec_dst.s_addr = address,
			.ipi_addr.s_addr = address,
		};

		put(to, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
	if (socket_option(o, IPPROTO_IP, IP_RECVTTL))
		put(to, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (socket_option(o, IPPROTO_IP, IP_RECVTOS))
		put(to, IPPROTO_IP, IP_TOS, &d->tos, sizeof(d->tos));
}

static void put_ipv6(const struct supervisor *s, const struct guest_socket *socket,
		     const struct socket_datagram *d, struct control *to)
{
	const struct socket_options *o = &socket->options;
	const int ttl = d->ttl, tos = d->tos;

	if (socket_option(o, IPPROTO_IPV6, IPV6_RECVPKTINFO)) {
		struct in6_pktinfo info = { .ipi6_ifindex = interface_of(s, &d->local.address) };

		memcpy(&info.ipi6_addr, d->local.address.bytes, 16);
		put(to, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
	if (socket_option(o, IPPROTO_IPV6, IPV6_RECVHOPLIMIT))
		put(to, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if (socket_option(o, IPPROTO_IPV6, IPV6_RECVTCLASS))
		put(to, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

uint32_t message_build_control(const struct supervisor *s, const struct guest_socket *socket,
			       const struct socket_datagram *d, uint8_t ret[MESSAGE_CONTROL])
{
	struct control to = { .bytes = memset(ret, 0, MESSAGE_CONTROL) };
	struct sockaddr_in original = { .sin_family = AF_INET, .sin_port = htons(d->local.port) };

	if (reeve_address_is_ipv4(&d->local.address)) {
		put_ipv4(s, socket, d, &to);
		original.sin_addr.s_addr = htonl(reeve_address_to_ipv4(&d->local.address));
		if (socket_option(&socket->options, IPPROTO_IP, IP_RECVORIGDSTADDR))
			put(&to, IPPROTO_IP, IP_ORIGDSTADDR, &original, sizeof(original));
	}
	if (socket->family == AF_INET6)
		put_ipv6(s, socket, d, &to);
	return to.used;
}
