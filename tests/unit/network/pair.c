#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "network/host.h"

void open_listener(struct pair *p)
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

void close_listener(struct pair *p)
{
	if (p->listener_fd < 0)
		return;
	close(p->listener_fd);
	p->listener_fd = -1;
	unlink(p->path);
	rmdir(p->directory);
}

void listen_on(struct pair *p, int64_t backlog)
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

int pair_set_up(void **state)
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

int pair_tear_down(void **state)
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

void start_connect(struct pair *p, uint64_t socket)
{
	struct guest_message m = message(GUEST_CONNECT, socket);

	m.request = ++p->client.request;
	m.remote = p->listener_name;
	rig_send(&p->client, &m, NULL, 0, -1);
}

int attach(struct rig_session *s, uint64_t socket)
{
	struct guest_message m = message(GUEST_ATTACH, socket);
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	rig_send(s, &m, NULL, 0, ends[1]);
	close(ends[1]);
	return ends[0];
}

struct connection connect_both(struct pair *p)
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

void expect(struct rig_session *s, uint16_t type, uint64_t socket, int error)
{
	const struct guest_message m = rig_receive(s, NULL, 0);

	assert_int_equal(m.type, type);
	assert_int_equal(m.socket, socket);
	assert_int_equal(m.error, error);
}

void expect_bytes(struct rig *rig, int fd, const char *bytes)
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
