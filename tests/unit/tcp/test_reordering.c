/* How long a segment may be late before it is lost: RFC 8985, 6.2, step 4. */
#include "scene.h"

#define ROUND_MS  20
#define WINDOW_MS 5 /* a quarter of it */
#define MSS       1460

static uint8_t bytes[2 * MSS];

/* Reports of duplicates are all that tells what was only late: there are no timestamps. */
static const struct peer_options reporting = {
	.sack = true,
	.no_scale = true,
	.mss = MSS,
	.window = 65535,
};

static void set(struct scene *s)
{
	scene_begin(s, &reporting);
	assert_int_equal(reeve_tcp_set(s->tcp, REEVE_TCP_CONGESTION_CONTROL, REEVE_RENO), 0);
	scene_warm_up(s);
	/* The handshake took no time. */
	s->tcp->rtt.min_us = ROUND_MS * 1000;
	s->tcp->rtt.smoothed_us = ROUND_MS * 1000;
}

/* Two segments, of which the first is missing. It is sent again when it is late by so many windows
 * and a little, and not when it is late by one less. */
static void miss_first(struct scene *s, unsigned windows)
{
	const uint32_t first = s->p.expected;

	assert_int_equal(reeve_tcp_write(s->tcp, bytes, sizeof(bytes)), sizeof(bytes));
	while (s->p.expected != first + sizeof(bytes))
		peer_take(&s->p);
	rig_pass_ms(&s->r, ROUND_MS);
	scene_report(s, first, first + MSS, first + 2 * MSS);
	rig_pass_ms(&s->r, WINDOW_MS * windows - 2);
	rig_none(&s->r);
	rig_pass_ms(&s->r, 4);
	assert_int_equal(rig_take(&s->r)->h.sequence, first);
	rig_none(&s->r);
}

static void lose_first(struct scene *s, unsigned windows)
{
	miss_first(s, windows);
	rig_pass_ms(&s->r, ROUND_MS);
	peer_ack(&s->p);
	rig_none(&s->r);
}

/* Both have arrived, and then what was sent again. */
static void be_late(struct scene *s, unsigned windows)
{
	miss_first(s, windows);
	rig_pass_ms(&s->r, 1);
	peer_ack(&s->p);
	rig_pass_ms(&s->r, ROUND_MS);
	scene_report(s, s->p.expected, s->p.expected - 2 * MSS, s->p.expected - MSS);
	rig_none(&s->r);
}

/* With each duplicate the window is larger by one; after 16 recoveries without, it is as it was. */
static void test_grows_and_shrinks(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);
	lose_first(&s, 1);
	be_late(&s, 1);
	for (unsigned i = 0; i < 10; i++)
		lose_first(&s, 2);
	be_late(&s, 2);
	for (unsigned i = 0; i < 16; i++)
		lose_first(&s, 3);
	lose_first(&s, 1);
	assert_int_equal(rig_stats(&s.r).tcp_timeouts, 0);
	scene_end(&s);
}

/* Not more than a round trip, however much is late. */
static void test_bounded_by_round_trip(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);
	for (unsigned windows = 1; windows <= 4; windows++)
		be_late(&s, windows);
	miss_first(&s, ROUND_MS / WINDOW_MS);
	scene_end(&s);
}

/* In one round trip by one, however many duplicates come. */
static void test_grows_once_a_round_trip(void **state)
{
	struct scene s = { 0 };
	uint32_t first;

	(void)state;
	set(&s);
	first = s.p.expected;
	miss_first(&s, 1);
	peer_ack(&s.p);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, MSS), MSS);
	rig_take(&s.r);
	for (unsigned i = 0; i < 5; i++)
		scene_report(&s, s.p.expected, first, first + MSS);
	s.p.expected += MSS;
	rig_pass_ms(&s.r, ROUND_MS);
	peer_ack(&s.p);
	lose_first(&s, 2);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_and_shrinks),
		cmocka_unit_test(test_bounded_by_round_trip),
		cmocka_unit_test(test_grows_once_a_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
