/* socket(2) and socketpair(2): which families there are, and fresh sockets. */
#include "guest/sys.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/memory.h"
#include "guest/netlink.h"
#include "guest/peer.h"
#include "guest/supervisor.h"

#define TYPE_FLAGS   (SOCK_CLOEXEC | SOCK_NONBLOCK)
#define TYPE_MASK    0xf
#define FAMILY_END   46  /* NPROTO */
#define PROTOCOL_END 263 /* IPPROTO_MAX */

/* What the kernel looks at whatever the family is: 0, or what is wrong. */
static int check_type(int family, int type)
{
	if (type & ~(TYPE_MASK | TYPE_FLAGS))
		return -EINVAL;
	if (family < 0 || family >= FAMILY_END)
		return -EAFNOSUPPORT;
	return (type & TYPE_MASK) > SOCK_PACKET ? -EINVAL : 0;
}

/* 0 and the kind, or what the kernel would say of a protocol that it has not. */
static int internet_kind(int family, int type, int protocol, enum socket_kind *ret)
{
	if (protocol < 0 || protocol >= PROTOCOL_END)
		return -EINVAL;
	switch (type) {
	case SOCK_STREAM:
		*ret = SOCKET_TCP;
		return protocol == 0 || protocol == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
	case SOCK_DGRAM:
		*ret = SOCKET_UDP;
		if (family == AF_INET && protocol == IPPROTO_ICMP)
			return 0;
		return protocol == 0 || protocol == IPPROTO_UDP ? 0 : -EPROTONOSUPPORT;
	case SOCK_RAW:
		return protocol == 0 ? -EPROTONOSUPPORT : -EPERM;
	default:
		return -ESOCKTNOSUPPORT;
	}
}

/* The program's end. A pair's other end goes to *ret_other. */
static int make_ends(enum socket_kind kind, int flags, int *ret_other)
{
	const int type = kind == SOCKET_UDP ? SOCK_DGRAM : SOCK_SEQPACKET;
	int ends[2];

	if (kind == SOCKET_TCP) {
		const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

		return fd < 0 ? -errno : fd;
	}
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | flags, 0, ends) < 0)
		return -errno;
	*ret_other = ends[1];
	return ends[0];
}

static int64_t identify(struct supervisor *s, struct guest_socket *socket, int fd)
{
	uint64_t cookie = 0;

	if (descriptor_cookie(fd, &cookie) < 0)
		return -ENOBUFS;
	socket_set_cookie(&s->sockets, socket, cookie);
	socket_set_number(&s->sockets, socket, cookie);
	return 0;
}

static void create(struct supervisor *s, struct call *c, struct guest_socket *socket, int type)
{
	const int fd = make_ends(socket->kind, type & SOCK_NONBLOCK, &socket->end);
	const int64_t r = fd < 0 ? fd : identify(s, socket, fd);
	const int on = 1; /* an echo socket begins with it */

	if (r < 0) {
		if (fd >= 0)
			close(fd);
		socket_free(&s->sockets, socket);
		(void)call_answer(s, c, r == -EMFILE ? -ENFILE : r);
		return;
	}
	socket->hint_pid = descriptor_process(&s->descriptors, c->trapped.tid);
	if (socket->end >= 0)
		(void)watch_start(s->epoll_fd, &socket->watch, socket->end, EPOLLIN | EPOLLRDHUP);
	if (socket->kind == SOCKET_UDP)
		peer_name_end(fd);
	if (socket->is_echo)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (socket->kind != SOCKET_NETLINK) {
		liveness_add(&s->liveness, socket, fd);
		supervisor_sweep_later(s);
	}
	socket->hint_fd = call_answer_fd(s, c, fd, type & SOCK_CLOEXEC);
	close(fd);
	if (socket->hint_fd < 0 && socket->kind != SOCKET_NETLINK)
		peer_drop(s, socket);
}

static void create_internet(struct supervisor *s, struct call *c, int family)
{
	const int type = call_int(c, 1);
	enum socket_kind kind = SOCKET_TCP;
	int r = internet_kind(family, type & ~TYPE_FLAGS, call_int(c, 2), &kind);

	if (r == 0 && s->channel.is_lost)
		r = -ENETDOWN;
	struct guest_socket *socket = r == 0 ? socket_new(&s->sockets, kind, family) : NULL;

	if (!socket) {
		(void)call_answer(s, c, r < 0 ? r : -ENOBUFS);
		return;
	}
	socket->is_echo = kind == SOCKET_UDP && call_int(c, 2) == IPPROTO_ICMP;
	create(s, c, socket, type);
}

static void create_netlink(struct supervisor *s, struct call *c)
{
	const int type = call_int(c, 1), protocol = call_int(c, 2);

	switch (protocol) {
	case NETLINK_ROUTE:
		break;
	case NETLINK_KOBJECT_UEVENT:
	case NETLINK_AUDIT:
	case NETLINK_SELINUX:
		/* Devices and audit: asked for by udev, sudo and login; no way to a network. */
		call_continue(s, c);
		return;
	default:
		(void)call_answer(s, c, -EPROTONOSUPPORT);
		return;
	}
	if ((type & ~TYPE_FLAGS) != SOCK_RAW && (type & ~TYPE_FLAGS) != SOCK_DGRAM) {
		(void)call_answer(s, c, -ESOCKTNOSUPPORT);
		return;
	}
	struct guest_socket *socket = socket_new(&s->sockets, SOCKET_NETLINK, AF_NETLINK);

	if (socket) {
		socket->netlink_type = type & ~TYPE_FLAGS;
		create(s, c, socket, type);
	} else {
		(void)call_answer(s, c, -ENOBUFS);
	}
}

void sys_socket(struct supervisor *s, struct call *c)
{
	const int family = call_int(c, 0), type = call_int(c, 1) & TYPE_MASK;
	const int r = check_type(family, call_int(c, 1));

	if (r < 0)
		(void)call_answer(s, c, r);
	else if (family == AF_UNIX)
		call_continue(s, c);
	else if (family == AF_INET && type == SOCK_PACKET)
		(void)call_answer(s, c, -EPERM); /* it stands for AF_PACKET */
	else if (family == AF_INET || family == AF_INET6)
		create_internet(s, c, family);
	else if (family == AF_NETLINK)
		create_netlink(s, c);
	else
		(void)call_answer(s, c, -EAFNOSUPPORT);
}

/* The errno that says why there is no such pair. */
static int refuse_pair(const struct call *c)
{
	const int family = call_int(c, 0), type = call_int(c, 1) & TYPE_MASK;
	enum socket_kind kind = SOCKET_TCP;
	int numbers[2];
	int r = call_int(c, 1) & ~(TYPE_MASK | TYPE_FLAGS) ? -EINVAL : 0;

	/* Two numbers are written there before anything else is looked at. */
	if (r == 0)
		r = memory_read(c->trapped.tid, c->trapped.arguments[3], numbers, sizeof(numbers));
	if (r == 0)
		r = memory_write(c->trapped.tid, c->trapped.arguments[3], numbers, sizeof(numbers));
	if (r == 0)
		r = check_type(family, call_int(c, 1));
	if (r == 0 && (family == AF_INET || family == AF_INET6))
		r = internet_kind(family, type, call_int(c, 2), &kind);
	if (r == 0 && family == AF_NETLINK && type != SOCK_RAW && type != SOCK_DGRAM)
		r = -ESOCKTNOSUPPORT;
	if (r < 0)
		return r;
	return family == AF_INET || family == AF_INET6 || family == AF_NETLINK ? -EOPNOTSUPP
									       : -EAFNOSUPPORT;
}

void sys_socketpair(struct supervisor *s, struct call *c)
{
	if (call_int(c, 0) == AF_UNIX)
		call_continue(s, c);
	else
		(void)call_answer(s, c, refuse_pair(c));
}
