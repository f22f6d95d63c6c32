/*
 * The filter's program, run here by a small interpreter of classic BPF: what it says of each call,
 * also with rubbish in the half of a register that the kernel does not look at.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "guest/filter.h"
#include "guest/kernel.h"

#define DIRT (UINT64_C(0xa5a5a5a5) << 32)

#ifdef __x86_64__
#	define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#	define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))
#define NOTIFY   SECCOMP_RET_USER_NOTIF
#define ALLOW    SECCOMP_RET_ALLOW

static struct sock_fprog full, lite;

static bool jumps(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return a == f->k;
	case BPF_JGT:
		return a > f->k;
	case BPF_JGE:
		return a >= f->k;
	case BPF_JSET:
		return a & f->k;
	default:
		fail_msg("a jump that is not known: %x", f->code);
		return false;
	}
}

/* As the kernel runs it; the program may use what libseccomp makes, and no more. */
static uint32_t evaluate(const struct sock_fprog *p, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t at = 0; at < p->len; at++) {
		const struct sock_filter *f = &p->filter[at];

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			assert_true(f->k + sizeof(a) <= sizeof(*data));
			memcpy(&a, (const char *)data + f->k, sizeof(a));
			break;
		case BPF_ALU:
			assert_int_equal(BPF_OP(f->code), BPF_AND);
			a &= f->k;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				at += f->k;
			else
				at += jumps(f, a) ? f->jt : f->jf;
			break;
		case BPF_RET:
			return f->k;
		default:
			fail_msg("an instruction that is not known: %x", f->code);
		}
	}
	fail_msg("the program has no end");
	return 0;
}

struct arguments {
	uint64_t a[6];
};

static uint32_t says(const struct sock_fprog *p, int number, struct arguments arguments)
{
	struct seccomp_data data = { .nr = number, .arch = ARCHITECTURE };

	for (int i = 0; i < 6; i++)
		data.args[i] = arguments.a[i];
	return evaluate(p, &data);
}

#define SAYS(program, number, ...) says(program, number, (struct arguments){ { __VA_ARGS__ } })

static void test_families(void **unused)
{
	(void)unused;
	for (uint64_t family = 0; family < 64; family++) {
		const uint32_t wanted = family == AF_UNIX ? ALLOW : NOTIFY;

		assert_int_equal(SAYS(&full, SYS_socket, family, SOCK_STREAM), wanted);
		assert_int_equal(SAYS(&full, SYS_socketpair, family, SOCK_STREAM), wanted);
		/* With dirt the supervisor looks; what must not be is that it passes. */
		assert_int_equal(SAYS(&full, SYS_socket, DIRT | family, SOCK_STREAM), NOTIFY);
	}
}

static void test_options(void **unused)
{
	(void)unused;
	for (uint64_t dirt = 0; dirt <= DIRT; dirt += DIRT) {
		const uint64_t level = dirt | SOL_SOCKET;

		assert_int_equal(SAYS(&full, SYS_setsockopt, 3, level, dirt | SO_REUSEPORT),
				 NOTIFY);
		assert_int_equal(SAYS(&full, SYS_setsockopt, 3, level, dirt | SO_LINGER), NOTIFY);
		assert_int_equal(SAYS(&full, SYS_getsockopt, 3, level, dirt | SO_ERROR), NOTIFY);
		assert_int_equal(SAYS(&full, SYS_getsockopt, 3, level, dirt | SO_TYPE), NOTIFY);
		assert_int_equal(SAYS(&full, SYS_setsockopt, 3, dirt | IPPROTO_TCP, 1), NOTIFY);
		assert_int_equal(SAYS(&full, SYS_getsockopt, 3, dirt | IPPROTO_IP, 1), NOTIFY);
	}
	assert_int_equal(SAYS(&full, SYS_setsockopt, 3, SOL_SOCKET, SO_RCVTIMEO), ALLOW);
	assert_int_equal(SAYS(&full, SYS_getsockopt, 3, SOL_SOCKET, SO_RCVLOWAT), ALLOW);
}

static void test_data_calls(void **unused)
{
	(void)unused;
	assert_int_equal(SAYS(&full, SYS_sendto, 3, 1, 1, 0, 0, 0), ALLOW);
	assert_int_equal(SAYS(&full, SYS_sendto, 3, 1, 1, 0, 8, 16), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_sendto, 3, 1, 1, 0, DIRT, 16), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_recvfrom, 3, 1, 1, MSG_PEEK, 0, 0), ALLOW);
	assert_int_equal(SAYS(&full, SYS_recvfrom, 3, 1, 1, 0, 8, 8), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_recvfrom, 3, 1, 1, DIRT | MSG_ERRQUEUE | 2, 0, 0), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_recvfrom, 3, 1, 1, DIRT | MSG_TRUNC, 0, 0), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_recvmsg, 3, 8, 0), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_sendmsg, 3, 8, 0), NOTIFY);
	assert_int_equal(SAYS(&lite, SYS_sendmsg, 3, 8, 0), ALLOW);
	assert_int_equal(SAYS(&lite, SYS_recvmsg, 3, 8, 0), ALLOW);
	assert_int_equal(SAYS(&lite, SYS_recvmsg, 3, 8, DIRT | MSG_ERRQUEUE), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_read, 3, 8, 0), ALLOW);
	assert_int_equal(SAYS(&full, SYS_close, 3), ALLOW);
}

static void test_other_calls(void **unused)
{
	(void)unused;
	assert_int_equal(SAYS(&full, SYS_connect, 3, 8, 16), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_accept4, 3, 8, 16), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_ioctl, 3, DIRT | 0x8912), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_ioctl, 3, 0x8bff), NOTIFY);
	assert_int_equal(SAYS(&full, SYS_ioctl, 3, 0x5401), ALLOW);
	assert_int_equal(SAYS(&full, SYS_io_uring_setup, 8), ERRNO(ENOSYS));
	assert_int_equal(SAYS(&full, SYS_prctl, DIRT | FILTER_PROBE), ERRNO(EBUSY));
	assert_int_equal(SAYS(&full, SYS_prctl, DIRT | PR_SET_DUMPABLE, 0), ERRNO(0));
	assert_int_equal(SAYS(&full, SYS_prctl, PR_SET_DUMPABLE, 1), ALLOW);
	assert_int_equal(SAYS(&lite, SYS_prctl, PR_SET_DUMPABLE, 0), ALLOW);
}

static void test_foreign_calls(void **unused)
{
	const struct seccomp_data i386 = { .nr = 102, .arch = AUDIT_ARCH_I386 };

	(void)unused;
	assert_int_equal(evaluate(&full, &i386), ERRNO(ENOSYS));
#ifdef __x86_64__
	assert_int_equal(SAYS(&full, 0x40000000 | SYS_socket, AF_INET, 1), ERRNO(ENOSYS));
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families),      cmocka_unit_test(test_options),
		cmocka_unit_test(test_data_calls),    cmocka_unit_test(test_other_calls),
		cmocka_unit_test(test_foreign_calls),
	};
	const struct filter_options options = { .hold_dumpable = true };
	const struct filter_options lite_options = { .udp_lite = true };

	full = filter_get(&options);
	lite = filter_get(&lite_options);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
