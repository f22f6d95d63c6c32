/* The table of the program's sockets against a plain array, and the queue of datagrams' names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/check.h"
#include "guest/socket.h"

#define SOCKETS 3000
#define STEPS   60000

struct entry {
	struct guest_socket *socket;
	uint64_t cookie, number;
};

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static void step(struct socket_table *t, struct entry *e, uint64_t *state)
{
	switch (next_random(state) % 4) {
	case 0:
		if (!e->socket) {
			e->socket = socket_new(t, SOCKET_TCP, AF_INET);
			assert_non_null(e->socket);
		} else {
			e->socket = socket_free(t, e->socket);
			e->cookie = e->number = 0;
		}
		return;
	case 1:
	case 2:
		if (e->socket && e->cookie == 0) {
			e->cookie = next_random(state) << 1 | 1;
			socket_set_cookie(t, e->socket, e->cookie);
		}
		return;
	default:
		if (e->socket) {
			e->number = next_random(state) << 1 | 1;
			socket_set_number(t, e->socket, e->number);
		}
		return;
	}
}

static void test_table(void **unused)
{
	static struct entry entries[SOCKETS];
	struct socket_table t;
	uint64_t state = 20;
	uint32_t count = 0;

	(void)unused;
	assert_int_equal(socket_table_init(&t), 0);
	for (int i = 0; i < STEPS; i++)
		step(&t, &entries[next_random(&state) % SOCKETS], &state);
	for (int i = 0; i < SOCKETS; i++) {
		const struct entry *e = &entries[i];

		if (e->cookie)
			assert_ptr_equal(socket_by_cookie(&t, e->cookie), e->socket);
		if (e->number)
			assert_ptr_equal(socket_by_number(&t, e->number), e->socket);
		count += e->socket != NULL;
	}
	assert_int_equal(t.count, count);
	assert_true(count > SOCKETS / 4);
	assert_null(socket_by_cookie(&t, 2));
	assert_null(socket_by_number(&t, 2));
	socket_table_deinit(&t);
}

static void test_datagrams(void **unused)
{
	struct socket_datagrams d = { 0 };
	uint32_t pushed = 0, popped = 0;
	uint64_t bytes = 0;

	(void)unused;
	assert_null(socket_datagram_first(&d));
	for (int round = 0; round < 2000; round++) {
		const struct socket_datagram in = { .length = pushed + 1, .charge = pushed + 1 };

		socket_datagram_push(&d, &in);
		bytes += ++pushed;
		if (round % 3 == 0) {
			assert_int_equal(socket_datagram_first(&d)->length, popped + 1);
			socket_datagram_pop(&d);
			bytes -= ++popped;
		}
		assert_int_equal(d.charged, bytes);
		assert_int_equal(d.count, pushed - popped);
	}
	while (d.count) {
		assert_int_equal(socket_datagram_first(&d)->length, ++popped);
		socket_datagram_pop(&d);
	}
	assert_int_equal(popped, pushed);
	assert_int_equal(d.charged, 0);
	free(d.ring);
}

/* Over the limit the oldest goes, and the sum stays right. */
static void test_datagrams_are_bounded(void **unused)
{
	struct socket_datagrams d = { 0 };

	(void)unused;
	for (uint32_t i = 0; i < SOCKET_DATAGRAMS + 10; i++) {
		const struct socket_datagram in = { .charge = 2, .remote.port = (uint16_t)i };

		socket_datagram_push(&d, &in);
	}
	assert_int_equal(d.count, SOCKET_DATAGRAMS);
	assert_int_equal(d.charged, 2 * SOCKET_DATAGRAMS);
	assert_int_equal(socket_datagram_first(&d)->remote.port, 10);
	free(d.ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_datagrams_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
