/*
 * Two hosts with connections between them, and whoever reads and writes the wire: every frame may
 * be held back, lost, doubled or changed, with its checksums put right again, and others are made up
 * from what was seen. Instead of losing one it may mark it, as routers do with ECN.
 *
 * The input is a row of steps of two bytes, a deed and its amount, some with more bytes behind
 * them. Without any the hosts talk as usual; so a fuzzer is in the midst of established connections
 * from its first byte on. After each step the invariants of both hosts hold; and as long as frames
 * were only lost, doubled and put aside, what is read is what was written, and all of it arrives in
 * the end.
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
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/pseudo.h"
#include "wire/tcp.h"

#define HOSTS      2
#define SOCKETS    6
#define HELD       16
#define STEPS      120
#define FRAME_SIZE 70000
#define WRITE_MOST 32768
#define CONTENT    65521 /* what a stream says begins anew after so many bytes */
#define SETTLINGS  400   /* times that are waited for until all has arrived */
#define FAST       5     /* DEED_CONNECT with Fast Open: the upper three bits of its amount */

enum deed {
	DEED_PASS,    /* frames go as they are; the amount is how many at most */
	DEED_LOSE,    /* the next is lost, or marked where it would be (RFC 3168, 5) */
	DEED_DOUBLE,  /* the next comes twice */
	DEED_HOLD,    /* the next is put aside */
	DEED_RELEASE, /* one that was put aside comes now, and stays there */
	DEED_CHANGE,  /* of the next: a place from IP on, and what is added there */
	DEED_TCP,     /* of the next: flags, sequence, acknowledgment, window, changed */
	DEED_OPTIONS, /* of the next: TCP options, replaced */
	DEED_CUT,     /* the next is shorter */
	DEED_TIME,    /* time passes */
	DEED_WRITE,   /* a socket's owner writes */
	DEED_READ,    /* reads */
	DEED_CLOSE,   /* shuts down, closes or aborts */
	DEED_CONNECT, /* a new one, as ever or with Fast Open */
	DEED_SET,     /* an option */
	DEED_OFFLOAD, /* of the next: what the link says of its checksum */
	DEED_FORGE,   /* one that nobody sent: TCP, ICMP, UDP or anything */
	DEED_SETTLE,  /* all is delivered and read until nothing is on its way any more */
	DEED_COUNT,
};

struct end {
	struct reeve_tcp *tcp;
	uint64_t written, read;
};

/* What the wire has shown of a side: its last segment. */
struct seen {
	uint16_t source, destination;
	uint32_t sequence, acknowledgment, length;
};

struct side {
	struct reeve_host *host;
	unsigned iface;
	struct end ends[SOCKETS];
	struct reeve_udp *udp;
	struct seen seen;
};

struct bench {
	struct reeve_pool *pool;
	struct side sides[HOSTS];
	struct reeve_time now;
	struct reeve_packet *held[HELD];
	uint8_t held_to[HELD];
	bool tampered; /* frames may have been changed or made up */
};

static uint8_t content[CONTENT + WRITE_MOST];

static const uint32_t addresses[HOSTS] = { 0xc0000201, 0xc0000202 };

static void add_tcp(struct side *s, struct reeve_tcp *tcp)
{
	for (int i = 0; tcp && i < SOCKETS; i++) {
		if (s->ends[i].tcp)
			continue;
		s->ends[i] = (struct end){ .tcp = tcp };
		return;
	}
	reeve_tcp_abort(tcp);
}

static void forget_tcp(struct side *s, const struct reeve_tcp *tcp)
{
	for (int i = 0; i < SOCKETS; i++) {
		if (s->ends[i].tcp == tcp)
			s->ends[i].tcp = NULL;
	}
}

#define OPTIONS REEVE_TCP_FAST_OPEN /* that DEED_SET knows; the others come otherwise */

static void connect_tcp(struct bench *b, unsigned from, uint16_t port, bool fast)
{
	const struct reeve_sockaddr to = {
		.address = reeve_address_from_ipv4(addresses[1 - from]),
		.port = port,
	};
	struct reeve_tcp *const tcp = reeve_tcp_new(b->sides[from].host, REEVE_IPV4, NULL);

	if (tcp && from) /* one side asks for ECN, the other gives it */
		reeve_tcp_set(tcp, REEVE_TCP_ECN, REEVE_ECN_ACTIVE);
	if (tcp && fast)
		reeve_tcp_set(tcp, REEVE_TCP_FAST_OPEN_CONNECT, 1);
	if (tcp && reeve_tcp_connect(tcp, &to, b->now) == 0)
		add_tcp(&b->sides[from], tcp);
	else
		reeve_tcp_close(tcp);
}

static void side_init(struct bench *b, unsigned which)
{
	struct side *const s = &b->sides[which];
	const struct reeve_host_config config = {
		.pool = b->pool,
		.seed = { (uint8_t)which },
		.ephemeral_first = 50000,
		.ephemeral_last = 50063,
		.max_sockets = 12,
	};
	struct reeve_iface_config iface = {
		.name = "eth0",
		.mac = { 2, 0, 0, 0, 0, (uint8_t)(which + 1) },
		.mtu = which ? 1500 : 1400,
		.offloads = which ? REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 : 0,
		.queue_packets = 32,
	};
	const struct reeve_prefix address = { reeve_address_from_ipv4(addresses[which]), 24 };
	const struct reeve_sockaddr web = { .address = reeve_any_ipv4, .port = 80 };

	s->host = reeve_host_new(&config, b->now);
	check(s->host && reeve_host_add_iface(s->host, &iface, &s->iface) == 0);
	check(reeve_host_add_address(s->host, s->iface, &address) == 0);
	struct reeve_tcp *const listener = reeve_tcp_new(s->host, REEVE_IPV4, NULL);

	check(reeve_tcp_bind(listener, &web) == 0 && reeve_tcp_listen(listener, 2) == 0);
	check(reeve_tcp_set(listener, REEVE_TCP_FAST_OPEN, 2) == 0);
	add_tcp(s, listener);
	s->udp = reeve_udp_new(s->host, REEVE_IPV4, NULL);
	check(reeve_udp_bind(s->udp, &web) == 0);
}

static void handle(struct side *s, const struct reeve_event *event)
{
	struct reeve_tcp *more;

	if (event->kind != REEVE_TCP)
		return;
	if (event->what & REEVE_INTERCEPTED) {
		reeve_tcp_refuse(event->socket, REEVE_REFUSE_RESET);
		return;
	}
	if (event->what & REEVE_ACCEPTABLE) {
		while ((more = reeve_tcp_accept(event->socket, NULL)))
			add_tcp(s, more);
	}
	if (event->what & (REEVE_FAILED | REEVE_CLOSED)) {
		reeve_tcp_error(event->socket);
		forget_tcp(s, event->socket);
		reeve_tcp_close(event->socket);
	}
}

static void take_events(struct side *s)
{
	struct reeve_event event;

	while (reeve_host_next_event(s->host, &event))
		handle(s, &event);
}

static void look_at(struct side *s, const struct reeve_packet *p)
{
	uint8_t bytes[ETHER_HEADER + IPV4_HEADER + TCP_HEADER_MIN];
	const uint8_t *const ip = bytes + ETHER_HEADER, *const tcp = ip + IPV4_HEADER;

	if (reeve_packet_length(p) < sizeof(bytes))
		return;
	packet_copy(p, 0, sizeof(bytes), bytes);
	if (load_be16(bytes + 12) != ETHER_IPV4 || ip[0] != 0x45 || ip[9] != 6)
		return;
	s->seen = (struct seen){
		.source = load_be16(tcp),
		.destination = load_be16(tcp + 2),
		.sequence = load_be32(tcp + 4),
		.acknowledgment = load_be32(tcp + 8),
		.length = load_be16(ip + 2) - IPV4_HEADER - (tcp[12] >> 4) * 4u,
	};
}

/* The next frame of either host; *ret_to is who gets it. */
static struct reeve_packet *next_frame(struct bench *b, unsigned *ret_to)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		unsigned iface;

		take_events(&b->sides[i]);
		struct reeve_packet *const p = reeve_host_output(b->sides[i].host, b->now, &iface);

		if (p) {
			look_at(&b->sides[i], p);
			*ret_to = 1 - i;
			return p;
		}
	}
	return NULL;
}

static void deliver_take(struct bench *b, unsigned to, struct reeve_packet *p_take)
{
	reeve_host_input(b->sides[to].host, b->sides[to].iface, p_take, b->now);
	take_events(&b->sides[to]);
}

/* Sums that are right again, so that a change is looked at and not dropped for its sum. */
static void finish(uint8_t *frame, size_t length)
{
	uint8_t *const ip = frame + ETHER_HEADER;
	const size_t header = (size_t)(ip[0] & 0x0f) * 4;

	if (length < ETHER_HEADER + IPV4_HEADER || header < IPV4_HEADER ||
	    length < ETHER_HEADER + header || load_be16(frame + 12) != ETHER_IPV4)
		return;
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, header)));
	const size_t total = load_be16(ip + 2);

	if (ip[9] != 6 || total > length - ETHER_HEADER || total < header + TCP_HEADER_MIN)
		return;
	uint8_t *const tcp = ip + header;
	const struct reeve_address from = reeve_address_from_ipv4(load_be32(ip + 12));
	const struct reeve_address to = reeve_address_from_ipv4(load_be32(ip + 16));
	const uint64_t pseudo = pseudo_sum(&from, &to, 6, (uint32_t)(total - header));

	store_be16(tcp + TCP_CHECKSUM_OFFSET, 0);
	store_be16(tcp + TCP_CHECKSUM_OFFSET,
		   (uint16_t)~checksum_fold(checksum_add(pseudo, tcp, total - header)));
}

static bool is_tcp(const uint8_t *frame, size_t length)
{
	return length >= ETHER_HEADER + IPV4_HEADER + TCP_HEADER_MIN &&
	       load_be16(frame + 12) == ETHER_IPV4 && frame[ETHER_HEADER] == 0x45 &&
	       frame[ETHER_HEADER + 9] == 6;
}

static void change_tcp(uint8_t *frame, size_t length, uint8_t which, struct cursor *c)
{
	uint8_t *const tcp = frame + ETHER_HEADER + IPV4_HEADER;
	const uint32_t amount = (uint32_t)(int32_t)(int16_t)cursor_be16(c);

	if (!is_tcp(frame, length))
		return;
	switch (which % 8) {
	case 0:
		tcp[13] = (uint8_t)amount;
		break;
	case 1:
		store_be32(tcp + 4, load_be32(tcp + 4) + amount);
		break;
	case 2:
		store_be32(tcp + 8, load_be32(tcp + 8) + amount);
		break;
	case 3:
		store_be16(tcp + 14, (uint16_t)amount);
		break;
	case 4:
		tcp[13] |= TCP_URG;
		store_be16(tcp + 18, (uint16_t)amount);
		break;
	case 5:
		store_be32(tcp + 4, load_be32(tcp + 4) + (amount << 16));
		break;
	case 6:
		store_be32(tcp + 8, load_be32(tcp + 8) + (amount << 16));
		break;
	default:
		tcp[13] ^= (uint8_t)amount;
		tcp[12] = (uint8_t)(tcp[12] + (amount >> 8));
	}
}

/* SACK blocks and timestamps relative to what the segment has, or bytes as they are. */
static void change_options(uint8_t *frame, size_t length, uint8_t which, struct cursor *c)
{
	uint8_t *const tcp = frame + ETHER_HEADER + IPV4_HEADER;

	if (!is_tcp(frame, length))
		return;
	const size_t room = (size_t)(tcp[12] >> 4) * 4 - TCP_HEADER_MIN;

	if ((size_t)(tcp[12] >> 4) * 4 < TCP_HEADER_MIN ||
	    room > length - (size_t)(tcp - frame) - TCP_HEADER_MIN)
		return;
	uint8_t *o = tcp + TCP_HEADER_MIN;

	if (which & 1) {
		const size_t part = room < cursor_left(c) ? room : cursor_left(c);

		cursor_copy(c, o, part);
	} else if (which & 2) { /* timestamps where ours stand */
		if (room >= 12)
			store_be32(o + 4, load_be32(o + 4) + ((uint32_t)cursor_be16(c) << 12));
	} else if (room >= 12) { /* one block in the timestamps' place */
		const uint32_t at = load_be32(tcp + 8);

		memset(o, 1, room);
		o[2] = 5;
		o[3] = 10;
		store_be32(o + 4, at + (uint32_t)(int32_t)(int16_t)cursor_be16(c));
		store_be32(o + 8, at + (uint32_t)(int32_t)(int16_t)cursor_be16(c));
	}
}

/* The frame's bytes, changed, as a new one. */
static struct reeve_packet *changed(struct bench *b, struct reeve_packet *p_take, uint8_t deed,
				    uint8_t amount, struct cursor *c)
{
	static uint8_t frame[FRAME_SIZE];
	size_t length = reeve_packet_length(p_take);
	struct reeve_offload offload = *reeve_packet_offload(p_take);

	packet_copy(p_take, 0, length, frame);
	reeve_packet_free(p_take);
	if (deed == DEED_CHANGE) {
		const size_t at = ETHER_HEADER + amount % 64;

		if (at < length)
			frame[at] = (uint8_t)(frame[at] + cursor_u8(c));
	} else if (deed == DEED_TCP) {
		change_tcp(frame, length, amount, c);
	} else if (deed == DEED_OPTIONS) {
		change_options(frame, length, amount, c);
	} else if (deed == DEED_CUT) {
		length -= amount < length ? amount : length - 1;
		if (length > ETHER_HEADER + 4 && amount & 1)
			store_be16(frame + ETHER_HEADER + 2, (uint16_t)(length - ETHER_HEADER));
	} else if (deed == DEED_OFFLOAD) {
		offload.checksum = amount % 3;
		offload.checksum_start = cursor_be16(c);
		offload.checksum_offset = cursor_be16(c);
		offload.segment_size = amount >> 2;
	}
	if (offload.checksum == REEVE_CHECKSUM_UNKNOWN && length > ETHER_HEADER + IPV4_HEADER)
		finish(frame, length);
	return reeve_packet_from_bytes(b->pool, frame, length, &offload);
}

static void hold(struct bench *b, unsigned to, uint8_t amount, struct reeve_packet *p_take)
{
	reeve_packet_free(b->held[amount % HELD]);
	b->held[amount % HELD] = p_take;
	b->held_to[amount % HELD] = (uint8_t)to;
}

/* A router's word of congestion, to a packet that may bear it; else the packet is lost. */
static struct reeve_packet *marked(struct bench *b, struct reeve_packet *p_take)
{
	static uint8_t frame[FRAME_SIZE];
	const size_t length = reeve_packet_length(p_take);
	const struct reeve_offload offload = *reeve_packet_offload(p_take);
	uint8_t *const ip = frame + ETHER_HEADER;

	packet_copy(p_take, 0, length, frame);
	reeve_packet_free(p_take);
	if (length < ETHER_HEADER + IPV4_HEADER || load_be16(frame + 12) != ETHER_IPV4 ||
	    !(ip[1] & 3))
		return NULL;
	ip[1] |= 3;
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, IPV4_HEADER)));
	return reeve_packet_from_bytes(b->pool, frame, length, &offload);
}

static void with_frame(struct bench *b, uint8_t deed, uint8_t amount, struct cursor *c)
{
	unsigned to;
	struct reeve_packet *p = next_frame(b, &to);

	if (!p)
		return;
	if (deed == DEED_LOSE) {
		p = amount & 1 ? marked(b, p) : reeve_packet_free(p);
		if (p)
			deliver_take(b, to, p);
		return;
	}
	if (deed == DEED_HOLD) {
		hold(b, to, amount, p);
		return;
	}
	if (deed == DEED_DOUBLE) {
		struct reeve_packet *const copy = packet_clone(p);

		if (copy)
			deliver_take(b, to, copy);
	} else {
		p = changed(b, p, deed, amount, c);
	}
	if (p)
		deliver_take(b, to, p);
}

static void pass(struct bench *b, unsigned most)
{
	unsigned to;
	struct reeve_packet *p;

	for (unsigned i = 0; i < most && (p = next_frame(b, &to)); i++)
		deliver_take(b, to, p);
}

static void pass_time(struct bench *b, uint8_t amount)
{
	static const int64_t ms[] = { 0, 1, 10, 40, 250, 1000, 10000, 70000 };

	b->now = reeve_time_add_ms(b->now, ms[amount % 8]);
	for (int i = 0; i < HOSTS; i++) {
		reeve_host_tick(b->sides[i].host, b->now);
		check(!reeve_time_before(reeve_host_deadline(b->sides[i].host), b->now));
		take_events(&b->sides[i]);
	}
}

/* When everything has been carried and ticked, nothing may want to be called again at once: a host
 * cannot make its caller spin. */
static void come_to_rest(struct bench *b)
{
	for (int round = 0; round < 100; round++) {
		bool waits = true;

		pass_time(b, 0);
		pass(b, 1000);
		for (int i = 0; i < HOSTS; i++) {
			const struct reeve_time deadline = reeve_host_deadline(b->sides[i].host);

			waits &= reeve_time_before(b->now, deadline);
		}
		if (waits)
			return;
	}
	check(false);
}

static void write_some(struct end *e, size_t length)
{
	const int64_t n = reeve_tcp_write(e->tcp, content + e->written % CONTENT, length);

	if (n > 0)
		e->written += (uint64_t)n;
}

static void read_some(const struct bench *b, struct end *e, size_t length)
{
	static uint8_t bytes[WRITE_MOST];
	const int64_t n = reeve_tcp_read(e->tcp, bytes, length);

	if (n <= 0)
		return;
	check((size_t)n <= length);
	check(b->tampered || !memcmp(bytes, content + e->read % CONTENT, (size_t)n));
	e->read += (uint64_t)n;
}

static void use(struct bench *b, uint8_t deed, uint8_t amount)
{
	struct side *const s = &b->sides[amount & 1];
	struct end *const e = &s->ends[(amount >> 1) % SOCKETS];
	const unsigned how = amount >> 4;

	if (!e->tcp)
		return;
	if (deed == DEED_WRITE) {
		write_some(e, (size_t)1 << how);
		if (how == 15)
			reeve_tcp_mark_urgent(e->tcp);
	} else if (deed == DEED_READ) {
		reeve_tcp_urgent_offset(e->tcp);
		read_some(b, e, (size_t)1 << how);
	} else if (how < 6) {
		reeve_tcp_shutdown(e->tcp);
	} else {
		(how < 12 ? reeve_tcp_close : reeve_tcp_abort)(e->tcp);
		e->tcp = NULL;
	}
}

static void set_option(struct bench *b, uint8_t amount, struct cursor *c)
{
	struct side *const s = &b->sides[amount & 1];
	struct reeve_tcp *const tcp = s->ends[(amount >> 1) % SOCKETS].tcp;
	const uint8_t option = cursor_u8(c) % OPTIONS;
	const int64_t value = cursor_be16(c);

	if (tcp)
		reeve_tcp_set(tcp, (enum reeve_tcp_option)option, value);
}

/* A segment near the last one that the other side has sent. Returns its length. */
static size_t forge_tcp(const struct seen *seen, uint8_t *tcp, struct cursor *c)
{
	const uint8_t flags = cursor_u8(c), shape = cursor_u8(c);
	const uint32_t sequence = seen->sequence + seen->length;
	const size_t options = (size_t)(shape & 7) * 4, payload = (size_t)(shape >> 3) * 45;

	memset(tcp, 1, TCP_HEADER_MIN + options + payload);
	store_be16(tcp, seen->source);
	store_be16(tcp + 2, seen->destination);
	store_be32(tcp + 4, sequence + (uint32_t)(int32_t)(int16_t)cursor_be16(c));
	store_be32(tcp + 8, seen->acknowledgment + (uint32_t)(int32_t)(int16_t)cursor_be16(c));
	tcp[12] = (uint8_t)((5 + (shape & 7)) << 4);
	tcp[13] = flags;
	store_be16(tcp + 14, cursor_be16(c));
	store_be16(tcp + 18, 1);
	cursor_copy(c, tcp + TCP_HEADER_MIN, options < cursor_left(c) ? options : cursor_left(c));
	return TCP_HEADER_MIN + options + payload;
}

/* An error about the last segment that its receiver has sent. */
static size_t forge_icmp(const struct side *to, unsigned which, uint8_t *icmp, struct cursor *c)
{
	uint8_t *const quoted = icmp + 8, *const tcp = quoted + IPV4_HEADER;
	const size_t length = 8 + IPV4_HEADER + 8;

	memset(icmp, 0, length);
	icmp[0] = cursor_u8(c);
	icmp[1] = cursor_u8(c);
	store_be16(icmp + 6, cursor_be16(c));
	quoted[0] = 0x45;
	store_be16(quoted + 2, 1500);
	quoted[8] = 64;
	quoted[9] = 6;
	store_be32(quoted + 12, addresses[which]);
	store_be32(quoted + 16, addresses[1 - which]);
	store_be16(tcp, to->seen.source);
	store_be16(tcp + 2, to->seen.destination);
	store_be32(tcp + 4, to->seen.sequence + (uint32_t)(int32_t)(int16_t)cursor_be16(c));
	store_be16(icmp + 2, (uint16_t)~checksum_fold(checksum_add(0, icmp, length)));
	return length;
}

static size_t forge_any(uint8_t *bytes, struct cursor *c)
{
	const size_t wanted = cursor_u8(c);
	const size_t length = wanted < cursor_left(c) ? wanted : cursor_left(c);

	cursor_copy(c, bytes, length);
	return length;
}

/* The amount: to whom, and what it is: TCP, ICMP, UDP, or a piece of a datagram. */
static void forge(struct bench *b, uint8_t amount, struct cursor *c)
{
	static uint8_t frame[2048];
	const unsigned to = amount & 1;
	uint8_t *const ip = frame + ETHER_HEADER, *const data = ip + IPV4_HEADER;
	static const uint8_t protocols[4] = { 6, 1, 17, 17 };
	const uint8_t kind = amount >> 1 & 3;
	size_t length;

	memset(frame, 0, ETHER_HEADER + IPV4_HEADER);
	memcpy(frame, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)(to + 1) }, 6);
	memcpy(frame + 6, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)(2 - to) }, 6);
	store_be16(frame + 12, ETHER_IPV4);
	if (kind == 0)
		length = forge_tcp(&b->sides[1 - to].seen, data, c);
	else if (kind == 1)
		length = forge_icmp(&b->sides[to], to, data, c);
	else
		length = forge_any(data, c);
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)(IPV4_HEADER + length));
	if (kind == 3)
		store_be16(ip + 6, cursor_be16(c));
	ip[8] = 64;
	ip[9] = protocols[kind];
	store_be32(ip + 12, addresses[1 - to]);
	store_be32(ip + 16, addresses[to]);
	finish(frame, ETHER_HEADER + IPV4_HEADER + length);
	struct reeve_packet *const p = reeve_packet_from_bytes(
		b->pool, frame, ETHER_HEADER + IPV4_HEADER + length,
		&(struct reeve_offload){ .checksum = amount & 8 ? REEVE_CHECKSUM_VERIFIED
								: REEVE_CHECKSUM_UNKNOWN });

	b->tampered = true;
	if (p)
		deliver_take(b, to, p);
}

static bool is_open(const struct reeve_tcp *tcp)
{
	const enum reeve_tcp_state state = reeve_tcp_state(tcp);

	return state == REEVE_TCP_ESTABLISHED || state == REEVE_TCP_FIN_WAIT_1 ||
	       state == REEVE_TCP_FIN_WAIT_2 || state == REEVE_TCP_CLOSE_WAIT;
}

/* The other end of the same connection, if it is still somebody's. */
static const struct end *peer_of(const struct side *other, const struct end *e)
{
	struct reeve_sockaddr local, remote, name;

	if (!e->tcp || !is_open(e->tcp) || reeve_tcp_local(e->tcp, &local) < 0 ||
	    reeve_tcp_remote(e->tcp, &remote) < 0)
		return NULL;
	for (int i = 0; i < SOCKETS; i++) {
		struct reeve_tcp *const tcp = other->ends[i].tcp;

		if (tcp && is_open(tcp) && reeve_tcp_local(tcp, &name) == 0 &&
		    reeve_sockaddr_equal(&name, &remote) && reeve_tcp_remote(tcp, &name) == 0 &&
		    reeve_sockaddr_equal(&name, &local))
			return &other->ends[i];
	}
	return NULL;
}

static bool has_all_arrived(const struct bench *b)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		for (unsigned k = 0; k < SOCKETS; k++) {
			const struct end *const e = &b->sides[i].ends[k];
			const struct end *const peer = peer_of(&b->sides[1 - i], e);

			if (peer && peer->read != e->written)
				return false;
		}
	}
	return true;
}

static void read_all(struct bench *b)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		for (unsigned k = 0; k < SOCKETS; k++) {
			if (b->sides[i].ends[k].tcp)
				read_some(b, &b->sides[i].ends[k], WRITE_MOST);
		}
	}
}

/* Nobody is on the wire any more: whatever was lost before comes in the end. */
static void settle(struct bench *b)
{
	for (int round = 0; round < SETTLINGS; round++) {
		struct reeve_time next = REEVE_NEVER;

		pass(b, 1000);
		read_all(b);
		if (has_all_arrived(b))
			return;
		for (int i = 0; i < HOSTS; i++)
			next = reeve_time_min(next, reeve_host_deadline(b->sides[i].host));
		if (reeve_time_before(b->now, next) && !reeve_time_is_never(next))
			b->now = next;
		pass_time(b, 0);
	}
	check(b->tampered);
}

static void check_both(const struct bench *b)
{
	for (unsigned i = 0; i < HOSTS; i++)
		invariants_check(b->sides[i].host);
}

static void one_step(struct bench *b, struct cursor *c)
{
	const uint8_t deed = cursor_u8(c) % DEED_COUNT;
	const uint8_t amount = cursor_u8(c);
	struct reeve_packet *copy;

	switch ((enum deed)deed) {
	case DEED_PASS:
		pass(b, amount);
		break;
	case DEED_RELEASE:
		copy = b->held[amount % HELD] ? packet_clone(b->held[amount % HELD]) : NULL;
		if (copy)
			deliver_take(b, b->held_to[amount % HELD], copy);
		break;
	case DEED_TIME:
		pass_time(b, amount);
		break;
	case DEED_WRITE:
	case DEED_READ:
	case DEED_CLOSE:
		use(b, deed, amount);
		break;
	case DEED_CONNECT:
		connect_tcp(b, amount & 1, amount & 2 ? 81 : 80, amount >> 5 == FAST);
		break;
	case DEED_SET:
		set_option(b, amount, c);
		break;
	case DEED_LOSE:
	case DEED_DOUBLE:
	case DEED_HOLD:
		with_frame(b, deed, amount, c);
		break;
	case DEED_CHANGE:
	case DEED_TCP:
	case DEED_OPTIONS:
	case DEED_CUT:
	case DEED_OFFLOAD:
		b->tampered = true;
		with_frame(b, deed, amount, c);
		break;
	case DEED_FORGE:
		forge(b, amount, c);
		break;
	case DEED_SETTLE:
		settle(b);
		break;
	case DEED_COUNT:
		break;
	}
}

static void bench_init(struct bench *b)
{
	if (content[1] == content[0]) {
		for (uint32_t i = 0; i < sizeof(content); i++)
			content[i] = (uint8_t)((i % CONTENT * 2654435761u) >> 13);
	}
	*b = (struct bench){ .now = { REEVE_NS_PER_S } };
	b->pool = reeve_pool_new(&(struct reeve_pool_config){ 2000, 8 << 20 });
	check(b->pool);
	for (unsigned i = 0; i < HOSTS; i++)
		side_init(b, i);
	connect_tcp(b, 0, 80, false);
	connect_tcp(b, 1, 80, false);
	pass(b, 100);
	for (unsigned i = 0; i < HOSTS; i++)
		check(reeve_tcp_state(b->sides[i].ends[1].tcp) == REEVE_TCP_ESTABLISHED);
}

static void bench_deinit(struct bench *b)
{
	for (int i = 0; i < HELD; i++)
		reeve_packet_free(b->held[i]);
	for (unsigned i = 0; i < HOSTS; i++)
		reeve_host_free(b->sides[i].host);
	reeve_pool_free(b->pool); /* checks that nothing is left */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct cursor c = cursor_over(bytes, length);
	struct bench b;

	bench_init(&b);
	for (int i = 0; i < STEPS && cursor_left(&c) >= 2; i++) {
		one_step(&b, &c);
		check_both(&b);
	}
	pass(&b, 1000);
	come_to_rest(&b);
	bench_deinit(&b);
	return 0;
}
