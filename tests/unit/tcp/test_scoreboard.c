/* The scoreboard against a map of bytes, at random, across 2^32. Hazards 16 and 19. */
#include "cmocka_all.h"

#include <string.h>

#include "seed.h"
#include "stack/tcp/scoreboard.h"

#define FLIGHT 3000
#define MSS    100

enum fate { UNKNOWN, RESENT, SACKED };

static const struct tcp_seq origin = { 0xfffffa00 };
static uint8_t fate[FLIGHT + 1];

static struct tcp_seq at(uint32_t position)
{
	return seq_add(origin, position);
}

static uint32_t count_sacked(uint32_t una)
{
	uint32_t n = 0;

	for (uint32_t i = una; i < FLIGHT; i++)
		n += fate[i] == SACKED;
	return n;
}

/* RFC 6675, 4, IsLost(), byte by byte: the lowest position that is not lost. */
static uint32_t model_edge(uint32_t una)
{
	uint32_t bytes = 0, ranges = 0;

	for (uint32_t i = FLIGHT; i-- > una;) {
		if (fate[i] != SACKED)
			continue;
		bytes++;
		if (i == una || fate[i - 1] != SACKED) {
			ranges++;
			if (ranges >= 3 || bytes > 2 * MSS)
				return i;
		}
	}
	return una;
}

static struct scoreboard_view view_of(uint32_t una, struct tcp_seq lost, struct tcp_seq sack_edge)
{
	return (struct scoreboard_view){
		.una = at(una),
		.next = at(FLIGHT),
		.lost = lost,
		.sack_edge = sack_edge,
	};
}

static void compare(const struct scoreboard *b, uint32_t una)
{
	const struct tcp_seq edge = scoreboard_lost_edge(b, at(una), MSS);
	const struct scoreboard_view view = view_of(una, edge, at(una));
	const uint32_t model = model_edge(una);
	uint32_t pipe = 0;

	assert_int_equal(b->sacked_bytes, count_sacked(una));
	assert_int_equal(seq_distance(at(una), edge), model - una);
	for (uint32_t i = una; i < FLIGHT; i += 7)
		assert_int_equal(scoreboard_is_sacked(b, at(i)), fate[i] == SACKED);
	/* Nothing sent again is lost again here: marks are at the end, orders few. */
	for (uint32_t i = una; i < FLIGHT; i++)
		pipe += fate[i] != SACKED && (i >= model || fate[i] == RESENT);
	assert_int_equal(scoreboard_pipe(b, &view), pipe);

	struct scoreboard_range lost;
	uint32_t first = una;

	while (first < model && fate[first] != UNKNOWN)
		first++;
	if (first == model) {
		assert_false(scoreboard_next_lost(b, &view, &lost));
		return;
	}
	assert_true(scoreboard_next_lost(b, &view, &lost));
	assert_int_equal(seq_distance(at(una), lost.start), first - una);
	for (uint32_t i = first; i < seq_distance(origin, lost.end); i++)
		assert_int_equal(fate[i], UNKNOWN);
}

/* Byte by byte: the first range of fresh bytes between two edges. */
static void compare_late(const struct scoreboard *b, uint32_t una, uint32_t now, uint32_t later)
{
	const struct scoreboard_view v = view_of(una, at(now), at(una));
	const struct scoreboard_view w = view_of(una, at(later), at(una));
	struct scoreboard_range range;
	uint32_t start = now, end;

	while (start < later && fate[start] != UNKNOWN)
		start++;
	end = start;
	while (end < later && fate[end] == UNKNOWN)
		end++;
	assert_int_equal(scoreboard_next_late(b, &v, &w, &range), start < later);
	if (start == later)
		return;
	assert_int_equal(seq_distance(origin, range.start), start);
	assert_int_equal(seq_distance(origin, range.end), end);
}

/* A report, or the first lost range sent again. */
static void step(struct random *r, struct scoreboard *b, uint32_t una)
{
	const uint32_t from = una + random_below(r, FLIGHT - una);
	const uint32_t wanted = from + 1 + random_below(r, 300);
	const uint32_t to = wanted < FLIGHT ? wanted : FLIGHT;
	const struct tcp_seq edge = scoreboard_lost_edge(b, at(una), MSS);
	const struct scoreboard_view view = view_of(una, edge, at(una));
	struct scoreboard_range lost;

	if (random_below(r, 3)) {
		const uint32_t before = count_sacked(una);

		memset(fate + from, SACKED, to - from);
		assert_int_equal(scoreboard_sack(b, at(from), at(to)), count_sacked(una) - before);
	} else if (b->order < 3 && scoreboard_next_lost(b, &view, &lost)) {
		scoreboard_resent(b, &lost, at(FLIGHT), 0);
		memset(fate + seq_distance(origin, lost.start), RESENT,
		       seq_distance(lost.start, lost.end));
	}
}

static void test_random(void **state)
{
	struct random r = seeded(5);

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct scoreboard b;
		uint32_t una = 0;

		scoreboard_init(&b);
		memset(fate, UNKNOWN, sizeof(fate));
		while (una < FLIGHT) {
			step(&r, &b, una);
			if (random_below(&r, 4) == 0) {
				una += random_below(&r, 200);
				una = una < FLIGHT ? una : FLIGHT;
				scoreboard_ack(&b, at(una));
			}
			if (una < FLIGHT) {
				const uint32_t now = una + random_below(&r, FLIGHT - una);

				compare(&b, una);
				compare_late(&b, una, now, now + random_below(&r, FLIGHT - now));
			}
		}
		assert_int_equal(b.count, 0);
		scoreboard_clear(&b);
	}
}

/* CVE-2019-11477 and others: however many holes, the work is bounded and nothing overflows. */
static void test_bounded(void **state)
{
	struct scoreboard b;

	(void)state;
	scoreboard_init(&b);
	for (uint32_t i = 0; i < 100000; i++)
		scoreboard_sack(&b, seq_add(origin, 1 + 2 * i), seq_add(origin, 2 + 2 * i));
	assert_true(b.count <= SCOREBOARD_MAX);
	assert_int_equal(b.sacked_bytes, b.count);
	scoreboard_ack(&b, seq_add(origin, 200001));
	assert_int_equal(b.count, 0);
	assert_null(b.entries);
}

static void test_nonsense(void **state)
{
	struct scoreboard b;

	(void)state;
	scoreboard_init(&b);
	assert_int_equal(scoreboard_sack(&b, at(10), at(10)), 0);
	assert_int_equal(scoreboard_sack(&b, at(20), at(10)), 0);
	assert_int_equal(b.count, 0);
	assert_int_equal(scoreboard_sack(&b, at(10), at(20)), 10);
	assert_int_equal(scoreboard_sack(&b, at(10), at(20)), 0);
	assert_int_equal(scoreboard_sack(&b, at(12), at(15)), 0);
	assert_int_equal(scoreboard_sack(&b, at(15), at(25)), 5);
	assert_int_equal(b.count, 1);
	scoreboard_clear(&b);
}

static void resend(struct scoreboard *b, uint32_t from, uint32_t to, uint32_t next, uint32_t us)
{
	const struct scoreboard_range range = { at(from), at(to) };

	scoreboard_resent(b, &range, at(next), us);
}

/* The first lost range now, or nothing. */
static bool next_lost(const struct scoreboard *b, struct scoreboard_range *ret)
{
	const struct tcp_seq edge = scoreboard_lost_edge(b, at(0), MSS);
	const struct scoreboard_view view = view_of(0, edge, edge);

	return scoreboard_next_lost(b, &view, ret);
}

/* Sent again, and lost again: told by new data, or by later ranges, that arrived. */
static void test_lost_again(void **state)
{
	struct scoreboard b;
	struct scoreboard_range lost;

	(void)state;
	scoreboard_init(&b);
	scoreboard_sack(&b, at(1000), at(1500));
	resend(&b, 0, 1000, 1500, 0);
	assert_false(next_lost(&b, &lost));
	scoreboard_sack(&b, at(1500), at(1700));
	assert_false(next_lost(&b, &lost));
	scoreboard_sack(&b, at(1800), at(2001));
	assert_true(next_lost(&b, &lost));
	assert_true(seq_equal(lost.start, at(0)) && seq_equal(lost.end, at(1000)));
	scoreboard_clear(&b);

	scoreboard_init(&b);
	scoreboard_sack(&b, at(2000), at(2500));
	for (uint32_t i = 0; i < 4; i++)
		resend(&b, i * 500, i * 500 + 500, 9000, 0);
	scoreboard_sack(&b, at(500), at(1500));
	assert_false(next_lost(&b, &lost));
	scoreboard_sack(&b, at(1500), at(2000));
	assert_true(next_lost(&b, &lost));
	assert_true(seq_equal(lost.start, at(0)) && seq_equal(lost.end, at(500)));
	scoreboard_clear(&b);
}

/* By time (RFC 8985): sent before something that has arrived, and long enough ago. */
static void test_lost_again_by_time(void **state)
{
	struct scoreboard b;
	struct scoreboard_range lost;
	struct scoreboard_view view = view_of(0, at(900), at(0));

	(void)state;
	scoreboard_init(&b);
	resend(&b, 0, 300, 2000, UINT32_MAX - 5);
	resend(&b, 300, 600, 2000, 10); /* the clock has gone round */
	resend(&b, 600, 900, 2000, 10);
	assert_false(scoreboard_next_lost(&b, &view, &lost));
	view.has_rack = true;
	view.rack_us = 10;
	view.rack_end = at(600);
	view.expired_us = UINT32_MAX - 6;
	assert_false(scoreboard_next_lost(&b, &view, &lost)); /* not yet */
	view.expired_us = 5;
	assert_true(scoreboard_next_lost(&b, &view, &lost));
	assert_true(seq_equal(lost.start, at(0)) && seq_equal(lost.end, at(300)));
	assert_int_equal(scoreboard_pipe(&b, &view), FLIGHT - 300);
	resend(&b, 0, 300, 2000, 20);
	view.expired_us = 15; /* sent together with what has arrived, and before it or behind */
	assert_false(scoreboard_next_lost(&b, &view, &lost));
	view.rack_end = at(601);
	assert_true(scoreboard_next_lost(&b, &view, &lost));
	assert_true(seq_equal(lost.start, at(300)) && seq_equal(lost.end, at(600)));
	scoreboard_clear(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_lost_again),
		cmocka_unit_test(test_lost_again_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
