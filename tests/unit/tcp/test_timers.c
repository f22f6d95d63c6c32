/* Persist, keepalive, and that nothing ever asks to be called without end. Hazards 18 and 25. */
#include "scene.h"

#include <errno.h>

static uint8_t bytes[10000];

/* A closed window is probed, at growing distances, for as long as the peer answers. */
static void test_persist(void **state)
{
	struct scene s = { 0 };
	struct reeve_time last;
	int64_t wait_ns = 0;

	(void)state;
	scene_begin(&s, &peer_plain);
	s.p.window = 0;
	peer_ack(&s.p);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 5000), 5000);
	rig_none(&s.r);
	last = s.r.now;
	for (unsigned i = 0; i < 40; i++) {
		assert_true(rig_wait_ms(&s.r, 121000));

		const struct rig_segment *const probe = rig_take(&s.r);
		const int64_t ns = reeve_time_since(probe->at, last);

		assert_int_equal(probe->length, 0);
		assert_int_equal(probe->h.sequence, s.p.expected - 1);
		assert_true(ns > wait_ns * 19 / 10 || ns >= 119 * REEVE_NS_PER_S);
		wait_ns = ns;
		last = probe->at;
		rig_none(&s.r);
		peer_ack(&s.p);
	}
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_ESTABLISHED);
	s.p.window = 4000;
	peer_ack(&s.p);
	assert_int_equal(peer_take(&s.p)->length, 1460);
	assert_int_equal(peer_take(&s.p)->length, 1460);
	scene_end(&s);
}

/* Who does not answer probes is gone. */
static void test_persist_ends(void **state)
{
	struct scene s = { 0 };

	(void)state;
	scene_begin(&s, &peer_plain);
	s.p.window = 0;
	peer_ack(&s.p);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 5000), 5000);
	rig_pass_ms(&s.r, 2000000);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSED);
	assert_int_equal(reeve_tcp_error(s.tcp), ETIMEDOUT);
	scene_end(&s);
}

/* RST and FIN count while the window is closed on our side. */
static void test_closed_window_takes_control(void **state)
{
	struct scene s = { 0 };

	(void)state;
	rig_init(&s.r);
	s.listener = rig_listen(&s.r, 5);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_RECEIVE_BUFFER, 2048), 0);
	s.tcp = peer_accept(&s.p, &s.r, s.listener, &peer_plain);
	peer_send(&s.p, TCP_ACK, bytes, 1460);
	peer_send(&s.p, TCP_ACK, bytes, 588);
	rig_pass_ms(&s.r, 50);
	rig_discard(&s.r);
	/* FIN does not fit: answered, and taken once there is room. */
	peer_send(&s.p, TCP_ACK | TCP_FIN, NULL, 0);
	s.p.next--;
	assert_int_equal(rig_take(&s.r)->h.window, 0);
	assert_false(reeve_tcp_peer_closed(s.tcp));
	/* An acknowledgment in a segment that does not fit counts. */
	assert_int_equal(reeve_tcp_write(s.tcp, "q", 1), 1);
	peer_take(&s.p);
	peer_send(&s.p, TCP_ACK, "x", 1);
	s.p.next--;
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	rig_discard(&s.r);
	reeve_tcp_consume(s.tcp, 2048);
	assert_int_equal(rig_take(&s.r)->h.window, 2048);
	peer_send(&s.p, TCP_ACK | TCP_FIN, NULL, 0);
	assert_true(reeve_tcp_peer_closed(s.tcp));
	scene_end(&s);
}

static void test_reset_in_closed_window(void **state)
{
	struct scene s = { 0 };

	(void)state;
	rig_init(&s.r);
	s.listener = rig_listen(&s.r, 5);
	assert_int_equal(reeve_tcp_set(s.listener, REEVE_TCP_RECEIVE_BUFFER, 2048), 0);
	s.tcp = peer_accept(&s.p, &s.r, s.listener, &peer_plain);
	peer_send(&s.p, TCP_ACK, bytes, 2048);
	rig_pass_ms(&s.r, 50);
	rig_discard(&s.r);
	peer_send(&s.p, TCP_RST, NULL, 0);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSED);
	assert_int_equal(reeve_tcp_readable(s.tcp), 2048); /* what came is still to be read */
	scene_end(&s);
}

static void test_keepalive(void **state)
{
	struct scene s = { 0 };

	(void)state;
	scene_begin(&s, &peer_plain);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_KEEPALIVE_IDLE_S, 100), 0);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_KEEPALIVE_INTERVAL_S, 10), 0);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_KEEPALIVE_COUNT, 3), 0);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_KEEPALIVE, 1), 0);
	rig_pass_ms(&s.r, 50000);
	peer_ack(&s.p); /* it speaks: 100 s from now */
	rig_pass_ms(&s.r, 99000);
	rig_none(&s.r);
	rig_pass_ms(&s.r, 1100);

	const struct rig_segment *const probe = rig_take(&s.r);

	assert_int_equal(probe->h.sequence, s.p.expected - 1);
	assert_int_equal(probe->length, 0);
	peer_ack(&s.p);
	rig_pass_ms(&s.r, 99000);
	rig_none(&s.r);
	rig_pass_ms(&s.r, 1100 + 10000 + 10000);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rig_take(&s.r)->h.flags, TCP_ACK);
	rig_none(&s.r);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_ESTABLISHED);
	rig_pass_ms(&s.r, 10000);
	assert_true(rig_take(&s.r)->h.flags & TCP_RST);
	assert_true(rig_events(&s.r, s.tcp) & REEVE_FAILED);
	assert_int_equal(reeve_tcp_error(s.tcp), ETIMEDOUT);
	scene_end(&s);
}

/* An idle connection waits for nothing: no call is asked for, at any time. */
static void test_idle(void **state)
{
	struct scene s = { 0 };

	(void)state;
	scene_begin(&s, &peer_modern);
	assert_int_equal(reeve_tcp_write(s.tcp, "x", 1), 1);
	peer_take(&s.p);
	peer_ack(&s.p);
	rig_pass_ms(&s.r, 5000); /* old deadlines pass by */
	rig_none(&s.r);
	assert_false(timer_is_armed(&s.tcp->timer));
	rig_pass_ms(&s.r, 3600000); /* the neighbour's too */
	assert_true(reeve_time_is_never(reeve_host_deadline(s.r.host)));
	assert_int_equal(s.r.host->timers.armed, 0);
	scene_end(&s);
}

/* Hazard 25: a clock that goes back is ignored, one that leaps ahead leaves everything in order. */
static void test_strange_clock(void **state)
{
	struct scene s = { 0 };
	const struct reeve_time now = { 1000 };

	(void)state;
	scene_begin(&s, &peer_modern);
	assert_int_equal(reeve_tcp_write(s.tcp, "x", 1), 1);
	peer_take(&s.p);
	reeve_host_tick(s.r.host, now);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_ESTABLISHED);
	s.r.now.ns += INT64_C(3600) * 24 * 365 * REEVE_NS_PER_S;
	reeve_host_tick(s.r.host, s.r.now);
	rig_collect(&s.r);
	assert_true(reeve_time_before(s.r.now, reeve_host_deadline(s.r.host)));
	rig_discard(&s.r);
	s.p.ts += 100;
	peer_ack(&s.p);
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	scene_end(&s);
}

/* RFC 9293, 3.8.6.2.1: what is held back though the window is open goes within a second, however long
 * the timeout is. */
static void test_held_part(void **state)
{
	struct scene s = { 0 };

	(void)state;
	scene_begin(&s, &peer_plain);
	s.tcp->rtt.rto_ms = 60000;
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_CORK, 1), 0);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 100), 100);
	rig_pass_ms(&s.r, 990);
	rig_none(&s.r);
	rig_pass_ms(&s.r, 20);
	assert_int_equal(rig_take(&s.r)->length, 100);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_persist),
		cmocka_unit_test(test_persist_ends),
		cmocka_unit_test(test_closed_window_takes_control),
		cmocka_unit_test(test_reset_in_closed_window),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_strange_clock),
		cmocka_unit_test(test_held_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
