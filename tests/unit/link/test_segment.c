/*
 * Cutting against a reference that works on flat bytes and computes every checksum from scratch.
 */
#include "stack/segment.h"

#include "../base/cmocka_all.h"
#include "../base/seed.h"
#include "frames.h"
#include "wire/tcp.h"

#define ROUNDS 1000

struct shape {
	bool ipv6, vlan;
	uint32_t ip, tcp, payload; /* offsets */
	uint32_t segment_size;
};

static struct reeve_pool *pool_of(uint32_t packets)
{
	return reeve_pool_new(&(struct reeve_pool_config){ packets, UINT64_C(64) << 20 });
}

static void assert_all_free(struct reeve_pool *pool)
{
	struct reeve_pool_stats stats;

	reeve_pool_stats(pool, &stats);
	assert_int_equal(stats.packets, 0);
	assert_int_equal(stats.buffers, 0);
	reeve_pool_free(pool);
}

static uint32_t payload_length(struct random *r, uint32_t segment_size, uint32_t headers)
{
	const uint32_t most = 65535 - headers;
	uint32_t length;

	switch (random_below(r, 4)) {
	case 0:
		length = between(r, 0, segment_size);
		break;
	case 1: /* whole segments */
		length = segment_size * between(r, 1, 5);
		break;
	default:
		length = between(r, 0, segment_size * 40);
		break;
	}
	return length < most ? length : most;
}

/* A TCP packet with random headers, as a host would hand it out: checksum to be filled in. */
static struct shape make(struct random *r, struct flat *f)
{
	struct shape s = { .ipv6 = random_u32(r) & 1, .vlan = random_below(r, 4) == 0 };
	uint8_t *b = f->bytes;
	const uint32_t ip_extra = s.ipv6 ? 8 * random_below(r, 3) : 4 * random_below(r, 11);
	const uint32_t tcp_length = 20 + 4 * random_below(r, 11);

	s.ip = s.vlan ? 18 : 14;
	s.tcp = s.ip + (s.ipv6 ? 40 : 20) + ip_extra;
	s.payload = s.tcp + tcp_length;
	s.segment_size = between(r, 8, random_u32(r) & 1 ? 100 : 9000);
	f->length = s.payload + payload_length(r, s.segment_size, s.payload);
	fill(r, b, f->length);
	store_be16(b + 12, s.vlan ? 0x8100 : s.ipv6 ? 0x86dd : 0x0800);
	if (s.vlan)
		store_be16(b + 16, s.ipv6 ? 0x86dd : 0x0800);
	uint8_t *ip = b + s.ip;

	if (s.ipv6) {
		ip[0] = 0x60;
		store_be16(ip + 4, (uint16_t)(f->length - s.ip - 40));
		ip[6] = ip_extra ? 60 : 6; /* destination options */
	} else {
		ip[0] = (uint8_t)(0x40 | (s.tcp - s.ip) / 4);
		store_be16(ip + 2, (uint16_t)(f->length - s.ip));
		store_be16(ip + 6, random_u32(r) & 1 ? 0x4000 : 0);
		ip[9] = 6;
		store_be16(ip + 10, 0);
		store_be16(ip + 10, slow_checksum(ip, s.tcp - s.ip, 0));
	}
	uint8_t *tcp = b + s.tcp;

	tcp[12] = (uint8_t)(tcp_length / 4 << 4);
	if (random_u32(r) & 1)
		store_be16(tcp + 18, (uint16_t)between(r, 0, 3 * s.segment_size));
	store_be16(tcp + 16,
		   (uint16_t)slow_pseudo(ip + (s.ipv6 ? 8 : 12), s.ipv6, 6, f->length - s.tcp));
	return s;
}

/* What the piece of the payload that begins at `offset` must be on the wire. */
static void reference(const struct flat *whole, const struct shape *s, uint32_t offset,
		      struct flat *ret)
{
	const uint32_t left = whole->length - s->payload - offset;
	const uint32_t n = left < s->segment_size ? left : s->segment_size;
	uint8_t *ip = ret->bytes + s->ip, *tcp = ret->bytes + s->tcp;

	memcpy(ret->bytes, whole->bytes, s->payload);
	memcpy(ret->bytes + s->payload, whole->bytes + s->payload + offset, n);
	ret->length = s->payload + n;
	if (s->ipv6) {
		store_be16(ip + 4, (uint16_t)(ret->length - s->ip - 40));
	} else {
		const uint32_t index = offset / s->segment_size;

		store_be16(ip + 2, (uint16_t)(ret->length - s->ip));
		store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + index));
		store_be16(ip + 10, 0);
		store_be16(ip + 10, slow_checksum(ip, s->tcp - s->ip, 0));
	}
	store_be32(tcp + 4, load_be32(tcp + 4) + offset);
	if (n < left)
		tcp[13] &= 0xff ^ (TCP_FIN | TCP_PSH);
	if (offset > 0)
		tcp[13] &= 0xff ^ TCP_CWR;
	if (offset > 0 && (tcp[13] & TCP_URG)) {
		const uint32_t urgent = load_be16(tcp + 18);

		store_be16(tcp + 18, (uint16_t)(urgent > offset ? urgent - offset : 0));
		if (urgent <= offset)
			tcp[13] &= 0xff ^ TCP_URG;
	}
	const uint32_t pseudo =
		slow_pseudo(ip + (s->ipv6 ? 8 : 12), s->ipv6, 6, ret->length - s->tcp);

	store_be16(tcp + 16, 0);
	const uint16_t sum = slow_checksum(tcp, ret->length - s->tcp, pseudo);

	store_be16(tcp + 16, sum ? sum : 0xffff);
}

/* The pieces must be the reference's, and their payload the original's buffers. */
static void compare(struct packet_queue *out, const struct flat *whole, const struct shape *s,
		    bool partial)
{
	static struct flat want, got;
	uint32_t offset = 0;
	struct reeve_packet *p;

	do {
		p = packet_queue_pop(out);
		assert_non_null(p);
		reference(whole, s, offset, &want);
		gather(p, &got);
		assert_int_equal(got.length, want.length);
		if (partial) {
			assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_PARTIAL);
			assert_int_equal(p->offload.checksum_start, s->tcp);
			assert_int_equal(p->offload.checksum_offset, 16);
			const uint16_t sum =
				slow_checksum(got.bytes + s->tcp, got.length - s->tcp, 0);

			store_be16(got.bytes + s->tcp + 16, sum ? sum : 0xffff);
		} else {
			assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_VERIFIED);
		}
		assert_int_equal(p->offload.segmentation, REEVE_SEGMENTATION_NONE);
		assert_memory_equal(got.bytes, want.bytes, want.length);
		offset += want.length - s->payload;
		reeve_packet_free(p);
	} while (offset < whole->length - s->payload);
	assert_null(packet_queue_pop(out));
}

static void test_cut(void **state)
{
	(void)state;
	static struct flat whole;
	struct random r = seeded(0x5e61);

	for (int round = 0; round < ROUNDS; round++) {
		struct reeve_pool *pool = pool_of(100000);
		const struct shape s = make(&r, &whole);
		struct reeve_packet *p = scatter(&r, pool, &whole);
		struct reeve_packet *kept = packet_clone(p);
		struct reeve_pool_stats before, after;
		const bool partial = random_u32(&r) & 1;
		struct packet_queue out;
		static struct flat original;

		p->offload = (struct reeve_offload){
			.checksum = REEVE_CHECKSUM_PARTIAL,
			.segmentation = s.ipv6 ? REEVE_SEGMENTATION_TCP6 : REEVE_SEGMENTATION_TCP4,
			.segment_size = (uint16_t)s.segment_size,
			.checksum_start = (uint16_t)s.tcp,
			.checksum_offset = 16,
		};
		reeve_pool_stats(pool, &before);
		packet_queue_init(&out);
		assert_true(segment_for_link(p, partial ? REEVE_OFFLOAD_CHECKSUM : 0, &out));
		reeve_pool_stats(pool, &after);
		assert_int_equal(after.buffers, before.buffers); /* no payload byte was copied */
		compare(&out, &whole, &s, partial);
		gather(kept, &original);
		assert_memory_equal(original.bytes, whole.bytes, whole.length);
		reeve_packet_free(kept);
		assert_all_free(pool);
	}
}

/* What the link takes passes as it is. */
static void test_whole(void **state)
{
	(void)state;
	static struct flat whole;
	struct random r = seeded(0x5e62);
	struct reeve_pool *pool = pool_of(10);
	struct packet_queue out;

	packet_queue_init(&out);
	for (int round = 0; round < 100; round++) {
		const struct shape s = make(&r, &whole);
		struct reeve_packet *p = scatter(&r, pool, &whole);

		p->offload = (struct reeve_offload){
			.checksum = REEVE_CHECKSUM_PARTIAL,
			.segmentation = s.ipv6 ? REEVE_SEGMENTATION_TCP6 : REEVE_SEGMENTATION_TCP4,
			.segment_size = (uint16_t)s.segment_size,
			.checksum_start = (uint16_t)s.tcp,
			.checksum_offset = 16,
		};
		const uint32_t offloads =
			REEVE_OFFLOAD_CHECKSUM | (s.ipv6 ? REEVE_OFFLOAD_TCP6 : REEVE_OFFLOAD_TCP4);

		assert_false(segment_is_needed(p, offloads));
		assert_true(segment_is_needed(p, REEVE_OFFLOAD_CHECKSUM));
		assert_true(segment_is_needed(p, offloads & ~(uint32_t)REEVE_OFFLOAD_CHECKSUM));
		assert_true(segment_for_link(p, offloads, &out));
		assert_ptr_equal(packet_queue_pop(&out), p);
		assert_null(packet_queue_pop(&out));
		reeve_packet_free(p);
	}
	assert_all_free(pool);
}

/* A checksum left to do is done in place, with zero as 0xffff. */
static void test_fill_in(void **state)
{
	(void)state;
	static struct flat whole, got;
	struct random r = seeded(0x5e63);
	struct reeve_pool *pool = pool_of(10);
	struct packet_queue out;
	int zeroes = 0;

	packet_queue_init(&out);
	for (int round = 0; round < 2000; round++) {
		const uint32_t start = between(&r, 14, 100);
		const uint32_t field = 2 * random_below(&r, 10);

		whole.length = start + field + 2 + between(&r, 0, 3000);
		fill(&r, whole.bytes, whole.length);
		uint8_t *sum = whole.bytes + start + field;

		if (round % 10 == 0) { /* the field so that the whole sums up to 0xffff */
			store_be16(sum, 0);
			store_be16(sum,
				   slow_checksum(whole.bytes + start, whole.length - start, 0));
			zeroes++;
		}
		struct reeve_packet *p = scatter(&r, pool, &whole);

		p->offload = (struct reeve_offload){ .checksum = REEVE_CHECKSUM_PARTIAL,
						     .checksum_start = (uint16_t)start,
						     .checksum_offset = (uint16_t)field };
		assert_true(segment_for_link(p, 0, &out));
		assert_ptr_equal(packet_queue_pop(&out), p);
		assert_int_equal(p->offload.checksum, REEVE_CHECKSUM_VERIFIED);
		gather(p, &got);
		const uint16_t want = slow_checksum(whole.bytes + start, whole.length - start, 0);

		store_be16(sum, want ? want : 0xffff);
		assert_memory_equal(got.bytes, whole.bytes, whole.length);
		reeve_packet_free(p);
	}
	assert_int_equal(zeroes, 200);
	assert_all_free(pool);
}

/* Facts that do not fit the frame: nothing comes of it but at most some frames. */
static void test_malformed(void **state)
{
	(void)state;
	static struct flat whole;
	struct random r = seeded(0x5e64);
	struct reeve_pool *pool = pool_of(20000);
	struct packet_queue out;
	int refused = 0;

	packet_queue_init(&out);
	for (int round = 0; round < 20000; round++) {
		make(&r, &whole);
		if (random_u32(&r) & 1)
			whole.length = between(&r, 0, 120);
		else if (whole.length > 9000)
			whole.length = 9000;
		for (uint32_t i = random_below(&r, 4); i && whole.length; i--)
			whole.bytes[random_below(&r, whole.length < 80 ? whole.length : 80)] =
				(uint8_t)random_u32(&r);
		struct reeve_packet *p = scatter(&r, pool, &whole);

		p->offload = (struct reeve_offload){
			.checksum = (uint8_t)random_below(&r, 3),
			.segmentation = (uint8_t)random_below(&r, 3),
			.segment_size = (uint16_t)random_below(&r, random_u32(&r) & 1 ? 20 : 65536),
			.checksum_start =
				(uint16_t)random_below(&r, random_u32(&r) & 1 ? 80 : 65536),
			.checksum_offset =
				(uint16_t)random_below(&r, random_u32(&r) & 1 ? 20 : 65536),
		};
		refused += !segment_for_link(p, random_u32(&r) & 7, &out);
		packet_queue_clear(&out);
	}
	assert_true(refused > 1000);
	assert_all_free(pool);
}

/* Longer than any IP packet, as a device with a great MTU may bring it: no length field holds it. */
static void test_too_long(void **state)
{
	(void)state;
	static struct flat whole;
	struct random r = seeded(0x5e66);
	struct reeve_pool *pool = pool_of(100);
	struct packet_queue out;

	packet_queue_init(&out);
	for (int round = 0; round < 20; round++) {
		const struct shape s = make(&r, &whole);
		struct buffer *more = buffer_new(pool, 65536);
		struct reeve_packet *p;

		whole.length = s.payload;
		p = scatter(&r, pool, &whole);
		memset(more->bytes, 0, 65536);
		assert_true(packet_append(p, more, 0, 65536 - (s.payload - s.ip)));
		buffer_unref(more);
		p->offload = (struct reeve_offload){
			.checksum = REEVE_CHECKSUM_PARTIAL,
			.segmentation = s.ipv6 ? REEVE_SEGMENTATION_TCP6 : REEVE_SEGMENTATION_TCP4,
			.segment_size = 65535,
			.checksum_start = (uint16_t)s.tcp,
			.checksum_offset = 16,
		};
		assert_false(segment_for_link(p, 0, &out));
		assert_int_equal(out.count, 0);
	}
	assert_all_free(pool);
}

/* At the pool's limit the rest is given up, and nothing is lost track of. */
static void test_pool_limit(void **state)
{
	(void)state;
	static struct flat whole;
	struct random r = seeded(0x5e65);

	for (uint32_t limit = 1; limit < 12; limit++) {
		struct reeve_pool *pool = pool_of(limit);
		struct packet_queue out;
		struct shape s;

		do {
			s = make(&r, &whole);
		} while (whole.length - s.payload <= 11 * s.segment_size);
		struct reeve_packet *p = scatter(&r, pool, &whole);

		p->offload = (struct reeve_offload){
			.checksum = REEVE_CHECKSUM_PARTIAL,
			.segmentation = s.ipv6 ? REEVE_SEGMENTATION_TCP6 : REEVE_SEGMENTATION_TCP4,
			.segment_size = (uint16_t)s.segment_size,
			.checksum_start = (uint16_t)s.tcp,
			.checksum_offset = 16,
		};
		packet_queue_init(&out);
		assert_false(segment_for_link(p, 0, &out));
		assert_int_equal(out.count, limit - 1);
		packet_queue_clear(&out);
		assert_all_free(pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),        cmocka_unit_test(test_whole),
		cmocka_unit_test(test_fill_in),    cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_pool_limit), cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
