/*
 * setsockopt(2) and getsockopt(2), where the kernel's own answer about the AF_UNIX socket would be
 * wrong: option.h has the plain ones, here are those that need more.
 */
#include "guest/sys.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "guest/memory.h"
#include "guest/netlink.h"
#include "guest/peer.h"
#include "guest/supervisor.h"
#include "guest/tcp_info.h"

#define CONGESTION_NAME 16 /* TCP_CA_NAME_MAX */

static const char *const congestion_names[] = { [REEVE_CUBIC] = "cubic", [REEVE_RENO] = "reno" };

static bool is_connected_or_bound(const struct guest_socket *socket)
{
	return socket->is_bound || socket->state != SOCKET_FRESH;
}

/* The value as an int: short ones are refused, but for options that may be a byte. */
static int read_value(const struct call *c, const struct option_row *row, int32_t *ret)
{
	const uint32_t length = (uint32_t)c->trapped.arguments[4];
	uint8_t byte = 0;

	if (length >= sizeof(*ret))
		return memory_read(c->trapped.tid, c->trapped.arguments[3], ret, sizeof(*ret));
	if (!row || !(row->flags & OPTION_BYTE) || length == 0)
		return -EINVAL;
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[3], &byte, 1);

	*ret = byte;
	return r;
}

static bool row_fits(const struct guest_socket *socket, const struct option_row *row)
{
	const unsigned kind = socket->kind == SOCKET_UDP ? OPTION_FOR_UDP : OPTION_FOR_TCP;

	if (row->flags & OPTION_IPV6_ONLY && socket->family != AF_INET6)
		return false;
	return row->flags & kind;
}

static int set_row(struct supervisor *s, struct guest_socket *socket, int index, int32_t value)
{
	const struct option_row *row = option_at(index);

	if (!row_fits(socket, row))
		return -ENOPROTOOPT;
	if (row->flags & OPTION_BOOL)
		value = value != 0;
	if (value < row->first || value > row->last ||
	    (row->flags & OPTION_FRESH && is_connected_or_bound(socket)))
		return -EINVAL;
	/* -1 is the default again (ip(7), ipv6(7)); a TTL of 0 is none. */
	if (value == -1 && row->first == -1)
		value = row->initial;
	if (value == 0 && row->level == IPPROTO_IP && row->name == IP_TTL)
		return -EINVAL;
	socket->options.values[index] = value;
	socket->options.changed |= UINT64_C(1) << index;
	if (socket->is_known)
		peer_tell_options(s, socket);
	return 0;
}

static void tell_setting(struct supervisor *s, struct guest_socket *socket, int setting,
			 int64_t value)
{
	struct guest_message m = peer_message(socket, GUEST_SET, -1);

	m.value = setting;
	m.value2 = value;
	channel_send(s, &m, NULL, -1);
	socket->is_known = true;
}

static int set_linger(struct supervisor *s, const struct call *c, struct guest_socket *socket)
{
	struct linger value;

	if ((uint32_t)c->trapped.arguments[4] < sizeof(value))
		return -EINVAL;
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[3], &value, sizeof(value));

	if (r < 0)
		return r;
	/* Kept natively for getsockopt(). */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value));
	if (socket->kind == SOCKET_TCP)
		tell_setting(s, socket, GUEST_SETTING_LINGER, value.l_onoff ? value.l_linger : -1);
	return 0;
}

/* While a connect is under way the program's send buffer is ours: the size is put off. */
static int set_send_buffer(const struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = read_value(c, NULL, &value);

	if (r < 0)
		return r;
	if (socket->filler > 0) {
		socket->send_buffer = value > INT32_MAX / 2 ? INT32_MAX : value * 2;
		return 0;
	}
	return setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_device(const struct supervisor *s, const struct call *c)
{
	char name[16] = { 0 };
	const uint32_t length = (uint32_t)c->trapped.arguments[4];
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[3], name,
				  length < sizeof(name) - 1 ? length : sizeof(name) - 1);

	if (r < 0)
		return r;
	return name[0] == '\0' || interfaces_by_name(&s->interfaces, name) ? 0 : -ENODEV;
}

static int set_socket_level(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const int name = call_int(c, 2);
	int32_t value = 0;

	switch (name) {
	case SO_LINGER:
		return set_linger(s, c, socket);
	case SO_SNDBUF:
		return set_send_buffer(c, socket);
	case SO_SNDBUFFORCE:
		return -EPERM;
	case SO_BINDTODEVICE:
		return set_device(s, c);
	case SO_ZEROCOPY:
		return -ENOTSUP;
	default:
		break;
	}
	const int index = option_find(SOL_SOCKET, name);

	if (index < 0)
		return 1;
	const int r = read_value(c, NULL, &value);

	if (r < 0)
		return r;
	/* The kernel keeps all but SO_REUSEPORT for AF_UNIX sockets too, for getsockopt(). */
	if (name != SO_REUSEPORT)
		(void)setsockopt(c->fd, SOL_SOCKET, name, &value, sizeof(value));
	return row_fits(socket, option_at(index)) ? set_row(s, socket, index, value) : 0;
}

static int set_congestion(struct supervisor *s, const struct call *c, struct guest_socket *socket)
{
	char name[CONGESTION_NAME] = { 0 };
	const uint32_t length = (uint32_t)c->trapped.arguments[4];

	if (length < 1)
		return -EINVAL;
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[3], name,
				  length < sizeof(name) - 1 ? length : sizeof(name) - 1);

	if (r < 0)
		return r;
	for (int i = 0; i < (int)array_length(congestion_names); i++) {
		if (strcmp(name, congestion_names[i]) != 0)
			continue;
		socket->congestion = (uint8_t)i;
		tell_setting(s, socket, REEVE_TCP_CONGESTION_CONTROL, i);
		return 0;
	}
	return -ENOENT;
}

static int set_other_level(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const int level = call_int(c, 1), name = call_int(c, 2);
	const int index = option_find(level, name);
	int32_t value = 0;

	if (level == IPPROTO_TCP && name == TCP_CONGESTION && socket->kind == SOCKET_TCP)
		return set_congestion(s, c, socket);
	if (level == IPPROTO_IP && (name == IP_ADD_MEMBERSHIP || name == IP_MULTICAST_IF ||
				    name == IP_ADD_SOURCE_MEMBERSHIP))
		return -ENODEV;
	if (level == IPPROTO_IP && name == IP_TRANSPARENT)
		return -EPERM;
	if (index < 0)
		return -ENOPROTOOPT;
	const int r = read_value(c, option_at(index), &value);

	return r < 0 ? r : set_row(s, socket, index, value);
}

void sys_setsockopt(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);
	int r = 0;

	if (!socket) {
		call_continue(s, c);
		return;
	}
	if (socket->kind == SOCKET_NETLINK) {
		/* SO_* as the kernel has them; of SOL_NETLINK none changes what we answer. */
		if (call_int(c, 1) == SOL_SOCKET)
			call_continue(s, c);
		else
			(void)call_answer(s, c, 0);
		return;
	}
	if (call_int(c, 1) == SOL_SOCKET)
		r = set_socket_level(s, c, socket);
	else
		r = set_other_level(s, c, socket);
	if (r > 0)
		call_continue(s, c);
	else
		(void)call_answer(s, c, r);
}

/* What getsockopt() does with its last two arguments. */
static int write_value(const struct call *c, const void *value, uint32_t length)
{
	int32_t room = 0;
	int r = memory_read(c->trapped.tid, c->trapped.arguments[4], &room, sizeof(room));

	if (r < 0)
		return r;
	if (room < 0)
		return -EINVAL;
	if ((uint32_t)room < length)
		length = (uint32_t)room;
	r = memory_write(c->trapped.tid, c->trapped.arguments[3], value, length);
	return r < 0 ? r
		     : memory_write(c->trapped.tid, c->trapped.arguments[4], &length,
				    sizeof(length));
}

static int write_int(const struct call *c, int32_t value)
{
	return write_value(c, &value, sizeof(value));
}

static int take_error(const struct call *c, struct guest_socket *socket)
{
	int native = 0;
	socklen_t length = sizeof(native);

	/* Clears the kernel's as well. */
	(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &native, &length);
	const int error = socket->error;

	socket->error = 0;
	return error;
}

static int get_socket_level(const struct call *c, struct guest_socket *socket)
{
	const bool is_stream = socket->kind == SOCKET_TCP;
	int value = 0;
	socklen_t length = sizeof(value);

	switch (call_int(c, 2)) {
	case SO_ERROR:
		return write_int(c, take_error(c, socket));
	case SO_TYPE:
		return write_int(c, is_stream ? SOCK_STREAM : SOCK_DGRAM);
	case SO_DOMAIN:
		return write_int(c, socket->family);
	case SO_PROTOCOL:
		return write_int(c, is_stream ? IPPROTO_TCP : IPPROTO_UDP);
	case SO_ACCEPTCONN:
		return write_int(c, socket->state == SOCKET_LISTENING);
	case SO_REUSEPORT:
		return write_int(c, socket_option(&socket->options, SOL_SOCKET, SO_REUSEPORT));
	case SO_ZEROCOPY:
		return write_int(c, 0);
	case SO_BINDTODEVICE:
		return write_value(c, "", 0);
	case SO_SNDBUF:
		if (socket->filler > 0)
			return write_int(c, socket->send_buffer);
		if (getsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &value, &length) < 0)
			return -errno;
		return write_int(c, value);
	case SO_PEERCRED: {
		/* Of a socket without a peer on this machine. */
		const struct ucred none = { .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };

		return write_value(c, &none, sizeof(none));
	}
	case SO_PEERGROUPS:
		return -ENODATA;
	case SO_PEERSEC:
		return -ENOPROTOOPT;
	default:
		return 1;
	}
}

static void got_info(struct supervisor *s, struct request *r, const struct guest_message *answer,
		     const uint8_t *data)
{
	struct reeve_tcp_info ours;
	struct tcp_info info;
	struct call *c = r->call;

	if (!c)
		return;
	if (answer->error || answer->data_length < sizeof(ours)) {
		(void)call_answer(s, c, answer->error ? -answer->error : -ENOTCONN);
		return;
	}
	memcpy(&ours, data, sizeof(ours));
	if (call_int(c, 2) == TCP_MAXSEG) {
		(void)call_answer(s, c, write_int(c, (int)ours.send_mss));
		return;
	}
	tcp_info_fill(&ours, &info);
	(void)call_answer(s, c, write_value(c, &info, sizeof(info)));
}

static void get_info(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	struct guest_message m = peer_message(socket, GUEST_GET, -1);
	struct tcp_info info;

	if (!socket->is_known || socket->state == SOCKET_RESET) {
		memset(&info, 0, sizeof(info));
		/* TCP_LISTEN, of a listener whose network is gone; TCP_CLOSE */
		info.tcpi_state = socket->state == SOCKET_LISTENING ? 10 : 7;
		(void)call_answer(s, c, write_value(c, &info, sizeof(info)));
		return;
	}
	m.value = GUEST_SETTING_TCP_INFO;
	c->request = channel_request(s, &m, NULL, got_info);
	if (!c->request) {
		(void)call_answer(s, c, -ENOBUFS);
		return;
	}
	c->request->call = c;
	call_keep(s, c, NULL, -1);
}

static int path_mtu(const struct supervisor *s, const struct guest_socket *socket)
{
	const bool is_local = reeve_address_is_loopback(&socket->remote.address) ||
			      reeve_address_equal(&socket->remote.address, &s->welcome.address);

	for (uint32_t i = 0; i < s->interfaces.count; i++)
		if (!!s->interfaces.list[i].loopback == is_local)
			return (int)s->interfaces.list[i].mtu;
	return 1500;
}

static int get_other_level(const struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const int level = call_int(c, 1), name = call_int(c, 2);
	const int index = option_find(level, name);

	if (level == IPPROTO_TCP && name == TCP_CONGESTION && socket->kind == SOCKET_TCP) {
		char text[CONGESTION_NAME] = { 0 };

		memcpy(text, congestion_names[socket->congestion],
		       strlen(congestion_names[socket->congestion]));
		return write_value(c, text, sizeof(text));
	}
	if ((level == IPPROTO_IP && name == IP_MTU) ||
	    (level == IPPROTO_IPV6 && name == IPV6_MTU && socket->family == AF_INET6))
		return socket->state == SOCKET_CONNECTED ? write_int(c, path_mtu(s, socket))
							 : -ENOTCONN;
	if (level == IPPROTO_IP && name == IP_OPTIONS)
		return write_value(c, "", 0);
	if (index < 0 || !row_fits(socket, option_at(index)))
		return -ENOPROTOOPT;
	return write_int(c, socket->options.values[index]);
}

/* What only the network process knows. A connection's segment size is what it sends, not what was
 * set (tcp(7)): iperf3 makes its datagrams of that size. */
static bool asks_connection(const struct call *c, const struct guest_socket *socket)
{
	if (call_int(c, 1) != IPPROTO_TCP || socket->kind != SOCKET_TCP)
		return false;
	return call_int(c, 2) == TCP_INFO || (call_int(c, 2) == TCP_MAXSEG && socket->is_known &&
					      socket->state == SOCKET_CONNECTED);
}

void sys_getsockopt(struct supervisor *s, struct call *c)
{
	struct guest_socket *socket = call_socket(s, c);
	int r = 1;

	if (!socket) {
		call_continue(s, c);
		return;
	}
	if (socket->kind == SOCKET_NETLINK) {
		netlink_getsockopt(s, c);
		return;
	}
	if (asks_connection(c, socket)) {
		get_info(s, c, socket);
		return;
	}
	if (call_int(c, 1) == SOL_SOCKET)
		r = get_socket_level(c, socket);
	else
		r = get_other_level(s, c, socket);
	if (r > 0)
		call_continue(s, c);
	else
		(void)call_answer(s, c, r);
}
