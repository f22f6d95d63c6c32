/*
 * The control socket with a client that is the test: what is no message, what is none of ours, what
 * never ends, and each call's answers, its descriptors and its end.
 */
#include "network/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "../base/cmocka_all.h"
#include "base/check.h"
#include "network/control_frame.h"
#include "network/host.h"
#include "rig.h"

struct client {
	struct rig *rig;
	int fd;
	int fds_before; /* open descriptors before the client was there */
};

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int set_up(void **state)
{
	static struct client c;

	c.rig = rig_new();
	c.fds_before = count_fds();
	c.fd = rig_control(c.rig);
	*state = &c;
	return 0;
}

static int tear_down(void **state)
{
	struct client *c = *state;

	close(c->fd);
	rig_settle(c->rig);
	assert_int_equal(control_client_count(c->rig->network.control), 0);
	assert_int_equal(count_fds(), c->fds_before);
	rig_free(c->rig);
	return 0;
}

static void say(struct client *c, const char *text)
{
	assert_true(rig_write(c->rig, c->fd, text, strlen(text) + 1));
}

/* One message, byte by byte, so that nothing of the next is taken. NULL at the end. */
static json_t *hear(struct client *c)
{
	static char text[1 << 16];
	json_t *message;

	for (size_t at = 0; at < sizeof(text); at++) {
		const long n = rig_read(c->rig, c->fd, text + at, 1);

		if (n <= 0)
			return NULL;
		if (text[at] == '\0')
			break;
	}
	message = json_loads(text, 0, NULL);
	assert_non_null(message);
	return message;
}

static void expect_error(struct client *c, const char *name)
{
	json_t *m = hear(c);

	assert_non_null(m);
	assert_string_equal(json_string_value(json_object_get(m, "error")), name);
	json_decref(m);
}

/* The parameters of an answer without an error; borrowed from *ret_message. */
static json_t *expect_answer(struct client *c, json_t **ret_message, bool continues)
{
	json_t *m = hear(c);

	assert_non_null(m);
	assert_null(json_object_get(m, "error"));
	assert_int_equal(json_is_true(json_object_get(m, "continues")), continues);
	*ret_message = m;
	return json_object_get(m, "parameters");
}

static void expect_end(struct client *c)
{
	char byte;

	assert_true(rig_read(c->rig, c->fd, &byte, 1) <= 0);
}

#define REFUSED     "io.reeve.Network.Refused"
#define INVALID     "org.varlink.service.InvalidParameter"
#define ASK(method) "{\"method\":\"io.reeve.Network." method "\"}"
#define CALL(method, parameters) \
	"{\"method\":\"io.reeve.Network." method "\",\"parameters\":" parameters "}"

static void test_not_json(void **state)
{
	static const char *const texts[] = { "hello",
					     "",
					     "[1,2]",
					     "\"method\"",
					     "{\"a\":1,\"a\":2}",
					     "{\"method\":\"x.y\"",
					     "{} {}",
					     "\xff\xfe",
					     CALL("AddHost", "{\"name\":\"we\\u0000b\"}") };
	struct client *c = *state;

	for (size_t i = 0; i < array_length(texts); i++) {
		say(c, texts[i]);
		expect_error(c, REFUSED);
		expect_end(c);
		close(c->fd);
		c->fd = rig_control(c->rig);
	}
}

static void test_deep(void **state)
{
	struct client *c = *state;
	static char deep[500000];

	memset(deep, '[', sizeof(deep) - 1);
	say(c, deep);
	expect_error(c, REFUSED);
	expect_end(c);
}

/* One GiB, or until the other side has heard enough: one line, and the end. */
static void test_never_ends(void **state)
{
	struct client *c = *state;
	static char piece[65536];
	uint64_t written = 0;

	memset(piece, 'x', sizeof(piece));
	while (written < UINT64_C(1) << 30 && rig_write(c->rig, c->fd, piece, sizeof(piece)))
		written += sizeof(piece);
	assert_in_range(written, CONTROL_MESSAGE_MAX - sizeof(piece), 8u << 20);
	expect_error(c, REFUSED);
	expect_end(c);
}

static void test_split_at_each_byte(void **state)
{
	static const char text[] = ASK("GetNetwork");
	struct client *c = *state;

	for (size_t cut = 0; cut <= sizeof(text); cut++) {
		json_t *m;

		assert_true(rig_write(c->rig, c->fd, text, cut));
		rig_settle(c->rig);
		assert_true(rig_write(c->rig, c->fd, text + cut, sizeof(text) - cut));
		assert_string_equal(
			json_string_value(json_object_get(expect_answer(c, &m, false), "name")),
			"test");
		json_decref(m);
	}
}

static void test_unknown(void **state)
{
	struct client *c = *state;

	say(c, "{\"method\":\"io.reeve.Network.Frobnicate\"}");
	expect_error(c, "org.varlink.service.MethodNotFound");
	say(c, "{\"method\":\"io.reeve.Networ.GetNetwork\"}");
	expect_error(c, "org.varlink.service.InterfaceNotFound");
	say(c, "{\"method\":\"GetNetwork\"}");
	expect_error(c, "org.varlink.service.InterfaceNotFound");
	say(c, "{\"parameters\":{}}");
	expect_error(c, REFUSED);
	/* The connection is as good as before. */
	say(c, ASK("GetNetwork"));
	json_t *m;

	expect_answer(c, &m, false);
	json_decref(m);
}

static void test_wrong_parameters(void **state)
{
	static const char *const texts[] = {
		ASK("AddHost"),
		CALL("AddHost", "{\"name\":1}"),
		CALL("AddHost", "{\"name\":\"web\",\"well_known\":\"mine\"}"),
		CALL("AddHost", "{\"name\":\"web\",\"address\":7}"),
		ASK("SetKeep"),
		CALL("SetKeep", "{\"keep\":\"yes\"}"),
		CALL("AddTap", "{\"name\":\"t\",\"mtu\":12,\"offload\":true}"),
		CALL("AddTap", "{\"name\":\"t\",\"mtu\":1500,\"offload\":1}"),
		CALL("Ping", "{\"host\":\"web\",\"to\":\"web\",\"count\":0,\"interval_ms\":1,"
			     "\"timeout_ms\":1,\"size\":1}"),
		CALL("Ping", "{\"host\":\"web\",\"to\":\"web\",\"count\":1,\"interval_ms\":1,"
			     "\"timeout_ms\":1,\"size\":70000}"),
		CALL("Impair", "{\"host\":\"gateway\",\"impairment\":{\"loss\":1.5}}"),
		CALL("Impair", "{\"host\":\"gateway\",\"impairment\":{\"loss\":\"a\"}}"),
		CALL("Impair", "{\"host\":\"gateway\",\"impairment\":{\"down\":1}}"),
		CALL("Impair", "{\"host\":\"gateway\",\"impairment\":[]}"),
		CALL("ListHosts", "{\"name\":[]}"),
	};
	struct client *c = *state;

	for (size_t i = 0; i < array_length(texts); i++) {
		say(c, texts[i]);
		expect_error(c, INVALID);
	}
	assert_int_equal(host_count(&c->rig->network), 0);
}

static void test_hosts(void **state)
{
	struct client *c = *state;
	json_t *m, *hosts;

	say(c, CALL("AddHost", "{\"name\":\"web\"}"));
	json_t *host = json_object_get(expect_answer(c, &m, false), "host");

	assert_string_equal(
		json_string_value(json_array_get(json_object_get(host, "addresses"), 0)),
		"198.18.0.2");
	assert_int_equal(json_integer_value(json_object_get(host, "sockets")), 0);
	json_decref(m);
	static const struct {
		const char *text, *error;
	} refused[] = {
		{ CALL("AddHost", "{\"name\":\"WEB\"}"), "HostExists" },
		{ CALL("AddHost", "{\"name\":\"gateway\"}"), "NameInvalid" },
		{ CALL("AddHost", "{\"name\":\"-web\"}"), "NameInvalid" },
		{ CALL("AddHost", "{\"name\":\"80\"}"), "NameInvalid" },
		{ CALL("AddHost", "{\"name\":\"localhost\"}"), "NameInvalid" },
		{ CALL("AddHost", "{\"name\":\"a.b\"}"), "NameInvalid" },
		{ CALL("AddHost", "{\"name\":\"x\",\"address\":\"198.18.0.2\"}"), "AddressInUse" },
		{ CALL("AddHost", "{\"name\":\"x\",\"address\":\"198.18.0.1\"}"), "AddressInUse" },
		{ CALL("AddHost", "{\"name\":\"x\",\"address\":\"192.0.2.1\"}"), "AddressInvalid" },
		{ CALL("AddHost", "{\"name\":\"x\",\"address\":\"198.18.255.255\"}"),
		  "AddressInvalid" },
		{ CALL("AddHost", "{\"name\":\"x\",\"address\":\"2001:db8::1\"}"),
		  "AddressInvalid" },
		{ CALL("AddHost", "{\"name\":\"x\",\"address\":\"yes\"}"), "AddressInvalid" },
		{ CALL("RemoveHost", "{\"name\":\"x\"}"), "NoSuchHost" },
		{ CALL("RemoveHost", "{\"name\":\"gateway\"}"), "Refused" },
		{ CALL("RemoveLink", "{\"name\":\"x\"}"), "NoSuchLink" },
		{ CALL("ListSockets", "{\"host\":\"x\"}"), "NoSuchHost" },
		{ CALL("ListPrograms", "{\"host\":\"x\"}"), "NoSuchHost" },
		{ CALL("Impair", "{\"host\":\"x\"}"), "NoSuchHost" },
		{ CALL("AddTap", "{\"name\":\"t\",\"mtu\":1500,\"offload\":true}"), "Refused" },
		{ CALL("Capture", "{}"), "Refused" },
	};

	for (size_t i = 0; i < array_length(refused); i++) {
		char name[64];

		snprintf(name, sizeof(name), "io.reeve.Network.%s", refused[i].error);
		say(c, refused[i].text);
		expect_error(c, name);
	}
	say(c, ASK("ListHosts"));
	hosts = json_object_get(expect_answer(c, &m, false), "hosts");
	assert_int_equal(json_array_size(hosts), 1);
	json_decref(m);
	say(c, CALL("RemoveHost", "{\"name\":\"web\"}"));
	expect_answer(c, &m, false);
	json_decref(m);
	assert_int_equal(host_count(&c->rig->network), 0);
}

/* A host that a program is on stays. */
static void test_busy_host(void **state)
{
	struct client *c = *state;
	struct rig_session s;
	json_t *m;

	rig_join(c->rig, &s, "web");
	say(c, CALL("RemoveHost", "{\"name\":\"web\"}"));
	expect_error(c, "io.reeve.Network.HostBusy");
	say(c, ASK("ListPrograms"));
	assert_int_equal(json_array_size(json_object_get(expect_answer(c, &m, false), "programs")),
			 1);
	json_decref(m);
	close(s.fd);
	rig_settle(c->rig);
	say(c, ASK("ListHosts"));
	assert_int_equal(json_array_size(json_object_get(expect_answer(c, &m, false), "hosts")), 0);
	json_decref(m);
}

static void test_full(void **state)
{
	struct client *c = *state;
	json_t *m;

	c->rig->network.max_hosts = 2;
	for (unsigned i = 0; i < 2; i++) {
		say(c,
		    i ? CALL("AddHost", "{\"name\":\"a\"}") : CALL("AddHost", "{\"name\":\"b\"}"));
		expect_answer(c, &m, false);
		json_decref(m);
	}
	say(c, CALL("AddHost", "{\"name\":\"c\"}"));
	expect_error(c, "io.reeve.Network.NetworkFull");
	say(c, CALL("RemoveHost", "{\"name\":\"a\"}"));
	expect_answer(c, &m, false);
	json_decref(m);
	say(c, CALL("AddHost", "{\"name\":\"c\"}"));
	expect_answer(c, &m, false);
	json_decref(m);
}

/* An address that has just become free is not the next one given away. */
static void test_addresses_come_round(void **state)
{
	struct client *c = *state;
	struct network *n = &c->rig->network;
	struct network_host *kept, *host;

	assert_int_equal(host_add(n, "kept", NULL, &kept), HOST_OK);
	kept->is_explicit = true;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(host_add(n, "x", NULL, &host), HOST_OK);
		assert_false(reeve_address_equal(&host->address, &kept->address));
		assert_null(host_address_fault(&host->address));
		host_remove(host);
	}
	assert_ptr_equal(host_by_address(n, &kept->address), kept);
}

static void test_oneway_and_pipeline(void **state)
{
	static const char text[] =
		"{\"method\":\"io.reeve.Network.AddHost\",\"oneway\":true,\"parameters\":{\"name\":"
		"\"a\"}}\0" CALL("AddHost", "{\"name\":\"b\"}") "\0" ASK("ListHosts");
	struct client *c = *state;
	json_t *m;

	assert_true(rig_write(c->rig, c->fd, text, sizeof(text)));
	expect_answer(c, &m, false);
	json_decref(m);
	assert_int_equal(json_array_size(json_object_get(expect_answer(c, &m, false), "hosts")), 2);
	json_decref(m);
}

/* Who does not read is not read from: what waits is bounded, and nothing is lost. */
/* More than are taken in one turn, and nothing behind them. */
static void test_many_in_one_write(void **state)
{
	static const char call[] = "{\"method\":\"io.reeve.Network.ListHosts\"}";
	char all[40 * sizeof(call)];
	struct client *c = *state;

	for (size_t i = 0; i < 40; i++)
		memcpy(all + i * sizeof(call), call, sizeof(call));
	assert_true(rig_write(c->rig, c->fd, all, sizeof(all)));
	for (int i = 0; i < 40; i++) {
		json_t *m;

		expect_answer(c, &m, false);
		json_decref(m);
	}
}

/* However it comes: each read is one step, and the last of them may be the last of a turn. */
static void test_long_request(void **state)
{
	struct client *c = *state;

	for (size_t length = 60; length < 900000; length = length * 5 / 4) {
		char *text = malloc(length + 1);
		const int head =
			snprintf(text, length, "{\"method\":\"io.reeve.Network.ListHosts\"}");
		json_t *m;

		assert_non_null(text);
		memset(text + head, ' ', length - (size_t)head);
		text[length] = '\0';
		assert_true(rig_write(c->rig, c->fd, text, length + 1));
		expect_answer(c, &m, false);
		json_decref(m);
		free(text);
	}
}

static void test_slow_client(void **state)
{
	struct client *c = *state;
	static const char text[] = "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
				   "\"parameters\":{\"interface\":\"io.reeve.Network\"}}";
	unsigned asked = 0;
	json_t *m;

	while (send(c->fd, text, sizeof(text), MSG_DONTWAIT) > 0) {
		asked++;
		rig_settle(c->rig);
		assert_in_range(asked, 1, 20000);
	}
	for (unsigned i = 0; i < asked; i++) {
		const char *description = json_string_value(
			json_object_get(expect_answer(c, &m, false), "description"));

		assert_non_null(strstr(description, "interface io.reeve.Network\n"));
		assert_non_null(strstr(description, "error Failed("));
		json_decref(m);
	}
}

static void send_with_fd(struct client *c, const char *text, int fd)
{
	char ancillary[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) + 1 };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *m;

	header.msg_control = ancillary;
	header.msg_controllen = sizeof(ancillary);
	m = CMSG_FIRSTHDR(&header);
	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(m), &fd, sizeof(fd));
	assert_int_equal(sendmsg(c->fd, &header, 0), (long)iov.iov_len);
	close(fd);
}

/* Descriptors that nobody asked for, or that are no TAP, are closed (tear_down counts). */
static void test_descriptors(void **state)
{
	struct client *c = *state;
	json_t *m;

	send_with_fd(c, ASK("GetNetwork"), dup(c->fd));
	expect_answer(c, &m, false);
	json_decref(m);
	send_with_fd(c, CALL("AddTap", "{\"name\":\"t\",\"mtu\":1500,\"offload\":true}"),
		     open("/dev/null", O_RDWR));
	expect_error(c, "io.reeve.Network.Failed");
	send_with_fd(c, CALL("Capture", "{}"), open("/dev/null", O_RDONLY));
	expect_error(c, "io.reeve.Network.Failed");
	send_with_fd(c, "{\"method\":", dup(c->fd));
}

static void test_ping(void **state)
{
	struct client *c = *state;
	json_t *m, *answer;

	say(c, CALL("AddHost", "{\"name\":\"a\"}"));
	expect_answer(c, &m, false);
	json_decref(m);
	say(c, CALL("AddHost", "{\"name\":\"b\"}"));
	expect_answer(c, &m, false);
	json_decref(m);
	say(c, "{\"method\":\"io.reeve.Network.Ping\",\"more\":true,\"parameters\":{\"host\":\"a\","
	       "\"to\":\"b\",\"count\":3,\"interval_ms\":1,\"timeout_ms\":60000,\"size\":1400}}");
	for (unsigned i = 1; i <= 3; i++) {
		answer = expect_answer(c, &m, i < 3);
		assert_int_equal(json_integer_value(json_object_get(answer, "sequence")), i);
		assert_string_equal(json_string_value(json_object_get(answer, "from")),
				    "198.18.0.3");
		assert_true(json_is_null(json_object_get(answer, "error")));
		json_decref(m);
	}
	/* Nobody is there. */
	say(c, CALL("Ping", "{\"host\":\"a\",\"to\":\"198.18.7.7\",\"count\":1,\"interval_ms\":1,"
			    "\"timeout_ms\":20,\"size\":0}"));
	answer = expect_answer(c, &m, false);
	assert_string_equal(json_string_value(json_object_get(answer, "error")), "ETIMEDOUT");
	json_decref(m);
	/* To the outside the gateway says that there is no way, and does not answer as if it were
	 * who is asked. */
	say(c, CALL("Ping", "{\"host\":\"a\",\"to\":\"192.0.2.1\",\"count\":1,\"interval_ms\":1,"
			    "\"timeout_ms\":60000,\"size\":0}"));
	answer = expect_answer(c, &m, false);
	assert_string_equal(json_string_value(json_object_get(answer, "error")), "ENETUNREACH");
	json_decref(m);
}

/* A call that goes on ends when its host is removed, and when its client goes. */
static void test_ping_ends(void **state)
{
	static const char *const endless =
		"{\"method\":\"io.reeve.Network.Ping\",\"more\":true,\"parameters\":{\"host\":"
		"\"a\","
		"\"to\":\"a\",\"count\":1000000,\"interval_ms\":3600000,\"timeout_ms\":1000,"
		"\"size\":1}}";
	struct client *c = *state, other = { .rig = c->rig, .fd = rig_control(c->rig) };
	json_t *m;

	say(c, CALL("AddHost", "{\"name\":\"a\"}"));
	expect_answer(c, &m, false);
	json_decref(m);
	say(c, endless);
	expect_answer(c, &m, true);
	json_decref(m);
	say(&other, CALL("RemoveHost", "{\"name\":\"a\"}"));
	expect_answer(&other, &m, false);
	json_decref(m);
	expect_error(c, "io.reeve.Network.Failed");
	say(c, CALL("AddHost", "{\"name\":\"a\"}"));
	expect_answer(c, &m, false);
	json_decref(m);
	say(&other, endless);
	expect_answer(&other, &m, true);
	json_decref(m);
	close(other.fd);
	rig_settle(c->rig);
	say(c, CALL("RemoveHost", "{\"name\":\"a\"}"));
	expect_answer(c, &m, false);
	json_decref(m);
}

/* pcapng begins with a section header; the stream ends with the client. */
static void test_capture(void **state)
{
	struct client *c = *state;
	unsigned char head[12];
	int ends[2];
	json_t *m;

	say(c, CALL("AddHost", "{\"name\":\"a\"}"));
	expect_answer(c, &m, false);
	json_decref(m);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	send_with_fd(c,
		     "{\"method\":\"io.reeve.Network.Capture\",\"more\":true,\"parameters\":"
		     "{\"host\":\"a\"}}",
		     ends[1]);
	json_t *answer = expect_answer(c, &m, true);

	assert_string_equal(
		json_string_value(json_array_get(json_object_get(answer, "interfaces"), 0)), "a");
	json_decref(m);
	assert_int_equal(rig_read(c->rig, ends[0], head, sizeof(head)), sizeof(head));
	assert_memory_equal(head, "\x0a\x0d\x0d\x0a", 4);
	close(c->fd);
	while (rig_read(c->rig, ends[0], head, sizeof(head)) > 0)
		;
	close(ends[0]);
	c->fd = rig_control(c->rig);
	/* And the call ends with the reader. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	send_with_fd(c, CALL("Capture", "{}"), ends[1]);
	rig_settle(c->rig);
	close(ends[0]);
	expect_answer(c, &m, false);
	json_decref(m);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_not_json),
		CASE(test_deep),
		CASE(test_never_ends),
		CASE(test_split_at_each_byte),
		CASE(test_unknown),
		CASE(test_wrong_parameters),
		CASE(test_hosts),
		CASE(test_full),
		CASE(test_busy_host),
		CASE(test_addresses_come_round),
		CASE(test_oneway_and_pipeline),
		CASE(test_many_in_one_write),
		CASE(test_long_request),
		CASE(test_slow_client),
		CASE(test_descriptors),
		CASE(test_ping),
		CASE(test_ping_ends),
		CASE(test_capture),
	};

	signal(SIGPIPE, SIG_IGN); /* as the network process does */
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
