/*
 * UDP's way out (RFC 768, RFC 1122, 4.1): one copy of the payload into a buffer, and nothing more
 * until the link.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "stack/udp_private.h"
#include "wire/pseudo.h"
#include "wire/udp.h"

/* The payload limits that the length fields of the two families leave (RFC 768; RFC 8200, 3). */
#define MAX_IPV4 REEVE_UDP_MAX
#define MAX_IPV6 (65535 - UDP_HEADER)

/* A small payload needs no buffer: it goes into the packet's head, with this much room in front for
 * Ethernet, IPv6 and UDP. */
#define HEAD_ROOM (14 + 40 + UDP_HEADER + 2)

static int gather_length(const struct iovec *iov, size_t count, size_t most, size_t *ret)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		if (iov[i].iov_len > most - length)
			return -EMSGSIZE;
		length += iov[i].iov_len;
	}
	*ret = length;
	return 0;
}

static void gather(uint8_t *to, const struct iovec *iov, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (iov[i].iov_len == 0)
			continue;
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
}

/* The payload in a packet with room in front. NULL at the pool's limit. */
static struct reeve_packet *payload(struct reeve_pool *pool, const struct iovec *iov, size_t count,
				    size_t length)
{
	struct reeve_packet *const p = packet_new(pool);

	if (!p)
		return NULL;
	if (length <= PACKET_HEAD - HEAD_ROOM) {
		p->head_start = HEAD_ROOM;
		p->head_end = (uint16_t)(HEAD_ROOM + length);
		p->length = (uint32_t)length;
		gather(packet_data(p), iov, count);
		return p;
	}
	struct buffer *const b = buffer_new(pool, length);

	if (!b)
		return reeve_packet_free(p);
	gather(b->bytes, iov, count);
	packet_append(p, b, 0, (uint32_t)length);
	buffer_unref(b);
	return p;
}

/* Which name the datagram goes out from. */
static int choose_source(struct reeve_udp *udp, const struct reeve_sockaddr *from,
			 const struct reeve_address *destination, struct reeve_sockaddr *ret)
{
	if (udp->intercept) {
		if (!from || from->port == 0 || reeve_address_is_unspecified(&from->address))
			return -EINVAL;
		*ret = *from;
		return 0;
	}
	const int error = reeve_udp_local(udp, ret);

	if (error)
		return error;
	if (from && !reeve_address_is_unspecified(&from->address)) {
		if (!reeve_host_has_address(udp->host, &from->address))
			return -ENETUNREACH;
		ret->address = from->address;
	} else {
		ret->address = udp_source(udp, destination);
	}
	return 0;
}

static int transmit(struct reeve_udp *udp, struct reeve_packet *p, const struct ip_send *how,
		    uint16_t source_port, uint16_t destination_port)
{
	const uint16_t length = (uint16_t)(p->length + UDP_HEADER);
	const struct udp_header h = {
		.source = source_port,
		.destination = destination_port,
		.length = length,
		.checksum =
			checksum_fold(pseudo_sum(&how->source, &how->destination, IP_UDP, length)),
	};

	udp_emit(&h, packet_push(p, UDP_HEADER));
	p->offload = (struct reeve_offload){
		.checksum = REEVE_CHECKSUM_PARTIAL,
		.checksum_offset = UDP_CHECKSUM_OFFSET,
	};
	const int error = ip_send_take(udp->host, p, how);

	if (error == 0)
		udp->host->stats.udp_out++;
	return error;
}

/* All that is known of a datagram before its bytes are. */
struct plan {
	struct ip_send how;
	uint16_t from, to; /* ports */
	uint32_t mtu;
};

/* Several sends that become one datagram: the first one's plan holds for all (udp(7), UDP_CORK). */
struct udp_cork {
	struct plan plan;
	size_t length;
	uint8_t bytes[MAX_IPV6];
};

static uint8_t choose_ttl(const struct reeve_udp *udp, const struct reeve_udp_message *m,
			  const struct ip_route *route)
{
	if (m->ttl >= 0)
		return (uint8_t)m->ttl;
	return route->multicast ? udp->multicast_ttl : udp->ttl;
}

static int plan(struct reeve_udp *udp, const struct reeve_udp_message *m,
		const struct reeve_sockaddr *remote, struct plan *ret)
{
	struct ip_way way = udp_way(udp, &remote->address);
	struct reeve_sockaddr local;
	struct ip_route route;
	int error = choose_source(udp, m->from, &remote->address, &local);

	if (m->out)
		way.out = (uint8_t)m->out;
	way.on_link |= m->dont_route;
	if (!error)
		error = udp_route(udp, &remote->address, &local.address, way, &route);
	if (error)
		return error;
	const uint8_t ttl = choose_ttl(udp, m, &route);

	*ret = (struct plan){
		.how = {
			.source = route.source,
			.destination = remote->address,
			.protocol = udp->table->is_echo ? IP_ICMP : IP_UDP,
			.ttl = ttl,
			.tos = m->tos >= 0 ? (uint8_t)m->tos : udp->tos,
			.dont_fragment = udp->dont_fragment,
			.host_only = ttl == 0,
			.way = way,
		},
		.from = local.port,
		.to = remote->port,
		.mtu = route.mtu,
	};
	return 0;
}

/* The owner has asked not to have it cut, and to be told. */
static void keep_too_big(struct reeve_udp *udp, const struct plan *plan)
{
	const struct reeve_udp_problem facts = {
		.error = EMSGSIZE,
		.is_local = true,
		.info = plan->mtu,
		.remote = { .address = plan->how.destination, .port = plan->to },
		.arrived = udp->host->now,
	};

	if (!udp->keeps_problems)
		return;
	udp_problems_push_take(&udp->problems, &facts, NULL);
	host_raise(udp->host, &udp->events, REEVE_FAILED);
}

static int send_planned(struct reeve_udp *udp, const struct plan *plan, const struct iovec *iov,
			size_t count, size_t length)
{
	struct reeve_packet *const p = payload(udp->host->pool, iov, count, length);
	int error;

	if (!p)
		return -ENOBUFS;
	if (udp->table->is_echo) {
		udp_echo_finish(p, plan->from);
		error = ip_send_take(udp->host, p, &plan->how);
		udp->host->stats.icmp_out += error == 0;
	} else {
		error = transmit(udp, p, &plan->how, plan->from, plan->to);
	}
	if (error == -EMSGSIZE)
		keep_too_big(udp, plan);
	return error;
}

void udp_cork_free(struct reeve_udp *udp)
{
	free(udp->cork);
	udp->cork = NULL;
}

int udp_cork_flush(struct reeve_udp *udp)
{
	struct udp_cork *const c = udp->cork;

	if (!c)
		return 0;
	const struct iovec iov = { c->bytes, c->length };
	const int error = send_planned(udp, &c->plan, &iov, 1, c->length);

	udp_cork_free(udp);
	return error;
}

static size_t most_of(const struct reeve_udp *udp, const struct reeve_address *destination)
{
	if (udp->table->is_echo)
		return MAX_IPV4 + UDP_HEADER;
	return reeve_address_is_ipv4(destination) ? MAX_IPV4 : MAX_IPV6;
}

/* What is too long for one datagram is lost with all that was before it. */
static int hold_back(struct reeve_udp *udp, const struct plan *plan, const struct iovec *iov,
		     size_t count)
{
	size_t length;

	if (!udp->cork) {
		udp->cork = malloc(sizeof(*udp->cork));
		if (!udp->cork)
			return -ENOBUFS;
		udp->cork->plan = *plan;
		udp->cork->length = 0;
	}
	struct udp_cork *const c = udp->cork;
	const int error = gather_length(
		iov, count, most_of(udp, &c->plan.how.destination) - c->length, &length);

	if (error) {
		udp_cork_free(udp);
		return error;
	}
	gather(c->bytes + c->length, iov, count);
	c->length += length;
	return 0;
}

/* To whom; the checks in Linux's order. */
static int choose_remote(const struct reeve_udp *udp, const struct reeve_sockaddr *to,
			 struct reeve_sockaddr *ret)
{
	if (to) {
		const int error = udp_destination(udp, to, ret);

		if (error)
			return error;
	} else if (udp->connected) {
		*ret = (struct reeve_sockaddr){ .address = udp->flow.remote_address,
						.port = udp->flow.remote_port };
	}
	if (!to && (!udp->connected || (ret->port == 0 && !udp->table->is_echo)))
		return -EDESTADDRREQ;
	return ret->port == 0 && !udp->table->is_echo ? -EINVAL : 0;
}

int reeve_udp_send_message(struct reeve_udp *udp, const struct reeve_udp_message *message,
			   const struct iovec *iov, size_t count)
{
	struct reeve_sockaddr remote = { 0 };
	struct plan made;
	size_t length;
	/* Linux chooses the port before it looks at anything else. */
	int error = udp->intercept ? 0 : udp_autobind(udp);

	if (error)
		return error;
	if (!udp->cork) {
		error = choose_remote(udp, message->to, &remote);
		if (error)
			return error;
	}
	if (udp->error)
		return -reeve_udp_error(udp);
	if (udp->table->is_echo && !udp->cork) {
		error = udp_echo_check(iov, count);
		if (error)
			return error;
	}
	if (!udp->cork) {
		error = gather_length(iov, count, most_of(udp, &remote.address), &length);
		if (!error)
			error = plan(udp, message, &remote, &made);
		if (error)
			return error;
	}
	if (!udp->cork && !udp->corked && !message->more)
		return send_planned(udp, &made, iov, count, length);
	error = hold_back(udp, &made, iov, count);
	return error || udp->corked || message->more ? error : udp_cork_flush(udp);
}

int reeve_udp_send(struct reeve_udp *udp, const struct reeve_sockaddr *to,
		   const struct reeve_sockaddr *from, const struct iovec *iov, size_t count)
{
	const struct reeve_udp_message message = { .to = to, .from = from, .ttl = -1, .tos = -1 };

	return reeve_udp_send_message(udp, &message, iov, count);
}
