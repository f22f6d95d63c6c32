/* Owns the list of calls, their names and their handlers. */
#include <assert.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "base/check.h"
#include "guest/supervisor.h"
#include "guest/sys.h"

typedef void handler(struct supervisor *s, struct call *c);

static const struct {
	int number;
	const char *name;
	handler *handle;
} handlers[] = {
	{ SYS_socket, "socket", sys_socket },
	{ SYS_socketpair, "socketpair", sys_socketpair },
	{ SYS_bind, "bind", sys_bind },
	{ SYS_listen, "listen", sys_listen },
	{ SYS_connect, "connect", sys_connect },
#ifdef SYS_accept
	{ SYS_accept, "accept", sys_accept },
#endif
	{ SYS_accept4, "accept4", sys_accept4 },
	{ SYS_shutdown, "shutdown", sys_shutdown },
	{ SYS_getsockname, "getsockname", sys_getsockname },
	{ SYS_getpeername, "getpeername", sys_getpeername },
	{ SYS_getsockopt, "getsockopt", sys_getsockopt },
	{ SYS_setsockopt, "setsockopt", sys_setsockopt },
	{ SYS_ioctl, "ioctl", sys_ioctl },
	{ SYS_sendto, "sendto", sys_sendto },
	{ SYS_recvfrom, "recvfrom", sys_recvfrom },
	{ SYS_sendmsg, "sendmsg", sys_sendmsg },
	{ SYS_recvmsg, "recvmsg", sys_recvmsg },
	{ SYS_sendmmsg, "sendmmsg", sys_sendmmsg },
	{ SYS_recvmmsg, "recvmmsg", sys_recvmmsg },
	{ SYS_uname, "uname", sys_uname },
};

static_assert(array_length(handlers) < COUNT_KINDS, "one more for all others");

void sys_dispatch(struct supervisor *s, struct call *c)
{
	for (c->kind = 0; c->kind < array_length(handlers); c->kind++) {
		if (handlers[c->kind].number == c->trapped.number) {
			handlers[c->kind].handle(s, c);
			return;
		}
	}
	call_continue(s, c);
}

const char *sys_kind_name(unsigned kind)
{
	return kind < array_length(handlers) ? handlers[kind].name : "other";
}
