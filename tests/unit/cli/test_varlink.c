/* A Varlink connection from the client's side, the other end played by hand. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/varlink.h"

#include "cmocka_all.h"

struct wire {
	struct varlink *client;
	int server;
};

static struct wire wire_new(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	struct varlink *client = varlink_new(pair[0]);

	assert_non_null(client);
	return (struct wire){ client, pair[1] };
}

static void wire_end(struct wire *w)
{
	varlink_free(w->client);
	close(w->server);
}

/* With the NUL at its end. */
static void answer(const struct wire *w, const char *text)
{
	const ssize_t length = (ssize_t)strlen(text) + 1;

	assert_int_equal(write(w->server, text, (size_t)length), length);
}

static void test_call(void **state)
{
	struct wire w = wire_new();
	const struct varlink_call call = {
		.method = "a.B", .parameters = json_pack("{s:i}", "n", 1), .more = true, .fd = -1
	};
	char text[256];

	(void)state;
	assert_int_equal(varlink_send(w.client, &call), 0);
	assert_true(read(w.server, text, sizeof(text)) > 0);
	assert_string_equal(text, "{\"method\":\"a.B\",\"parameters\":{\"n\":1},\"more\":true}");
	wire_end(&w);
}

static void test_descriptor(void **state)
{
	struct wire w = wire_new();
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	const struct varlink_call call = { .method = "a.B", .fd = ends[1] };

	assert_int_equal(varlink_send(w.client, &call), 0);
	char text[256];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd = -1;

	assert_true(recvmsg(w.server, &message, MSG_CMSG_CLOEXEC) > 0);
	const struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	assert_non_null(head);
	if (head)
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(ends[0], text, 1), 1);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	wire_end(&w);
}

static void test_replies(void **state)
{
	struct wire w = wire_new();
	struct varlink_reply reply;

	(void)state;
	answer(&w, "{\"parameters\":{\"n\":1},\"continues\":true}");
	answer(&w, "{\"error\":\"a.Bad\",\"parameters\":{}}");
	answer(&w, "{}");
	assert_int_equal(varlink_receive(w.client, -1, &reply), 0);
	assert_true(reply.continues);
	assert_null(reply.error);
	assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), 1);
	varlink_reply_deinit(&reply);
	assert_int_equal(varlink_receive(w.client, -1, &reply), 0);
	assert_string_equal(reply.error, "a.Bad");
	assert_false(reply.continues);
	varlink_reply_deinit(&reply);
	assert_int_equal(varlink_receive(w.client, -1, &reply), 0);
	assert_true(json_is_object(reply.parameters));
	varlink_reply_deinit(&reply);
	wire_end(&w);
}

static void test_reply_in_pieces(void **state)
{
	struct wire w = wire_new();
	struct varlink_reply reply;

	(void)state;
	assert_int_equal(write(w.server, "{\"param", 7), 7);
	assert_int_equal(varlink_receive(w.client, 0, &reply), -ETIMEDOUT);
	answer(&w, "eters\":{\"n\":5}}");
	assert_int_equal(varlink_receive(w.client, -1, &reply), 0);
	assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), 5);
	varlink_reply_deinit(&reply);
	wire_end(&w);
}

static void test_no_varlink(void **state)
{
	static const char *const wrong[] = {
		"", "x", "[]", "{\"parameters\":1}", "{\"error\":1}", "{\"a\":1,\"a\":1}", "{}{}"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct wire w = wire_new();
		struct varlink_reply reply;

		answer(&w, wrong[i]);
		assert_int_equal(varlink_receive(w.client, -1, &reply), -EBADMSG);
		wire_end(&w);
	}
}

static void test_the_other_side_goes(void **state)
{
	struct wire w = wire_new();
	const struct varlink_call call = { .method = "a.B", .fd = -1 };
	struct varlink_reply reply;

	(void)state;
	shutdown(w.server, SHUT_RDWR);
	assert_int_equal(varlink_receive(w.client, -1, &reply), -ECONNRESET);
	assert_int_equal(varlink_send(w.client, &call), -EPIPE);
	wire_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),       cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_replies),    cmocka_unit_test(test_reply_in_pieces),
		cmocka_unit_test(test_no_varlink), cmocka_unit_test(test_the_other_side_goes),
	};

	return cmocka_run_group_tests_name("varlink", tests, NULL, NULL);
}
