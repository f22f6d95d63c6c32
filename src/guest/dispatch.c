/* Owns the list of calls and their handlers. */
#include <stddef.h>
#include <sys/syscall.h>

#include "base/check.h"
#include "guest/supervisor.h"
#include "guest/sys.h"

typedef void handler(struct supervisor *s, struct call *c);

static const struct {
	int number;
	handler *handle;
} handlers[] = {
	{ SYS_socket, sys_socket },
	{ SYS_socketpair, sys_socketpair },
	{ SYS_bind, sys_bind },
	{ SYS_listen, sys_listen },
	{ SYS_connect, sys_connect },
#ifdef SYS_accept
	{ SYS_accept, sys_accept },
#endif
	{ SYS_accept4, sys_accept4 },
	{ SYS_shutdown, sys_shutdown },
	{ SYS_getsockname, sys_getsockname },
	{ SYS_getpeername, sys_getpeername },
	{ SYS_getsockopt, sys_getsockopt },
	{ SYS_setsockopt, sys_setsockopt },
	{ SYS_ioctl, sys_ioctl },
	{ SYS_sendto, sys_sendto },
	{ SYS_recvfrom, sys_recvfrom },
	{ SYS_sendmsg, sys_sendmsg },
	{ SYS_recvmsg, sys_recvmsg },
	{ SYS_sendmmsg, sys_sendmmsg },
	{ SYS_recvmmsg, sys_recvmmsg },
};

void sys_dispatch(struct supervisor *s, struct call *c)
{
	for (size_t i = 0; i < array_length(handlers); i++) {
		if (handlers[i].number == c->trapped.number) {
			handlers[i].handle(s, c);
			return;
		}
	}
	call_continue(s, c);
}
