/*
 * Each allocation fails once: whatever is left undone then, nothing crashes, leaks or stays
 * reserved. Hazard 32. malloc, calloc and realloc are wrapped by the linker.
 */
#include <errno.h>
#include <stdlib.h>

#include "frames.h"
#include "stack/ip.h"

/* The linker's names for what was there and what stands in for it. */
void *real_malloc(size_t size) __asm__("__real_malloc");
void *real_calloc(size_t count, size_t size) __asm__("__real_calloc");
void *real_realloc(void *old, size_t size) __asm__("__real_realloc");
void *wrap_malloc(size_t size) __asm__("__wrap_malloc");
void *wrap_calloc(size_t count, size_t size) __asm__("__wrap_calloc");
void *wrap_realloc(void *old, size_t size) __asm__("__wrap_realloc");

static unsigned countdown; /* 0: nothing fails */
static bool failed;
static unsigned allocations;

static bool fails(void)
{
	allocations++;
	if (countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

void *wrap_malloc(size_t size)
{
	return fails() ? NULL : real_malloc(size);
}

void *wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : real_calloc(count, size);
}

void *wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : real_realloc(old, size);
}

/* Two hosts, or as many as there was memory for. */
struct world {
	struct reeve_pool *pool;
	struct reeve_host *hosts[2];
	unsigned ifaces[2];
	struct reeve_time now;
	unsigned lose; /* every how-manieth packet; 0: none */
	unsigned carried;
};

static bool world_init(struct world *w)
{
	static const struct reeve_pool_config pool = { 512, 4 << 20 };
	static const char *const addresses[] = { "192.0.2.1/24", "192.0.2.2/24" };

	w->pool = reeve_pool_new(&pool);
	if (!w->pool)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		const struct reeve_host_config host = {
			.pool = w->pool,
			.seed = { (uint8_t)(i + 1) },
			.max_sockets = 32,
		};
		struct reeve_iface_config iface = {
			.name = "eth0",
			.mtu = 1500,
			.queue_packets = 64,
		};
		const struct reeve_prefix prefix = net_prefix(addresses[i]);

		net_mac((uint8_t)(i + 1), iface.mac);
		w->hosts[i] = reeve_host_new(&host, w->now);
		if (!w->hosts[i] || reeve_host_add_iface(w->hosts[i], &iface, &w->ifaces[i]) != 0 ||
		    reeve_host_add_address(w->hosts[i], w->ifaces[i], &prefix) != 0)
			return false;
	}
	return true;
}

static void world_deinit(struct world *w)
{
	reeve_host_free(w->hosts[0]);
	reeve_host_free(w->hosts[1]);
	reeve_pool_free(w->pool);
}

static void settle(struct world *w)
{
	for (unsigned rounds = 0; rounds < 8; rounds++) {
		for (unsigned i = 0; i < 2; i++) {
			unsigned iface;
			struct reeve_packet *p;

			while ((p = reeve_host_output(w->hosts[i], w->now, &iface))) {
				if (w->lose && ++w->carried % w->lose == 0)
					reeve_packet_free(p);
				else
					reeve_host_input(w->hosts[!i], w->ifaces[!i], p, w->now);
			}
		}
	}
}

static void pass_ms(struct world *w, int64_t ms)
{
	w->now = reeve_time_add_ms(w->now, ms);
	reeve_host_tick(w->hosts[0], w->now);
	reeve_host_tick(w->hosts[1], w->now);
	settle(w);
}

/* Everything a datagram can meet. */
static void datagrams(struct world *w)
{
	static char bytes[9000];
	const struct reeve_sockaddr any = net_name("0.0.0.0", 53);
	const struct reeve_sockaddr none = net_name("0.0.0.0", 0);
	const struct reeve_sockaddr server_name = net_name("192.0.2.2", 53);
	const struct reeve_sockaddr nobody = net_name("192.0.2.99", 53);
	const struct reeve_sockaddr home = net_name("127.0.0.1", 53);
	const struct reeve_prefix everywhere = net_prefix("0.0.0.0/0");
	struct iovec iov = { bytes, sizeof(bytes) };
	struct reeve_udp *const server = reeve_udp_new(w->hosts[1], REEVE_IPV4, NULL);
	struct reeve_udp *const client = reeve_udp_new(w->hosts[0], REEVE_IPV4, NULL);
	struct reeve_udp *other = NULL;
	struct reeve_ping *const ping = reeve_ping_new(w->hosts[0], NULL);

	reeve_udp_intercept(w->hosts[0], &everywhere, 0, NULL, &other);
	if (server)
		reeve_udp_bind(server, &any);
	if (client) {
		reeve_udp_bind(client, &none);
		for (unsigned i = 0; i < 6; i++) {
			reeve_udp_send(client, &server_name, NULL, &iov, 1);
			iov.iov_len /= 8;
			settle(w);
		}
		reeve_udp_connect(client, &server_name);
		reeve_udp_send(client, NULL, NULL, &iov, 1);
		reeve_udp_connect(client, &home);
		reeve_udp_send(client, NULL, NULL, &iov, 1);
		reeve_udp_send(client, &nobody, NULL, &iov, 1);
		reeve_udp_connect(client, NULL);
		reeve_udp_send(client, &home, NULL, &iov, 1);
	}
	if (ping) {
		reeve_ping_send(ping, &server_name.address, 1, 3000);
		reeve_ping_send(ping, &nobody.address, 2, 1);
	}
	settle(w);
	for (unsigned i = 0; i < 5; i++)
		pass_ms(w, 1001);
	pass_ms(w, 60000);
	reeve_udp_close(server);
	reeve_udp_close(other);
	reeve_ping_close(ping);
}

/* Two ends of a connection, as far as there was memory for them. */
struct ends {
	struct reeve_tcp *server, *client, *accepted;
	size_t written, read;
};

static const char page[100000];

static void take_all(struct ends *e)
{
	const size_t length = e->accepted ? reeve_tcp_readable(e->accepted) : 0;

	e->read += length;
	if (length > 0)
		reeve_tcp_consume(e->accepted, length);
}

static bool ends_open(struct world *w, struct ends *e)
{
	const struct reeve_sockaddr any = net_name("0.0.0.0", 80);
	const struct reeve_sockaddr name = net_name("192.0.2.2", 80);

	*e = (struct ends){
		.server = reeve_tcp_new(w->hosts[1], REEVE_IPV4, NULL),
		.client = reeve_tcp_new(w->hosts[0], REEVE_IPV4, NULL),
	};
	if (e->server && reeve_tcp_bind(e->server, &any) == 0)
		reeve_tcp_listen(e->server, 4);
	return e->client && reeve_tcp_connect(e->client, &name, w->now) == 0;
}

static void write_page(struct world *w, struct ends *e)
{
	const int64_t written = reeve_tcp_write(e->client, page, sizeof(page));

	e->written += written > 0 ? (size_t)written : 0;
	settle(w);
	if (e->server && !e->accepted)
		e->accepted = reeve_tcp_accept(e->server, NULL);
	take_all(e);
}

static void ends_close(struct world *w, struct ends *e)
{
	reeve_tcp_close(e->client);
	settle(w);
	reeve_tcp_close(e->accepted);
	pass_ms(w, 1000);
	reeve_tcp_close(e->server);
	for (unsigned i = 0; i < 5; i++)
		pass_ms(w, 30000);
}

/* A whole transfer with loss, a rest, and a second one. What failed was only late: once there is a
 * connection, every byte arrives. */
static void lossy_transfer(struct world *w)
{
	struct ends e;

	w->lose = 11;
	if (ends_open(w, &e)) {
		for (unsigned i = 0; i < 12; i++) {
			write_page(w, &e);
			pass_ms(w, 300);
		}
		for (unsigned i = 0; i < 20; i++) {
			pass_ms(w, 3000);
			take_all(&e);
		}
		for (unsigned i = 0; i < 3; i++) {
			write_page(w, &e);
			pass_ms(w, 300);
		}
		for (unsigned i = 0; i < 400 && e.read < e.written; i++) {
			pass_ms(w, 3000);
			take_all(&e);
		}
		if (e.accepted)
			assert_int_equal(e.read, e.written);
	}
	w->lose = 0;
	ends_close(w, &e);
}

static void connections(struct world *w)
{
	static char bytes[100000];
	const struct reeve_sockaddr any = net_name("0.0.0.0", 80);
	const struct reeve_sockaddr name = net_name("192.0.2.2", 80);
	struct reeve_tcp *const server = reeve_tcp_new(w->hosts[1], REEVE_IPV4, NULL);
	struct reeve_tcp *const client = reeve_tcp_new(w->hosts[0], REEVE_IPV4, NULL);
	struct reeve_tcp *accepted = NULL;

	if (server && reeve_tcp_bind(server, &any) == 0)
		reeve_tcp_listen(server, 4);
	if (client && reeve_tcp_connect(client, &name, w->now) == 0) {
		for (unsigned i = 0; i < 12; i++) {
			settle(w);
			reeve_tcp_write(client, bytes, sizeof(bytes));
			if (server && !accepted)
				accepted = reeve_tcp_accept(server, NULL);
			if (accepted)
				reeve_tcp_consume(accepted, reeve_tcp_readable(accepted));
			pass_ms(w, 300);
		}
	}
	reeve_tcp_close(client);
	settle(w);
	reeve_tcp_close(accepted);
	pass_ms(w, 1000);
	reeve_tcp_close(server);
	for (unsigned i = 0; i < 5; i++)
		pass_ms(w, 30000);
}

/* Fast Open (RFC 7413): a connection that asks for a cookie, and one whose SYN has data. Where one of both
 * had no memory, it is a connection as ever. */
static void fast_opens(struct world *w)
{
	const struct reeve_sockaddr name = net_name("192.0.2.2", 80);
	struct ends e;

	ends_open(w, &e);
	if (e.server)
		reeve_tcp_set(e.server, REEVE_TCP_FAST_OPEN, 2);
	for (unsigned i = 0; i < 3; i++) {
		reeve_tcp_abort(e.accepted);
		reeve_tcp_abort(e.client);
		settle(w);
		pass_ms(w, 70000);
		e.accepted = NULL;
		e.read = e.written = 0;
		e.client = reeve_tcp_new(w->hosts[0], REEVE_IPV4, NULL);
		if (!e.client || reeve_tcp_set(e.client, REEVE_TCP_FAST_OPEN_CONNECT, 1) != 0 ||
		    reeve_tcp_connect(e.client, &name, w->now) != 0)
			continue;
		for (unsigned k = 0; k < 20 && (e.read == 0 || e.read < e.written); k++) {
			write_page(w, &e);
			pass_ms(w, 3000);
			take_all(&e);
		}
		if (e.accepted)
			assert_int_equal(e.read, e.written);
	}
	ends_close(w, &e);
}

static void fail_each(void (*scenario)(struct world *w), unsigned least)
{
	unsigned n = 0;

	do {
		struct world w = { .now = { 1 } };

		countdown = ++n;
		failed = false;
		if (world_init(&w))
			scenario(&w);
		world_deinit(&w);
		countdown = 0;
	} while (failed);
	assert_true(n > least);
}

static void test_datagrams(void **state)
{
	(void)state;
	fail_each(datagrams, 60);
}

static void test_connections(void **state)
{
	(void)state;
	fail_each(connections, 60);
}

static void test_lossy_transfer(void **state)
{
	(void)state;
	fail_each(lossy_transfer, 60);
}

static void test_fast_opens(void **state)
{
	(void)state;
	fail_each(fast_opens, 60);
}

static void exchange(struct world *w, struct ends *e)
{
	write_page(w, e);
	pass_ms(w, 10);
	assert_int_equal(reeve_tcp_write(e->client, "?", 1), 1);
	settle(w);
	take_all(e);
	assert_int_equal(reeve_tcp_write(e->accepted, "!", 1), 1);
	settle(w);
	reeve_tcp_consume(e->client, reeve_tcp_readable(e->client));
	pass_ms(w, 10);
}

/* Whether packets are many or come by turns: once a connection is under way they cost no allocation. */
static void test_steady_transfer(void **state)
{
	struct world w = { .now = { 1 } };
	struct ends e;

	(void)state;
	assert_true(world_init(&w));
	assert_true(ends_open(&w, &e));
	for (unsigned i = 0; i < 50; i++)
		exchange(&w, &e);
	allocations = 0;
	for (unsigned i = 0; i < 200; i++)
		exchange(&w, &e);
	assert_int_equal(allocations, 0);
	ends_close(&w, &e);
	world_deinit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_datagrams),       cmocka_unit_test(test_connections),
		cmocka_unit_test(test_lossy_transfer),  cmocka_unit_test(test_fast_opens),
		cmocka_unit_test(test_steady_transfer),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
