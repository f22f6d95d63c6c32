/* setsockopt(2) and getsockopt(2): finds out which option it is, and handles the plain ones. */
#include "guest/sys_options.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "guest/kernel.h"
#include "guest/memory.h"
#include "guest/netlink.h"
#include "guest/peer.h"
#include "guest/supervisor.h"
#include "guest/sys.h"

/* The options of multicast routing, of IPPROTO_IP and IPPROTO_IPV6 alike: for raw sockets only. */
#define ROUTING_FIRST 200
#define ROUTING_LAST  212

static int level_of(const struct call *c)
{
	const int level = call_int(c, 1);

	return level == SOL_UDPLITE ? IPPROTO_UDP : level;
}

/* Whether the socket has options of the call's level. */
static bool has_level(const struct call *c, const struct guest_socket *socket)
{
	switch (level_of(c)) {
	case SOL_SOCKET:
	case IPPROTO_IP:
		return true;
	case IPPROTO_IPV6:
		return socket->family == AF_INET6;
	case IPPROTO_TCP:
		return socket->kind == SOCKET_TCP;
	case IPPROTO_UDP:
		return socket->kind == SOCKET_UDP;
	default:
		return false;
	}
}

uint32_t option_length(const struct call *c)
{
	return (uint32_t)c->trapped.arguments[4];
}

int option_read_bytes(const struct call *c, void *ret, uint32_t size)
{
	if (option_length(c) < size)
		return -EINVAL;
	return memory_read(c->trapped.tid, c->trapped.arguments[3], ret, size);
}

int option_read_text(const struct call *c, char *ret, uint32_t size)
{
	const uint32_t length = option_length(c);

	if (length < 1)
		return -EINVAL;
	memset(ret, 0, size);
	return memory_read(c->trapped.tid, c->trapped.arguments[3], ret,
			   length < size ? length : size - 1);
}

static int read_ipv4(const struct call *c, const struct option_row *row, int32_t *ret)
{
	uint8_t byte = 0;

	if (option_length(c) >= sizeof(*ret))
		return option_read_bytes(c, ret, sizeof(*ret));
	if (option_length(c) == 0) {
		*ret = 0;
		return row && row->flags & OPTION_NOT_EMPTY ? -EINVAL : 0;
	}
	const int r = option_read_bytes(c, &byte, 1);

	*ret = byte;
	return r;
}

static int read_ipv6(const struct call *c, const struct option_row *row, int32_t *ret)
{
	*ret = 0;
	if (option_length(c) < sizeof(*ret))
		return row && row->flags & OPTION_MAY_MISS ? 0 : -EINVAL;
	return c->trapped.arguments[3] ? option_read_bytes(c, ret, sizeof(*ret)) : 0;
}

static const struct option_row *row_of(const struct call *c)
{
	const int index = option_find(level_of(c), call_int(c, 2));

	return index >= 0 ? option_at(index) : NULL;
}

int option_read(const struct call *c, int32_t *ret)
{
	const int level = level_of(c);

	if (level == IPPROTO_IP)
		return read_ipv4(c, row_of(c), ret);
	if (level == IPPROTO_IPV6)
		return read_ipv6(c, row_of(c), ret);
	return option_read_bytes(c, ret, sizeof(*ret));
}

int option_refuse(const struct call *c, int error)
{
	int32_t value = 0;
	const int level = level_of(c);
	const int r = level == IPPROTO_IP ? 0 : option_read(c, &value);

	if (r == -EINVAL && level == IPPROTO_IPV6)
		return -error;
	return r < 0 ? r : -error;
}

void option_keep(struct supervisor *s, const struct call *c, struct guest_socket *socket,
		 int32_t value)
{
	const int index = option_find(level_of(c), call_int(c, 2));

	check(index >= 0);
	socket->options.values[index] = value;
	socket_options_change(&socket->options, index);
	if (!socket->is_known)
		return;
	peer_tell_options(s, socket);
	channel_send_parcel(s);
}

int32_t option_value(const struct call *c, const struct guest_socket *socket)
{
	return socket_option(&socket->options, level_of(c), call_int(c, 2));
}

/* What is wrong with the value for this socket, if anything. */
static int judge(const struct call *c, const struct guest_socket *socket,
		 const struct option_row *row, int32_t value)
{
	if (row->flags & OPTION_READ_ONLY)
		return -ENOPROTOOPT;
	if (row->flags & OPTION_PRIVILEGED && value &&
	    !descriptor_is_capable(c->trapped.tid, CAP_NET_ADMIN))
		return -EPERM;
	if (value < row->first || value > row->last || (row->flags & OPTION_NO_ZERO && value == 0))
		return -EINVAL;
	if (row->flags & OPTION_FRESH && (socket->is_bound || socket->state != SOCKET_FRESH))
		return -EINVAL;
	return 0;
}

int option_set_row(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const struct option_row *row = row_of(c);
	const unsigned kind = socket->kind == SOCKET_UDP ? OPTION_FOR_UDP : OPTION_FOR_TCP;
	int32_t value = 0;
	int r = option_read(c, &value);

	if (!(row->flags & kind) && r != -EFAULT)
		return row->level == IPPROTO_IP ? -EINVAL : -ENOPROTOOPT;
	if (r == 0 && row->flags & OPTION_BOOL)
		value = value != 0;
	if (r == 0)
		r = judge(c, socket, row, value);
	if (r < 0)
		return r;
	option_keep(s, c, socket, value == -1 && row->flags & OPTION_RESETS ? row->initial : value);
	return 0;
}

static const struct option_special *find_in(const struct option_special *list, int count,
					    const struct call *c)
{
	for (int i = 0; i < count; i++)
		if (list[i].level == level_of(c) && list[i].name == call_int(c, 2))
			return &list[i];
	return NULL;
}

static const struct option_special *find_special(const struct call *c)
{
	const struct option_special *special;

	switch (level_of(c)) {
	case SOL_SOCKET:
		return find_in(options_of_socket, options_of_socket_count, c);
	case IPPROTO_TCP:
		return find_in(options_of_tcp, options_of_tcp_count, c);
	case IPPROTO_IP:
		special = find_in(options_of_groups, options_of_groups_count, c);
		if (special)
			return special;
		return find_in(options_of_ip, options_of_ip_count, c);
	case IPPROTO_IPV6:
		return find_in(options_of_ip, options_of_ip_count, c);
	default:
		return NULL;
	}
}

/* How the kernel says that it has no such option. */
static int unknown(const struct call *c)
{
	const int name = call_int(c, 2);

	if (level_of(c) == SOL_SOCKET)
		return OPTION_NATIVE;
	if ((level_of(c) == IPPROTO_IP || level_of(c) == IPPROTO_IPV6) && name >= ROUTING_FIRST &&
	    name <= ROUTING_LAST)
		return -EOPNOTSUPP;
	return -ENOPROTOOPT;
}

static int set_option(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const struct option_special *special = find_special(c);
	const struct option_row *row = row_of(c);

	if (call_int(c, 4) < 0)
		return -EINVAL;
	if (!has_level(c, socket))
		return -ENOPROTOOPT;
	if (special && special->set)
		return special->set(s, c, socket);
	if (row)
		return option_set_row(s, c, socket);
	const int r = unknown(c);

	return r < 0 ? option_refuse(c, -r) : r;
}

static void end(struct supervisor *s, struct call *c, int r)
{
	if (r == OPTION_NATIVE)
		call_continue(s, c);
	else if (r != OPTION_KEPT)
		(void)call_answer(s, c, r);
}

static void applied(struct supervisor *s, struct request *r, const struct guest_message *answer,
		    const uint8_t *data)
{
	(void)answer;
	(void)data;
	if (r->call)
		(void)call_answer(s, r->call, 0);
}

/* The datagram that the program writes next comes to the network process by another way, and is to be
 * sent as the option wants. */
static bool must_be_applied(const struct guest_socket *socket, int r)
{
	return r == 0 && socket->kind == SOCKET_UDP && socket->is_attached;
}

void sys_setsockopt(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);

	if (!socket) {
		call_continue(s, c);
		return;
	}
	if (socket->kind == SOCKET_NETLINK) {
		netlink_setsockopt(s, c);
		return;
	}
	struct guest_message m = { .type = GUEST_SYNC };
	const int r = set_option(s, c, socket);

	if (!must_be_applied(socket, r) || call_ask(s, c, &m, NULL, applied) < 0)
		end(s, c, r);
}

int32_t option_room(const struct call *c)
{
	return (int32_t)c->progress;
}

int option_write(const struct call *c, const void *value, uint32_t length)
{
	if ((uint32_t)option_room(c) < length)
		length = (uint32_t)option_room(c);
	const struct memory_piece pieces[2] = {
		{ c->trapped.arguments[3], value, length },
		{ c->trapped.arguments[4], &length, sizeof(length) },
	};

	return memory_write_pieces(c->trapped.tid, pieces, 2);
}

/* do_ip_getsockopt(): a small number fits a byte, if there is no room for more. */
int option_write_int(const struct call *c, int32_t value)
{
	const int32_t room = option_room(c);
	const uint8_t byte = (uint8_t)value;

	if (level_of(c) == IPPROTO_IP && room > 0 && room < (int32_t)sizeof(value) && value >= 0 &&
	    value <= UINT8_MAX)
		return option_write(c, &byte, 1);
	return option_write(c, &value, sizeof(value));
}

static int get_option(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const struct option_special *special = find_special(c);
	const struct option_row *row = row_of(c);
	int32_t room = 0;

	if (!has_level(c, socket))
		return socket->family == AF_INET6 ? -ENOPROTOOPT : -EOPNOTSUPP;
	if (!special && !row && unknown(c) == -EOPNOTSUPP)
		return -EOPNOTSUPP;
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[4], &room, sizeof(room));

	if (r < 0)
		return r;
	/* do_ipv6_getsockopt() takes a negative one for a large one. */
	if (room < 0 && level_of(c) != IPPROTO_IPV6)
		return -EINVAL;
	c->progress = (uint32_t)room;
	if (special && special->get)
		return special->get(s, c, socket);
	return row ? option_write_int(c, option_value(c, socket)) : unknown(c);
}

void sys_getsockopt(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);

	if (!socket)
		call_continue(s, c);
	else if (socket->kind == SOCKET_NETLINK)
		netlink_getsockopt(s, c);
	else
		end(s, c, get_option(s, c, socket));
}
