/* Owns the supervisor's loop. */
#include "guest/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/front.h"
#include "guest/netlink.h"
#include "guest/peer.h"
#include "guest/sys.h"

/* Sweeps take at most this part of the time, and come no more often than that. */
#define SWEEP_PART        200
#define SWEEP_INTERVAL_MS 500

/* Each that finds a tree quiet doubles the time to the next, so often. */
#define QUIET_SWEEPS 3

/* Looks at the listeners because a process has ended, too. */
#define LOOK_PART 20

/* Of one run at most; the file is the network's, and many write to it. */
#define LOG_LINES 64

struct reeve_time supervisor_clock(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct reeve_time){ t.tv_sec * REEVE_NS_PER_S + t.tv_nsec };
}

void supervisor_log(struct supervisor *s, const char *format, ...)
{
	const time_t now = time(NULL);
	char when[32] = "", text[512], line[sizeof(when) + sizeof(text) + 32];
	struct tm tm;
	va_list arguments;

	if (s->logged++ >= LOG_LINES)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (gmtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	const int length =
		snprintf(line, sizeof(line), "%srun %d: %s\n", when, (int)getpid(), text);
	/* Not made here: whoever ends the network in order takes the file with it. */
	const int fd = open(s->log_path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return;
	(void)!write(fd, line, (size_t)length);
	close(fd);
}

void supervisor_look_at_port(struct supervisor *s, uint16_t port)
{
	listeners_look_at_port(s, port);
	liveness_look_at_port(s, port);
}

/* When something that has just taken so long may be done again. */
static struct reeve_time spaced(const struct supervisor *s, int64_t cost_ns, int64_t part,
				int64_t least_ms)
{
	const int64_t wanted = cost_ns * part / REEVE_NS_PER_MS;

	return reeve_time_add_ms(s->now, wanted > least_ms ? wanted : least_ms);
}

void supervisor_sweep_later(struct supervisor *s)
{
	if (!timer_is_armed(&s->sweep_timer))
		timer_arm(&s->timers, &s->sweep_timer,
			  reeve_time_add_ms(s->now, SWEEP_INTERVAL_MS));
}

static void sweep(struct supervisor *s)
{
	const int64_t interval_ms = SWEEP_INTERVAL_MS << s->quiet_sweeps;
	struct reeve_time next = REEVE_NEVER;
	bool is_watching = true;

	listeners_look_at_all(s);
	if (!reeve_time_before(s->now, s->sweep_due)) {
		is_watching = liveness_sweep(s);
		s->sweep_due = spaced(s, s->liveness.cost_ns, SWEEP_PART, interval_ms);
	}
	direct_return_ports(s);
	if (is_watching)
		next = s->sweep_due;
	if (s->listeners.count)
		next = reeve_time_min(next,
				      spaced(s, s->listeners.cost_ns, SWEEP_PART, interval_ms));
	timer_arm(&s->timers, &s->sweep_timer, next);
	if (s->quiet_sweeps < QUIET_SWEEPS)
		s->quiet_sweeps++;
}

/* The program is about its sockets again. */
static void end_quiet(struct supervisor *s)
{
	s->quiet_sweeps = 0;
	if (!timer_is_armed(&s->sweep_timer))
		return;
	s->sweep_due = reeve_time_min(s->sweep_due, reeve_time_add_ms(s->now, SWEEP_INTERVAL_MS));
	timer_arm(&s->timers, &s->sweep_timer,
		  reeve_time_min(s->sweep_timer.expires,
				 reeve_time_add_ms(s->now, SWEEP_INTERVAL_MS)));
}

static void run_timers(struct supervisor *s)
{
	timers_advance(&s->timers, s->now);
	for (struct timer *t = timers_next(&s->timers); t; t = timers_next(&s->timers)) {
		if (t->kind == SUPERVISOR_TIMER_PARCEL) {
			channel_send_parcel(s);
			continue;
		}
		if (t->kind == SUPERVISOR_TIMER_DIRECT) {
			direct_tell(s);
			continue;
		}
		if (t->kind != SUPERVISOR_TIMER_SWEEP) {
			call_timer(s, t);
			continue;
		}
		sweep(s);
	}
}

static void receive_call(struct supervisor *s)
{
	struct trapped t;
	const int r = notify_receive(&s->notify, &t);

	if (r < 0)
		return;
	if (s->quiet_sweeps)
		end_quiet(s);
	struct call *c = call_new(s, &t);

	if (c)
		sys_dispatch(s, c);
	else
		(void)notify_answer(&s->notify, &t, -ENOMEM);
}

static void lose_network(struct supervisor *s)
{
	if (s->channel.is_lost)
		return;
	watch_stop(s->epoll_fd, &s->channel.watch);
	s->channel.is_lost = true;
	supervisor_log(s, "the network process is gone");
	front_say(s->front_fd, "the network has ended");
	peer_all_lost(s);
}

/* One datagram's: more of them make the next event, and calls do not wait behind a flood. */
static void receive_messages(struct supervisor *s)
{
	bool more = true;

	while (more) {
		struct guest_message m;
		const uint8_t *data = NULL;
		const int r = channel_receive(&s->channel, &m, &data, &more);

		if (r == -EAGAIN)
			return;
		if (r < 0) {
			lose_network(s);
			return;
		}
		if (m.type != GUEST_ANSWER) {
			peer_dispatch(s, &m, data);
			continue;
		}
		struct request *request = channel_take_request(&s->channel, m.request);

		if (request)
			request_finish(s, request, &m, data);
	}
}

/* The other end of netlink, or of a UDP socket that the network process does not know (yet, or any
 * more). */
static void receive_end(struct supervisor *s, struct guest_socket *socket)
{
	if (socket->is_both) {
		liveness_look_at(s, socket);
		return;
	}
	const ssize_t n = recv(socket->end, s->scratch, GUEST_DATA_MAX, MSG_DONTWAIT);
	struct pollfd p = { .fd = socket->end, .events = POLLRDHUP };

	if (n > 0 && socket->kind == SOCKET_NETLINK)
		netlink_input(s, socket, s->scratch, (size_t)n);
	if (socket->kind == SOCKET_UDP)
		return; /* what was sent is lost; sweeps find out that it was closed */
	if (n > 0 || (n < 0 && errno == EAGAIN) || poll(&p, 1, 0) <= 0)
		return; /* nothing more, or a datagram without a byte */
	if (p.revents & POLLHUP)
		peer_drop(s, socket);
	else
		(void)watch_start(s->epoll_fd, &socket->watch, socket->end, 0);
}

static void reap(struct supervisor *s)
{
	struct signalfd_siginfo info;
	int status = 0;

	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info))
		;
	for (;;) {
		const pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);

		if (pid == 0)
			return;
		if (pid < 0) {
			s->has_ended = errno == ECHILD;
			return;
		}
		if (pid != s->program)
			continue;
		front_report(s->front_fd, status);
		if (WIFEXITED(status) || WIFSIGNALED(status))
			s->reported_ended = true;
	}
}

/* One that has ended may have held some, whose ports should refuse from now on. */
static void look_at_listeners(struct supervisor *s)
{
	if (s->has_ended || reeve_time_before(s->now, s->listen_due))
		return; /* the next sweep finds them */
	listeners_look_at_all(s);
	s->listen_due = spaced(s, s->listeners.cost_ns, LOOK_PART, 0);
}

/* The front passes signals on by itself; that it is gone before the program means it was killed,
 * and then the program would have been, too. After it, it means that the front waits no longer for
 * the rest of the tree. */
static void front_gone(struct supervisor *s)
{
	if (!s->reported_ended && !s->is_detached)
		(void)kill(s->program, SIGKILL);
	else if (s->is_counting)
		front_count(s->front_fd, &s->counts);
	watch_stop(s->epoll_fd, &s->front_watch);
}

static void thread_ended(struct supervisor *s, struct descriptor_process *p)
{
	call_drop_all(s, p->tid);
	descriptor_forget(&s->descriptors, p);
}

static void dispatch(struct supervisor *s, struct watch *w, uint32_t events)
{
	struct call *c = NULL;

	switch (w->kind) {
	case WATCH_NOTIFY:
		if (events & EPOLLIN)
			receive_call(s);
		else
			watch_stop(s->epoll_fd, w); /* the last program with the filter is gone */
		return;
	case WATCH_CHANNEL:
		if (events & EPOLLOUT)
			channel_flush(s);
		if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			receive_messages(s);
		return;
	case WATCH_SIGNAL:
		reap(s);
		look_at_listeners(s);
		return;
	case WATCH_FRONT:
		front_gone(s);
		return;
	case WATCH_END:
		receive_end(s, container_of(w, struct guest_socket, watch));
		return;
	case WATCH_CALL:
		c = container_of(w, struct call, watch);
		call_try_again(s, c);
		return;
	case WATCH_PROCESS:
		thread_ended(s, container_of(w, struct descriptor_process, watch));
		return;
	}
}

static void loop(struct supervisor *s)
{
	while (!s->has_ended) {
		struct epoll_event event;
		const struct reeve_time deadline = timers_deadline(&s->timers);
		int timeout_ms = -1;

		if (!reeve_time_is_never(deadline)) {
			const int64_t left = reeve_time_since(deadline, s->now);

			timeout_ms =
				left <= 0 ? 0
				: left > 60 * REEVE_NS_PER_S
					? 60000
					: (int)((left + REEVE_NS_PER_MS - 1) / REEVE_NS_PER_MS);
		}
		/* One at a time: what handles an event may free what the next belongs to. */
		const int n = epoll_wait(s->epoll_fd, &event, 1, timeout_ms);

		s->now = supervisor_clock();
		if (n > 0)
			dispatch(s, event.data.ptr, event.events);
		if (s->channel.is_lost)
			peer_fail_requests(s);
		run_timers(s);
	}
}

static int watch_all(struct supervisor *s)
{
	sigset_t child;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	s->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->signal_fd < 0 || s->epoll_fd < 0)
		return -errno;
	descriptor_cache_init(&s->descriptors, s->epoll_fd);
	s->notify_watch = (struct watch){ .kind = WATCH_NOTIFY, .fd = -1 };
	s->signal_watch = (struct watch){ .kind = WATCH_SIGNAL, .fd = -1 };
	s->front_watch = (struct watch){ .kind = WATCH_FRONT, .fd = -1 };
	int r = watch_start(s->epoll_fd, &s->notify_watch, s->notify.fd, EPOLLIN);

	if (r == 0)
		r = watch_start(s->epoll_fd, &s->channel.watch, s->channel.fd, EPOLLIN);
	if (r == 0)
		r = watch_start(s->epoll_fd, &s->signal_watch, s->signal_fd, EPOLLIN);
	if (r == 0)
		r = watch_start(s->epoll_fd, &s->front_watch, s->front_fd, EPOLLRDHUP);
	return r;
}

static int init(struct supervisor *s, const struct supervisor_start *start)
{
	s->front_fd = start->front_fd;
	s->program = start->program;
	s->is_killable = start->is_killable;
	s->is_direct = start->is_direct;
	s->is_counting = start->is_counting;
	s->is_detached = start->is_detached;
	s->welcome = *start->welcome;
	s->interfaces.gateway = start->welcome->gateway;
	interfaces_take(&s->interfaces, start->welcome->interfaces,
			start->welcome->interface_count);
	(void)snprintf(s->private_directory, sizeof(s->private_directory), "%s",
		       start->private_directory);
	(void)snprintf(s->log_path, sizeof(s->log_path), "%s/log", start->private_directory);
	list_init(&s->calls);
	list_init(&s->free_calls);
	liveness_init(&s->liveness);
	direct_init(&s->direct);
	s->now = supervisor_clock();
	timers_init(&s->timers, s->now);
	timer_init(&s->sweep_timer, SUPERVISOR_TIMER_SWEEP);
	s->scratch = malloc(GUEST_DATA_MAX);
	int r = s->scratch ? 0 : -ENOMEM;

	if (r == 0)
		r = notify_init(&s->notify, start->notify_fd);
	if (r == 0)
		r = channel_init(&s->channel, start->network_fd);
	if (r == 0)
		r = socket_table_init(&s->sockets);
	if (r == 0)
		r = listeners_init(&s->listeners);
	if (r == 0)
		r = rendezvous_init(&s->rendezvous, start->directory);
	return r < 0 ? r : watch_all(s);
}

/* No process is left: what they have written is to be delivered all the same. */
static void say_done(struct supervisor *s)
{
	const struct guest_message m = { .type = GUEST_DONE };

	channel_send(s, &m, NULL, -1);
	channel_finish(s);
}

static void deinit(struct supervisor *s)
{
	while (!list_is_empty(&s->calls))
		call_drop(s, list_entry(list_first(&s->calls), struct call, node));
	for (struct list *node = list_pop(&s->free_calls); node; node = list_pop(&s->free_calls))
		free(list_entry(node, struct call, node));
	socket_table_deinit(&s->sockets);
	channel_deinit(&s->channel);
	rendezvous_deinit(&s->rendezvous);
	liveness_deinit(&s->liveness);
	listeners_deinit(&s->listeners);
	descriptor_cache_deinit(&s->descriptors);
	notify_deinit(&s->notify);
	free(s->scratch);
	close(s->signal_fd);
	close(s->front_fd);
	close(s->epoll_fd);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int supervisor_run(const struct supervisor_start *start)
{
	static struct supervisor s;

	raise_descriptor_limit();
	const int r = init(&s, start);

	if (r < 0) {
		front_say(start->front_fd, strerror(-r));
		return 1;
	}
	loop(&s);
	if (s.is_counting)
		front_count(s.front_fd, &s.counts);
	say_done(&s);
	deinit(&s);
	return 0;
}
