/* socket(2) and socketpair(2): which families there are, and fresh sockets. */
#include "guest/sys.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/netlink.h"
#include "guest/peer.h"
#include "guest/supervisor.h"

#define TYPE_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)

/* 0 and the kind, or what the kernel would say of a protocol that it has not. */
static int internet_kind(int family, int type, int protocol, enum socket_kind *ret)
{
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
		return -EPERM;
	default:
		return type > SOCK_PACKET ? -EINVAL : -ESOCKTNOSUPPORT;
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
	switch (call_int(c, 0)) {
	case AF_UNIX:
		call_continue(s, c);
		return;
	case AF_INET:
	case AF_INET6:
		create_internet(s, c, call_int(c, 0));
		return;
	case AF_NETLINK:
		create_netlink(s, c);
		return;
	default:
		(void)call_answer(s, c, -EAFNOSUPPORT);
		return;
	}
}

void sys_socketpair(struct supervisor *s, struct call *c)
{
	switch (call_int(c, 0)) {
	case AF_UNIX:
		call_continue(s, c);
		return;
	case AF_INET:
	case AF_INET6:
	case AF_NETLINK:
		(void)call_answer(s, c, -EOPNOTSUPP);
		return;
	default:
		(void)call_answer(s, c, -EAFNOSUPPORT);
		return;
	}
}
