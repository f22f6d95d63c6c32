/* Owns the translation of sockaddrs. */
#include "guest/names.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "guest/call.h"
#include "guest/memory.h"

int name_parse(const void *bytes, uint32_t length, int family, struct name *ret)
{
	struct name n = { 0 };
	sa_family_t given = AF_UNSPEC;

	if (length < sizeof(given))
		return -EINVAL;
	memcpy(&given, bytes, sizeof(given));
	n.family = given;
	if (given == AF_UNSPEC) {
		*ret = n;
		return 0;
	}
	if (given == AF_INET) {
		struct sockaddr_in in;

		if (length < sizeof(in))
			return -EINVAL;
		memcpy(&in, bytes, sizeof(in));
		n.socket.address = reeve_address_from_ipv4(ntohl(in.sin_addr.s_addr));
		n.socket.port = ntohs(in.sin_port);
	} else if (given == AF_INET6 && family == AF_INET6) {
		struct sockaddr_in6 in6 = { 0 };

		if (length < NAME_IPV6_LEAST)
			return -EINVAL;
		memcpy(&in6, bytes, length < sizeof(in6) ? length : sizeof(in6));
		memcpy(n.socket.address.bytes, &in6.sin6_addr, 16);
		n.socket.port = ntohs(in6.sin6_port);
		n.socket.scope = in6.sin6_scope_id;
	} else {
		return length < sizeof(struct sockaddr_in) ? -EINVAL : -EAFNOSUPPORT;
	}
	*ret = n;
	return 0;
}

int name_read(const struct call *c, uint64_t from, uint32_t length, int family, struct name *ret)
{
	char bytes[sizeof(struct sockaddr_storage)];

	if (length > sizeof(bytes))
		return -EINVAL;
	const int r = memory_read(c->trapped.tid, from, bytes, length);

	return r < 0 ? r : name_parse(bytes, length, family, ret);
}

uint32_t name_format(const struct reeve_sockaddr *s, int family, void *ret)
{
	if (family == AF_INET6) {
		struct sockaddr_in6 in6 = {
			.sin6_family = AF_INET6,
			.sin6_port = htons(s->port),
			.sin6_scope_id = s->scope,
		};

		memcpy(&in6.sin6_addr, s->address.bytes, 16);
		memcpy(ret, &in6, sizeof(in6));
		return sizeof(in6);
	}
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(s->port) };

	if (reeve_address_is_ipv4(&s->address))
		in.sin_addr.s_addr = htonl(reeve_address_to_ipv4(&s->address));
	memcpy(ret, &in, sizeof(in));
	return sizeof(in);
}

int name_write_bytes(const struct call *c, uint64_t to, uint64_t to_length, const void *bytes,
		     uint32_t length)
{
	int32_t room = 0;

	int r = memory_read(c->trapped.tid, to_length, &room, sizeof(room));

	if (r < 0)
		return r;
	if (room < 0)
		return -EINVAL;
	const struct memory_piece pieces[2] = {
		{ to, bytes, (uint32_t)room < length ? (uint32_t)room : length },
		{ to_length, &length, sizeof(length) },
	};

	return memory_write_pieces(c->trapped.tid, pieces, 2);
}

int name_write(const struct call *c, uint64_t to, uint64_t to_length,
	       const struct reeve_sockaddr *s, int family)
{
	char bytes[sizeof(struct sockaddr_in6)];

	return name_write_bytes(c, to, to_length, bytes, name_format(s, family, bytes));
}

void name_make_destination(struct reeve_sockaddr *s)
{
	if (!reeve_address_is_unspecified(&s->address))
		return;
	s->address = reeve_address_is_ipv4(&s->address) ? reeve_loopback_ipv4 : reeve_loopback_ipv6;
}
