/*
 * How connections of programs end: in order, by half, both ways at once, by a reset, with what is
 * unread, and with their supervisor.
 */
#include "network/guest.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "network/host.h"
#include "pair.h"

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

/* or that its whole tree has ended, which is left to the stack as if it had; */
static void test_shut_both_in_a_tree_that_ends(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_DONE, 0);
	struct connection c;

	listen_on(p, 10);
	c = connect_both(p);
	shut_both(p, &c);
	rig_send(&p->client, &m, NULL, 0, -1);
	close(c.client);
	close(p->client.fd);
	rig_settle(p->rig);
	assert_int_equal(host_by_name(&p->rig->network, "client")->programs, 0);
	close(c.server);
	expect(&p->server, GUEST_CLOSED, c.server_socket, 0);
	rig_join(p->rig, &p->client, "client");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_CASE(test_transfer_and_close),  PAIR_CASE(test_half_close),
		PAIR_CASE(test_unread_is_reset),     PAIR_CASE(test_abort),
		PAIR_CASE(test_linger_zero),         PAIR_CASE(test_data_after_close),
		PAIR_CASE(test_shut_both),           PAIR_CASE(test_shut_both_in_a_tree_that_ends),
		PAIR_CASE(test_shut_both_and_ended), PAIR_CASE(test_data_after_shut_both),
		PAIR_CASE(test_supervisor_dies),     PAIR_CASE(test_tree_ends),
	};

	return cmocka_run_group_tests_name("ends", tests, NULL, NULL);
}
