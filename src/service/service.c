/*
 * A service's life. Whatever ends a program, the next start is never at once if it ended badly:
 * the pause doubles with each failure in a row, so that a service which cannot run costs nothing;
 * and who makes programs start by coming is held up by a limit a minute.
 */
#include "base/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "port/registry.h"
#include "service/manager_private.h"

#define DELAY_MOST_MS  30000
#define STABLE_MS      10000 /* one that has run so long has not failed at its start */
#define RATE_WINDOW_MS 60000
#define PAUSE_MS       10000
#define PAUSE_MOST_MS  600000
#define ACCEPTS_A_TURN 16

static const char *const state_names[] = {
	[SERVICE_LISTENING] = "listening", [SERVICE_RUNNING] = "running",
	[SERVICE_WAITING] = "waiting",     [SERVICE_PAUSED] = "paused",
	[SERVICE_ENDING] = "ending",       [SERVICE_ENDED] = "ended",
	[SERVICE_FAILED] = "failed",
};

static void finish_restart(struct service *s);

static void set_state(struct service *s, enum service_state state)
{
	struct manager *m = s->manager;

	timer_disarm(&m->timers, &s->timer);
	s->state = state;
	s->since = m->now;
	/* Whoever comes is looked after in one state only. */
	sockets_poll(s, state == SERVICE_LISTENING && config_is_called(s->config));
	finish_restart(s);
}

static void wake_in(struct service *s, int64_t ms)
{
	s->wakes = reeve_time_add_ms(s->manager->now, ms);
	timer_arm(&s->manager->timers, &s->timer, s->wakes);
}

static int64_t age_ms(const struct service *s, struct reeve_time since)
{
	return reeve_time_since(s->manager->now, since) / REEVE_NS_PER_MS;
}

/* Between the start and the moment from which the program is itself. */
static bool is_starting(const struct service *s)
{
	const struct instance *i;

	if (s->state != SERVICE_RUNNING || list_is_empty(&s->instances))
		return false;
	i = list_entry(s->instances.next, struct instance, node);
	return i->program == 0 && !i->has_ended;
}

/* What a client that asked for a restart waits for: that it is known how it went. */
static void finish_restart(struct service *s)
{
	const json_int_t id = s->restart;

	if (id == 0 || s->state == SERVICE_ENDING)
		return;
	if (is_starting(s))
		return;
	s->restart = 0;
	if (s->state == SERVICE_FAILED || s->state == SERVICE_WAITING)
		manager_refuse(s->manager, id, "service '%s' does not start: %s", s->config->name,
			       s->last[0] ? s->last : s->reason);
	else
		manager_answer(s->manager, id, json_pack("{s:o}", "service", service_describe(s)));
}

/* Clients are refused, and do not wait for nobody. */
static void close_sockets(struct service *s)
{
	while (s->socket_count > 0)
		sockets_close(s->sockets[--s->socket_count]);
}

/* What was closed when it failed or ended. */
static int open_again(struct service *s)
{
	struct service_socket *sockets[CONFIG_PORTS_MOST];
	const struct config_port *port = NULL;

	if (!config_has_sockets(s->config) || s->socket_count > 0)
		return 0;
	const int r = sockets_prepare(s->manager, s->config, sockets, &port);

	if (r < 0)
		(void)snprintf(s->last, sizeof(s->last), "port %.32s: %.32s", port->text,
			       strerror(-r));
	else
		sockets_give(s, sockets, s->config->port_count);
	sockets_close_unused(s->manager);
	return r;
}

static void fail(struct service *s)
{
	service_log_say(&s->log, "given up: %s", s->reason);
	close_sockets(s);
	set_state(s, SERVICE_FAILED);
}

/* It has ended badly, or could not begin; s->last says how. */
static void fail_once(struct service *s)
{
	const struct config_service *c = s->config;
	int64_t delay = c->restart_delay_ms;

	s->failures++;
	if (c->restart_limit > 0 && s->failures > c->restart_limit) {
		(void)snprintf(s->reason, sizeof(s->reason), "%s, %u times in a row", s->last,
			       s->failures);
		fail(s);
		return;
	}
	for (uint32_t i = 1; i < s->failures && delay < DELAY_MOST_MS; i++)
		delay *= 2;
	if (delay > DELAY_MOST_MS && c->restart_delay_ms <= DELAY_MOST_MS)
		delay = DELAY_MOST_MS;
	(void)snprintf(s->reason, sizeof(s->reason), "%s; starts again in %lld ms", s->last,
		       (long long)delay);
	service_log_say(&s->log, "%s", s->reason);
	set_state(s, SERVICE_WAITING);
	wake_in(s, delay);
}

static void start(struct service *s, const struct service_socket *socket)
{
	s->reason[0] = '\0';
	const int r = instance_begin(s, socket);

	if (r == 0) {
		set_state(s, SERVICE_RUNNING);
		return;
	}
	(void)snprintf(s->last, sizeof(s->last), "no new process: %s", strerror(-r));
	fail_once(s);
}

/* False, and paused, when there were too many starts lately. Each pause within a minute after the
 * last is twice as long. */
static bool may_start(struct service *s)
{
	if (s->recent == 0 || age_ms(s, s->recent_since) >= RATE_WINDOW_MS) {
		s->recent = 0;
		s->recent_since = s->manager->now;
	}
	if (s->recent < s->config->rate)
		return true;
	s->pause_ms = age_ms(s, s->pause_over) >= RATE_WINDOW_MS ? PAUSE_MS : 2 * s->pause_ms;
	if (s->pause_ms > PAUSE_MOST_MS)
		s->pause_ms = PAUSE_MOST_MS;
	(void)snprintf(s->reason, sizeof(s->reason),
		       "%u starts within a minute; goes on in %lld seconds", s->recent,
		       (long long)s->pause_ms / 1000);
	service_log_say(&s->log, "%s", s->reason);
	set_state(s, SERVICE_PAUSED);
	wake_in(s, s->pause_ms);
	return false;
}

static void answer_connections(struct service *s, const struct service_socket *socket)
{
	for (int i = 0; i < ACCEPTS_A_TURN && may_start(s); i++) {
		/* More wait in the queue until one has ended. */
		if (s->instance_count >= s->config->instances) {
			sockets_poll(s, false);
			return;
		}
		const int r = instance_begin(s, socket);

		if (r > 0)
			return;
		if (r == 0)
			s->failures = 0;
		if (r < 0) {
			(void)snprintf(s->last, sizeof(s->last), "no new process: %s",
				       strerror(-r));
			fail_once(s);
			return;
		}
	}
}

void service_ready(struct service *s, struct service_socket *socket)
{
	if (s->state != SERVICE_LISTENING)
		return;
	if (s->config->start == START_NOWAIT)
		answer_connections(s, socket);
	else if (may_start(s))
		start(s, socket);
}

void service_begin(struct service *s)
{
	s->begins_again = false;
	if (config_is_called(s->config)) {
		s->reason[0] = '\0';
		set_state(s, SERVICE_LISTENING);
	} else {
		start(s, NULL);
	}
}

void service_timer(struct service *s)
{
	if (s->state == SERVICE_PAUSED) {
		s->recent = 0;
		s->pause_over = s->manager->now;
	}
	service_begin(s);
}

static void end_instances(struct service *s)
{
	list_for_each(node, &s->instances)
		instance_end(list_entry(node, struct instance, node));
}

void service_restart(struct service *s)
{
	s->failures = 0;
	s->recent = 0;
	s->last[0] = '\0';
	if (open_again(s) < 0) {
		(void)snprintf(s->reason, sizeof(s->reason), "%s", s->last);
		set_state(s, SERVICE_FAILED);
		return;
	}
	/* Its connections have programs of their own, which go on. */
	if (s->config->start == START_NOWAIT || s->instance_count == 0) {
		service_begin(s);
		return;
	}
	s->begins_again = true;
	end_instances(s);
	set_state(s, SERVICE_ENDING);
}

void service_remove(struct service *s)
{
	s->is_removed = true;
	s->begins_again = false;
	while (s->socket_count > 0) {
		struct service_socket *socket = s->sockets[--s->socket_count];

		/* In a new file it may be another's already. */
		if (socket->service == s)
			sockets_close(socket);
	}
	if (s->instance_count == 0) {
		service_free(s);
		return;
	}
	if (s->config->start != START_NOWAIT || s->manager->is_ending)
		end_instances(s);
	set_state(s, SERVICE_ENDING);
}

void service_instance_started(struct service *s)
{
	finish_restart(s);
}

static void describe_end(struct service *s, const struct instance *i)
{
	if (i->could_not_run)
		return;
	if (WIFSIGNALED(i->status))
		(void)snprintf(s->last, sizeof(s->last), "ended by SIG%s",
			       sigabbrev_np(WTERMSIG(i->status)) ? sigabbrev_np(WTERMSIG(i->status))
								 : "?");
	else
		(void)snprintf(s->last, sizeof(s->last), "ended with status %d",
			       WEXITSTATUS(i->status));
}

static bool is_failure(const struct instance *i)
{
	return i->could_not_run || !WIFEXITED(i->status) || WEXITSTATUS(i->status) != 0;
}

/* Of a service with one program, which has ended by itself. */
static void decide(struct service *s, const struct instance *i)
{
	const bool has_failed = is_failure(i);

	if (age_ms(s, i->began) >= STABLE_MS)
		s->failures = 0;
	if (config_is_called(s->config) && !has_failed) {
		s->failures = 0;
		service_begin(s);
	} else if (config_is_called(s->config) || s->config->restart == RESTART_ALWAYS ||
		   (has_failed && s->config->restart == RESTART_ON_FAILURE)) {
		fail_once(s);
	} else if (has_failed) {
		(void)snprintf(s->reason, sizeof(s->reason), "%s", s->last);
		fail(s);
	} else {
		service_log_say(&s->log, "%s", s->last);
		close_sockets(s);
		set_state(s, SERVICE_ENDED);
	}
}

void service_instance_gone(struct service *s, const struct instance *i)
{
	if (!i->is_leaving || i->could_not_run)
		describe_end(s, i);
	if (s->is_removed) {
		if (s->instance_count == 0)
			service_free(s);
	} else if (s->config->start == START_NOWAIT) {
		if (i->could_not_run)
			service_log_say(&s->log, "%s", s->last);
		/* There is room again. */
		if (s->state == SERVICE_LISTENING)
			sockets_poll(s, true);
	} else if (s->state == SERVICE_ENDING) {
		if (s->begins_again && s->instance_count == 0)
			service_begin(s);
	} else if (s->state == SERVICE_RUNNING) {
		decide(s, i);
	}
}

struct service *service_find(const struct manager *m, const char *name)
{
	list_for_each(node, &m->services) {
		struct service *s = list_entry(node, struct service, node);

		if (!s->is_removed && strcmp(s->config->name, name) == 0)
			return s;
	}
	return NULL;
}

void service_adopt(struct service *s, struct config_holder *holder,
		   const struct config_service *config)
{
	char *path = NULL;

	holder->users++;
	if (s->holder)
		holder_release(s->holder);
	s->holder = holder;
	s->config = config;
	if (!config->log && asprintf(&path, "%s/%s.log", s->manager->logs, config->name) < 0)
		path = NULL;
	if (config->log || path)
		service_log_place(&s->log, config->log ? config->log : path, config->log_bytes);
	free(path);
}

struct service *service_new(struct manager *m, struct config_holder *holder,
			    const struct config_service *config)
{
	struct service *s = calloc(1, sizeof(*s));

	check(s); /* as in arena.h */
	s->manager = m;
	list_init(&s->instances);
	timer_init(&s->timer, 0);
	service_log_init(&s->log);
	s->log_watch = (struct service_watch){ .kind = WATCH_LOG, .fd = -1 };
	service_adopt(s, holder, config);
	list_append(&m->services, &s->node);
	return s;
}

void service_free(struct service *s)
{
	check(list_is_empty(&s->instances));
	if (s->restart)
		manager_refuse(s->manager, s->restart, "service '%s' has been taken away",
			       s->config->name);
	timer_disarm(&s->manager->timers, &s->timer);
	manager_unwatch(s->manager, &s->log_watch);
	service_log_deinit(&s->log);
	holder_release(s->holder);
	list_remove(&s->node);
	free(s);
}

static json_t *describe_ports(const struct config_service *c)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < c->port_count; i++) {
		const struct config_port *p = &c->ports[i];
		const char *name =
			registry_service_name(p->port, p->is_udp ? REGISTRY_UDP : REGISTRY_TCP);
		char address[REEVE_ADDRESS_TEXT] = "";

		if (p->has_address)
			reeve_address_format(&p->address, address);
		json_array_append_new(ports, json_pack("{s:s,s:i,s:s,s:s?}", "address", address,
						       "port", (int)p->port, "protocol",
						       p->is_udp ? "udp" : "tcp", "service", name));
	}
	return ports;
}

static json_t *describe_command(const struct config_service *c)
{
	char text[128];
	size_t length = 0;

	for (char **word = c->run; *word && length < sizeof(text); word++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
					   length ? " " : "", *word);
	return manager_text(text);
}

json_t *service_describe(const struct service *s)
{
	const struct config_service *c = s->config;
	const struct instance *first =
		list_is_empty(&s->instances) ? NULL
					     : list_entry(s->instances.next, struct instance, node);
	const bool has_pid =
		first && first->program && !first->has_ended && c->start != START_NOWAIT;
	const bool sleeps = s->state == SERVICE_WAITING || s->state == SERVICE_PAUSED;
	const int64_t left = reeve_time_since(s->wakes, s->manager->now) / REEVE_NS_PER_MS;
	json_t *object = json_pack(
		"{s:s,s:s,s:s,s:s,s:o,s:o?,s:i,s:i,s:i,s:I}", "name", c->name, "host",
		s->manager->host, "state", is_starting(s) ? "starting" : state_names[s->state],
		"start", config_start_name(c->start), "ports", describe_ports(c), "pid",
		has_pid ? json_integer(first->program) : json_null(), "instances",
		(int)s->instance_count, "starts", (int)s->starts, "failures", (int)s->failures,
		"since_ms", (json_int_t)age_ms(s, s->since));

	json_object_set_new(object, "next_ms",
			    sleeps ? json_integer(left > 0 ? left : 0) : json_null());
	json_object_set_new(object, "last", s->last[0] ? manager_text(s->last) : json_null());
	json_object_set_new(object, "reason", s->reason[0] ? manager_text(s->reason) : json_null());
	json_object_set_new(object, "command", describe_command(c));
	json_object_set_new(object, "log", s->log.path ? manager_text(s->log.path) : json_null());
	json_object_set_new(object, "log_fault",
			    service_log_fault(&s->log) ? manager_text(service_log_fault(&s->log))
						       : json_null());
	json_object_set_new(object, "file", manager_text(s->manager->file));
	json_object_set_new(object, "line", json_integer(c->place.line));
	json_object_set_new(object, "column", json_integer(c->place.column));
	return object;
}
