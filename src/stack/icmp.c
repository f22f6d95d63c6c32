/*
 * ICMPv4 (RFC 792, RFC 1122, 3.2.2), and of ICMPv6 the echo over ::1 (RFC 4443, 4).
 *
 * Rates (RFC 1812, 4.3.2.8): errors and echo replies to the links each have a bucket. How full a
 * bucket is must not tell a stranger what else the host has answered, so its size is blurred
 * (the SAD DNS attack, 2020). What the host says to itself is not limited.
 */
#include "stack/icmp.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checksum.h"
#include "stack/iface.h"
#include "stack/tcp/tcp.h"
#include "stack/udp.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/pseudo.h"

#define ERROR_INTERVAL_NS (REEVE_NS_PER_S / 1000)
#define ERROR_BURST       50
#define ECHO_INTERVAL_NS  (REEVE_NS_PER_S / 10000)
#define ECHO_BURST        1000

/* RFC 1812, 4.3.2.3: as much of the packet as fits into 576 bytes. */
#define QUOTE_MAX (576 - IPV4_HEADER - ICMP_HEADER)

/* Ports, and TCP's sequence number; or ICMP's first words. RFC 792 has at least these quoted. */
#define QUOTED_TRANSPORT 8

/* RFC 1812, 5.3.7 and Linux alike: what a router says about a packet has this precedence. */
#define TOS_INTERNETWORK_CONTROL 0xc0

/* Generic cell rate: `full` is when the bucket's tokens will all be back. */
struct limit {
	int64_t interval_ns;
	uint32_t burst;
	struct reeve_time full;
};

struct icmp_host {
	struct limit errors, echoes;
	struct ping_table *pings;
};

struct icmp_host *icmp_host_new(struct reeve_host *host)
{
	struct icmp_host *const i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->errors = (struct limit){ ERROR_INTERVAL_NS, ERROR_BURST, host->now };
	i->echoes = (struct limit){ ECHO_INTERVAL_NS, ECHO_BURST, host->now };
	i->pings = ping_table_new();
	return i->pings ? i : icmp_host_free(i);
}

struct icmp_host *icmp_host_free(struct icmp_host *i)
{
	if (!i)
		return NULL;
	ping_table_free(i->pings);
	free(i);
	return NULL;
}

struct ping_table *icmp_pings(const struct reeve_host *host)
{
	return host->icmp->pings;
}

static bool limit_allows(struct reeve_host *host, struct limit *l)
{
	const uint32_t burst = l->burst - random_below(&host->random, l->burst / 4);
	const struct reeve_time start = reeve_time_before(l->full, host->now) ? host->now : l->full;

	if (reeve_time_since(start, host->now) > (burst - 1) * l->interval_ns)
		return false;
	l->full = reeve_time_add(start, l->interval_ns);
	return true;
}

/* Linux's icmp_err_convert: errno and whether it ends a connection attempt, by UNREACHABLE's code. */
static const struct {
	int error;
	bool hard;
} unreachable_errors[] = {
	{ ENETUNREACH, false },  /* network */
	{ EHOSTUNREACH, false }, /* host */
	{ ENOPROTOOPT, true },   /* protocol */
	{ ECONNREFUSED, true },  /* port */
	{ EMSGSIZE, false },     /* fragmentation needed */
	{ EOPNOTSUPP, false },   /* source route failed */
	{ ENETUNREACH, true },   /* network unknown */
	{ EHOSTDOWN, true },     /* host unknown */
	{ ENONET, true },        /* source host isolated */
	{ ENETUNREACH, true },   /* network prohibited */
	{ EHOSTUNREACH, true },  /* host prohibited */
	{ ENETUNREACH, false },  /* network, for this type of service */
	{ EHOSTUNREACH, false }, /* host, for this type of service */
	{ EHOSTUNREACH, true },  /* filtered */
	{ EHOSTUNREACH, true },  /* precedence violated */
	{ EHOSTUNREACH, true },  /* precedence cut off */
};

/* False for a type or code that is no error that we know. */
static bool convert(const struct icmp_header *h, struct icmp_error *e)
{
	e->type = h->type;
	e->code = h->code;
	switch (h->type) {
	case ICMPV4_UNREACHABLE:
		if (h->code >= array_length(unreachable_errors))
			return false;
		e->error = unreachable_errors[h->code].error;
		e->hard = unreachable_errors[h->code].hard;
		if (h->code == ICMPV4_FRAGMENTATION_NEEDED)
			e->mtu = h->rest & 0xffff;
		return true;
	case ICMPV4_TIME_EXCEEDED:
		e->error = EHOSTUNREACH;
		return h->code <= ICMPV4_REASSEMBLY;
	case ICMPV4_PARAMETER_PROBLEM:
		e->error = EPROTO;
		e->hard = true;
		return true;
	default:
		return false;
	}
}

/* Tells the transport that sent the packet. *rest is the second word of an ICMP header of ours that
 * the error is about. False when nobody has sent such a packet. */
static bool tell(struct reeve_host *host, const struct icmp_error *e, uint32_t rest)
{
	switch (e->protocol) {
	case IP_TCP:
		return tcp_icmp_error(host, e);
	case IP_UDP:
		return udp_icmp_error(host, e);
	case IP_ICMP: {
		const bool is_ping = ping_error(host, e, rest);

		return udp_echo_error(host, e, (uint16_t)(rest >> 16)) || is_ping;
	}
	default:
		return false;
	}
}

/* A packet of ours as somebody quotes it, the IPv4 header in front. False when it is none. */
static bool parse_quote(const struct reeve_host *host, struct cursor *c, struct icmp_error *e,
			uint32_t *ret_rest)
{
	struct ipv4_header h;
	unsigned iface;

	if (ipv4_parse(c, &h) != IPV4_OK || h.fragment_offset > 0)
		return false;
	e->offset += h.header_length;
	const uint32_t first = cursor_be32(c);
	const uint32_t second = cursor_be32(c);

	if (!cursor_ok(c))
		return false;
	e->local = (struct reeve_sockaddr){ .address = reeve_address_from_ipv4(h.source) };
	e->remote = (struct reeve_sockaddr){ .address = reeve_address_from_ipv4(h.destination) };
	e->protocol = h.protocol;
	if (h.protocol == IP_ICMP) {
		if (first >> 24 != ICMPV4_ECHO_REQUEST)
			return false;
	} else {
		e->local.port = (uint16_t)(first >> 16);
		e->remote.port = (uint16_t)first;
		e->sequence = second;
	}
	*ret_rest = second;
	return host->config.any_address || reeve_address_is_loopback(&e->local.address) ||
	       iface_relation_of(host, h.source, &iface) == IFACE_OWN;
}

/* False with the reason when it is of no use. */
static bool receive_error(struct reeve_host *host, const struct reeve_packet *p,
			  const struct ip_received *how, const struct icmp_header *h,
			  enum reeve_drop *ret_reason)
{
	uint8_t quote[IPV4_HEADER_MAX + QUOTED_TRANSPORT];
	const size_t left = p->length - ICMP_HEADER;
	const size_t length = left < sizeof(quote) ? left : sizeof(quote);
	struct icmp_error e = { .how = how, .packet = p, .offset = ICMP_HEADER };
	uint32_t rest;

	*ret_reason = REEVE_DROP_ICMP_TYPE;
	if (!convert(h, &e))
		return false;
	packet_copy(p, ICMP_HEADER, length, quote);
	struct cursor c = cursor_over(quote, length);

	*ret_reason = REEVE_DROP_ICMP_UNMATCHED;
	return parse_quote(host, &c, &e, &rest) && tell(host, &e, rest);
}

/* The request goes back as it came, its type changed and the checksum with it (RFC 1624): the
 * payload is not even looked at. */
static void answer_echo_take(struct reeve_host *host, struct reeve_packet *p_take,
			     const struct ip_received *how, struct icmp_header *h)
{
	const bool ipv6 = how->protocol == IP_ICMPV6;
	const uint8_t reply = ipv6 ? ICMPV6_ECHO_REPLY : ICMPV4_ECHO_REPLY;
	const struct ip_send send = {
		.source = how->destination,
		.destination = how->source,
		.protocol = how->protocol,
		.tos = how->tos,
	};
	const bool partial = p_take->offload.checksum == REEVE_CHECKSUM_PARTIAL;

	if (how->iface != IFACE_LO && !limit_allows(host, &host->icmp->echoes)) {
		host_drop_take(host, p_take, REEVE_DROP_ICMP_LIMIT);
		return;
	}
	/* Not so of what links bring; but nothing that arrives may be what check() is for. */
	if (p_take->head_start < (ipv6 ? IPV6_HEADER : IPV4_HEADER) + ETHER_HEADER) {
		host_drop_take(host, p_take, REEVE_DROP_NO_MEMORY);
		return;
	}
	if (!partial) {
		/* ~(~old + ~from + to), RFC 1624, 3, eqn. 3; both types stand in the high byte. */
		uint32_t sum = (uint16_t)~h->checksum + (uint16_t) ~(h->type << 8) +
			       (uint32_t)(reply << 8);

		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		h->checksum = (uint16_t)~sum;
		p_take->offload = (struct reeve_offload){ 0 };
	}
	h->type = reply;
	icmp_emit(h, packet_data(p_take));
	host->stats.icmp_in++;
	if (ip_send_take(host, p_take, &send) == 0)
		host->stats.icmp_out++;
}

static bool checksum_is_right(const struct reeve_packet *p, const struct ip_received *how)
{
	uint64_t sum = 0;

	/* One that is to be filled in at another place would be filled in there in the answer. */
	if (p->offload.checksum == REEVE_CHECKSUM_PARTIAL)
		return p->offload.checksum_start == 0 &&
		       p->offload.checksum_offset == ICMP_CHECKSUM_OFFSET;
	if (p->offload.checksum == REEVE_CHECKSUM_VERIFIED)
		return true;
	if (how->protocol == IP_ICMPV6)
		sum = pseudo_sum(&how->source, &how->destination, IP_ICMPV6, p->length);
	return checksum_fold(packet_sum(p, 0, p->length, sum)) == 0xffff;
}

enum meaning {
	MEANING_NONE,
	MEANING_REQUEST,
	MEANING_REPLY,
	MEANING_ERROR,
};

static enum meaning meaning_of(const struct icmp_header *h, const struct ip_received *how)
{
	if (how->protocol == IP_ICMPV6) {
		if (h->type == ICMPV6_ECHO_REQUEST)
			return MEANING_REQUEST;
		return h->type == ICMPV6_ECHO_REPLY ? MEANING_REPLY : MEANING_NONE;
	}
	switch (h->type) {
	case ICMPV4_ECHO_REQUEST:
		/* RFC 1122, 3.2.2.6 leaves a request to everybody to us; Smurf's victims decide. */
		return how->broadcast ? MEANING_NONE : MEANING_REQUEST;
	case ICMPV4_ECHO_REPLY:
		return MEANING_REPLY;
	case ICMPV4_UNREACHABLE:
	case ICMPV4_TIME_EXCEEDED:
	case ICMPV4_PARAMETER_PROBLEM:
		return how->broadcast ? MEANING_NONE : MEANING_ERROR;
	default:
		/* Source quench is deprecated (RFC 6633); redirects would let a neighbour reroute. */
		return MEANING_NONE;
	}
}

/* For somebody else's address, for which the host takes packets (any_address): whether he is there
 * is not for us to say. */
static bool is_elsewhere(const struct reeve_host *host, const struct ip_received *how)
{
	return host->config.any_address && how->iface != IFACE_LO && !how->broadcast &&
	       !reeve_host_has_address(host, &how->destination);
}

void icmp_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		     const struct ip_received *how)
{
	struct icmp_header h;
	enum reeve_drop reason = REEVE_DROP_ICMP_TYPE;

	if (!packet_pull(p_take, ICMP_HEADER)) {
		host_drop_take(host, p_take, REEVE_DROP_ICMP_SHORT);
		return;
	}
	struct cursor c = cursor_over(packet_data(p_take), ICMP_HEADER);

	check(icmp_parse(&c, &h));
	if (!checksum_is_right(p_take, how)) {
		host_drop_take(host, p_take, REEVE_DROP_ICMP_CHECKSUM);
		return;
	}
	bool taken = false;

	switch (meaning_of(&h, how)) {
	case MEANING_NONE:
		break;
	case MEANING_REQUEST:
		if (is_elsewhere(host, how))
			icmp_refuse_take(host, p_take, how, ICMPV4_UNREACHABLE, ICMPV4_NETWORK,
					 REEVE_DROP_IP_NO_ROUTE);
		else
			answer_echo_take(host, p_take, how, &h);
		return;
	case MEANING_REPLY:
		reason = REEVE_DROP_ICMP_UNMATCHED;
		taken = ping_input(host, p_take, how, h.rest);
		if (how->protocol == IP_ICMP &&
		    udp_echo_input(host, p_take, how, (uint16_t)(h.rest >> 16)))
			taken = true;
		break;
	case MEANING_ERROR:
		taken = receive_error(host, p_take, how, &h, &reason);
		break;
	}
	if (!taken) {
		host_drop_take(host, p_take, reason);
		return;
	}
	host->stats.icmp_in++;
	reeve_packet_free(p_take);
}

/* RFC 1122, 3.2.2: never about an ICMP error, a broadcast or a packet that has no one sender. Other
 * fragments than the first never come here. */
static bool may_answer(const struct reeve_packet *p, const struct ip_received *how)
{
	if (how->broadcast || reeve_address_is_unspecified(&how->source) ||
	    reeve_address_is_multicast(&how->source) || reeve_address_is_broadcast(&how->source))
		return false;
	if (how->protocol != IP_ICMP)
		return true;
	uint8_t type;

	if (p->length < 1)
		return false;
	packet_copy(p, 0, 1, &type);
	return type == ICMPV4_ECHO_REQUEST;
}

/* What says that nobody is there comes from where nobody is; the rest from us (RFC 1122, 3.2.2). */
static bool error_source(const struct reeve_host *host, const struct ip_received *how,
			 const struct icmp_header *h, struct reeve_address *ret)
{
	const bool ours = reeve_host_has_address(host, &how->destination);
	const bool at_destination = h->type == ICMPV4_UNREACHABLE &&
				    (h->code == ICMPV4_PORT || h->code == ICMPV4_PROTOCOL);

	if (ours || at_destination) {
		*ret = how->destination;
		return true;
	}
	return reeve_host_source(host, &how->source, ret) == 0;
}

static void send_error(struct reeve_host *host, struct reeve_packet *original,
		       const struct ip_received *how, const struct icmp_header *h)
{
	uint8_t bytes[ICMP_HEADER + QUOTE_MAX];
	const size_t length = original->length < QUOTE_MAX ? original->length : QUOTE_MAX;
	struct ip_send send = {
		.destination = how->source,
		.protocol = IP_ICMP,
		.tos = TOS_INTERNETWORK_CONTROL,
	};

	if (!error_source(host, how, h, &send.source))
		return;
	icmp_emit(h, bytes);
	packet_copy(original, 0, length, bytes + ICMP_HEADER);
	const uint64_t sum = checksum_add(0, bytes, ICMP_HEADER + length);

	store_be16(bytes + 2, (uint16_t)~checksum_fold(sum));
	struct reeve_packet *const p = packet_new(host->pool);

	if (!p || !packet_append_bytes(p, bytes, ICMP_HEADER + length)) {
		reeve_packet_free(p);
		host_count_drop(host, REEVE_DROP_NO_MEMORY);
		return;
	}
	if (ip_send_take(host, p, &send) == 0)
		host->stats.icmp_out++;
}

/* Over ::1 both ends are here, so the sender is told without a packet. */
static void tell_ipv6(struct reeve_host *host, const struct reeve_packet *p,
		      const struct ip_received *how, const struct icmp_header *h)
{
	uint8_t bytes[QUOTED_TRANSPORT];
	struct icmp_error e = {
		.local = { .address = how->source },
		.remote = { .address = how->destination },
		.protocol = how->protocol,
		.packet = p,
	};

	if (p->length < sizeof(bytes) || !convert(h, &e))
		return;
	e.type = ICMPV6_UNREACHABLE;
	e.code = ICMPV6_PORT;
	packet_copy(p, 0, sizeof(bytes), bytes);
	e.local.port = load_be16(bytes);
	e.remote.port = load_be16(bytes + 2);
	e.sequence = load_be32(bytes + 4);
	tell(host, &e, 0);
}

void icmp_refuse_take(struct reeve_host *host, struct reeve_packet *p_take,
		      const struct ip_received *how, uint8_t type, uint8_t code,
		      enum reeve_drop reason)
{
	const struct icmp_header h = { .type = type, .code = code };

	if (!reeve_address_is_ipv4(&how->source))
		tell_ipv6(host, p_take, how, &h);
	else if (may_answer(p_take, how) && p_take->head_start >= how->header_length &&
		 (how->iface == IFACE_LO || limit_allows(host, &host->icmp->errors))) {
		/* The IP header has not been touched since it was stripped. */
		packet_push(p_take, how->header_length);
		send_error(host, p_take, how, &h);
	}
	host_drop_take(host, p_take, reason);
}

void icmp_unreachable_take(struct reeve_host *host, struct reeve_packet *p_take)
{
	static const struct icmp_header h = { .type = ICMPV4_UNREACHABLE, .code = ICMPV4_HOST };
	uint8_t quote[IPV4_HEADER + QUOTED_TRANSPORT];
	struct icmp_error e = { .packet = p_take };
	uint32_t rest;

	if (p_take->length >= sizeof(quote) && convert(&h, &e)) {
		packet_copy(p_take, 0, sizeof(quote), quote);
		struct cursor c = cursor_over(quote, sizeof(quote));

		if (parse_quote(host, &c, &e, &rest))
			tell(host, &e, rest);
	}
	host_drop_take(host, p_take, REEVE_DROP_NEIGHBOUR_UNREACHABLE);
}
