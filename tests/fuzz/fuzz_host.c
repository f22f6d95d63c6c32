/*
 * Frames into one host with sockets of every kind open, and the program's side of them.
 *
 * The input is a row of records: a byte of flags, a byte of time, two bytes of length, then so many
 * bytes of a frame. The flags let a frame get past what a fuzzer can't guess: checksums and the
 * numbers of a connection. A cookie of Fast Open that begins with ff becomes the right one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../model/invariants.h"
#include "base/checksum.h"
#include "base/cursor.h"
#include "base/packet.h"
#include "fuzz.h"
#include "reeve/tcp.h"
#include "reeve/udp.h"
#include "stack/tcp/conn_private.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#define SOCKETS 16
#define FRAMES  64

enum {
	FLAG_TO_US = 0x01,    /* to our MAC */
	FLAG_IP_SUM = 0x02,   /* with a right IP header checksum */
	FLAG_VERIFIED = 0x04, /* transport checksums are not looked at */
	FLAG_IN_FLOW = 0x08,  /* numbers relative to those of the last segment that we sent, and
				 its ports if none are given */
	FLAG_READ = 0x10,     /* the program reads and writes */
	FLAG_CLOSE = 0x20,    /* and closes a socket */
	FLAG_LATER = 0x40,    /* time goes on in seconds, not milliseconds */
};

struct bench {
	struct reeve_pool *pool;
	struct reeve_host *host;
	struct reeve_time now;
	unsigned iface;
	struct reeve_tcp *tcp[SOCKETS];
	struct reeve_udp *udp;
	struct reeve_ping *ping;
	uint32_t sequence, acknowledgment; /* of the last segment sent */
	uint16_t ports[2];
};

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 1 };

static void add_tcp(struct bench *b, struct reeve_tcp *tcp)
{
	for (int i = 0; i < SOCKETS; i++) {
		if (b->tcp[i])
			continue;
		b->tcp[i] = tcp;
		return;
	}
	reeve_tcp_abort(tcp);
}

static void forget_tcp(struct bench *b, const struct reeve_tcp *tcp)
{
	for (int i = 0; i < SOCKETS; i++) {
		if (b->tcp[i] == tcp)
			b->tcp[i] = NULL;
	}
}

static void open_sockets(struct bench *b)
{
	const struct reeve_sockaddr web = { .address = reeve_any_ipv4, .port = 80 };
	const struct reeve_sockaddr both = { .address = reeve_any_ipv6, .port = 8080 };
	const struct reeve_sockaddr dns = { .address = reeve_any_ipv4, .port = 53 };
	const struct reeve_sockaddr peer = {
		.address = reeve_address_from_ipv4(0xc0000202),
		.port = 7,
	};
	struct reeve_tcp *tcp[3] = {
		reeve_tcp_new(b->host, REEVE_IPV4, NULL),
		reeve_tcp_new(b->host, REEVE_IPV6, NULL),
		reeve_tcp_new(b->host, REEVE_IPV4, NULL),
	};

	reeve_tcp_bind(tcp[0], &web);
	reeve_tcp_listen(tcp[0], 4);
	reeve_tcp_set(tcp[0], REEVE_TCP_FAST_OPEN, 3);
	reeve_tcp_bind(tcp[1], &both);
	reeve_tcp_listen(tcp[1], 4);
	reeve_tcp_connect(tcp[2], &peer, b->now);
	for (int i = 0; i < 3; i++)
		add_tcp(b, tcp[i]);
	b->udp = reeve_udp_new(b->host, REEVE_IPV4, NULL);
	reeve_udp_bind(b->udp, &dns);
	b->ping = reeve_ping_new(b->host, NULL);
	reeve_ping_send(b->ping, &peer.address, 1, 56);
}

static void bench_init(struct bench *b)
{
	const struct reeve_iface_config iface = {
		.name = "eth0",
		.mac = { 2, 0, 0, 0, 0, 1 },
		.mtu = 1500,
		.queue_packets = 100,
	};
	const struct reeve_prefix address = { reeve_address_from_ipv4(0xc0000201), 24 };

	*b = (struct bench){ .now = { REEVE_NS_PER_S } };
	b->pool = reeve_pool_new(&(struct reeve_pool_config){ 4000, 16 << 20 });
	const struct reeve_host_config config = { .pool = b->pool,
						  .max_sockets = 64,
						  .ephemeral_first = 50000,
						  .ephemeral_last = 50063 };

	b->host = reeve_host_new(&config, b->now);
	check(b->pool && b->host);
	check(reeve_host_add_iface(b->host, &iface, &b->iface) == 0);
	check(reeve_host_add_address(b->host, b->iface, &address) == 0);
	open_sockets(b);
}

static void handle(struct bench *b, const struct reeve_event *event)
{
	struct reeve_tcp *more;

	if (event->kind != REEVE_TCP)
		return;
	if (event->what & REEVE_ACCEPTABLE) {
		while ((more = reeve_tcp_accept(event->socket, NULL)))
			add_tcp(b, more);
	}
	if (event->what & (REEVE_FAILED | REEVE_CLOSED)) {
		reeve_tcp_error(event->socket);
		forget_tcp(b, event->socket);
		reeve_tcp_close(event->socket);
	}
}

/* What we sent last tells which numbers a peer would answer with. */
static void look_at(struct bench *b, struct reeve_packet *p)
{
	const size_t tcp = ETHER_HEADER + IPV4_HEADER;

	if (!packet_pull(p, tcp + TCP_HEADER_MIN))
		return;
	const uint8_t *bytes = packet_data(p);

	if (load_be16(bytes + 12) != ETHER_IPV4 || bytes[ETHER_HEADER + 9] != 6)
		return;
	b->sequence = load_be32(bytes + tcp + 4);
	b->acknowledgment = load_be32(bytes + tcp + 8);
	b->ports[0] = load_be16(bytes + tcp);
	b->ports[1] = load_be16(bytes + tcp + 2);
}

static void settle(struct bench *b)
{
	struct reeve_event event;
	struct reeve_packet *p;
	unsigned iface;

	while (reeve_host_next_event(b->host, &event))
		handle(b, &event);
	for (int i = 0; i < 1000 && (p = reeve_host_output(b->host, b->now, &iface)); i++) {
		look_at(b, p);
		reeve_packet_free(p);
	}
	while (reeve_host_next_event(b->host, &event))
		handle(b, &event);
}

static void use_sockets(struct bench *b, uint8_t flags)
{
	static uint8_t bytes[3000];
	struct reeve_ping_reply reply;
	struct reeve_datagram datagram;

	for (int i = 0; i < SOCKETS; i++) {
		if (!b->tcp[i])
			continue;
		reeve_tcp_urgent_offset(b->tcp[i]);
		while (reeve_tcp_read(b->tcp[i], bytes, sizeof(bytes)) > 0)
			continue;
		reeve_tcp_write(b->tcp[i], bytes, sizeof(bytes));
	}
	while (reeve_udp_peek(b->udp, &datagram))
		reeve_udp_consume(b->udp);
	while (reeve_ping_receive(b->ping, &reply))
		continue;
	if (flags & FLAG_CLOSE) {
		const unsigned which = 2 + (flags >> 7) + (b->sequence & 7);

		reeve_tcp_close(b->tcp[which]);
		b->tcp[which] = NULL;
	}
}

/* RFC 7413, 4.1.1. `tcp` is a header of TCP, with so many bytes in it and behind it. */
static void give_cookie(const struct bench *b, const uint8_t *ip, uint8_t *tcp, size_t length)
{
	const struct port_flow flow = {
		.local_address = reeve_address_from_ipv4(load_be32(ip + 16)),
		.remote_address = reeve_address_from_ipv4(load_be32(ip + 12)),
	};
	const size_t header = (size_t)(tcp[12] >> 4) * 4;
	struct tcp_fast_open good;

	for (size_t i = TCP_HEADER_MIN; i + 10 <= header && header <= length; i++) {
		if (tcp[i] != 34 || tcp[i + 1] != 10 || tcp[i + 2] != 0xff)
			continue;
		tcp_fast_cookie(b->host->tcp, &flow, &good);
		memcpy(tcp + i + 2, good.cookie, 8);
	}
}

/* Makes of the fuzzer's bytes what the flags ask for. */
static void adjust(const struct bench *b, uint8_t flags, uint8_t *frame, size_t length)
{
	uint8_t *const ip = frame + ETHER_HEADER;

	if ((flags & FLAG_TO_US) && length >= sizeof(our_mac))
		memcpy(frame, our_mac, sizeof(our_mac));
	if (length < ETHER_HEADER + IPV4_HEADER || ip[0] >> 4 != 4)
		return;
	const size_t header = (size_t)(ip[0] & 0x0f) * 4;

	if (header < IPV4_HEADER || length < ETHER_HEADER + header)
		return;
	if (flags & FLAG_IP_SUM) {
		store_be16(ip + 10, 0);
		store_be16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, header)));
	}
	uint8_t *const tcp = ip + header;

	if (ip[9] != 6 || length < ETHER_HEADER + header + TCP_HEADER_MIN)
		return;
	give_cookie(b, ip, tcp, length - ETHER_HEADER - header);
	if (flags & FLAG_IN_FLOW) {
		store_be32(tcp + 4, load_be32(tcp + 4) + b->acknowledgment);
		store_be32(tcp + 8, load_be32(tcp + 8) + b->sequence);
		if (load_be32(tcp) == 0) {
			store_be16(tcp, b->ports[1]);
			store_be16(tcp + 2, b->ports[0]);
		}
	}
}

static bool one_record(struct bench *b, struct cursor *c)
{
	static uint8_t frame[2048];
	const uint8_t flags = cursor_u8(c);
	const uint8_t time = cursor_u8(c);
	size_t length = cursor_be16(c) % sizeof(frame);

	if (!cursor_ok(c))
		return false;
	if (length > cursor_left(c))
		length = cursor_left(c);
	cursor_copy(c, frame, length);
	adjust(b, flags, frame, length);
	const struct reeve_offload offload = {
		.checksum =
			flags & FLAG_VERIFIED ? REEVE_CHECKSUM_VERIFIED : REEVE_CHECKSUM_UNKNOWN,
	};
	struct reeve_packet *p = reeve_packet_from_bytes(b->pool, frame, length, &offload);

	if (p)
		reeve_host_input(b->host, b->iface, p, b->now);
	settle(b);
	if (flags & FLAG_READ) {
		use_sockets(b, flags);
		settle(b);
	}
	b->now = reeve_time_add_ms(b->now, (int64_t)time * (flags & FLAG_LATER ? 1000 : 1));
	reeve_host_tick(b->host, b->now);
	settle(b);
	invariants_check(b->host);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct cursor c = cursor_over(bytes, length);
	struct bench b;

	bench_init(&b);
	settle(&b);
	for (int i = 0; i < FRAMES && one_record(&b, &c); i++)
		continue;
	reeve_host_free(b.host);
	reeve_pool_free(b.pool); /* checks that nothing is left */
	return 0;
}
