#include "network/listener.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"

#define REST_MS 100

static void rest(struct listener *l)
{
	loop_change(l->loop, &l->source, 0);
	loop_timer_arm(l->loop, &l->rest, reeve_time_add_ms(loop_now(l->loop), REST_MS));
}

static void rested(struct loop_timer *timer)
{
	struct listener *l = container_of(timer, struct listener, rest);

	loop_change(l->loop, &l->source, EPOLLIN);
}

void listener_accept(struct listener *l)
{
	struct ucred peer;

	while (l->source.fd >= 0) {
		socklen_t length = sizeof(peer);
		int fd;

		if (l->ops->is_full && l->ops->is_full(l)) {
			rest(l);
			return;
		}
		fd = accept4(l->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0 && errno != EAGAIN)
			rest(l);
		if (fd < 0)
			return;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
			close(fd);
		else
			l->ops->take_in(l, fd, &peer);
	}
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	(void)events;
	listener_accept(container_of(source, struct listener, source));
}

int listener_init(struct listener *l, const struct listener_ops *ops, struct loop *loop,
		  int fd_take)
{
	int r = 0;

	*l = (struct listener){ .ops = ops, .loop = loop };
	loop_source_init(&l->source, listener_ready);
	loop_timer_init(&l->rest, rested);
	if (fd_take >= 0)
		r = loop_add(loop, &l->source, fd_take, EPOLLIN);
	if (r < 0)
		close(fd_take);
	return r;
}

void listener_deinit(struct listener *l)
{
	const int fd = l->source.fd;

	loop_timer_disarm(l->loop, &l->rest);
	if (fd < 0)
		return;
	loop_remove(l->loop, &l->source);
	close(fd);
}
