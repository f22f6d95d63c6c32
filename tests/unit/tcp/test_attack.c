/* What a stranger can try: blind segments, nonsense, floods. Hazards 1, 2, 14, 15, 17, 20. */
#include "scene.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "seed.h"

static uint8_t bytes[10000];

static void set(struct scene *s, const struct peer_options *o)
{
	scene_begin(s, o);
	rig_pass_ms(&s->r, 1000);
}

/* RFC 5961, 3: only the exact number resets; another in the window brings a challenge. */
static void test_blind_reset(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	s.p.next += 100;
	peer_send(&s.p, TCP_RST, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.flags, TCP_ACK);
	s.p.next += 0x10000000; /* outside the window: nothing at all */
	peer_send(&s.p, TCP_RST, NULL, 0);
	rig_none(&s.r);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_BLIND), 2);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_ESTABLISHED);
	s.p.next -= 0x10000000 + 100;
	peer_send(&s.p, TCP_RST, NULL, 0);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSED);
	scene_end(&s);
}

/* RFC 5961, 4 and 7: challenges, and not many of them. */
static void test_blind_syn(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_plain);
	for (unsigned i = 0; i < 100; i++) {
		struct tcp_header h = peer_header(&s.p, TCP_SYN);

		h.sequence += i * 1000;
		peer_send_h(&s.p, &h, NULL, 0);
	}
	rig_collect(&s.r);
	assert_int_equal(s.r.count, 1);
	assert_int_equal(rig_take(&s.r)->h.flags, TCP_ACK);
	rig_pass_ms(&s.r, 600);
	peer_send(&s.p, TCP_SYN, NULL, 0);
	s.p.next--;
	assert_int_equal(rig_take(&s.r)->h.flags, TCP_ACK);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_ESTABLISHED);
	scene_end(&s);
}

/* The limit is each connection's own (CVE-2016-5696): a flood on one hides nothing of another. */
static void test_challenges_are_not_shared(void **state)
{
	struct scene s = { 0 };
	struct peer other = { .port = 5555 };

	(void)state;
	set(&s, &peer_plain);

	struct reeve_tcp *const second = peer_accept(&other, &s.r, s.listener, &peer_plain);

	for (unsigned i = 0; i < 100; i++) {
		struct tcp_header h = peer_header(&s.p, TCP_SYN);

		peer_send_h(&s.p, &h, NULL, 0);
	}
	rig_discard(&s.r);

	struct tcp_header h = peer_header(&other, TCP_SYN);

	peer_send_h(&other, &h, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.destination_port, 5555);
	reeve_tcp_abort(second);
	scene_end(&s);
}

/* RFC 5961, 5: data with an acknowledgment that cannot be. */
static void test_blind_data(void **state)
{
	struct scene s = { 0 };
	struct tcp_header h;

	(void)state;
	set(&s, &peer_plain);
	h = peer_header(&s.p, TCP_ACK);
	h.acknowledgment += 1;
	peer_send_h(&s.p, &h, "evil", 4);
	h.acknowledgment -= 200000;
	peer_send_h(&s.p, &h, "evil", 4);
	h.acknowledgment += 0x80000000;
	peer_send_h(&s.p, &h, "evil", 4);
	assert_int_equal(reeve_tcp_readable(s.tcp), 0);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_ACK), 3);
	rig_discard(&s.r);
	h = peer_header(&s.p, 0); /* without ACK */
	peer_send_h(&s.p, &h, "evil", 4);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_FLAGS), 1);
	assert_int_equal(reeve_tcp_readable(s.tcp), 0);
	scene_end(&s);
}

/* RFC 7323, 5: an old timestamp, or none. */
static void test_paws(void **state)
{
	struct scene s = { 0 };
	struct tcp_header h;

	(void)state;
	set(&s, &peer_modern);
	s.p.ts = 1000;
	peer_send(&s.p, TCP_ACK, "a", 1);
	rig_discard(&s.r);
	h = peer_header(&s.p, TCP_ACK);
	h.options.timestamp = 999;
	peer_send_h(&s.p, &h, "old", 3);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_PAWS), 1);
	assert_int_equal(rig_take(&s.r)->h.flags, TCP_ACK);
	h.options.has_timestamps = false;
	peer_send_h(&s.p, &h, "old", 3);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_PAWS), 2);
	assert_int_equal(reeve_tcp_readable(s.tcp), 1);
	/* Around 2^32 it is newer. */
	s.p.ts = 1000 + UINT32_C(0x7fffffff);
	peer_send(&s.p, TCP_ACK, "b", 1);
	s.p.ts += 0x7fffffff;
	peer_send(&s.p, TCP_ACK, "c", 1);
	assert_int_equal(reeve_tcp_readable(s.tcp), 3);
	/* After 24 days of silence an older one is taken: the peer's clock has gone round. */
	rig_pass_ms(&s.r, INT64_C(25) * 24 * 3600 * 1000);
	s.p.ts -= 5;
	peer_send(&s.p, TCP_ACK, "d", 1);
	assert_int_equal(reeve_tcp_readable(s.tcp), 4);
	scene_end(&s);
}

/* RFC 1122, 4.2.3.9; RFC 5927: ICMP ends no connection that is established. */
static void test_icmp(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 100), 100);
	peer_take(&s.p);
	for (uint8_t code = 0; code < 16; code++)
		rig_icmp(&s.p, 3, code, 0, s.p.expected - 100);
	rig_icmp(&s.p, 11, 0, 0, s.p.expected - 100);
	rig_icmp(&s.p, 4, 0, 0, s.p.expected - 100); /* source quench: RFC 6633 */
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_ESTABLISHED);
	assert_int_equal(scene_info(&s).send_mss, 1448);
	rig_discard(&s.r);
	/* But when the connection times out, it is the better explanation. */
	rig_pass_ms(&s.r, 1200000);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSED);
	assert_int_equal(reeve_tcp_error(s.tcp), EHOSTUNREACH);
	scene_end(&s);
}

static void test_icmp_while_connecting(void **state)
{
	struct rig r = { 0 };
	struct peer p = { .rig = &r, .port = 80 };
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);

	const struct rig_segment *const syn = rig_take(&r);
	const uint32_t sequence = syn->h.sequence;

	p.host_port = syn->h.source_port;
	rig_icmp(&p, 3, 1, 0, sequence + 1); /* about something else */
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_SYN_SENT);
	rig_icmp(&p, 3, 1, 0, sequence);
	assert_int_equal(reeve_tcp_error(tcp), EHOSTUNREACH);
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

/* Hazard 17: tiny segments beyond a gap are bounded, and counted when they are too many. */
static void test_tiny_segments(void **state)
{
	struct scene s = { 0 };
	const uint32_t base = 5001;
	struct reeve_pool_stats stats;

	(void)state;
	set(&s, &peer_modern);
	for (uint32_t i = 0; i < 3000; i++) {
		s.p.next = base + 1 + 2 * i;
		peer_send(&s.p, TCP_ACK, "x", 1);
		rig_discard(&s.r);
	}
	reeve_pool_stats(s.r.pool, &stats);
	assert_true(stats.packets <= 300);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_REASSEMBLY), 3000 - RECEIVE_RANGES_MAX);
	s.p.next = base;
	peer_send(&s.p, TCP_ACK, bytes, 1448);
	assert_true(reeve_tcp_readable(s.tcp) >= 1448);
	scene_end(&s);
}

/* Hazard 20. */
static void test_strange_names(void **state)
{
	struct rig r = { 0 };
	uint8_t syn[TCP_HEADER_MIN] = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);
	const uint64_t before = rig_stats(&r).drops[REEVE_DROP_IP_SOURCE];

	store_be16(syn + 2, RIG_PORT);
	syn[12] = 5 << 4;
	syn[13] = TCP_SYN;
	rig_input_bytes(&r, syn, sizeof(syn), "192.0.2.2"); /* from port 0 */
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_PORT_ZERO), 1);
	store_be16(syn, 77);
	store_be16(syn + 2, 0);
	rig_input_bytes(&r, syn, sizeof(syn), "192.0.2.2"); /* to port 0 */
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_PORT_ZERO), 2);
	store_be16(syn + 2, RIG_PORT);
	rig_input_bytes(&r, syn, sizeof(syn), "224.0.0.1");
	rig_input_bytes(&r, syn, sizeof(syn), "255.255.255.255");
	rig_input_bytes(&r, syn, sizeof(syn), "0.0.0.0");
	rig_input_bytes(&r, syn, sizeof(syn), "192.0.2.255");
	store_be16(syn, RIG_PORT);
	rig_input_bytes(&r, syn, sizeof(syn), "192.0.2.1"); /* LAND */
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_NOT_UNICAST) +
				 rig_drops(&r, REEVE_DROP_IP_SOURCE) - before,
			 5);
	rig_none(&r);
	assert_int_equal(r.host->tcp->half_open, 0);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* A SYN to a name that is not one host's: counted, not answered, and nothing is kept of it. */
static void refuse_syn_to(struct rig *r, const char *to)
{
	const uint64_t before = rig_drops(r, REEVE_DROP_TCP_NOT_UNICAST);
	uint8_t syn[TCP_HEADER_MIN] = { 0 };

	store_be16(syn, 77);
	store_be16(syn + 2, RIG_PORT);
	syn[12] = 5 << 4;
	syn[13] = TCP_SYN;
	rig_input_bytes_to(r, syn, sizeof(syn), "192.0.2.2", to);
	rig_none(r);
	assert_false(r->icmp_seen);
	assert_int_equal(rig_drops(r, REEVE_DROP_TCP_NOT_UNICAST), before + 1);
	assert_int_equal(r->host->tcp->half_open, 0);
}

/* RFC 9293, 3.9.2.3, MUST-57. */
static void test_to_many(void **state)
{
	struct rig r = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	refuse_syn_to(&r, "224.0.0.1");
	refuse_syn_to(&r, "255.255.255.255");
	refuse_syn_to(&r, "192.0.2.255");
	memset(r.station.host_mac, 0xff, sizeof(r.station.host_mac)); /* a broadcast of the link */
	refuse_syn_to(&r, "192.0.2.1");
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* LAND by way of lo, where the source may be the host's own. */
static void test_land_inside(void **state)
{
	struct rig r = { 0 };
	const struct reeve_sockaddr self = rig_name("127.0.0.1", RIG_PORT);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);
	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_REUSE_PORT, 1), 0);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_REUSE_PORT, 1), 0);
	/* It connects to itself, which has a flow, and does not reach the listener. */
	assert_int_equal(reeve_tcp_bind(tcp, &self), 0);
	assert_int_equal(reeve_tcp_connect(tcp, &self, r.now), 0);
	rig_pass_ms(&r, 100);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	assert_null(reeve_tcp_accept(listener, NULL));
	assert_int_equal(r.host->tcp->half_open, 0);
	reeve_tcp_close(tcp);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* Hazards 1 and 2, through the whole host: each ends in one counted drop. */
static void test_malformed(void **state)
{
	struct scene s = { 0 };
	uint8_t segment[TCP_HEADER_MAX] = { 0 };

	(void)state;
	set(&s, &peer_plain);
	store_be16(segment, s.p.port);
	store_be16(segment + 2, s.p.host_port);
	store_be32(segment + 4, s.p.next);
	store_be32(segment + 8, s.p.expected);
	segment[13] = TCP_ACK;
	for (unsigned offset = 0; offset < 5; offset++) {
		segment[12] = (uint8_t)(offset << 4);
		rig_input_bytes(&s.r, segment, sizeof(segment), "192.0.2.2");
	}
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_HEADER), 5);
	segment[12] = 15 << 4;
	rig_input_bytes(&s.r, segment, 40, "192.0.2.2");
	for (size_t length = 0; length < TCP_HEADER_MIN; length++)
		rig_input_bytes(&s.r, segment, length, "192.0.2.2");
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_SHORT), 21);
	segment[12] = 6 << 4;
	segment[20] = 254; /* an option of length 0 */
	rig_input_bytes(&s.r, segment, 24, "192.0.2.2");
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_HEADER), 6);
	rig_none(&s.r);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_ESTABLISHED);
	scene_end(&s);
}

/* Random segments for a connection, near its numbers: whatever becomes of it, nothing breaks, and
 * nothing is left (rig_deinit looks). */
static void throw_segments(struct random *r, struct scene *s)
{
	static const uint8_t flags[] = {
		TCP_ACK, TCP_ACK,           TCP_ACK, TCP_ACK | TCP_PSH, TCP_FIN | TCP_ACK,
		TCP_SYN, TCP_SYN | TCP_ACK, 0,       TCP_URG | TCP_ACK
	};

	for (unsigned i = 0; i < 300; i++) {
		struct tcp_header h = peer_header(&s->p, flags[random_below(r, sizeof(flags))]);
		const size_t length = random_below(r, 3) ? random_below(r, 1400) : 0;

		h.sequence += random_below(r, 6000) - 3000;
		h.acknowledgment += random_below(r, 6000) - 3000;
		h.window = (uint16_t)random_below(r, random_below(r, 2) ? 65536 : 10);
		h.urgent = (uint16_t)random_u32(r);
		h.options.timestamp += random_below(r, 10);
		if (random_below(r, 100) == 0)
			h.flags |= TCP_RST;
		if (random_below(r, 2)) {
			h.options.sack_count = (uint8_t)random_below(r, 4);
			for (unsigned k = 0; k < h.options.sack_count; k++) {
				h.options.sack[k].start =
					s->p.expected + random_below(r, 8000) - 2000;
				h.options.sack[k].end =
					h.options.sack[k].start + random_below(r, 3000) - 500;
			}
		}
		peer_send_h(&s->p, &h, bytes, length);
		if (random_below(r, 5) == 0)
			reeve_tcp_write(s->tcp, bytes, random_below(r, 5000));
		if (random_below(r, 10) == 0)
			reeve_tcp_consume(s->tcp, reeve_tcp_readable(s->tcp));
		if (random_below(r, 50) == 0)
			rig_pass_ms(&s->r, random_below(r, 500));
		if (random_below(r, 400) == 0)
			reeve_tcp_shutdown(s->tcp);
		rig_discard(&s->r);
	}
}

static void test_random_segments(void **state)
{
	struct random r = seeded(9);

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct scene s = { 0 };

		set(&s, random_below(&r, 4) ? &peer_modern : &peer_plain);
		throw_segments(&r, &s);
		if (random_below(&r, 2)) {
			reeve_tcp_close(s.tcp);
			s.tcp = NULL;
			rig_pass_ms(&s.r, 2000000);
			assert_int_equal(reeve_host_lingering(s.r.host), 0);
		}
		scene_end(&s);
	}
}

/* What the window's scale cuts off must not open it for ever: nobody reads, so it has to close. */
static void test_window_does_not_creep(void **state)
{
	struct scene s = { 0 };
	uint32_t most = 0;

	(void)state;
	rig_init(&s.r);
	s.listener = rig_listen(&s.r, 5);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_RECEIVE_BUFFER, 1 << 20), 0);
	s.tcp = peer_accept(&s.p, &s.r, s.listener, &peer_modern);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_RECEIVE_BUFFER, 1 << 16), 0);
	for (unsigned i = 0; i < 10000; i++) {
		peer_send(&s.p, TCP_ACK, bytes, 31);
		s.p.next -= 31; /* again: it is acknowledged at once */
		peer_send(&s.p, TCP_ACK, bytes, 31);
		rig_discard(&s.r);
		most = (uint32_t)reeve_tcp_readable(s.tcp);
	}
	assert_true(most <= (1 << 16) + 64);
	scene_end(&s);
}

/* A timestamp counts only when the rest of its segment does: RFC 5961, 5. */
static void test_blind_timestamp(void **state)
{
	struct scene s = { 0 };
	struct tcp_header h;
	char read[10];

	(void)state;
	set(&s, &peer_modern);
	h = peer_header(&s.p, TCP_ACK);
	h.sequence -= 900;
	h.acknowledgment += 0x40000000;
	h.options.timestamp += 0x10000000;
	peer_send_h(&s.p, &h, bytes, 1000);
	rig_discard(&s.r);
	h = peer_header(&s.p, TCP_ACK | TCP_SYN);
	h.options.timestamp += 0x10000000;
	peer_send_h(&s.p, &h, NULL, 0);
	rig_discard(&s.r);
	peer_send(&s.p, TCP_ACK, "hello", 5);
	assert_int_equal(reeve_tcp_read(s.tcp, read, sizeof(read)), 5);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blind_reset),
		cmocka_unit_test(test_blind_syn),
		cmocka_unit_test(test_challenges_are_not_shared),
		cmocka_unit_test(test_blind_data),
		cmocka_unit_test(test_paws),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_icmp_while_connecting),
		cmocka_unit_test(test_tiny_segments),
		cmocka_unit_test(test_strange_names),
		cmocka_unit_test(test_to_many),
		cmocka_unit_test(test_land_inside),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_random_segments),
		cmocka_unit_test(test_window_does_not_creep),
		cmocka_unit_test(test_blind_timestamp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
