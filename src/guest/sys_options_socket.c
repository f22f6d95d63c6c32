/* Options of SOL_SOCKET (socket(7)) of which the kernel would say something else of an internet socket
 * than of the program's AF_UNIX end. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "guest/kernel.h"
#include "guest/memory.h"
#include "guest/names.h"
#include "guest/peer.h"
#include "guest/supervisor.h"
#include "guest/sys_options.h"

static int set_linger(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	struct linger value = { 0 };
	int32_t first = 0;
	int r = option_read(c, &first);

	if (r == 0)
		r = option_read_bytes(c, &value, sizeof(value));
	if (r < 0)
		return r;
	/* Kept natively for getsockopt(). */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value));
	if (socket->kind != SOCKET_TCP || socket->is_direct)
		return 0;
	struct guest_message m = peer_message(socket, GUEST_SET, -1);

	m.value = GUEST_SETTING_LINGER;
	m.value2 = value.l_onoff ? value.l_linger : -1;
	channel_send(s, &m, NULL, -1);
	socket->is_known = true;
	return 0;
}

/* The kernel keeps all but SO_REUSEPORT for AF_UNIX sockets too. */
static int set_and_keep(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;

	if (option_read(c, &value) == 0)
		(void)setsockopt(c->fd, SOL_SOCKET, call_int(c, 2), &value, sizeof(value));
	return option_set_row(s, c, socket);
}

static int native_size(int fd, int name)
{
	int size = 0;
	socklen_t length = sizeof(size);

	return getsockopt(fd, SOL_SOCKET, name, &size, &length) < 0 ? 0 : size;
}

/* The kernel bounds the size, and doubles it; what it says then is the option's value. */
static int set_size(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const int name = call_int(c, 2);
	int32_t value = 0;
	int r = option_read(c, &value);

	if (r < 0)
		return r;
	/* While a connect is under way the program's send buffer is ours: the size is put off. */
	if (name == SO_SNDBUF && socket->filler > 0) {
		socket->send_buffer = value > INT32_MAX / 2 ? INT32_MAX : value * 2;
		option_keep(s, c, socket, socket->send_buffer);
		return 0;
	}
	if (setsockopt(c->fd, SOL_SOCKET, name, &value, sizeof(value)) < 0)
		return -errno;
	if (socket->kind == SOCKET_TCP) {
		option_keep(s, c, socket, native_size(c->fd, name));
		peer_set_buffers(socket, -1);
	}
	return 0;
}

/* In bytes a second, as an int or, with as much room, a long; ~0 is none. 0 paces nothing either. */
static int set_pacing(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	uint64_t rate = 0;
	int r = option_read(c, &value);

	if (socket->kind != SOCKET_TCP)
		return OPTION_NATIVE;
	if (r == 0 && option_length(c) >= sizeof(rate))
		r = option_read_bytes(c, &rate, sizeof(rate));
	else
		rate = value == -1 ? UINT64_MAX : (uint32_t)value;
	if (r < 0)
		return r;
	socket->pacing_max = rate;
	option_keep(s, c, socket, rate != UINT64_MAX);
	return 0;
}

static int get_pacing(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const uint64_t rate = socket->pacing_max;

	(void)s;
	if (socket->kind != SOCKET_TCP)
		return OPTION_NATIVE;
	if (option_room(c) >= (int32_t)sizeof(rate))
		return option_write(c, &rate, sizeof(rate));
	return option_write_int(c, (int32_t)(rate < UINT32_MAX ? rate : UINT32_MAX));
}

static int set_forced_size(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return descriptor_is_capable(c->trapped.tid, CAP_NET_ADMIN) ? OPTION_NATIVE
								    : option_refuse(c, EPERM);
}

static int get_size(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const bool sends = call_int(c, 2) == SO_SNDBUF;

	if (socket->kind != SOCKET_TCP)
		return OPTION_NATIVE;
	return option_write_int(c, sends ? peer_send_size(s, socket) : peer_receive_size(socket));
}

static int get_memory(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const uint32_t sizes[SK_MEMINFO_VARS] = {
		[SK_MEMINFO_RCVBUF] = (uint32_t)peer_receive_size(socket),
		[SK_MEMINFO_SNDBUF] = (uint32_t)peer_send_size(s, socket),
	};

	return socket->kind == SOCKET_TCP ? option_write(c, sizes, sizeof(sizes)) : OPTION_NATIVE;
}

static int bind_to(struct supervisor *s, struct call *c, struct guest_socket *socket, int index)
{
	const int bound = socket_option(&socket->options, SOL_SOCKET, SO_BINDTOIFINDEX);

	if (bound && !descriptor_is_capable(c->trapped.tid, CAP_NET_RAW))
		return -EPERM;
	if (index < 0)
		return -EINVAL;
	socket_option_set(&socket->options, SOL_SOCKET, SO_BINDTOIFINDEX, index);
	if (socket->is_known) {
		peer_tell_options(s, socket);
		channel_send_parcel(s);
	}
	return 0;
}

static int set_device(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	char name[IFNAMSIZ] = { 0 };
	const int r = option_length(c) ? option_read_text(c, name, sizeof(name)) : 0;
	const struct guest_interface *i = interfaces_by_name(&s->interfaces, name);

	if (r < 0)
		return r;
	if (name[0] && !i)
		return -ENODEV;
	return bind_to(s, c, socket, i ? (int)i->index : 0);
}

static int set_device_index(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t index = 0;
	const int r = option_read(c, &index);

	return r < 0 ? r : bind_to(s, c, socket, index);
}

static int get_device(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const int index = socket_option(&socket->options, SOL_SOCKET, SO_BINDTOIFINDEX);
	const struct guest_interface *i = interfaces_by_index(&s->interfaces, (uint32_t)index);

	if (index == 0)
		return option_write(c, "", 0);
	if (option_room(c) < IFNAMSIZ)
		return -EINVAL;
	return i ? option_write(c, i->name, (uint32_t)strnlen(i->name, IFNAMSIZ - 1) + 1) : -ENODEV;
}

/* Datagrams and connections have an order to number them by; others not yet. */
static int set_timestamping(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	(void)s;
	if (r < 0)
		return r;
	return value & SOF_TIMESTAMPING_OPT_ID && socket->kind == SOCKET_TCP &&
			       socket->state != SOCKET_CONNECTED
		       ? -EINVAL
		       : OPTION_NATIVE;
}

/* Filters of connections are for who may administrate the network (Linux 6.18). */
static int set_filter(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return socket->kind == SOCKET_TCP && !descriptor_is_capable(c->trapped.tid, CAP_NET_ADMIN)
		       ? option_refuse(c, EPERM)
		       : OPTION_NATIVE;
}

static int set_rehash(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	return socket->kind == SOCKET_TCP ? option_set_row(s, c, socket)
					  : option_refuse(c, EOPNOTSUPP);
}

static int get_rehash(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return socket->kind == SOCKET_TCP ? option_write_int(c, option_value(c, socket))
					  : -EOPNOTSUPP;
}

static int set_unsupported(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_refuse(c, EOPNOTSUPP);
}

static int get_unsupported(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)c;
	(void)socket;
	return -EOPNOTSUPP;
}

static int set_unknown(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_refuse(c, ENOPROTOOPT);
}

static int get_unknown(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)c;
	(void)socket;
	return -ENOPROTOOPT;
}

static int get_no_data(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)c;
	(void)socket;
	return -ENODATA;
}

static int get_zero(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_write_int(c, 0);
}

/* When nobody has said which error it is, it is an old one. */
static void try_error(struct supervisor *s, struct call *c)
{
	if (c->socket->error || c->is_abreast)
		(void)call_answer(s, c, option_write_int(c, peer_take_error(c->socket, c->fd)));
}

/* The program's end may fail before it is said which error it is. */
static int get_datagram_error(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	if (!peer_error_is_on_its_way(socket, c->fd))
		return option_write_int(c, peer_take_error(socket, c->fd));
	call_hold(s, c, try_error);
	call_catch_up(s, c);
	return OPTION_KEPT;
}

static int get_error(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	if (socket->kind == SOCKET_UDP)
		return get_datagram_error(s, c, socket);
	int error = socket->error;
	int native = 0;
	socklen_t length = sizeof(native);

	(void)s;
	/* Clears the kernel's as well. */
	(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &native, &length);
	/* What the program has read natively is said. */
	if ((socket->state == SOCKET_FAILED || (socket->state == SOCKET_RESET && error != EPIPE)) &&
	    native == 0)
		error = 0;
	socket->error = 0;
	return option_write_int(c, error);
}

static int get_type(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return option_write_int(c, socket->kind == SOCKET_TCP ? SOCK_STREAM : SOCK_DGRAM);
}

static int get_domain(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return option_write_int(c, socket->family);
}

static int get_protocol(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return option_write_int(c, socket->kind == SOCKET_TCP ? IPPROTO_TCP
				   : socket->is_echo          ? IPPROTO_ICMP
							      : IPPROTO_UDP);
}

static int get_listening(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return option_write_int(c, socket->state == SOCKET_LISTENING);
}

/* Of a socket without a peer on this machine. */
static int get_credentials(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const struct ucred none = { .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };

	(void)s;
	(void)socket;
	return option_write(c, &none, sizeof(none));
}

static int get_peer_name(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	char bytes[sizeof(struct sockaddr_in6)];

	(void)s;
	if (socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	const uint32_t length = name_format(&socket->remote, socket->family, bytes);

	return option_room(c) > (int32_t)length ? -EINVAL : option_write(c, bytes, length);
}

const struct option_special options_of_socket[] = {
	{ SOL_SOCKET, SO_TYPE, NULL, get_type },
	{ SOL_SOCKET, SO_ERROR, NULL, get_error },
	{ SOL_SOCKET, SO_DONTROUTE, set_and_keep, NULL },
	{ SOL_SOCKET, SO_BROADCAST, set_and_keep, NULL },
	{ SOL_SOCKET, SO_SNDBUF, set_size, get_size },
	{ SOL_SOCKET, SO_RCVBUF, set_size, get_size },
	{ SOL_SOCKET, SO_KEEPALIVE, set_and_keep, NULL },
	{ SOL_SOCKET, SO_LINGER, set_linger, NULL },
	{ SOL_SOCKET, SO_PASSCRED, set_unsupported, get_unsupported },
	{ SOL_SOCKET, SO_PEERCRED, NULL, get_credentials },
	{ SOL_SOCKET, SO_BINDTODEVICE, set_device, get_device },
	{ SOL_SOCKET, SO_ATTACH_FILTER, set_filter, NULL },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, set_pacing, get_pacing },
	{ SOL_SOCKET, SO_PEERNAME, NULL, get_peer_name },
	{ SOL_SOCKET, SO_ACCEPTCONN, NULL, get_listening },
	{ SOL_SOCKET, SO_PEERSEC, NULL, get_unknown },
	{ SOL_SOCKET, SO_SNDBUFFORCE, set_forced_size, NULL },
	{ SOL_SOCKET, SO_RCVBUFFORCE, set_forced_size, NULL },
	{ SOL_SOCKET, SO_PASSSEC, set_unsupported, get_unsupported },
	{ SOL_SOCKET, SO_TIMESTAMPING_OLD, set_timestamping, NULL },
	{ SOL_SOCKET, SO_PROTOCOL, NULL, get_protocol },
	{ SOL_SOCKET, SO_DOMAIN, NULL, get_domain },
	{ SOL_SOCKET, SO_MEMINFO, NULL, get_memory },
	{ SOL_SOCKET, SO_PEERGROUPS, NULL, get_no_data },
	{ SOL_SOCKET, SO_ZEROCOPY, set_unsupported, get_zero },
	{ SOL_SOCKET, SO_BINDTOIFINDEX, set_device_index, NULL },
	{ SOL_SOCKET, SO_TIMESTAMPING_NEW, set_timestamping, NULL },
	{ SOL_SOCKET, SO_TXREHASH, set_rehash, get_rehash },
	{ SOL_SOCKET, SO_PASSPIDFD, set_unsupported, get_unsupported },
	{ SOL_SOCKET, SO_PEERPIDFD, NULL, get_no_data },
	{ SOL_SOCKET, SO_PASSRIGHTS, set_unsupported, get_unsupported },
	{ SOL_SOCKET, SO_INQ, set_unknown, get_unknown },
};

const int options_of_socket_count = array_length(options_of_socket);
