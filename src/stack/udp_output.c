/*
 * UDP's way out (RFC 768, RFC 1122, 4.1): one copy of the payload into a buffer, and nothing more
 * until the link.
 */
#include <errno.h>
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
			return -EADDRNOTAVAIL;
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

int reeve_udp_send(struct reeve_udp *udp, const struct reeve_sockaddr *to,
		   const struct reeve_sockaddr *from, const struct iovec *iov, size_t count)
{
	struct reeve_sockaddr remote = { 0 };
	struct reeve_sockaddr local;
	struct ip_route route;
	size_t length;
	/* Linux chooses the port before it looks at anything else. */
	int error = udp->intercept ? 0 : udp_autobind(udp);

	if (error)
		return error;
	if (to) {
		error = udp_destination(udp, to, &remote);
		if (error)
			return error;
	} else if (reeve_udp_remote(udp, &remote) != 0) {
		return -EDESTADDRREQ;
	}
	if (remote.port == 0)
		return -EINVAL;
	if (udp->error)
		return -reeve_udp_error(udp);
	const size_t most = reeve_address_is_ipv4(&remote.address) ? MAX_IPV4 : MAX_IPV6;
	error = gather_length(iov, count, most, &length);

	if (error)
		return error;
	error = choose_source(udp, from, &remote.address, &local);
	if (error)
		return error;
	error = udp_route(udp, &remote.address, &local.address, &route);
	if (error)
		return error;
	struct reeve_packet *const p = payload(udp->host->pool, iov, count, length);

	if (!p)
		return -ENOBUFS;
	const struct ip_send how = {
		.source = route.source,
		.destination = remote.address,
		.protocol = IP_UDP,
		.ttl = udp->ttl,
		.tos = udp->tos,
		.dont_fragment = udp->dont_fragment,
	};

	return transmit(udp, p, &how, local.port, remote.port);
}
