/* Multicast: who receives what, and what routers are told (RFC 3376). */
#include <errno.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/random.h"
#include "frames.h"
#include "stack/group.h"
#include "stack/host_private.h"
#include "udp_calls.h"
#include "wire/igmp.h"

#define FRAMES 8

static int member(struct reeve_udp *udp, enum reeve_udp_membership what, const char *group,
		  const char *source, unsigned iface)
{
	const struct reeve_address g = net_address(group);
	const struct reeve_address s = net_address(source ? source : "0.0.0.0");

	return reeve_udp_member(udp, what, &g, source ? &s : NULL, iface);
}

static struct reeve_udp *receiver(const struct net *n, unsigned host)
{
	struct reeve_udp *const udp = socket4(n, host);

	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_REUSE_ADDRESS, 1), 0);
	assert_int_equal(bind_to(udp, "0.0.0.0", 5353), 0);
	return udp;
}

static struct reeve_udp *sender(const struct net *n, unsigned host)
{
	struct reeve_udp *const udp = socket4(n, host);

	assert_int_equal(reeve_udp_set(udp, REEVE_UDP_MULTICAST_DEVICE, n->ifaces[host] + 1), 0);
	return udp;
}

static void test_delivery(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	const unsigned out = n.ifaces[0] + 1;
	struct reeve_udp *const here = receiver(&n, 0);
	struct reeve_udp *const there = receiver(&n, 1);
	struct reeve_udp *const also = receiver(&n, 1);
	struct reeve_udp *const from = sender(&n, 0);

	/* Nobody is a member. */
	assert_int_equal(send_to(from, "239.1.2.3", 5353, "none"), 0);
	net_settle(&n);
	assert_null(received(here));
	assert_null(received(there));
	assert_int_equal(member(here, REEVE_UDP_JOIN, "239.1.2.3", NULL, out), 0);
	assert_int_equal(member(there, REEVE_UDP_JOIN, "239.1.2.3", NULL, out), 0);
	assert_int_equal(send_to(from, "239.1.2.3", 5353, "all"), 0);
	net_settle(&n);
	assert_string_equal(received(here), "all");
	assert_string_equal(received(there), "all");
	/* Not a member itself, on a host that is: IP_MULTICAST_ALL. */
	assert_string_equal(received(also), "all");
	assert_int_equal(reeve_udp_set(also, REEVE_UDP_MULTICAST_ALL, 0), 0);
	assert_int_equal(reeve_udp_set(from, REEVE_UDP_MULTICAST_LOOP, 0), 0);
	assert_int_equal(send_to(from, "239.1.2.3", 5353, "others"), 0);
	net_settle(&n);
	assert_null(received(here));
	assert_string_equal(received(there), "others");
	assert_null(received(also));
	/* Within the host. */
	assert_int_equal(reeve_udp_set(from, REEVE_UDP_MULTICAST_LOOP, 1), 0);
	assert_int_equal(reeve_udp_set(from, REEVE_UDP_MULTICAST_TTL, 0), 0);
	assert_int_equal(send_to(from, "239.1.2.3", 5353, "host"), 0);
	net_settle(&n);
	assert_string_equal(received(here), "host");
	assert_null(received(there));
	assert_int_equal(member(there, REEVE_UDP_LEAVE, "239.1.2.3", NULL, 0), 0);
	assert_int_equal(member(there, REEVE_UDP_LEAVE, "239.1.2.3", NULL, 0), -EADDRNOTAVAIL);
	net_deinit(&n);
}

static void test_sources(void **state)
{
	(void)state;
	struct net n = { 0 };

	net_init(&n);
	const unsigned out = n.ifaces[1] + 1;
	struct reeve_udp *const to = receiver(&n, 1);
	struct reeve_udp *const from = sender(&n, 0);

	assert_int_equal(member(to, REEVE_UDP_LEAVE_SOURCE, "239.1.2.3", "192.0.2.1", out),
			 -EINVAL);
	assert_int_equal(member(to, REEVE_UDP_JOIN_SOURCE, "239.1.2.3", "192.0.2.77", out), 0);
	assert_int_equal(member(to, REEVE_UDP_BLOCK_SOURCE, "239.1.2.3", "192.0.2.1", out),
			 -EINVAL);
	assert_int_equal(send_to(from, "239.1.2.3", 5353, "unheard"), 0);
	net_settle(&n);
	assert_null(received(to));
	assert_int_equal(member(to, REEVE_UDP_JOIN_SOURCE, "239.1.2.3", "192.0.2.1", out), 0);
	assert_int_equal(member(to, REEVE_UDP_JOIN_SOURCE, "239.1.2.3", "192.0.2.1", out),
			 -EADDRNOTAVAIL);
	assert_int_equal(send_to(from, "239.1.2.3", 5353, "heard"), 0);
	net_settle(&n);
	assert_string_equal(received(to), "heard");
	assert_int_equal(member(to, REEVE_UDP_LEAVE_SOURCE, "239.1.2.3", "192.0.2.1", out), 0);
	/* With the last one the group is left. */
	assert_int_equal(member(to, REEVE_UDP_LEAVE_SOURCE, "239.1.2.3", "192.0.2.77", out), 0);
	assert_int_equal(member(to, REEVE_UDP_LEAVE, "239.1.2.3", NULL, out), -EADDRNOTAVAIL);
	assert_int_equal(member(to, REEVE_UDP_JOIN, "239.1.2.3", NULL, out), 0);
	assert_int_equal(member(to, REEVE_UDP_BLOCK_SOURCE, "239.1.2.3", "192.0.2.1", out), 0);
	assert_int_equal(send_to(from, "239.1.2.3", 5353, "blocked"), 0);
	net_settle(&n);
	assert_null(received(to));
	assert_int_equal(member(to, REEVE_UDP_UNBLOCK_SOURCE, "239.1.2.3", "192.0.2.1", out), 0);
	assert_int_equal(send_to(from, "239.1.2.3", 5353, "again"), 0);
	net_settle(&n);
	assert_string_equal(received(to), "again");
	net_deinit(&n);
}

static void test_limits(void **state)
{
	(void)state;
	struct net n = { 0 };
	char group[32];

	net_init(&n);
	const unsigned out = n.ifaces[0] + 1;
	struct reeve_udp *sockets[60];

	assert_int_equal(member(socket4(&n, 0), REEVE_UDP_JOIN, "192.0.2.3", NULL, out), -EINVAL);
	assert_int_equal(member(socket4(&n, 0), REEVE_UDP_JOIN, "239.0.0.1", NULL, 9), -ENODEV);
	for (unsigned s = 0; s < array_length(sockets); s++) {
		sockets[s] = socket4(&n, 0);
		for (unsigned i = 0; i < 20; i++) {
			const uint32_t before = group_count(n.hosts[0]);

			snprintf(group, sizeof(group), "239.1.%u.%u", s, i);
			assert_int_equal(member(sockets[s], REEVE_UDP_JOIN, group, NULL, out),
					 before < GROUP_MAX ? 0 : -ENOBUFS);
		}
		assert_int_equal(member(sockets[s], REEVE_UDP_JOIN, "239.9.9.9", NULL, out),
				 -ENOBUFS);
	}
	assert_int_equal(group_count(n.hosts[0]), GROUP_MAX);
	assert_int_equal(member(sockets[0], REEVE_UDP_JOIN, "239.1.0.0", NULL, out), -EADDRINUSE);
	for (unsigned s = 0; s < array_length(sockets); s++)
		reeve_udp_close(sockets[s]);
	net_pass_ms(&n, 2000);
	assert_int_equal(group_count(n.hosts[0]), 0);
	net_deinit(&n);
}

/* The IGMP messages that host 0 sends: type, and the group spoken of. */
struct spoken {
	uint8_t type, record;
	uint32_t to, group;
};

static unsigned listen_to(struct net *n, struct spoken *ret)
{
	uint8_t frame[2048];
	unsigned count = 0;

	reeve_host_tick(n->hosts[0], n->now);
	while (net_output(n, 0, frame, sizeof(frame)) > 0) {
		struct cursor c = cursor_over(frame + 14, sizeof(frame) - 14);
		struct ipv4_header h;

		if (frame[12] != 8 || frame[13] != 0 || ipv4_parse(&c, &h) != IPV4_OK ||
		    h.protocol != 2)
			continue;
		const uint8_t *const m = frame + 14 + h.header_length;
		const size_t length = h.total_length - h.header_length;

		assert_int_equal(h.header_length, 24); /* router alert */
		assert_int_equal(h.ttl, 1);
		assert_int_equal(checksum_fold(checksum_add(0, m, length)), 0xffff);
		assert_true(count < FRAMES);
		ret[count++] = (struct spoken){
			.type = m[0],
			.record = m[0] == IGMP_V3_REPORT ? m[8] : 0,
			.to = h.destination,
			.group = load_be32(m + (m[0] == IGMP_V3_REPORT ? 12 : 4)),
		};
	}
	return count;
}

static unsigned listen_for(struct net *n, int64_t ms, struct spoken *ret)
{
	const struct reeve_time end = reeve_time_add_ms(n->now, ms);
	unsigned count = 0;

	while (reeve_time_before(n->now, end)) {
		n->now = reeve_time_add_ms(n->now, 10);
		count += listen_to(n, ret + count);
	}
	return count;
}

static void query(struct net *n, const char *to, const void *bytes, size_t length)
{
	struct ipv4_header h = frame_header(2);
	uint8_t frame[2048], m[1500];

	h.destination = frame_ipv4(to);
	memcpy(m, bytes, length);
	if (length >= 4) {
		store_be16(m + 2, 0);
		store_be16(m + 2, (uint16_t)~checksum_fold(checksum_add(0, m, length)));
	}
	net_input(n, 0, frame, frame_put(frame, &h, m, length));
}

static void test_reports(void **state)
{
	static const uint8_t v3[12] = { IGMP_QUERY, 20 }, v2[8] = { IGMP_QUERY, 10 };
	struct spoken heard[FRAMES] = { 0 };

	(void)state;
	struct net n = { 0 };

	net_init(&n);
	net_settle(&n);
	struct reeve_udp *const udp = socket4(&n, 0);
	const uint32_t group = frame_ipv4("239.1.2.3");

	assert_int_equal(member(udp, REEVE_UDP_JOIN, "224.0.0.1", NULL, n.ifaces[0] + 1), 0);
	assert_int_equal(listen_for(&n, 2000, heard), 0);
	assert_int_equal(member(udp, REEVE_UDP_JOIN, "239.1.2.3", NULL, n.ifaces[0] + 1), 0);
	assert_int_equal(listen_for(&n, 2000, heard), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(heard[i].type, IGMP_V3_REPORT);
		assert_int_equal(heard[i].record, IGMP_CHANGE_TO_EXCLUDE);
		assert_int_equal(heard[i].to, frame_ipv4("224.0.0.22"));
		assert_int_equal(heard[i].group, group);
	}
	/* Asked twice in the time for one answer: one answer. */
	query(&n, "224.0.0.1", v3, sizeof(v3));
	query(&n, "224.0.0.1", v3, sizeof(v3));
	assert_int_equal(listen_for(&n, 2100, heard), 1);
	assert_int_equal(heard[0].record, IGMP_MODE_IS_EXCLUDE);
	/* An older router is spoken to as it speaks. */
	query(&n, "224.0.0.1", v2, sizeof(v2));
	assert_int_equal(listen_for(&n, 1100, heard), 1);
	assert_int_equal(heard[0].type, IGMP_V2_REPORT);
	assert_int_equal(heard[0].to, group);
	reeve_udp_close(udp);
	assert_int_equal(listen_to(&n, heard), 1);
	assert_int_equal(heard[0].type, IGMP_V2_LEAVE);
	assert_int_equal(heard[0].to, frame_ipv4("224.0.0.2"));
	net_pass_ms(&n, 2000);
	assert_int_equal(group_count(n.hosts[0]), 0);
	net_deinit(&n);
}

static void test_hostile(void **state)
{
	static const size_t lengths[] = { 0, 1, 7, 9, 11 };
	uint8_t bytes[64] = { IGMP_QUERY, 1 };
	struct random r;

	(void)state;
	struct net n = { 0 };

	net_init(&n);
	net_settle(&n);
	const unsigned out = n.ifaces[0] + 1;

	assert_int_equal(member(socket4(&n, 0), REEVE_UDP_JOIN, "239.1.2.3", NULL, out), 0);
	net_pass_ms(&n, 2000);
	for (size_t i = 0; i < array_length(lengths); i++) {
		query(&n, "224.0.0.1", bytes, lengths[i]);
		assert_int_equal(net_drop(n.hosts[0], REEVE_DROP_IGMP_BAD), i + 1);
	}
	store_be32(bytes + 4, frame_ipv4("192.0.2.1")); /* about what is no group */
	query(&n, "224.0.0.1", bytes, 8);
	assert_int_equal(net_drop(n.hosts[0], REEVE_DROP_IGMP_BAD), array_length(lengths) + 1);
	random_init(&r, (const uint8_t[32]){ 7 });
	for (unsigned i = 0; i < 3000; i++) {
		for (size_t k = 1; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)random_u32(&r);
		query(&n, "224.0.0.1", bytes, random_below(&r, sizeof(bytes)));
	}
	/* However often it is asked: not more often than the time for an answer allows. */
	const uint64_t before = net_stats(n.hosts[0]).ip_out;

	for (unsigned i = 0; i < 1000; i++) {
		memcpy(bytes, (const uint8_t[8]){ IGMP_QUERY, 1 }, 8);
		query(&n, "224.0.0.1", bytes, 8);
		net_pass_ms(&n, 1);
	}
	assert_true(net_stats(n.hosts[0]).ip_out - before < 100);
	assert_true(group_count(n.hosts[0]) == 1);
	net_deinit(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivery), cmocka_unit_test(test_sources),
		cmocka_unit_test(test_limits),   cmocka_unit_test(test_reports),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
