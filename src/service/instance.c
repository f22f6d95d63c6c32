/* An instance is there as long as its keeper is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "service/manager_private.h"

static struct list *bucket_of(struct manager *m, pid_t pid)
{
	return &m->by_pid[(unsigned)pid % PID_BUCKETS];
}

static struct instance *find(struct manager *m, pid_t pid)
{
	list_for_each(node, bucket_of(m, pid)) {
		struct instance *i = list_entry(node, struct instance, by_pid);

		if (i->keeper.pid == pid)
			return i;
	}
	return NULL;
}

struct handed_over {
	int sockets[CONFIG_PORTS_MOST];
	char names[CONFIG_PORTS_MOST * CONFIG_NAME_LENGTH];
	char peer[REEVE_ADDRESS_TEXT], peer_port[8];
};

/* Descriptors and their names, as sd_listen_fds_with_names(3) has them. */
static void hand_over_listeners(const struct service *s, struct handed_over *h,
				struct keeper_start *start)
{
	size_t length = 0;

	for (size_t i = 0; i < s->socket_count; i++) {
		h->sockets[i] = s->sockets[i]->fd;
		if (length < sizeof(h->names))
			length += (size_t)snprintf(h->names + length, sizeof(h->names) - length,
						   "%s%s", i ? ":" : "", s->config->ports[i].label);
	}
	start->sockets = h->sockets;
	start->socket_count = (int)s->socket_count;
	start->socket_names = h->names;
}

static void fill_start(const struct service *s, int fd, struct handed_over *h,
		       struct keeper_start *ret)
{
	const struct config_service *c = s->config;

	*ret = (struct keeper_start){
		.run = c->run,
		.environment = c->environment,
		.directory = c->directory,
		.standard = { fd, fd >= 0 ? fd : s->log.out, s->log.out },
		.grace_ms = c->grace_ms,
		.is_lasting = true,
		.signals = &s->manager->signals,
		.files = &s->manager->files,
	};
	switch (c->start) {
	case START_AT_ONCE:
	case START_WAIT:
		return;
	case START_LISTENING:
	case START_ON_DEMAND:
		hand_over_listeners(s, h, ret);
		return;
	case START_NOWAIT:
		/* As inetd has it: what the program complains of, its client hears. */
		ret->standard[2] = fd;
		ret->peer = h->peer;
		ret->peer_port = h->peer_port;
		return;
	}
}

static int begin(struct service *s, int fd, struct handed_over *h)
{
	struct manager *m = s->manager;
	struct keeper_start start;
	struct instance *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	int r = service_log_open_pipe(&s->log);

	if (r == 0) {
		fill_start(s, fd, h, &start);
		r = keeper_begin(&start, &i->keeper);
	}
	if (r < 0) {
		free(i);
		return r;
	}
	manager_watch(m, &s->log_watch, s->log.in, EPOLLIN);
	i->service = s;
	i->began = m->now;
	i->watch = (struct service_watch){ .kind = WATCH_REPORTS, .fd = -1 };
	manager_watch(m, &i->watch, i->keeper.reports, EPOLLIN);
	list_append(&s->instances, &i->node);
	list_append(bucket_of(m, i->keeper.pid), &i->by_pid);
	s->instance_count++;
	s->starts++;
	s->recent++;
	return 0;
}

int instance_begin(struct service *s, const struct service_socket *socket)
{
	struct handed_over h = { .names = "" };
	int fd = -1;

	if (s->config->start == START_NOWAIT) {
		fd = sockets_accept(socket, h.peer, h.peer_port);
		if (fd < 0)
			return fd == -EAGAIN ? 1 : fd;
	} else if (s->config->start == START_WAIT) {
		fd = socket->fd;
	}
	const int r = begin(s, fd, &h);

	if (s->config->start == START_NOWAIT)
		close(fd);
	return r;
}

static void end_lease(struct instance *i)
{
	if (i->keeper.lease >= 0)
		close(i->keeper.lease);
	i->keeper.lease = -1;
}

void instance_end(struct instance *i)
{
	end_lease(i);
	i->is_leaving = true;
}

static void take_report(struct instance *i, const struct keeper_report *r)
{
	static const char *const steps[] = {
		[KEEPER_RUN] = "cannot run",
		[KEEPER_DIRECTORY] = "cannot go to the directory of",
		[KEEPER_PROCESS] = "cannot make the process of",
	};
	struct service *s = i->service;

	switch (r->event) {
	case KEEPER_STARTED:
		i->program = r->value;
		service_instance_started(s);
		return;
	case KEEPER_FAILED:
		if (r->step >= array_length(steps))
			return;
		i->could_not_run = true;
		(void)snprintf(s->last, sizeof(s->last), "%s '%.32s': %.32s", steps[r->step],
			       s->config->run[0], strerror(r->value));
		return;
	case KEEPER_ENDED:
		i->has_ended = true;
		i->status = r->value;
		return;
	}
}

void instance_reported(struct instance *i)
{
	struct keeper_report r;

	for (;;) {
		const ssize_t n = read(i->keeper.reports, &r, sizeof(r));

		if (n == (ssize_t)sizeof(r)) {
			take_report(i, &r);
			continue;
		}
		/* At its end the keeper has gone, and is reaped. */
		if (n == 0)
			manager_unwatch(i->service->manager, &i->watch);
		return;
	}
}

static void gone(struct instance *i)
{
	struct service *s = i->service;

	instance_reported(i);
	manager_unwatch(s->manager, &i->watch);
	end_lease(i);
	close(i->keeper.reports);
	list_remove(&i->node);
	list_remove(&i->by_pid);
	s->instance_count--;
	service_instance_gone(s, i);
	free(i);
}

static bool is_keeper(pid_t pid, void *user)
{
	return find(user, pid) != NULL;
}

void instance_reap(struct manager *m)
{
	bool are_strangers = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct instance *i = find(m, pid);

		are_strangers |= !i || WIFSIGNALED(status);
		if (!i)
			continue;
		if (WIFSIGNALED(status) && !i->has_ended) {
			i->has_ended = true;
			i->status = status;
		}
		gone(i);
	}
	if (are_strangers)
		keeper_end_strangers(is_keeper, m);
}
