/*
 * What the owner of a UDP socket does with it, but for sending (udp_output.c), options
 * (udp_option.c) and groups (udp_membership.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "stack/iface.h"
#include "stack/udp_private.h"

#define RECEIVE_BUFFER_DEFAULT 212992 /* Linux's net.core.rmem_default */
#define FIRST_CAPACITY         16

/* Room in the array for one more, up to the host's limit. */
static bool make_room(struct udp_host *u, uint32_t limit)
{
	if (u->count >= limit)
		return false;
	if (u->count < u->capacity)
		return true;
	const uint32_t capacity = u->capacity ? 2 * u->capacity : FIRST_CAPACITY;
	struct reeve_udp **const sockets =
		realloc(u->sockets, capacity * sizeof(struct reeve_udp *));

	if (!sockets)
		return false;
	u->sockets = sockets;
	u->capacity = capacity;
	return true;
}

struct reeve_udp *udp_new(struct reeve_host *host, struct udp_host *table, enum reeve_family family,
			  void *user)
{
	struct udp_host *const u = table;

	if (!make_room(u, host->config.max_sockets))
		return NULL;
	struct reeve_udp *const udp = calloc(1, sizeof(*udp));

	if (!udp)
		return NULL;
	udp->host = host;
	udp->table = table;
	udp->family = (uint8_t)family;
	udp->ttl = IP_DEFAULT_TTL;
	udp->multicast_ttl = 1;
	udp->multicast_loop = true;
	udp->multicast_all = true;
	socket_events_init(&udp->events, REEVE_UDP, udp, user);
	udp_queue_init(&udp->queue, RECEIVE_BUFFER_DEFAULT);
	port_reservation_init(&udp->reservation, family == REEVE_IPV6);
	list_init(&udp->listener.node);
	udp->bound = family == REEVE_IPV6 ? reeve_any_ipv6 : reeve_any_ipv4;
	udp->index = u->count;
	u->sockets[u->count++] = udp;
	host->stats.udp_sockets++;
	return udp;
}

struct reeve_udp *reeve_udp_new(struct reeve_host *host, enum reeve_family family, void *user)
{
	return udp_new(host, host->udp, family, user);
}

static void stop_listening(struct reeve_udp *udp)
{
	if (udp->listening)
		port_demux_remove_listener(udp->table->demux, &udp->listener);
	udp->listening = false;
}

/* Once the port is known the socket can be reached. */
static int start_listening(struct reeve_udp *udp)
{
	const struct port_reservation *const r = &udp->reservation;

	check(!udp->listening && r->port != 0);
	udp->listener.address = r->address;
	udp->listener.port = r->port;
	udp->listener.ipv6 = udp->family == REEVE_IPV6;
	udp->listener.ipv6_only = r->ipv6_only;
	udp->listener.reuse_port = r->reuse_port;
	const int error = port_demux_add_listener(udp->table->demux, &udp->listener);

	udp->listening = error == 0;
	return error;
}

static void leave_intercepts(struct udp_host *u, const struct reeve_udp *udp)
{
	for (unsigned i = 0; i < u->intercept_count; i++) {
		if (u->intercepts[i] == udp) {
			u->intercepts[i] = u->intercepts[--u->intercept_count];
			return;
		}
	}
}

/* Not connected any more: back to where bind had left it. */
static void leave_flow(struct reeve_udp *udp)
{
	if (!udp->table->is_echo)
		port_demux_remove_flow(udp->table->demux, &udp->flow);
	udp->connected = false;
}

void reeve_udp_close(struct reeve_udp *udp)
{
	if (!udp)
		return;
	struct udp_host *const u = udp->table;

	host_silence(&udp->events);
	udp_membership_leave_all(udp);
	udp_cork_free(udp);
	udp_problems_deinit(&udp->problems);
	u->devices -= udp->device != 0;
	if (udp->connected)
		leave_flow(udp);
	stop_listening(udp);
	if (udp->intercept)
		leave_intercepts(u, udp);
	port_space_release(u->space, &udp->reservation);
	udp_queue_deinit(&udp->queue);
	u->sockets[udp->index] = u->sockets[--u->count];
	u->sockets[udp->index]->index = udp->index;
	udp->host->stats.udp_sockets--;
	free(udp);
}

/* Whether the address is of a kind that the socket can use at all. */
static int family_check(const struct reeve_udp *udp, const struct reeve_address *a)
{
	return udp->family == REEVE_IPV4 && !reeve_address_is_ipv4(a) ? -EAFNOSUPPORT : 0;
}

/* Linux lets UDP bind to what it can receive for: own, broadcast and multicast addresses. */
static bool may_bind_to(const struct reeve_host *host, const struct reeve_address *a)
{
	unsigned iface;

	if (reeve_address_is_unspecified(a) || reeve_host_has_address(host, a))
		return true;
	return reeve_address_is_ipv4(a) &&
	       (reeve_address_is_broadcast(a) || reeve_address_is_multicast(a) ||
		iface_relation_of(host, reeve_address_to_ipv4(a), &iface) == IFACE_BROADCAST);
}

int reeve_udp_bind(struct reeve_udp *udp, const struct reeve_sockaddr *local)
{
	struct udp_host *const u = udp->table;
	const int unfit = family_check(udp, &local->address);

	if (unfit)
		return unfit;
	if (udp->intercept || udp->reservation.state != PORT_NONE)
		return -EINVAL;
	if (udp->reservation.ipv6_only && reeve_address_is_ipv4(&local->address))
		return -EINVAL;
	if (!may_bind_to(udp->host, &local->address))
		return -EADDRNOTAVAIL;
	int error = port_space_bind(u->space, &udp->reservation, &local->address, local->port);

	if (error)
		return error;
	if (udp->reservation.port != 0) {
		error = start_listening(udp);
		if (error) {
			port_space_release(u->space, &udp->reservation);
			return error;
		}
	}
	udp->bound = local->address;
	udp->named = local->port != 0;
	return 0;
}

/* A deferred port is chosen now. */
static int settle(struct reeve_udp *udp)
{
	struct udp_host *const u = udp->table;

	if (udp->connected || udp->listening || udp->reservation.state == PORT_NONE)
		return 0;
	const int error = port_space_settle(u->space, &udp->reservation);

	return error ? error : start_listening(udp);
}

int udp_autobind(struct reeve_udp *udp)
{
	struct udp_host *const u = udp->table;

	if (udp->reservation.state == PORT_NONE && !udp->connected) {
		const int error = port_space_bind(u->space, &udp->reservation, &udp->bound, 0);

		if (error)
			return error == -EADDRINUSE ? -EAGAIN : error;
	}
	const int error = settle(udp);

	return error == -EADDRINUSE ? -EAGAIN : error;
}

/* As in Linux: the address that bind gave stays, the port only if it was named. */
static int disconnect(struct reeve_udp *udp)
{
	struct port_space *const space = udp->table->space;

	if (udp->connected) {
		leave_flow(udp);
		if (!udp->table->is_echo)
			port_space_disconnect(space, &udp->reservation);
	}
	if (!udp->named) {
		stop_listening(udp);
		port_space_release(space, &udp->reservation);
	}
	return udp->named && !udp->listening ? start_listening(udp) : 0;
}

/* Its own address: the one that connect chose stays for the next connect, as in Linux, until
 * disconnect; else what bind gave. */
static const struct reeve_address *own_address(const struct reeve_udp *udp)
{
	return udp->connected ? &udp->flow.local_address : &udp->bound;
}

struct reeve_address udp_source(const struct reeve_udp *udp,
				const struct reeve_address *destination)
{
	const struct reeve_address *const own = own_address(udp);

	/* One that the host has given up stays, so that sending from it fails. */
	if ((!reeve_host_has_address(udp->host, own) && !iface_is_unusable(udp->host, own)) ||
	    reeve_address_is_ipv4(own) != reeve_address_is_ipv4(destination))
		return reeve_any_ipv6;
	return *own;
}

int udp_destination(const struct reeve_udp *udp, const struct reeve_sockaddr *given,
		    struct reeve_sockaddr *ret)
{
	const int unfit = family_check(udp, &given->address);

	if (unfit)
		return unfit;
	if (udp->reservation.ipv6_only && reeve_address_is_ipv4(&given->address))
		return -ENETUNREACH;
	*ret = *given;
	/* To nowhere is to oneself, at one's own address if there is one. */
	if (reeve_address_equal(&given->address, &reeve_any_ipv4)) {
		const struct reeve_address own = udp_source(udp, &given->address);

		ret->address = reeve_address_is_ipv4(&own) ? own : reeve_loopback_ipv4;
	} else if (reeve_address_equal(&given->address, &reeve_any_ipv6)) {
		ret->address = reeve_address_is_ipv4(own_address(udp)) ? reeve_loopback_ipv4
								       : reeve_loopback_ipv6;
	}
	return 0;
}

struct ip_way udp_way(const struct reeve_udp *udp, const struct reeve_address *destination)
{
	struct ip_way way = { .out = udp->device, .on_link = udp->dont_route };

	if (reeve_address_is_ipv4(destination) && reeve_address_is_multicast(destination)) {
		way.no_loopback = !udp->multicast_loop;
		if (!way.out)
			way.out = udp->multicast_device;
	}
	return way;
}

int udp_route(const struct reeve_udp *udp, const struct reeve_address *destination,
	      const struct reeve_address *source, struct ip_way way, struct ip_route *ret)
{
	/* Bound to an IPv4 address, the wildcard too, an IPv6 socket is none any more. */
	if (reeve_address_is_ipv4(own_address(udp)) && !reeve_address_is_ipv4(destination))
		return -EAFNOSUPPORT;
	struct ip_route r;
	const int error = ip_route_by(udp->host, destination, source, way, &r);

	if (error)
		return error;
	if (r.broadcast && !udp->may_broadcast)
		return -EACCES;
	*ret = r;
	return 0;
}

/* After a connect that failed: as it was; both tables have just had room for it. */
static void restore(struct reeve_udp *udp, const struct port_flow *before, bool was_connected,
		    bool was_listening)
{
	struct udp_host *const u = udp->table;

	udp->flow = *before;
	if (was_connected) {
		udp->connected = port_demux_add_flow(u->demux, &udp->flow) == 0;
		if (!udp->connected)
			port_space_release(u->space, &udp->reservation);
	}
	if (was_listening)
		start_listening(udp);
}

static int join_flow(struct reeve_udp *udp, const struct reeve_sockaddr *to,
		     const struct reeve_address *source)
{
	struct udp_host *const u = udp->table;
	const struct port_flow before = udp->flow;
	const bool was_connected = udp->connected;
	const bool was_listening = udp->listening;
	struct port_wait *replaced;

	if (was_connected)
		leave_flow(udp);
	stop_listening(udp);
	udp->flow.local_address = *source;
	udp->flow.remote_address = to->address;
	udp->flow.local_port = udp->reservation.port;
	udp->flow.remote_port = to->port;
	const int error = port_space_connect(u->space, &udp->reservation, u->demux, &udp->flow,
					     udp->host->now, &replaced);

	if (error)
		restore(udp, &before, was_connected, was_listening);
	else
		udp->connected = true;
	return error == -EADDRNOTAVAIL ? -EAGAIN : error;
}

/* As in Linux an echo socket still receives from everybody. */
static int remember_peer(struct reeve_udp *udp, const struct reeve_sockaddr *to,
			 const struct reeve_address *source)
{
	const int error = udp_autobind(udp);

	if (error)
		return error;
	udp->flow.local_address = *source;
	udp->flow.remote_address = to->address;
	udp->flow.local_port = udp->reservation.port;
	udp->flow.remote_port = to->port;
	udp->connected = true;
	return 0;
}

static int connect_to(struct reeve_udp *udp, const struct reeve_sockaddr *remote)
{
	struct reeve_sockaddr to;
	struct ip_route route;
	int error = udp_destination(udp, remote, &to);

	if (error)
		return error;
	const struct reeve_address source = udp_source(udp, &to.address);

	error = udp_route(udp, &to.address, &source, udp_way(udp, &to.address), &route);
	if (error)
		return error;
	return udp->table->is_echo ? remember_peer(udp, &to, &route.source)
				   : join_flow(udp, &to, &route.source);
}

int reeve_udp_connect(struct reeve_udp *udp, const struct reeve_sockaddr *remote)
{
	if (udp->intercept)
		return -EINVAL;
	if (!remote)
		return disconnect(udp);
	const int error = connect_to(udp, remote);

	/* Linux chooses a port before it tries. */
	if (error)
		udp_autobind(udp);
	return error;
}

int reeve_udp_local(struct reeve_udp *udp, struct reeve_sockaddr *ret)
{
	const int error = udp->intercept ? 0 : settle(udp);

	if (error)
		return error;
	*ret = (struct reeve_sockaddr){ 0 };
	if (udp->connected) {
		ret->address = udp->flow.local_address;
		ret->port = udp->flow.local_port;
	} else if (udp->intercept) {
		ret->address = udp->to.address;
		ret->port = udp->to_port;
	} else {
		ret->address = udp->bound;
		ret->port = udp->reservation.port;
	}
	return 0;
}

int reeve_udp_remote(const struct reeve_udp *udp, struct reeve_sockaddr *ret)
{
	/* A peer without a port is none, in Linux too. */
	if (!udp->connected || udp->flow.remote_port == 0)
		return -ENOTCONN;
	*ret = (struct reeve_sockaddr){ .address = udp->flow.remote_address,
					.port = udp->flow.remote_port };
	return 0;
}

bool reeve_udp_peek(const struct reeve_udp *udp, struct reeve_datagram *ret)
{
	const struct udp_waiting *const w = udp_queue_first(&udp->queue);

	if (!w)
		return false;
	ret->remote = w->remote;
	ret->local = w->local;
	ret->iface = w->iface;
	ret->arrived = w->arrived;
	ret->ttl = w->ttl;
	ret->tos = w->tos;
	ret->length = w->packet->length;
	ret->iov_count = reeve_packet_iov(w->packet, ret->iov, array_length(ret->iov));
	return true;
}

void reeve_udp_consume(struct reeve_udp *udp)
{
	if (udp_queue_first(&udp->queue))
		udp_queue_pop(&udp->queue);
}

uint32_t reeve_udp_lost(const struct reeve_udp *udp)
{
	return udp->queue.lost;
}

int reeve_udp_error(struct reeve_udp *udp)
{
	const int error = udp->error;

	udp->error = 0;
	return error;
}

int reeve_udp_intercept(struct reeve_host *host, const struct reeve_prefix *to, uint16_t port,
			void *user, struct reeve_udp **ret)
{
	static const struct reeve_prefix everything = { { { 0 } }, 0 };
	struct udp_host *const u = host->udp;
	const struct reeve_prefix *const prefix = to ? to : &everything;

	if (prefix->length > (reeve_address_is_ipv4(&prefix->address) ? 32 : 128))
		return -EINVAL;
	for (unsigned i = 0; i < u->intercept_count; i++) {
		const struct reeve_udp *const other = u->intercepts[i];

		if (other->to_port == port && other->to.length == prefix->length &&
		    reeve_address_equal(&other->to.address, &prefix->address))
			return -EADDRINUSE;
	}
	if (u->intercept_count == UDP_INTERCEPTS)
		return -ENOBUFS;
	struct reeve_udp *const udp =
		udp_new(host, u, reeve_address_family(&prefix->address), user);

	if (!udp)
		return -ENOBUFS;
	udp->intercept = true;
	udp->to = *prefix;
	udp->to_port = port;
	u->intercepts[u->intercept_count++] = udp;
	*ret = udp;
	return 0;
}
