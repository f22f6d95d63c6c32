/* One line of text for a frame, by the parsers of wire/. */
#include "cli/packet_line.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "reeve/address.h"
#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

/* A packet while its line is made. */
struct decoded {
	struct cursor cursor; /* behind the IP header */
	struct reeve_address source, destination;
	uint8_t protocol;
	size_t payload; /* bytes behind the IP header, as that header says */
	char *line;
};

static void put_addresses(const struct decoded *d, const char *what)
{
	char source[REEVE_ADDRESS_TEXT], destination[REEVE_ADDRESS_TEXT];

	snprintf(d->line, PACKET_LINE, "%s > %s: %s", reeve_address_format(&d->source, source),
		 reeve_address_format(&d->destination, destination), what);
}

static void put_sockets(const struct decoded *d, uint16_t source_port, uint16_t destination_port,
			const char *what)
{
	const struct reeve_sockaddr source = { .address = d->source, .port = source_port };
	const struct reeve_sockaddr destination = { .address = d->destination,
						    .port = destination_port };
	char from[REEVE_SOCKADDR_TEXT], to[REEVE_SOCKADDR_TEXT];

	snprintf(d->line, PACKET_LINE, "%s > %s: %s", reeve_sockaddr_format(&source, from),
		 reeve_sockaddr_format(&destination, to), what);
}

static void put_tcp(struct decoded *d)
{
	const size_t left = cursor_left(&d->cursor);
	struct tcp_header h;
	char what[64], flags[8], *f = flags;

	if (tcp_header_parse(d->cursor.at, left, &h) < 0 || h.length > d->payload) {
		put_addresses(d, "tcp, malformed");
		return;
	}
	if (h.flags & TCP_SYN)
		*f++ = 'S';
	if (h.flags & TCP_FIN)
		*f++ = 'F';
	if (h.flags & TCP_RST)
		*f++ = 'R';
	if (h.flags & TCP_PSH)
		*f++ = 'P';
	if (h.flags & TCP_URG)
		*f++ = 'U';
	if (h.flags & TCP_ACK)
		*f++ = '.';
	*f = '\0';
	snprintf(what, sizeof(what), "tcp %zu [%s]", d->payload - h.length, flags);
	put_sockets(d, h.source_port, h.destination_port, what);
}

static void put_udp(struct decoded *d)
{
	struct udp_header h;
	char what[64];

	if (!udp_parse(&d->cursor, &h)) {
		put_addresses(d, "udp, malformed");
		return;
	}
	snprintf(what, sizeof(what), "udp %u", h.length - UDP_HEADER);
	put_sockets(d, h.source, h.destination, what);
}

static const char *icmp_name(uint8_t type)
{
	switch (type) {
	case ICMPV4_ECHO_REPLY:
		return "echo reply";
	case ICMPV4_UNREACHABLE:
		return "unreachable";
	case ICMPV4_REDIRECT:
		return "redirect";
	case ICMPV4_ECHO_REQUEST:
		return "echo request";
	case ICMPV4_TIME_EXCEEDED:
		return "time exceeded";
	case ICMPV4_PARAMETER_PROBLEM:
		return "parameter problem";
	default:
		return NULL;
	}
}

static void put_icmp(struct decoded *d)
{
	struct icmp_header h;
	char what[64];

	if (!icmp_parse(&d->cursor, &h)) {
		put_addresses(d, "icmp, malformed");
		return;
	}
	const bool echo = h.type == ICMPV4_ECHO_REPLY || h.type == ICMPV4_ECHO_REQUEST;

	if (echo)
		snprintf(what, sizeof(what), "icmp %s, sequence %u", icmp_name(h.type),
			 h.rest & 0xffff);
	else if (icmp_name(h.type))
		snprintf(what, sizeof(what), "icmp %s, code %u", icmp_name(h.type), h.code);
	else
		snprintf(what, sizeof(what), "icmp type %u, code %u", h.type, h.code);
	put_addresses(d, what);
}

static void put_transport(struct decoded *d)
{
	char what[64];

	switch (d->protocol) {
	case IPPROTO_TCP:
		put_tcp(d);
		break;
	case IPPROTO_UDP:
		put_udp(d);
		break;
	case IPPROTO_ICMP:
		put_icmp(d);
		break;
	default:
		snprintf(what, sizeof(what), "ip protocol %u, %zu", d->protocol, d->payload);
		put_addresses(d, what);
		break;
	}
}

static void put_ipv4(struct decoded *d)
{
	struct ipv4_header h;
	char what[64];

	if (ipv4_parse(&d->cursor, &h) != IPV4_OK) {
		snprintf(d->line, PACKET_LINE, "ip, malformed");
		return;
	}
	d->source = reeve_address_from_ipv4(h.source);
	d->destination = reeve_address_from_ipv4(h.destination);
	d->protocol = h.protocol;
	d->payload = (size_t)h.total_length - h.header_length;
	if (h.fragment_offset > 0) {
		snprintf(what, sizeof(what), "ip protocol %u, fragment at %u, %zu", h.protocol,
			 h.fragment_offset, d->payload);
		put_addresses(d, what);
		return;
	}
	put_transport(d);
}

static void put_ipv6(struct decoded *d)
{
	struct ipv6_header h;

	if (ipv6_parse(&d->cursor, &h) != IPV6_OK) {
		snprintf(d->line, PACKET_LINE, "ip6, malformed");
		return;
	}
	d->source = h.source;
	d->destination = h.destination;
	d->protocol = h.next_header;
	d->payload = h.payload_length;
	put_transport(d);
}

static void put_arp(struct decoded *d)
{
	char sender[REEVE_ADDRESS_TEXT], target[REEVE_ADDRESS_TEXT];
	struct arp_packet a;

	if (!arp_parse(&d->cursor, &a)) {
		snprintf(d->line, PACKET_LINE, "arp, malformed");
		return;
	}
	const struct reeve_address from = reeve_address_from_ipv4(a.sender);
	const struct reeve_address to = reeve_address_from_ipv4(a.target);

	reeve_address_format(&from, sender);
	reeve_address_format(&to, target);
	if (a.sender == a.target) /* RFC 5227, 3 */
		snprintf(d->line, PACKET_LINE, "arp announcement of %s", sender);
	else if (a.operation == ARP_REQUEST)
		snprintf(d->line, PACKET_LINE, "arp who has %s, tell %s", target, sender);
	else
		snprintf(d->line, PACKET_LINE, "arp %s is at %02x:%02x:%02x:%02x:%02x:%02x", sender,
			 a.sender_mac[0], a.sender_mac[1], a.sender_mac[2], a.sender_mac[3],
			 a.sender_mac[4], a.sender_mac[5]);
}

char *packet_line(const uint8_t *frame, size_t length, size_t original, char line[PACKET_LINE])
{
	struct decoded d = { .cursor = cursor_over(frame, length), .line = line };
	struct ether_header h;

	if (!ether_parse(&d.cursor, &h)) {
		snprintf(line, PACKET_LINE, "frame of %zu bytes, malformed", original);
		return line;
	}
	switch (h.type) {
	case ETHER_IPV4:
		put_ipv4(&d);
		break;
	case ETHER_IPV6:
		put_ipv6(&d);
		break;
	case ETHER_ARP:
		put_arp(&d);
		break;
	default:
		snprintf(line, PACKET_LINE, "ethertype 0x%04x, %zu bytes", h.type, original);
		break;
	}
	return line;
}
