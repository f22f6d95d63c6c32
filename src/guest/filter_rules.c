/*
 * Owns the list of trapped calls: a program of the build, which writes the filters of filter_code.h,
 * one for each set of options, as C. So a run needs no library to make its own, and no time.
 *
 *	filter_rules ARCHITECTURE
 *
 * Arguments that are ints are compared under a mask of 32 bits: the kernel ignores the upper half
 * of the register, so a comparison of all 64 bits could be passed by with rubbish there. Where a
 * rule says "not equal" all 64 bits are compared: rubbish then traps too often, and the supervisor
 * looks again.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "guest/filter_code.h"
#include "guest/kernel.h"

#define INT_MASK UINT64_C(0xffffffff)

/* An int argument equals; an int argument has the bit. */
#define IS(argument, value) SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, INT_MASK, (uint64_t)(value))
#define HAS(argument, bit)  SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, (uint64_t)(bit), (uint64_t)(bit))

static const int trapped_always[] = {
	SCMP_SYS(bind),    SCMP_SYS(listen),      SCMP_SYS(connect),     SCMP_SYS(accept),
	SCMP_SYS(accept4), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
};

static const int trapped_messages[] = {
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg),
};

static const int absent[] = {
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
};

/* Of level SOL_SOCKET; all of the other levels are trapped. */
static const int trapped_set[] = {
	SO_BROADCAST,
	SO_SNDBUF,
	SO_RCVBUF,
	SO_KEEPALIVE,
	SO_LINGER,
	SO_REUSEPORT,
	SO_PASSCRED,
	SO_PASSSEC,
	SO_BINDTODEVICE,
	SO_SNDBUFFORCE,
	SO_RCVBUFFORCE,
	SO_ZEROCOPY,
	SO_TXREHASH,
	SO_TIMESTAMPING_OLD,
	SO_TIMESTAMPING_NEW,
	SO_BINDTOIFINDEX,
	SO_PASSPIDFD,
	SO_PASSRIGHTS,
	SO_INQ,
	SO_ATTACH_FILTER,
	SO_DONTROUTE,
	SO_MAX_PACING_RATE,
};

static const int trapped_get[] = {
	SO_TYPE,       SO_ERROR,         SO_SNDBUF,   SO_RCVBUF,          SO_REUSEPORT,
	SO_PASSCRED,   SO_PEERCRED,      SO_PEERNAME, SO_BINDTODEVICE,    SO_PEERSEC,
	SO_ACCEPTCONN, SO_PASSSEC,       SO_PROTOCOL, SO_DOMAIN,          SO_MEMINFO,
	SO_ZEROCOPY,   SO_BINDTOIFINDEX, SO_TXREHASH, SO_PEERGROUPS,      SO_PASSPIDFD,
	SO_PEERPIDFD,  SO_PASSRIGHTS,    SO_INQ,      SO_MAX_PACING_RATE,
};

/* Interface requests: 0x89xx, and wireless ones at 0x8bxx. */
static const unsigned trapped_ioctl_pages[] = { 0x8900, 0x8a00, 0x8b00 };

static int add_options(scmp_filter_ctx f, int call, const int *options, size_t count)
{
	int r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, call, 1, SCMP_CMP(1, SCMP_CMP_NE, SOL_SOCKET));

	for (size_t i = 0; i < count && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, call, 2, IS(1, SOL_SOCKET),
				     IS(2, options[i]));
	return r;
}

static int add_calls(scmp_filter_ctx f, uint32_t action, const int *calls, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = seccomp_rule_add(f, action, calls[i], 0);
	return r;
}

static int add_data_calls(scmp_filter_ctx f, unsigned options)
{
	int r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(sendto), 1,
				 SCMP_CMP(4, SCMP_CMP_NE, 0));

	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(recvfrom), 1,
				     SCMP_CMP(4, SCMP_CMP_NE, 0));
	/* Of AF_UNIX an urgent send without a byte is refused, MSG_FASTOPEN unknown. */
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(sendto), 1, HAS(3, MSG_OOB));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(sendto), 1, HAS(3, MSG_FASTOPEN));
	/* On an AF_UNIX stream MSG_ERRQUEUE eats data, and MSG_TRUNC does not discard. */
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(recvfrom), 1,
				     HAS(3, MSG_ERRQUEUE));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(recvfrom), 1, HAS(3, MSG_TRUNC));
	if (r == 0 && options & FILTER_UDP_LITE)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(recvmsg), 1,
				     HAS(2, MSG_ERRQUEUE));
	if (r == 0 && !(options & FILTER_UDP_LITE))
		r = add_calls(f, SCMP_ACT_NOTIFY, trapped_messages, array_length(trapped_messages));
	return r;
}

static int add_rules(scmp_filter_ctx f, unsigned options)
{
	int r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(socket), 1,
				 SCMP_CMP(0, SCMP_CMP_NE, AF_UNIX));

	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(socketpair), 1,
				     SCMP_CMP(0, SCMP_CMP_NE, AF_UNIX));
	if (r == 0)
		r = add_calls(f, SCMP_ACT_NOTIFY, trapped_always, array_length(trapped_always));
	if (r == 0)
		r = add_options(f, SCMP_SYS(setsockopt), trapped_set, array_length(trapped_set));
	if (r == 0)
		r = add_options(f, SCMP_SYS(getsockopt), trapped_get, array_length(trapped_get));
	if (r == 0)
		r = add_data_calls(f, options);
	for (size_t i = 0; i < array_length(trapped_ioctl_pages) && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(ioctl), 1,
				     SCMP_CMP(1, SCMP_CMP_MASKED_EQ, UINT64_C(0xffffff00),
					      trapped_ioctl_pages[i]));
	/* Of AF_UNIX the kernel would count its own memory, not the program's bytes. */
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(ioctl), 1, IS(1, SIOCOUTQ));
	if (r == 0)
		r = add_calls(f, SCMP_ACT_ERRNO(ENOSYS), absent, array_length(absent));
	if (r == 0 && options & FILTER_HOSTNAME)
		r = seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(uname), 0);
	if (r == 0 && options & FILTER_HOLD_DUMPABLE)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(0), SCMP_SYS(prctl), 2,
				     IS(0, PR_SET_DUMPABLE), SCMP_CMP(1, SCMP_CMP_EQ, 0));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EBUSY), SCMP_SYS(prctl), 1,
				     IS(0, FILTER_PROBE));
	return r;
}

/* libseccomp writes to a descriptor only. Returns the number of instructions, or a negative errno. */
static int export_bpf(scmp_filter_ctx f, struct sock_filter *code, size_t room)
{
	const int fd = memfd_create("filter", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	const int r = seccomp_export_bpf(f, fd);
	const ssize_t n = r < 0 ? r : pread(fd, code, room * sizeof(*code), 0);

	close(fd);
	return n < 0 || (size_t)n == room * sizeof(*code) ? -E2BIG
							  : (int)((size_t)n / sizeof(*code));
}

/* For the machine that the build is for, which may be another than this. */
static int set_architecture(scmp_filter_ctx f, const char *name)
{
	const uint32_t token = seccomp_arch_resolve_name(name);

	if (token == 0)
		return -EDOM;
	if (token == seccomp_arch_native())
		return 0;
	const int r = seccomp_arch_remove(f, SCMP_ARCH_NATIVE);

	return r < 0 ? r : seccomp_arch_add(f, token);
}

static int build(const char *architecture, unsigned options, struct sock_filter *code, size_t room)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

	if (!f)
		return -ENOMEM;
	int r = set_architecture(f, architecture);

	/* i386 and x32 number their calls differently: to them this kernel has none. */
	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (r == 0)
		r = add_rules(f, options);
	if (r == 0)
		r = export_bpf(f, code, room);
	seccomp_release(f);
	return r;
}

static void print(const struct sock_filter *code, int count, unsigned options)
{
	printf("static const struct sock_filter code_%u[] = {\n", options);
	for (int i = 0; i < count; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", code[i].code, code[i].jt, code[i].jf,
		       code[i].k);
	printf("};\n\n");
}

int main(int argc, char **argv)
{
	static struct sock_filter code[BPF_MAXINSNS + 1];
	int counts[FILTER_OPTION_SETS];

	if (argc != 2) {
		fprintf(stderr, "usage: filter_rules ARCHITECTURE\n");
		return 64;
	}
	printf("/* Made by filter_rules.c. */\n#include \"guest/filter_code.h\"\n\n");
	for (unsigned i = 0; i < FILTER_OPTION_SETS; i++) {
		counts[i] = build(argv[1], i, code, array_length(code));
		if (counts[i] <= 0) {
			fprintf(stderr, "filter_rules: %s: %s\n", argv[1], strerror(-counts[i]));
			return 1;
		}
		print(code, counts[i], i);
	}
	printf("const struct filter_code filter_codes[FILTER_OPTION_SETS] = {\n");
	for (unsigned i = 0; i < FILTER_OPTION_SETS; i++)
		printf("\t{ code_%u, %d },\n", i, counts[i]);
	printf("};\n");
	return fflush(stdout) == 0 ? 0 : 1;
}
