/* Varlink's framing: messages cut anywhere come out whole; what never ends is bounded. */
#include "network/control_frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_all.h"
#include "../base/seed.h"

#define MESSAGE_MAX ((size_t)1 << 20)

/* As much as there is room for. */
static size_t feed(struct control_frame *f, const char *bytes, size_t length)
{
	char *room = NULL;
	size_t n = control_frame_room(f, &room);

	if (!room)
		return 0;
	n = n < length ? n : length;
	memcpy(room, bytes, n);
	control_frame_fill(f, n);
	return n;
}

static void test_split_at_each_byte(void **state)
{
	static const char stream[] = "one\0\0two and more\0";
	const size_t length = sizeof(stream) - 1;

	(void)state;
	for (size_t cut = 0; cut <= length; cut++) {
		static const char *const expected[] = { "one", "", "two and more" };
		struct control_frame f;
		unsigned messages = 0;
		const char *m;
		size_t n = 0;

		control_frame_init(&f, MESSAGE_MAX);
		for (unsigned half = 0; half < 2; half++) {
			feed(&f, half ? stream + cut : stream, half ? length - cut : cut);
			while (messages < 3 && (m = control_frame_next(&f, &n))) {
				assert_string_equal(m, expected[messages]);
				assert_int_equal(n, strlen(expected[messages]));
				messages++;
			}
		}
		assert_int_equal(messages, 3);
		assert_null(control_frame_next(&f, &n));
		control_frame_deinit(&f);
	}
}

static void test_random_pieces(void **state)
{
	struct random random = seeded(3);
	struct control_frame f;
	uint32_t sent = 0, received = 0;
	char message[600];

	(void)state;
	control_frame_init(&f, MESSAGE_MAX);
	while (sent < 3000) {
		size_t length = 4 + random_below(&random, 500), at = 0, n;
		const char *m;

		memset(message, 'a' + (int)(sent % 26), length);
		message[length++] = '\0';
		sent++;
		while (at < length) {
			size_t piece = 1 + random_below(&random, 700);

			if (piece > length - at)
				piece = length - at;
			at += feed(&f, message + at, piece);
		}
		if (random_below(&random, 3) && sent < 3000)
			continue;
		while ((m = control_frame_next(&f, &n))) {
			assert_int_equal(strlen(m), n);
			assert_int_equal(m[0], 'a' + (int)(received % 26));
			received++;
		}
	}
	assert_int_equal(received, sent);
	control_frame_deinit(&f);
}

/* A GiB without an end: refused at the limit, in bounded memory. */
static void test_never_ends(void **state)
{
	struct control_frame f;
	uint64_t taken = 0;
	size_t length, n;
	char *room;

	(void)state;
	control_frame_init(&f, MESSAGE_MAX);
	while (taken < UINT64_C(1) << 30) {
		n = control_frame_room(&f, &room);
		if (n == 0)
			break;
		memset(room, 'x', n);
		control_frame_fill(&f, n);
		taken += n;
		assert_null(control_frame_next(&f, &length));
	}
	assert_int_equal(taken, MESSAGE_MAX);
	assert_in_range(f.size, 1, MESSAGE_MAX);
	control_frame_deinit(&f);
}

/* The longest message that fits, and behind it a short one. */
static void test_longest(void **state)
{
	struct control_frame f;
	size_t length, left = MESSAGE_MAX - 1;
	char *room;

	(void)state;
	control_frame_init(&f, MESSAGE_MAX);
	while (left > 0) {
		size_t n = control_frame_room(&f, &room);

		assert_true(n > 0);
		n = n < left ? n : left;
		memset(room, 'x', n);
		control_frame_fill(&f, n);
		left -= n;
	}
	assert_int_equal(feed(&f, "", 1), 1);
	assert_non_null(control_frame_next(&f, &length));
	assert_int_equal(length, MESSAGE_MAX - 1);
	assert_int_equal(feed(&f, "short", 6), 6);
	assert_string_equal(control_frame_next(&f, &length), "short");
	control_frame_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_at_each_byte),
		cmocka_unit_test(test_random_pieces),
		cmocka_unit_test(test_never_ends),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
