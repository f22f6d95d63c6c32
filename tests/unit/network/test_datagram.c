/* The guest server's UDP sockets, driven by two supervisors that are the test. */
#include "network/guest.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "network/host.h"
#include "rig.h"

struct pair {
	struct rig *rig;
	struct rig_session server, client;
};

static struct guest_message message(uint16_t type, uint64_t socket)
{
	return (struct guest_message){ .type = type, .socket = socket };
}

static int set_up(void **state)
{
	static struct pair p;

	p.rig = rig_new();
	rig_join(p.rig, &p.server, "web");
	rig_join(p.rig, &p.client, "client");
	*state = &p;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	close(p->server.fd);
	close(p->client.fd);
	rig_drop_descriptor(&p->server);
	rig_drop_descriptor(&p->client);
	rig_settle(p->rig);
	while (host_count(&p->rig->network) > 0)
		assert_int_equal(loop_turn(p->rig->network.loop, -1), 0);
	rig_free(p->rig);
	return 0;
}

static void expect(struct rig_session *s, uint16_t type, uint64_t socket, int error)
{
	const struct guest_message m = rig_receive(s, NULL, 0);

	assert_int_equal(m.type, type);
	assert_int_equal(m.socket, socket);
	assert_int_equal(m.error, error);
}

static int attach_datagram(struct rig_session *s, uint64_t socket)
{
	struct guest_message m = message(GUEST_ATTACH, socket);
	int ends[2];

	const struct sockaddr unnamed = { .sa_family = AF_UNIX };

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	assert_int_equal(bind(ends[0], &unnamed, sizeof(unnamed.sa_family)), 0);
	rig_send(s, &m, NULL, 0, ends[1]);
	close(ends[1]);
	return ends[0];
}

static void answer_to(struct rig_session *s, const struct reeve_sockaddr *to)
{
	struct guest_message m = message(GUEST_SEND, 9);

	m.request = ++s->request;
	m.remote = *to;
	rig_send(s, &m, "pong", 4, -1);
	m = rig_receive(s, NULL, 0);
	assert_int_equal(m.type, GUEST_ANSWER);
	assert_int_equal(m.error, 0);
}

/* A dead server: the program's end fails, keeps what it has, and goes on. */
static void test_error_is_seen(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_CONNECT, 9);
	char got[16];

	m.flags = GUEST_UDP;
	m.remote = (struct reeve_sockaddr){ .address = p->server.welcome.address, .port = 5001 };
	assert_int_equal(rig_call(&p->client, m).error, 0);
	const int client = attach_datagram(&p->client, 9);
	struct pollfd poll_client = { .fd = client, .events = POLLIN | POLLOUT };

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(send(client, "ping", 4, 0), 4);
		expect(&p->client, GUEST_SOCKET_ERROR, 9, ECONNREFUSED);
		assert_int_equal(poll(&poll_client, 1, 0), 1);
		assert_int_equal(poll_client.revents, POLLOUT | POLLERR);
		assert_int_equal(recv(client, got, sizeof(got), MSG_DONTWAIT), -1);
		assert_int_equal(errno, ECONNRESET);
		assert_int_equal(recv(client, got, sizeof(got), MSG_DONTWAIT), -1);
		assert_int_equal(errno, EAGAIN);
	}
	close(client);
}

static void test_datagrams(void **state)
{
	struct pair *p = *state;
	struct guest_message m = message(GUEST_BIND, 9);
	struct guest_arrival arrival;
	char got[16];
	int server, client;

	m.flags = GUEST_UDP;
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = 5000 };
	assert_int_equal(rig_call(&p->server, m).error, 0);
	server = attach_datagram(&p->server, 9);
	m = message(GUEST_CONNECT, 9);
	m.flags = GUEST_UDP;
	m.remote = (struct reeve_sockaddr){ .address = p->server.welcome.address, .port = 5000 };
	m = rig_call(&p->client, m);
	assert_int_equal(m.error, 0);
	const struct reeve_sockaddr client_name = m.local;

	client = attach_datagram(&p->client, 9);
	/* An empty one, and one with bytes; their names come beside them. */
	assert_int_equal(send(client, "", 0, 0), 0);
	assert_int_equal(send(client, "ping", 4, 0), 4);
	for (unsigned i = 0; i < 2; i++) {
		m = rig_receive(&p->server, NULL, 0);
		assert_int_equal(m.type, GUEST_DATAGRAM);
		memcpy(&arrival, &m.value, sizeof(arrival));
		assert_int_equal(arrival.length, i ? 4 : 0);
		assert_true(arrival.charge > 0);
		assert_true(reeve_sockaddr_equal(&m.remote, &client_name));
		assert_int_equal(m.local.port, 5000);
		assert_int_equal(recv(server, got, sizeof(got), MSG_DONTWAIT), i ? 4 : 0);
	}
	/* Answered with a name. */
	answer_to(&p->server, &client_name);
	m = rig_receive(&p->client, NULL, 0);
	assert_int_equal(m.type, GUEST_DATAGRAM);
	assert_int_equal(recv(client, got, sizeof(got), MSG_DONTWAIT), 4);
	/* That it is closed is found by the next datagram. */
	close(client);
	answer_to(&p->server, &client_name);
	expect(&p->client, GUEST_CLOSED, 9, 0);
	close(server);
}

static int bind_here(struct rig_session *s, uint64_t socket, uint16_t port)
{
	struct guest_message m = message(GUEST_BIND, socket);

	m.flags = GUEST_UDP;
	m.local = (struct reeve_sockaddr){ .address = reeve_loopback_ipv4, .port = port };
	assert_int_equal(rig_call(s, m).error, 0);
	return attach_datagram(s, socket);
}

/* Each sendto() of one turn returns when its datagram is there, whatever else is said in it. */
static void test_there_when_answered(void **state)
{
	struct pair *p = *state;
	struct rig_session *s = &p->server;
	const int ends[2] = { bind_here(s, 1, 5001), bind_here(s, 2, 5002) };
	unsigned answers = 0;
	char got[16];

	rig_settle(p->rig);
	for (uint16_t i = 0; i < 2; i++) {
		struct guest_message m = message(GUEST_SEND, 3u + i);

		m.flags = GUEST_UDP;
		m.request = ++s->request;
		m.remote = (struct reeve_sockaddr){ .address = reeve_loopback_ipv4,
						    .port = (uint16_t)(5001 + i) };
		rig_send(s, &m, "ping", 4, -1);
	}
	for (unsigned i = 0; i < 4; i++) {
		const struct guest_message m = rig_receive(s, NULL, 0);

		assert_int_equal(m.type, i < 2 ? GUEST_DATAGRAM : GUEST_ANSWER);
		assert_int_equal(m.error, m.type == GUEST_DATAGRAM ? 1 : 0); /* by `lo` */
		answers += m.type == GUEST_ANSWER;
	}
	assert_int_equal(answers, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(recv(ends[i], got, sizeof(got), MSG_DONTWAIT), 4);
		close(ends[i]);
	}
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_datagrams),
		CASE(test_error_is_seen),
		CASE(test_there_when_answered),
	};

	return cmocka_run_group_tests_name("datagram", tests, NULL, NULL);
}
