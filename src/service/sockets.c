/*
 * Sockets are known by what they are bound to, not by whose they are: a port that a new file gives
 * to another service passes over to it open, with whoever waits there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "service/manager_private.h"

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Without an address an IPv4 socket: it is what inetd's services expect. */
static socklen_t name_of(const struct config_port *port, union name *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (port->has_address && !reeve_address_is_ipv4(&port->address)) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port->port);
		memcpy(&ret->v6.sin6_addr, port->address.bytes, sizeof(ret->v6.sin6_addr));
		return sizeof(ret->v6);
	}
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons(port->port);
	if (port->has_address)
		ret->v4.sin_addr.s_addr = htonl(reeve_address_to_ipv4(&port->address));
	return sizeof(ret->v4);
}

static int open_socket(const struct config_port *port, int *ret_fd)
{
	const int type = port->is_udp ? SOCK_DGRAM : SOCK_STREAM, on = 1;
	union name name;
	const socklen_t length = name_of(port, &name);
	const int fd = socket(name.any.sa_family, type | SOCK_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (!port->is_udp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (name.any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &name.any, length) < 0 || (!port->is_udp && listen(fd, SOMAXCONN) < 0))
		r = -errno;
	if (r < 0)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

static bool is_same(const struct config_port *a, const struct config_port *b)
{
	return a->port == b->port && a->is_udp == b->is_udp && a->has_address == b->has_address &&
	       reeve_address_equal(&a->address, &b->address);
}

int sockets_get(struct manager *m, const struct config_port *port, struct service_socket **ret)
{
	struct service_socket *s;
	int fd = -1;

	list_for_each(node, &m->sockets) {
		s = list_entry(node, struct service_socket, node);
		if (is_same(&s->port, port)) {
			*ret = s;
			return 0;
		}
	}
	const int r = open_socket(port, &fd);

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	/* Its texts belong to a file that may go before it. */
	s->port = *port;
	s->port.text = s->port.label = NULL;
	s->fd = fd;
	s->manager = m;
	s->watch = (struct service_watch){ .kind = WATCH_SOCKET, .fd = -1 };
	list_append(&m->sockets, &s->node);
	*ret = s;
	return 0;
}

void sockets_close(struct service_socket *socket)
{
	manager_unwatch(socket->manager, &socket->watch);
	close(socket->fd);
	list_remove(&socket->node);
	free(socket);
}

void sockets_close_unused(struct manager *m)
{
	list_for_each_safe(node, &m->sockets) {
		struct service_socket *s = list_entry(node, struct service_socket, node);

		if (!s->service)
			sockets_close(s);
	}
}

/* Programs that get the socket itself wait in accept(); the manager does not. */
static void set_blocking(const struct service_socket *socket, bool is_blocking)
{
	const int flags = fcntl(socket->fd, F_GETFL);

	(void)fcntl(socket->fd, F_SETFL, is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

void sockets_give(struct service *s, struct service_socket *const sockets[CONFIG_PORTS_MOST],
		  size_t count)
{
	s->socket_count = count;
	for (size_t i = 0; i < count; i++) {
		manager_unwatch(s->manager, &sockets[i]->watch);
		set_blocking(sockets[i], s->config->start != START_NOWAIT);
		sockets[i]->service = s;
		s->sockets[i] = sockets[i];
	}
}

void sockets_poll(struct service *s, bool is_on)
{
	for (size_t i = 0; i < s->socket_count; i++) {
		struct service_socket *socket = s->sockets[i];

		if (is_on)
			manager_watch(s->manager, &socket->watch, socket->fd, EPOLLIN);
		else
			manager_unwatch(s->manager, &socket->watch);
	}
}

int sockets_accept(const struct service_socket *socket, char peer[REEVE_ADDRESS_TEXT],
		   char peer_port[8])
{
	union name name = { .v6 = { .sin6_family = AF_UNSPEC } };
	socklen_t length = sizeof(name);
	const int fd = accept4(socket->fd, &name.any, &length, SOCK_CLOEXEC);
	const bool is_v6 = fd >= 0 && name.any.sa_family == AF_INET6;

	/* Not ours are failures of a connection that is no more (accept(2)). */
	if (fd < 0)
		return errno == ECONNABORTED || errno == EPROTO || errno == EINTR ? -EAGAIN
										  : -errno;
	const void *address = is_v6 ? (const void *)&name.v6.sin6_addr : &name.v4.sin_addr;

	if (!inet_ntop(name.any.sa_family, address, peer, REEVE_ADDRESS_TEXT))
		peer[0] = '\0';
	(void)snprintf(peer_port, 8, "%u", ntohs(is_v6 ? name.v6.sin6_port : name.v4.sin_port));
	return fd;
}

int sockets_prepare(struct manager *m, const struct config_service *config,
		    struct service_socket *ret[CONFIG_PORTS_MOST],
		    const struct config_port **ret_port)
{
	for (size_t i = 0; config_has_sockets(config) && i < config->port_count; i++) {
		const int r = sockets_get(m, &config->ports[i], &ret[i]);

		if (r < 0) {
			*ret_port = &config->ports[i];
			return r;
		}
	}
	return 0;
}
