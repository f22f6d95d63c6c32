#include "service/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "service/manager_private.h"

static struct reeve_time clock_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (struct reeve_time){ t.tv_sec * REEVE_NS_PER_S + t.tv_nsec };
}

void manager_watch(struct manager *m, struct service_watch *w, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data = { .ptr = w } };

	if (w->fd == fd)
		return;
	if (epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0)
		w->fd = fd;
}

void manager_unwatch(struct manager *m, struct service_watch *w)
{
	if (w->fd < 0)
		return;
	(void)epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
}

json_t *manager_text(const char *text)
{
	json_t *value = json_string(text);
	char *ascii = value ? NULL : strdup(text);

	for (char *c = ascii; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	if (!value)
		value = json_string(ascii ? ascii : "");
	free(ascii);
	return value;
}

void manager_answer(struct manager *m, json_int_t id, json_t *result_take)
{
	channel_end_send(&m->channel, json_pack("{s:I,s:o}", "id", id, "result", result_take));
}

void manager_refuse(struct manager *m, json_int_t id, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	channel_end_send(&m->channel,
			 json_pack("{s:I,s:o}", "id", id, "error", manager_text(text)));
}

static void list_services(struct manager *m, json_int_t id)
{
	json_t *services = json_array();

	list_for_each(node, &m->services) {
		const struct service *s = list_entry(node, struct service, node);

		if (!s->is_removed)
			json_array_append_new(services, service_describe(s));
	}
	manager_answer(m, id, json_pack("{s:o}", "services", services));
}

static void restart(struct manager *m, json_int_t id, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "service"));
	struct service *s = name ? service_find(m, name) : NULL;

	if (!s) {
		manager_refuse(m, id, "host '%s' has no service '%s'", m->host, name ? name : "");
	} else if (s->restart) {
		manager_refuse(m, id, "service '%s' is being started again already", name);
	} else {
		s->restart = id;
		service_log_say(&s->log, "started again by hand");
		service_restart(s);
	}
}

/* All services end; the manager ends with the last. */
static void end_all(struct manager *m)
{
	m->is_ending = true;
	list_for_each_safe(node, &m->services)
		service_remove(list_entry(node, struct service, node));
}

static void take_request(struct manager *m, const json_t *request)
{
	const char *call = json_string_value(json_object_get(request, "call"));
	const json_int_t id = json_integer_value(json_object_get(request, "id"));

	if (!call)
		return;
	if (strcmp(call, "end") == 0)
		end_all(m);
	else if (m->is_ending)
		manager_refuse(m, id, "the services of host '%s' are ending", m->host);
	else if (strcmp(call, "list") == 0)
		list_services(m, id);
	else if (strcmp(call, "restart") == 0)
		restart(m, id, request);
	else if (strcmp(call, "apply") == 0)
		apply_file(m, id, request);
	m->has_begun |= strcmp(call, "apply") == 0;
}

static void channel_ready(struct manager *m)
{
	json_t *request;

	channel_end_write(&m->channel);
	/* Who asks much waits until the last answer has gone, and so it is one that is kept here. */
	while (!channel_end_is_writing(&m->channel)) {
		channel_end_read(&m->channel);
		request = channel_end_next(&m->channel);
		if (!request)
			return;
		take_request(m, request);
		json_decref(request);
	}
}

static void signals_ready(struct manager *m)
{
	struct signalfd_siginfo info;
	bool is_over = false;

	while (read(m->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		is_over |= info.ssi_signo != SIGCHLD;
	instance_reap(m);
	if (is_over && !m->is_ending)
		end_all(m);
}

static void dispatch(struct manager *m, struct service_watch *w)
{
	struct service_socket *socket;

	switch (w->kind) {
	case WATCH_CHANNEL:
		channel_ready(m);
		return;
	case WATCH_SIGNALS:
		signals_ready(m);
		return;
	case WATCH_SOCKET:
		socket = container_of(w, struct service_socket, watch);
		service_ready(socket->service, socket);
		return;
	case WATCH_LOG:
		service_log_take(&container_of(w, struct service, log_watch)->log);
		return;
	case WATCH_REPORTS:
		instance_reported(container_of(w, struct instance, watch));
		return;
	}
}

/* Its events depend on whether an answer waits. */
static void watch_channel(struct manager *m)
{
	struct epoll_event e = { .events = EPOLLIN, .data = { .ptr = &m->channel_watch } };

	if (m->channel.is_closed) {
		manager_unwatch(m, &m->channel_watch);
		return;
	}
	if (channel_end_is_writing(&m->channel))
		e.events = EPOLLOUT;
	(void)epoll_ctl(m->epoll_fd, EPOLL_CTL_MOD, m->channel.fd, &e);
}

static bool is_over(struct manager *m)
{
	/* Noticed while reading, or when something is told: that may be long after a request. */
	if (m->channel.is_closed && !m->is_ending)
		end_all(m);
	return (m->is_ending || m->has_begun) && list_is_empty(&m->services);
}

static void loop(struct manager *m)
{
	while (!is_over(m)) {
		struct epoll_event event;
		const struct reeve_time deadline = timers_deadline(&m->timers);
		int timeout_ms = -1;

		watch_channel(m);
		if (!reeve_time_is_never(deadline)) {
			const int64_t left = reeve_time_since(deadline, clock_now());

			timeout_ms = left <= 0 ? 0
				     : left > 60 * REEVE_NS_PER_S
					     ? 60000
					     : (int)(left / REEVE_NS_PER_MS) + 1;
		}
		/* One at a time: what handles an event may free what the next belongs to. */
		const int n = epoll_wait(m->epoll_fd, &event, 1, timeout_ms);

		m->now = clock_now();
		if (n > 0)
			dispatch(m, event.data.ptr);
		timers_advance(&m->timers, m->now);
		for (struct timer *t = timers_next(&m->timers); t; t = timers_next(&m->timers))
			service_timer(container_of(t, struct service, timer));
	}
}

/* Nothing of whoever started it but its working environment. */
static void leave(struct manager *m, int fd_kept)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct rlimit files;

	(void)setsid();
	(void)!chdir("/");
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		(void)dup2(null, fd);
	if (fd_kept > 3)
		close_range(3, (unsigned)fd_kept - 1, 0);
	close_range((unsigned)fd_kept + 1, ~0U, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "reeve-services", 0, 0, 0);
	(void)getrlimit(RLIMIT_NOFILE, &m->files);
	files = m->files;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static int init(struct manager *m, const char *host, int fd)
{
	sigset_t set;

	m->host = host;
	m->now = clock_now();
	timers_init(&m->timers, m->now);
	list_init(&m->services);
	list_init(&m->sockets);
	for (size_t i = 0; i < array_length(m->by_pid); i++)
		list_init(&m->by_pid[i]);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, &m->signals);
	channel_end_init(&m->channel, fd);
	m->channel_watch = (struct service_watch){ .kind = WATCH_CHANNEL, .fd = -1 };
	m->signal_watch = (struct service_watch){ .kind = WATCH_SIGNALS, .fd = -1 };
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (m->signal_fd < 0 || m->epoll_fd < 0)
		return -errno;
	manager_watch(m, &m->channel_watch, m->channel.fd, EPOLLIN);
	manager_watch(m, &m->signal_watch, m->signal_fd, EPOLLIN);
	return 0;
}

int manager_main(const char *host, int fd)
{
	static struct manager m;

	leave(&m, fd);
	if (init(&m, host, fd) < 0)
		return EX_OSERR;
	/* Who it is: what runs below it is found by that. */
	channel_end_send(&m.channel, json_pack("{s:i}", "pid", (int)getpid()));
	loop(&m);
	channel_end_write(&m.channel);
	return 0;
}
