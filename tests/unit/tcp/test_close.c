/* Endings: FIN in every order, RST, orphans, TIME-WAIT and what may follow it. Hazards 23, 24. */
#include "scene.h"

#include <errno.h>

static uint8_t bytes[10000];

static void set(struct scene *s, const struct peer_options *o)
{
	scene_begin(s, o);
	rig_events(&s->r, s->tcp);
}

static void end(struct scene *s)
{
	reeve_tcp_close(s->listener);
	rig_pass_ms(&s->r, 61000);
	assert_int_equal(rig_stats(&s->r).tcp_sockets, 0);
	assert_int_equal(rig_stats(&s->r).tcp_time_wait, 0);
	assert_int_equal(reeve_host_lingering(s->r.host), 0);
	assert_int_equal(port_space_count(s->r.host->tcp->space), 0);
	assert_int_equal(port_demux_flow_count(s->r.host->tcp->demux), 0);
	assert_int_equal(s->r.host->tcp->count, 0);
	rig_deinit(&s->r);
}

/* We close first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT. */
static void test_active_close(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	reeve_tcp_close(s.tcp);
	assert_int_equal(reeve_host_lingering(s.r.host), 1);
	assert_int_equal(peer_take(&s.p)->h.flags, TCP_FIN | TCP_ACK);
	peer_ack(&s.p);
	peer_send(&s.p, TCP_FIN | TCP_ACK, NULL, 0);
	assert_int_equal(peer_take(&s.p)->h.acknowledgment, s.p.next);
	assert_int_equal(reeve_host_lingering(s.r.host), 0);
	assert_int_equal(rig_stats(&s.r).tcp_time_wait, 1);
	rig_pass_ms(&s.r, 59000);
	assert_int_equal(rig_stats(&s.r).tcp_time_wait, 1);
	end(&s);
}

/* An accepted connection that was reset is a socket like any other: it keeps what it is bound to
 * then. */
static void test_accepted_and_used_again(void **state)
{
	struct scene s = { 0 };
	struct reeve_sockaddr to = rig_name("192.0.2.1", 9), at = rig_name("192.0.2.1", 5000), name;

	(void)state;
	set(&s, &peer_modern);
	peer_send(&s.p, TCP_RST, NULL, 0);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSED);
	assert_int_equal(reeve_tcp_error(s.tcp), ECONNRESET);
	assert_int_equal(reeve_tcp_bind(s.tcp, &at), 0);
	assert_int_equal(reeve_tcp_connect(s.tcp, &to, s.r.now), 0);
	rig_pass_ms(&s.r, 10);
	assert_int_equal(reeve_tcp_error(s.tcp), ECONNREFUSED);
	assert_int_equal(reeve_tcp_local(s.tcp, &name), 0);
	assert_int_equal(name.port, 5000);
	reeve_tcp_close(s.tcp);
	end(&s);
}

/* FIN and the FIN's acknowledgment in one. */
static void test_fin_with_ack(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	assert_int_equal(reeve_tcp_shutdown(s.tcp), 0);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_FIN_WAIT_1);
	peer_take(&s.p);
	peer_send(&s.p, TCP_FIN | TCP_ACK, bytes, 10);
	assert_int_equal(rig_events(&s.r, s.tcp),
			 REEVE_READABLE | REEVE_PEER_CLOSED | REEVE_CLOSED);
	assert_int_equal(reeve_tcp_read(s.tcp, bytes, 100), 10);
	assert_int_equal(reeve_tcp_read(s.tcp, bytes, 100), 0);
	assert_int_equal(rig_stats(&s.r).tcp_time_wait, 1);
	reeve_tcp_close(s.tcp);
	end(&s);
}

/* Both at once: CLOSING (RFC 9293, figure 13). */
static void test_simultaneous_close(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	assert_int_equal(reeve_tcp_shutdown(s.tcp), 0);
	rig_take(&s.r);
	peer_send(&s.p, TCP_FIN | TCP_ACK, NULL, 0); /* has not seen ours */
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSING);
	s.p.expected++;
	assert_int_equal(rig_take(&s.r)->h.acknowledgment, s.p.next);
	peer_ack(&s.p);
	assert_int_equal(rig_stats(&s.r).tcp_time_wait, 1);
	reeve_tcp_close(s.tcp);
	end(&s);
}

/* The peer closes first: CLOSE-WAIT, LAST-ACK, gone at once. */
static void test_passive_close(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	peer_send(&s.p, TCP_FIN | TCP_ACK, NULL, 0);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSE_WAIT);
	assert_true(rig_events(&s.r, s.tcp) & REEVE_PEER_CLOSED);
	assert_int_equal(peer_take(&s.p)->h.acknowledgment, s.p.next);
	assert_int_equal(reeve_tcp_write(s.tcp, "bye", 3), 3); /* it may still speak */
	assert_int_equal(peer_take(&s.p)->length, 3);
	peer_ack(&s.p);
	reeve_tcp_close(s.tcp);
	assert_int_equal(peer_take(&s.p)->h.flags, TCP_FIN | TCP_ACK);
	peer_ack(&s.p);
	assert_int_equal(rig_stats(&s.r).tcp_time_wait, 0);
	assert_int_equal(reeve_host_lingering(s.r.host), 0);
	end(&s);
}

/* FIN before data that is missing: it counts when all before it is here. */
static void test_fin_out_of_order(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	s.p.next += 1000;
	peer_send(&s.p, TCP_FIN | TCP_ACK, bytes, 500);
	assert_false(reeve_tcp_peer_closed(s.tcp));
	s.p.next -= 1501;
	peer_send(&s.p, TCP_ACK, bytes, 1000);
	assert_true(reeve_tcp_peer_closed(s.tcp));
	assert_int_equal(reeve_tcp_readable(s.tcp), 1500);
	rig_discard(&s.r);
	/* And again, after its acknowledgment was lost: answered. */
	s.p.next += 500;
	peer_send(&s.p, TCP_FIN | TCP_ACK, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.acknowledgment, s.p.next);
	reeve_tcp_abort(s.tcp);
	end(&s);
}

/* What is queued is delivered before FIN, by a socket that its owner has closed. */
static void test_orphan_delivers(void **state)
{
	struct scene s = { 0 };
	uint32_t got = 0;

	(void)state;
	set(&s, &peer_plain);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 10000), 10000);
	reeve_tcp_close(s.tcp);
	while (got < 10000) {
		got += peer_take(&s.p)->length;
		peer_ack(&s.p);
	}
	peer_send(&s.p, TCP_FIN | TCP_ACK, NULL, 0);
	rig_discard(&s.r);
	assert_int_equal(reeve_host_lingering(s.r.host), 0);
	end(&s);
}

/* RFC 2525, 2.17: unread data makes close an RST; so does data that comes after close. */
static void test_close_with_unread_data(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	peer_send(&s.p, TCP_ACK, bytes, 10);
	rig_discard(&s.r);
	reeve_tcp_close(s.tcp);
	assert_true(rig_take(&s.r)->h.flags & TCP_RST);
	end(&s);
}

static void test_data_after_close(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	reeve_tcp_close(s.tcp);
	peer_take(&s.p);
	peer_send(&s.p, TCP_ACK, bytes, 10);
	assert_true(rig_take(&s.r)->h.flags & TCP_RST);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_AFTER_CLOSE), 1);
	assert_int_equal(reeve_host_lingering(s.r.host), 0);
	end(&s);
}

/* Of one that is shut down both ways the owner hears, too; what had come can still be read. */
static void test_data_after_shutdown(void **state)
{
	struct scene s = { 0 };
	uint8_t read[20];

	(void)state;
	set(&s, &peer_modern);
	peer_send(&s.p, TCP_ACK, bytes, 10);
	assert_int_equal(reeve_tcp_shutdown(s.tcp), 0);
	reeve_tcp_deafen(s.tcp);
	peer_take(&s.p);
	assert_int_equal(reeve_tcp_read(s.tcp, read, sizeof(read)), 10);
	peer_send(&s.p, TCP_ACK, bytes, 10);
	assert_true(rig_take(&s.r)->h.flags & TCP_RST);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_AFTER_CLOSE), 1);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_CLOSED);
	assert_int_equal(reeve_tcp_error(s.tcp), ECONNRESET);
	reeve_tcp_close(s.tcp);
	end(&s);
}

/* FIN-WAIT-2 of a closed socket ends after a while; of an open one never by itself. */
static void test_fin_wait_2(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	assert_int_equal(reeve_tcp_set(s.tcp, REEVE_TCP_LINGER2_S, 10), 0);
	assert_int_equal(reeve_tcp_shutdown(s.tcp), 0);
	peer_take(&s.p);
	peer_ack(&s.p);
	rig_pass_ms(&s.r, 1000000);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_FIN_WAIT_2);
	reeve_tcp_close(s.tcp);
	rig_pass_ms(&s.r, 9000);
	assert_int_equal(reeve_host_lingering(s.r.host), 1);
	rig_pass_ms(&s.r, 2000);
	assert_int_equal(reeve_host_lingering(s.r.host), 0);
	end(&s);
}

static void test_reset_by_peer(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s, &peer_modern);
	peer_send(&s.p, TCP_ACK, bytes, 10);
	peer_send(&s.p, TCP_RST, NULL, 0);
	assert_true(rig_events(&s.r, s.tcp) & REEVE_FAILED);
	assert_int_equal(reeve_tcp_read(s.tcp, bytes, 100), 10); /* what came before it */
	assert_int_equal(reeve_tcp_read(s.tcp, bytes, 100), -ECONNRESET);
	assert_int_equal(reeve_tcp_read(s.tcp, bytes, 100), 0);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 1), -EPIPE);
	/* It may connect again, as in Linux. */
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 99);

	assert_int_equal(reeve_tcp_connect(s.tcp, &to, s.r.now), 0);
	assert_int_equal(reeve_tcp_state(s.tcp), REEVE_TCP_SYN_SENT);
	reeve_tcp_close(s.tcp);
	rig_discard(&s.r);
	end(&s);
}

/* A host that goes away with connections in every state leaves nothing (rig_deinit looks). */
static void test_host_goes(void **state)
{
	struct scene s = { 0 };
	const struct reeve_sockaddr to = rig_name("192.0.2.2", 99);
	struct peer half = { .port = 4711, .host_port = RIG_PORT, .window = 1000 };

	(void)state;
	set(&s, &peer_modern);
	assert_int_equal(reeve_tcp_write(s.tcp, bytes, 5000), 5000);
	s.p.next += 1000;
	peer_send(&s.p, TCP_ACK, bytes, 500);
	half.rig = &s.r;
	peer_send(&half, TCP_SYN, NULL, 0);

	struct reeve_tcp *const opening = reeve_tcp_new(s.r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_connect(opening, &to, s.r.now), 0);
	rig_collect(&s.r);
	rig_deinit(&s.r);
}

static void into_time_wait(struct scene *s, const struct peer_options *o)
{
	set(s, o);
	reeve_tcp_close(s->tcp);
	peer_take(&s->p);
	peer_send(&s->p, TCP_FIN | TCP_ACK, NULL, 0);
	rig_discard(&s->r);
	assert_int_equal(rig_stats(&s->r).tcp_time_wait, 1);
}

/* RFC 1337: no segment of old ends TIME-WAIT, an RST least of all. */
static void test_time_wait_assassination(void **state)
{
	struct scene s = { 0 };

	(void)state;
	into_time_wait(&s, &peer_modern);
	peer_send(&s.p, TCP_RST, NULL, 0);
	assert_int_equal(rig_stats(&s.r).tcp_time_wait, 1);
	rig_none(&s.r);
	s.p.next -= 1; /* an old duplicate: FIN. It is answered, and the time begins again. */
	rig_pass_ms(&s.r, 30000);
	peer_send(&s.p, TCP_FIN | TCP_ACK, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.acknowledgment, s.p.next);
	rig_pass_ms(&s.r, 45000);
	assert_int_equal(rig_stats(&s.r).tcp_time_wait, 1);
	rig_pass_ms(&s.r, 16000);
	assert_int_equal(rig_stats(&s.r).tcp_time_wait, 0);
	end(&s);
}

/* RFC 6191: a SYN that is newer by its timestamp takes the place. */
static void test_time_wait_gives_way(void **state)
{
	struct scene s = { 0 };
	struct tcp_header h;
	uint32_t last;

	(void)state;
	into_time_wait(&s, &peer_modern);
	last = s.p.expected;
	s.p.next -= 5000; /* the sequence number alone would not do */
	h = peer_header(&s.p, TCP_SYN);
	h.options.timestamp -= 1;
	peer_send_h(&s.p, &h, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.flags, TCP_ACK);
	h.options.timestamp += 2;
	peer_send_h(&s.p, &h, NULL, 0);

	const struct rig_segment *const answer = rig_take(&s.r);

	assert_int_equal(answer->h.flags, TCP_SYN | TCP_ACK);
	assert_true((int32_t)(answer->h.sequence - last) > 65535); /* beyond the old one's */
	assert_int_equal(rig_stats(&s.r).tcp_time_wait, 0);
	end(&s);
}

/* RFC 9293, 3.6.1 with RFC 1122, 4.2.2.13, without timestamps: by the sequence number. */
static void test_time_wait_gives_way_by_sequence(void **state)
{
	struct scene s = { 0 };

	(void)state;
	into_time_wait(&s, &peer_plain);
	s.p.next -= 1000;
	peer_send(&s.p, TCP_SYN, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.flags, TCP_ACK);
	s.p.next += 2000;
	peer_send(&s.p, TCP_SYN, NULL, 0);
	assert_int_equal(rig_take(&s.r)->h.flags, TCP_SYN | TCP_ACK);
	end(&s);
}

/* A connecting socket may take a TIME-WAIT over that had timestamps, with the port it asks for. */
static void test_connect_recycles(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_sockaddr local, to = rig_name("192.0.2.2", RIG_PORT);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *tcp = peer_connected(&p, &r, &peer_modern);

	assert_int_equal(reeve_tcp_local(tcp, &local), 0);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_REUSE_ADDRESS, 1), 0);
	reeve_tcp_close(tcp);
	peer_take(&p);
	peer_send(&p, TCP_FIN | TCP_ACK, NULL, 0);
	rig_discard(&r);
	assert_int_equal(rig_stats(&r).tcp_time_wait, 1);
	tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_REUSE_ADDRESS, 1), 0);
	assert_int_equal(reeve_tcp_bind(tcp, &local), 0);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);
	assert_int_equal(rig_stats(&r).tcp_time_wait, 0);

	const struct rig_segment *const syn = rig_take(&r);

	assert_int_equal(syn->h.flags, TCP_SYN);
	assert_int_equal(syn->h.source_port, local.port);
	assert_true((int32_t)(syn->h.sequence - p.expected) > 0);
	reeve_tcp_close(tcp);
	assert_int_equal(port_space_count(r.host->tcp->space), 0);
	rig_deinit(&r);
}

/* Without them it may not. */
static void test_connect_does_not_recycle(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_sockaddr local, to = rig_name("192.0.2.2", RIG_PORT);

	(void)state;
	rig_init(&r);

	struct reeve_tcp *tcp = peer_connected(&p, &r, &peer_plain);

	assert_int_equal(reeve_tcp_local(tcp, &local), 0);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_REUSE_ADDRESS, 1), 0);
	reeve_tcp_close(tcp);
	peer_take(&p);
	peer_send(&p, TCP_FIN | TCP_ACK, NULL, 0);
	rig_pass_ms(&r, 10000);
	rig_discard(&r);
	tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_REUSE_ADDRESS, 1), 0);
	assert_int_equal(reeve_tcp_bind(tcp, &local), 0);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), -EADDRNOTAVAIL);
	rig_pass_ms(&r, 51000);
	assert_int_equal(reeve_tcp_connect(tcp, &to, r.now), 0);
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

static void close_many(struct rig *r, struct reeve_tcp *listener, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct peer p = { .port = (uint16_t)(1000 + i) };
		struct reeve_tcp *const tcp = peer_accept(&p, r, listener, &peer_plain);

		reeve_tcp_close(tcp);
		peer_take(&p);
		peer_send(&p, TCP_FIN | TCP_ACK, NULL, 0);
		rig_discard(r);
	}
}

/* Hazard 24: TIME-WAIT never keeps new connections out; the oldest goes. */
static void test_time_wait_makes_room(void **state)
{
	struct rig r = { .max_sockets = 8 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	close_many(&r, listener, 50);
	assert_in_range(rig_stats(&r).tcp_time_wait, 5, 7);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* Many that end at the same time end in steps, with a millisecond between them for others. */
static void test_time_waits_end_in_steps(void **state)
{
	struct rig r = { 0 };
	const unsigned count = 600, at_once = 256;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);

	close_many(&r, listener, count);
	assert_int_equal(rig_stats(&r).tcp_time_wait, count);
	r.now = reeve_time_add_ms(r.now, 60001); /* a record knows milliseconds */
	reeve_host_tick(r.host, r.now);
	assert_int_equal(rig_stats(&r).tcp_time_wait, count - at_once);
	reeve_host_tick(r.host, r.now);
	assert_int_equal(rig_stats(&r).tcp_time_wait, count - at_once);
	rig_pass_ms(&r, 4);
	assert_int_equal(rig_stats(&r).tcp_time_wait, 0);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_active_close),
		cmocka_unit_test(test_accepted_and_used_again),
		cmocka_unit_test(test_fin_with_ack),
		cmocka_unit_test(test_simultaneous_close),
		cmocka_unit_test(test_passive_close),
		cmocka_unit_test(test_fin_out_of_order),
		cmocka_unit_test(test_orphan_delivers),
		cmocka_unit_test(test_close_with_unread_data),
		cmocka_unit_test(test_data_after_close),
		cmocka_unit_test(test_data_after_shutdown),
		cmocka_unit_test(test_fin_wait_2),
		cmocka_unit_test(test_reset_by_peer),
		cmocka_unit_test(test_host_goes),
		cmocka_unit_test(test_time_wait_assassination),
		cmocka_unit_test(test_time_wait_gives_way),
		cmocka_unit_test(test_time_wait_gives_way_by_sequence),
		cmocka_unit_test(test_connect_recycles),
		cmocka_unit_test(test_connect_does_not_recycle),
		cmocka_unit_test(test_time_wait_makes_room),
		cmocka_unit_test(test_time_waits_end_in_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
