/* Owns how a filter gets onto a thread. */
#include "guest/filter.h"

#include <errno.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/filter_code.h"
#include "guest/kernel.h"

struct sock_fprog filter_get(const struct filter_options *options)
{
	const unsigned set = (options->udp_lite ? FILTER_UDP_LITE : 0) |
			     (options->hostname ? FILTER_HOSTNAME : 0) |
			     (options->hold_dumpable ? FILTER_HOLD_DUMPABLE : 0);
	const struct filter_code *code = &filter_codes[set];

	/* The kernel only reads them; its type does not say so. */
	return (struct sock_fprog){
		.len = code->count,
		.filter = (struct sock_filter *)(uintptr_t)code->instructions,
	};
}

static int install(const struct sock_fprog *program, unsigned long flags)
{
	struct sock_fprog copy = *program;

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &copy);
}

int filter_install(const struct sock_fprog *program, bool *ret_killable)
{
	bool killable = true;
	int fd = install(program, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	if (fd < 0 && errno == EACCES) {
		/* Without CAP_SYS_ADMIN a filter needs it; a privileged program keeps setuid. */
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			return -errno;
		fd = install(program, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	}
	if (fd < 0 && errno == EINVAL) {
		killable = false;
		fd = install(program, 0);
	}
	if (fd < 0)
		return -errno;
	*ret_killable = killable;
	return fd;
}
