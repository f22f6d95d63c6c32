/* A service's keys, what they need of each other, and their defaults. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "service/config_private.h"

#define DEFAULT_HOST          "local" /* as `reeve run` has it */
#define DEFAULT_DELAY_MS      100
#define DEFAULT_RESTART_LIMIT 10
#define DEFAULT_INSTANCES     40
#define DEFAULT_RATE          256 /* inetd's */
#define DEFAULT_GRACE_MS      5000
#define DEFAULT_LOG_BYTES     (1 << 20)
#define LEAST_LOG_KIB         4
#define MOST_LOG_KIB          (1 << 20)

/* What a service's map has said, besides what it says of the service itself. */
struct draft {
	struct config_service *service;
	struct environment environment, environment_file;
	struct place at_instances, at_restart, at_user;
	bool has_restart, has_instances;
};

static const char *const start_names[] = {
	[START_AT_ONCE] = "at-once",     [START_LISTENING] = "listening",
	[START_ON_DEMAND] = "on-demand", [START_WAIT] = "wait",
	[START_NOWAIT] = "nowait",       NULL,
};

const char *config_start_name(enum config_start start)
{
	return start_names[start];
}

static struct config_service *service_of(void *into)
{
	return ((struct draft *)into)->service;
}

static bool read_host(struct reader *r, const struct node *value, void *into)
{
	struct config_service *s = service_of(into);

	return reader_text(r, value, &s->host) &&
	       reader_check_name(r, s->host, value->place, "a host");
}

static bool read_run(struct reader *r, const struct node *value, void *into)
{
	service_of(into)->at_run = value->place;
	return reader_words(r, value, &service_of(into)->run);
}

static bool read_start(struct reader *r, const struct node *value, void *into)
{
	unsigned chosen = 0;

	if (!reader_choice(r, value, start_names, &chosen))
		return false;
	service_of(into)->start = (enum config_start)chosen;
	service_of(into)->at_start = value->place;
	return true;
}

static bool read_ports(struct reader *r, const struct node *value, void *into)
{
	struct config_service *s = service_of(into);

	if (value->kind == NODE_SCALAR) {
		s->port_count = 1;
		return reader_port(r, value, &s->ports[0]);
	}
	if (value->kind != NODE_LIST)
		return reader_fail(r, value->place, "'ports' is a list, not a map");
	for (const struct node *n = value->first; n; n = n->next) {
		if (s->port_count == CONFIG_PORTS_MOST)
			return reader_fail(r, n->place, "a service has at most %d ports",
					   CONFIG_PORTS_MOST);
		if (!reader_port(r, n, &s->ports[s->port_count]))
			return false;
		s->port_count++;
	}
	return true;
}

static bool read_allow_port(struct reader *r, const struct node *value, void *into)
{
	const char *text = "";

	if (!reader_text(r, value, &text))
		return false;
	if (port_grant_parse(text, &service_of(into)->grant) == 0)
		return true;
	return reader_fail(r, value->place,
			   "'allow-port' takes up to %d ranges of ports such as 80,443,8000-8100, "
			   "not '%.64s'",
			   PORT_GRANT_MAX, text);
}

static bool read_environment(struct reader *r, const struct node *value, void *into)
{
	return reader_environment(r, value, &((struct draft *)into)->environment);
}

static bool read_environment_file(struct reader *r, const struct node *value, void *into)
{
	struct environment *e = &((struct draft *)into)->environment_file;

	if (value->kind != NODE_LIST)
		return reader_environment_file(r, value, e);
	for (const struct node *n = value->first; n; n = n->next)
		if (!reader_environment_file(r, n, e))
			return false;
	return true;
}

static bool read_directory(struct reader *r, const struct node *value, void *into)
{
	return reader_path(r, value, &service_of(into)->directory);
}

/* There is one user, as nothing here may become another. Said, and not left out: a file that asks
 * for somebody else means it. */
static bool read_user(struct reader *r, const struct node *value, void *into)
{
	const char *text = "";
	char *end;

	(void)into;
	if (!reader_text(r, value, &text))
		return false;
	if ((r->who->user && strcmp(text, r->who->user) == 0) ||
	    (strtoul(text, &end, 10) == r->who->uid && end != text && *end == '\0'))
		return true;
	return reader_fail(r, value->place,
			   "services run as you, '%s', and as nobody else; let '%.32s' call "
			   "'reeve up'",
			   r->who->user ? r->who->user : "?", text);
}

static bool read_restart(struct reader *r, const struct node *value, void *into)
{
	static const char *const words[] = { [RESTART_NO] = "no",
					     [RESTART_ON_FAILURE] = "on-failure",
					     [RESTART_ALWAYS] = "always",
					     NULL };
	struct draft *d = into;
	unsigned chosen = 0;

	if (!reader_choice(r, value, words, &chosen))
		return false;
	d->service->restart = (enum config_restart)chosen;
	d->at_restart = value->place;
	d->has_restart = true;
	return true;
}

static bool read_restart_delay(struct reader *r, const struct node *value, void *into)
{
	/* Nobody gets a spin by asking for one. */
	return reader_time_ms(r, value, 10, &service_of(into)->restart_delay_ms);
}

static bool read_restart_limit(struct reader *r, const struct node *value, void *into)
{
	return reader_count(r, value, 0, 1000000, &service_of(into)->restart_limit);
}

static bool read_instances(struct reader *r, const struct node *value, void *into)
{
	struct draft *d = into;

	d->has_instances = true;
	d->at_instances = value->place;
	return reader_count(r, value, 1, CONFIG_INSTANCES_MOST, &d->service->instances);
}

static bool read_rate(struct reader *r, const struct node *value, void *into)
{
	return reader_count(r, value, 1, 1000000, &service_of(into)->rate);
}

static bool read_grace(struct reader *r, const struct node *value, void *into)
{
	return reader_time_ms(r, value, 0, &service_of(into)->grace_ms);
}

static bool read_log(struct reader *r, const struct node *value, void *into)
{
	return reader_path(r, value, &service_of(into)->log);
}

static bool read_log_size(struct reader *r, const struct node *value, void *into)
{
	int64_t kib;

	if (!reader_count(r, value, LEAST_LOG_KIB, MOST_LOG_KIB, &kib))
		return false;
	service_of(into)->log_bytes = kib << 10;
	return true;
}

/* What was read one by one must make sense together. */
static bool check_service(struct reader *r, const struct draft *d)
{
	const struct config_service *s = d->service;

	if (!s->run)
		return reader_fail(r, s->place, "service '%s' has no 'run': which program?",
				   s->name);
	if (config_has_sockets(s) && s->port_count == 0)
		return reader_fail(r, s->at_start, "'start: %s' needs 'ports'",
				   config_start_name(s->start));
	if (s->start == START_WAIT && s->port_count > 1)
		return reader_fail(r, s->ports[1].place,
				   "with 'start: wait' there is one port; 'on-demand' takes more");
	for (size_t i = 0; s->start == START_NOWAIT && i < s->port_count; i++)
		if (s->ports[i].is_udp)
			return reader_fail(r, s->ports[i].place,
					   "UDP has no connections to give away one by one: "
					   "'start: wait'");
	if (d->has_instances && s->start != START_NOWAIT)
		return reader_fail(r, d->at_instances,
				   "'instances' goes with 'start: nowait'; this is one program");
	if (d->has_restart && config_is_called(s))
		return reader_fail(r, d->at_restart,
				   "with 'start: %s' whoever comes starts the program again; "
				   "'restart' goes with at-once and listening",
				   config_start_name(s->start));
	return true;
}

/* The file's own words win over those of files that it names. */
static bool join_environment(struct reader *r, struct draft *d)
{
	struct arena *a = &r->config->arena;
	const struct environment *files = &d->environment_file, *own = &d->environment;
	const size_t count = files->count + own->count;
	char **all = arena_allocate(a, (count + 1) * sizeof(*all));

	memcpy(all, files->entries, files->count * sizeof(*all));
	memcpy(all + files->count, own->entries, own->count * sizeof(*all));
	d->service->environment = all;
	return true;
}

bool reader_service(struct reader *r, const struct node *value, struct config_service *s)
{
	static const struct key keys[] = {
		{ "host", read_host },
		{ "run", read_run },
		{ "start", read_start },
		{ "ports", read_ports },
		{ "allow-port", read_allow_port },
		{ "environment", read_environment },
		{ "environment-file", read_environment_file },
		{ "directory", read_directory },
		{ "user", read_user },
		{ "restart", read_restart },
		{ "restart-delay", read_restart_delay },
		{ "restart-limit", read_restart_limit },
		{ "instances", read_instances },
		{ "rate", read_rate },
		{ "grace", read_grace },
		{ "log", read_log },
		{ "log-size", read_log_size },
		{ NULL, NULL },
	};
	struct draft *d = arena_allocate(&r->config->arena, sizeof(*d));

	d->service = s;
	s->host = DEFAULT_HOST;
	s->at_start = s->place;
	s->directory = arena_copy(&r->config->arena, r->who->directory, strlen(r->who->directory));
	s->restart = RESTART_ON_FAILURE;
	s->restart_delay_ms = DEFAULT_DELAY_MS;
	s->restart_limit = DEFAULT_RESTART_LIMIT;
	s->instances = DEFAULT_INSTANCES;
	s->rate = DEFAULT_RATE;
	s->grace_ms = DEFAULT_GRACE_MS;
	s->log_bytes = DEFAULT_LOG_BYTES;
	return reader_map(r, value, keys, "a service", d) && check_service(r, d) &&
	       join_environment(r, d);
}

static bool is_same_list(char *const *a, char *const *b)
{
	while (*a && *b && strcmp(*a, *b) == 0) {
		a++;
		b++;
	}
	return !*a && !*b;
}

bool config_is_same_program(const struct config_service *a, const struct config_service *b)
{
	if (a->start != b->start || strcmp(a->host, b->host) != 0 ||
	    strcmp(a->directory, b->directory) != 0 || !is_same_list(a->run, b->run) ||
	    !is_same_list(a->environment, b->environment) || a->port_count != b->port_count)
		return false;
	for (size_t i = 0; i < a->port_count; i++)
		if (a->ports[i].port != b->ports[i].port ||
		    a->ports[i].is_udp != b->ports[i].is_udp ||
		    a->ports[i].has_address != b->ports[i].has_address ||
		    strcmp(a->ports[i].label, b->ports[i].label) != 0 ||
		    !reeve_address_equal(&a->ports[i].address, &b->ports[i].address))
			return false;
	return true;
}
