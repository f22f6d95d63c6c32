/* Packets: script to wire and back. */
#include "packet.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "options.h"
#include "stack/ip.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define QUOTED 8 /* bytes of the segment that an ICMP error has */

static void move_options(const struct script_packet *p, const struct flow *f,
			 struct script_options *ret)
{
	*ret = p->options;
	for (unsigned i = 0; i < ret->count; i++) {
		struct script_option *const o = &ret->list[i];

		if (o->kind == OPTION_TIMESTAMPS)
			o->echo = flow_wire_timestamp(f, o->echo);
		for (unsigned n = 0; o->kind == OPTION_SACK && n < o->count; n++) {
			o->start[n] += f->offset;
			o->end[n] += f->offset;
		}
	}
}

static size_t encode_tcp(const struct script_packet *p, const struct flow *f, uint8_t *bytes,
			 const char **ret_fault)
{
	struct script_options options;
	uint8_t raw[40];

	move_options(p, f, &options);

	const int length = options_emit(&options, raw);
	const struct tcp_header h = {
		.source_port = f->peer_port,
		.destination_port = f->host_port,
		.sequence = p->sequence,
		.acknowledgment = p->has_ack ? p->ack + f->offset : 0,
		.flags = (uint8_t)p->flags,
		.window = p->window,
		.urgent = p->urgent,
	};

	if (length < 0) {
		*ret_fault =
			"the options are over 40 bytes, or no multiple of 4: 'nop' fills them up";
		return 0;
	}

	const size_t header = TCP_HEADER_MIN + (size_t)length;

	if (header + p->length > PACKET_BYTES - IPV4_HEADER) {
		*ret_fault = "longer than an IP packet may be";
		return 0;
	}
	tcp_header_emit(&h, bytes);
	bytes[12] = (uint8_t)(header / 4 << 4) | (p->flags & SCRIPT_AE ? 1 : 0);
	memcpy(bytes + TCP_HEADER_MIN, raw, (size_t)length);
	/* A SYN stands before its data. */
	flow_content(p->sequence - f->peer_start + (p->flags & TCP_SYN ? 1 : 0), bytes + header,
		     p->length);
	return header + p->length;
}

static size_t encode_icmp(const struct script_packet *p, const struct flow *f,
			  const struct script_settings *settings, uint8_t *bytes)
{
	const struct icmp_header h = { .type = p->icmp_type,
				       .code = p->icmp_code,
				       .rest = p->icmp_mtu };
	const struct ipv4_header ip = {
		.header_length = IPV4_HEADER,
		.ttl = 63,
		.protocol = IP_TCP,
		.total_length = (uint16_t)settings->mtu,
		.source = reeve_address_to_ipv4(&settings->local),
		.destination = reeve_address_to_ipv4(&settings->remote),
		.dont_fragment = true,
	};
	uint8_t *const quoted = bytes + ICMP_HEADER + IPV4_HEADER;

	icmp_emit(&h, bytes);
	ipv4_emit(&ip, bytes + ICMP_HEADER);
	store_be16(quoted, f->host_port);
	store_be16(quoted + 2, f->peer_port);
	store_be32(quoted + 4, p->has_quote ? p->quote + f->offset : f->sent);
	return ICMP_HEADER + IPV4_HEADER + QUOTED;
}

/* A datagram's bytes are counted from 1, each one's by itself. */
static size_t encode_udp(const struct script_packet *p, const struct flow *f, uint8_t *bytes)
{
	store_be16(bytes, f->peer_port);
	store_be16(bytes + 2, f->host_port);
	store_be16(bytes + 4, (uint16_t)(UDP_HEADER + p->length));
	store_be16(bytes + 6, 0);
	flow_content(1, bytes + UDP_HEADER, p->length);
	return UDP_HEADER + p->length;
}

size_t packet_encode(const struct script_packet *p, const struct flow *f,
		     const struct script_settings *settings, uint8_t *ret_bytes,
		     const char **ret_fault)
{
	switch (p->protocol) {
	case PACKET_TCP:
		return encode_tcp(p, f, ret_bytes, ret_fault);
	case PACKET_ICMP:
		return encode_icmp(p, f, settings, ret_bytes);
	case PACKET_UDP:
		return encode_udp(p, f, ret_bytes);
	}
	return 0;
}

/* What the host's numbers are moved by is learnt from its SYN, and its timestamps from each. */
static void learn(struct flow *f, const struct tcp_header *h, const struct script_packet *expected,
		  const struct script_options *options)
{
	/* An answer to another SYN than before, which may have had data (RFC 7413), is of a new connection (RFC 9293, 3.6.1). */
	const bool is_new = (h->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
			    h->acknowledgment - 1 - f->peer_start > f->peer_syn_length;

	if (h->flags & TCP_SYN && (!f->is_known || is_new)) {
		f->is_known = true;
		if (is_new) {
			f->has_peer_start = true;
			f->peer_start = h->acknowledgment - 1;
		}
		f->offset = h->sequence - (expected ? expected->sequence : 0);
	}
	f->sent = h->sequence;
	for (unsigned i = 0; i < options->count; i++) {
		if (options->list[i].kind != OPTION_TIMESTAMPS)
			continue;

		const uint32_t wire = options->list[i].value;
		uint32_t script = f->has_timestamp ? wire - f->first_wire + f->first_script : wire;

		for (unsigned n = 0; expected && n < expected->options.count; n++)
			if (expected->options.list[n].kind == OPTION_TIMESTAMPS)
				script = expected->options.list[n].value;
		flow_note_timestamp(f, script, wire);
	}
}

static bool decode_tcp(const struct sent *s, struct flow *f, const struct script_packet *expected,
		       struct script_packet *p)
{
	struct tcp_header h;

	if (tcp_header_parse(s->body, s->length, &h) < 0 ||
	    !options_parse(s->body + TCP_HEADER_MIN, h.length - (size_t)TCP_HEADER_MIN,
			   &p->options))
		return false;
	learn(f, &h, expected, &p->options);
	p->flags = h.flags | (s->body[12] & 1 ? SCRIPT_AE : 0);
	p->sequence = h.sequence - f->offset;
	p->length = (uint32_t)(s->length - h.length);
	p->has_ack = (h.flags & TCP_ACK) != 0;
	p->ack = h.acknowledgment;
	p->has_window = true;
	p->window = h.window;
	p->has_urgent = (h.flags & TCP_URG) != 0;
	p->urgent = h.urgent;
	for (unsigned i = 0; i < p->options.count; i++) {
		struct script_option *const o = &p->options.list[i];

		if (o->kind == OPTION_TIMESTAMPS)
			o->value = o->value - f->first_wire + f->first_script;
	}
	return true;
}

bool packet_decode(const struct sent *s, struct flow *f, const struct script_packet *expected,
		   struct script_packet *ret)
{
	struct script_packet p = {
		.ecn = s->ip.tos & 3,
		.tos = s->ip.tos,
		.ttl = s->ip.ttl,
	};

	if (s->ip.protocol == IP_ICMP) {
		struct cursor c = cursor_over(s->body, s->length);
		struct icmp_header h;

		if (!icmp_parse(&c, &h))
			return false;
		p.protocol = PACKET_ICMP;
		p.icmp_type = h.type;
		p.icmp_code = h.code;
		p.icmp_mtu = h.rest & 0xffff;
	} else if (s->ip.protocol == IP_UDP) {
		if (s->length < UDP_HEADER)
			return false;
		p.protocol = PACKET_UDP;
		p.length = (uint32_t)(s->length - UDP_HEADER);
	} else if (s->ip.protocol != IP_TCP || !decode_tcp(s, f, expected, &p)) {
		return false;
	}
	*ret = p;
	return true;
}

static bool same_option(const struct script_option *a, const struct script_option *b, int64_t ticks)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == OPTION_TIMESTAMPS)
		return a->echo == b->echo &&
		       (ticks < 0 || labs((int32_t)(a->value - b->value)) <= ticks);
	if (a->value != b->value || a->count != b->count)
		return false;
	for (unsigned i = 0; a->kind == OPTION_SACK && i < a->count; i++)
		if (a->start[i] != b->start[i] || a->end[i] != b->end[i])
			return false;
	return !option_has_bytes(a->kind) || memcmp(a->bytes, b->bytes, a->count) == 0;
}

static const char *ip_difference(const struct script_packet *e, const struct script_packet *g)
{
	if (e->ecn == ECN_ECT01 ? g->ecn != ECN_ECT0 && g->ecn != ECN_ECT1
				: e->ecn != ECN_UNSAID && e->ecn != g->ecn)
		return "the ECN mark";
	if (e->tos >= 0 && e->tos != g->tos)
		return "the TOS";
	if (e->ttl >= 0 && e->ttl != g->ttl)
		return "the TTL";
	return NULL;
}

static bool same_options(const struct script_options *a, const struct script_options *b,
			 int64_t ticks)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (!same_option(&a->list[i], &b->list[i], ticks))
			return false;
	return true;
}

bool packet_is_like(const struct script_packet *a, const struct script_packet *b)
{
	return a->has_ack == b->has_ack && a->ack == b->ack && a->window == b->window &&
	       a->ecn == b->ecn && a->tos == b->tos && a->ttl == b->ttl &&
	       same_options(&a->options, &b->options, 0);
}

const char *packet_difference(const struct script_packet *e, const struct script_packet *g,
			      int64_t ticks)
{
	if (e->protocol != g->protocol)
		return "the protocol";
	if (e->protocol == PACKET_ICMP)
		return e->icmp_type != g->icmp_type || e->icmp_code != g->icmp_code ||
				       e->icmp_mtu != g->icmp_mtu
			       ? "the ICMP message"
			       : ip_difference(e, g);
	if (e->protocol == PACKET_UDP)
		return e->length != g->length ? "the length" : ip_difference(e, g);
	if (e->flags != g->flags)
		return "the flags";
	if (e->sequence != g->sequence || e->length != g->length)
		return "the sequence numbers";
	if (e->has_ack && e->ack != g->ack)
		return "the acknowledgment number";
	if (e->has_window && e->window != g->window)
		return "the window";
	if (e->has_urgent && e->urgent != g->urgent)
		return "the urgent pointer";
	if (!e->options.is_any && !same_options(&e->options, &g->options, ticks))
		return "the options";
	return ip_difference(e, g);
}
