/* Scripts as they are read: what is in them, and what is said of those that make no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "script.h"
#include "seed.h"
#include "wire/icmp.h"
#include "wire/tcp.h"

static struct script *parse(const char *text)
{
	struct script_fault fault;
	struct script *s = NULL;

	if (script_parse(text, strlen(text), NULL, &s, &fault) < 0)
		fail_msg("%u:%u: %s", fault.place.line, fault.place.column, fault.text);
	return s;
}

static const struct script_event *event(const struct script *s, unsigned index)
{
	const struct script_event *e = s->first;

	while (index-- > 0)
		e = e->next;
	return e;
}

static void test_header(void **state)
{
	struct script *const s = parse("// what it is\n"
				       "--tolerance_usecs=10000\n"
				       "--mtu=1280 --bind_port=80 --remote_ip=203.0.113.9\n"
				       "--netmask_ip=255.255.0.0 --tcp_ts_tick_usecs=1000\n"
				       "`sysctl -q net.ipv4.tcp_sack=1`\n"
				       "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n");
	struct reeve_address remote;

	(void)state;
	assert_int_equal(s->settings.tolerance_ns, 10000000);
	assert_int_equal(s->settings.mtu, 1280);
	assert_int_equal(s->settings.bind_port, 80);
	assert_int_equal(s->settings.prefix_length, 16);
	assert_int_equal(s->settings.timestamp_tick_us, 1000);
	assert_int_equal(reeve_address_parse("203.0.113.9", &remote), 0);
	assert_true(reeve_address_equal(&s->settings.remote, &remote));
	assert_string_equal(s->command, "sysctl -q net.ipv4.tcp_sack=1");
	assert_false(s->settings.is_ipv6);
	script_free(s);
	script_free(NULL);
}

static void test_ipv6_is_read(void **state)
{
	struct script *s = parse("--ip_version=ipv6\n0 > S 0:0(0) <...>\n");

	(void)state;
	assert_true(s->settings.is_ipv6);
	script_free(s);
	s = parse("--local_ip=2001:db8::1\n0 > S 0:0(0) <...>\n");
	assert_true(s->settings.is_ipv6);
	script_free(s);
}

static void check_time(const char *text, enum script_clock clock, int64_t first_ns, int64_t last_ns)
{
	char line[80];

	snprintf(line, sizeof(line), "%s > . 1:1(0) ack 1", text);

	struct script *const s = parse(line);
	const struct script_time *const t = &s->first->time;

	assert_int_equal(t->clock, clock);
	assert_int_equal(t->first_ns, first_ns);
	assert_int_equal(t->last_ns, last_ns);
	assert_int_equal(t->is_range, first_ns != last_ns);
	script_free(s);
}

static void test_times(void **state)
{
	(void)state;
	check_time("0", SCRIPT_ABSOLUTE, 0, 0);
	check_time("1.25", SCRIPT_ABSOLUTE, 1250000000, 1250000000);
	check_time("+0", SCRIPT_RELATIVE, 0, 0);
	check_time("+.1", SCRIPT_RELATIVE, 100000000, 100000000);
	check_time("+0.000000001", SCRIPT_RELATIVE, 1, 1);
	check_time("*", SCRIPT_ANY, 0, 0);
	check_time("0.1~0.2", SCRIPT_ABSOLUTE, 100000000, 200000000);
	check_time("+0~+1", SCRIPT_RELATIVE, 0, 1000000000);
}

static void test_tcp_packet(void **state)
{
	struct script *const s =
		parse("0 < [ect0,ttl 3] SEW 0:0(0) win 32792 "
		      "<mss 1000,sackOK,TS val 1 ecr 2,nop,wscale 7>\n"
		      "+0 > S. 0:0(0) ack 1 <...>\n"
		      "+0 < P. 1:1001(1000) ack 1 win 257 urg 5 <nop,nop,sack 1:2 4294967295:4>\n"
		      "+0 > - 4294967290:4(10)\n");
	const struct script_packet *p = event(s, 0)->packet;

	(void)state;
	assert_true(p->is_inbound);
	assert_int_equal(p->ecn, ECN_ECT0);
	assert_int_equal(p->ttl, 3);
	assert_int_equal(p->flags, TCP_SYN | TCP_ECE | TCP_CWR);
	assert_false(p->has_ack);
	assert_true(p->has_window);
	assert_int_equal(p->window, 32792);
	assert_int_equal(p->options.count, 5);
	assert_int_equal(p->options.list[0].value, 1000);
	assert_int_equal(p->options.list[2].kind, OPTION_TIMESTAMPS);
	assert_int_equal(p->options.list[2].value, 1);
	assert_int_equal(p->options.list[2].echo, 2);
	assert_int_equal(p->options.list[4].value, 7);
	p = event(s, 1)->packet;
	assert_false(p->is_inbound);
	assert_int_equal(p->flags, TCP_SYN | TCP_ACK);
	assert_true(p->options.is_any);
	assert_false(p->has_window);
	p = event(s, 2)->packet;
	assert_int_equal(p->sequence, 1);
	assert_int_equal(p->length, 1000);
	assert_int_equal(p->urgent, 5);
	assert_int_equal(p->options.list[2].count, 2);
	assert_int_equal(p->options.list[2].start[1], 4294967295);
	assert_int_equal(p->options.list[2].end[1], 4);
	p = event(s, 3)->packet;
	assert_int_equal(p->flags, 0);
	assert_int_equal(p->length, 10);
	assert_null(event(s, 3)->next);
	script_free(s);
}

static void test_other_packets(void **state)
{
	struct script *const s = parse("0 < [1:1001(1000)] icmp unreachable frag_needed mtu 1200\n"
				       "0 < icmp time_exceeded code 1\n"
				       "0 > udp (5)\n");
	const struct script_packet *p = event(s, 0)->packet;

	(void)state;
	assert_int_equal(p->protocol, PACKET_ICMP);
	assert_int_equal(p->icmp_type, ICMPV4_UNREACHABLE);
	assert_int_equal(p->icmp_code, ICMPV4_FRAGMENTATION_NEEDED);
	assert_int_equal(p->icmp_mtu, 1200);
	assert_true(p->has_quote);
	assert_int_equal(p->quote, 1);
	p = event(s, 1)->packet;
	assert_int_equal(p->icmp_type, ICMPV4_TIME_EXCEEDED);
	assert_int_equal(p->icmp_code, 1);
	assert_false(p->has_quote);
	p = event(s, 2)->packet;
	assert_int_equal(p->protocol, PACKET_UDP);
	assert_int_equal(p->length, 5);
	script_free(s);
}

static void test_calls(void **state)
{
	struct script *const s =
		parse("0 bind(3, {sa_family = AF_INET, sin_port = htons(80),\n"
		      "           sin_addr = inet_addr(\"192.0.2.1\")}, ...) = 0\n"
		      "+.1...0.25 read(3, \"a\\n\"..., 0x10) = -1 EAGAIN (try again)\n"
		      "+0 recvmsg(3, {msg_name(...)=..., msg_iov(2)=[{..., 1}, {..., 2}],\n"
		      "               msg_flags=MSG_PEEK|MSG_DONTWAIT}, 0) = 3\n"
		      "+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0\n");
	const struct script_call *c = event(s, 0)->call;
	const struct script_value *v = c->first->next;

	(void)state;
	assert_string_equal(c->name, "bind");
	assert_int_equal(c->count, 3);
	assert_int_equal(script_field(v, "sa_family")->integer, AF_INET);
	assert_int_equal(script_field(v, "sin_port")->integer, 80);
	assert_string_equal(script_field(v, "sin_addr")->text, "192.0.2.1");
	assert_null(script_field(v, "sin6_addr"));
	c = event(s, 1)->call;
	assert_true(c->has_end);
	assert_int_equal(c->end_ns, 250000000);
	assert_int_equal(c->error, EAGAIN);
	assert_true(c->first->next->has_more);
	assert_string_equal(c->first->next->text, "a\n");
	assert_int_equal(c->first->next->next->integer, 16);
	v = event(s, 2)->call->first->next;
	assert_int_equal(script_field(v, "msg_flags")->integer, MSG_PEEK | MSG_DONTWAIT);
	assert_int_equal(script_field(v, "msg_iov")->count, 2);
	v = event(s, 3)->call->first->next->next->next;
	assert_int_equal(script_field(v, "onoff")->integer, 1);
	script_free(s);
}

/* Each with the place and a part of what is said. */
static const struct malformed {
	const char *text, *place, *said;
} malformed[] = {
	{ "", "1:1", "a time in seconds expected, but the file ends" },
	{ "/* never closed", "1:1", "no */ before" },
	{ "\n--speed=1\n--colour=red\n0 close(3) = 0", "3:1", "unknown option --colour" },
	{ "--mtu=9x\n0 close(3) = 0", "1:1", "'9x' is no number" },
	{ "--netmask_ip=255.0.255.0\n0 close(3) = 0", "1:1", "no netmask" },
	{ "--remote_ip=300.1.1.1\n0 close(3) = 0", "1:1", "no address" },
	{ "0.1", "1:4", "but the file ends" },
	{ "-1 close(3) = 0", "1:1", "is no time" },
	{ "0x10 close(3) = 0", "1:1", "is no time" },
	{ "0~+1 > . 1:1(0) ack 1", "1:4", "or neither" },
	{ "+.2~+.1 > . 1:1(0) ack 1", "1:5", "ends before it begins" },
	{ "* < . 1:1(0) ack 1 win 1", "1:1", "only a packet that is expected" },
	{ "0~1 close(3) = 0", "1:1", "only a packet that is expected" },
	{ "0 < X 0:0(0) win 1", "1:5", "flags of F, S" },
	{ "0 < S 0:0 win 1", "1:11", "'(' expected, not 'win'" },
	{ "0 < S 0:1(0) win 1", "1:7", "0:1 are 1 bytes, not 0" },
	{ "0 < S 0:0(0)", "1:5", "needs 'win'" },
	{ "0 > . 0:0(0)", "1:5", "go together" },
	{ "0 > S 0:0(0) ack 1", "1:5", "go together" },
	{ "0 < S 0:0(0) win 65536", "1:18", "the window must be 0 to 65535" },
	{ "0 < S 0:0(0) win 1 <mss 1,what>", "1:27", "a TCP option" },
	{ "0 < S 0:0(0) win 1 <...>", "1:5", "for packets that are expected" },
	{ "0 < . 1:1(0) ack 1 win 1 <sack 1:2 1:2 1:2 1:2 1:2>", "1:48", "four SACK blocks" },
	{ "0 < [green] . 1:1(0) ack 1 win 1", "1:6", "noecn" },
	{ "0 < icmp unreachable nowhere", "1:22", "a code of this type" },
	{ "0 < [1:2(1)] udp (1)", "1:14", "'icmp' expected" },
	{ "0 socket(..., SOCK_WALL, 0) = 3", "1:15", "the name of a constant expected" },
	{ "0 close(3)", "1:11", "'=' expected" },
	{ "0 close(3) = -1 EWHAT", "1:17", "the name of an errno expected" },
	{ "0 close(3) = 0 EBADF", "1:16", "an errno goes with -1" },
	{ "0 write(3, \"abc, 1) = 1", "1:12", "no closing \"" },
	{ "0 f([[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]) = 0", "1:18", "less depth" },
	{ "0 close(99999999999999999999) = 0", "1:9", "too large" },
	{ "0 %{ assert tcpi_rto == }%", "1:25", "a whole number, a name or '(' expected" },
	{ "0 %{\nassert tcpi_wish }%", "2:8", "the stack does not say tcpi_wish" },
	{ "0 %{ assert wish }%", "1:13", "a name of tcp_info" },
	{ "0 %{ assert 1 << 64 }%", "1:21", "a shift by 64" },
	{ "--non_fatal=packet\n0 close(3) = 0", "1:1", "--non_fatal is not supported" },
	{ "-D X\n0 close(3) = 0", "1:1", "'X' is no NAME=VALUE" },
	{ "0 < gre: . 1:1(0) ack 1 win 1", "1:5", "packets within packets (gre)" },
	{ "0 > S 0:0(0) <mp_capable v1 a>", "1:15", "no multipath TCP" },
	{ "0 > . 1:1(0) ack 1 <md5 012>", "1:25", "an even number" },
	{ "0 > . 1:1(0) ack 1 <ECN e0b 16777216>", "1:29", "a counter of 24 bits must be" },
	{ "0 > [1:2(1)] icmp unreachable", "1:14", "is not compared" },
	{ "0 close(3) = -2", "1:14", "a call fails with -1" },
	{ "0 recvmsg(3, {msg_iov(2)=[{..., 1}]}, 0) = 1", "1:26", "msg_iov has 1 elements, not 2" },
	{ "0 %{ import os }%", "1:6", "'assert' expected" },
	{ "0 %{ assert 1", "1:3", "no }% before" },
	{ "0 0x = 1", "1:3", "0x without a digit" },
};

static void test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		const struct malformed *const m = &malformed[i];
		struct script *s = NULL;
		struct script_fault f;
		char place[32];

		assert_int_equal(script_parse(m->text, strlen(m->text), NULL, &s, &f), -EINVAL);
		assert_null(s);
		snprintf(place, sizeof(place), "%u:%u", f.place.line, f.place.column);
		if (strcmp(place, m->place) != 0 || !strstr(f.text, m->said))
			fail_msg("'%s': %s: %s", m->text, place, f.text);
		assert_null(strchr(f.text, '\n'));
	}
}

static void test_size_and_nul(void **state)
{
	const size_t size = (1 << 20) + 1;
	char *const text = malloc(size);
	struct script *s = NULL;
	struct script_fault f;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', size);
	assert_int_equal(script_parse(text, size, NULL, &s, &f), -EINVAL);
	assert_non_null(strstr(f.text, "1 MiB"));
	assert_int_equal(script_parse("0\0", 2, NULL, &s, &f), -EINVAL);
	assert_non_null(strstr(f.text, "NUL"));
	free(text);
}

/* Whatever stands in a file, reading it ends, and says so or gives a script. */
static void test_random_changes(void **state)
{
	static const char seed_text[] =
		"--mtu=1500\n`sysctl a=1`\n"
		"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
		"+0 < [ce] S 0:0(0) win 1 <mss 1,nop,TS val 1 ecr 2,FO 0a1b,sack 1:2>\n"
		"+0~+1 > S. 0:0(0) ack 1 <...>\n* > R 0:0(0)\n"
		"+.1...2 recvmsg(3, {msg_iov(1)=[{..., 1}], msg_flags=0}, 0) = -1 EAGAIN (a b)\n"
		"1 < [1:2(1)] icmp unreachable frag_needed mtu 5\n"
		"1 %{ assert (tcpi_rto + 1) * 2 // 3 % 4 >= 5 and not 6, 7 }% /* c */ // d\n";
	struct random r = seeded(11);

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char text[sizeof(seed_text)];
		size_t length = sizeof(text) - 1;
		struct script *s = NULL;
		struct script_fault f;

		memcpy(text, seed_text, sizeof(text));
		for (uint32_t n = 1 + random_below(&r, 4); n > 0; n--)
			text[random_below(&r, (uint32_t)length)] =
				seed_text[random_below(&r, (uint32_t)length)];
		length -= random_below(&r, 4) ? 0 : random_below(&r, (uint32_t)length);
		if (script_parse(text, length, NULL, &s, &f) == 0)
			script_free(s);
		else
			assert_true(f.is_set && f.place.line >= 1 && f.place.column >= 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),         cmocka_unit_test(test_ipv6_is_read),
		cmocka_unit_test(test_times),          cmocka_unit_test(test_tcp_packet),
		cmocka_unit_test(test_other_packets),  cmocka_unit_test(test_calls),
		cmocka_unit_test(test_malformed),      cmocka_unit_test(test_size_and_nul),
		cmocka_unit_test(test_random_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
