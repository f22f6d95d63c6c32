/*
 * Two hosts with a link of single packets between them, whose frames are brought in one by one, or
 * all that are there at once: what is received and counted is the same, and IP sees fewer packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "reeve/reeve.h"

#define BYTES  300000
#define FRAMES 256

struct run {
	struct reeve_pool *pool;
	struct reeve_host *hosts[2]; /* sender, receiver */
	struct reeve_tcp *listener, *ends[2];
	struct reeve_time now;
	unsigned iface;
	bool at_once;
	uint8_t got[BYTES];
	size_t received, written;
	uint64_t longest; /* frame */
};

static uint8_t bytes[BYTES];

static struct reeve_host *new_host(struct run *r, uint8_t number)
{
	const struct reeve_host_config config = { .pool = r->pool,
						  .seed = { number },
						  .max_sockets = 10 };
	const struct reeve_iface_config iface = {
		.name = "eth0", .mac = { 2, 0, 0, 0, 0, number }, .mtu = 1500, .queue_packets = 100
	};
	const struct reeve_prefix address = { reeve_address_from_ipv4(0xc0000200u + number), 24 };
	struct reeve_host *const host = reeve_host_new(&config, r->now);

	assert_non_null(host);
	assert_int_equal(reeve_host_add_iface(host, &iface, &r->iface), 0);
	assert_int_equal(reeve_host_add_address(host, r->iface, &address), 0);
	return host;
}

static void handle(struct run *r, const struct reeve_event *event)
{
	int64_t n;

	if (event->what & REEVE_ACCEPTABLE) {
		r->ends[1] = reeve_tcp_accept(r->listener, NULL);
	} else if (event->socket == r->ends[1]) {
		while ((n = reeve_tcp_read(r->ends[1], r->got + r->received, BYTES - r->received)) >
		       0)
			r->received += (size_t)n;
	} else if (event->what & (REEVE_CONNECTED | REEVE_WRITABLE)) {
		n = reeve_tcp_write(r->ends[0], bytes + r->written, BYTES - r->written);
		assert_true(n >= 0);
		r->written += (size_t)n;
	}
}

/* What a host has to say goes to the other. */
static bool turn(struct run *r, unsigned from)
{
	struct reeve_packet *frames[FRAMES];
	struct reeve_event event;
	size_t count = 0;

	while (reeve_host_next_event(r->hosts[from], &event))
		handle(r, &event);
	while (count < FRAMES &&
	       (frames[count] = reeve_host_output(r->hosts[from], r->now, &r->iface))) {
		if (reeve_packet_length(frames[count]) > r->longest)
			r->longest = reeve_packet_length(frames[count]);
		count++;
	}
	if (r->at_once)
		reeve_host_input_many(r->hosts[!from], r->iface, frames, count, r->now);
	for (size_t i = 0; i < count && !r->at_once; i++)
		reeve_host_input(r->hosts[!from], r->iface, frames[i], r->now);
	return count > 0;
}

static void transfer(struct run *r, struct reeve_host_stats ret[2])
{
	const struct reeve_sockaddr name = { .address = reeve_address_from_ipv4(0xc0000202u),
					     .port = 80 };

	r->pool = reeve_pool_new(&(struct reeve_pool_config){ 10000, 64 << 20 });
	assert_non_null(r->pool);
	for (unsigned i = 0; i < 2; i++)
		r->hosts[i] = new_host(r, (uint8_t)(i + 1));
	r->listener = reeve_tcp_new(r->hosts[1], REEVE_IPV4, NULL);
	r->ends[0] = reeve_tcp_new(r->hosts[0], REEVE_IPV4, NULL);
	assert_int_equal(reeve_tcp_bind(r->listener, &name), 0);
	assert_int_equal(reeve_tcp_listen(r->listener, 1), 0);
	assert_int_equal(reeve_tcp_connect(r->ends[0], &name, r->now), 0);
	while (r->received < BYTES || turn(r, 0) || turn(r, 1)) {
		const bool any = turn(r, 0);

		if (turn(r, 1) || any)
			continue;
		r->now = reeve_time_min(reeve_host_deadline(r->hosts[0]),
					reeve_host_deadline(r->hosts[1]));
		assert_false(reeve_time_is_never(r->now));
		for (unsigned i = 0; i < 2; i++)
			reeve_host_tick(r->hosts[i], r->now);
	}
	for (unsigned i = 0; i < 2; i++) {
		reeve_host_stats(r->hosts[i], &ret[i]);
		reeve_host_free(r->hosts[i]);
	}
	reeve_pool_free(r->pool);
}

static void test_same_outcome(void **state)
{
	static struct run runs[2];
	struct reeve_host_stats stats[2][2];

	(void)state;
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(i * i >> 7);
	for (unsigned i = 0; i < 2; i++) {
		runs[i].at_once = i == 1;
		transfer(&runs[i], stats[i]);
		assert_memory_equal(runs[i].got, bytes, BYTES);
		assert_int_equal(runs[i].longest, 1514);
		assert_int_equal(stats[i][1].tcp_bytes_in, BYTES);
		assert_int_equal(stats[i][0].tcp_retransmits, 0);
		for (unsigned side = 0; side < 2; side++) {
			for (unsigned d = 0; d < REEVE_DROP_COUNT; d++)
				assert_int_equal(stats[i][side].drops[d], 0);
			/* Each frame counts, whatever it was joined to. */
			assert_int_equal(stats[i][side].tcp_segments_out,
					 stats[i][!side].tcp_segments_in);
		}
	}
	assert_true(stats[1][1].ip_in < stats[0][1].ip_in / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_same_outcome) };

	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
