/*
 * What many connections cost libreeve while nothing goes on: two hosts of one process, joined directly.
 *
 *	crowd established COUNT		resident bytes of each of COUNT idle connections
 *	crowd time-wait COUNT		and of each TIME-WAIT
 *	crowd idle COUNT SAMPLES	nanoseconds of one round of calls with COUNT idle connections
 *
 * Both ends of a connection count: half of COUNT are opened. Time is virtual.
 */
#include <string.h>

#include "reeve/reeve.h"

#include "measure.h"

#define ADDRESSES \
	32 /* of the server: a port of the client's is enough for one connection to each */
#define CLIENT      0xc6120001
#define SERVER      0xc6130001
#define PER_ADDRESS 50000

struct crowd {
	struct reeve_pool *pool;
	struct reeve_host *hosts[2]; /* client and server */
	unsigned ifaces[2];
	struct reeve_time now;
	struct reeve_tcp *listener;
};

static void need(int is_good, const char *what)
{
	if (is_good)
		return;
	fprintf(stderr, "crowd: %s\n", what);
	exit(1);
}

static struct reeve_host *new_host(struct crowd *c, unsigned index, uint32_t first,
				   unsigned addresses)
{
	const struct reeve_host_config config = {
		.pool = c->pool,
		.seed = { (uint8_t)(index + 1) },
		.max_sockets = 1u << 22,
		.ephemeral_first = 1024,
		.ephemeral_last = 65535,
	};
	struct reeve_iface_config iface = {
		.name = "eth0",
		.mac = { 2, 0, 0, 0, 0, (uint8_t)(index + 1) },
		.mtu = 1500,
		.queue_packets = 1024,
	};
	struct reeve_host *const host = reeve_host_new(&config, c->now);

	need(host && reeve_host_add_iface(host, &iface, &c->ifaces[index]) == 0, "no host");
	for (unsigned i = 0; i < addresses; i++) {
		const struct reeve_prefix prefix = { reeve_address_from_ipv4(first + i), 15 };

		need(reeve_host_add_address(host, c->ifaces[index], &prefix) == 0, "no address");
	}
	return host;
}

/* Until neither has anything to say. */
static void settle(struct crowd *c)
{
	unsigned iface;

	for (bool again = true; again;) {
		again = false;
		for (unsigned i = 0; i < 2; i++) {
			struct reeve_packet *p;

			while ((p = reeve_host_output(c->hosts[i], c->now, &iface))) {
				reeve_host_input(c->hosts[!i], c->ifaces[!i], p, c->now);
				again = true;
			}
		}
	}
}

static void drop_events(struct crowd *c)
{
	struct reeve_event event;

	for (unsigned i = 0; i < 2; i++)
		while (reeve_host_next_event(c->hosts[i], &event))
			;
}

/* In steps, as a loop would that wakes for each deadline. */
static void pass_s(struct crowd *c, unsigned seconds)
{
	for (unsigned i = 0; i < seconds * 100; i++) {
		c->now = reeve_time_add_ms(c->now, 10);
		for (unsigned k = 0; k < 2; k++)
			reeve_host_tick(c->hosts[k], c->now);
		settle(c);
	}
	drop_events(c);
}

static void crowd_init(struct crowd *c)
{
	static const struct reeve_pool_config pool = { 1u << 16, 1u << 28 };
	const struct reeve_sockaddr name = { .address = reeve_any_ipv4, .port = 80 };

	*c = (struct crowd){ .now = { REEVE_NS_PER_S } };
	c->pool = reeve_pool_new(&pool);
	need(c->pool != NULL, "no pool");
	c->hosts[0] = new_host(c, 0, CLIENT, 1);
	c->hosts[1] = new_host(c, 1, SERVER, ADDRESSES);
	pass_s(c, 10); /* addresses are asked for before they are used */
	c->listener = reeve_tcp_new(c->hosts[1], REEVE_IPV4, NULL);
	need(c->listener && reeve_tcp_bind(c->listener, &name) == 0 &&
		     reeve_tcp_listen(c->listener, 64) == 0,
	     "no listener");
}

static void open_one(struct crowd *c, uint32_t i, struct reeve_tcp *ret[2])
{
	const struct reeve_sockaddr to = {
		.address = reeve_address_from_ipv4(SERVER + i / PER_ADDRESS), .port = 80
	};

	ret[0] = reeve_tcp_new(c->hosts[0], REEVE_IPV4, NULL);
	need(ret[0] && reeve_tcp_connect(ret[0], &to, c->now) == 0, "no connection");
	settle(c);
	ret[1] = reeve_tcp_accept(c->listener, NULL);
	need(ret[1] != NULL, "not accepted");
	drop_events(c);
}

/* What a first few have left behind is not counted: pools and tables are there then. */
static void warm_up(struct crowd *c)
{
	struct reeve_tcp *ends[64][2];

	for (uint32_t i = 0; i < 64; i++)
		open_one(c, i, ends[i]);
	for (uint32_t i = 0; i < 64; i++) {
		reeve_tcp_abort(ends[i][0]);
		reeve_tcp_abort(ends[i][1]);
	}
	settle(c);
}

static void open_many(struct crowd *c, uint32_t pairs)
{
	struct reeve_tcp *ends[2];

	for (uint32_t i = 0; i < pairs; i++) {
		open_one(c, i, ends);
		if (i % 1000 == 999)
			pass_s(c, 1); /* those before have come to rest */
	}
	pass_s(c, 5);
}

static void established(uint32_t count)
{
	struct crowd c;

	crowd_init(&c);
	warm_up(&c);

	const long before = measure_resident();

	open_many(&c, count / 2);
	printf("established\t%.1f\n", (double)(measure_resident() - before) / count);
}

static void time_wait(uint32_t count)
{
	struct reeve_host_stats stats;
	struct reeve_tcp *ends[2];
	struct crowd c;

	crowd_init(&c);
	warm_up(&c);

	const long before = measure_resident();

	for (uint32_t i = 0; i < count; i++) {
		open_one(&c, i, ends);
		reeve_tcp_close(ends[0]);
		settle(&c);
		reeve_tcp_close(ends[1]);
		settle(&c);
	}
	reeve_host_stats(c.hosts[0], &stats);
	need(stats.tcp_time_wait == count, "not all are in TIME-WAIT");
	printf("time-wait\t%.1f\n", (double)(measure_resident() - before) / count);
}

/* One round of an embedder's loop that has nothing to do. */
static void idle(uint32_t count, uint32_t samples)
{
	uint64_t *const ns = calloc(samples, sizeof(*ns));
	struct reeve_event event;
	struct crowd c;
	unsigned iface;

	need(ns != NULL, "no memory");
	crowd_init(&c);
	open_many(&c, count > 1 ? count / 2 : 1);
	for (uint32_t i = 0; i < samples; i++) {
		const uint64_t from = measure_now_ns();

		for (unsigned k = 0; k < 16; k++) {
			c.now = reeve_time_add(c.now, 1000);
			reeve_host_tick(c.hosts[1], c.now);
			need(!reeve_host_output(c.hosts[1], c.now, &iface) &&
				     !reeve_host_next_event(c.hosts[1], &event) &&
				     reeve_time_before(c.now, reeve_host_deadline(c.hosts[1])),
			     "there was something to do");
		}
		ns[i] = (measure_now_ns() - from) / 16;
	}

	char level[32];

	snprintf(level, sizeof(level), "%u", count);
	measure_report("idle", level, ns, samples);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "established") == 0)
		established(measure_number(argv[2]));
	else if (argc == 3 && strcmp(argv[1], "time-wait") == 0)
		time_wait(measure_number(argv[2]));
	else if (argc == 4 && strcmp(argv[1], "idle") == 0)
		idle(measure_number(argv[2]), measure_number(argv[3]));
	else
		return 64;
	return 0;
}
