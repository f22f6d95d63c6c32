/*
 * Echo sockets for programs (RFC 792): what a socket of UDP's shape does differently when what it
 * sends and receives are echo requests and replies. Identifiers are handed out as ports are.
 */
#include <errno.h>
#include <string.h>

#include "stack/udp_private.h"
#include "wire/icmp.h"

struct reeve_udp *reeve_udp_new_echo(struct reeve_host *host, void *user)
{
	if (!host->echo)
		host->echo = udp_host_new(host, true);
	struct reeve_udp *const echo =
		host->echo ? udp_new(host, host->echo, REEVE_IPV4, user) : NULL;

	/* As in Linux several may have one identifier. */
	if (echo)
		reeve_udp_set(echo, REEVE_UDP_REUSE_ADDRESS, 1);
	return echo;
}

int udp_echo_check(const struct iovec *iov, size_t count)
{
	uint8_t bytes[ICMP_HEADER];
	size_t have = 0;

	for (size_t i = 0; i < count && have < sizeof(bytes); i++) {
		const size_t left = sizeof(bytes) - have;
		const size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

		if (n > 0)
			memcpy(bytes + have, iov[i].iov_base, n);
		have += n;
	}
	return have == sizeof(bytes) && bytes[0] == ICMPV4_ECHO_REQUEST && bytes[1] == 0 ? 0
											 : -EINVAL;
}

void udp_echo_finish(struct reeve_packet *p, uint16_t identifier)
{
	uint8_t bytes[ICMP_HEADER];
	struct icmp_header h;

	packet_copy(p, 0, sizeof(bytes), bytes);
	packet_strip(p, sizeof(bytes));
	struct cursor c = cursor_over(bytes, sizeof(bytes));

	check(icmp_parse(&c, &h));
	h.rest = icmp_echo_rest(identifier, (uint16_t)h.rest);
	h.checksum = 0;
	icmp_emit(&h, packet_push(p, sizeof(bytes)));
	/* Links fill in TCP's and UDP's checksums; not all of them know ICMP's. */
	p->offload = (struct reeve_offload){
		.checksum = REEVE_CHECKSUM_PARTIAL,
		.checksum_offset = ICMP_CHECKSUM_OFFSET,
	};
	ip_complete_checksum(p);
}

bool udp_echo_input(struct reeve_host *host, const struct reeve_packet *p,
		    const struct ip_received *how, uint16_t identifier)
{
	if (!host->echo)
		return false;
	struct udp_waiting w = {
		.remote = { .address = how->source },
		.local = { .address = how->destination, .port = identifier },
		.iface = how->iface,
		.arrived = host->now,
		.ttl = how->ttl,
		.tos = how->tos,
	};
	struct reeve_udp *const udp = udp_find(host->echo, &w.local, &w.remote, how->iface);

	if (!udp)
		return false;
	w.packet = packet_clone(p);
	if (w.packet)
		udp_give_take(host, udp, &w);
	else
		host_count_drop(host, REEVE_DROP_NO_MEMORY);
	return true;
}

bool udp_echo_error(struct reeve_host *host, const struct icmp_error *e, uint16_t identifier)
{
	if (!host->echo)
		return false;
	struct icmp_error about = *e;

	about.local.port = identifier;
	return udp_tell(host, host->echo, &about);
}
