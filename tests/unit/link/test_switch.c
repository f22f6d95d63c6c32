/*
 * The switch against a slow reference: an array of what was learned, looked through from one end.
 */
#include "link/switch.h"

#include <errno.h>

#include "../base/cmocka_all.h"
#include "../base/seed.h"
#include "base/packet.h"
#include "frames.h"

#define PORTS    6
#define STATIONS 8
#define QUEUE    5
#define AGEING_S 300
#define MACS     14
#define ALL      (REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 | REEVE_OFFLOAD_TCP6)

struct known {
	uint8_t mac;
	int port;
	int64_t heard_s;
};

struct reference {
	struct known known[STATIONS]; /* the longest unheard first */
	int count;
	uint32_t queued[PORTS][QUEUE]; /* numbers of frames */
	int lengths[PORTS];
	uint64_t dropped[PORTS];
};

static int find(const struct reference *m, uint8_t mac)
{
	for (int i = 0; i < m->count; i++) {
		if (m->known[i].mac == mac)
			return i;
	}
	return -1;
}

static void forget(struct reference *m, int i)
{
	m->count--;
	memmove(&m->known[i], &m->known[i + 1], (size_t)(m->count - i) * sizeof(m->known[0]));
}

static void learn(struct reference *m, uint8_t mac, int port, int64_t now_s)
{
	int i = find(m, mac);

	if (i < 0 && m->count == STATIONS) {
		for (i = 0; i < m->count && m->known[i].port != port; i++)
			continue;
		if (i == m->count) {
			if (now_s - m->known[0].heard_s < AGEING_S)
				return;
			i = 0;
		}
	}
	if (i >= 0)
		forget(m, i);
	m->known[m->count++] = (struct known){ mac, port, now_s };
}

static void enqueue(struct reference *m, int port, uint32_t number)
{
	if (m->lengths[port] == QUEUE)
		m->dropped[port]++;
	else
		m->queued[port][m->lengths[port]++] = number;
}

static void forward(struct reference *m, int from, uint8_t to, uint32_t number, int64_t now_s)
{
	const int i = find(m, to);

	if (i >= 0 && now_s - m->known[i].heard_s < AGEING_S) {
		if (m->known[i].port != from)
			enqueue(m, m->known[i].port, number);
		return;
	}
	for (int port = 0; port < PORTS; port++) {
		if (port != from)
			enqueue(m, port, number);
	}
}

/* Addresses are 02:..:mac, but group addresses where the number is odd and over 9. */
static struct reeve_packet *frame(struct reeve_pool *pool, uint8_t to, uint8_t from,
				  uint32_t number)
{
	uint8_t bytes[60] = { [0] = 2, [5] = to, [6] = 2, [11] = from, [12] = 8 };

	if (to > 9 && to % 2)
		bytes[0] = 3;
	if (from > 9 && from % 2)
		bytes[6] = 3;
	store_be32(bytes + 20, number);
	return reeve_packet_from_bytes(pool, bytes, sizeof(bytes), NULL);
}

static uint32_t number_of(struct reeve_packet *p)
{
	uint8_t bytes[4];

	assert_non_null(p);
	packet_copy(p, 20, 4, bytes);
	reeve_packet_free(p);
	return load_be32(bytes);
}

static void drain(struct reference *m, struct link *link, int port, struct reeve_time now)
{
	for (int i = 0; i < m->lengths[port]; i++)
		assert_int_equal(number_of(link_receive(link, now)), m->queued[port][i]);
	assert_null(link_receive(link, now));
	m->lengths[port] = 0;
}

static void test_random(void **state)
{
	(void)state;
	struct random r = seeded(0x5317);
	struct reeve_pool *pool = reeve_pool_new(&(struct reeve_pool_config){ 100, 1 << 20 });
	const struct switch_config config = { PORTS, STATIONS, QUEUE, 1 << 20, AGEING_S, { 1, 2 } };
	struct switch_ *s = switch_new(&config);
	struct reference m = { 0 };
	struct link *links[PORTS];
	int64_t now_s = 0;
	unsigned index;

	for (unsigned i = 0; i < PORTS; i++) {
		assert_int_equal(switch_add_port(s, 1500, ALL, &links[i], &index), 0);
		assert_int_equal(index, i);
	}
	for (uint32_t number = 0; number < 200000; number++) {
		const int port = (int)random_below(&r, PORTS);
		const uint8_t to = (uint8_t)random_below(&r, MACS);
		const uint8_t from = (uint8_t)random_below(&r, MACS);
		const struct reeve_time now = { now_s * REEVE_NS_PER_S };

		if (random_below(&r, 3) == 0) {
			drain(&m, links[port], port, now);
			continue;
		}
		if (from <= 9 || from % 2 == 0)
			learn(&m, from, port, now_s);
		if (to > 9 && to % 2)
			forward(&m, port, 255, number, now_s);
		else
			forward(&m, port, to, number, now_s);
		link_send(links[port], frame(pool, to, from, number), now);
		assert_int_equal(links[port]->stats.dropped, m.dropped[port]);
		if (random_below(&r, 10) == 0)
			now_s += (int64_t)random_below(&r, 100);
		if (random_below(&r, 500) == 0)
			now_s += AGEING_S;
	}
	struct switch_stats stats;

	switch_stats(s, &stats);
	assert_int_equal(stats.stations, m.count);
	assert_true(stats.forwarded > 1000 && stats.flooded > 1000 && stats.filtered > 1000);
	for (int i = 0; i < PORTS; i++)
		link_free(links[i]);
	switch_free(s);
	reeve_pool_free(pool);
}

/* Each port with news is given out once, and again only after more has come. */
static void test_ready(void **state)
{
	(void)state;
	struct reeve_pool *pool = reeve_pool_new(&(struct reeve_pool_config){ 100, 1 << 20 });
	const struct switch_config config = { 3, 8, 10, 1 << 20, AGEING_S, { 1, 2 } };
	struct switch_ *s = switch_new(&config);
	const struct reeve_time now = { 0 };
	struct link *links[3], *more;
	unsigned index;

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(switch_add_port(s, 1500, ALL, &links[i], &index), 0);
	assert_int_equal(switch_add_port(s, 1500, ALL, &more, &index), -ENOSPC);
	assert_false(switch_next_ready(s, &index));
	link_send(links[1], frame(pool, 5, 1, 7), now);
	link_send(links[1], frame(pool, 5, 1, 8), now);
	assert_true(switch_next_ready(s, &index));
	assert_int_equal(index, 0);
	assert_true(switch_next_ready(s, &index));
	assert_int_equal(index, 2);
	assert_false(switch_next_ready(s, &index));
	assert_int_equal(number_of(link_receive(links[0], now)), 7);
	assert_false(switch_next_ready(s, &index)); /* 8 still waits, but it is no news */
	link_send(links[1], frame(pool, 5, 1, 9), now);
	assert_true(switch_next_ready(s, &index));
	link_free(links[0]);
	link_free(links[2]); /* while ready */
	assert_false(switch_next_ready(s, &index));
	assert_int_equal(switch_add_port(s, 1500, ALL, &links[0], &index), 0);
	assert_int_equal(index, 0);
	link_send(links[0], frame(pool, 1, 5, 10), now); /* 1 is known */
	assert_int_equal(number_of(link_receive(links[1], now)), 10);
	link_free(links[1]);
	link_send(links[0], frame(pool, 1, 5, 11), now); /* forgotten with its port */
	link_free(links[0]);
	switch_free(s);
	reeve_pool_free(pool);
}

/* Longer than the port's MTU, shorter than a header, to a bridge's own addresses: not passed on. */
static void test_not_passed(void **state)
{
	(void)state;
	struct reeve_pool *pool = reeve_pool_new(&(struct reeve_pool_config){ 100, 1 << 20 });
	const struct switch_config config = { 2, 8, 10, 5000, AGEING_S, { 1, 2 } };
	struct switch_ *s = switch_new(&config);
	const struct reeve_time now = { 0 };
	static uint8_t bytes[4000] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };
	static const uint8_t bridges[] = { 0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 2, 8, 0 };
	struct switch_stats stats;
	struct link *a, *b;
	unsigned index;

	assert_int_equal(switch_add_port(s, 3000, 0, &a, &index), 0);
	assert_int_equal(switch_add_port(s, 1500, 0, &b, &index), 0);
	link_send(a, reeve_packet_from_bytes(pool, bytes, 1519, NULL), now);
	assert_int_equal(b->stats.dropped, 1);
	link_send(a, reeve_packet_from_bytes(pool, bytes, 1518, NULL), now);
	assert_int_equal(b->stats.dropped, 1);
	link_send(a, reeve_packet_from_bytes(pool, bytes, 13, NULL), now);
	link_send(a, reeve_packet_from_bytes(pool, bridges, 14, NULL), now);
	switch_stats(s, &stats);
	assert_int_equal(stats.malformed, 1);
	assert_int_equal(stats.filtered, 1);
	for (int i = 0; i < 4; i++) /* 5,000 bytes hold three of them */
		link_send(a, reeve_packet_from_bytes(pool, bytes, 1500, NULL), now);
	assert_int_equal(b->stats.dropped, 3);
	link_free(a);
	link_free(b);
	switch_free(s);
	reeve_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_not_passed),
	};

	return cmocka_run_group_tests_name("switch", tests, NULL, NULL);
}
