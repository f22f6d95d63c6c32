/* Ranges beyond a gap when the shared pool runs short. Hazards 17 and 23. */
#include "rig.h"

#include <string.h>

#define PACKETS 256 /* of the pool; the last 32 are its reserve */
#define PIECE   ((size_t)100)

static uint8_t bytes[40000];

struct scene {
	struct rig r;
	struct peer hoarder, other;
	struct reeve_tcp *listener, *hoarding, *tcp;
};

static void set(struct scene *s)
{
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	s->r.max_packets = PACKETS;
	rig_init(&s->r);
	s->listener = rig_listen(&s->r, 5);
	s->hoarder.port = 5000;
	s->hoarding = peer_accept(&s->hoarder, &s->r, s->listener, &peer_modern);
	s->other.port = 5001;
	s->tcp = peer_accept(&s->other, &s->r, s->listener, &peer_modern);
}

static void end(struct scene *s)
{
	reeve_tcp_abort(s->hoarding);
	reeve_tcp_abort(s->tcp);
	reeve_tcp_close(s->listener);
	rig_deinit(&s->r);
}

static uint32_t held(const struct rig *r)
{
	struct reeve_pool_stats stats;

	reeve_pool_stats(r->pool, &stats);
	return stats.packets;
}

/* The bytes from `first` on, `count` pieces, as they lie in the stream; `next` stays. */
static void send_pieces(struct scene *s, struct peer *p, unsigned first, unsigned count)
{
	const uint32_t next = p->next;

	for (unsigned i = first; i < first + count; i++) {
		p->next = next + (uint32_t)(i * PIECE);
		peer_send(p, TCP_ACK, bytes + i * PIECE, PIECE);
		rig_discard(&s->r);
	}
	p->next = next;
}

static void expect(struct reeve_tcp *tcp, size_t length)
{
	static uint8_t got[sizeof(bytes)];

	assert_int_equal(reeve_tcp_readable(tcp), length);
	assert_int_equal(reeve_tcp_read(tcp, got, sizeof(got)), length);
	assert_memory_equal(got, bytes, length);
}

/* Whoever leaves a gap open fills the pool with what is behind it, and keeps nobody else from the rest. */
static void test_hoarder(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);
	send_pieces(&s, &s.hoarder, 1, 300);
	assert_true(held(&s.r) <= PACKETS - PACKETS / 8 + 1);
	send_pieces(&s, &s.other, 0, 300);
	expect(s.tcp, 300 * PIECE);
	/* What was given up comes again, and all of it is right. */
	send_pieces(&s, &s.hoarder, 0, 301);
	expect(s.hoarding, 301 * PIECE);
	assert_true(list_is_empty(&s.r.host->tcp->gaps));
	assert_true(held(&s.r) < 32);
	end(&s);
}

/* The gap that opened first is given up for one that opens later. */
static void test_oldest_first(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);
	send_pieces(&s, &s.hoarder, 1, 200);
	send_pieces(&s, &s.other, 1, 100);
	assert_int_equal(s.hoarding->busy->receive.range_count, 0);
	assert_int_equal(s.tcp->busy->receive.range_count, 1);
	send_pieces(&s, &s.other, 0, 1);
	expect(s.tcp, 101 * PIECE);
	send_pieces(&s, &s.hoarder, 0, 201);
	expect(s.hoarding, 201 * PIECE);
	end(&s);
}

/* Below that nothing is lost: the gap is filled, and all is there. */
static void test_enough(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);
	send_pieces(&s, &s.hoarder, 1, 100);
	send_pieces(&s, &s.other, 1, 50);
	send_pieces(&s, &s.hoarder, 0, 1);
	send_pieces(&s, &s.other, 0, 1);
	expect(s.hoarding, 101 * PIECE);
	expect(s.tcp, 51 * PIECE);
	assert_true(list_is_empty(&s.r.host->tcp->gaps));
	end(&s);
}

/* The edge of the window that was offered stays where it is, short or not. */
static void test_window_stays(void **state)
{
	struct scene s = { 0 };
	uint32_t edge = 0;

	(void)state;
	set(&s);
	for (unsigned i = 1; i <= 300; i++) {
		const uint32_t next = s.hoarder.next;

		s.hoarder.next = next + (uint32_t)(i * PIECE);
		peer_send(&s.hoarder, TCP_ACK, bytes + i * PIECE, PIECE);
		s.hoarder.next = next;

		const struct rig_segment *const ack = rig_take(&s.r);
		const uint32_t now = ack->h.acknowledgment +
				     ((uint32_t)ack->h.window << s.hoarding->receive_scale);

		assert_int_equal(ack->h.acknowledgment, next);
		assert_true(edge == 0 || (int32_t)(now - edge) >= 0);
		edge = now;
	}
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hoarder),
		cmocka_unit_test(test_oldest_first),
		cmocka_unit_test(test_enough),
		cmocka_unit_test(test_window_stays),
	};

	return cmocka_run_group_tests_name("gaps", tests, NULL, NULL);
}
