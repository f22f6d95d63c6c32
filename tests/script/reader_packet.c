/* Packets: TCP's as tcpdump once printed them, UDP's, ICMP's. */
#include <string.h>

#include "reader.h"
#include "wire/icmp.h"
#include "wire/tcp.h"

struct name {
	const char *text;
	uint8_t type, value;
};

static const struct name icmp_types[] = {
	{ "echo_reply", 0, ICMPV4_ECHO_REPLY },
	{ "unreachable", 0, ICMPV4_UNREACHABLE },
	{ "source_quench", 0, ICMPV4_SOURCE_QUENCH },
	{ "redirect", 0, ICMPV4_REDIRECT },
	{ "echo_request", 0, ICMPV4_ECHO_REQUEST },
	{ "time_exceeded", 0, ICMPV4_TIME_EXCEEDED },
	{ "parameter_problem", 0, ICMPV4_PARAMETER_PROBLEM },
};

static const struct name icmp_codes[] = {
	{ "net_unreachable", ICMPV4_UNREACHABLE, ICMPV4_NETWORK },
	{ "host_unreachable", ICMPV4_UNREACHABLE, ICMPV4_HOST },
	{ "protocol_unreachable", ICMPV4_UNREACHABLE, ICMPV4_PROTOCOL },
	{ "port_unreachable", ICMPV4_UNREACHABLE, ICMPV4_PORT },
	{ "frag_needed", ICMPV4_UNREACHABLE, ICMPV4_FRAGMENTATION_NEEDED },
	{ "source_route_failed", ICMPV4_UNREACHABLE, 5 },
	{ "net_unknown", ICMPV4_UNREACHABLE, 6 },
	{ "host_unknown", ICMPV4_UNREACHABLE, 7 },
	{ "source_host_isolated", ICMPV4_UNREACHABLE, 8 },
	{ "net_prohibited", ICMPV4_UNREACHABLE, 9 },
	{ "host_prohibited", ICMPV4_UNREACHABLE, 10 },
	{ "net_unreachable_for_tos", ICMPV4_UNREACHABLE, 11 },
	{ "host_unreachable_for_tos", ICMPV4_UNREACHABLE, 12 },
	{ "packet_filtered", ICMPV4_UNREACHABLE, ICMPV4_PROHIBITED },
	{ "precedence_violation", ICMPV4_UNREACHABLE, 14 },
	{ "precedence_cutoff", ICMPV4_UNREACHABLE, 15 },
	{ "ttl_exceeded", ICMPV4_TIME_EXCEEDED, ICMPV4_TTL },
	{ "frag_time_exceeded", ICMPV4_TIME_EXCEEDED, ICMPV4_REASSEMBLY },
};

static const struct name ecn_names[] = {
	{ "noecn", 0, ECN_NONE }, { "ect0", 0, ECN_ECT0 },   { "ect1", 0, ECN_ECT1 },
	{ "ce", 0, ECN_CE },      { "ect01", 0, ECN_ECT01 },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct name *take_name(struct lexer *l, const struct name *table, size_t count,
				    uint8_t type)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].type == type && lexer_take_word(l, table[i].text))
			return &table[i];
	return NULL;
}

static void read_ip(struct lexer *l, struct script_packet *p)
{
	do {
		if (lexer_take_word(l, "tos")) {
			p->tos = (int16_t)lexer_expect_integer(l, 0, 255, "the TOS");
		} else if (lexer_take_word(l, "ttl")) {
			p->ttl = (int16_t)lexer_expect_integer(l, 0, 255, "the TTL");
		} else {
			const struct name *const n = take_name(l, ecn_names, COUNT(ecn_names), 0);

			if (!n) {
				lexer_fault(l, "noecn, ect0, ect1, ect01, ce, tos or ttl");
				return;
			}
			p->ecn = n->value;
		}
	} while (lexer_take_sign(l, ','));
	lexer_expect_sign(l, ']');
	if (p->ecn == ECN_ECT01 && p->is_inbound)
		script_fault(l->fault, l->token.place, "ect01 is for packets that are expected");
}

static void read_flags(struct lexer *l, struct script_packet *p)
{
	static const char letters[] = "FSRP.UEWA"; /* in the order of the bits */

	if (lexer_take_sign(l, '-'))
		return;
	if (l->token.kind == TOKEN_WORD) {
		for (size_t i = 0; i < l->token.length; i++) {
			const char *const c = strchr(letters, l->token.text[i]);

			if (!c) {
				lexer_fault(l, "flags of F, S, R, P, U, E, W, A and '.'");
				return;
			}
			p->flags |= (uint16_t)(1u << (c - letters));
		}
		lexer_next(l);
	} else if (!lexer_is_sign(l, '.')) {
		lexer_fault(l, "flags, 'udp' or 'icmp'");
	}
	if (lexer_take_sign(l, '.'))
		p->flags |= TCP_ACK;
}

static void read_sequence(struct lexer *l, uint32_t *ret_start, uint32_t *ret_length)
{
	const struct script_place place = l->token.place;

	*ret_start = (uint32_t)lexer_expect_integer(l, 0, UINT32_MAX, "a sequence number");
	lexer_expect_sign(l, ':');

	const uint32_t end =
		(uint32_t)lexer_expect_integer(l, 0, UINT32_MAX, "the sequence number behind");

	lexer_expect_sign(l, '(');
	*ret_length = (uint32_t)lexer_expect_integer(l, 0, UINT32_MAX, "the payload's length");
	lexer_expect_sign(l, ')');
	if (end - *ret_start != *ret_length)
		script_fault(l->fault, place, "%u:%u are %u bytes, not %u", *ret_start, end,
			     end - *ret_start, *ret_length);
}

static void read_tcp(struct lexer *l, struct script_packet *p)
{
	const struct script_place place = l->token.place;

	read_flags(l, p);
	read_sequence(l, &p->sequence, &p->length);
	if (p->is_inbound && p->length > 65000)
		script_fault(l->fault, place, "no packet holds %u bytes", p->length);
	if (lexer_take_word(l, "ack")) {
		p->has_ack = true;
		p->ack = (uint32_t)lexer_expect_integer(l, 0, UINT32_MAX,
							"an acknowledgment number");
	}
	if (lexer_take_word(l, "win")) {
		p->has_window = true;
		p->window = (uint16_t)lexer_expect_integer(l, 0, UINT16_MAX, "the window");
	}
	if (lexer_take_word(l, "urg")) {
		p->has_urgent = true;
		p->urgent = (uint16_t)lexer_expect_integer(l, 0, UINT16_MAX, "the urgent pointer");
	}
	if (lexer_is_sign(l, '<'))
		reader_options(l, &p->options);
	if (p->options.is_any && p->is_inbound)
		script_fault(l->fault, place, "<...> is for packets that are expected");
	if (p->has_ack != ((p->flags & TCP_ACK) != 0))
		script_fault(l->fault, place, "the flag '.' and 'ack' go together");
	if (p->is_inbound && !p->has_window && !(p->flags & TCP_RST))
		script_fault(l->fault, place, "a packet to send needs 'win'");
}

static void read_udp(struct lexer *l, struct script_packet *p)
{
	p->protocol = PACKET_UDP;
	lexer_expect_sign(l, '(');
	p->length = (uint32_t)lexer_expect_integer(l, 0, 65507, "the payload's length");
	lexer_expect_sign(l, ')');
}

static void read_icmp(struct lexer *l, struct script_packet *p)
{
	const struct name *n = take_name(l, icmp_types, COUNT(icmp_types), 0);

	p->protocol = PACKET_ICMP;
	if (n) {
		p->icmp_type = n->value;
	} else if (lexer_take_word(l, "type")) {
		p->icmp_type = (uint8_t)lexer_expect_integer(l, 0, 255, "the type");
	} else {
		lexer_fault(l, "a type of ICMP");
	}
	n = take_name(l, icmp_codes, COUNT(icmp_codes), p->icmp_type);
	if (n)
		p->icmp_code = n->value;
	else if (lexer_take_word(l, "code"))
		p->icmp_code = (uint8_t)lexer_expect_integer(l, 0, 255, "the code");
	else if (l->token.kind == TOKEN_WORD && !lexer_is_word(l, "mtu"))
		lexer_fault(l, "a code of this type of ICMP");
	if (lexer_take_word(l, "mtu"))
		p->icmp_mtu = (uint32_t)lexer_expect_integer(l, 0, UINT16_MAX, "the MTU");
}

/* [1:1001(1000)] before "icmp": the segment that it is about. */
static void read_quote(struct lexer *l, struct script_packet *p)
{
	uint32_t length;

	p->has_quote = true;
	read_sequence(l, &p->quote, &length);
	lexer_expect_sign(l, ']');
	if (!lexer_is_word(l, "icmp") && !lexer_is_word(l, "icmpv6"))
		lexer_fault(l, "'icmp'");
	if (!p->is_inbound)
		script_refuse(l->fault, l->token.place,
			      "what ICMP quotes is not compared in packets that are expected");
}

/* A header before TCP's, or in its place, that the stack does not speak. */
static bool refuse_encapsulation(struct lexer *l)
{
	static const char *const names[] = { "ipv4", "ipv6", "gre", "mpls", "psp" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (lexer_is_word(l, names[i])) {
			script_refuse(l->fault, l->token.place,
				      "packets within packets (%s) are not supported", names[i]);
			return true;
		}
	return false;
}

struct script_packet *reader_packet(struct lexer *l, bool is_inbound)
{
	struct script_packet *const p = script_allocate(l->script, sizeof(*p));

	p->is_inbound = is_inbound;
	p->ecn = ECN_UNSAID;
	p->tos = p->ttl = -1;
	while (lexer_take_sign(l, '[')) {
		if (l->token.kind == TOKEN_INTEGER) {
			read_quote(l, p);
			break;
		}
		read_ip(l, p);
	}
	if (refuse_encapsulation(l))
		return p;
	if (lexer_is_word(l, "icmpv6")) {
		script_refuse(l->fault, l->token.place, "the stack has no IPv6");
		return p;
	}
	if (lexer_take_word(l, "icmp"))
		read_icmp(l, p);
	else if (lexer_take_word(l, "udp"))
		read_udp(l, p);
	else
		read_tcp(l, p);
	return p;
}
