/* The search for what a path carries when ICMP does not say so (RFC 4821, RFC 8899): two hosts, and
 * between them 5 ms and a limit that long packets vanish at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "reeve/reeve.h"

#define DELAY_MS 5
#define MTU      1500
#define HEADERS  (14 + 20 + 20 + 12) /* Ethernet, IPv4, TCP, timestamps */
#define FRAMES   4096

struct frame {
	struct reeve_packet *packet;
	struct reeve_time due;
	unsigned to;
};

struct world {
	struct reeve_pool *pool;
	struct reeve_host *hosts[2];
	unsigned ifaces[2];
	struct reeve_time now;
	struct frame frames[FRAMES]; /* in order of time, from `first` */
	unsigned first, count;
	size_t carries; /* the longest IP packet */
	struct reeve_tcp *listener, *client, *server;
	uint64_t supply, written, read; /* bytes */
};

static void add_host(struct world *w, unsigned i)
{
	const struct reeve_host_config config = { .pool = w->pool,
						  .seed = { (uint8_t)(i + 1) },
						  .max_sockets = 10 };
	const struct reeve_iface_config iface = {
		.name = "eth0",
		.mac = { 2, 0, 0, 0, 0, (uint8_t)(i + 1) },
		.mtu = MTU,
		.queue_packets = 1000,
	};
	const struct reeve_prefix address = { reeve_address_from_ipv4(0xc0000201u + i), 24 };

	w->hosts[i] = reeve_host_new(&config, w->now);
	assert_non_null(w->hosts[i]);
	assert_int_equal(reeve_host_add_iface(w->hosts[i], &iface, &w->ifaces[i]), 0);
	assert_int_equal(reeve_host_add_address(w->hosts[i], w->ifaces[i], &address), 0);
}

static void put(struct world *w, unsigned to, struct reeve_packet *p)
{
	if (reeve_packet_length(p) > w->carries + 14) {
		reeve_packet_free(p);
		return;
	}
	assert_true(w->count < FRAMES);
	w->frames[(w->first + w->count++) % FRAMES] =
		(struct frame){ p, reeve_time_add_ms(w->now, DELAY_MS), to };
}

/* What the client has room for, and what the server has. */
static void move_bytes(struct world *w)
{
	static char bytes[65536];
	int64_t n = 1;

	while (w->written < w->supply && n > 0) {
		const uint64_t left = w->supply - w->written;

		n = reeve_tcp_write(w->client, bytes, left < sizeof(bytes) ? left : sizeof(bytes));
		if (n > 0)
			w->written += (uint64_t)n;
	}
	if (!w->server)
		w->server = reeve_tcp_accept(w->listener, NULL);
	while (w->server && (n = reeve_tcp_read(w->server, bytes, sizeof(bytes))) > 0)
		w->read += (uint64_t)n;
}

static void exchange(struct world *w)
{
	struct reeve_packet *p;
	struct reeve_event event;
	unsigned iface;

	for (unsigned i = 0; i < 2; i++) {
		while (reeve_host_next_event(w->hosts[i], &event))
			;
		while ((p = reeve_host_output(w->hosts[i], w->now, &iface)))
			put(w, !i, p);
	}
}

static struct reeve_time next_time(const struct world *w)
{
	struct reeve_time next =
		reeve_time_min(reeve_host_deadline(w->hosts[0]), reeve_host_deadline(w->hosts[1]));

	return w->count ? reeve_time_min(next, w->frames[w->first].due) : next;
}

/* To what comes next, or to that time. */
static void step(struct world *w, struct reeve_time most)
{
	exchange(w);
	w->now = reeve_time_min(next_time(w), most);
	while (w->count && !reeve_time_before(w->now, w->frames[w->first].due)) {
		const struct frame *f = &w->frames[w->first];

		w->first = (w->first + 1) % FRAMES;
		w->count--;
		reeve_host_input(w->hosts[f->to], w->ifaces[f->to], f->packet, w->now);
	}
	for (unsigned i = 0; i < 2; i++)
		reeve_host_tick(w->hosts[i], w->now);
}

static void idle(struct world *w, int64_t ms)
{
	const struct reeve_time end = reeve_time_add_ms(w->now, ms);

	while (reeve_time_before(w->now, end))
		step(w, end);
}

/* Until so many bytes have been read, of as many or more that are to be sent; or the time has come. */
static void run(struct world *w, uint64_t total, int64_t most_ms)
{
	w->supply = w->supply > total ? w->supply : total;

	const struct reeve_time end = reeve_time_add_ms(w->now, most_ms);

	while (w->read < total && !reeve_time_before(end, w->now)) {
		move_bytes(w);
		step(w, reeve_time_add_ms(end, 1));
		move_bytes(w);
	}
}

static struct reeve_tcp_info info(const struct world *w)
{
	struct reeve_tcp_info i;

	reeve_tcp_info(w->client, &i);
	return i;
}

/* The IP packet of a full segment. */
static uint32_t sends(const struct world *w)
{
	return info(w).send_mss + HEADERS - 14;
}

static uint64_t timeouts_of(const struct world *w)
{
	struct reeve_host_stats stats;

	reeve_host_stats(w->hosts[0], &stats);
	return stats.tcp_timeouts;
}

static void open_world(struct world *w)
{
	const struct reeve_pool_config limits = { 10000, 64 << 20 };
	const struct reeve_sockaddr any = { reeve_any_ipv4, 80 };
	const struct reeve_sockaddr to = { reeve_address_from_ipv4(0xc0000202u), 80 };

	memset(w, 0, sizeof(*w));
	w->carries = MTU;
	w->pool = reeve_pool_new(&limits);
	for (unsigned i = 0; i < 2; i++)
		add_host(w, i);
	w->listener = reeve_tcp_new(w->hosts[1], REEVE_IPV4, NULL);
	assert_int_equal(reeve_tcp_bind(w->listener, &any), 0);
	assert_int_equal(reeve_tcp_listen(w->listener, 1), 0);
	w->client = reeve_tcp_new(w->hosts[0], REEVE_IPV4, NULL);
	assert_int_equal(reeve_tcp_connect(w->client, &to, w->now), 0);
	run(w, 1000, 1000);
	assert_int_equal(w->read, 1000);
	assert_int_equal(sends(w), MTU);
}

static void close_world(struct world *w)
{
	reeve_tcp_abort(w->client);
	reeve_tcp_abort(w->server);
	reeve_tcp_close(w->listener);
	exchange(w);
	for (; w->count; w->count--, w->first = (w->first + 1) % FRAMES)
		reeve_packet_free(w->frames[w->first].packet);
	for (unsigned i = 0; i < 2; i++)
		reeve_host_free(w->hosts[i]);
	reeve_pool_free(w->pool);
}

/* RFC 4821, 7.2 and 7.6: what the path carries is found, to within what is worth a probe; and probes
 * that are lost take nothing from the window. */
static void test_black_hole(void **state)
{
	static const size_t paths[] = { 600, 1200, 1280, 1400, 1420, 1492 };
	static struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		open_world(&w);
		w.carries = paths[i];
		w.supply = 3000000;
		run(&w, w.read + 1000, 60000);

		const uint64_t timeouts = timeouts_of(&w);
		uint32_t window = 0;

		assert_in_range(timeouts, 2, paths[i] < 1200 ? 4 : 2);
		while (w.read < w.supply) {
			run(&w, w.read + 1000, 60000);

			const struct reeve_tcp_info now = info(&w);

			if (now.recovery != REEVE_TCP_OPEN)
				continue;
			assert_true(now.cwnd_bytes + MTU > window);
			window = now.cwnd_bytes;
		}
		assert_in_range(sends(&w), paths[i] - 16, paths[i]);
		assert_int_equal(timeouts_of(&w), timeouts);
		close_world(&w);
	}
}

/* The line was cut and is as wide as ever: a probe says so at once. */
static void test_outage(void **state)
{
	static struct world w;

	(void)state;
	open_world(&w);
	w.carries = 0;
	run(&w, 100000, 5000);
	assert_true(sends(&w) < 1201);
	w.carries = MTU;
	run(&w, 100000, 60000);
	assert_int_equal(w.read, 100000);
	assert_int_equal(sends(&w), MTU);
	close_world(&w);
}

/* A timeout of what is short says nothing about length. */
static void test_short_segments(void **state)
{
	static struct world w;

	(void)state;
	open_world(&w);
	w.carries = 0;
	run(&w, w.read + 100, 10000);
	w.carries = MTU;
	run(&w, w.written, 60000);
	assert_int_equal(sends(&w), MTU);
	close_world(&w);
}

/* A path that has carried 1,300 bytes, and carries all now. */
static void open_lowered(struct world *w)
{
	open_world(w);
	w->carries = 1300;
	run(w, 1000000, 60000);
	assert_in_range(sends(w), 1284, 1300);
	w->carries = MTU;
}

/* A rest of three seconds, and something said, so many times. */
static void talk_with_rests(struct world *w, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		idle(w, 3000);
		run(w, w->read + 20000, 1000);
	}
}

/* RFC 8899, 5.1.1: after ten minutes it is looked whether the path carries more by now. */
static void test_raise(void **state)
{
	static struct world w;

	(void)state;
	open_lowered(&w);
	for (unsigned i = 0; i < 590; i++) {
		run(&w, w.read + 10000, 1000);
		w.now = reeve_time_add_ms(w.now, 900);
	}
	assert_in_range(sends(&w), 1284, 1300);
	for (unsigned i = 0; i < 200; i++) {
		run(&w, w.read + 10000, 1000);
		w.now = reeve_time_add_ms(w.now, 900);
	}
	assert_int_equal(sends(&w), MTU);
	close_world(&w);
}

/* So it is of a connection that rests between what it sends. */
static void test_raise_with_rests(void **state)
{
	static struct world w;

	(void)state;
	open_lowered(&w);
	talk_with_rests(&w, 170);
	assert_in_range(sends(&w), 1284, 1300);
	talk_with_rests(&w, 40);
	assert_int_equal(sends(&w), MTU);
	close_world(&w);
}

/* And the search goes on where it was, with as little as is sent between two rests. */
static void test_search_with_rests(void **state)
{
	static struct world w;

	(void)state;
	open_world(&w);
	w.carries = 1400;
	run(&w, w.read + 20000, 60000);
	assert_int_equal(sends(&w), 1200);
	for (unsigned i = 0; i < 30; i++) {
		idle(&w, 3000);
		run(&w, w.read + 4000, 5000);
	}
	assert_in_range(sends(&w), 1384, 1400);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_black_hole),       cmocka_unit_test(test_outage),
		cmocka_unit_test(test_short_segments),   cmocka_unit_test(test_raise),
		cmocka_unit_test(test_raise_with_rests), cmocka_unit_test(test_search_with_rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
