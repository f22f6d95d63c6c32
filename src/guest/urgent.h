/*
 * Urgent data of AF_UNIX: since Linux 5.15; poll() speaks of them since 5.18, and in later ones of 5.15.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static inline bool urgent_try(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	struct pollfd p = { .fd = ends[1], .events = POLLPRI };
	const bool is_said = send(ends[0], "", 1, MSG_OOB | MSG_NOSIGNAL) == 1 &&
			     poll(&p, 1, 0) == 1 && (p.revents & POLLPRI);

	close(ends[0]);
	close(ends[1]);
	return is_said;
}

/* Whether the kernel has them and poll() says POLLPRI. It is tried once. */
static inline bool urgent_is_polled(void)
{
	static enum { UNKNOWN, YES, NO } answer;

	if (answer == UNKNOWN)
		answer = urgent_try() ? YES : NO;
	return answer == YES;
}
