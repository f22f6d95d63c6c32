/*
 * The guest server, driven by two supervisors that are the test: connect, accept, transfer, refusal, a
 * backlog, names, listeners that come and go, and what is nonsense.
 */
#include "network/guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "../base/seed.h"
#include "network/host.h"
#include "pair.h"

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

struct counted_look {
	struct guest_look look;
	unsigned done;
};

static void count_done(struct guest_look *look)
{
	container_of(look, struct counted_look, look)->done++;
}

/* By a look for which nobody is asked: what was over before has been told then. */
static void pass_a_tick(struct pair *p)
{
	struct network *n = &p->rig->network;
	struct counted_look nobody = { .done = 0 };

	guest_look_begin(n->guests, &nobody.look, host_by_name(n, "gateway"), count_done);
	while (nobody.done == 0)
		assert_int_equal(loop_turn(n->loop, -1), 0);
}

static struct guest_message find_listener(struct pair *p, int64_t ports, struct guest_found *ret)
{
	struct guest_message m = message(GUEST_FIND, 300);

	m.request = ++p->client.request;
	m.value = ports;
	m.remote = (struct reeve_sockaddr){ .address = reeve_loopback_ipv4, .port = PORT };
	rig_send(&p->client, &m, NULL, 0, -1);
	return rig_receive(&p->client, ret, sizeof(*ret));
}

static void join_both_directly(struct pair *p)
{
	close(p->server.fd);
	close(p->client.fd);
	rig_join_direct(p->rig, &p->server, "web");
	rig_join_direct(p->rig, &p->client, "web");
}

/* Where the listener is, and ports that are nobody else's. */
static void test_direct(void **state)
{
	struct pair *p = *state;
	struct guest_found first, second;
	struct guest_message m;

	join_both_directly(p);
	listen_on(p, 10);
	pass_a_tick(p);
	assert_int_equal(find_listener(p, 3, &first).error, 0);
	assert_string_equal(first.file, p->path);
	assert_int_equal(first.count, 3);
	assert_true(reeve_address_equal(&first.source, &reeve_loopback_ipv4));
	assert_int_equal(find_listener(p, GUEST_PORTS_MAX + 1, &second).error, 0);
	assert_int_equal(second.count, GUEST_PORTS_MAX);
	for (unsigned i = 0; i < second.count; i++)
		for (unsigned k = 0; k < first.count; k++)
			assert_int_not_equal(second.ports[i], first.ports[k]);
	/* A server may have one all the same, where it may have one that is connected. */
	m = message(GUEST_BIND, 400);
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = first.ports[0] };
	assert_int_equal(rig_call(&p->server, m).error, EADDRINUSE);
	m = message(GUEST_BIND, 401);
	m.flags = GUEST_REUSE_ADDRESS;
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = first.ports[0] };
	assert_int_equal(rig_call(&p->server, m).error, 0);
	/* Or when it is given back; what was not given cannot be. */
	const uint16_t back[] = { first.ports[1], first.ports[1], 1, PORT };

	m = message(GUEST_RETURN, 0);
	rig_send(&p->client, &m, back, sizeof(back) - 1, -1);
	rig_settle(p->rig);
	m = message(GUEST_BIND, 403);
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = first.ports[1] };
	assert_int_equal(rig_call(&p->server, m).error, 0);
	/* Until whoever has them goes. */
	close(p->client.fd);
	rig_settle(p->rig);
	m = message(GUEST_BIND, 402);
	m.local = (struct reeve_sockaddr){ .address = reeve_any_ipv4, .port = first.ports[2] };
	assert_int_equal(rig_call(&p->server, m).error, 0);
	rig_join_direct(p->rig, &p->client, "web");
}

/* One supervisor is not given all the ports that there are. */
static void test_direct_ports_end(void **state)
{
	struct pair *p = *state;
	struct guest_found found;
	unsigned count = 0;

	join_both_directly(p);
	listen_on(p, 10);
	pass_a_tick(p);
	do {
		assert_int_equal(find_listener(p, GUEST_PORTS_MAX, &found).error, 0);
		count += found.count;
	} while (found.count > 0);
	assert_int_equal(count, 4096);
}

/* What was said is taken back whenever it may be otherwise, once. */
static void test_direct_changes(void **state)
{
	struct pair *p = *state;
	struct guest_found found;
	struct guest_message m;

	join_both_directly(p);
	assert_int_equal(find_listener(p, 1, &found).error, ENOENT);
	listen_on(p, 10);
	expect(&p->client, GUEST_FORGET, 0, 0);
	pass_a_tick(p); /* and what else was changed by then */
	assert_int_equal(find_listener(p, 1, &found).error, 0);
	m = message(GUEST_SET, p->listener);
	m.value = REEVE_TCP_DEFER_ACCEPT_S;
	m.value2 = 10;
	assert_int_equal(rig_call(&p->server, m).error, 0);
	expect(&p->client, GUEST_FORGET, 0, 0);
	pass_a_tick(p); /* and what else was changed by then */
	assert_int_equal(find_listener(p, 1, &found).error, ENOENT);
	m.value2 = 0;
	assert_int_equal(rig_call(&p->server, m).error, 0);
	expect(&p->client, GUEST_FORGET, 0, 0);
	pass_a_tick(p); /* and what else was changed by then */
	assert_int_equal(find_listener(p, 1, &found).error, 0);
	m = message(GUEST_CLOSE, p->listener);
	rig_send(&p->server, &m, NULL, 0, -1);
	expect(&p->client, GUEST_FORGET, 0, 0);
	pass_a_tick(p); /* and what else was changed by then */
	assert_int_equal(find_listener(p, 1, &found).error, ENOENT);
}

/* Where only one side wants it. */
static void test_not_direct(void **state)
{
	struct pair *p = *state;
	struct guest_found found;

	listen_on(p, 10);
	assert_int_equal(find_listener(p, 1, &found).error, ENOENT);
	close(p->client.fd);
	rig_join_direct(p->rig, &p->client, "web");
	assert_int_equal(find_listener(p, 1, &found).error, ENOENT);
}

static int vouch(struct rig_session *s, uint32_t pid)
{
	struct guest_message m = message(GUEST_VOUCH, 1);

	m.value = pid;
	return rig_call(s, m).error;
}

/* For the supervisors of the host, those that have gone too: what they joined may not be accepted yet. */
static void test_vouch(void **state)
{
	struct pair *p = *state;
	struct rig_session other;

	rig_join_direct(p->rig, &other, "web");
	const int known = vouch(&p->server, RIG_DIRECT_SUPERVISOR), unknown = vouch(&p->server, 1),
		  nobody = vouch(&p->server, 0),
		  of_other_host = vouch(&p->client, RIG_DIRECT_SUPERVISOR);

	close(other.fd);
	rig_settle(p->rig);
	assert_int_equal(known, 0);
	assert_int_equal(unknown, EPERM);
	assert_int_equal(nobody, EPERM);
	assert_int_equal(of_other_host, EPERM);
	assert_int_equal(vouch(&p->server, RIG_DIRECT_SUPERVISOR), 0);
}

/* That all sessions end does not have one of them end by another. */
static void test_all_end(void **state)
{
	struct pair *p = *state;
	struct guest_found found;
	struct rig_session more;

	join_both_directly(p);
	rig_join_direct(p->rig, &more, "web");
	listen_on(p, 10);
	pass_a_tick(p);
	(void)find_listener(p, 1, &found);
	/* It can't be told any more that the listener goes. */
	close(p->client.fd);
	guest_end_all(p->rig->network.guests);
	assert_int_equal(guest_session_count(p->rig->network.guests), 0);
	rig_settle(p->rig);
	close(p->server.fd);
	close(more.fd);
	rig_join(p->rig, &p->server, "web");
	rig_join(p->rig, &p->client, "client");
}

/* A connection that is told is listed until it is closed, and nothing else can be done with it. */
static void test_joined(void **state)
{
	struct pair *p = *state;
	const struct network_host *host;
	struct reeve_socket_info info;
	struct guest_message m = message(GUEST_JOINED, 500);

	join_both_directly(p);
	host = host_by_name(&p->rig->network, "web");
	m.local = (struct reeve_sockaddr){ .address = reeve_loopback_ipv4, .port = 40000 };
	m.remote = (struct reeve_sockaddr){ .address = reeve_loopback_ipv4, .port = PORT };
	rig_send(&p->client, &m, NULL, 0, -1);
	rig_send(&p->client, &m, NULL, 0, -1);
	rig_settle(p->rig);
	const struct guest_socket *s = guest_next_direct(host, NULL, &info);

	assert_non_null(s);
	assert_int_equal(info.state, REEVE_TCP_ESTABLISHED);
	assert_true(reeve_sockaddr_equal(&info.local, &m.local));
	assert_true(reeve_sockaddr_equal(&info.remote, &m.remote));
	assert_null(guest_next_direct(host, s, &info));
	m = message(GUEST_GET, 500);
	assert_int_equal(rig_call(&p->client, m).error, ENOBUFS);
	m = message(GUEST_SHUT, 500);
	rig_send(&p->client, &m, NULL, 0, -1);
	m = message(GUEST_ATTACH, 501);
	rig_send(&p->client, &m, NULL, 0, -1);
	m = message(GUEST_CLOSE, 500);
	rig_send(&p->client, &m, NULL, 0, -1);
	rig_settle(p->rig);
	assert_null(guest_next_direct(host, NULL, &info));
}

static void answer_look(struct rig_session *s)
{
	const struct guest_message asked = rig_receive(s, NULL, 0);
	struct guest_message m = message(GUEST_LOOKED, 0);

	assert_int_equal(asked.type, GUEST_LOOK);
	m.value = asked.value;
	rig_send(s, &m, NULL, 0, -1);
	rig_settle(s->rig);
}

/* Over when all have answered that were asked, or have gone, and not for others; and never once it was
 * cancelled. */
static void test_look(void **state)
{
	struct pair *p = *state;
	struct guest_server *guests = p->rig->network.guests;
	struct counted_look all = { .done = 0 }, one = { .done = 0 }, cancelled = { .done = 0 };
	struct guest_message stale = message(GUEST_LOOKED, 0);
	struct rig_session late, other;
	unsigned done[4];

	rig_join(p->rig, &other, "elsewhere");
	guest_look_begin(guests, &all.look, NULL, count_done);
	guest_look_begin(guests, &one.look, host_by_name(&p->rig->network, "elsewhere"),
			 count_done);
	guest_look_begin(guests, &cancelled.look, NULL, count_done);
	rig_join(p->rig, &late, "elsewhere");
	close(late.fd);
	answer_look(&other);
	pass_a_tick(p);
	done[0] = one.done;
	answer_look(&other);
	pass_a_tick(p);
	done[1] = one.done;
	answer_look(&p->client);
	rig_send(&p->client, &stale, NULL, 0, -1);
	stale.value = INT64_MAX; /* not asked for: no more than what was */
	rig_send(&p->client, &stale, NULL, 0, -1);
	rig_settle(p->rig);
	pass_a_tick(p);
	done[2] = all.done;
	guest_look_cancel(&cancelled.look);
	close(p->server.fd);
	rig_settle(p->rig);
	pass_a_tick(p);
	done[3] = all.done;
	close(other.fd);
	rig_settle(p->rig);
	pass_a_tick(p);
	rig_join(p->rig, &p->server, "web");
	assert_int_equal(done[0], 0);
	assert_int_equal(done[1], 1);
	assert_int_equal(done[2], 0);
	assert_int_equal(done[3], 1);
	assert_int_equal(cancelled.done, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_CASE(test_bulk),
		PAIR_CASE(test_urgent),
		PAIR_CASE(test_refused),
		PAIR_CASE(test_outside),
		PAIR_CASE(test_well_known_is_granted),
		PAIR_CASE(test_bind_conflict),
		PAIR_CASE(test_backlog),
		PAIR_CASE(test_direct),
		PAIR_CASE(test_direct_ports_end),
		PAIR_CASE(test_direct_changes),
		PAIR_CASE(test_not_direct),
		PAIR_CASE(test_vouch),
		PAIR_CASE(test_all_end),
		PAIR_CASE(test_joined),
		PAIR_CASE(test_look),
		PAIR_CASE(test_closed_listener),
		PAIR_CASE(test_forgotten_listener),
		PAIR_CASE(test_listener_opens_late),
		PAIR_CASE(test_stale_listener),
		PAIR_CASE(test_parcel),
		PAIR_CASE(test_interfaces),
		PAIR_CASE(test_attach_without_end),
		PAIR_CASE(test_nonsense),
		PAIR_CASE(test_hello_refused),
	};

	return cmocka_run_group_tests_name("guest", tests, NULL, NULL);
}
