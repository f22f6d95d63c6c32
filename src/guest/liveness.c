/* Owns the liveness set. */
#include "guest/liveness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "guest/supervisor.h"

int liveness_init(struct liveness *l)
{
	*l = (struct liveness){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	return l->epoll_fd < 0 ? -errno : 0;
}

void liveness_deinit(struct liveness *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
}

void liveness_add(struct liveness *l, struct guest_socket *socket, int fd)
{
	struct epoll_event event = { .events = 0, .data.u64 = socket->number };

	if (socket->is_watched)
		return;
	socket->is_watched = epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

uint64_t liveness_sweep(struct supervisor *s)
{
	struct liveness *l = &s->liveness;
	const struct reeve_time start = supervisor_clock();
	char path[48], line[256];

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", l->epoll_fd);
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	l->sweeps++;
	while (fgets(line, sizeof(line), f)) {
		const char *data = strstr(line, "data:");

		if (!data)
			continue;
		struct guest_socket *socket =
			socket_by_number(&s->sockets, strtoull(data + 5, NULL, 16));

		if (socket)
			socket->sweep = l->sweeps;
	}
	(void)fclose(f);
	l->cost_ns = reeve_time_since(supervisor_clock(), start);
	return l->sweeps;
}
