#include "cli/linked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/check.h"
#include "base/similar.h"
#include "cli/field.h"
#include "cli/output.h"
#include "cli/say.h"

/* Programs say nobody when they listen, so it is looked for; so often it costs next to nothing. */
#define LOOK_MS 10

#define STEADY_MS 200

/* One that has failed so often will not soon run. */
#define HOPELESS_FAILURES 3

static int by_line(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	const long long lx = field_integer(*x, "line"), ly = field_integer(*y, "line");

	return (lx > ly) - (lx < ly);
}

static json_t *sorted(const json_t *services)
{
	const size_t count = json_array_size(services);
	json_t **order = calloc(count + 1, sizeof(json_t *));
	json_t *result = json_array();

	check(order && result);
	for (size_t i = 0; i < count; i++)
		order[i] = json_array_get(services, i);
	qsort(order, count, sizeof(json_t *), by_line);
	for (size_t i = 0; i < count; i++)
		json_array_append(result, order[i]);
	free(order);
	return result;
}

int linked_list(struct session *s, json_t **ret)
{
	json_t *reply = NULL;
	const int status = session_call(s, "ListServices", json_object(), &reply);

	if (status)
		return status;
	*ret = sorted(json_object_get(reply, "services"));
	json_decref(reply);
	return EX_OK;
}

/* "http,8080,198.18.0.5:domain/udp" */
static void add_ports(struct table *t, const json_t *service)
{
	char line[512] = "";
	size_t length = 0, i;
	json_t *port;

	json_array_foreach(json_object_get(service, "ports"), i, port)
	{
		const char *address = field_text(port, "address");
		const char *protocol = field_text(port, "protocol");
		const char *brackets = address && strchr(address, ':') ? "[]" : "";

		if (length + 96 > sizeof(line))
			break;
		length += (size_t)snprintf(line + length, sizeof(line) - length,
					   "%s%.1s%s%s%s%lld/%s", length ? "," : "", brackets,
					   address ? address : "", *brackets ? "]" : "",
					   address && *address ? ":" : "",
					   field_integer(port, "port"), protocol ? protocol : "?");
	}
	table_add(t, line);
}

static void add_duration(struct table *t, const json_t *service)
{
	const long long seconds = field_integer(service, "since_ms") / 1000;

	table_addf(t, "%lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

/* A service whose log is lost runs as it should, and nobody would look. */
static const char *reason_of(const json_t *service)
{
	const char *reason = field_text(service, "reason");

	if (reason && *reason)
		return reason;
	return field_text(service, "log_fault") ? "its log cannot be written" : NULL;
}

void linked_print(const json_t *services)
{
	static const struct column columns[] = {
		{ "NAME", false },  { "HOST", false }, { "STATE", false },
		{ "PORTS", false }, { "PID", true },   { "PROGRAMS", true },
		{ "STARTS", true }, { "FOR", true },   { "REASON", false },
	};
	struct table *t = table_new(columns, array_length(columns));
	json_t *service;
	size_t i;

	json_array_foreach(services, i, service)
	{
		table_add(t, field_text(service, "name"));
		table_add(t, field_text(service, "host"));
		table_add(t, field_text(service, "state"));
		add_ports(t, service);
		if (field_integer(service, "pid"))
			table_add_integer(t, service, "pid");
		else
			table_add(t, NULL);
		table_add_integer(t, service, "instances");
		table_add_integer(t, service, "starts");
		add_duration(t, service);
		table_add(t, reason_of(service));
	}
	table_print(t);
	table_free(t);
}

json_t *linked_find(const char *network, const json_t *services, const char *name)
{
	size_t limit = similar_limit(name), i;
	const char *best = NULL;
	json_t *service;

	json_array_foreach(services, i, service)
	{
		const char *other = field_text(service, "name");
		const size_t d = other ? similar_distance(name, other, limit) : limit;

		if (other && strcmp(other, name) == 0)
			return service;
		if (d < limit) {
			best = other;
			limit = d;
		}
	}
	if (best)
		say("no service '%s' in network '%s'; did you mean '%s'?", name, network, best);
	else
		say("no service '%s' in network '%s'; 'reeve status' lists them", name, network);
	return NULL;
}

static bool is_state(const json_t *service, const char *state)
{
	const char *now = field_text(service, "state");

	return now && strcmp(now, state) == 0;
}

/* The first that is not open, NULL if all are. */
static const json_t *closed_port(const json_t *service)
{
	json_t *port;
	size_t i;

	json_array_foreach(json_object_get(service, "ports"), i, port)
	{
		if (!field_is_true(port, "open"))
			return port;
	}
	return NULL;
}

static bool is_ready(const json_t *service)
{
	const json_t *ports = json_object_get(service, "ports");

	if (is_state(service, "ended"))
		return true;
	/* Of one without ports nothing tells that it is well, but that it still runs. */
	if (is_state(service, "running") && json_array_size(ports) == 0)
		return field_integer(service, "since_ms") >= STEADY_MS;
	return (is_state(service, "running") || is_state(service, "listening")) &&
	       !closed_port(service);
}

static bool is_hopeless(const json_t *service)
{
	return is_state(service, "failed") || is_state(service, "paused") ||
	       (is_state(service, "waiting") &&
		field_integer(service, "failures") >= HOPELESS_FAILURES);
}

static bool is_meant(const json_t *service, const char *name)
{
	const char *its = field_text(service, "name");

	return !name || (its && strcmp(its, name) == 0);
}

static bool are_settled(const json_t *services, const char *name)
{
	json_t *service;
	size_t i;

	json_array_foreach(services, i, service)
	{
		if (is_meant(service, name) && !is_ready(service) && !is_hopeless(service))
			return false;
	}
	return true;
}

/* "/srv/reeve.yaml:4:3: service 'web'" */
static void format_place(const json_t *service, char *text, size_t size)
{
	(void)snprintf(text, size, "%s:%lld:%lld: service '%s'", field_text(service, "file"),
		       field_integer(service, "line"), field_integer(service, "column"),
		       field_text(service, "name"));
}

static void complain(const json_t *service)
{
	const json_t *port = closed_port(service);
	const char *reason = field_text(service, "reason"), *log = field_text(service, "log");
	const char *fault = field_text(service, "log_fault");
	const char *verb = is_state(service, "failed")    ? "has failed"
			   : is_state(service, "waiting") ? "fails"
			   : is_state(service, "paused")  ? "is paused"
							  : "does not start";
	char place[512];

	format_place(service, place, sizeof(place));
	if (is_state(service, "running") && port)
		say("%s runs, but does not listen on port %lld/%s", place,
		    field_integer(port, "port"), field_text(port, "protocol"));
	else
		say("%s %s%s%s; its log is %s%s%s", place, verb, reason ? ": " : "",
		    reason ? reason : "", log ? log : "-", fault ? " and cannot be written: " : "",
		    fault ? fault : "");
}

/* No failure: the service does what it is there for. */
static void complain_of_log(const json_t *service)
{
	const char *fault = field_text(service, "log_fault");
	char place[512];

	if (!fault)
		return;
	format_place(service, place, sizeof(place));
	say("%s is there, but its log %s cannot be written: %s", place, field_text(service, "log"),
	    fault);
}

static int complain_all(const json_t *services, const char *name)
{
	int status = EX_OK;
	json_t *service;
	size_t i;

	json_array_foreach(services, i, service)
	{
		if (!is_meant(service, name))
			continue;
		if (is_ready(service)) {
			complain_of_log(service);
			continue;
		}
		complain(service);
		status = EX_UNAVAILABLE;
	}
	return status;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int linked_await(struct session *s, const char *name, double wait_ms, json_t **ret)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	const double until = now_ms() + wait_ms;
	json_t *services = NULL;

	for (;;) {
		const int status = linked_list(s, &services);

		if (status)
			return status;
		if (are_settled(services, name) || now_ms() >= until)
			break;
		json_decref(services);
		nanosleep(&pause, NULL);
	}
	*ret = services;
	return complain_all(services, name);
}
