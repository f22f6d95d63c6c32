/*
 * Choosing ports for clients: to the last one towards each destination, many destinations from one
 * address, TIME-WAITs taken over, bind(0) put off and never the worse for it; each choice uniform
 * and at a cost that does not grow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "port/destination.h"
#include "port/space.h"

#include "../base/cmocka_all.h"
#include "../base/seed.h"
#include "uniform.h"

#define FIRST 49152
#define LAST  65535
#define RANGE (LAST - FIRST + 1)

struct client {
	struct port_reservation reservation;
	struct port_flow flow;
};

struct world {
	struct random random;
	struct port_space *space;
	struct port_demux *demux;
	struct client *clients;
	uint32_t count;
	struct reeve_time now;
};

static struct world world_of(uint16_t first, uint16_t last, uint32_t clients)
{
	const struct port_space_config space = { .protocol = PORT_TCP,
						 .seed = { 7 },
						 .ephemeral_first = first,
						 .ephemeral_last = last };
	const struct port_demux_config demux = { .key = { 3, 4 }, .max_flows = 2000000 };
	struct world w = { .random = seeded(1), .now = { 0 } };

	w.space = port_space_new(&space);
	w.demux = port_demux_new(&demux);
	w.clients = calloc(clients, sizeof(*w.clients));
	assert_true(w.space && w.demux && w.clients);
	w.count = clients;
	return w;
}

static struct reeve_address own(void)
{
	return reeve_address_from_ipv4(0xc6120001);
}

static void open_client(struct world *w, uint32_t i, uint32_t destination)
{
	struct client *c = &w->clients[i];

	port_reservation_init(&c->reservation, false);
	c->flow = (struct port_flow){ .local_address = own(),
				      .remote_address =
					      reeve_address_from_ipv4(0xc6130000 + destination),
				      .remote_port = 80 };
}

static int connect_client(struct world *w, uint32_t i, struct port_wait **ret_replaced)
{
	struct client *c = &w->clients[i];

	return port_space_connect(w->space, &c->reservation, w->demux, &c->flow, w->now,
				  ret_replaced);
}

static int connect_to(struct world *w, uint32_t i, uint32_t destination)
{
	struct port_wait *replaced = NULL;

	open_client(w, i, destination);

	const int error = connect_client(w, i, &replaced);

	assert_null(replaced);
	return error;
}

static void close_client(struct world *w, uint32_t i)
{
	struct client *c = &w->clients[i];

	if (c->reservation.state == PORT_NONE)
		return;
	if (c->reservation.state >= PORT_CONNECTED)
		port_demux_remove_flow(w->demux, &c->flow);
	port_space_release(w->space, &c->reservation);
}

static void end_wait(struct world *w, struct port_wait *wait)
{
	const struct port_flow name = waits_name(wait);

	port_space_end_wait(w->space, &name.local_address, name.local_port, wait->hold);
	port_demux_remove_wait(w->demux, wait);
}

static void world_end(struct world *w)
{
	struct port_wait *wait;

	while ((wait = port_demux_oldest_wait(w->demux)))
		end_wait(w, wait);
	for (uint32_t i = 0; i < w->count; i++)
		close_client(w, i);
	assert_int_equal(port_space_count(w->space), 0);
	assert_int_equal(port_demux_flow_count(w->demux), 0);
	assert_true(list_is_empty(&port_demux_destinations(w->demux)->all));
	port_space_free(w->space);
	port_demux_free(w->demux);
	free(w->clients);
}

/* One address, four destinations, every port towards each: four connections share a port. */
static void test_each_destination_to_the_last_port(void **state)
{
	enum { DESTINATIONS = 4 };
	struct world w = world_of(FIRST, LAST, DESTINATIONS * RANGE + 1);
	static unsigned char seen[DESTINATIONS][65536];
	uint64_t most = 0;

	(void)state;
	for (uint32_t i = 0; i < DESTINATIONS * RANGE; i++) {
		const uint32_t to = i % DESTINATIONS;
		const uint64_t steps = port_space_steps(w.space);

		assert_int_equal(connect_to(&w, i, to), 0);

		const uint16_t port = w.clients[i].flow.local_port;

		assert_in_range(port, FIRST, LAST);
		assert_int_equal(w.clients[i].reservation.port, port);
		assert_false(seen[to][port]);
		seen[to][port] = 1;
		if (port_space_steps(w.space) - steps > most)
			most = port_space_steps(w.space) - steps;
	}
	/* Never the whole range at once. */
	assert_true(most < 100);
	for (uint32_t to = 0; to < DESTINATIONS; to++)
		assert_int_equal(connect_to(&w, DESTINATIONS * RANGE, to), -EADDRNOTAVAIL);

	/* The one that is given back is the one that is got. */
	for (uint32_t n = 0; n < 100; n++) {
		const uint32_t i = random_below(&w.random, DESTINATIONS * RANGE);
		const uint16_t port = w.clients[i].flow.local_port;

		close_client(&w, i);
		assert_int_equal(connect_to(&w, i, i % DESTINATIONS), 0);
		assert_int_equal(w.clients[i].flow.local_port, port);
	}
	assert_int_equal(connect_to(&w, DESTINATIONS * RANGE, DESTINATIONS), 0);
	world_end(&w);
}

/* Closed in the same order as opened, and in the reverse: what is known of the destination stays
 * true all the way down. */
static void test_fill_and_drain_in_waves(void **state)
{
	struct world w = world_of(FIRST, LAST, RANGE);

	(void)state;
	for (uint32_t wave = 0; wave < 3; wave++) {
		for (uint32_t i = 0; i < RANGE; i++) {
			if (w.clients[i].reservation.state == PORT_NONE)
				assert_int_equal(connect_to(&w, i, 0), 0);
		}
		assert_int_equal(port_space_count(w.space), RANGE);
		for (uint32_t i = 0; i < RANGE; i++) {
			if (i % 100 || wave == 1)
				close_client(&w, wave == 2 ? RANGE - 1 - i : i);
		}
	}
	world_end(&w);
}

/* At every fill of the destination, some ports bound by others, some shared with another
 * destination: each of the free is as likely as the next. */
static void test_uniform(void **state)
{
	static const uint32_t fills[] = { 0, 100, 400, 500, 700, 900, 980, 989 };
	static uint32_t drawn[65536];
	static bool free_ports[65536];

	(void)state;
	for (size_t f = 0; f < array_length(fills); f++) {
		struct world w = world_of(20000, 20999, 1200);
		const struct reeve_address address = own();
		uint32_t ports = 1000;
		uint64_t steps;

		memset(drawn, 0, sizeof(drawn));
		memset(free_ports, 0, sizeof(free_ports));
		for (uint32_t port = 20000; port <= 20999; port++)
			free_ports[port] = true;
		for (uint32_t i = 1000; i < 1010; i++) {
			const uint16_t port = (uint16_t)(20000 + i % 10 * 97);

			open_client(&w, i, 0);
			assert_int_equal(
				port_space_bind(w.space, &w.clients[i].reservation, &address, port),
				0);
			free_ports[port] = false;
			ports--;
		}
		for (uint32_t i = 1010; i < 1200; i++)
			assert_int_equal(connect_to(&w, i, 1), 0);
		for (uint32_t i = 0; i < fills[f]; i++) {
			assert_int_equal(connect_to(&w, i, 0), 0);
			free_ports[w.clients[i].flow.local_port] = false;
			ports--;
		}

		const uint32_t draws = ports < 100 ? 20000 : 200 * ports;

		steps = port_space_steps(w.space);
		for (uint32_t n = 0; n < draws; n++) {
			assert_int_equal(connect_to(&w, 999, 0), 0);
			drawn[w.clients[999].flow.local_port]++;
			close_client(&w, 999);
		}
		/* Two or three draws; or 8 words; or 8 in vain, and 16 words twice. */
		assert_true(port_space_steps(w.space) - steps <=
			    (uint64_t)draws * (ports > 10 ? 14 : 60) + 1000);
		check_uniform(drawn, free_ports, ports, draws);
		world_end(&w);
	}
}

/* What Linux's connect skips, ours does too: any port that somebody asked for, at any address. */
static void test_bound_ports_are_not_chosen(void **state)
{
	struct world w = world_of(30000, 30009, 20);
	struct reeve_address other = reeve_address_from_ipv4(0xc0000201);
	bool seen[65536] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		open_client(&w, i, 0);
		assert_int_equal(port_space_bind(w.space, &w.clients[i].reservation, &other,
						 (uint16_t)(30000 + 3 * i)),
				 0);
		seen[30000 + 3 * i] = true;
	}
	for (uint32_t i = 4; i < 10; i++) {
		assert_int_equal(connect_to(&w, i, 0), 0);
		assert_false(seen[w.clients[i].flow.local_port]);
		seen[w.clients[i].flow.local_port] = true;
	}
	assert_int_equal(connect_to(&w, 10, 0), -EADDRNOTAVAIL);
	/* But one may bind beside a connection that is at another address. */
	open_client(&w, 11, 0);
	assert_int_equal(port_space_bind(w.space, &w.clients[11].reservation, &other, 30001), 0);
	world_end(&w);
}

/* To a TIME-WAIT, as TCP does it. */
static void leave_time_wait(struct world *w, uint32_t i, bool is_recyclable)
{
	struct client *c = &w->clients[i];
	uint8_t hold;

	assert_int_equal(port_space_wait(w->space, &c->reservation, &hold), 0);

	struct port_wait *wait = port_demux_retire_flow(w->demux, &c->flow, is_recyclable, w->now);

	assert_non_null(wait);
	wait->hold = hold;
}

static struct reeve_time ms(int64_t n)
{
	return (struct reeve_time){ n * REEVE_NS_PER_MS };
}

/* A client that connects, takes a TIME-WAIT over and leaves one: how often it can. */
static uint32_t take_over(struct world *w, uint32_t limit, uint64_t *most)
{
	for (uint32_t n = 0; n < limit; n++) {
		const uint64_t steps = port_space_steps(w->space);
		struct port_wait *replaced = NULL;

		open_client(w, 0, 0);

		const int error = connect_client(w, 0, &replaced);

		if (port_space_steps(w->space) - steps > *most)
			*most = port_space_steps(w->space) - steps;
		if (error) {
			assert_int_equal(error, -EADDRNOTAVAIL);
			return n;
		}
		assert_non_null(replaced);
		assert_true(wait_age_ms(replaced, w->now) >= PORT_WAIT_RECYCLE_MS);
		assert_int_equal(replaced->local_port, w->clients[0].flow.local_port);
		end_wait(w, replaced);
		leave_time_wait(w, 0, true);
	}
	return limit;
}

/* All ports are TIME-WAITs, 20 of a millisecond; as each comes of age it is found, at once. */
static void test_time_waits_are_taken_over(void **state)
{
	struct world w = world_of(FIRST, LAST, 1);
	uint64_t most = 0;

	(void)state;
	for (uint32_t i = 0; i < RANGE; i++) {
		w.now = ms(i / 20);
		assert_int_equal(connect_to(&w, 0, 0), 0);
		leave_time_wait(&w, 0, true);
	}
	w.now.ns = ms(1000).ns - 1;
	assert_int_equal(take_over(&w, RANGE, &most), 0);
	w.now = ms(1399);
	assert_int_equal(take_over(&w, RANGE, &most), 8000);
	for (uint32_t n = 1400; n < 1819; n++) {
		w.now = ms(n);
		assert_int_equal(take_over(&w, 21, &most), 20);
	}
	w.now = ms(1819);
	assert_int_equal(take_over(&w, RANGE, &most), RANGE % 20);
	w.now = ms(2398);
	assert_int_equal(take_over(&w, RANGE, &most), 0);
	assert_true(most < 100);
	/* Another destination doesn't mind. */
	assert_int_equal(connect_to(&w, 0, 1), 0);
	world_end(&w);
}

/* One that begins anew is old enough the later, and keeps none of the others waiting. */
static void test_a_renewed_time_wait_is_the_last(void **state)
{
	struct world w = world_of(40000, 40099, 1);
	uint64_t most = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(connect_to(&w, 0, 0), 0);
		leave_time_wait(&w, 0, true);
	}
	w.now = ms(500);
	for (uint32_t i = 0; i < 70; i++)
		port_demux_renew_wait(w.demux, port_demux_oldest_wait(w.demux), w.now);
	w.now = ms(1000);
	assert_int_equal(take_over(&w, 100, &most), 30);
	w.now = ms(1500);
	assert_int_equal(take_over(&w, 100, &most), 70);
	world_end(&w);
}

/* One that may never be taken over is not; a free port is preferred when few are. */
static void test_time_waits_without_timestamps_stay(void **state)
{
	struct world w = world_of(40000, 40099, 1);

	(void)state;
	w.now.ns = 1000;
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(connect_to(&w, 0, 0), 0);
		leave_time_wait(&w, 0, false);
	}
	assert_int_equal(connect_to(&w, 0, 0), -EADDRNOTAVAIL);
	w.now = ms(60000);
	assert_int_equal(connect_to(&w, 0, 0), -EADDRNOTAVAIL);
	world_end(&w);
}

/* bind(0), then connect: as many per destination as without the bind, while a port that nobody has
 * is left for the promise. */
static void test_bind_first_is_no_worse(void **state)
{
	enum { PORTS = 50, DESTINATIONS = 8 };
	struct world w = world_of(50000, 50000 + PORTS - 1, (PORTS - 1) * DESTINATIONS + 2);
	const struct reeve_address any = reeve_any_ipv4;
	struct port_wait *replaced;

	(void)state;
	/* It keeps one port from all others; and nothing else does. */
	open_client(&w, 0, 0);
	assert_int_equal(port_space_bind(w.space, &w.clients[0].reservation, &any, 0), 0);
	for (uint32_t i = 1; i <= (PORTS - 1) * DESTINATIONS; i++)
		assert_int_equal(connect_to(&w, i, i % DESTINATIONS), 0);
	for (uint32_t to = 0; to < DESTINATIONS; to++) {
		struct port_reservation *r = &w.clients[0].reservation;

		assert_int_equal(connect_to(&w, w.count - 1, to), -EADDRNOTAVAIL);
		assert_true(r->deferred && r->port == 0);
		open_client(&w, w.count - 1, to);
		w.clients[0].flow = w.clients[w.count - 1].flow;
		assert_int_equal(connect_client(&w, 0, &replaced), 0);
		assert_int_equal(r->state, PORT_CONNECTED);
		/* Once it is connected, others may share its port. */
		assert_int_equal(connect_to(&w, w.count - 1, (to + 1) % DESTINATIONS), 0);
		assert_int_equal(w.clients[w.count - 1].flow.local_port, r->port);
		close_client(&w, w.count - 1);
		port_demux_remove_flow(w.demux, &w.clients[0].flow);
		port_space_disconnect(w.space, r);
		assert_int_equal(r->state, PORT_BOUND);
		assert_true(r->deferred && r->port == 0);
		assert_true(reeve_address_equal(&r->address, &any));
	}
	world_end(&w);
}

/* As many bind(0)s as the range has ports, no more; each gets a port later, whatever came between. */
static void test_promises_are_kept(void **state)
{
	enum { PORTS = 100 };
	struct world w = world_of(50000, 50000 + PORTS - 1, 4 * PORTS);
	const struct reeve_address any = reeve_any_ipv4, address = own();
	bool seen[65536] = { 0 };

	(void)state;
	/* Forty connections, thirty promises. */
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(connect_to(&w, i, 0), 0);
	for (uint32_t i = 100; i < 130; i++) {
		open_client(&w, i, 0);
		assert_int_equal(port_space_bind(w.space, &w.clients[i].reservation,
						 i % 2 ? &any : &address, 0),
				 0);
	}
	/* Thirty ports are left for others: by connect, by number. */
	for (uint32_t i = 40; i < 55; i++)
		assert_int_equal(connect_to(&w, i, 0), 0);
	for (uint32_t i = 55, port = 50000; i < 70; port++) {
		open_client(&w, i, 0);
		i += port_space_bind(w.space, &w.clients[i].reservation, &address,
				     (uint16_t)port) == 0;
	}
	assert_int_equal(connect_to(&w, 70, 0), -EADDRNOTAVAIL);
	open_client(&w, 71, 0);
	assert_int_equal(port_space_bind(w.space, &w.clients[71].reservation, &any, 0),
			 -EADDRINUSE);
	for (uint32_t port = 50000; port < 50000 + PORTS; port++)
		assert_int_equal(
			port_space_bind(w.space, &w.clients[71].reservation, &any, (uint16_t)port),
			-EADDRINUSE);
	/* Another destination shares the ports of the connections, and only those. */
	for (uint32_t i = 72; i < 72 + 28; i++)
		assert_int_equal(connect_to(&w, i, 1), 0);
	for (uint32_t i = 100; i < 130; i++) {
		struct port_reservation *r = &w.clients[i].reservation;

		assert_int_equal(
			i % 3 ? port_space_settle(w.space, r) : port_space_listen(w.space, r), 0);
		assert_in_range(r->port, 50000, 50000 + PORTS - 1);
		assert_false(seen[r->port]);
		seen[r->port] = true;
	}
	for (uint32_t i = 72; i < 100; i++)
		assert_false(seen[w.clients[i].flow.local_port]);
	world_end(&w);
}

/* With every port used at one address, another address still has them all. */
static void test_bind_to_any_port_by_address(void **state)
{
	enum { PORTS = 64 };
	struct world w = world_of(60000, 60000 + PORTS - 1, 3 * PORTS + 1);
	const struct reeve_address any = reeve_any_ipv4, other = reeve_loopback_ipv4;
	bool seen[65536] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < PORTS; i++)
		assert_int_equal(connect_to(&w, i, 0), 0);
	for (uint32_t i = PORTS; i < 2 * PORTS; i++) {
		struct port_reservation *r = &w.clients[i].reservation;

		open_client(&w, i, 0);
		assert_int_equal(port_space_bind(w.space, r, &any, 0), -EADDRINUSE);
		assert_int_equal(port_space_listen(w.space, r), -EADDRINUSE);
		assert_int_equal(r->state, PORT_NONE);
		assert_int_equal(port_space_bind(w.space, r, &other, 0), 0);
		assert_int_equal(port_space_listen(w.space, r), 0);
		assert_false(seen[r->port]);
		seen[r->port] = true;
	}
	open_client(&w, w.count - 1, 0);
	assert_int_equal(port_space_bind(w.space, &w.clients[w.count - 1].reservation, &other, 0),
			 -EADDRINUSE);
	for (uint32_t i = PORTS; i < 2 * PORTS; i++)
		port_space_release(w.space, &w.clients[i].reservation);
	world_end(&w);
}

/* What a connection and an idle host cost. */
static void test_sizes(void **state)
{
	(void)state;
	assert_true(sizeof(struct port_reservation) <= 32);
	assert_true(sizeof(struct port_flow) <= 64);
	assert_true(sizeof(struct port_listener) <= 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_destination_to_the_last_port),
		cmocka_unit_test(test_fill_and_drain_in_waves),
		cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_bound_ports_are_not_chosen),
		cmocka_unit_test(test_time_waits_are_taken_over),
		cmocka_unit_test(test_a_renewed_time_wait_is_the_last),
		cmocka_unit_test(test_time_waits_without_timestamps_stay),
		cmocka_unit_test(test_bind_first_is_no_worse),
		cmocka_unit_test(test_promises_are_kept),
		cmocka_unit_test(test_bind_to_any_port_by_address),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
