/* Socket options: their bounds, that each keeps to itself, and what some change at once. */
#include "rig.h"

#include <errno.h>

static const struct {
	enum reeve_tcp_option option;
	int64_t least, most, otherwise; /* the default */
} options[] = {
	{ REEVE_TCP_REUSE_ADDRESS, 0, 1, 0 },
	{ REEVE_TCP_REUSE_PORT, 0, 1, 0 },
	{ REEVE_TCP_IPV6_ONLY, 0, 1, 0 },
	{ REEVE_TCP_OWNER, 0, UINT32_MAX, 0 },
	{ REEVE_TCP_NO_DELAY, 0, 1, 0 },
	{ REEVE_TCP_CORK, 0, 1, 0 },
	{ REEVE_TCP_QUICK_ACK, 0, 1, 0 },
	{ REEVE_TCP_KEEPALIVE, 0, 1, 0 },
	{ REEVE_TCP_KEEPALIVE_IDLE_S, 1, 32767, 7200 },
	{ REEVE_TCP_KEEPALIVE_INTERVAL_S, 1, 32767, 75 },
	{ REEVE_TCP_KEEPALIVE_COUNT, 1, 127, 9 },
	{ REEVE_TCP_USER_TIMEOUT_MS, 0, INT32_MAX, 0 },
	{ REEVE_TCP_MAX_SEGMENT, 0, 32767, 0 },
	{ REEVE_TCP_SYN_COUNT, 1, 127, 6 },
	{ REEVE_TCP_TTL, 1, 255, 64 },
	{ REEVE_TCP_CONGESTION_CONTROL, REEVE_CUBIC, REEVE_RENO, REEVE_CUBIC },
	{ REEVE_TCP_LINGER2_S, 0, 32767, 60 },
	{ REEVE_TCP_DEFER_ACCEPT_S, 0, 32767, 0 },
	{ REEVE_TCP_ECN, REEVE_ECN_OFF, REEVE_ECN_PASSIVE, REEVE_ECN_PASSIVE },
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

/* All but the index-th are as they were. */
static void others_are_untouched(const struct reeve_tcp *tcp, size_t index)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		if (i != index)
			assert_int_equal(reeve_tcp_get(tcp, options[i].option),
					 options[i].otherwise);
	}
}

/* The two bits of ECN in it are TCP's own, as in Linux. */
static void test_type_of_service(void **state)
{
	struct rig r = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV6, NULL);

	assert_non_null(tcp);
	assert_int_equal(reeve_tcp_get(tcp, REEVE_TCP_TOS), 0);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_TOS, -1), -EINVAL);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_TOS, 256), -EINVAL);
	for (int64_t tos = 0; tos < 256; tos++) {
		assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_TOS, tos), 0);
		assert_int_equal(reeve_tcp_get(tcp, REEVE_TCP_TOS), tos / 4 * 4);
	}
	others_are_untouched(tcp, OPTIONS);
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

static void test_bounds(void **state)
{
	struct rig r = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV6, NULL);

	assert_non_null(tcp);
	for (size_t i = 0; i < OPTIONS; i++) {
		const enum reeve_tcp_option o = options[i].option;

		assert_int_equal(reeve_tcp_get(tcp, o), options[i].otherwise);
		assert_int_equal(reeve_tcp_set(tcp, o, options[i].least - 1), -EINVAL);
		assert_int_equal(reeve_tcp_set(tcp, o, options[i].most + 1), -EINVAL);
		assert_int_equal(reeve_tcp_get(tcp, o), options[i].otherwise);
		assert_int_equal(reeve_tcp_set(tcp, o, options[i].least), 0);
		assert_int_equal(reeve_tcp_get(tcp, o), options[i].least);
		assert_int_equal(reeve_tcp_set(tcp, o, options[i].most), 0);
		assert_int_equal(reeve_tcp_get(tcp, o), options[i].most);
		others_are_untouched(tcp, i);
		assert_int_equal(reeve_tcp_set(tcp, o, options[i].otherwise), 0);
	}
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_OPTION_COUNT, 0), -EINVAL);
	assert_int_equal(reeve_tcp_get(tcp, REEVE_TCP_OPTION_COUNT), -EINVAL);
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

/* Less than 88 bytes a segment, or a buffer of nearly nothing, no connection can live with. */
static void test_floors(void **state)
{
	struct rig r = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV4, NULL);

	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_MAX_SEGMENT, 87), -EINVAL);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_MAX_SEGMENT, 88), 0);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_SEND_BUFFER, -1), -EINVAL);
	for (enum reeve_tcp_option o = REEVE_TCP_SEND_BUFFER; o <= REEVE_TCP_RECEIVE_BUFFER; o++) {
		assert_int_equal(reeve_tcp_set(tcp, o, 0), 0);
		assert_int_equal(reeve_tcp_get(tcp, o), TCP_BUFFER_MIN);
		assert_int_equal(reeve_tcp_set(tcp, o, INT32_MAX), 0);
		assert_int_equal(reeve_tcp_get(tcp, o), TCP_BUFFER_MAX);
		assert_int_equal(reeve_tcp_set(tcp, o, 50000), 0);
		assert_int_equal(reeve_tcp_get(tcp, o), 50000);
	}
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

/* What a socket is bound as stays. */
static void test_bound(void **state)
{
	const struct reeve_sockaddr name = { .address = reeve_any_ipv6, .port = 80 };
	struct rig r = { 0 };

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const tcp = reeve_tcp_new(r.host, REEVE_IPV6, NULL);

	assert_int_equal(reeve_tcp_bind(tcp, &name), 0);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_IPV6_ONLY, 1), -EINVAL);
	assert_int_equal(reeve_tcp_get(tcp, REEVE_TCP_IPV6_ONLY), 0);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_REUSE_ADDRESS, 1), 0);
	reeve_tcp_close(tcp);
	rig_deinit(&r);
}

/* An ACK that is delayed goes when it is to be quick; a congestion control that changes keeps its
 * window. */
static void test_at_once(void **state)
{
	static uint8_t bytes[1448];
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp_info before, after;

	(void)state;
	rig_init(&r);

	struct reeve_tcp *const listener = rig_listen(&r, 5);
	struct reeve_tcp *const tcp = peer_accept(&p, &r, listener, &peer_modern);

	for (unsigned i = 0; i < TCP_QUICK_ACKS; i++) {
		peer_send(&p, TCP_ACK, bytes, sizeof(bytes));
		rig_take(&r);
	}
	peer_send(&p, TCP_ACK, bytes, 100);
	rig_none(&r);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_QUICK_ACK, 1), 0);
	rig_collect(&r);
	assert_int_equal(rig_take(&r)->h.acknowledgment, p.next);

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(reeve_tcp_write(tcp, bytes, sizeof(bytes)), sizeof(bytes));
		peer_take(&p);
		peer_ack(&p);
	}
	assert_int_equal(reeve_tcp_write(tcp, bytes, sizeof(bytes)), sizeof(bytes));
	peer_take(&p);
	reeve_tcp_info(tcp, &before);
	assert_string_equal(before.congestion_control, "cubic");
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_CONGESTION_CONTROL, REEVE_RENO), 0);
	reeve_tcp_info(tcp, &after);
	assert_string_equal(after.congestion_control, "reno");
	assert_int_equal(after.cwnd_bytes, before.cwnd_bytes);
	assert_int_equal(after.ssthresh_bytes, before.ssthresh_bytes);
	reeve_tcp_abort(tcp);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),  cmocka_unit_test(test_type_of_service),
		cmocka_unit_test(test_floors),  cmocka_unit_test(test_bound),
		cmocka_unit_test(test_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
