/*
 * One host under test, 192.0.2.1, and the test as its peer, 192.0.2.2, in virtual time: segments
 * are made by hand and looked at one by one.
 *
 * A peer's numbers are relative: what it has sent so far moves its `next`, what the host sends moves
 * its `expected`. So a test says "the next segment, acknowledging all" unless it wants to say
 * otherwise.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reeve/reeve.h"
#include "stack/tcp/conn_private.h"
#include "station/station.h"
#include "wire/tcp.h"

#define RIG_SEGMENTS 512
#define RIG_PAYLOAD  65536
#define RIG_PORT     80
#define RIG_PEER     40000

/* A segment that the host has sent. */
struct rig_segment {
	struct tcp_header h;
	uint32_t length;
	uint16_t segment_size; /* when it is to be cut */
	struct reeve_time at;
	uint8_t *payload;
};

struct rig {
	struct reeve_pool *pool;
	struct reeve_host *host;
	struct reeve_time now;
	uint16_t mtu;
	uint32_t offloads, max_sockets, max_packets;
	unsigned iface;
	bool holds;     /* what comes in is not answered before rig_collect() */
	bool icmp_seen; /* the host has sent one; its type and code */
	uint8_t icmp_type, icmp_code;
	uint32_t first, count;
	struct rig_segment segments[RIG_SEGMENTS];
	struct station station; /* the peer's, on the wire */
};

/* What the test remembers of a connection on the peer's side. */
struct peer {
	struct rig *rig;
	uint16_t port, host_port;
	uint32_t next, expected; /* sequence numbers: ours to send, the host's to come */
	uint16_t window;         /* as in the header, unscaled */
	bool timestamps;
	uint32_t ts, ts_echo;
	uint32_t iss, host_iss;
};

/* Fields that are set before (mtu, offloads, max_sockets, max_packets, now) are kept. */
void rig_init(struct rig *r);
void rig_deinit(struct rig *r); /* the pool must be empty then, or the test fails */

/* Lets the host send; what it sent is in the rig's queue. */
void rig_collect(struct rig *r);
void rig_pass_ms(struct rig *r, int64_t ms);

/* Lets time pass until the host sends a segment, at most `ms`; false when it does not. */
bool rig_wait_ms(struct rig *r, int64_t ms);

/* As it is: ports and all from the header. The checksum is filled in unless `spoil`. */
void rig_input(struct rig *r, const struct tcp_header *h, const void *payload, size_t length);
void rig_input_bytes(struct rig *r, const uint8_t *tcp, size_t length, const char *from);
void rig_input_bytes_to(struct rig *r, const uint8_t *tcp, size_t length, const char *from,
			const char *to);

/* An ICMP error about a segment of the peer's flow with this sequence number. */
void rig_icmp(struct peer *p, uint8_t type, uint8_t code, uint32_t mtu, uint32_t sequence);

/* The next segment that the host has sent; the test fails when there is none. */
struct rig_segment *rig_take(struct rig *r);
void rig_none(struct rig *r); /* the test fails when there is one */
void rig_discard(struct rig *r);

uint64_t rig_drops(const struct rig *r, enum reeve_drop reason);
struct reeve_host_stats rig_stats(const struct rig *r);
uint32_t rig_events(struct rig *r, const struct reeve_tcp *tcp); /* all of the socket's, merged */

struct reeve_sockaddr rig_name(const char *address, uint16_t port);
struct reeve_tcp *rig_listen(struct rig *r, uint32_t backlog);

/* A segment of the peer's: flags, payload, everything else as the peer stands. Moves `next`. */
void peer_send(struct peer *p, uint8_t flags, const void *payload, size_t length);
void peer_send_h(struct peer *p, struct tcp_header *h, const void *payload, size_t length);
struct tcp_header peer_header(const struct peer *p, uint8_t flags);
void peer_ack(struct peer *p); /* everything that was taken */

/* Takes the host's next segment: it must be of this flow and begin at `expected`, which moves. */
struct rig_segment *peer_take(struct peer *p);
struct rig_segment *peer_take_flags(struct peer *p, uint8_t flags);

/* Handshakes. `options` are of the peer's SYN. */
struct peer_options {
	bool timestamps, sack, no_scale;
	uint16_t mss, window;
	uint8_t scale;
	uint32_t iss;
};

extern const struct peer_options peer_plain; /* no option but an MSS of 1460 */
extern const struct peer_options peer_modern;

struct reeve_tcp *peer_accept(struct peer *p, struct rig *r, struct reeve_tcp *listener,
			      const struct peer_options *o);
struct reeve_tcp *peer_connected(struct peer *p, struct rig *r, const struct peer_options *o);
