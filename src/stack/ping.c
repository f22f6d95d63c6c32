/*
 * Echo sockets: each has an identifier of its own, by which the answers find it.
 *
 * The identifier's low bits are the socket's place in the table, the others are random, so that
 * looking up is one step and an answer to a socket that is gone does not reach its successor.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/checksum.h"
#include "reeve/udp.h"
#include "stack/host_private.h"
#include "stack/icmp.h"
#include "stack/iface.h"
#include "wire/icmp.h"
#include "wire/pseudo.h"

#define PING_SOCKETS    64
#define PING_REPLIES    64 /* that may wait in a socket */
#define PING_LENGTH_MAX (65535 - 20 - ICMP_HEADER)

static_assert((PING_SOCKETS & (PING_SOCKETS - 1)) == 0, "places are an identifier's low bits");

struct reeve_ping {
	struct reeve_host *host;
	struct socket_events events;
	uint16_t id;
	unsigned first, count;
	struct reeve_ping_reply replies[PING_REPLIES];
};

struct ping_table {
	struct reeve_ping *sockets[PING_SOCKETS];
};

struct ping_table *ping_table_new(void)
{
	return calloc(1, sizeof(struct ping_table));
}

struct ping_table *ping_table_free(struct ping_table *t)
{
	if (!t)
		return NULL;
	for (unsigned i = 0; i < PING_SOCKETS; i++)
		free(t->sockets[i]);
	free(t);
	return NULL;
}

struct reeve_ping *reeve_ping_new(struct reeve_host *host, void *user)
{
	struct ping_table *const t = icmp_pings(host);
	unsigned place = 0;

	while (place < PING_SOCKETS && t->sockets[place])
		place++;
	if (place == PING_SOCKETS)
		return NULL;
	struct reeve_ping *const ping = calloc(1, sizeof(*ping));

	if (!ping)
		return NULL;
	ping->host = host;
	ping->id = (uint16_t)(random_u32(&host->random) / PING_SOCKETS * PING_SOCKETS + place);
	socket_events_init(&ping->events, REEVE_PING, ping, user);
	t->sockets[place] = ping;
	return ping;
}

void reeve_ping_close(struct reeve_ping *ping)
{
	if (!ping)
		return;
	host_silence(&ping->events);
	icmp_pings(ping->host)->sockets[ping->id % PING_SOCKETS] = NULL;
	free(ping);
}

static struct reeve_packet *request(struct reeve_ping *ping, uint16_t sequence, size_t length,
				    const struct icmp_header *h)
{
	struct reeve_packet *const p = packet_new(ping->host->pool);
	struct icmp_header header = *h;

	if (!p)
		return NULL;
	header.rest = icmp_echo_rest(ping->id, sequence);
	if (length > 0) {
		struct buffer *const b = buffer_new(ping->host->pool, length);

		if (!b)
			return reeve_packet_free(p);
		/* Bytes that are easy to know again in a capture. */
		for (size_t i = 0; i < length; i++)
			b->bytes[i] = (uint8_t)i;
		packet_append(p, b, 0, (uint32_t)length);
		buffer_unref(b);
	}
	icmp_emit(&header, packet_push(p, ICMP_HEADER));
	return p;
}

int reeve_ping_send(struct reeve_ping *ping, const struct reeve_address *to, uint16_t sequence,
		    size_t length)
{
	const bool ipv4 = reeve_address_is_ipv4(to);
	struct icmp_header h = { .type = ipv4 ? ICMPV4_ECHO_REQUEST : ICMPV6_ECHO_REQUEST };
	struct ip_route route;

	if (length > PING_LENGTH_MAX)
		return -EMSGSIZE;
	const int error = ip_route(ping->host, to, NULL, &route);

	if (error)
		return error;
	if (!ipv4)
		h.checksum = checksum_fold(
			pseudo_sum(&route.source, to, IP_ICMPV6, (uint32_t)length + ICMP_HEADER));
	struct reeve_packet *const p = request(ping, sequence, length, &h);

	if (!p)
		return -ENOBUFS;
	p->offload = (struct reeve_offload){
		.checksum = REEVE_CHECKSUM_PARTIAL,
		.checksum_offset = ICMP_CHECKSUM_OFFSET,
	};
	/* Links fill in TCP's and UDP's checksums; not all of them know ICMP's. */
	if (!route.local)
		ip_complete_checksum(p);
	const struct ip_send send = {
		.source = route.source,
		.destination = *to,
		.protocol = ipv4 ? IP_ICMP : IP_ICMPV6,
	};
	const int sent = ip_send_take(ping->host, p, &send);

	if (sent == 0)
		ping->host->stats.icmp_out++;
	return sent;
}

static struct reeve_ping *find(const struct reeve_host *host, uint32_t rest)
{
	const uint16_t id = (uint16_t)(rest >> 16);
	struct reeve_ping *const ping = icmp_pings(host)->sockets[id % PING_SOCKETS];

	return ping && ping->id == id ? ping : NULL;
}

/* An owner that does not look loses the newest. */
static void add_reply(struct reeve_ping *ping, const struct reeve_ping_reply *reply)
{
	if (ping->count == PING_REPLIES)
		return;
	ping->replies[(ping->first + ping->count) % PING_REPLIES] = *reply;
	ping->count++;
	host_raise(ping->host, &ping->events, REEVE_READABLE);
}

bool ping_input(struct reeve_host *host, const struct reeve_packet *p,
		const struct ip_received *how, uint32_t rest)
{
	struct reeve_ping *const ping = find(host, rest);
	const struct reeve_ping_reply reply = {
		.from = how->source,
		.sequence = (uint16_t)rest,
		.ttl = how->ttl,
		.length = p->length - ICMP_HEADER,
	};

	if (ping)
		add_reply(ping, &reply);
	return ping != NULL;
}

bool ping_error(struct reeve_host *host, const struct icmp_error *e, uint32_t rest)
{
	struct reeve_ping *const ping = find(host, rest);
	const struct reeve_ping_reply reply = {
		.from = e->remote.address,
		.sequence = (uint16_t)rest,
		.error = e->error,
	};

	if (ping)
		add_reply(ping, &reply);
	return ping != NULL;
}

bool reeve_ping_receive(struct reeve_ping *ping, struct reeve_ping_reply *ret)
{
	if (ping->count == 0)
		return false;
	*ret = ping->replies[ping->first];
	ping->first = (ping->first + 1) % PING_REPLIES;
	ping->count--;
	return true;
}
