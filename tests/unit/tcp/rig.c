/* The host under test and its hand-made peer. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include "wire/icmp.h"
#include "wire/ipv4.h"

static const uint8_t host_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

#define HOST_ADDRESS "192.0.2.1"
#define PEER_ADDRESS "192.0.2.2"

const struct peer_options peer_plain = { .no_scale = true, .mss = 1460, .window = 65535 };
const struct peer_options peer_modern = {
	.timestamps = true,
	.sack = true,
	.mss = 1460,
	.window = 65535,
	.scale = 7,
};

struct reeve_sockaddr rig_name(const char *address, uint16_t port)
{
	struct reeve_sockaddr s = { .port = port };

	assert_int_equal(reeve_address_parse(address, &s.address), 0);
	return s;
}

void rig_init(struct rig *r)
{
	const struct reeve_pool_config pool = {
		.max_packets = r->max_packets ? r->max_packets : 16384,
		.max_buffer_bytes = 256 << 20,
	};
	struct reeve_prefix prefix;

	r->pool = reeve_pool_new(&pool);
	assert_non_null(r->pool);
	if (!r->now.ns)
		r->now = (struct reeve_time){ 1000 * REEVE_NS_PER_S };
	if (!r->mtu)
		r->mtu = 1500;
	if (!r->max_sockets)
		r->max_sockets = 1000;

	const struct reeve_host_config config = {
		.pool = r->pool,
		.seed = { 7 },
		.max_sockets = r->max_sockets,
	};
	struct reeve_iface_config iface = {
		.name = "eth0",
		.mtu = r->mtu,
		.offloads = r->offloads,
		.queue_packets = 1024,
	};

	r->host = reeve_host_new(&config, r->now);
	assert_non_null(r->host);
	memcpy(iface.mac, host_mac, 6);
	r->station.pool = r->pool;
	r->station.host = r->host;
	r->station.host_address = 0xc0000201;
	memcpy(r->station.host_mac, host_mac, 6);
	memcpy(r->station.mac, peer_mac, 6);
	assert_int_equal(reeve_host_add_iface(r->host, &iface, &r->iface), 0);
	assert_int_equal(reeve_prefix_parse(HOST_ADDRESS "/24", &prefix), 0);
	assert_int_equal(reeve_host_add_address(r->host, r->iface, &prefix), 0);
	r->station.iface = r->iface;
	rig_pass_ms(r, 10000); /* its announcements are over */
	rig_none(r);
}

void rig_discard(struct rig *r)
{
	rig_collect(r);
	while (r->count > 0)
		rig_take(r);
}

void rig_deinit(struct rig *r)
{
	struct reeve_pool_stats stats;

	rig_discard(r);
	for (unsigned i = 0; i < RIG_SEGMENTS; i++)
		free(r->segments[i].payload);
	reeve_host_free(r->host);
	reeve_pool_stats(r->pool, &stats);
	assert_int_equal(stats.packets, 0);
	assert_int_equal(stats.buffers, 0);
	reeve_pool_free(r->pool);
}

static void remember(struct rig *r, const uint8_t *tcp, size_t length, uint16_t segment_size)
{
	assert_true(r->count < RIG_SEGMENTS);

	struct rig_segment *const s = &r->segments[(r->first + r->count) % RIG_SEGMENTS];

	free(s->payload);
	*s = (struct rig_segment){ .at = r->now, .segment_size = segment_size };
	assert_int_equal(tcp_header_parse(tcp, length, &s->h), 0);
	s->length = (uint32_t)(length - s->h.length);
	s->payload = malloc(s->length + 1);
	assert_non_null(s->payload);
	memcpy(s->payload, tcp + s->h.length, s->length);
	r->count++;
}

static void take_frame(struct rig *r, struct reeve_packet *p)
{
	struct station_packet s;
	const enum station_frame what = station_read(&r->station, p, r->now, &s);

	if (what == STATION_ANSWERED)
		return;
	assert_int_equal(what, STATION_PACKET);
	if (s.offload.segmentation == REEVE_SEGMENTATION_NONE)
		assert_true(s.ip.total_length <= r->mtu);
	if (s.ip.protocol == IP_ICMP) {
		r->icmp_seen = true;
		r->icmp_type = s.body[0];
		r->icmp_code = s.body[1];
		return;
	}
	assert_int_equal(s.ip.protocol, IP_TCP);
	/* What leaves the host complete must be right to the last bit. */
	assert_true(station_checksum_ok(&s));
	remember(r, s.body, s.length,
		 s.offload.segmentation == REEVE_SEGMENTATION_NONE ? 0 : s.offload.segment_size);
}

void rig_collect(struct rig *r)
{
	struct reeve_packet *p;
	unsigned iface;

	while ((p = reeve_host_output(r->host, r->now, &iface)) != NULL)
		take_frame(r, p);
}

/* Ticks whenever the host asks for it, and never more often. */
void rig_pass_ms(struct rig *r, int64_t ms)
{
	const struct reeve_time end = reeve_time_add_ms(r->now, ms);

	rig_collect(r);
	for (;;) {
		const struct reeve_time next = reeve_host_deadline(r->host);

		if (reeve_time_before(end, next))
			break;
		assert_true(reeve_time_before(r->now, next));
		r->now = next;
		reeve_host_tick(r->host, r->now);
		rig_collect(r);
	}
	r->now = end;
	reeve_host_tick(r->host, r->now);
	rig_collect(r);
}

bool rig_wait_ms(struct rig *r, int64_t ms)
{
	rig_collect(r);
	for (int64_t passed = 0; passed < ms && r->count == 0; passed++)
		rig_pass_ms(r, 1);
	return r->count > 0;
}

static struct ipv4_header header_between(const char *from, const char *to, uint8_t protocol)
{
	const struct reeve_sockaddr source = rig_name(from, 0);
	const struct reeve_sockaddr destination = rig_name(to, 0);

	return (struct ipv4_header){
		.ttl = 64,
		.protocol = protocol,
		.source = reeve_address_to_ipv4(&source.address),
		.destination = reeve_address_to_ipv4(&destination.address),
	};
}

static void give_ip(struct rig *r, const struct ipv4_header *ip, const uint8_t *body, size_t length)
{
	assert_true(station_send(&r->station, ip, body, length, r->now));
	if (!r->holds)
		rig_collect(r);
}

void rig_input_bytes_to(struct rig *r, const uint8_t *tcp, size_t length, const char *from,
			const char *to)
{
	static uint8_t bytes[RIG_PAYLOAD + 64];
	const struct ipv4_header ip = header_between(from, to, IP_TCP);

	memcpy(bytes, tcp, length);
	if (length >= TCP_HEADER_MIN)
		station_fill_checksum(&ip, bytes, length, TCP_CHECKSUM_OFFSET);
	give_ip(r, &ip, bytes, length);
}

void rig_input_bytes(struct rig *r, const uint8_t *tcp, size_t length, const char *from)
{
	rig_input_bytes_to(r, tcp, length, from, HOST_ADDRESS);
}

void rig_input(struct rig *r, const struct tcp_header *h, const void *payload, size_t length)
{
	static uint8_t bytes[RIG_PAYLOAD + 64];
	const size_t header = tcp_header_size(h);

	tcp_header_emit(h, bytes);
	if (length > 0)
		memcpy(bytes + header, payload, length);
	rig_input_bytes(r, bytes, header + length, PEER_ADDRESS);
}

void rig_icmp(struct peer *p, uint8_t type, uint8_t code, uint32_t mtu, uint32_t sequence)
{
	uint8_t body[ICMP_HEADER + IPV4_HEADER + 8] = { 0 };
	const struct icmp_header h = { .type = type, .code = code, .rest = mtu };
	const struct ipv4_header ip = {
		.header_length = IPV4_HEADER,
		.ttl = 63,
		.protocol = IP_TCP,
		.total_length = 1500,
		.source = 0xc0000201,
		.destination = 0xc0000202,
		.dont_fragment = true,
	};
	uint8_t *const quoted = body + ICMP_HEADER;

	icmp_emit(&h, body);
	ipv4_emit(&ip, quoted);
	store_be16(quoted + IPV4_HEADER, p->host_port);
	store_be16(quoted + IPV4_HEADER + 2, p->port);
	store_be32(quoted + IPV4_HEADER + 4, sequence);

	const struct ipv4_header outer = header_between(PEER_ADDRESS, HOST_ADDRESS, IP_ICMP);

	station_fill_checksum(&outer, body, sizeof(body), ICMP_CHECKSUM_OFFSET);
	give_ip(p->rig, &outer, body, sizeof(body));
}

struct rig_segment *rig_take(struct rig *r)
{
	if (r->count == 0)
		rig_collect(r);
	assert_true(r->count > 0);

	struct rig_segment *const s = &r->segments[r->first];

	r->first = (r->first + 1) % RIG_SEGMENTS;
	r->count--;
	return s;
}

void rig_none(struct rig *r)
{
	rig_collect(r);
	assert_int_equal(r->count, 0);
}

struct reeve_host_stats rig_stats(const struct rig *r)
{
	struct reeve_host_stats stats;

	reeve_host_stats(r->host, &stats);
	return stats;
}

uint64_t rig_drops(const struct rig *r, enum reeve_drop reason)
{
	return rig_stats(r).drops[reason];
}

uint32_t rig_events(struct rig *r, const struct reeve_tcp *tcp)
{
	struct reeve_event e;
	uint32_t what = 0;

	while (reeve_host_next_event(r->host, &e))
		if (e.socket == tcp)
			what |= e.what;
	return what;
}

struct reeve_tcp *rig_listen(struct rig *r, uint32_t backlog)
{
	struct reeve_tcp *const tcp = reeve_tcp_new(r->host, REEVE_IPV4, NULL);
	const struct reeve_sockaddr local = rig_name("0.0.0.0", RIG_PORT);

	assert_non_null(tcp);
	assert_int_equal(reeve_tcp_bind(tcp, &local), 0);
	assert_int_equal(reeve_tcp_listen(tcp, backlog), 0);
	return tcp;
}

struct tcp_header peer_header(const struct peer *p, uint8_t flags)
{
	struct tcp_header h = {
		.source_port = p->port,
		.destination_port = p->host_port,
		.sequence = p->next,
		.flags = flags,
		.window = p->window,
	};

	if (flags & TCP_ACK)
		h.acknowledgment = p->expected;
	if (p->timestamps) {
		h.options.has_timestamps = true;
		h.options.timestamp = p->ts;
		h.options.timestamp_echo = p->ts_echo;
	}
	return h;
}

void peer_send_h(struct peer *p, struct tcp_header *h, const void *payload, size_t length)
{
	rig_input(p->rig, h, payload, length);
}

void peer_send(struct peer *p, uint8_t flags, const void *payload, size_t length)
{
	struct tcp_header h = peer_header(p, flags);

	p->next += (uint32_t)length + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
	rig_input(p->rig, &h, payload, length);
}

void peer_ack(struct peer *p)
{
	peer_send(p, TCP_ACK, NULL, 0);
}

struct rig_segment *peer_take(struct peer *p)
{
	struct rig_segment *const s = rig_take(p->rig);

	assert_int_equal(s->h.source_port, p->host_port);
	assert_int_equal(s->h.destination_port, p->port);
	assert_int_equal(s->h.sequence, p->expected);
	p->expected += s->length + (s->h.flags & TCP_SYN ? 1 : 0) + (s->h.flags & TCP_FIN ? 1 : 0);
	if (s->h.options.has_timestamps)
		p->ts_echo = s->h.options.timestamp;
	return s;
}

struct rig_segment *peer_take_flags(struct peer *p, uint8_t flags)
{
	struct rig_segment *const s = peer_take(p);

	assert_int_equal(s->h.flags, flags);
	return s;
}

static void put_options(const struct peer_options *o, struct tcp_header *h)
{
	h->options.mss = o->mss;
	h->options.sack_permitted = o->sack;
	h->options.has_window_scale = !o->no_scale;
	h->options.window_scale = o->scale;
}

static void set_up(struct peer *p, struct rig *r, const struct peer_options *o)
{
	*p = (struct peer){
		.rig = r,
		.port = RIG_PEER,
		.host_port = RIG_PORT,
		.next = o->iss ? o->iss : 5000,
		.window = o->window ? o->window : 65535,
		.timestamps = o->timestamps,
		.ts = 100,
	};
	p->iss = p->next;
}

struct reeve_tcp *peer_accept(struct peer *p, struct rig *r, struct reeve_tcp *listener,
			      const struct peer_options *o)
{
	const uint16_t port = p->port;

	set_up(p, r, o);
	if (port)
		p->port = port;

	struct tcp_header h = peer_header(p, TCP_SYN);

	put_options(o, &h);
	peer_send_h(p, &h, NULL, 0);
	p->next++;

	struct rig_segment *const s = rig_take(r);

	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(s->h.acknowledgment, p->next);
	assert_int_equal(s->h.options.has_timestamps, o->timestamps);
	assert_int_equal(s->h.options.sack_permitted, o->sack);
	assert_int_equal(s->h.options.has_window_scale, !o->no_scale);
	p->host_iss = s->h.sequence;
	p->expected = s->h.sequence + 1;
	p->ts_echo = s->h.options.timestamp;
	peer_ack(p);

	struct reeve_tcp *const tcp = reeve_tcp_accept(listener, p);

	assert_non_null(tcp);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	rig_none(r);
	return tcp;
}

struct reeve_tcp *peer_connected(struct peer *p, struct rig *r, const struct peer_options *o)
{
	struct reeve_tcp *const tcp = reeve_tcp_new(r->host, REEVE_IPV4, p);
	const struct reeve_sockaddr to = rig_name(PEER_ADDRESS, RIG_PORT);
	struct reeve_sockaddr local;

	set_up(p, r, o);
	p->port = RIG_PORT;
	assert_non_null(tcp);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r->now), 0);
	assert_int_equal(reeve_tcp_local(tcp, &local), 0);
	p->host_port = local.port;

	struct rig_segment *const s = rig_take(r);

	assert_int_equal(s->h.flags, TCP_SYN);
	p->host_iss = s->h.sequence;
	p->expected = s->h.sequence + 1;
	p->ts_echo = s->h.options.timestamp;

	struct tcp_header h = peer_header(p, TCP_SYN | TCP_ACK);

	put_options(o, &h);
	peer_send_h(p, &h, NULL, 0);
	p->next++;
	assert_int_equal(peer_take(p)->h.flags, TCP_ACK);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	return tcp;
}
