/* Owns the entries of the supervisor's epoll set. */
#include "guest/watch.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

int watch_start(int epoll_fd, struct watch *w, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = w };
	const int operation = w->fd >= 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(epoll_fd, operation, fd, &event) < 0)
		return -errno;
	w->fd = fd;
	return 0;
}

void watch_stop(int epoll_fd, struct watch *w)
{
	if (w->fd >= 0)
		(void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
}
