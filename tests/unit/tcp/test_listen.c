/* Listeners: queues and their bounds, floods, and closing with connections in every stage. Hazards
 * 21 and 22. */
#include "rig.h"

#include <errno.h>

static void send_syn(struct rig *r, struct peer *p, uint16_t port)
{
	*p = (struct peer){
		.rig = r, .port = port, .host_port = RIG_PORT, .next = 100, .window = 1000
	};
	peer_send(p, TCP_SYN, NULL, 0);
}

/* The host's answer to it, and the peer's to that. */
static void finish(struct peer *p)
{
	const struct rig_segment *const s = rig_take(p->rig);

	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	p->expected = s->h.sequence + 1;
	peer_ack(p);
}

/* As in Linux, backlog + 1 wait; the next SYN is dropped, the next ACK has to come again. */
static void test_backlog(void **state)
{
	struct rig r = { 0 };
	struct peer p[6];
	unsigned accepted = 0;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 3);
	struct reeve_tcp *tcp;

	for (unsigned i = 0; i < 5; i++)
		send_syn(&r, &p[i], (uint16_t)(1000 + i));
	for (unsigned i = 0; i < 5; i++)
		finish(&p[i]);
	rig_none(&r);
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_BACKLOG), 1);
	send_syn(&r, &p[5], 2000);
	rig_none(&r);
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_BACKLOG), 2);
	while ((tcp = reeve_tcp_accept(listener, NULL)) != NULL) {
		accepted++;
		reeve_tcp_abort(tcp);
	}
	assert_int_equal(accepted, 4);
	rig_discard(&r);
	/* The fifth's SYN and ACK comes again, and its answer finds room. */
	rig_pass_ms(&r, 1100);
	assert_int_equal(rig_take(&r)->h.flags, TCP_SYN | TCP_ACK);
	peer_ack(&p[4]);
	tcp = reeve_tcp_accept(listener, NULL);
	assert_non_null(tcp);
	reeve_tcp_abort(tcp);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* RFC 4987: a flood of SYNs takes bounded memory, and after it there is room again. */
static void test_flood(void **state)
{
	struct rig r = { 0 };
	struct peer p;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 50);

	for (unsigned i = 0; i < 5000; i++) {
		send_syn(&r, &p, (uint16_t)(1000 + i));
		rig_discard(&r);
	}
	assert_int_equal(r.host->tcp->half_open, 51);
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_BACKLOG), 0);
	assert_int_equal(rig_stats(&r).tcp_cookies_out, 5000 - 51);
	/* Who comes now is known by its cookie. */
	rig_pass_ms(&r, 1100);
	rig_discard(&r);
	send_syn(&r, &p, 9000);
	finish(&p);

	struct reeve_tcp *const tcp = reeve_tcp_accept(listener, NULL);

	assert_non_null(tcp);
	reeve_tcp_abort(tcp);
	rig_pass_ms(&r, 100000);
	assert_int_equal(r.host->tcp->half_open, 0);
	reeve_tcp_close(listener);
	assert_int_equal(r.host->tcp->count, 0);
	assert_int_equal(port_demux_flow_count(r.host->tcp->demux), 0);
	rig_deinit(&r);
}

/* Hazard 22: an RST in SYN-RECEIVED gives its place back. */
static void test_reset_gives_place_back(void **state)
{
	struct rig r = { 0 };
	struct peer p;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 0);

	for (unsigned i = 0; i < 1000; i++) {
		send_syn(&r, &p, (uint16_t)(1000 + i));
		p.expected = rig_take(&r)->h.sequence + 1;
		p.next += 5; /* a wrong one is answered, and changes nothing */
		peer_send(&p, TCP_RST, NULL, 0);
		assert_int_equal(r.host->tcp->half_open, 1);
		p.next -= 5;
		peer_send(&p, TCP_RST, NULL, 0);
		assert_int_equal(r.host->tcp->half_open, 0);
		rig_discard(&r);
	}
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_BACKLOG), 0);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* Hazard 22: half-open ones vanish, waiting ones are reset, accepted ones live on. */
static void test_close_with_children(void **state)
{
	struct rig r = { 0 };
	struct peer half, waiting, accepted;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	send_syn(&r, &accepted, 1000);
	finish(&accepted);

	struct reeve_tcp *const tcp = reeve_tcp_accept(listener, NULL);

	send_syn(&r, &waiting, 1001);
	finish(&waiting);
	send_syn(&r, &half, 1002);
	half.expected = rig_take(&r)->h.sequence + 1;
	reeve_tcp_close(listener);

	const struct rig_segment *const s = rig_take(&r);

	assert_true(s->h.flags & TCP_RST);
	assert_int_equal(s->h.destination_port, 1001);
	rig_none(&r);
	assert_int_equal(r.host->tcp->half_open, 0);
	peer_ack(&half); /* nobody's now */
	assert_int_equal(rig_take(&r)->h.flags, TCP_RST);
	peer_send(&accepted, TCP_ACK, "still here", 10);
	assert_int_equal(reeve_tcp_readable(tcp), 10);
	reeve_tcp_abort(tcp);
	assert_int_equal(port_space_count(r.host->tcp->space), 0);
	rig_deinit(&r);
}

/* A connection that ends before it is accepted is still accepted, and tells how it ended. */
static void test_end_before_accept(void **state)
{
	struct rig r = { 0 };
	struct peer a, b;
	char byte;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	send_syn(&r, &a, 1000);
	finish(&a);
	peer_send(&a, TCP_ACK, "x", 1);
	peer_send(&a, TCP_RST, NULL, 0);
	send_syn(&r, &b, 1001);
	rig_take(&r); /* of the data */
	finish(&b);
	peer_send(&b, TCP_FIN | TCP_ACK, "y", 1);

	struct reeve_tcp *const first = reeve_tcp_accept(listener, NULL);
	struct reeve_tcp *const second = reeve_tcp_accept(listener, NULL);

	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(reeve_tcp_state(first), REEVE_TCP_CLOSED);
	assert_int_equal(reeve_tcp_read(first, &byte, 1), 1);
	assert_int_equal(reeve_tcp_read(first, &byte, 1), -ECONNRESET);
	assert_true(rig_events(&r, second) & REEVE_PEER_CLOSED);
	assert_int_equal(reeve_tcp_read(second, &byte, 1), 1);
	assert_int_equal(reeve_tcp_read(second, &byte, 1), 0);
	reeve_tcp_close(first);
	reeve_tcp_abort(second);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* Nobody listens: RST as RFC 9293, 3.10.7.1 says; an RST is never answered. */
static void test_nobody_listens(void **state)
{
	struct rig r = { 0 };
	struct peer p = { .rig = &r, .port = 1000, .host_port = 81, .next = 500, .expected = 77 };
	const struct rig_segment *s;

	(void)state;
	rig_init(&r);
	peer_send(&p, TCP_SYN, "data", 4);
	s = rig_take(&r);
	assert_int_equal(s->h.flags, TCP_RST | TCP_ACK);
	assert_int_equal(s->h.sequence, 0);
	assert_int_equal(s->h.acknowledgment, 505);
	peer_send(&p, TCP_ACK, NULL, 0);
	s = rig_take(&r);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.sequence, 77);
	peer_send(&p, TCP_RST | TCP_ACK, NULL, 0);
	peer_send(&p, TCP_RST, NULL, 0);
	rig_none(&r);
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_NO_PORT), 4);
	rig_deinit(&r);
}

static void test_conflicts(void **state)
{
	struct rig r = { 0 };
	const struct reeve_sockaddr any = rig_name("0.0.0.0", 0);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const a = rig_listen(&r, 5);
	struct reeve_tcp *const b = reeve_tcp_new(r.host, REEVE_IPV4, NULL);
	const struct reeve_sockaddr same = rig_name("192.0.2.1", RIG_PORT);
	struct reeve_sockaddr name;

	assert_int_equal(reeve_tcp_bind(b, &same), -EADDRINUSE);
	assert_int_equal(reeve_tcp_bind(b, &any), 0);
	assert_int_equal(reeve_tcp_bind(b, &any), -EINVAL);
	assert_int_equal(reeve_tcp_listen(b, 5), 0);
	assert_int_equal(reeve_tcp_local(b, &name), 0);
	assert_in_range(name.port, 49152, 65535);
	assert_int_equal(reeve_tcp_listen(b, 7), 0); /* the backlog only */
	assert_int_equal(reeve_tcp_connect(b, &same, r.now), -EINVAL);
	reeve_tcp_close(b);

	/* A fresh socket may listen too. */
	struct reeve_tcp *const c = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_listen(c, 5), 0);
	assert_int_equal(reeve_tcp_local(c, &name), 0);
	assert_true(name.port >= 49152);
	reeve_tcp_close(c);
	reeve_tcp_close(a);
	assert_int_equal(port_space_count(r.host->tcp->space), 0);
	rig_deinit(&r);
}

/* Who would get a SYN is known before it comes: as demultiplexing has it, for these two ends. */
static void test_who_listens(void **state)
{
	struct rig r = { 0 };
	const struct reeve_sockaddr to = rig_name("192.0.2.1", RIG_PORT);
	struct reeve_sockaddr from = rig_name("192.0.2.2", RIG_PEER);
	const struct reeve_sockaddr elsewhere = rig_name("192.0.2.1", RIG_PORT + 1);
	struct reeve_tcp *shares[2];
	char names[2] = { 0 };
	struct peer p;

	(void)state;
	rig_init(&r);
	assert_null(reeve_tcp_listener(r.host, &to, &from));
	for (unsigned i = 0; i < 2; i++) {
		shares[i] = reeve_tcp_new(r.host, REEVE_IPV4, &names[i]);
		assert_int_equal(reeve_tcp_set(shares[i], REEVE_TCP_REUSE_PORT, 1), 0);
		assert_int_equal(reeve_tcp_bind(shares[i], &to), 0);
		assert_int_equal(reeve_tcp_listen(shares[i], 100), 0);
	}
	assert_null(reeve_tcp_listener(r.host, &elsewhere, &from));
	for (unsigned i = 0; i < 32; i++) {
		from.port = (uint16_t)(1000 + i);
		const void *const user = reeve_tcp_listener(r.host, &to, &from);

		assert_true(user == &names[0] || user == &names[1]);
		send_syn(&r, &p, from.port);
		finish(&p);

		struct reeve_tcp *const tcp = reeve_tcp_accept(shares[user == &names[1]], NULL);

		assert_non_null(tcp);
		reeve_tcp_abort(tcp);
		rig_discard(&r);
	}
	reeve_tcp_close(shares[0]);
	assert_ptr_equal(reeve_tcp_listener(r.host, &to, &from), &names[1]);
	reeve_tcp_close(shares[1]);
	assert_null(reeve_tcp_listener(r.host, &to, &from));
	rig_deinit(&r);
}

/* The walk over all sockets sees each once. */
static void test_listing(void **state)
{
	struct rig r = { 0 };
	struct peer p[3];
	uint64_t cursor = 0;
	unsigned states[REEVE_TCP_TIME_WAIT + 1] = { 0 };
	struct reeve_socket_info info;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	for (unsigned i = 0; i < 3; i++) {
		send_syn(&r, &p[i], (uint16_t)(1000 + i));
		if (i < 2)
			finish(&p[i]);
	}

	struct reeve_tcp *const tcp = reeve_tcp_accept(listener, &r);

	while (reeve_host_next_socket(r.host, &cursor, &info)) {
		states[info.state]++;
		if (info.state == REEVE_TCP_LISTEN) {
			assert_int_equal(info.local.port, RIG_PORT);
			assert_int_equal(info.receive_queue, 1);
			assert_int_equal(info.send_queue, 5);
		}
		if (info.state == REEVE_TCP_ESTABLISHED)
			assert_in_range(info.remote.port, 1000, 1002);
	}
	assert_int_equal(states[REEVE_TCP_LISTEN], 1);
	assert_int_equal(states[REEVE_TCP_ESTABLISHED], 2);
	assert_int_equal(states[REEVE_TCP_SYN_RECEIVED], 1);
	reeve_tcp_abort(tcp);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

static void test_host_limit(void **state)
{
	struct rig r = { .max_sockets = 4 };
	struct reeve_tcp *sockets[4];

	(void)state;
	rig_init(&r);
	for (unsigned i = 0; i < 4; i++) {
		sockets[i] = reeve_tcp_new(r.host, REEVE_IPV4, NULL);
		assert_non_null(sockets[i]);
	}
	assert_null(reeve_tcp_new(r.host, REEVE_IPV4, NULL));
	reeve_tcp_close(sockets[0]);
	sockets[0] = reeve_tcp_new(r.host, REEVE_IPV4, NULL);
	assert_non_null(sockets[0]);
	for (unsigned i = 0; i < 4; i++)
		reeve_tcp_close(sockets[i]);
	rig_deinit(&r);
}

static void test_options_pass_on(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_NO_DELAY, 1), 0);
	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_SEND_BUFFER, 50000), 0);
	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_CONGESTION_CONTROL, REEVE_RENO), 0);
	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_MAX_SEGMENT, 1000), 0);
	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_MAX_SEGMENT, 50), -EINVAL);
	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_TTL, 0), -EINVAL);
	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_OPTION_COUNT, 0), -EINVAL);

	struct reeve_tcp *const tcp = peer_accept(&p, &r, listener, &peer_modern);
	struct reeve_tcp_info info;

	assert_int_equal(reeve_tcp_get(tcp, REEVE_TCP_NO_DELAY), 1);
	assert_int_equal(reeve_tcp_get(tcp, REEVE_TCP_SEND_BUFFER), 50000);
	reeve_tcp_info(tcp, &info);
	assert_string_equal(info.congestion_control, "reno");
	assert_int_equal(info.send_mss, 988);
	reeve_tcp_abort(tcp);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* At the host's limit a handshake that has begun can be ended: it needs no second place. */
static void test_promotion_at_the_limit(void **state)
{
	struct rig r = { .max_sockets = 10 };
	struct reeve_tcp *more[10];
	struct peer p;
	unsigned count = 0;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	send_syn(&r, &p, 1000);
	while (count < 10 && (more[count] = reeve_tcp_new(r.host, REEVE_IPV4, NULL)) != NULL)
		count++;
	assert_int_equal(count, 8);
	finish(&p);

	struct reeve_tcp *const tcp = reeve_tcp_accept(listener, NULL);

	assert_non_null(tcp);
	while (count > 0)
		reeve_tcp_close(more[--count]);
	/* Nor does the record of TIME-WAIT. */
	reeve_tcp_close(tcp);
	peer_take(&p);
	while (count < 10 && (more[count] = reeve_tcp_new(r.host, REEVE_IPV4, NULL)) != NULL)
		count++;
	peer_send(&p, TCP_FIN | TCP_ACK, NULL, 0);
	assert_int_equal(rig_stats(&r).tcp_time_wait, 1);
	while (count > 0)
		reeve_tcp_close(more[--count]);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* Half-open, and the SYN comes again and again: it ends all the same. */
static void test_half_open_ends(void **state)
{
	struct rig r = { 0 };
	struct peer p;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	send_syn(&r, &p, 1000);
	for (unsigned i = 0; i < 100; i++) {
		p.next = 100;
		peer_send(&p, TCP_SYN, NULL, 0);
		rig_pass_ms(&r, 900);
		rig_discard(&r);
	}
	assert_int_equal(rig_stats(&r).tcp_failed, 1);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* A listener that would rather have data: an ACK alone is kept until the answer is sent again at
 * the time's end; data and a FIN are taken at once. */
static void test_deferred_accept(void **state)
{
	struct rig r = { 0 };
	struct peer late, prompt, ended, dead;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_DEFER_ACCEPT_S, 3), 0);
	assert_int_equal(reeve_tcp_get(listener, REEVE_TCP_DEFER_ACCEPT_S), 3);
	send_syn(&r, &late, 1000);
	finish(&late);
	send_syn(&r, &prompt, 1001);
	finish(&prompt);
	send_syn(&r, &ended, 1002);
	finish(&ended);
	send_syn(&r, &dead, 1003);
	finish(&dead);
	rig_none(&r);
	assert_null(reeve_tcp_accept(listener, NULL));

	peer_send(&prompt, TCP_ACK, "data", 4);
	struct reeve_tcp *tcp = reeve_tcp_accept(listener, NULL);
	struct reeve_sockaddr name;

	assert_non_null(tcp);
	assert_int_equal(reeve_tcp_remote(tcp, &name), 0);
	assert_int_equal(name.port, 1001);
	assert_int_equal(reeve_tcp_readable(tcp), 4);
	reeve_tcp_abort(tcp);
	peer_send(&ended, TCP_FIN | TCP_ACK, NULL, 0);
	tcp = reeve_tcp_accept(listener, NULL);
	assert_non_null(tcp);
	assert_true(reeve_tcp_peer_closed(tcp));
	reeve_tcp_abort(tcp);
	rig_discard(&r);

	/* After 1 s nothing is said, and a lone ACK changes nothing. */
	rig_pass_ms(&r, 2900);
	rig_none(&r);
	peer_ack(&late);
	assert_null(reeve_tcp_accept(listener, NULL));
	rig_pass_ms(&r, 200);
	assert_int_equal(rig_take(&r)->h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(rig_take(&r)->h.flags, TCP_SYN | TCP_ACK);
	peer_ack(&late);
	tcp = reeve_tcp_accept(listener, NULL);
	assert_non_null(tcp);
	reeve_tcp_abort(tcp);
	/* Who does not answer that is given up as any other. */
	rig_pass_ms(&r, 100000);
	assert_int_equal(rig_stats(&r).tcp_failed, 1);
	assert_null(reeve_tcp_accept(listener, NULL));
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* A connection that failed leaves no name behind: listen takes the wildcard. */
static void test_listen_after_failure(void **state)
{
	struct rig r = { 0 };
	const struct reeve_sockaddr to = rig_name("192.0.2.1", 9);
	struct reeve_sockaddr name;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV6, NULL);

	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);
	rig_pass_ms(&r, 10);
	assert_true(rig_events(&r, tcp) & REEVE_FAILED);
	assert_int_equal(reeve_tcp_error(tcp), ECONNREFUSED);
	assert_int_equal(reeve_tcp_listen(tcp, 1), 0);
	assert_int_equal(reeve_tcp_local(tcp, &name), 0);
	assert_true(reeve_address_equal(&name.address, &reeve_any_ipv6));
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_reset_gives_place_back),
		cmocka_unit_test(test_close_with_children),
		cmocka_unit_test(test_end_before_accept),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_who_listens),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_host_limit),
		cmocka_unit_test(test_options_pass_on),
		cmocka_unit_test(test_promotion_at_the_limit),
		cmocka_unit_test(test_half_open_ends),
		cmocka_unit_test(test_deferred_accept),
		cmocka_unit_test(test_listen_after_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
