/* The handlers of trapped calls. Each ends the call or keeps it (call.h). */
#pragma once

#include <stdint.h>

#include "guest/call.h"

struct supervisor;

/* Notes the call's kind, its place in the list of handlers, and handles it. */
void sys_dispatch(struct supervisor *s, struct call *c);

/* The name of that system call. */
const char *sys_kind_name(unsigned kind);

void sys_socket(struct supervisor *s, struct call *c);
void sys_socketpair(struct supervisor *s, struct call *c);
void sys_bind(struct supervisor *s, struct call *c);
void sys_listen(struct supervisor *s, struct call *c);
void sys_connect(struct supervisor *s, struct call *c);
void sys_accept(struct supervisor *s, struct call *c);
void sys_accept4(struct supervisor *s, struct call *c);
void sys_shutdown(struct supervisor *s, struct call *c);
void sys_getsockname(struct supervisor *s, struct call *c);
void sys_getpeername(struct supervisor *s, struct call *c);
void sys_getsockopt(struct supervisor *s, struct call *c);
void sys_setsockopt(struct supervisor *s, struct call *c);
void sys_ioctl(struct supervisor *s, struct call *c);
void sys_sendto(struct supervisor *s, struct call *c);
void sys_recvfrom(struct supervisor *s, struct call *c);
void sys_sendmsg(struct supervisor *s, struct call *c);
void sys_recvmsg(struct supervisor *s, struct call *c);
void sys_sendmmsg(struct supervisor *s, struct call *c);
void sys_recvmmsg(struct supervisor *s, struct call *c);
void sys_uname(struct supervisor *s, struct call *c);

/* A connect to the name at `name` for a call that then goes on with `then`; what else comes of the
 * connect is the call's answer. */
void connect_then(struct supervisor *s, struct call *c, uint64_t name, uint32_t length,
		  call_retry *then);
