/* Packets to the host, and those that it must send. */
#include <stdlib.h>

#include "base/bytes.h"
#include "packet.h"
#include "run.h"
#include "stack/ip.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define PEER_PORT 40000 /* the first of a peer that connects */
#define WAIT_S    3600  /* for a packet that comes whenever it comes */

static double seconds(const struct run *r, struct reeve_time at)
{
	return (double)reeve_time_since(at, r->world.begin) / (double)REEVE_NS_PER_S;
}

static struct flow *add_flow(struct run *r, struct script_place place, uint16_t host_port,
			     uint16_t peer_port)
{
	if (r->flow_count == RUN_FLOWS) {
		script_fault(r->fault, place, "more than %u connections", RUN_FLOWS);
		return NULL;
	}
	r->current = r->flow_count++;
	r->flows[r->current] = (struct flow){ .host_port = host_port, .peer_port = peer_port };
	return &r->flows[r->current];
}

static bool has_listener(const struct run *r)
{
	for (unsigned i = 0; i < RUN_HANDLES; i++)
		if (r->handles[i].kind == HANDLE_STREAM && r->handles[i].is_listener)
			return true;
	return false;
}

/* A SYN begins a new connection when the one before has been closed, or there was none. */
static struct flow *inbound_flow(struct run *r, const struct script_event *e)
{
	const struct script_packet *const p = e->packet;
	const bool is_syn =
		p->protocol == PACKET_TCP && (p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	if (r->flow_count == 0 || (is_syn && r->flows[r->current].is_closed && has_listener(r)))
		return add_flow(r, e->place, r->script->settings.bind_port,
				(uint16_t)(PEER_PORT + r->flow_count));
	return &r->flows[r->current];
}

void run_close_flow(struct run *r, uint16_t host_port, uint16_t peer_port)
{
	for (unsigned i = 0; i < r->flow_count; i++)
		if (r->flows[i].host_port == host_port && r->flows[i].peer_port == peer_port)
			r->flows[i].is_closed = true;
}

static uint8_t type_of_service(const struct script_packet *p)
{
	const unsigned tos = p->tos < 0 ? 0 : (unsigned)p->tos;

	return (uint8_t)(p->ecn == ECN_UNSAID ? tos : (tos & ~3u) | p->ecn);
}

void run_inbound(struct run *r, const struct script_event *e)
{
	static uint8_t bytes[PACKET_BYTES];
	const struct script_packet *const p = e->packet;
	const struct script_settings *const s = &r->script->settings;
	const uint8_t protocol = p->protocol == PACKET_ICMP  ? IP_ICMP
				 : p->protocol == PACKET_UDP ? IP_UDP
							     : IP_TCP;
	const struct ipv4_header ip = {
		.tos = type_of_service(p),
		.ttl = p->ttl < 0 ? 64 : (uint8_t)p->ttl,
		.protocol = protocol,
		.source = reeve_address_to_ipv4(&s->remote),
		.destination = reeve_address_to_ipv4(&s->local),
	};
	struct flow *const f = inbound_flow(r, e);
	const char *fault = NULL;

	if (!f)
		return;
	if (p->flags & TCP_SYN && !f->has_peer_start) {
		f->has_peer_start = true;
		f->peer_start = p->sequence;
		f->peer_syn_length = p->length;
	}

	const size_t length = packet_encode(p, f, s, bytes, &fault);

	if (fault) {
		script_fault(r->fault, e->place, "%s", fault);
		return;
	}
	station_fill_checksum(&ip, bytes, length,
			      protocol == IP_ICMP  ? ICMP_CHECKSUM_OFFSET
			      : protocol == IP_UDP ? UDP_CHECKSUM_OFFSET
						   : TCP_CHECKSUM_OFFSET);
	if (!station_send(&r->world.station, &ip, bytes, length, r->world.now))
		script_fault(r->fault, e->place, "no memory for the packet");
}

/* Whose packet the host has sent: with its SYN a connection begins. */
static struct flow *outbound_flow(struct run *r, const struct script_event *e, const struct sent *s)
{
	if (s->ip.protocol != IP_UDP && (s->ip.protocol != IP_TCP || s->length < TCP_HEADER_MIN))
		return r->flow_count ? &r->flows[r->current] : NULL;

	const uint16_t host_port = load_be16(s->body), peer_port = load_be16(s->body + 2);

	for (unsigned i = r->flow_count; i-- > 0;)
		if (r->flows[i].host_port == host_port && r->flows[i].peer_port == peer_port)
			return &r->flows[i];
	return add_flow(r, e->place, host_port, peer_port);
}

static void check_content(struct run *r, const struct script_event *e, const struct sent *s,
			  const struct flow *f, const struct script_packet *got)
{
	const uint8_t *const payload = s->body + s->length - got->length;

	/* What precedes the position 1 is a probe's: whatever it holds was acknowledged. */
	if (!f->is_known || got->sequence == 0)
		return;
	if (!run_is_content(r, f, got->sequence, payload, got->length))
		script_fault(r->fault, e->place, "other bytes than were written");
}

static void check_packet(struct run *r, const struct script_event *e, const struct sent *s,
			 const struct script_packet *got)
{
	const struct script_settings *const settings = &r->script->settings;
	const int64_t tick = settings->timestamp_tick_us * REEVE_NS_PER_US;
	const char *const what =
		packet_difference(e->packet, got, tick ? settings->tolerance_ns / tick : -1);
	char expected[PACKET_TEXT], came[PACKET_TEXT];

	if (what)
		script_fault(r->fault, e->place, "%s: expected '> %s', but '> %s' came at %.6f s",
			     what, packet_format(e->packet, expected), packet_format(got, came),
			     seconds(r, s->at));
}

/* Whether what was sent next goes on where the segments before it end, in all but its payload. */
static bool goes_on(const struct sent *next, const struct sent *first,
		    const struct script_packet *got, struct flow *f,
		    const struct script_packet *expected, struct script_packet *ret)
{
	return next->ip.protocol == IP_TCP && next->length >= TCP_HEADER_MIN &&
	       load_be32(next->body) == load_be32(first->body) &&
	       packet_decode(next, f, expected, ret) && ret->length > 0 &&
	       ret->sequence == got->sequence + got->length && packet_is_like(ret, got);
}

/* Segments in a row count as the one long segment that a device would have cut into them. */
static void join(struct run *r, const struct script_event *e, const struct sent *first,
		 struct flow *f, struct script_packet *got)
{
	if (r->script->settings.is_strict_segments)
		return;
	while (got->protocol == PACKET_TCP && got->length > 0 && got->length < e->packet->length &&
	       e->packet->protocol == PACKET_TCP && r->world.first &&
	       r->world.first->at.ns == first->at.ns) {
		struct script_packet more;

		if (!goes_on(r->world.first, first, got, f, e->packet, &more))
			return;
		check_content(r, e, r->world.first, f, &more);
		got->length += more.length;
		got->flags |= more.flags;
		if (r->how->is_linux)
			got->flags = (got->flags & ~TCP_PSH) | (e->packet->flags & TCP_PSH);
		free(world_take(&r->world));
	}
}

/* Waits for one; NULL when none comes in time. */
static struct sent *wait_for(struct run *r, struct reeve_time last)
{
	run_settle(r);
	while (!r->world.first && reeve_time_before(r->world.now, last) && !r->fault->is_set) {
		struct reeve_time next = last;

		if (r->call.is_active)
			next = reeve_time_min(next, r->call.timeout);
		world_step(&r->world, next);
		run_settle(r);
	}
	return world_take(&r->world);
}

static void check_time(struct run *r, const struct script_event *e, struct reeve_time first,
		       struct reeve_time last, const struct sent *s,
		       const struct script_packet *got)
{
	const int64_t tolerance = run_tolerance(r, e->time.first_ns);
	char text[PACKET_TEXT];

	if (reeve_time_since(first, s->at) <= tolerance &&
	    reeve_time_since(s->at, last) <= tolerance)
		return;
	if (e->time.is_range)
		script_fault(r->fault, e->place,
			     "expected from %.6f s to %.6f s, but '> %s' came at %.6f s",
			     seconds(r, first), seconds(r, last), packet_format(got, text),
			     seconds(r, s->at));
	else
		script_fault(r->fault, e->place, "expected at %.6f s, but '> %s' came at %.6f s",
			     seconds(r, first), packet_format(got, text), seconds(r, s->at));
}

void run_outbound(struct run *r, const struct script_event *e)
{
	const bool any = e->time.clock == SCRIPT_ANY;
	const struct reeve_time base =
		e->time.clock == SCRIPT_ABSOLUTE ? r->world.begin : r->previous;
	const struct reeve_time first = reeve_time_add(base, e->time.first_ns);
	const struct reeve_time last = any ? reeve_time_add(r->world.now, WAIT_S * REEVE_NS_PER_S)
					   : reeve_time_add(base, e->time.last_ns);
	struct sent *const s =
		wait_for(r, reeve_time_add(last, run_tolerance(r, e->time.first_ns)));
	struct script_packet got;
	char text[PACKET_TEXT];

	if (!s) {
		script_fault(r->fault, e->place, "expected '> %s', but nothing came by %.6f s",
			     packet_format(e->packet, text), seconds(r, r->world.now));
		return;
	}

	struct flow *const f = outbound_flow(r, e, s);

	if (!f || !packet_decode(s, f, e->packet, &got)) {
		script_fault(r->fault, e->place,
			     "expected '> %s', but a packet of protocol %u came",
			     packet_format(e->packet, text), s->ip.protocol);
		free(s);
		return;
	}
	if (got.protocol == PACKET_TCP)
		check_content(r, e, s, f, &got);
	join(r, e, s, f, &got);
	check_packet(r, e, s, &got);
	if (!any)
		check_time(r, e, first, last, s, &got);
	r->previous = any || e->time.is_range ? s->at : first;
	free(s);
}

void run_expect_nothing(struct run *r)
{
	const struct sent *const s = r->world.first;
	const struct script_event *e = r->script->first;
	struct script_packet got = { 0 };
	char text[PACKET_TEXT];

	if (!e || !s || r->fault->is_set)
		return;
	while (e->next)
		e = e->next;

	struct flow *const f = outbound_flow(r, e, s);

	if (f && packet_decode(s, f, NULL, &got))
		script_fault(r->fault, e->place,
			     "after the last event '> %s' is left, which came at %.6f s",
			     packet_format(&got, text), seconds(r, s->at));
	else
		script_fault(r->fault, e->place, "after the last event a packet is left");
}
