/* The channel between a network and a manager: what comes is bounded a message, not a heap of them. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "service/channel.h"

#include "cmocka_all.h"

#define BIG      ((size_t)300 << 10)
#define MESSAGES 5

struct ends {
	struct channel_end one, other;
};

static int set_up(void **state)
{
	static struct ends e;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	channel_end_init(&e.one, fds[0]);
	channel_end_init(&e.other, fds[1]);
	*state = &e;
	return 0;
}

static int tear_down(void **state)
{
	struct ends *e = *state;

	channel_end_deinit(&e->one);
	channel_end_deinit(&e->other);
	return 0;
}

/* A few hundred KiB each, and more together than one message may be; whoever reads them was busy. */
static void test_many_big_messages(void **state)
{
	static char text[BIG];
	struct ends *e = *state;
	unsigned came = 0;

	memset(text, 'x', sizeof(text) - 1);
	for (json_int_t i = 0; i < MESSAGES; i++)
		channel_end_send(&e->one, json_pack("{s:I,s:s}", "id", i, "text", text));
	for (size_t i = 0; i < MESSAGES * BIG / 4096; i++) {
		channel_end_write(&e->one);
		channel_end_read(&e->other);
	}
	assert_false(e->other.is_closed);
	/* No more is read than is needed for what may be a message. */
	assert_true(e->other.in_length <= 2 * (size_t)CHANNEL_MESSAGE_MOST);
	while (came < MESSAGES) {
		channel_end_write(&e->one);
		channel_end_read(&e->other);
		for (json_t *m; (m = channel_end_next(&e->other)); json_decref(m))
			assert_int_equal(json_integer_value(json_object_get(m, "id")), came++);
		assert_false(e->other.is_closed);
	}
	assert_false(channel_end_is_writing(&e->one));
}

/* One that never ends. */
static void test_message_without_an_end(void **state)
{
	static const char text[4096] = { [0 ... 4095] = 'x' };
	struct ends *e = *state;
	size_t sent = 0;

	while (!e->other.is_closed) {
		const ssize_t n = write(e->one.fd, text, sizeof(text));

		sent += n > 0 ? (size_t)n : 0;
		assert_true(sent <= 4 * (size_t)CHANNEL_MESSAGE_MOST);
		channel_end_read(&e->other);
		assert_null(channel_end_next(&e->other));
	}
	assert_true(sent >= CHANNEL_MESSAGE_MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_big_messages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_message_without_an_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
