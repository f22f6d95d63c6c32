/* Opening: active, passive, simultaneous, refused, lost, and what the options agree upon. */
#include "rig.h"

#include <errno.h>

static void test_passive(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);
	struct reeve_tcp *const tcp = peer_accept(&p, &r, listener, &peer_modern);
	struct reeve_tcp_info info;

	assert_int_equal(rig_events(&r, listener), REEVE_ACCEPTABLE);
	reeve_tcp_info(tcp, &info);
	assert_true(info.timestamps && info.sack && info.window_scaling);
	assert_int_equal(info.send_scale, 7);
	assert_int_equal(info.send_mss, 1448);
	assert_int_equal(rig_stats(&r).tcp_passive_opens, 1);
	reeve_tcp_abort(tcp);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

static void test_plain_peer(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);
	struct reeve_tcp *const tcp = peer_accept(&p, &r, listener, &peer_plain);
	struct reeve_tcp_info info;

	reeve_tcp_info(tcp, &info);
	assert_false(info.timestamps || info.sack || info.window_scaling);
	assert_int_equal(info.send_mss, 1460);
	reeve_tcp_abort(tcp);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

static void test_active(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = peer_connected(&p, &r, &peer_modern);

	assert_int_equal(rig_events(&r, tcp), REEVE_CONNECTED | REEVE_WRITABLE);
	assert_int_equal(reeve_tcp_unsent(tcp), 0);
	reeve_tcp_abort(tcp);
	assert_int_equal(rig_take(&r)->h.flags, TCP_RST | TCP_ACK);
	rig_deinit(&r);
}

/* The SYN offers everything; its window is not scaled; its MSS is the interface's. */
static void test_syn(void **state)
{
	struct rig r = { .mtu = 900 };
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), -EALREADY);

	const struct rig_segment *const s = rig_take(&r);

	assert_int_equal(s->h.flags, TCP_SYN);
	assert_int_equal(s->h.options.mss, 860);
	assert_true(s->h.options.sack_permitted && s->h.options.has_timestamps);
	assert_true(s->h.options.has_window_scale);
	assert_int_equal(s->h.window, 65535);
	assert_int_equal(s->length, 0);
	assert_in_range(s->h.source_port, 49152, 65535);
	reeve_tcp_close(tcp);
	rig_none(&r);
	rig_deinit(&r);
}

/* 1, 2, 4, 8, 16, 32 s, then ETIMEDOUT after 64 more. */
static void test_syn_is_repeated(void **state)
{
	struct rig r = { 0 };
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);

	struct reeve_time last = rig_take(&r)->at;

	rig_pass_ms(&r, 126000);
	for (int64_t wait_s = 1; wait_s <= 32; wait_s *= 2) {
		const struct rig_segment *const s = rig_take(&r);
		const int64_t ns = reeve_time_since(s->at, last);

		assert_int_equal(s->h.flags, TCP_SYN);
		assert_in_range(ns, wait_s * REEVE_NS_PER_S,
				wait_s * REEVE_NS_PER_S + 10 * REEVE_NS_PER_MS);
		last = s->at;
	}
	rig_none(&r);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_SYN_SENT);
	rig_pass_ms(&r, 2000);
	assert_int_equal(rig_events(&r, tcp), REEVE_FAILED);
	assert_int_equal(reeve_tcp_error(tcp), ETIMEDOUT);
	assert_int_equal(reeve_tcp_error(tcp), 0);
	/* It may try again. */
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);
	assert_int_equal(rig_take(&r)->h.flags, TCP_SYN);
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

static void test_refused(void **state)
{
	struct rig r = { 0 };
	struct peer p = { .rig = &r, .port = 80 };
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);

	const struct rig_segment *const s = rig_take(&r);

	p.host_port = s->h.source_port;
	p.expected = s->h.sequence + 1;

	/* An RST without ACK, or for something else, is blind. */
	peer_send(&p, TCP_RST, NULL, 0);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_SYN_SENT);
	p.expected++;
	peer_send(&p, TCP_RST | TCP_ACK, NULL, 0);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_SYN_SENT);
	p.expected--;
	peer_send(&p, TCP_RST | TCP_ACK, NULL, 0);
	assert_int_equal(rig_events(&r, tcp), REEVE_FAILED);
	assert_int_equal(reeve_tcp_error(tcp), ECONNREFUSED);
	assert_int_equal(rig_stats(&r).tcp_failed, 1);
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

/* A host that has sent its SYN to the peer's port 80. */
static struct reeve_tcp *connecting(struct rig *r, struct peer *p)
{
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);

	rig_init(r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r->host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_connect(tcp, &to, r->now), 0);

	const struct rig_segment *const syn = rig_take(r);

	*p = (struct peer){
		.rig = r,
		.port = 80,
		.host_port = syn->h.source_port,
		.next = 900,
		.expected = syn->h.sequence + 1,
		.window = 5000,
	};
	return tcp;
}

/* And nothing else. */
static void expect_acknowledgment(const struct peer *p)
{
	const struct rig_segment *const s = rig_take(p->rig);

	assert_int_equal(s->h.flags, TCP_ACK);
	assert_int_equal(s->h.acknowledgment, p->next);
	rig_none(p->rig);
}

/* RFC 9293, figure 8. */
static void test_simultaneous_open(void **state)
{
	struct rig r = { 0 };
	struct peer p;

	(void)state;

	struct reeve_tcp *const tcp = connecting(&r, &p);

	p.expected--; /* the SYN comes once more */
	peer_send(&p, TCP_SYN, NULL, 0);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_SYN_RECEIVED);

	const struct rig_segment *const s = peer_take(&p);

	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(s->h.acknowledgment, p.next);
	/* Theirs crosses ours: SYN and ACK again with the SYN's number. */
	p.next--;
	peer_send(&p, TCP_SYN | TCP_ACK, NULL, 0);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	assert_true(rig_events(&r, tcp) & REEVE_CONNECTED);
	rig_discard(&r);
	peer_send(&p, TCP_ACK | TCP_PSH, "x", 1);
	assert_int_equal(reeve_tcp_readable(tcp), 1);
	reeve_tcp_abort(tcp);
	rig_deinit(&r);
}

/* The SYN, and SYN and ACK, of the peer in one turn: what we owe it then is an acknowledgment. */
static void test_simultaneous_open_in_one_turn(void **state)
{
	struct rig r = { 0 };
	struct peer p;

	(void)state;

	struct reeve_tcp *const tcp = connecting(&r, &p);

	r.holds = true;
	peer_send(&p, TCP_SYN, NULL, 0);
	p.next--;
	peer_send(&p, TCP_SYN | TCP_ACK, NULL, 0);
	r.holds = false;
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	expect_acknowledgment(&p);
	assert_false(tcp->timing);
	reeve_tcp_abort(tcp);
	rig_deinit(&r);
}

/* The answer comes in the turn in which the SYN was to be sent again. */
static void test_answered_as_it_times_out(void **state)
{
	struct rig r = { 0 };
	struct peer p;

	(void)state;

	struct reeve_tcp *const tcp = connecting(&r, &p);

	r.now = reeve_time_add_ms(r.now, 1100);
	reeve_host_tick(r.host, r.now);
	assert_true(tcp->syn_due);
	r.holds = true;
	peer_send(&p, TCP_SYN | TCP_ACK, NULL, 0);
	r.holds = false;
	expect_acknowledgment(&p);
	reeve_tcp_abort(tcp);
	rig_deinit(&r);
}

/* A socket that connects to itself: the same, within one host. */
static void test_self_connection(void **state)
{
	struct rig r = { 0 };
	const struct reeve_sockaddr self = rig_name("127.0.0.1", 7777);
	char byte = 0;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_bind(tcp, &self), 0);
	assert_int_equal(reeve_tcp_connect(tcp, &self, r.now), 0);
	rig_pass_ms(&r, 10);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	assert_int_equal(reeve_tcp_write(tcp, "s", 1), 1);
	rig_pass_ms(&r, 10);
	assert_int_equal(reeve_tcp_read(tcp, &byte, 1), 1);
	assert_int_equal(byte, 's');
	reeve_tcp_close(tcp);
	rig_pass_ms(&r, 200000);
	assert_int_equal(rig_stats(&r).tcp_sockets, 0);
	rig_deinit(&r);
}

static void test_wrong_ack_to_syn(void **state)
{
	struct rig r = { 0 };
	struct peer p = { .rig = &r, .port = 80, .next = 900, .window = 5000 };
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);

	struct rig_segment *s = rig_take(&r);

	p.host_port = s->h.source_port;
	p.expected = s->h.sequence + 77;
	peer_send(&p, TCP_SYN | TCP_ACK, NULL, 0);
	s = rig_take(&r);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.sequence, p.expected);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_SYN_SENT);
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_ACK), 1);
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

/* Hazard 21: SYN with the bits of ECN, and with data. */
static void test_syn_with_more(void **state)
{
	struct rig r = { 0 };
	struct peer p = {
		.rig = &r, .port = 4000, .host_port = RIG_PORT, .next = 50, .window = 1000
	};

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	peer_send(&p, TCP_SYN | TCP_ECE | TCP_CWR, NULL, 0);

	struct rig_segment *s = rig_take(&r);

	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK | TCP_ECE); /* RFC 3168, 6.1.1 */
	p.expected = s->h.sequence + 1;
	peer_ack(&p);
	p = (struct peer){
		.rig = &r, .port = 4001, .host_port = RIG_PORT, .next = 50, .window = 1000
	};
	peer_send(&p, TCP_SYN | TCP_PSH, "early", 5);
	s = rig_take(&r);
	assert_int_equal(s->h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(s->h.acknowledgment, 51); /* the data has to come again */
	p.expected = s->h.sequence + 1;
	p.next = 51;
	peer_send(&p, TCP_ACK | TCP_PSH, "early", 5);

	struct reeve_tcp *const first = reeve_tcp_accept(listener, NULL);
	struct reeve_tcp *const second = reeve_tcp_accept(listener, NULL);

	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(reeve_tcp_readable(second), 5);
	assert_true(rig_events(&r, second) & REEVE_READABLE);
	reeve_tcp_abort(first);
	reeve_tcp_abort(second);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

static void test_syn_ack_is_repeated(void **state)
{
	struct rig r = { 0 };
	struct peer p = {
		.rig = &r, .port = 4000, .host_port = RIG_PORT, .next = 50, .window = 1000
	};

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	peer_send(&p, TCP_SYN, NULL, 0);
	rig_pass_ms(&r, 200000);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(rig_take(&r)->h.flags, TCP_SYN | TCP_ACK);
	rig_none(&r);
	/* It was given up: what comes now is for nobody. */
	p.expected = 1;
	peer_ack(&p);
	assert_int_equal(rig_take(&r)->h.flags, TCP_RST);
	assert_null(reeve_tcp_accept(listener, NULL));
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* Hazard 18: a scale over 14 counts as 14. CVE-2019-11479: a tiny MSS does not. */
static void test_strange_options(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	const struct peer_options strange = { .mss = 1, .window = 1000, .scale = 200 };
	struct reeve_tcp_info info;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = peer_connected(&p, &r, &strange);

	reeve_tcp_info(tcp, &info);
	assert_int_equal(info.send_scale, 14);
	assert_int_equal(info.send_mss, TCP_MSS_MIN);
	reeve_tcp_abort(tcp);
	rig_discard(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);
	struct reeve_tcp *const accepted = peer_accept(&p, &r, listener, &strange);

	reeve_tcp_info(accepted, &info);
	assert_int_equal(info.send_scale, 14);
	assert_int_equal(info.send_mss, TCP_MSS_MIN);
	reeve_tcp_abort(accepted);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* No MSS option: 536 (RFC 9293, 3.7.1). */
static void test_default_mss(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	const struct peer_options none = { .no_scale = true, .window = 1000 };
	struct reeve_tcp_info info;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = peer_connected(&p, &r, &none);

	reeve_tcp_info(tcp, &info);
	assert_int_equal(info.send_mss, 536);
	reeve_tcp_abort(tcp);
	rig_deinit(&r);
}

static void test_connect_errors(void **state)
{
	struct rig r = { 0 };
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 80);
	const struct reeve_sockaddr far = rig_name("203.0.113.1", 80);
	const struct reeve_sockaddr six = rig_name("2001:db8::1", 80);
	const struct reeve_sockaddr group = rig_name("224.0.0.1", 80);
	const struct reeve_sockaddr zero = rig_name("192.0.2.2", 0);
	const struct reeve_sockaddr other = rig_name("192.0.2.77", 0);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);
	struct reeve_sockaddr name;
	char byte;

	assert_int_equal(reeve_tcp_connect(tcp, &far, r.now), -ENETUNREACH);
	assert_int_equal(reeve_tcp_connect(tcp, &six, r.now), -EAFNOSUPPORT);
	assert_int_equal(reeve_tcp_connect(tcp, &group, r.now), -ENETUNREACH);
	assert_int_equal(reeve_tcp_connect(tcp, &zero, r.now), -ECONNREFUSED);
	assert_int_equal(reeve_tcp_bind(tcp, &other), -EADDRNOTAVAIL);
	assert_int_equal(reeve_tcp_bind(tcp, &six), -EAFNOSUPPORT);
	assert_int_equal(reeve_tcp_write(tcp, "x", 1), -ENOTCONN);
	assert_int_equal(reeve_tcp_read(tcp, &byte, 1), -ENOTCONN);
	assert_int_equal(reeve_tcp_shutdown(tcp), -ENOTCONN);
	assert_int_equal(reeve_tcp_remote(tcp, &name), -ENOTCONN);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);
	assert_int_equal(reeve_tcp_listen(tcp, 1), -EINVAL);
	assert_int_equal(reeve_tcp_bind(tcp, &zero), -EINVAL);
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

/* Hazard 13: initial numbers of different pairs have nothing to do with each other; those of one
 * pair grow with time (RFC 6528). */
static void test_initial_numbers(void **state)
{
	struct rig r = { 0 };
	uint32_t isn[3] = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	for (unsigned i = 0; i < 3; i++) {
		struct peer p = { .rig = &r,
				  .port = (uint16_t)(i == 2 ? 4000 : 4000 + i),
				  .host_port = RIG_PORT,
				  .next = 50,
				  .window = 1000 };

		if (i == 2) {
			rig_pass_ms(&r, 400);
			rig_discard(&r);
		}
		peer_send(&p, TCP_SYN, NULL, 0);
		isn[i] = rig_take(&r)->h.sequence;
		p.next = 51;
		peer_send(&p, TCP_RST, NULL, 0);
	}
	assert_true(isn[1] - isn[0] > 1000 && isn[0] - isn[1] > 1000);
	assert_int_equal(isn[2] - isn[0], 6250000); /* 400 ms of 64 ns */
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passive),
		cmocka_unit_test(test_plain_peer),
		cmocka_unit_test(test_active),
		cmocka_unit_test(test_syn),
		cmocka_unit_test(test_syn_is_repeated),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_simultaneous_open),
		cmocka_unit_test(test_simultaneous_open_in_one_turn),
		cmocka_unit_test(test_answered_as_it_times_out),
		cmocka_unit_test(test_self_connection),
		cmocka_unit_test(test_wrong_ack_to_syn),
		cmocka_unit_test(test_syn_with_more),
		cmocka_unit_test(test_syn_ack_is_repeated),
		cmocka_unit_test(test_strange_options),
		cmocka_unit_test(test_default_mss),
		cmocka_unit_test(test_connect_errors),
		cmocka_unit_test(test_initial_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
