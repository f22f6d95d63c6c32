/*
 * AF_UNIX names that a program may not connect to: the network's own sockets, through which it
 * could grant itself ports; and the name services of the machine (nscd, systemd-resolved), which
 * would answer with the machine's names and not the network's: without them the C library asks the
 * name server of /etc/resolv.conf, which is the network's.
 *
 * This keeps honest programs inside; it is no wall against one that changes its memory between
 * the check and the call.
 */
#pragma once

struct call;
struct supervisor;

/* Of a connect() on no socket of ours: 0, or the negative errno it is answered with. */
int guard_check(const struct supervisor *s, const struct call *c);
