/* Scripts that run, and those that must not pass: where it is said, and what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "run.h"

static enum run_result run(const char *text, bool is_strict, struct script_fault *fault)
{
	struct script *s = NULL;

	if (script_parse(text, strlen(text), NULL, &s, fault) < 0)
		fail_msg("%u:%u: %s", fault->place.line, fault->place.column, fault->text);

	const enum run_result result =
		run_script(s, &(struct run_how){ .is_strict = is_strict }, fault);

	script_free(s);
	return result;
}

#define OPENED                                          \
	"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n" \
	"0 bind(3, ..., ...) = 0\n"                     \
	"0 listen(3, 1) = 0\n"                          \
	"0 < S 0:0(0) win 9000 <mss 1000>\n"            \
	"0 > S. 0:0(0) ack 1 <mss 1460>\n"              \
	"+.1 < . 1:1(0) ack 1 win 9000\n"               \
	"+0 accept(3, ..., ...) = 4\n" /* seven lines */

/* Each is right but for one thing. */
static const struct wrong {
	const char *text, *place, *said;
} wrongs[] = {
	{ "0 < S 1:1(0) win 1\n0 > S. 0:0(0) ack 2\n", "2:1", "the flags: expected '> S. 0:0(0)" },
	{ "0 < S 1:1(0) win 1\n0 > R. 0:0(0) ack 3\n", "2:1", "the acknowledgment number" },
	{ "0 < S 1:1(0) win 1\n0 > R. 1:1(0) ack 2\n", "2:1", "the sequence numbers" },
	{ "0 < S 1:1(0) win 1\n0 > R. 0:0(0) ack 2 win 9\n", "2:1", "the window" },
	{ "0 < S 1:1(0) win 1\n0 > R. 0:0(0) ack 2 <nop>\n", "2:1", "the options" },
	{ "0 < S 1:1(0) win 1\n0 > [ect0] R. 0:0(0) ack 2\n", "2:1", "the ECN mark" },
	{ "0 < S 1:1(0) win 1\n0 > [tos 4] R. 0:0(0) ack 2\n", "2:1", "the TOS" },
	{ "0 < S 1:1(0) win 1\n0 > [ttl 9] R. 0:0(0) ack 2\n", "2:1", "the TTL" },
	{ "0 < S 1:1(0) win 1\n0 > icmp unreachable net_unreachable\n", "2:1", "the protocol" },
	{ "0 < S 1:1(0) win 1\n+.1 > R. 0:0(0) ack 2\n", "2:1", "expected at 0.100000 s, but" },
	{ "0 < S 1:1(0) win 1\n+.1~+.2 > R. 0:0(0) ack 2\n", "2:1", "from 0.100000 s to 0.2" },
	{ "0 < R 1:1(0) win 1\n+0 > R. 0:0(0) ack 2\n", "2:1", "but nothing came by 0.004" },
	{ "0 close(3) = 0\n", "1:1", "to return 0, not -1 EBADF" },
	{ "0 close(3) = -1 EINVAL\n", "1:1", "-1 EINVAL, not -1 EBADF" },
	{ OPENED "+0 close(4) = -1\n", "8:1", "close() was to return -1, not 0" },
	{ "0 dance(3) = 0\n", "1:1", "the call dance() is not supported" },
	{ "0 close() = 0\n", "1:1", "takes 1 to 1 arguments, not 0" },
	{ "0 socket(..., SOCK_STREAM, IPPROTO_UDP) = 3\n", "1:28", "only IPPROTO_TCP" },
	{ "0 socket(AF_INET6, SOCK_STREAM, 0) = 3\n", "1:10", "no IPv6" },
	{ "`ls -r x`\n0 close(3) = -1\n", "1:1", "the command 'ls' is not supported" },
	{ "`sysctl -q net.ipv4.tcp_sack=0`\n0 close(3) = -1\n", "1:1", "net.ipv4.tcp_sack=0" },
	{ "0 %{ assert tcpi_rto > 0 }%\n", "1:5", "no socket" },
	{ "0 < S 1:1(0) win 1 <sackOK>\n", "1:1", "no multiple of 4" },
	{ OPENED "+0 read(4, ..., 10) = 10\n", "8:1", "read() waits" },
	{ OPENED "+0...0.5 read(4, ..., 10) = 10\n", "8:1", "has not come back" },
	{ OPENED "+0...0.5 read(4, ..., 10) = 10\n+.1 < . 1:11(10) ack 1 win 1\n", "8:1",
	  "was to end at 0.600000 s, not at 0.200000 s" },
	{ OPENED "+0 < . 1:4(3) ack 1 win 1\n+0 read(4, \"abc\", 3) = 3\n", "9:1", "other bytes" },
	{ OPENED "+0 %{ assert tcpi_snd_mss == 999 }%\n", "8:7",
	  "assert tcpi_snd_mss == 999 does not hold: tcpi_snd_mss is 1000" },
	{ OPENED "+0 %{ assert 1\nassert 1 // (tcpi_snd_mss - 1000) }%\n", "9:35",
	  "division by 0" },
	{ OPENED "+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0\n", "8:40",
	  "expected 1 (0x1), got 0" },
	{ OPENED "+0 setsockopt(4, SOL_TCP, TCP_FASTOPEN_KEY, [1], 4) = 0\n", "8:27",
	  "this option is not supported" },
	{ OPENED "+0 poll([{fd=4, events=POLLOUT, revents=POLLIN}], 1, 0) = 1\n", "8:41",
	  "revents expected 1" },
	{ OPENED "+0 fcntl(4, F_SETFL, SOCK_CLOEXEC) = 0\n", "8:22", "only O_RDWR" },
	{ OPENED "+0 send(4, ..., 1, MSG_EOR) = 1\n", "8:20", "a flag that is not" },
	{ OPENED "+0 < . 1:2(1) ack 1 win 1\n+0 > . 1:1(0) ack 2\n+0 recvmsg(4, {msg_iov(1)="
		 "[{..., 1}], msg_flags=MSG_CTRUNC}, 0) = 1\n",
	  "10:49", "msg_flags expected 8" },
	{ OPENED "+0 < . 1:2(1) ack 1 win 1\n+0 > . 1:1(0) ack 2\n+0 recvmsg(4, {msg_iov(1)="
		 "[{..., 1}], msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, "
		 "cmsg_data=0}]}, 0) = 1\n",
	  "10:52", "no control message came" },
	{ OPENED "+0 readv(4, [{..., 1}], 2) = 1\n", "8:25", "the vectors' number expected 2" },
	{ OPENED "+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [0], [8]) = 0\n", "8:45",
	  "the length expected 8" },
	{ OPENED "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [0], 2) = 0\n", "8:45",
	  "only a length of 4" },
	{ OPENED "+0 getsockname(4, ..., [28]) = 0\n", "8:24", "the length expected 28" },
	{ OPENED "+0 poll([{fd=4, events=POLLOUT}], 1, 0) = 1\n", "8:10", "revents is needed" },
	{ OPENED "+0 epoll_create1(0) = 5\n"
		 "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, fd=4}) = 0\n"
		 "+0 epoll_wait(5, {}, 1, 0) = 1\n",
	  "10:1", "event 1 (0x4 of descriptor 4) was not expected" },
	{ OPENED "+0 write(4, \"abc\", 3) = 3\n+0 > P. 1:4(3) ack 1\n"
		 "+0 write(4, ..., 3) = 3\n+0 close(4) = -1\n",
	  "11:1", "close() was to return -1" },
	{ OPENED "+.1 write(4, ..., 9) = 9\n0 close(4) = 0\n", "9:1", "it is 0.200000 s already" },
};

static void test_wrong_scripts_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		const struct wrong *const w = &wrongs[i];
		struct script_fault f;
		char place[32];

		const enum run_result result = run(w->text, false, &f);

		if (result != RUN_FAILED && result != RUN_REFUSED)
			fail_msg("it passes: %s", w->text);
		snprintf(place, sizeof(place), "%u:%u", f.place.line, f.place.column);
		if (strcmp(place, w->place) != 0 || !strstr(f.text, w->said))
			fail_msg("'%s': %s: %s", w->text, place, f.text);
	}
}

static void test_what_is_left_is_a_fault_when_strict(void **state)
{
	static const char text[] = OPENED "+0 write(4, ..., 10) = 10\n";
	struct script_fault f;

	(void)state;
	assert_int_equal(run(text, false, &f), RUN_PASSED);
	assert_int_equal(run(text, true, &f), RUN_FAILED);
	assert_non_null(strstr(f.text, "'> P. 1:11(10) ack 1 win 65535' is left"));
}

static void test_ipv6_is_skipped(void **state)
{
	struct script_fault f;

	(void)state;
	assert_int_equal(run("--ip_version=ipv6\n0 close(3) = 0\n", false, &f), RUN_SKIPPED);
}

static void test_timestamps_are_compared_when_asked(void **state)
{
	static const char text[] =
		"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n0 bind(3, ..., ...) = 0\n"
		"0 listen(3, 1) = 0\n0 < S 0:0(0) win 9 <nop,nop,TS val 5 ecr 0>\n"
		"0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 70 ecr 5>\n"
		"+.1 < P. 1:11(10) ack 1 win 9 <nop,nop,TS val 6 ecr 70>\n"
		"+0 > . 1:1(0) ack 11 <nop,nop,TS val %u ecr 6>\n";
	struct script_fault f;
	char line[sizeof(text) + 60];

	(void)state;
	snprintf(line, sizeof(line), text, 170);
	assert_int_equal(run(line, true, &f), RUN_PASSED);
	snprintf(line, sizeof(line), text, 99);
	assert_int_equal(run(line, true, &f), RUN_PASSED);
	strcpy(line, "--tcp_ts_tick_usecs=1000\n");
	snprintf(line + strlen(line), sizeof(line) - strlen(line), text, 170);
	assert_int_equal(run(line, true, &f), RUN_PASSED);
	strcpy(line, "--tcp_ts_tick_usecs=1000\n");
	snprintf(line + strlen(line), sizeof(line) - strlen(line), text, 99);
	assert_int_equal(run(line, true, &f), RUN_FAILED);
	assert_non_null(strstr(f.text, "the options"));
}

static void test_epoll(void **state)
{
	static const char text[] =
		OPENED "+0 epoll_create1(0) = 5\n"
		       "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0\n"
		       "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = -1 EEXIST\n"
		       "+0 epoll_wait(5, {}, 1, 0) = 0\n"
		       "+0...0.1 epoll_wait(5, {}, 1, 100) = 0\n"
		       "+.2...0.3 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, -1) = 1\n"
		       "+.1 < . 1:11(10) ack 1 win 9\n"
		       "+0 > . 1:1(0) ack 11\n"
		       "+0 epoll_wait(5, {}, 1, 0) = 0\n"
		       "+0 < . 11:21(10) ack 1 win 9\n"
		       "+0 > . 1:1(0) ack 21\n"
		       "+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1\n"
		       "+0 epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN|EPOLLOUT, u32=9}) = 0\n"
		       "+0 epoll_wait(5, [{events=EPOLLIN|EPOLLOUT, u32=9}], 1, 0) = 1\n"
		       "+0 epoll_wait(5, {events=EPOLLIN|EPOLLOUT, u32=9}, 1, 0) = 1\n"
		       "+0 epoll_ctl(5, EPOLL_CTL_DEL, 4, {}) = 0\n"
		       "+0 epoll_ctl(5, EPOLL_CTL_DEL, 4, {}) = -1 ENOENT\n"
		       "+0 epoll_wait(5, {}, 1, 0) = 0\n"
		       "+0 close(5) = 0\n";
	struct script_fault f;

	(void)state;
	if (run(text, true, &f) != RUN_PASSED)
		fail_msg("%u:%u: %s", f.place.line, f.place.column, f.text);
}

static void test_data_calls(void **state)
{
	static const char text[] =
		OPENED "+0 writev(4, [{\"abc\", 3}, {..., 5}], 2) = 8\n"
		       "+0 > P. 1:9(8) ack 1\n"
		       "+.01 < . 1:101(100) ack 9 win 9000\n"
		       "+0 > . 9:9(0) ack 101\n"
		       "+0 ioctl(4, SIOCINQ, [100]) = 0\n"
		       "+0 recv(4, ..., 50, MSG_PEEK) = 50\n"
		       "+0 recvmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {..., 20}],\n"
		       "               msg_flags=0}, 0) = 30\n"
		       "+0 readv(4, [{..., 20}, {..., 5}], 2) = 25\n"
		       "+0 recvfrom(4, ..., 45, MSG_WAITALL, ..., ...) = 45\n"
		       "+0 recv(4, ..., 1, MSG_DONTWAIT) = -1 EAGAIN\n"
		       "+0...0.2 recv(4, ..., 20, MSG_WAITALL) = 20\n"
		       "+.1 < . 101:111(10) ack 9 win 9000\n+0 > . 9:9(0) ack 111\n"
		       "+.1 < . 111:121(10) ack 9 win 9000\n+0 > . 9:9(0) ack 121\n"
		       "+0 getpeername(4, {sa_family = AF_INET, sin_port = htons(40000),\n"
		       "                   sin_addr = inet_addr(\"192.0.2.1\")}, [16]) = 0\n"
		       "+0 getsockname(3, {sa_family = AF_INET, sin_port = htons(8080),\n"
		       "                   sin_addr = inet_addr(\"0.0.0.0\")}, [16]) = 0\n"
		       "+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, [\"cubic\"], [5]) = 0\n"
		       "+0 setsockopt(4, SOL_TCP, TCP_CONGESTION, \"reno\", 4) = 0\n"
		       "+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, \"reno\", [4]) = 0\n";
	struct script_fault f;

	(void)state;
	if (run(text, true, &f) != RUN_PASSED)
		fail_msg("%u:%u: %s", f.place.line, f.place.column, f.text);
}

/* The first event's time is 0 for each. */
static void passes(const char *text, const struct run_how *how)
{
	struct script_fault f;
	struct script *s = NULL;

	if (script_parse(text, strlen(text), NULL, &s, &f) < 0 ||
	    run_script(s, how, &f) != RUN_PASSED)
		fail_msg("%u:%u: %s", f.place.line, f.place.column, f.text);
	script_free(s);
}

static void test_datagrams(void **state)
{
	const struct run_how how = { .is_strict = true };

	(void)state;
	passes("0 socket(..., SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_UDP) = 3\n"
	       "+0 bind(3, ..., ...) = 0\n"
	       "+0 recvfrom(3, ..., 9, 0, ..., ...) = -1 EAGAIN\n"
	       "+0 < udp (10)\n"
	       "+0 poll([{fd=3, events=POLLIN, revents=POLLIN}], 1, 0) = 1\n"
	       "+0 recvfrom(3, ..., 6, MSG_PEEK|MSG_TRUNC, ..., ...) = 10\n"
	       "+0 recvfrom(3, ..., 100, 0, {sa_family = AF_INET, sin_port = htons(40000),\n"
	       "           sin_addr = inet_addr(\"192.0.2.1\")}, [16]) = 10\n"
	       "+0 sendto(3, ..., 20, 0, ..., ...) = 20\n"
	       "+0 > udp (20)\n"
	       "+0 connect(3, ..., ...) = 0\n"
	       "+0 write(3, ..., 5) = 5\n"
	       "+0 > [tos 0] udp (5)\n"
	       "+0 close(3) = 0\n",
	       &how);
}

static void test_pipes_and_files(void **state)
{
	const struct run_how how = { .is_strict = true };

	(void)state;
	passes(OPENED "+0 pipe([5, 6]) = 0\n"
		      "+0 open(\"/tmp/x\", O_RDONLY) = 7\n"
		      "+0 sendfile(4, 7, [0], 100) = 100\n"
		      "+0 > P. 1:101(100) ack 1\n"
		      "+.01 < . 1:1001(1000) ack 101 win 9000\n"
		      "+0 > . 101:101(0) ack 1001\n"
		      "+0 splice(4, NULL, 6, NULL, 600, 0) = 600\n"
		      "+0 splice(5, NULL, 4, NULL, 1000, 0) = 600\n"
		      "+0 > P. 101:701(600) ack 1001\n"
		      "+0 splice(4, NULL, 5, NULL, 600, 0) = -1 EINVAL\n"
		      "+0 splice(5, NULL, 4, NULL, 1, SPLICE_F_NONBLOCK) = -1 EAGAIN\n"
		      "+0 close(5) = 0\n+0 close(6) = 0\n+0 close(7) = 0\n",
	       &how);
}

static void test_what_linux_adds(void **state)
{
	const struct run_how how = { .is_strict = true };

	(void)state;
	passes(OPENED "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n"
		      "+0 send(4, ..., 100, MSG_MORE) = 100\n"
		      "+.1 send(4, ..., 50, 0) = 50\n"
		      "+0 > P. 1:151(150) ack 1\n"
		      "+.01 < P. 1:11(10) ack 151 win 9000\n+0 > . 151:151(0) ack 11\n"
		      "+0 setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0\n"
		      "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 4}], msg_flags=0,\n"
		      "   msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ,\n"
		      "                 cmsg_data=6}]}, 0) = 4\n"
		      "+0 read(4, ..., 6) = 6\n"
		      "+0 write(4, NULL, 6) = -1 EFAULT\n"
		      "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0\n"
		      "+0...+.1 close(4) = 0\n"
		      "+0 > F. 151:151(0) ack 11\n"
		      "+.1 < . 11:11(0) ack 152 win 9000\n",
	       &how);
}

/* Buffers as Linux's customary defaults, a name for a cookie, and what a command sets. */
static void test_scripts_for_linux(void **state)
{
	const struct run_how theirs = { .is_linux = true };
	const struct run_how own = { .is_strict = true };

	(void)state;
	passes("0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3\n"
	       "+0 connect(3, ..., ...) = -1 EINPROGRESS\n"
	       "+0 > S 0:0(0) <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 8>\n",
	       &theirs);
	passes("-D COOKIE=0123 --define=WHO=3\n"
	       "`../common/defaults.sh\n"
	       "./set_sysctls.py /proc/sys/net/ipv4/tcp_rmem=\"4096 131072 $((32*1024*1024))\" \\\n"
	       "  /proc/sys/net/ipv4/tcp_congestion_control=reno # as was`\n"
	       "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = WHO\n"
	       "+0 getsockopt(WHO, SOL_TCP, TCP_CONGESTION, [\"reno\"], [4]) = 0\n"
	       "+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
	       "+0 < S 0:0(0) win 9 <mss 1000,FO COOKIE,nop,wscale 7>\n"
	       "+0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 10>\n"
	       "`/tmp/sysctl_restore_${PPID}.sh`\n",
	       &own);
}

/* What a device would have cut counts as the one segment of the script. */
static void test_segments_in_a_row_are_one(void **state)
{
	struct script_fault f;

	(void)state;
	assert_int_equal(
		run(OPENED "+0 write(4, ..., 3000) = 3000\n+0 > P. 1:3001(3000) ack 1\n", true, &f),
		RUN_PASSED);
	assert_int_equal(
		run(OPENED "+0 write(4, ..., 3000) = 3000\n+0 > P. 1:2501(2500) ack 1\n", true, &f),
		RUN_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_scripts_fail),
		cmocka_unit_test(test_what_is_left_is_a_fault_when_strict),
		cmocka_unit_test(test_ipv6_is_skipped),
		cmocka_unit_test(test_timestamps_are_compared_when_asked),
		cmocka_unit_test(test_epoll),
		cmocka_unit_test(test_data_calls),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_pipes_and_files),
		cmocka_unit_test(test_what_linux_adds),
		cmocka_unit_test(test_scripts_for_linux),
		cmocka_unit_test(test_segments_in_a_row_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
