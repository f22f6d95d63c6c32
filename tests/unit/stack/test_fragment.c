/*
 * Fragments, both ways: against a slow reference that keeps one byte map a datagram, and up to every
 * limit. Hazards 10 and 11.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "frames.h"
#include "seed.h"
#include "stack/fragment.h"
#include "stack/ip.h"
#include "wire/icmp.h"
#include "wire/udp.h"

#define PORT 7777

struct bench {
	struct net net;
	struct reeve_udp *udp;
	uint8_t frame[FRAME_MAX];
	uint8_t whole[65535]; /* a datagram's payload, UDP header included */
	size_t length;
};

static int setup(void **state)
{
	struct bench *const b = calloc(1, sizeof(*b));

	assert_non_null(b);
	net_init(&b->net);
	net_pass_ms(&b->net, 3000);
	const struct reeve_sockaddr name = net_name("0.0.0.0", PORT);

	b->udp = reeve_udp_new(b->net.hosts[0], REEVE_IPV4, NULL);
	assert_int_equal(reeve_udp_bind(b->udp, &name), 0);
	assert_int_equal(reeve_udp_set(b->udp, REEVE_UDP_RECEIVE_BUFFER, 1 << 24), 0);
	frame_introduce(&b->net);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *const b = *state;

	net_deinit(&b->net);
	free(b);
	return 0;
}

/* A datagram with this many bytes of data, to be cut. */
static struct ipv4_header make_datagram(struct bench *b, uint16_t id, size_t data_length)
{
	struct ipv4_header h = frame_header(IP_UDP);
	uint8_t *const data = malloc(data_length + 1);

	assert_non_null(data);
	for (size_t i = 0; i < data_length; i++)
		data[i] = (uint8_t)(i * 7 + i / 256 + id);
	h.id = id;
	b->length = frame_put_udp(b->whole, &h, 5000, PORT, data, data_length);
	free(data);
	return h;
}

/* A piece of it; `more` decides the flag. */
static void send_piece(struct bench *b, struct ipv4_header h, size_t offset, size_t length,
		       bool more)
{
	h.fragment_offset = (uint16_t)offset;
	h.more_fragments = more;
	net_input(&b->net, 0, b->frame, frame_put(b->frame, &h, b->whole + offset, length));
}

static void cut_and_send(struct bench *b, const struct ipv4_header *h, size_t offset, size_t length)
{
	if (offset + length > b->length)
		length = b->length - offset;
	send_piece(b, *h, offset, length, offset + length < b->length);
}

static void expect_whole(struct bench *b)
{
	static uint8_t bytes[65535];
	struct reeve_datagram d;
	size_t at = 0;

	assert_true(reeve_udp_peek(b->udp, &d));
	assert_int_equal(d.length, b->length - UDP_HEADER);
	for (size_t i = 0; i < d.iov_count; i++) {
		memcpy(bytes + at, d.iov[i].iov_base, d.iov[i].iov_len);
		at += d.iov[i].iov_len;
	}
	assert_int_equal(at, d.length);
	assert_memory_equal(bytes, b->whole + UDP_HEADER, at);
	reeve_udp_consume(b->udp);
	assert_false(reeve_udp_peek(b->udp, &d));
}

static void expect_nothing(const struct bench *b)
{
	struct reeve_datagram d;

	assert_false(reeve_udp_peek(b->udp, &d));
}

static uint64_t dropped(const struct bench *b, enum reeve_drop reason)
{
	return net_drop(b->net.hosts[0], reason);
}

static void shuffle(struct random *r, unsigned *order, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		order[i] = i;
	for (unsigned i = count; i > 1; i--) {
		const unsigned k = random_below(r, i);
		const unsigned kept = order[i - 1];

		order[i - 1] = order[k];
		order[k] = kept;
	}
}

/* RFC 3168, 5.3: each pair of marks on two pieces. A mark of congestion is kept; beside a piece that is
 * not capable of it the datagram is dropped. */
static void test_marks(void **state)
{
	struct bench *const b = *state;

	for (uint8_t i = 0; i < 16; i++) {
		struct ipv4_header h = make_datagram(b, i, 2000);
		const uint8_t first = i / 4, second = i % 4;
		const uint64_t before = dropped(b, REEVE_DROP_FRAGMENT_BAD);
		struct reeve_datagram d;

		h.tos = 0x10 | first;
		cut_and_send(b, &h, 0, 1000);
		h.tos = 0x10 | second;
		cut_and_send(b, &h, 1000, b->length);
		if ((first == IP_ECN_CE && second == IP_ECN_NONE) ||
		    (first == IP_ECN_NONE && second == IP_ECN_CE)) {
			expect_nothing(b);
			assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_BAD), before + 2);
			continue;
		}
		assert_true(reeve_udp_peek(b->udp, &d));
		if (first == IP_ECN_CE || second == IP_ECN_CE)
			assert_int_equal(d.tos, 0x10 | IP_ECN_CE);
		else
			assert_int_equal(d.tos, 0x10 | first);
		expect_whole(b);
	}
}

static void test_every_order(void **state)
{
	struct bench *const b = *state;
	struct random r = seeded(30);

	for (uint16_t i = 0; i < 500; i++) {
		const size_t size = 8 * (1 + (size_t)random_below(&r, 40));
		const struct ipv4_header h =
			make_datagram(b, i, random_below(&r, 100) ? 1 + random_below(&r, 4000) : 0);
		const unsigned count = (unsigned)((b->length + size - 1) / size);
		unsigned order[600];

		if (count > FRAGMENT_PIECES)
			continue;
		shuffle(&r, order, count);
		for (unsigned k = 0; k < count; k++) {
			expect_nothing(b);
			cut_and_send(b, &h, order[k] * size, size);
			/* What the network has doubled is dropped. */
			if (random_below(&r, 4) == 0 && k + 1 < count) {
				const uint64_t before = dropped(b, REEVE_DROP_FRAGMENT_OVERLAP);

				cut_and_send(b, &h, order[k] * size, size);
				assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_OVERLAP),
						 before + 1);
			}
		}
		expect_whole(b);
		assert_int_equal(fragment_count(b->net.hosts[0]), 0);
		assert_int_equal(fragment_memory(b->net.hosts[0]), 0);
	}
}

/* The obvious way: a byte of a map for each byte of the payload. */
struct slow {
	bool dead, used;
	uint8_t have[2048];
	size_t starts[64], lengths[64];
	unsigned count;
	size_t total; /* 0: not known */
};

/* Whether the piece completes the datagram. */
static bool slow_add(struct slow *s, size_t offset, size_t length, bool more)
{
	s->used = true;
	if (s->dead)
		return false;
	for (unsigned i = 0; i < s->count; i++) {
		if (s->starts[i] == offset && s->lengths[i] == length)
			return false;
	}
	for (size_t i = offset; i < offset + length; i++)
		s->dead |= s->have[i];
	if (s->total && (offset + length > s->total || (!more && offset + length != s->total)))
		s->dead = true;
	for (size_t i = offset + length; !more && i < sizeof(s->have); i++)
		s->dead |= s->have[i];
	if (s->dead)
		return false;
	s->starts[s->count] = offset;
	s->lengths[s->count++] = length;
	memset(s->have + offset, 1, length);
	if (!more)
		s->total = offset + length;
	for (size_t i = 0; i < s->total; i++) {
		if (!s->have[i])
			return false;
	}
	return s->total > 0;
}

static void test_against_reference(void **state)
{
	struct bench *const b = *state;
	struct random r = seeded(31);
	unsigned completed = 0;
	unsigned killed = 0;

	for (unsigned round = 0; round < 4000; round++) {
		struct slow s = { 0 };
		const struct ipv4_header h = make_datagram(b, (uint16_t)round, 120);

		for (unsigned k = 0; k < 14; k++) {
			/* Mostly pieces that fit together, sometimes any. */
			const bool any = random_below(&r, 12) == 0;
			const size_t unit = any ? 8 : 32;
			const size_t offset = unit * random_below(&r, (uint32_t)(128 / unit));
			size_t length = any ? 8 * (1 + random_below(&r, 5)) : 32;
			bool more = offset + length < b->length;

			if (offset + length > b->length)
				length = b->length - offset;
			if (random_below(&r, 40) == 0)
				more = !more;
			if (offset == 0 && !more)
				continue; /* no fragment at all */
			const bool was_dead = s.dead;
			const uint64_t before = net_stats(b->net.hosts[0]).ip_reassembled;
			const bool whole = slow_add(&s, offset, length, more);

			send_piece(b, h, offset, length, more);
			assert_int_equal(net_stats(b->net.hosts[0]).ip_reassembled, before + whole);
			killed += s.dead && !was_dead;
			if (whole) {
				completed++;
				break;
			}
		}
		for (struct reeve_datagram d; reeve_udp_peek(b->udp, &d);)
			reeve_udp_consume(b->udp);
		/* What is unfinished goes, so that no limit is in the way. */
		b->net.now = reeve_time_add_ms(b->net.now, FRAGMENT_TIMEOUT_MS + 10);
		reeve_host_tick(b->net.hosts[0], b->net.now);
		assert_int_equal(fragment_memory(b->net.hosts[0]), 0);
		while (net_output(&b->net, 0, b->frame, sizeof(b->frame)) > 0)
			;
	}
	assert_true(completed > 400 && killed > 400);
}

static void test_longest(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = make_datagram(b, 1, REEVE_UDP_MAX);

	for (size_t offset = 0; offset < b->length; offset += 1480)
		cut_and_send(b, &h, offset, 1480);
	expect_whole(b);
}

/* hazard 10 */
static void test_malformed(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = make_datagram(b, 2, 100);
	uint64_t bad = 0;

	send_piece(b, h, 0, 0, true); /* nothing in it */
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_BAD), ++bad);
	send_piece(b, h, 8, 0, false);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_BAD), ++bad);
	for (size_t length = 1; length < 8; length++) { /* no multiple of 8 */
		send_piece(b, h, 0, length, true);
		assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_BAD), ++bad);
	}
	for (size_t offset = 65528; offset > 65528 - 40; offset -= 8) { /* over 65,535 in all */
		struct ipv4_header far = h;

		far.fragment_offset = (uint16_t)offset;
		net_input(&b->net, 0, b->frame, frame_put(b->frame, &far, b->whole, 40));
		if (offset + 40 + 20 > 65535)
			bad++;
		assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_BAD), bad);
	}
	h.protocol = IP_TCP;
	send_piece(b, h, 0, 16, true); /* TCP's flags in the second fragment */
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_BAD), ++bad);
	send_piece(b, h, 8, 32, true);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_BAD), ++bad);
	expect_nothing(b);
}

static void test_overlap_kills_for_good(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = make_datagram(b, 3, 200);

	cut_and_send(b, &h, 0, 64);
	cut_and_send(b, &h, 128, 128);
	assert_int_equal(fragment_count(b->net.hosts[0]), 2);
	send_piece(b, h, 56, 16, true);
	assert_int_equal(fragment_count(b->net.hosts[0]), 0);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_OVERLAP), 3);
	/* Nothing that comes later makes it whole. */
	for (size_t offset = 0; offset < b->length; offset += 64)
		cut_and_send(b, &h, offset, 64);
	expect_nothing(b);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_OVERLAP), 7);
	/* Until its time is over. */
	net_pass_ms(&b->net, FRAGMENT_TIMEOUT_MS + 10);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_TIMEOUT), 0);
	for (size_t offset = 0; offset < b->length; offset += 64)
		cut_and_send(b, &h, offset, 64);
	expect_whole(b);
}

static void test_two_ends(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = make_datagram(b, 4, 200);

	cut_and_send(b, &h, 0, 64);
	send_piece(b, h, 128, 64, false);
	send_piece(b, h, 192, 16, false);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_OVERLAP), 3);
	assert_int_equal(fragment_count(b->net.hosts[0]), 0);
}

static void test_datagrams_are_kept_apart(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = make_datagram(b, 5, 100);
	struct ipv4_header other = h;

	cut_and_send(b, &h, 0, 64);
	other.id = 6;
	cut_and_send(b, &other, 64, 64);
	other = h;
	other.source = frame_ipv4("192.0.2.10");
	cut_and_send(b, &other, 64, 64);
	other = h;
	other.protocol = 99;
	cut_and_send(b, &other, 64, 64);
	other = h;
	other.destination = frame_ipv4("192.0.2.255");
	cut_and_send(b, &other, 64, 64);
	expect_nothing(b);
	cut_and_send(b, &h, 64, 64);
	expect_whole(b);
	assert_int_equal(fragment_count(b->net.hosts[0]), 4);
}

/* RFC 1122, 3.3.2: time exceeded if the first fragment is there, and only then. */
static void test_timeout(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = make_datagram(b, 7, 1000);
	uint8_t frame[2048];

	cut_and_send(b, &h, 512, 512);
	h.id = 8;
	cut_and_send(b, &h, 0, 512);
	cut_and_send(b, &h, 520, 488);
	assert_int_equal(fragment_count(b->net.hosts[0]), 3);
	b->net.now = reeve_time_add_ms(b->net.now, FRAGMENT_TIMEOUT_MS + 2);
	assert_true(reeve_time_before(reeve_host_deadline(b->net.hosts[0]), b->net.now));
	reeve_host_tick(b->net.hosts[0], b->net.now);
	assert_int_equal(fragment_count(b->net.hosts[0]), 0);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_TIMEOUT), 3);
	const size_t length = net_output(&b->net, 0, frame, sizeof(frame));

	/* What fits into 576 bytes: all of the first fragment. */
	assert_int_equal(length, 14 + 20 + 8 + 20 + 512);
	assert_int_equal(frame[14 + 9], IP_ICMP);
	assert_int_equal(frame[14 + 20], ICMPV4_TIME_EXCEEDED);
	assert_int_equal(frame[14 + 21], ICMPV4_REASSEMBLY);
	assert_int_equal(load_be16(frame + 14 + 28 + 4), 8);
	assert_memory_equal(frame + 14 + 28 + 20, b->whole, 512);
	assert_int_equal(net_output(&b->net, 0, frame, sizeof(frame)), 0);
}

/* hazard 11: what a source, and all together, can make the host keep. */
static void test_limits_of_a_source(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = make_datagram(b, 0, 1000);

	for (unsigned i = 0; i < 3 * FRAGMENT_DATAGRAMS_A_SOURCE; i++) {
		h.id = (uint16_t)i;
		send_piece(b, h, 0, 64, true);
	}
	assert_int_equal(fragment_count(b->net.hosts[0]), FRAGMENT_DATAGRAMS_A_SOURCE);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_LIMIT), 2 * FRAGMENT_DATAGRAMS_A_SOURCE);
	/* Another source is not hurt. */
	h.source = frame_ipv4("192.0.2.10");
	b->length = frame_put_udp(b->whole, &h, 5000, PORT, b->whole + 2000, 1000);
	cut_and_send(b, &h, 0, 512);
	cut_and_send(b, &h, 512, 512);
	expect_whole(b);
}

static void test_tiny_fragments(void **state)
{
	struct bench *const b = *state;
	const struct ipv4_header h = make_datagram(b, 9, 60000);

	for (size_t offset = 0; offset < 16000; offset += 8)
		cut_and_send(b, &h, offset, 8);
	assert_int_equal(fragment_count(b->net.hosts[0]), FRAGMENT_PIECES);
	assert_true(fragment_memory(b->net.hosts[0]) <= FRAGMENT_MEMORY_A_SOURCE);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_LIMIT), 2000 - FRAGMENT_PIECES);
}

/* Pieces of a datagram from so many sources; what keeping one costs is more than its bytes. */
static void fill_memory(struct bench *b, unsigned source, uint32_t most)
{
	struct ipv4_header h = make_datagram(b, 0, 60000);

	h.source = frame_ipv4("198.51.100.0") + source;
	for (uint16_t id = 0; id < 3; id++) {
		h.id = id;
		for (unsigned i = 0; i < 200; i++) {
			send_piece(b, h, 208UL * i, 200, true);
			assert_true(fragment_memory(b->net.hosts[0]) <= most);
		}
	}
}

static void test_memory_of_a_source(void **state)
{
	struct bench *const b = *state;

	/* The records of three datagrams are not counted to the source. */
	fill_memory(b, 1, FRAGMENT_MEMORY_A_SOURCE + 3 * 512);
	assert_true(fragment_memory(b->net.hosts[0]) > FRAGMENT_MEMORY_A_SOURCE / 2);
	assert_true(dropped(b, REEVE_DROP_FRAGMENT_LIMIT) > 0);
}

static void test_memory_of_all(void **state)
{
	struct bench *const b = *state;

	for (unsigned source = 1; source <= 10; source++)
		fill_memory(b, source, FRAGMENT_MEMORY);
	assert_true(fragment_memory(b->net.hosts[0]) > FRAGMENT_MEMORY / 2);
}

static void test_limits_of_all(void **state)
{
	struct bench *const b = *state;
	struct ipv4_header h = make_datagram(b, 0, 1400);
	unsigned sent = 0;

	for (unsigned source = 0; source < 100; source++) {
		h.source = frame_ipv4("198.51.100.0") + source + 1;
		for (uint16_t id = 0; id < 10; id++) {
			h.id = id;
			send_piece(b, h, 0, 1000, true);
			send_piece(b, h, 1008, 104, true);
			sent += 2;
			assert_true(fragment_memory(b->net.hosts[0]) <= FRAGMENT_MEMORY);
		}
	}
	assert_int_equal(fragment_count(b->net.hosts[0]), 2 * FRAGMENT_DATAGRAMS);
	assert_int_equal(dropped(b, REEVE_DROP_FRAGMENT_LIMIT), sent - 2 * FRAGMENT_DATAGRAMS);
	/* The newest are there, because the oldest made room. */
	h = make_datagram(b, 77, 500);
	cut_and_send(b, &h, 0, 256);
	cut_and_send(b, &h, 256, 256);
	expect_whole(b);
}

/* Outwards: what we cut, we can put together, and so every piece is right. */
static void test_cut_and_join(void **state)
{
	static const size_t lengths[] = { 0, 1, 1472, 1473, 1480, 2952, 9000, 65000, 65507 };
	static uint8_t bytes[REEVE_UDP_MAX];

	(void)state;
	for (uint32_t mtu = 576; mtu <= 1500; mtu += 231) {
		struct net n = { .mtu = mtu };

		net_init(&n);
		struct reeve_udp *const a = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL);
		struct reeve_udp *const b = reeve_udp_new(n.hosts[1], REEVE_IPV4, NULL);
		const struct reeve_sockaddr name = net_name("192.0.2.2", PORT);

		assert_int_equal(reeve_udp_bind(b, &name), 0);
		for (size_t i = 0; i < array_length(lengths); i++) {
			struct iovec iov = { bytes, lengths[i] };
			struct reeve_datagram d;
			size_t at = 0;

			for (size_t k = 0; k < lengths[i]; k++)
				bytes[k] = (uint8_t)(k * 31 + i);
			/* The neighbour's queue is short: let it be known before the long ones. */
			assert_int_equal(reeve_udp_send(a, &name, NULL, &iov, 1), 0);
			net_settle(&n);
			assert_true(reeve_udp_peek(b, &d));
			assert_int_equal(d.length, lengths[i]);
			for (size_t k = 0; k < d.iov_count; k++) {
				assert_memory_equal(d.iov[k].iov_base, bytes + at,
						    d.iov[k].iov_len);
				at += d.iov[k].iov_len;
			}
			assert_int_equal(at, lengths[i]);
			reeve_udp_consume(b);
		}
		assert_int_equal(net_drops(n.hosts[1]), 0);
		assert_int_equal(net_stats(n.hosts[0]).ip_fragments_out,
				 net_stats(n.hosts[1]).ip_fragments_in);
		assert_true(net_stats(n.hosts[1]).ip_reassembled >= 4);
		net_deinit(&n);
	}
}

static void test_dont_fragment(void **state)
{
	(void)state;
	struct net n = { 0 };
	static uint8_t bytes[2000];
	struct iovec iov = { bytes, 1473 };

	net_init(&n);
	struct reeve_udp *const udp = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL);
	const struct reeve_sockaddr name = net_name("192.0.2.2", PORT);

	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_DONT_FRAGMENT, 1), 0);
	assert_int_equal(reeve_udp_send(udp, &name, NULL, &iov, 1), -EMSGSIZE);
	assert_int_equal(net_drop(n.hosts[0], REEVE_DROP_IP_TOO_BIG), 1);
	iov.iov_len = 1472;
	assert_int_equal(reeve_udp_send(udp, &name, NULL, &iov, 1), 0);
	net_deinit(&n);
}

/* RFC 6864 and RFC 7739: one after another differ, and what is seen at one destination tells
 * nothing of another. */
static void test_identification(void **state)
{
	(void)state;
	struct net n = { 0 };
	uint16_t ids[2][64];
	unsigned near = 0;

	net_init(&n);
	net_settle(&n);
	struct reeve_udp *const udp = reeve_udp_new(n.hosts[0], REEVE_IPV4, NULL);

	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_BROADCAST, 1), 0);
	for (unsigned i = 0; i < 64; i++) {
		static const char *const names[] = { "192.0.2.255", "255.255.255.255" };

		for (unsigned k = 0; k < 2; k++) {
			const struct reeve_sockaddr name = net_name(names[k], 9);
			struct iovec iov = { ids, 1 };
			uint8_t frame[128];

			assert_int_equal(reeve_udp_send(udp, &name, NULL, &iov, 1), 0);
			assert_true(net_output(&n, 0, frame, sizeof(frame)) > 0);
			ids[k][i] = load_be16(frame + 14 + 4);
		}
		near += (uint16_t)(ids[0][i] - ids[1][i]) < 256;
	}
	for (unsigned i = 1; i < 64; i++)
		assert_int_not_equal(ids[0][i], ids[0][i - 1]);
	assert_in_range(near, 0, 8);
	net_deinit(&n);
}

#define FRAGMENT_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRAGMENT_TEST(test_marks),
		FRAGMENT_TEST(test_every_order),
		FRAGMENT_TEST(test_against_reference),
		FRAGMENT_TEST(test_longest),
		FRAGMENT_TEST(test_malformed),
		FRAGMENT_TEST(test_overlap_kills_for_good),
		FRAGMENT_TEST(test_two_ends),
		FRAGMENT_TEST(test_datagrams_are_kept_apart),
		FRAGMENT_TEST(test_timeout),
		FRAGMENT_TEST(test_limits_of_a_source),
		FRAGMENT_TEST(test_tiny_fragments),
		FRAGMENT_TEST(test_limits_of_all),
		FRAGMENT_TEST(test_memory_of_a_source),
		FRAGMENT_TEST(test_memory_of_all),
		cmocka_unit_test(test_cut_and_join),
		cmocka_unit_test(test_dont_fragment),
		cmocka_unit_test(test_identification),
	};

	return cmocka_run_group_tests_name("fragment", tests, NULL, NULL);
}
