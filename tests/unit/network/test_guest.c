/*
 * The guest server, driven by two supervisors that are the test: connect, accept, transfer, the
 * orderly end, half an end, reset, refusal, a backlog, names, and a supervisor that dies.
 */
#include "network/guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "../base/seed.h"
#include "network/host.h"
#include "rig.h"

#define PORT 80

struct pair {
	struct rig *rig;
	struct rig_session server, client;
	uint64_t listener;
	struct reeve_sockaddr listener_name;
	int listener_fd; /* the program's AF_UNIX listener, -1: none */
	char directory[32], path[48];
};

/* A connection of which both programs' ends are in the test's hands. */
struct connection {
	int client, server;
	uint64_t client_socket, server_socket;
};

static struct guest_message message(uint16_t type, uint64_t socket)
{
	return (struct guest_message){ .type = type, .socket = socket };
}

/* What the program listens on, as its supervisor makes it. */
static void open_listener(struct pair *p)
{
	struct guest_message m = message(GUEST_OPEN, p->listener);
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	snprintf(p->directory, sizeof(p->directory), "/tmp/reeve-test-XXXXXX");
	assert_non_null(mkdtemp(p->directory));
	snprintf(p->path, sizeof(p->path), "%s/1", p->directory);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", p->path);
	p->listener_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener_fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(p->listener_fd, 100), 0);
	rig_send(&p->server, &m, p->path, strlen(p->path) + 1, -1);
}

static void close_listener(struct pair *p)
{
	if (p->listener_fd < 0)
		return;
	close(p->listener_fd);
	p->listener_fd = -1;
	unlink(p->path);
	rmdir(p->directory);
}

static void listen_on(struct pair *p, int64_t backlog)
{
	struct guest_message m = message(GUEST_BIND, 1);

	p->listener = 1;
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = PORT };
	assert_int_equal(rig_call(&p->server, m).error, 0);
	m = message(GUEST_LISTEN, 1);
	m.value = backlog;
	m = rig_call(&p->server, m);
	assert_int_equal(m.error, 0);
	assert_int_equal(m.local.port, PORT);
	p->listener_name =
		(struct reeve_sockaddr){ .address = p->server.welcome.address, .port = PORT };
	open_listener(p);
}

static int set_up(void **state)
{
	static struct pair p;

	p.rig = rig_new();
	rig_join(p.rig, &p.server, "web");
	rig_join(p.rig, &p.client, "client");
	p.client.socket = 100;
	p.listener_fd = -1;
	*state = &p;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *p = *state;
	const struct reeve_pool *pool = p->rig->network.pool;
	struct reeve_pool_stats stats;

	close(p->server.fd);
	close(p->client.fd);
	rig_drop_descriptor(&p->server);
	rig_drop_descriptor(&p->client);
	close_listener(p);
	rig_settle(p->rig);
	while (host_count(&p->rig->network) > 0)
		assert_int_equal(loop_turn(p->rig->network.loop, -1), 0);
	/* What a frame under way to a host that has gone still holds, its port has freed. */
	reeve_pool_stats(pool, &stats);
	assert_int_equal(stats.buffers, 0);
	rig_free(p->rig);
	return 0;
}

static void start_connect(struct pair *p, uint64_t socket)
{
	struct guest_message m = message(GUEST_CONNECT, socket);

	m.request = ++p->client.request;
	m.remote = p->listener_name;
	rig_send(&p->client, &m, NULL, 0, -1);
}

static int attach(struct rig_session *s, uint64_t socket)
{
	struct guest_message m = message(GUEST_ATTACH, socket);
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	rig_send(s, &m, NULL, 0, ends[1]);
	close(ends[1]);
	return ends[0];
}

static struct connection connect_both(struct pair *p)
{
	struct connection c = { .client_socket = ++p->client.socket };
	struct guest_message m;

	start_connect(p, c.client_socket);
	m = rig_receive(&p->client, NULL, 0);
	assert_int_equal(m.type, GUEST_ANSWER);
	assert_int_equal(m.error, 0);
	assert_true(reeve_sockaddr_equal(&m.remote, &p->listener_name));
	assert_in_range(m.local.port, 49152, 65535);
	const struct reeve_sockaddr local = m.local;

	c.client = attach(&p->client, c.client_socket);
	m = rig_receive(&p->server, NULL, 0);
	assert_int_equal(m.type, GUEST_INCOMING_CONNECTION);
	assert_int_equal(m.value, p->listener);
	assert_true(m.socket & GUEST_INCOMING);
	assert_true(reeve_sockaddr_equal(&m.remote, &local));
	assert_true(reeve_sockaddr_equal(&m.local, &p->listener_name));
	c.server_socket = m.socket;
	/* The listener was ready before it was told of. */
	c.server = accept(p->listener_fd, NULL, NULL);
	assert_true(c.server >= 0);
	assert_true(p->server.received_fd >= 0);
	rig_drop_descriptor(&p->server);
	m = message(GUEST_ACCEPTED, c.server_socket);
	rig_send(&p->server, &m, NULL, 0, -1);
	return c;
}

static void expect(struct rig_session *s, uint16_t type, uint64_t socket, int error)
{
	const struct guest_message m = rig_receive(s, NULL, 0);

	assert_int_equal(m.type, type);
	assert_int_equal(m.socket, socket);
	assert_int_equal(m.error, error);
}

static void expect_bytes(struct rig *rig, int fd, const char *bytes)
{
	char got[64];
	size_t length = 0;

	while (length < strlen(bytes)) {
		const long n = rig_read(rig, fd, got + length, strlen(bytes) - length);

		assert_true(n > 0);
		length += (size_t)n;
	}
	assert_memory_equal(got, bytes, length);
}

static void test_transfer_and_close(void **state)
{
	struct pair *p = *state;
	struct connection c;
	char byte;

	listen_on(p, 10);
	c = connect_both(p);
	assert_true(rig_write(p->rig, c.client, "hello", 5));
	expect_bytes(p->rig, c.server, "hello");
	assert_true(rig_write(p->rig, c.server, "world", 5));
	expect_bytes(p->rig, c.client, "world");
	/* The client closes: the server reads the end, and only then closes its own. */
	close(c.client);
	assert_int_equal(rig_read(p->rig, c.server, &byte, 1), 0);
	expect(&p->client, GUEST_CLOSED, c.client_socket, 0);
	close(c.server);
	expect(&p->server, GUEST_CLOSED, c.server_socket, 0);
}

static void test_half_close(void **state)
{
	struct pair *p = *state;
	struct connection c;
	char byte;

	listen_on(p, 10);
	c = connect_both(p);
	assert_true(rig_write(p->rig, c.client, "question", 8));
	assert_int_equal(shutdown(c.client, SHUT_WR), 0);
	expect_bytes(p->rig, c.server, "question");
	assert_int_equal(rig_read(p->rig, c.server, &byte, 1), 0);
	/* The other direction goes on. */
	assert_true(rig_write(p->rig, c.server, "answer", 6));
	expect_bytes(p->rig, c.client, "answer");
	close(c.server);
	assert_int_equal(rig_read(p->rig, c.client, &byte, 1), 0);
	expect(&p->server, GUEST_CLOSED, c.server_socket, 0);
	close(c.client);
	expect(&p->client, GUEST_CLOSED, c.client_socket, 0);
}

/* Eight MiB at random, written and read in pieces of any size, arrive as they were. */
static void test_bulk(void **state)
{
	struct pair *p = *state;
	struct random random = seeded(4), again = seeded(4);
	static uint32_t out[16384], in[16384];
	struct connection c;
	size_t sent = 0, received = 0, out_at = sizeof(out);

	listen_on(p, 10);
	c = connect_both(p);
	while (received < 8u << 20) {
		ssize_t n;

		if (out_at == sizeof(out)) {
			for (size_t i = 0; i < 16384; i++)
				out[i] = random_u32(&random);
			out_at = 0;
		}
		n = send(c.client, (char *)out + out_at, sizeof(out) - out_at, MSG_DONTWAIT);
		if (n > 0) {
			out_at += (size_t)n;
			sent += (size_t)n;
		}
		n = recv(c.server, (char *)in + received % sizeof(in),
			 sizeof(in) - received % sizeof(in), MSG_DONTWAIT);
		if (n < 0) {
			assert_int_equal(loop_turn(p->rig->network.loop, -1), 0);
			continue;
		}
		received += (size_t)n;
		if (received % sizeof(in) == 0)
			for (size_t i = 0; i < 16384; i++)
				assert_int_equal(in[i], random_u32(&again));
	}
	assert_true(sent >= received);
	close(c.client);
	close(c.server);
}

/* A program that closes with data unread resets; the other reads what came, then the reset. */
static void test_unread_is_reset(void **state)
{
	struct pair *p = *state;
	struct connection c;

	listen_on(p, 10);
	c = connect_both(p);
	assert_true(rig_write(p->rig, c.client, "unread", 6));
	while (recv(c.server, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
		assert_int_equal(loop_turn(p->rig->network.loop, -1), 0);
	close(c.server);
	expect(&p->server, GUEST_CLOSED, c.server_socket, 0);
	expect(&p->client, GUEST_RESET, c.client_socket, ECONNRESET);
	close(c.client);
}

static void test_abort(void **state)
{
	struct pair *p = *state;
	struct guest_message m;
	struct connection c;
	char got[4];

	listen_on(p, 10);
	c = connect_both(p);
	/* What came before the reset is still there to be read. */
	assert_true(rig_write(p->rig, c.client, "last", 4));
	expect_bytes(p->rig, c.server, "last");
	m = message(GUEST_ABORT, c.client_socket);
	rig_send(&p->client, &m, NULL, 0, -1);
	expect(&p->server, GUEST_RESET, c.server_socket, ECONNRESET);
	assert_int_equal(rig_read(p->rig, c.server, got, sizeof(got)), 0);
	close(c.client);
	close(c.server);
}

static void test_linger_zero(void **state)
{
	struct pair *p = *state;
	struct guest_message m;
	struct connection c;

	listen_on(p, 10);
	c = connect_both(p);
	m = message(GUEST_SET, c.client_socket);
	m.value = GUEST_SETTING_LINGER;
	m.value2 = 0;
	assert_int_equal(rig_call(&p->client, m).error, 0);
	close(c.client);
	expect(&p->client, GUEST_CLOSED, c.client_socket, 0);
	expect(&p->server, GUEST_RESET, c.server_socket, ECONNRESET);
	close(c.server);
}

/* RFC 6093: one byte that stands out of the stream, at the program's end by AF_UNIX's own means. */
static void test_urgent(void **state)
{
	struct pair *p = *state;
	struct connection c;
	char byte = 0;

	listen_on(p, 10);
	c = connect_both(p);
	assert_true(rig_write(p->rig, c.client, "ab", 2));
	if (send(c.client, "!", 1, MSG_OOB) < 0) {
		assert_int_equal(errno, EOPNOTSUPP); /* before Linux 5.15 */
		skip();
	}
	assert_true(rig_write(p->rig, c.client, "cd", 2));
	while (recv(c.server, &byte, 1, MSG_OOB | MSG_DONTWAIT) < 0)
		assert_int_equal(loop_turn(p->rig->network.loop, -1), 0);
	assert_int_equal(byte, '!');
	expect_bytes(p->rig, c.server, "ab");
	expect_bytes(p->rig, c.server, "cd");
	close(c.client);
	close(c.server);
}

/* What came after the program's close, or before and was never read, is answered with a reset. */
static void test_data_after_close(void **state)
{
	struct pair *p = *state;
	struct connection c;

	listen_on(p, 10);
	c = connect_both(p);
	close(c.server);
	expect(&p->server, GUEST_CLOSED, c.server_socket, 0);
	assert_true(rig_write(p->rig, c.client, "late", 4));
	expect(&p->client, GUEST_RESET, c.client_socket, EPIPE);
	close(c.client);
}

/* Both directions, which the supervisor says before. */
static void shut_both(struct pair *p, const struct connection *c)
{
	struct guest_message m = message(GUEST_SHUT, c->client_socket);
	char byte;

	m.value2 = true;
	rig_send(&p->client, &m, NULL, 0, -1);
	assert_int_equal(shutdown(c->client, SHUT_RDWR), 0);
	assert_int_equal(rig_read(p->rig, c->server, &byte, 1), 0);
}

static enum reeve_tcp_state state_of(struct pair *p, uint64_t socket)
{
	struct guest_message m = message(GUEST_GET, socket);
	struct reeve_tcp_info info = { 0 };

	m.request = 77;
	m.value = GUEST_SETTING_TCP_INFO;
	rig_send(&p->client, &m, NULL, 0, -1);
	m = rig_receive(&p->client, &info, sizeof(info));
	assert_int_equal(m.type, GUEST_ANSWER);
	return info.state;
}

/* It lives until its supervisor says that the program has closed; */
static void test_shut_both(void **state)
{
	struct pair *p = *state;
	struct guest_message m;
	struct connection c;

	listen_on(p, 10);
	c = connect_both(p);
	shut_both(p, &c);
	assert_int_equal(state_of(p, c.client_socket), REEVE_TCP_FIN_WAIT_2);
	close(c.client);
	assert_int_equal(state_of(p, c.client_socket), REEVE_TCP_FIN_WAIT_2);
	m = message(GUEST_CLOSE, c.client_socket);
	rig_send(&p->client, &m, NULL, 0, -1);
	expect(&p->client, GUEST_CLOSED, c.client_socket, 0);
	close(c.server);
	expect(&p->server, GUEST_CLOSED, c.server_socket, 0);
}

/* or the peer ends, too; */
static void test_shut_both_and_ended(void **state)
{
	struct pair *p = *state;
	struct connection c;

	listen_on(p, 10);
	c = connect_both(p);
	shut_both(p, &c);
	close(c.server);
	expect(&p->server, GUEST_CLOSED, c.server_socket, 0);
	expect(&p->client, GUEST_CLOSED, c.client_socket, 0);
	close(c.client);
}

/* or it sends. */
static void test_data_after_shut_both(void **state)
{
	struct pair *p = *state;
	struct connection c;

	listen_on(p, 10);
	c = connect_both(p);
	shut_both(p, &c);
	assert_true(rig_write(p->rig, c.server, "late", 4));
	expect(&p->client, GUEST_RESET, c.client_socket, ECONNRESET);
	expect(&p->server, GUEST_RESET, c.server_socket, EPIPE);
	close(c.client);
	close(c.server);
}

static void test_refused(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_CONNECT, 200);

	m.remote = (struct reeve_sockaddr){ .address = p->server.welcome.address, .port = PORT };
	assert_int_equal(rig_call(&p->client, m).error, ECONNREFUSED);
	/* The same socket may try again. */
	listen_on(p, 10);
	assert_int_equal(rig_call(&p->client, m).error, 0);
	m = message(GUEST_CLOSE, 200);
	rig_send(&p->client, &m, NULL, 0, -1);
}

/* To the outside the gateway says that there is no way. */
static void test_outside(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_CONNECT, 200);

	m.remote.port = 443;
	assert_int_equal(reeve_address_parse("192.0.2.1", &m.remote.address), 0);
	assert_int_equal(rig_call(&p->client, m).error, ENETUNREACH);
}

static void test_well_known_is_granted(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_BIND, 5);

	host_by_name(&p->rig->network, "web")->well_known = PORT_WELL_KNOWN_GRANTED;
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = PORT };
	assert_int_equal(rig_call(&p->server, m).error, EACCES);
	m.local.port = 1024;
	assert_int_equal(rig_call(&p->server, m).error, 0);
}

static void test_bind_conflict(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_BIND, 77);

	listen_on(p, 10);
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = PORT };
	assert_int_equal(rig_call(&p->server, m).error, EADDRINUSE);
	/* Another host has all its ports to itself. */
	assert_int_equal(rig_call(&p->client, m).error, 0);
	/* A number of one session is nothing in another. */
	m = message(GUEST_LISTEN, 1);
	m.value = 5;
	m = rig_call(&p->client, m);
	assert_int_equal(m.error, 0);
	assert_in_range(m.local.port, 49152, 65535);
}

/* Connections that the program has not accepted are counted; the rest wait. */
static void test_backlog(void **state)
{
	struct pair *p = *state;
	struct guest_message m, incoming[3];

	listen_on(p, 1);
	for (uint64_t i = 0; i < 3; i++) {
		start_connect(p, 300 + i);
		m = rig_receive(&p->client, NULL, 0);
		assert_int_equal(m.error, 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		incoming[i] = rig_receive(&p->server, NULL, 0);
		assert_int_equal(incoming[i].type, GUEST_INCOMING_CONNECTION);
	}
	rig_settle(p->rig);
	assert_int_equal(p->server.at, p->server.length);
	assert_int_equal(recv(p->server.fd, &m, sizeof(m), MSG_DONTWAIT), -1);
	m = message(GUEST_ACCEPTED, incoming[0].socket);
	rig_send(&p->server, &m, NULL, 0, -1);
	incoming[2] = rig_receive(&p->server, NULL, 0);
	assert_int_equal(incoming[2].type, GUEST_INCOMING_CONNECTION);
	for (unsigned i = 0; i < 3; i++) {
		m = message(GUEST_CLOSE, incoming[i].socket);
		rig_send(&p->server, &m, NULL, 0, -1);
		m = message(GUEST_CLOSE, 300 + i);
		rig_send(&p->client, &m, NULL, 0, -1);
	}
}

static void connect_directly(struct pair *p, uint64_t socket)
{
	struct guest_message m = message(GUEST_CONNECT, socket);

	m.request = ++p->client.request;
	m.flags = GUEST_DIRECT;
	m.remote = (struct reeve_sockaddr){ .address = reeve_loopback_ipv4, .port = PORT };
	rig_send(&p->client, &m, NULL, 0, -1);
}

/* Both sides are told who the other is, and where to meet; the ports are taken until they say that
 * the programs have closed. */
static void test_direct(void **state)
{
	struct pair *p = *state;
	char file[64] = "";
	struct guest_message m, incoming;

	close(p->server.fd);
	close(p->client.fd);
	rig_join_direct(p->rig, &p->server, "web");
	rig_join_direct(p->rig, &p->client, "web");
	listen_on(p, 10);
	connect_directly(p, 300);
	incoming = rig_receive(&p->server, NULL, 0);
	assert_int_equal(incoming.type, GUEST_INCOMING_CONNECTION);
	assert_int_equal(incoming.flags, GUEST_DIRECT);
	assert_int_equal(p->server.received_fd, -1);
	m = rig_receive(&p->client, file, sizeof(file));
	assert_int_equal(m.type, GUEST_ANSWER);
	assert_int_equal(m.error, 0);
	assert_int_equal(m.flags, GUEST_DIRECT);
	assert_string_equal(file, p->path);
	assert_true(reeve_sockaddr_equal(&m.local, &incoming.remote));
	/* Never joined: the other side may forget it. */
	m = message(GUEST_ABORT, 300);
	rig_send(&p->client, &m, NULL, 0, -1);
	expect(&p->server, GUEST_RESET, incoming.socket, ECONNRESET);
	m = message(GUEST_CLOSE, incoming.socket);
	rig_send(&p->server, &m, NULL, 0, -1);
	/* Joined and closed: nobody is told anything. */
	connect_directly(p, 301);
	incoming = rig_receive(&p->server, NULL, 0);
	assert_int_equal(rig_receive(&p->client, file, sizeof(file)).error, 0);
	m = message(GUEST_CLOSE, 301);
	rig_send(&p->client, &m, NULL, 0, -1);
	rig_settle(p->rig);
	assert_int_equal(recv(p->server.fd, &m, sizeof(m), MSG_DONTWAIT), -1);
	m = message(GUEST_CLOSE, incoming.socket);
	rig_send(&p->server, &m, NULL, 0, -1);
}

/* Where only one side wants it, where there is no listener, and where the backlog is full. */
static void test_not_direct(void **state)
{
	struct pair *p = *state;
	struct guest_message m;

	close(p->client.fd);
	rig_join_direct(p->rig, &p->client, "web");
	connect_directly(p, 300);
	expect(&p->client, GUEST_ANSWER, 300, ECONNREFUSED);
	listen_on(p, 0);
	for (uint64_t i = 301; i < 303; i++) {
		connect_directly(p, i);
		expect(&p->client, GUEST_EXACT, i, 0);
		m = rig_receive(&p->client, NULL, 0);
		assert_int_equal(m.type, GUEST_ANSWER);
		assert_int_equal(m.error, 0);
		assert_int_equal(m.flags, 0);
	}
	connect_directly(p, 303);
	expect(&p->client, GUEST_EXACT, 303, 0);
	for (uint64_t i = 301; i < 304; i++) {
		m = message(GUEST_ABORT, i);
		rig_send(&p->client, &m, NULL, 0, -1);
	}
}

/* A listener whose last holder is gone refuses, is named to the supervisor, and has given up its
 * port, whatever its supervisor does about it. */
static void test_closed_listener(void **state)
{
	struct pair *p = *state;
	struct guest_message m;

	listen_on(p, 10);
	close_listener(p);
	start_connect(p, 300);
	expect(&p->client, GUEST_ANSWER, 300, ECONNREFUSED);
	expect(&p->server, GUEST_STALE, p->listener, 0);
	m = message(GUEST_BIND, 2);
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = PORT };
	assert_int_equal(rig_call(&p->server, m).error, 0);
	m = message(GUEST_CLOSE, p->listener);
	rig_send(&p->server, &m, NULL, 0, -1);
	start_connect(p, 300);
	expect(&p->client, GUEST_ANSWER, 300, ECONNREFUSED);
}

/* Its supervisor is quicker: there is no file any more when it is asked. And the program itself may
 * be who connects. */
static void test_forgotten_listener(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_CONNECT, 2);

	listen_on(p, 10);
	assert_int_equal(unlink(p->path), 0);
	m.remote = (struct reeve_sockaddr){ .address = reeve_loopback_ipv4, .port = PORT };
	m.request = ++p->server.request;
	rig_send(&p->server, &m, NULL, 0, -1);
	expect(&p->server, GUEST_STALE, p->listener, 0);
	expect(&p->server, GUEST_ANSWER, 2, ECONNREFUSED);
}

/* One that is not open yet lets those who come wait. */
static void test_listener_opens_late(void **state)
{
	struct pair *p = *state;
	struct guest_message m = rig_call(&p->server, message(GUEST_LISTEN, 1));

	assert_int_equal(m.error, 0);
	p->listener = 1;
	p->listener_name = (struct reeve_sockaddr){ p->server.welcome.address, m.local.port, 0 };
	start_connect(p, 300);
	expect(&p->client, GUEST_ANSWER, 300, 0);
	open_listener(p);
	expect(&p->server, GUEST_INCOMING_CONNECTION, GUEST_INCOMING, 0);
	m = message(GUEST_CLOSE, 300);
	rig_send(&p->client, &m, NULL, 0, -1);
}

/* What waited for room at a listener that is closed then sees a reset. */
static void test_stale_listener(void **state)
{
	struct pair *p = *state;
	struct guest_message m, incoming;
	int accepted;

	listen_on(p, 0);
	for (uint64_t i = 300; i < 302; i++) {
		start_connect(p, i);
		expect(&p->client, GUEST_ANSWER, i, 0);
	}
	incoming = rig_receive(&p->server, NULL, 0);
	assert_int_equal(incoming.type, GUEST_INCOMING_CONNECTION);
	assert_true(attach(&p->client, 301) >= 0);
	accepted = accept(p->listener_fd, NULL, NULL);
	assert_true(accepted >= 0);
	close_listener(p);
	m = message(GUEST_ACCEPTED, incoming.socket);
	rig_send(&p->server, &m, NULL, 0, -1);
	expect(&p->server, GUEST_STALE, p->listener, 0);
	expect(&p->client, GUEST_RESET, 301, ECONNRESET);
	close(accepted);
	expect(&p->server, GUEST_CLOSED, incoming.socket, 0);
}

/* What nobody waits for goes in front of what somebody does, in one datagram. */
static void test_parcel(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_BIND, 7);
	struct guest_message both[2] = { message(GUEST_CLOSE, 5), message(GUEST_CLOSE, 6) };
	struct connection c;

	listen_on(p, 10);
	c = connect_both(p);
	close(c.client);
	assert_int_equal(rig_read(p->rig, c.server, &(char){ 0 }, 1), 0);
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = 1000 };
	m.request = ++p->client.request;
	rig_send(&p->client, &m, NULL, 0, -1);
	m = rig_receive(&p->client, NULL, 0);
	assert_int_equal(m.type, GUEST_CLOSED);
	assert_int_equal(p->client.length, 2 * sizeof(m));
	assert_int_equal(rig_receive(&p->client, NULL, 0).type, GUEST_ANSWER);
	close(c.server);
	expect(&p->server, GUEST_CLOSED, c.server_socket, 0);
	/* The same the other way; and half a message is none. */
	assert_int_equal(send(p->server.fd, both, sizeof(both), 0), sizeof(both));
	m = message(GUEST_INTERFACES, 0);
	assert_int_equal(rig_call(&p->server, m).type, GUEST_ANSWER);
	assert_int_equal(send(p->server.fd, both, sizeof(both) - 1, 0), sizeof(both) - 1);
	assert_int_equal(rig_read(p->rig, p->server.fd, &(char){ 0 }, 1), 0);
}

/* The supervisor's end is the end of all it had: peers see a reset, the port is free again. */
static void test_supervisor_dies(void **state)
{
	struct pair *p = *state;
	struct guest_message m;
	struct connection c;

	listen_on(p, 10);
	c = connect_both(p);
	close(p->server.fd);
	expect(&p->client, GUEST_RESET, c.client_socket, ECONNRESET);
	close(c.server);
	close(c.client);
	rig_join(p->rig, &p->server, "web");
	m = message(GUEST_BIND, 1);
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = PORT };
	assert_int_equal(rig_call(&p->server, m).error, 0);
}

/* Unlike that, a tree that ends in order has had its say: all that its programs wrote arrives, and
 * then the end; even if nothing of it had been read when the supervisor went. */
static void test_tree_ends(void **state)
{
	struct pair *p = *state;
	struct guest_message done = message(GUEST_DONE, 0);
	static char bytes[65536];
	struct connection c;
	size_t sent = 0, received = 0;
	ssize_t n;

	listen_on(p, 10);
	c = connect_both(p);
	while ((n = send(c.client, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		sent += (size_t)n;
	close(c.client);
	rig_send(&p->client, &done, NULL, 0, -1);
	close(p->client.fd);
	while ((n = rig_read(p->rig, c.server, bytes, sizeof(bytes))) > 0)
		received += (size_t)n;
	assert_int_equal(n, 0);
	assert_true(received > 0);
	assert_int_equal(received, sent);
	close(c.server);
	expect(&p->server, GUEST_CLOSED, c.server_socket, 0);
	rig_join(p->rig, &p->client, "client");
}

static void test_interfaces(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_INTERFACES, 0);
	struct guest_interface list[4];

	m.request = ++p->client.request;
	rig_send(&p->client, &m, NULL, 0, -1);
	m = rig_receive(&p->client, list, sizeof(list));
	assert_int_equal(m.data_length, 2 * sizeof(list[0]));
	assert_string_equal(list[0].name, "lo");
	assert_true(list[0].loopback);
	assert_string_equal(list[1].name, "eth0");
	assert_true(reeve_address_equal(&list[1].addresses[0].address, &p->client.welcome.address));
	assert_int_equal(list[1].addresses[0].length, 16);
}

/* An end that did not come along, as with descriptors run out: an error, and nothing that hangs. */
static void test_attach_without_end(void **state)
{
	struct pair *p = *state;
	struct guest_message m;

	listen_on(p, 10);
	start_connect(p, 300);
	m = rig_receive(&p->client, NULL, 0);
	assert_int_equal(m.error, 0);
	m = message(GUEST_ATTACH, 300);
	rig_send(&p->client, &m, NULL, 0, -1);
	expect(&p->client, GUEST_RESET, 300, ENFILE);
}

/* A message that is none ends the session, and only that. */
static void test_nonsense(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(200, 1);
	char byte;

	rig_send(&p->client, &m, NULL, 0, -1);
	assert_int_equal(rig_read(p->rig, p->client.fd, &byte, 1), 0);
	m = message(GUEST_INTERFACES, 0);
	assert_int_equal(send(p->server.fd, &m, sizeof(m) - 1, 0), (long)sizeof(m) - 1);
	assert_int_equal(rig_read(p->rig, p->server.fd, &byte, 1), 0);
	assert_int_equal(guest_session_count(p->rig->network.guests), 0);
}

static void test_hello_refused(void **state)
{
	struct pair *p = *state;
	struct guest_message m = { .type = GUEST_HELLO };
	struct guest_hello h = { .version = GUEST_PROTOCOL_VERSION + 1 };
	struct rig_session s = { .rig = p->rig };
	char text[GUEST_ERROR_TEXT];

	for (unsigned i = 0; i < 3; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		assert_int_equal(guest_adopt(p->rig->network.guests, pair[1]), 0);
		s.fd = pair[0];
		if (i > 0)
			h.version = GUEST_PROTOCOL_VERSION;
		snprintf(h.host, sizeof(h.host), "%s", i == 1 ? "not_a_name" : "web");
		assert_int_equal(reeve_address_parse("198.18.9.9", &h.address), 0);
		rig_send(&s, &m, &h, sizeof(h), -1);
		m = rig_receive(&s, text, sizeof(text));
		assert_int_equal(m.type, GUEST_REFUSED);
		assert_true(m.error > 0);
		assert_non_null(memchr(text, 0, sizeof(text)));
		assert_true(strlen(text) > 0);
		m = (struct guest_message){ .type = GUEST_HELLO };
		close(s.fd);
	}
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_transfer_and_close),
		CASE(test_half_close),
		CASE(test_bulk),
		CASE(test_unread_is_reset),
		CASE(test_abort),
		CASE(test_linger_zero),
		CASE(test_urgent),
		CASE(test_data_after_close),
		CASE(test_shut_both),
		CASE(test_shut_both_and_ended),
		CASE(test_data_after_shut_both),
		CASE(test_refused),
		CASE(test_outside),
		CASE(test_well_known_is_granted),
		CASE(test_bind_conflict),
		CASE(test_backlog),
		CASE(test_direct),
		CASE(test_not_direct),
		CASE(test_closed_listener),
		CASE(test_forgotten_listener),
		CASE(test_listener_opens_late),
		CASE(test_stale_listener),
		CASE(test_parcel),
		CASE(test_supervisor_dies),
		CASE(test_tree_ends),
		CASE(test_interfaces),
		CASE(test_attach_without_end),
		CASE(test_nonsense),
		CASE(test_hello_refused),
	};

	return cmocka_run_group_tests_name("guest", tests, NULL, NULL);
}
