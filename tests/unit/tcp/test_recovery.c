/* Loss: what is sent again, when, and what becomes of the window. Hazards 16, 19 and 23. */
#include "scene.h"

#include <errno.h>

static uint8_t bytes[100000];

static void set(struct scene *s, const struct peer_options *o)
{
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	scene_begin(s, o);
	assert_int_equal(reeve_tcp_set(s->tcp, REEVE_TCP_CONGESTION_CONTROL, REEVE_RENO), 0);
}

static void test_timeout_and_backoff(void **state)
{
	struct scene s = { 0 };
	struct reeve_time last;
	int64_t wait_ms = 219; /* the handshake took no time: the mean is a little below 20 */

	(void)state;
	set(&s, &peer_plain);
	scene_warm_up(&s);
	/* Longer ones would become shorter after the second (test_path_mtu.c). */
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_MAX_SEGMENT, 1160), 0);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 5000), 5000);
	last = peer_take(&s.p)->at;
	rig_discard(&s.r);

	const uint32_t first = s.p.expected - 1160;

	for (unsigned i = 0; i < 8; i++) {
		assert_true(rig_wait_ms(&s.r, wait_ms + 10));

		const struct rig_segment *const again = rig_take(&s.r);

		assert_int_equal(again->h.sequence, first);
		assert_int_equal(again->length, 1160); /* one segment: the window is one */
		assert_in_range(reeve_time_since(again->at, last), (wait_ms - 6) * REEVE_NS_PER_MS,
				(wait_ms + 6) * REEVE_NS_PER_MS);
		assert_memory_equal(again->payload, bytes, 1160);
		last = again->at;
		rig_none(&s.r);
		wait_ms *= 2;
	}
	assert_int_equal(rig_stats(&s.r).tcp_timeouts, 8);
	assert_int_equal(scene_info(&s).cwnd_bytes, 1160);
	/* What is acknowledged then starts slowly: the rest, two segments at a time. */
	peer_ack(&s.p);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + 1160);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + 2320);
	rig_none(&s.r);
	scene_end(&s);
}

/* 15 times, some minutes, then the end is told, and the peer too. */
static void test_gives_up(void **state)
{
	struct scene s = { 0 };
	unsigned count = 0;
	bool was_reset = false;

	(void)state;
	set(&s, &peer_plain);
	scene_warm_up(&s);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 100), 100);
	peer_take(&s.p);
	rig_pass_ms(&s.r, 1200000);
	while (s.r.count > 0) {
		if (rig_take(&s.r)->h.flags & TCP_RST)
			was_reset = true;
		else
			count++;
	}
	assert_int_equal(count, 15);
	assert_true(was_reset);
	assert_true(rig_events(&s.r, s.tcp) & REEVE_FAILED);
	assert_int_equal(reeve_tcp_write(s.tcp, "x", 1), -ETIMEDOUT);
	assert_int_equal(reeve_tcp_write(s.tcp, "x", 1), -EPIPE);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSED);
	scene_end(&s);
}

static void test_user_timeout(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_plain);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_USER_TIMEOUT_MS, 5000), 0);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 100), 100);
	peer_take(&s.p);
	rig_pass_ms(&s.r, 4000);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_ESTABLISHED);
	rig_pass_ms(&s.r, 6000);
	assert_int_equal(reeve_tcp_error(s.tcp), ETIMEDOUT);
	scene_end(&s);
}

/* Reports of what is behind a gap bring the gap again, at once (RFC 6675). */
static void test_fast_retransmit_by_reports(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	scene_warm_up(&s);

	const uint32_t window = scene_info(&s).cwnd_bytes;
	const uint32_t first = s.p.expected;

	assert_true(window >= 10 * 1448);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 14480), 14480);
	rig_collect(&s.r);
	assert_int_equal(s.r.count, 10);
	rig_discard(&s.r);
	scene_report(&s, first, first + 1448, first + 2 * 1448);
	rig_none(&s.r);
	scene_report(&s, first, first + 1448, first + 3 * 1448);
	rig_none(&s.r);
	scene_report(&s, first, first + 1448, first + 4 * 1448);

	const struct rig_segment *const again = rig_take(&s.r);

	assert_int_equal(again->h.sequence, first);
	assert_int_equal(again->length, 1448);
	rig_none(&s.r);
	assert_int_equal(scene_info(&s).ssthresh_bytes, 5 * 1448); /* Reno: half the flight */
	assert_int_equal(scene_info(&s).cwnd_bytes, 7 * 1448);     /* on its way there */
	assert_int_equal(rig_stats(&s.r).tcp_fast_recoveries, 1);
	/* The rest of the reports do not bring it once more. */
	scene_report(&s, first, first + 1448, first + 10 * 1448);
	rig_none(&s.r);
	scene_report(&s, first + 10 * 1448, 0, 0);
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	assert_int_equal(rig_stats(&s.r).tcp_retransmits, 1);
	assert_int_equal(rig_stats(&s.r).tcp_timeouts, 0);
	scene_end(&s);
}

/* Several gaps: all of them, and nothing that has arrived. */
static void test_several_gaps(void **state)
{
	struct scene s = { 0 };
	struct tcp_header h;

	(void)state;
	set(&s, &peer_modern);
	scene_warm_up(&s);

	const uint32_t first = s.p.expected;

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 14480), 14480);
	rig_discard(&s.r);
	h = peer_header(&s.p, TCP_ACK);
	h.acknowledgment = first;
	h.options.sack_count = 3;
	h.options.sack[0] = (struct tcp_sack_block){ first + 7 * 1448, first + 10 * 1448 };
	h.options.sack[1] = (struct tcp_sack_block){ first + 4 * 1448, first + 6 * 1448 };
	h.options.sack[2] = (struct tcp_sack_block){ first + 1 * 1448, first + 3 * 1448 };
	peer_send_h(&s.p, &h, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.sequence, first);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + 3 * 1448);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + 6 * 1448);
	rig_none(&s.r);
	scene_end(&s);
}

/* Without SACK: three duplicates (RFC 5681, 3.2), and a partial acknowledgment brings the next
 * (RFC 6582). */
static void test_fast_retransmit_by_duplicates(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_plain);
	scene_warm_up(&s);

	const uint32_t first = s.p.expected;

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 14600), 14600);
	rig_discard(&s.r);
	scene_report(&s, first, 0, 0);
	scene_report(&s, first, 0, 0);
	rig_none(&s.r);
	scene_report(&s, first, 0, 0);
	assert_int_equal(rig_take(&s.r)->h.sequence, first);
	rig_none(&s.r);
	scene_report(&s, first + 3 * 1460, 0, 0);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + 3 * 1460);
	scene_report(&s, first + 10 * 1460, 0, 0);
	rig_none(&s.r);
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	assert_int_equal(rig_stats(&s.r).tcp_timeouts, 0);
	scene_end(&s);
}

/* RFC 3042: the first duplicates let new data out, so that there will be a third. */
static void test_limited_transmit(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_plain);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 29200), 29200);
	rig_collect(&s.r);
	assert_int_equal(s.r.count, 10);
	rig_discard(&s.r);

	const uint32_t first = s.p.expected;

	scene_report(&s, first, 0, 0);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + 10 * 1460);
	scene_report(&s, first, 0, 0);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + 11 * 1460);
	rig_none(&s.r);
	scene_end(&s);
}

/* Nothing behind the last segment could report its loss: it is sent again after two round trips,
 * long before the timeout (RFC 8985, 7). */
static void test_tail_loss(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	scene_warm_up(&s);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 4344), 4344);
	rig_discard(&s.r);

	const uint32_t first = s.p.expected;

	rig_pass_ms(&s.r, 60);

	const struct rig_segment *const probe = rig_take(&s.r);

	assert_int_equal(probe->h.sequence, first + 2 * 1448);
	assert_int_equal(rig_stats(&s.r).tcp_timeouts, 0);
	rig_none(&s.r);
	scene_report(&s, first + 3 * 1448, 0, 0);
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	rig_pass_ms(&s.r, 10000);
	rig_none(&s.r);
	scene_end(&s);
}

/* Hazard 16: blocks that are reversed, outside, or about nothing are passed over. */
static void test_senseless_reports(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	scene_warm_up(&s);

	const uint32_t first = s.p.expected;

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 14480), 14480);
	rig_discard(&s.r);
	for (unsigned i = 0; i < 5; i++) {
		scene_report(&s, first, first + 3000, first + 2000);
		scene_report(&s, first, first + 10 * 1448, first + 20 * 1448);
		scene_report(&s, first, first - 5000, first + 5000);
		scene_report(&s, first, first + 0x80000000, first + 0x80000010);
		scene_report(&s, first, first + 100, first + 100);
	}
	rig_none(&s.r);
	assert_int_equal(s.tcp->busy->scoreboard.count, 0);
	assert_int_equal(rig_stats(&s.r).tcp_retransmits, 0);
	scene_end(&s);
}

/* The receiver takes back what it reported (RFC 2018, 8): after the timeout all of it goes again. */
static void test_reneging(void **state)
{
	struct scene s = { 0 };
	uint32_t sent = 0;

	(void)state;
	set(&s, &peer_modern);
	scene_warm_up(&s);

	const uint32_t first = s.p.expected;

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 5792), 5792);
	rig_discard(&s.r);
	scene_report(&s, first, first + 1448, first + 4 * 1448);
	assert_int_equal(rig_take(&s.r)->h.sequence, first);
	scene_report(&s, first + 1448, 0, 0); /* and not up to 4 * 1448 */
	rig_discard(&s.r);
	s.p.expected = first + 1448;
	for (unsigned i = 0; i < 20 && sent < 3 * 1448; i++) {
		rig_pass_ms(&s.r, 500);
		while (s.r.count > 0) {
			const struct rig_segment *const again = rig_take(&s.r);

			if (again->h.sequence == first + 1448 + sent)
				sent += again->length;
		}
		scene_report(&s, first + 1448 + sent, 0, 0);
	}
	assert_int_equal(sent, 3 * 1448);
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	scene_end(&s);
}

/* Hazard 23: a FIN that is lost comes again; with data that is lost too, behind it. */
static void test_lost_fin(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_plain);
	scene_warm_up(&s);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 1000), 1000);
	assert_int_equal(reeve_tcp_shutdown(s.tcp), 0);

	const uint32_t first = s.p.expected;
	struct rig_segment *segment = peer_take(&s.p);

	assert_true(segment->h.flags & TCP_FIN);
	rig_pass_ms(&s.r, 230);
	segment = rig_take(&s.r);
	assert_int_equal(segment->h.sequence, first);
	assert_int_equal(segment->length, 1000);
	assert_true(segment->h.flags & TCP_FIN);
	scene_report(&s, first + 1000, 0, 0); /* the data only */
	rig_pass_ms(&s.r, 1000);
	segment = rig_take(&s.r);
	assert_int_equal(segment->h.sequence, first + 1000);
	assert_int_equal(segment->length, 0);
	assert_true(segment->h.flags & TCP_FIN);
	rig_discard(&s.r);
	scene_report(&s, first + 1001, 0, 0);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_FIN_WAIT_2);
	rig_pass_ms(&s.r, 10000);
	rig_none(&s.r);
	scene_end(&s);
}

/* Retransmission across 2^32. */
static void test_wrap(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	reeve_tcp_abort(s.tcp);
	rig_discard(&s.r);
	s.r.now.ns += (int64_t)(UINT32_C(0xfffff000) - s.p.host_iss) * 64;
	reeve_host_tick(s.r.host, s.r.now);
	s.tcp = peer_accept(&s.p, &s.r, s.listener, &peer_modern);
	scene_warm_up(&s);

	const uint32_t first = s.p.expected;

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 11584), 11584);
	rig_discard(&s.r);
	assert_true(first + 8 * 1448 < first);
	scene_report(&s, first, first + 2 * 1448, first + 8 * 1448);
	assert_int_equal(rig_take(&s.r)->h.sequence, first);
	assert_int_equal(rig_take(&s.r)->h.sequence, first + 1448);
	rig_pass_ms(&s.r, 300);
	assert_int_equal(rig_take(&s.r)->h.sequence, first);
	scene_report(&s, first + 8 * 1448, 0, 0);
	assert_int_equal(reeve_tcp_unsent(s.tcp), 0);
	scene_end(&s);
}

/* Karn: what was sent twice tells nothing, unless by its timestamp. */
static void test_karn(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_plain);
	scene_warm_up(&s);

	const uint32_t before = scene_info(&s).rtt_us;

	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 100), 100);
	peer_take(&s.p);
	rig_pass_ms(&s.r, 300);
	rig_discard(&s.r);
	peer_ack(&s.p);
	assert_int_equal(scene_info(&s).rtt_us, before);
	scene_end(&s);
}

/* RFC 3168, 6.1.2: an echo of what was sent before the last reduction is old. So is, 2 GB later, each that
 * has half of all numbers before it, unless the reduction has been forgotten. */
static void test_old_reduction(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_plain);
	s.tcp->ecn = true;
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, sizeof(bytes)), sizeof(bytes));
	rig_discard(&s.r);
	s.p.expected += 1460;
	peer_send(&s.p, TCP_ACK | TCP_ECE, NULL, 0);
	rig_discard(&s.r);
	s.p.expected += 9 * 1460;
	peer_send(&s.p, TCP_ACK | TCP_ECE, NULL, 0);
	rig_discard(&s.r);

	const uint32_t reduced = scene_info(&s).cwnd_bytes;

	assert_in_range(reduced, 5 * 1460, 14599);
	s.p.expected += 1460;
	peer_ack(&s.p);
	/* As it lies after 2 GB. */
	s.tcp->busy->reduced_end = seq_add(s.tcp->una, UINT32_C(1) << 30);
	rig_discard(&s.r);
	s.p.expected += 1460;
	peer_send(&s.p, TCP_ACK | TCP_ECE, NULL, 0);
	assert_true(scene_info(&s).cwnd_bytes < reduced);
	scene_end(&s);
}

/* RFC 8985, 7.4: a probe whose time has come, and that an acknowledgment in the same turn makes needless,
 * is none: what is acknowledged beyond it says nothing of a loss. */
static void test_needless_tail_probe(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	scene_warm_up(&s);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 4344), 4344);
	rig_discard(&s.r);

	const uint32_t first = s.p.expected, window = scene_info(&s).cwnd_bytes;

	s.r.now = reeve_time_add_ms(s.r.now, 60);
	reeve_host_tick(s.r.host, s.r.now);
	assert_true(s.tcp->tail_due);
	s.r.holds = true;
	s.p.ts += 60;
	scene_report(&s, first + 4344, 0, 0);
	s.r.holds = false;
	rig_none(&s.r);
	s.p.expected = first + 4344;
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 1448), 1448);
	rig_discard(&s.r);
	s.p.expected += 1448;
	rig_pass_ms(&s.r, 20);
	s.p.ts += 20;
	peer_ack(&s.p);
	assert_true(scene_info(&s).cwnd_bytes >= window);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timeout_and_backoff),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_user_timeout),
		cmocka_unit_test(test_fast_retransmit_by_reports),
		cmocka_unit_test(test_several_gaps),
		cmocka_unit_test(test_fast_retransmit_by_duplicates),
		cmocka_unit_test(test_limited_transmit),
		cmocka_unit_test(test_tail_loss),
		cmocka_unit_test(test_senseless_reports),
		cmocka_unit_test(test_reneging),
		cmocka_unit_test(test_lost_fin),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_karn),
		cmocka_unit_test(test_old_reduction),
		cmocka_unit_test(test_needless_tail_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
