/*
 * One segment from TCP to the internet layer: header, checksum or the promise of one, and the
 * answers to segments that belong to no connection.
 */
#include <errno.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"
#include "stack/tcp/conn_private.h"
#include "wire/pseudo.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40

/* RFC 9293, 3.7.1 with RFC 6691: options do not count. */
uint16_t tcp_route_mss(const struct ip_route *route, const struct reeve_address *to)
{
	const uint32_t mtu = route->mtu < UINT16_MAX ? route->mtu : UINT16_MAX;
	const uint32_t headers =
		TCP_HEADER_MIN + (reeve_address_is_ipv4(to) ? IPV4_HEADER : IPV6_HEADER);

	return mtu > headers + TCP_MSS_MIN ? (uint16_t)(mtu - headers) : TCP_MSS_MIN;
}

static void fill_checksum(struct reeve_packet *p, const struct port_flow *flow, uint32_t offloads)
{
	const size_t length = reeve_packet_length(p);
	const uint64_t pseudo =
		pseudo_sum(&flow->local_address, &flow->remote_address, IP_TCP, (uint32_t)length);
	uint8_t *const field = packet_data(p) + TCP_CHECKSUM_OFFSET;

	/* What is to be cut gets its checksums then. */
	if ((offloads & REEVE_OFFLOAD_CHECKSUM) || p->offload.segmentation) {
		store_be16(field, checksum_fold(pseudo));
		p->offload.checksum = REEVE_CHECKSUM_PARTIAL;
		p->offload.checksum_start = 0;
		p->offload.checksum_offset = TCP_CHECKSUM_OFFSET;
	} else {
		store_be16(field, (uint16_t)~checksum_fold(packet_sum(p, 0, length, pseudo)));
	}
}

int tcp_emit(struct tcp_host *t, struct reeve_packet *p_take, struct tcp_emit *e)
{
	const struct ip_send how = {
		.source = e->flow->local_address,
		.destination = e->flow->remote_address,
		.protocol = IP_TCP,
		.ttl = e->ttl,
		.tos = e->tos,
		.dont_fragment = true,
	};
	const uint32_t size = p_take->offload.segment_size;
	const uint32_t segments = size ? (p_take->length + size - 1U) / size : 1;
	uint32_t offloads = e->offloads;

	if (!e->has_offloads) {
		struct ip_route route;

		if (ip_route(t->host, &how.destination, &how.source, &route) == 0)
			offloads = route.offloads;
	}
	e->header.source_port = e->flow->local_port;
	e->header.destination_port = e->flow->remote_port;
	tcp_header_emit(&e->header, packet_push(p_take, tcp_header_size(&e->header)));
	fill_checksum(p_take, e->flow, offloads);
	t->host->stats.tcp_segments_out += segments;
	if (e->header.flags & TCP_RST)
		t->host->stats.tcp_resets_out++;
	return ip_send_take(t->host, p_take, &how);
}

int tcp_emit_empty(struct tcp_host *t, struct tcp_emit *e)
{
	struct reeve_packet *const p = packet_new(t->host->pool);

	return p ? tcp_emit(t, p, e) : -ENOBUFS;
}

/* RFC 9293, 3.10.7.1: of a segment that no connection takes. */
void tcp_answer_reset(struct tcp_host *t, const struct tcp_segment *s)
{
	const struct port_flow flow = {
		.local_address = s->how->destination,
		.remote_address = s->how->source,
		.local_port = s->h.destination_port,
		.remote_port = s->h.source_port,
	};
	struct tcp_emit e = { .flow = &flow, .ttl = IP_DEFAULT_TTL, .tos = 0 };
	uint32_t length = s->length;

	if (s->h.flags & TCP_RST)
		return;
	if (s->h.flags & TCP_SYN)
		length++;
	if (s->h.flags & TCP_FIN)
		length++;
	if (s->h.flags & TCP_ACK) {
		e.header.flags = TCP_RST;
		e.header.sequence = s->ack.n;
	} else {
		e.header.flags = TCP_RST | TCP_ACK;
		e.header.acknowledgment = seq_add(s->seq, length).n;
	}
	tcp_emit_empty(t, &e);
}

/* As it is on the wire: whether the sum over the whole segment comes out right. */
static bool checksum_is_right(const struct reeve_packet *p, const struct ip_received *how)
{
	const size_t length = reeve_packet_length(p);
	const uint64_t pseudo =
		pseudo_sum(&how->source, &how->destination, IP_TCP, (uint32_t)length);

	return checksum_fold(packet_sum(p, 0, length, pseudo)) == 0xffff;
}

/* 0, or why the packet cannot be a segment of anybody's. */
static int parse_segment(struct tcp_segment *s, enum reeve_drop *ret_reason)
{
	struct reeve_packet *const p = s->packet;
	const size_t length = reeve_packet_length(p);

	*ret_reason = REEVE_DROP_TCP_SHORT;
	if (!packet_pull(p, TCP_HEADER_MIN))
		return -EMSGSIZE;

	const size_t header = tcp_header_length_field(packet_data(p));

	if (header < TCP_HEADER_MIN) {
		*ret_reason = REEVE_DROP_TCP_HEADER;
		return -EBADMSG;
	}
	if (header > length || !packet_pull(p, header))
		return -EMSGSIZE;
	if (p->offload.checksum == REEVE_CHECKSUM_UNKNOWN && !checksum_is_right(p, s->how)) {
		*ret_reason = REEVE_DROP_TCP_CHECKSUM;
		return -EBADMSG;
	}
	if (tcp_header_parse(packet_data(p), header, &s->h) < 0) {
		*ret_reason = REEVE_DROP_TCP_HEADER;
		return -EBADMSG;
	}
	s->seq = (struct tcp_seq){ s->h.sequence };
	s->ack = (struct tcp_seq){ s->h.acknowledgment };
	s->length = (uint32_t)(length - header);
	return 0;
}

/* Whether the segment's names can be a connection's; *ret_reason if not. */
static bool has_sane_names(const struct tcp_segment *s, enum reeve_drop *ret_reason)
{
	const struct ip_received *const how = s->how;

	*ret_reason = REEVE_DROP_TCP_PORT_ZERO;
	if (s->h.source_port == 0 || s->h.destination_port == 0)
		return false;
	*ret_reason = REEVE_DROP_TCP_NOT_UNICAST;
	return !how->broadcast && !reeve_address_is_multicast(&how->source) &&
	       !reeve_address_is_broadcast(&how->source) &&
	       !reeve_address_is_multicast(&how->destination) &&
	       !reeve_address_is_broadcast(&how->destination) &&
	       !reeve_address_is_unspecified(&how->source);
}

static void to_flow(struct tcp_host *t, struct port_flow *flow, struct tcp_segment *s)
{
	switch ((enum tcp_flow_kind)flow->kind) {
	case TCP_FLOW_CONN:
		tcp_conn_input(container_of(flow, struct reeve_tcp, flow), s);
		break;
	case TCP_FLOW_HALF_OPEN:
		tcp_half_open_input(t, container_of(flow, struct tcp_half_open, flow), s);
		break;
	}
}

static void demultiplex(struct tcp_host *t, struct tcp_segment *s)
{
	const struct reeve_sockaddr local = {
		.address = s->how->destination,
		.port = s->h.destination_port,
	};
	const struct reeve_sockaddr remote = {
		.address = s->how->source,
		.port = s->h.source_port,
	};
	struct port_flow *const flow = port_demux_find_flow(t->demux, &local, &remote);

	if (flow) {
		to_flow(t, flow, s);
		return;
	}

	struct tcp_time_wait *const w = tcp_time_wait_find(t, &local, &remote);

	if (w) {
		tcp_time_wait_input(t, w, s);
		return;
	}
	if (tcp_listen_input(t, s))
		return;
	tcp_answer_reset(t, s);
	tcp_segment_drop(t, s, REEVE_DROP_TCP_NO_PORT);
}

void tcp_segment_drop(struct tcp_host *t, struct tcp_segment *s, enum reeve_drop reason)
{
	struct reeve_packet *const p = s->packet;

	if (!p)
		return;
	s->packet = NULL;
	host_drop_take(t->host, p, reason);
}

void tcp_segment_done(struct tcp_segment *s)
{
	s->packet = reeve_packet_free(s->packet);
}

void tcp_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		    const struct ip_received *how)
{
	struct tcp_host *const t = host->tcp;
	struct tcp_segment s = { .packet = p_take, .how = how };
	enum reeve_drop reason;

	host->stats.tcp_segments_in++;
	if (parse_segment(&s, &reason) < 0 || !has_sane_names(&s, &reason)) {
		tcp_segment_drop(t, &s, reason);
		return;
	}
	if (s.h.flags & TCP_RST)
		host->stats.tcp_resets_in++;
	s.piece = p_take->offload.segment_size ? p_take->offload.segment_size : s.length;
	s.pieces = s.length > s.piece ? (s.length + s.piece - 1) / s.piece : 1;
	host->stats.tcp_segments_in += s.pieces - 1;
	demultiplex(t, &s);
	check(!s.packet);
	tcp_reap(t);
}
