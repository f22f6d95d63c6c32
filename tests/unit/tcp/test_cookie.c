/* SYN cookies (RFC 4987): what is agreed upon survives without a byte of memory, and nobody else's guess
 * does. Hazards 14 and 22. */
#include "rig.h"

#include <string.h>

#include "base/random.h"
#include "seed.h"

#define BACKLOG 3
#define FILL    16 /* half-open connections of so short a queue */

struct scene {
	struct rig r;
	struct peer p;
	struct reeve_tcp *listener;
};

/* The queue is full of those who will never answer. */
static void set(struct scene *s)
{
	rig_init(&s->r);
	s->listener = rig_listen(&s->r, BACKLOG);
	for (unsigned i = 0; i < FILL; i++) {
		struct peer nobody = {
			.rig = &s->r,
			.port = (uint16_t)(1000 + i),
			.host_port = RIG_PORT,
			.next = 7,
		};

		peer_send(&nobody, TCP_SYN, NULL, 0);
	}
	rig_discard(&s->r);
	assert_int_equal(s->r.host->tcp->half_open, FILL);
}

static void end(struct scene *s)
{
	reeve_tcp_close(s->listener);
	rig_discard(&s->r);
	rig_deinit(&s->r);
}

/* The peer's SYN with these options, and the host's answer. */
static struct rig_segment *knock(struct scene *s, uint16_t port, const struct tcp_options *options)
{
	struct tcp_header h;

	s->p = (struct peer){
		.rig = &s->r,
		.port = port,
		.host_port = RIG_PORT,
		.next = 0xfffffff0 + port,
		.window = 1000,
		.timestamps = options->has_timestamps,
		.ts = options->timestamp,
	};
	h = peer_header(&s->p, TCP_SYN);
	h.options = *options;
	peer_send_h(&s->p, &h, NULL, 0);
	s->p.next++;

	struct rig_segment *const answer = rig_take(&s->r);

	assert_int_equal(answer->h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(answer->h.acknowledgment, s->p.next);
	assert_int_equal(s->r.host->tcp->half_open, FILL);
	s->p.expected = answer->h.sequence + 1;
	s->p.ts_echo = answer->h.options.timestamp;
	return answer;
}

static struct reeve_tcp *accept_one(struct scene *s)
{
	struct reeve_tcp *const tcp = reeve_tcp_accept(s->listener, NULL);

	assert_non_null(tcp);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	return tcp;
}

static const struct tcp_options modern = {
	.mss = 1460,
	.has_timestamps = true,
	.timestamp = 5000,
	.sack_permitted = true,
	.has_window_scale = true,
	.window_scale = 7,
};

static void test_options_survive(void **state)
{
	static const uint16_t sizes[] = { 88, 500, 536, 1000, 1220, 1400, 1460, 9000, 65495 };
	static const uint16_t kept[] = { 88, 88, 536, 536, 1220, 1360, 1460, 8960, 8960 };
	struct scene s = { 0 };
	unsigned tried = 0;

	(void)state;
	set(&s);
	for (unsigned scale = 0; scale <= 15; scale++) {
		for (unsigned sack = 0; sack < 2; sack++) {
			for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
				struct tcp_options o = modern;
				struct reeve_tcp_info info;

				o.mss = sizes[i];
				o.sack_permitted = sack;
				o.has_window_scale = scale < 15;
				o.window_scale = (uint8_t)scale;
				knock(&s, (uint16_t)(5000 + tried++), &o);
				peer_ack(&s.p);

				struct reeve_tcp *const tcp = accept_one(&s);

				reeve_tcp_info(tcp, &info);
				assert_int_equal(info.sack, sack);
				assert_true(info.timestamps);
				assert_int_equal(info.window_scaling, scale < 15);
				assert_int_equal(info.send_scale, scale < 15 ? scale : 0);
				assert_int_equal(info.send_window, 1000 << info.send_scale);
				assert_int_equal(tcp->peer_mss, kept[i]);
				reeve_tcp_abort(tcp);
				rig_discard(&s.r);
				rig_pass_ms(&s.r, 1);
				rig_discard(&s.r);
			}
		}
	}
	assert_int_equal(rig_stats(&s.r).tcp_cookies_in, tried);
	end(&s);
}

/* Both directions work with what was agreed upon, as if there had been a queue. */
static void test_data_flows(void **state)
{
	static const char text[] = "behind a cookie";
	struct scene s = { 0 };
	char got[32];

	(void)state;
	set(&s);

	const struct rig_segment *const answer = knock(&s, 5000, &modern);

	assert_true(answer->h.options.sack_permitted && answer->h.options.has_window_scale);
	assert_true(answer->h.options.has_timestamps);
	assert_int_equal(answer->h.options.timestamp_echo, 5000);
	/* The ACK is lost; what comes first is data. */
	rig_pass_ms(&s.r, 300);
	rig_discard(&s.r);
	s.p.ts += 300;
	peer_send(&s.p, TCP_ACK | TCP_PSH, text, sizeof(text));

	struct reeve_tcp *const tcp = accept_one(&s);

	assert_int_equal(reeve_tcp_read(tcp, got, sizeof(got)), sizeof(text));
	assert_memory_equal(got, text, sizeof(text));
	rig_discard(&s.r);
	assert_int_equal(reeve_tcp_write(tcp, text, sizeof(text)), sizeof(text));

	const struct rig_segment *const back = peer_take(&s.p);

	assert_int_equal(back->length, sizeof(text));
	assert_true((int32_t)(back->h.options.timestamp - s.p.ts_echo) >= 0);
	peer_ack(&s.p);
	assert_int_equal(reeve_tcp_unsent(tcp), 0);
	reeve_tcp_abort(tcp);
	end(&s);
}

/* Nothing is offered that could not be kept. */
static void test_without_timestamps(void **state)
{
	struct tcp_options o = modern;
	struct scene s = { 0 };
	struct reeve_tcp_info info;

	(void)state;
	o.has_timestamps = false;
	set(&s);

	const struct rig_segment *const answer = knock(&s, 5000, &o);

	assert_false(answer->h.options.sack_permitted || answer->h.options.has_window_scale ||
		     answer->h.options.has_timestamps);
	peer_ack(&s.p);

	struct reeve_tcp *const tcp = accept_one(&s);

	reeve_tcp_info(tcp, &info);
	assert_false(info.sack || info.window_scaling || info.timestamps);
	assert_int_equal(tcp->peer_mss, 1460);
	reeve_tcp_abort(tcp);
	end(&s);
}

static void refuse(struct scene *s)
{
	peer_ack(&s->p);
	assert_int_equal(rig_take(&s->r)->h.flags, TCP_RST);
	assert_null(reeve_tcp_accept(s->listener, NULL));
}

/* Another's, one that is a bit off, one that is old. */
static void test_only_the_right_one(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);
	for (unsigned bit = 0; bit < 32; bit++) {
		knock(&s, 5000, &modern);
		s.p.expected = ((s.p.expected - 1) ^ (UINT32_C(1) << bit)) + 1;
		refuse(&s);
	}
	knock(&s, 5000, &modern);
	s.p.port = 5001;
	refuse(&s);
	s.p.port = 5000;
	s.p.next += 1;
	refuse(&s);
	s.p.next -= 1;
	rig_pass_ms(&s.r, 60000);
	rig_discard(&s.r);
	peer_ack(&s.p); /* a minute is not too long */
	reeve_tcp_abort(accept_one(&s));
	rig_discard(&s.r);
	rig_pass_ms(&s.r, 140000);
	rig_discard(&s.r);
	refuse(&s);
	end(&s);
}

/* A listener that has sent no cookie takes none. */
static void test_not_asked_for(void **state)
{
	struct random random = seeded(4);
	struct scene s = { 0 };

	(void)state;
	set(&s);
	s.p = (struct peer){ .rig = &s.r, .port = 5000, .host_port = RIG_PORT, .window = 1000 };
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 20000; i++) {
			s.p.next = random_u32(&random);
			s.p.expected = random_u32(&random);
			peer_ack(&s.p);
			rig_discard(&s.r);
		}
		assert_int_equal(rig_stats(&s.r).tcp_cookies_in, 0);
		assert_null(reeve_tcp_accept(s.listener, NULL));
		knock(&s, 5001, &modern); /* from now on they are looked at */
	}
	end(&s);
}

/* The listener went while its cookie was under way: what comes back finds nothing, leaves nothing, and no
 * other listener at the port takes it for its own. */
static void test_listener_gone(void **state)
{
	struct scene s = { 0 };

	(void)state;
	set(&s);
	knock(&s, 5000, &modern);
	reeve_tcp_close(s.listener);
	rig_discard(&s.r);
	assert_int_equal(s.r.host->tcp->half_open, 0);

	const uint64_t dropped = rig_drops(&s.r, REEVE_DROP_TCP_NO_PORT);

	peer_send(&s.p, TCP_ACK | TCP_PSH, "late", 4);

	const struct rig_segment *const reset = rig_take(&s.r);

	assert_int_equal(reset->h.flags, TCP_RST);
	assert_int_equal(reset->h.sequence, s.p.expected);
	rig_none(&s.r);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_NO_PORT), dropped + 1);
	s.p.next -= 4;
	s.listener = rig_listen(&s.r, BACKLOG);
	refuse(&s);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_NO_PORT), dropped + 2);
	assert_int_equal(rig_stats(&s.r).tcp_cookies_in, 0);
	end(&s);
}

/* Nobody accepts: the ACK is as good as lost, and what the peer sends later finds room. */
static void test_accept_queue(void **state)
{
	struct scene s = { 0 };
	struct peer late;

	(void)state;
	set(&s);
	knock(&s, 4000, &modern);
	late = s.p;
	for (unsigned i = 0; i < BACKLOG + 1; i++) {
		knock(&s, (uint16_t)(5000 + i), &modern);
		peer_ack(&s.p);
	}
	peer_ack(&late);
	rig_none(&s.r);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_TCP_BACKLOG), 1);
	for (unsigned i = 0; i < BACKLOG + 1; i++)
		reeve_tcp_abort(accept_one(&s));
	assert_null(reeve_tcp_accept(s.listener, NULL));
	rig_discard(&s.r);
	peer_send(&late, TCP_ACK, "still here", 10);
	reeve_tcp_abort(accept_one(&s));
	end(&s);
}

/* At the host's limit the cookie costs nothing, and brings nothing. */
static void test_host_limit(void **state)
{
	struct scene s = { .r.max_sockets = FILL + 2 };
	struct reeve_tcp *other;

	(void)state;
	set(&s);
	knock(&s, 5000, &modern);
	other = reeve_tcp_new(s.r.host, REEVE_IPV4, NULL);
	assert_non_null(other);
	peer_ack(&s.p);
	rig_none(&s.r);
	assert_int_equal(rig_drops(&s.r, REEVE_DROP_NO_MEMORY), 1);
	reeve_tcp_close(other);
	peer_send(&s.p, TCP_ACK, "again", 5);
	reeve_tcp_abort(accept_one(&s));
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_survive),
		cmocka_unit_test(test_data_flows),
		cmocka_unit_test(test_without_timestamps),
		cmocka_unit_test(test_only_the_right_one),
		cmocka_unit_test(test_not_asked_for),
		cmocka_unit_test(test_listener_gone),
		cmocka_unit_test(test_accept_queue),
		cmocka_unit_test(test_host_limit),
	};

	return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}
