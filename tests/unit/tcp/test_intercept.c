/* Intercept listeners: which one, proceeding, refusing, bounds. */
#include "rig.h"

#include <errno.h>

static struct reeve_prefix prefix_of(const char *text)
{
	struct reeve_prefix p;

	assert_int_equal(reeve_prefix_parse(text, &p), 0);
	return p;
}

static void send_syn(struct rig *r, struct peer *p, uint16_t port, uint16_t to)
{
	*p = (struct peer){ .rig = r, .port = port, .host_port = to, .next = 100, .window = 1000 };
	peer_send(p, TCP_SYN, NULL, 0);
	p->next = 101;
}

/* The socket of the INTERCEPTED event that waits, and whose `user` it has. */
static struct reeve_tcp *intercepted(struct rig *r, void **ret_user)
{
	struct reeve_event e;

	while (reeve_host_next_event(r->host, &e)) {
		if (e.what & REEVE_INTERCEPTED) {
			*ret_user = e.user;
			return e.socket;
		}
	}
	return NULL;
}

static void test_proceed(void **state)
{
	struct rig r = { 0 };
	struct peer p;
	struct reeve_tcp *listener, *tcp;
	struct reeve_sockaddr name;
	int mark = 0;
	void *user = NULL;

	(void)state;
	rig_init(&r);
	assert_int_equal(reeve_tcp_intercept(r.host, NULL, 0, &mark, &listener), 0);
	send_syn(&r, &p, 1000, 4711);
	rig_none(&r); /* nothing is said before the decision */
	tcp = intercepted(&r, &user);
	assert_non_null(tcp);
	assert_ptr_equal(user, &mark);
	assert_int_equal(reeve_tcp_local(tcp, &name), 0);
	assert_int_equal(name.port, 4711);
	assert_int_equal(reeve_tcp_remote(tcp, &name), 0);
	assert_int_equal(name.port, 1000);
	p.next = 100; /* again: it is patient */
	peer_send(&p, TCP_SYN, NULL, 0);
	rig_none(&r);
	rig_pass_ms(&r, 10000);
	rig_none(&r);
	reeve_tcp_proceed(tcp);
	p.expected = rig_take(&r)->h.sequence + 1;
	p.next = 101;
	peer_send(&p, TCP_ACK, "hi", 2);
	assert_true(rig_events(&r, tcp) & REEVE_CONNECTED);
	assert_int_equal(reeve_tcp_readable(tcp), 2);
	reeve_tcp_close(listener);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	reeve_tcp_abort(tcp);
	rig_deinit(&r);
}

static void test_refuse(void **state)
{
	static const struct {
		enum reeve_refusal refusal;
		int code;
	} cases[] = {
		{ REEVE_REFUSE_RESET, -1 },
		{ REEVE_REFUSE_NETWORK_UNREACHABLE, 0 },
		{ REEVE_REFUSE_HOST_UNREACHABLE, 1 },
		{ REEVE_REFUSE_PROHIBITED, 13 },
	};
	struct rig r = { 0 };
	struct reeve_tcp *listener;
	void *user;

	(void)state;
	rig_init(&r);
	assert_int_equal(reeve_tcp_intercept(r.host, NULL, 0, NULL, &listener), 0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer p;

		rig_pass_ms(&r, 2000);
		r.icmp_seen = false;
		send_syn(&r, &p, (uint16_t)(1000 + i), 4711);
		reeve_tcp_refuse(intercepted(&r, &user), cases[i].refusal);
		rig_collect(&r);
		if (cases[i].code < 0) {
			const struct rig_segment *const s = rig_take(&r);

			assert_int_equal(s->h.flags, TCP_RST | TCP_ACK);
			assert_int_equal(s->h.acknowledgment, 101);
		} else {
			assert_true(r.icmp_seen);
			assert_int_equal(r.icmp_type, 3);
			assert_int_equal(r.icmp_code, cases[i].code);
		}
		rig_none(&r);
	}
	reeve_tcp_close(listener);
	assert_int_equal(r.host->tcp->count, 0);
	rig_deinit(&r);
}

/* The longest prefix, then the given port; an ordinary listener before all of them. */
static void test_which(void **state)
{
	static const struct {
		const char *prefix;
		uint16_t port;
	} all[] = {
		{ NULL, 0 },
		{ NULL, 90 },
		{ "192.0.2.0/24", 0 },
		{ "192.0.2.0/24", 91 },
		{ "203.0.113.0/24", 92 },
	};
	static const struct {
		uint16_t port;
		int which;
	} cases[] = { { 89, 2 }, { 90, 2 }, { 91, 3 }, { 92, 2 } };
	struct rig r = { 0 };
	struct reeve_tcp *listeners[5], *again;
	int marks[5];
	void *user = NULL;

	(void)state;
	rig_init(&r);
	for (unsigned i = 0; i < 5; i++) {
		const struct reeve_prefix p =
			all[i].prefix ? prefix_of(all[i].prefix) : prefix_of("0.0.0.0/0");

		assert_int_equal(reeve_tcp_intercept(r.host, all[i].prefix ? &p : NULL, all[i].port,
						     &marks[i], &listeners[i]),
				 0);
		assert_int_equal(reeve_tcp_intercept(r.host, all[i].prefix ? &p : NULL, all[i].port,
						     NULL, &again),
				 -EADDRINUSE);
	}
	for (unsigned i = 0; i < 4; i++) {
		struct peer p;

		send_syn(&r, &p, (uint16_t)(1000 + i), cases[i].port);
		struct reeve_tcp *const tcp = intercepted(&r, &user);

		assert_ptr_equal(user, &marks[cases[i].which]);
		reeve_tcp_refuse(tcp, REEVE_REFUSE_RESET);
	}
	for (unsigned i = 2; i < 4; i++)
		reeve_tcp_close(listeners[i]);

	struct peer p;

	send_syn(&r, &p, 2000, 90);
	reeve_tcp_close(intercepted(&r, &user));
	assert_ptr_equal(user, &marks[1]);

	struct reeve_tcp *const ordinary = rig_listen(&r, 5);

	rig_discard(&r);
	send_syn(&r, &p, 2001, RIG_PORT);
	assert_int_equal(rig_take(&r)->h.flags, TCP_SYN | TCP_ACK);
	reeve_tcp_close(ordinary);
	reeve_tcp_close(listeners[0]);
	reeve_tcp_close(listeners[1]);
	reeve_tcp_close(listeners[4]);
	rig_discard(&r);
	rig_deinit(&r);
}

static void test_bounds(void **state)
{
	struct rig r = { .max_sockets = 5000 };
	struct reeve_tcp *listeners[TCP_INTERCEPTS_MAX], *more;

	(void)state;
	rig_init(&r);
	for (uint16_t i = 0; i < TCP_INTERCEPTS_MAX; i++)
		assert_int_equal(reeve_tcp_intercept(r.host, NULL, i, NULL, &listeners[i]), 0);
	assert_int_equal(reeve_tcp_intercept(r.host, NULL, 999, NULL, &more), -ENOBUFS);

	const struct reeve_prefix none = { .address = reeve_any_ipv4, .length = 33 };

	assert_int_equal(reeve_tcp_intercept(r.host, &none, 999, NULL, &more), -EINVAL);
	for (unsigned i = 0; i < 3000; i++) {
		struct peer p;

		send_syn(&r, &p, (uint16_t)(1000 + i), 4711);
	}
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_BACKLOG), 3000 - TCP_INTERCEPT_WAIT);
	rig_none(&r);
	for (unsigned i = 0; i < TCP_INTERCEPTS_MAX; i++)
		reeve_tcp_close(listeners[i]);

	/* Those that wait are still the embedder's. */
	void *user;
	struct reeve_tcp *tcp;
	unsigned waiting = 0;

	while ((tcp = intercepted(&r, &user)) != NULL) {
		waiting++;
		reeve_tcp_refuse(tcp, REEVE_REFUSE_PROHIBITED);
	}
	assert_int_equal(waiting, TCP_INTERCEPT_WAIT);
	assert_int_equal(r.host->tcp->count, 0);
	rig_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proceed),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
