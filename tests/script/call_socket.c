/* Sockets: made, bound, connected, accepted, ended; and what belongs to their descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "call.h"
#include "reeve/udp.h"

/* What settings of the kernel make of a new socket. */
static void set_defaults(const struct run *r, struct reeve_tcp *tcp)
{
	for (unsigned i = 0; i < REEVE_TCP_OPTION_COUNT; i++)
		if (r->options[i] >= 0 &&
		    reeve_tcp_set(tcp, (enum reeve_tcp_option)i, r->options[i]) < 0)
			script_fault(r->fault, (struct script_place){ 1, 1 },
				     "a setting's value is out of range: %lld",
				     (long long)r->options[i]);
}

static bool open_socket(struct call *c, enum handle_kind kind, enum reeve_family family,
			bool is_nonblocking, int64_t *ret)
{
	struct handle *const h = call_new_handle(c, kind, ret);

	if (!h)
		return true;
	h->is_nonblocking = is_nonblocking;
	if (kind == HANDLE_STREAM)
		h->tcp = reeve_tcp_new(c->run->world.host, family, h);
	else
		h->udp = reeve_udp_new(c->run->world.host, family, h);
	if (!h->tcp && !h->udp) {
		h->kind = HANDLE_NONE;
		*ret = -ENOBUFS;
		return true;
	}
	if (kind == HANDLE_STREAM) {
		set_defaults(c->run, h->tcp);
		c->run->under_test = (int)*ret;
	}
	return true;
}

static bool try_socket(struct call *c, int64_t *ret)
{
	const int64_t type = call_integer(c, 1), protocol = call_integer(c, 2);
	const int64_t domain = call_is_any(c, 0) ? AF_INET : call_integer(c, 0);
	const bool is_nonblocking = (type & SOCK_NONBLOCK) != 0;

	if (domain == AF_INET6)
		return call_refuse(c, call_argument(c, 0), ret, "the stack has no IPv6");
	if (domain != AF_INET)
		return call_refuse(c, call_argument(c, 0), ret, "only AF_INET is supported");
	switch (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) {
	case SOCK_STREAM:
		if (protocol == IPPROTO_TCP || protocol == 0)
			return open_socket(c, HANDLE_STREAM, REEVE_IPV4, is_nonblocking, ret);
		break;
	case SOCK_DGRAM:
		if (protocol == IPPROTO_UDP || protocol == 0)
			return open_socket(c, HANDLE_DATAGRAM, REEVE_IPV4, is_nonblocking, ret);
		break;
	default:
		return call_refuse(c, call_argument(c, 1), ret,
				   "only SOCK_STREAM and SOCK_DGRAM are supported");
	}
	return call_refuse(c, call_argument(c, 2), ret,
			   "only IPPROTO_TCP and IPPROTO_UDP are supported");
}

static bool try_bind(struct call *c, int64_t *ret)
{
	const struct reeve_sockaddr otherwise = { reeve_any_ipv4,
						  c->run->script->settings.bind_port, 0 };
	struct handle *const h = call_socket(c, ret);

	if (!h)
		return true;

	const struct reeve_sockaddr name = call_name(c, call_argument(c, 1), &otherwise);

	call_compare_length(c, 2, 16);
	*ret = h->udp ? reeve_udp_bind(h->udp, &name) : reeve_tcp_bind(h->tcp, &name);
	return true;
}

static bool try_listen(struct call *c, int64_t *ret)
{
	struct handle *const h = call_handle(c, HANDLE_STREAM, ret);

	if (!h)
		return true;
	*ret = reeve_tcp_listen(h->tcp, (uint32_t)call_integer(c, 1));
	if (*ret == 0)
		h->is_listener = true;
	return true;
}

static bool accept_with(struct call *c, bool is_nonblocking, int64_t *ret)
{
	struct handle *const listener = call_handle(c, HANDLE_STREAM, ret);
	struct reeve_sockaddr name;

	if (!listener)
		return true;
	if (!listener->is_listener) {
		*ret = -EINVAL;
		return true;
	}

	struct reeve_tcp *const tcp = reeve_tcp_accept(listener->tcp, NULL);

	if (!tcp) {
		*ret = -EAGAIN;
		return listener->is_nonblocking;
	}

	struct handle *const h = call_new_handle(c, HANDLE_STREAM, ret);

	if (!h) {
		reeve_tcp_abort(tcp);
		return true;
	}
	h->tcp = tcp;
	h->is_nonblocking = is_nonblocking;
	h->was_connected = true;
	reeve_tcp_set_user(tcp, h);
	c->run->under_test = (int)*ret;
	if (reeve_tcp_remote(tcp, &name) == 0)
		call_compare_name(c, call_argument(c, 1), &name);
	call_compare_length(c, 2, 16);
	return true;
}

static bool try_accept(struct call *c, int64_t *ret)
{
	return accept_with(c, false, ret);
}

static bool try_accept4(struct call *c, int64_t *ret)
{
	const int64_t flags = call_integer(c, 3);

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return call_fault(c, call_argument(c, 3), ret, "unknown flags");
	return accept_with(c, (flags & SOCK_NONBLOCK) != 0, ret);
}

/* What a connect() that has begun has come to. */
static bool connect_end(struct handle *h, int64_t *ret)
{
	if (handle_is_connected(h)) {
		h->is_connecting = false;
		*ret = 0;
		return true;
	}
	if (reeve_tcp_state(h->tcp) == REEVE_TCP_CLOSED) {
		h->is_connecting = false;
		*ret = handle_take_error(h);
		if (*ret == 0)
			*ret = -ECONNABORTED;
		return true;
	}
	return false;
}

static bool try_connect(struct call *c, int64_t *ret)
{
	const struct script_settings *const s = &c->run->script->settings;
	const struct reeve_sockaddr otherwise = { s->remote, s->connect_port, 0 };
	struct handle *const h = call_socket(c, ret);

	if (!h)
		return true;
	if (c->has_started)
		return connect_end(h, ret);
	if (h->is_connecting) {
		*ret = -EALREADY;
		return connect_end(h, ret) || h->is_nonblocking;
	}

	const struct reeve_sockaddr name = call_name(c, call_argument(c, 1), &otherwise);

	call_compare_length(c, 2, 16);
	if (h->udp) {
		*ret = reeve_udp_connect(h->udp, &name);
		return true;
	}
	*ret = reeve_tcp_connect(h->tcp, &name, c->run->world.now);
	if (*ret < 0)
		return true;
	h->is_connecting = true;
	/* As Linux: nothing is under way, and nothing to wait for, before the first write. */
	if (reeve_tcp_awaits_write(h->tcp)) {
		*ret = 0;
		return true;
	}
	*ret = -EINPROGRESS;
	return h->is_nonblocking;
}

static bool try_shutdown(struct call *c, int64_t *ret)
{
	const int64_t how = call_integer(c, 1);
	struct handle *const h = call_handle(c, HANDLE_STREAM, ret);

	if (!h)
		return true;
	if (how < SHUT_RD || how > SHUT_RDWR) {
		*ret = -EINVAL;
		return true;
	}
	if (!handle_is_connected(h)) {
		*ret = -ENOTCONN;
		return true;
	}
	*ret = how == SHUT_RD ? 0 : reeve_tcp_shutdown(h->tcp);
	if (*ret == 0) {
		h->is_shut_read |= how != SHUT_WR;
		h->is_shut_write |= how != SHUT_RD;
	}
	if (h->is_shut_read && h->is_shut_write)
		reeve_tcp_deafen(h->tcp);
	return true;
}

static void forget(struct run *r, int fd)
{
	for (unsigned i = 0; i < RUN_HANDLES; i++)
		for (unsigned n = 0; r->handles[i].kind == HANDLE_EPOLL && n < EPOLL_ITEMS; n++)
			if (r->handles[i].items[n].fd == fd)
				r->handles[i].items[n].is_used = false;
	if (r->under_test == fd)
		r->under_test = -1;
	r->handles[fd] = (struct handle){ 0 };
}

/* With a linger time close() waits until the peer has acknowledged everything, the FIN too. */
static bool close_stream(struct call *c, struct handle *h)
{
	struct reeve_sockaddr local, remote;
	struct reeve_tcp_info info;

	if (h->linger_s > 0 && handle_is_connected(h)) {
		if (!c->has_started) {
			c->timeout = reeve_time_add_ms(c->begin, h->linger_s * 1000);
			(void)reeve_tcp_shutdown(h->tcp);
		}
		reeve_tcp_info(h->tcp, &info);
		if ((reeve_tcp_unsent(h->tcp) > 0 || info.state == REEVE_TCP_FIN_WAIT_1 ||
		     info.state == REEVE_TCP_CLOSING || info.state == REEVE_TCP_LAST_ACK) &&
		    reeve_time_before(c->run->world.now, c->timeout))
			return false;
	}
	if (reeve_tcp_remote(h->tcp, &remote) == 0 && reeve_tcp_local(h->tcp, &local) == 0)
		run_close_flow(c->run, local.port, remote.port);
	if (h->linger_s == 0)
		reeve_tcp_abort(h->tcp);
	else
		reeve_tcp_close(h->tcp);
	return true;
}

static bool try_close(struct call *c, int64_t *ret)
{
	const int64_t fd = call_integer(c, 0);
	struct handle *const h = fd >= 0 && fd < RUN_HANDLES ? &c->run->handles[fd] : NULL;

	*ret = -EBADF;
	if (!h || h->kind == HANDLE_NONE)
		return true;
	if (h->kind == HANDLE_STREAM && !close_stream(c, h))
		return false;
	if (h->udp)
		reeve_udp_close(h->udp);
	handle_release(h);
	forget(c->run, (int)fd);
	*ret = 0;
	return true;
}

static bool try_fcntl(struct call *c, int64_t *ret)
{
	const int64_t command = call_integer(c, 1);
	struct handle *const h = call_socket(c, ret);

	if (!h)
		return true;
	if (command == F_GETFL) {
		*ret = O_RDWR | (h->is_nonblocking ? O_NONBLOCK : 0);
		return true;
	}
	if (command != F_SETFL || c->spec->count != 3)
		return call_fault(c, call_argument(c, 1), ret, "only F_GETFL and F_SETFL");

	const int64_t flags = call_integer(c, 2);

	if (flags & ~(int64_t)(O_RDWR | O_NONBLOCK))
		return call_fault(c, call_argument(c, 2), ret, "only O_RDWR and O_NONBLOCK");
	h->is_nonblocking = (flags & O_NONBLOCK) != 0;
	*ret = 0;
	return true;
}

static bool try_ioctl(struct call *c, int64_t *ret)
{
	const int64_t command = call_integer(c, 1);
	struct handle *const h = call_handle(c, HANDLE_STREAM, ret);
	struct reeve_tcp_info info;

	if (!h)
		return true;
	*ret = 0;
	reeve_tcp_info(h->tcp, &info);

	const struct script_value *const v = call_argument(c, 2);
	const size_t queued = reeve_tcp_unsent(h->tcp);

	if (command == FIONREAD)
		call_compare_integer(c, v, (int64_t)reeve_tcp_readable(h->tcp), "bytes to read");
	else if (command == SIOCOUTQ)
		call_compare_integer(c, v, (int64_t)queued, "bytes not acknowledged");
	else if (command == SIOCOUTQNSD)
		call_compare_integer(c, v, (int64_t)(queued - info.bytes_in_flight),
				     "bytes not sent");
	else if (command == SIOCATMARK)
		call_compare_integer(c, v, reeve_tcp_urgent_offset(h->tcp) == 1, "at the mark");
	else if (command == FIONBIO)
		h->is_nonblocking = call_value(c, v) != 0;
	else
		return call_fault(c, call_argument(c, 1), ret, "this request is not supported");
	return true;
}

static bool try_getsockname(struct call *c, int64_t *ret)
{
	struct handle *const h = call_socket(c, ret);
	struct reeve_sockaddr name;

	if (!h)
		return true;
	*ret = h->udp ? reeve_udp_local(h->udp, &name) : reeve_tcp_local(h->tcp, &name);
	call_compare_length(c, 2, 16);
	if (*ret == 0)
		call_compare_name(c, call_argument(c, 1), &name);
	return true;
}

static bool try_getpeername(struct call *c, int64_t *ret)
{
	struct handle *const h = call_socket(c, ret);
	struct reeve_sockaddr name;

	if (!h)
		return true;
	*ret = h->udp ? reeve_udp_remote(h->udp, &name) : reeve_tcp_remote(h->tcp, &name);
	call_compare_length(c, 2, 16);
	if (*ret == 0)
		call_compare_name(c, call_argument(c, 1), &name);
	return true;
}

const struct call_kind call_socket_kinds[] = {
	{ "socket", 3, 3, try_socket },
	{ "bind", 3, 3, try_bind },
	{ "listen", 2, 2, try_listen },
	{ "accept", 3, 3, try_accept },
	{ "accept4", 4, 4, try_accept4 },
	{ "connect", 3, 3, try_connect },
	{ "shutdown", 2, 2, try_shutdown },
	{ "close", 1, 1, try_close },
	{ "fcntl", 2, 3, try_fcntl },
	{ "ioctl", 3, 3, try_ioctl },
	{ "getsockname", 3, 3, try_getsockname },
	{ "getpeername", 3, 3, try_getpeername },
	{ 0 },
};
