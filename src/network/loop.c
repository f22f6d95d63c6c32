#include "network/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

#define BATCH 128

struct loop {
	int epoll_fd;
	bool stopped;
	bool busy; /* settle has more to do */
	loop_settle_function *settle;
	void *user;
	struct reeve_time now;
	struct timers timers;
	struct epoll_event batch[BATCH];
	int batch_next, batch_count; /* events that are fetched and not yet delivered */
};

struct reeve_time loop_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct reeve_time){ ts.tv_sec * REEVE_NS_PER_S + ts.tv_nsec };
}

struct loop *loop_new(loop_settle_function *settle, void *user)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		free(loop);
		return NULL;
	}
	loop->settle = settle;
	loop->user = user;
	loop->busy = true; /* what is there to settle before anything happens */
	loop->now = loop_clock();
	timers_init(&loop->timers, loop->now);
	return loop;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	close(loop->epoll_fd);
	free(loop);
	return NULL;
}

struct reeve_time loop_now(const struct loop *loop)
{
	return loop->now;
}

/* Until the first timer, but not over `timeout_ms`; NULL: for ever. */
static const struct timespec *time_to_wait(const struct loop *loop, int timeout_ms,
					   struct timespec *ts)
{
	struct reeve_time until = timers_deadline(&loop->timers);
	int64_t ns;

	if (timeout_ms >= 0)
		until = reeve_time_min(until, reeve_time_add_ms(loop->now, timeout_ms));
	if (loop->busy)
		until = loop->now;
	if (reeve_time_is_never(until))
		return NULL;
	ns = reeve_time_since(until, loop_clock());
	if (ns < 0)
		ns = 0;
	*ts = (struct timespec){ .tv_sec = ns / REEVE_NS_PER_S, .tv_nsec = ns % REEVE_NS_PER_S };
	return ts;
}

static void deliver_batch(struct loop *loop)
{
	while (loop->batch_next < loop->batch_count) {
		const struct epoll_event *event = &loop->batch[loop->batch_next++];
		struct loop_source *source = event->data.ptr;

		if (source)
			source->ready(source, event->events);
	}
	loop->batch_next = 0;
	loop->batch_count = 0;
}

static void fire_timers(struct loop *loop)
{
	struct timer *timer;

	timers_advance(&loop->timers, loop->now);
	while ((timer = timers_next(&loop->timers))) {
		struct loop_timer *owner = container_of(timer, struct loop_timer, timer);

		owner->fired(owner);
	}
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	struct timespec ts;
	const struct timespec *wait = time_to_wait(loop, timeout_ms, &ts);
	const int n = epoll_pwait2(loop->epoll_fd, loop->batch, BATCH, wait, NULL);

	if (n < 0 && errno != EINTR)
		return -errno;
	loop->now = loop_clock();
	loop->batch_next = 0;
	loop->batch_count = n > 0 ? n : 0;
	deliver_batch(loop);
	fire_timers(loop);
	loop->busy = loop->settle && loop->settle(loop->user);
	return 0;
}

int loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped) {
		const int r = loop_turn(loop, -1);

		if (r < 0)
			return r;
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

void loop_source_init(struct loop_source *source, loop_ready_function *ready)
{
	*source = (struct loop_source){ .ready = ready, .fd = -1 };
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	check(source->fd < 0 && fd >= 0);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	source->fd = fd;
	source->events = events;
	return 0;
}

int loop_change(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (events == source->events)
		return 0;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0)
		return -errno;
	source->events = events;
	return 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	if (source->fd < 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->fd = -1;
	for (int i = loop->batch_next; i < loop->batch_count; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
}

void loop_timer_init(struct loop_timer *timer, loop_fired_function *fired)
{
	timer->fired = fired;
	timer_init(&timer->timer, 0);
}

void loop_timer_arm(struct loop *loop, struct loop_timer *timer, struct reeve_time expires)
{
	if (reeve_time_is_never(expires)) {
		timer_disarm(&loop->timers, &timer->timer);
		return;
	}
	if (timer_is_armed(&timer->timer) && timer->timer.expires.ns == expires.ns)
		return;
	timer_arm(&loop->timers, &timer->timer, expires);
}

void loop_timer_disarm(struct loop *loop, struct loop_timer *timer)
{
	timer_disarm(&loop->timers, &timer->timer);
}
