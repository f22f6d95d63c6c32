/*
 * The seccomp filter of a program: which system calls go to the supervisor.
 *
 * Everything that is not named in filter_rules.c stays native. The socket families are an allow-list:
 * AF_UNIX passes, any other goes to the supervisor, who knows AF_INET, AF_INET6 and AF_NETLINK.
 */
#pragma once

#include <stdbool.h>

#include <linux/filter.h>

struct filter_options {
	bool udp_lite;      /* leave sendmsg, recvmsg and their plurals native */
	bool hostname;      /* uname() too */
	bool hold_dumpable; /* keep the program from becoming unreadable for its supervisor */
};

/* As BPF. The instructions are constant. */
struct sock_fprog filter_get(const struct filter_options *options);

/*
 * Puts it on the calling thread and returns the listener. *ret_killable: whether the kernel lets a
 * received call be answered before signals interrupt it (5.19). -EBUSY: a listener is there
 * already; -ENOSYS or -EINVAL: the kernel is too old.
 */
int filter_install(const struct sock_fprog *program, bool *ret_killable);
