/* `reeve up`: starts the services of a file, and brings those that run up to date with it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/field.h"
#include "cli/linked.h"
#include "cli/manager_start.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/session.h"
#include "port/policy.h"
#include "service/config.h"

#define DEFAULT_FILE "reeve.yaml"
#define PLACE_TEXT   256
#define GRANT_TEXT   ((size_t)PORT_GRANT_MAX * 12)

struct up_values {
	bool check;
	double wait_ms;
};

struct up {
	const struct invocation *invocation;
	const char *name; /* of the file, as it was given */
	struct config_file file;
	struct config config;
	struct session *session;
	json_t *hosts, *managers; /* that are there */
};

static int complain(const char *name, const struct fault *fault, int status)
{
	if (fault->place.line)
		return say_fail(status, "%s:%u:%u: %s", name, fault->place.line,
				fault->place.column, fault->text);
	return say_fail(status, "%s: %s", name, fault->text);
}

static void set_place(const struct up *u, struct place place)
{
	char text[PLACE_TEXT];

	(void)snprintf(text, sizeof(text), "%s:%u:%u", u->name, place.line, place.column);
	session_about(u->session, text);
}

/* The element of the array whose `key` is `value`; NULL: none. */
static json_t *find(const json_t *array, const char *key, const char *value)
{
	json_t *element;
	size_t i;

	json_array_foreach(array, i, element)
	{
		const char *its = field_text(element, key);

		if (its && strcmp(its, value) == 0)
			return element;
	}
	return NULL;
}

/* What cannot be changed of a host that is there. */
static int check_host(const struct up *u, const struct config_host *h, const json_t *there)
{
	const char *address =
		json_string_value(json_array_get(json_object_get(there, "addresses"), 0));
	const char *well_known = field_text(there, "well_known");

	if (h->ip && address && strcmp(address, h->ip) != 0)
		return say_fail(EX_UNAVAILABLE,
				"%s:%u:%u: host '%s' has the address %s; 'reeve down' first to "
				"change it",
				u->name, h->at_ip.line, h->at_ip.column, h->name, address);
	if (h->well_known && well_known && strcmp(well_known, h->well_known) != 0)
		return say_fail(EX_UNAVAILABLE,
				"%s:%u:%u: host '%s' has its well-known ports %s; 'reeve down' "
				"first to change it",
				u->name, h->place.line, h->place.column, h->name, well_known);
	return EX_OK;
}

static int impair(struct up *u, const struct config_host *h)
{
	const struct config_impairment *i = &h->impairment;

	return session_call(u->session, "Impair",
			    json_pack("{s:s,s:{s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:b,s:I}}", "host",
				      h->name, "impairment", "loss", i->loss, "reorder", i->reorder,
				      "duplicate", i->duplicate, "corrupt", i->corrupt, "delay_ms",
				      i->delay_ms, "jitter_ms", i->jitter_ms, "rate",
				      (json_int_t)i->rate, "down", i->down, "seed",
				      (json_int_t)i->seed),
			    NULL);
}

static int look(struct up *u, const char *method, const char *key, json_t **ret)
{
	json_t *reply = NULL;
	const int status = session_call(u->session, method, json_object(), &reply);

	if (status)
		return status;
	json_decref(*ret);
	*ret = json_incref(json_object_get(reply, key));
	json_decref(reply);
	return EX_OK;
}

static json_t *wanted_host(const struct config_host *h)
{
	return json_pack("{s:s,s:s?,s:s?}", "name", h->name, "address", h->ip, "well_known",
			 h->well_known);
}

/* Somebody else, another `reeve up` of the file say, may have added it since the hosts were listed:
 * then it is as if it had been there. */
static int add_host(struct up *u, const struct config_host *h)
{
	const json_t *there;
	bool exists;
	int status = session_try(u->session, "AddHost", wanted_host(h), -1, "HostExists", &exists);

	if (status || !exists)
		return status;
	status = look(u, "ListHosts", "hosts", &u->hosts);
	if (status)
		return status;
	there = find(u->hosts, "name", h->name);
	return there ? check_host(u, h, there)
		     : session_call(u->session, "AddHost", wanted_host(h), NULL);
}

static int up_host(struct up *u, const struct config_host *h)
{
	const json_t *there = find(u->hosts, "name", h->name);
	int status;

	set_place(u, h->ip ? h->at_ip : h->place);
	status = there ? check_host(u, h, there) : add_host(u, h);
	if (status == EX_OK && h->is_impaired)
		status = impair(u, h);
	session_about(u->session, "");
	return status;
}

/* The well-known ports that services of the host may bind; all others anybody may. */
static int grant_of(const struct up *u, const char *host, struct port_grant *ret)
{
	bool granted[PORT_WELL_KNOWN_LAST + 2] = { false };

	for (const struct config_service *s = u->config.services; s; s = s->next) {
		if (strcmp(s->host, host) != 0)
			continue;
		for (size_t i = 0; i < s->port_count; i++)
			if (s->ports[i].port <= PORT_WELL_KNOWN_LAST)
				granted[s->ports[i].port] = true;
		for (uint16_t port = 1; port <= PORT_WELL_KNOWN_LAST; port++)
			granted[port] |= port_grant_covers(&s->grant, port);
	}
	*ret = (struct port_grant){ 0 };
	for (uint16_t port = 1; port <= PORT_WELL_KNOWN_LAST; port++) {
		if (!granted[port])
			continue;
		if (!granted[port - 1] && ret->count == PORT_GRANT_MAX)
			return say_fail(EX_DATAERR,
					"%s: the well-known ports of host '%s' are more than %d "
					"ranges",
					u->name, host, PORT_GRANT_MAX);
		if (!granted[port - 1])
			ret->ranges[ret->count++].first = port;
		ret->ranges[ret->count - 1].last = port;
	}
	return EX_OK;
}

static char *grant_text(const struct port_grant *g, char text[GRANT_TEXT])
{
	size_t length = 0;

	for (uint32_t i = 0; i < g->count; i++)
		length += (size_t)snprintf(text + length, GRANT_TEXT - length, "%s%u-%u",
					   i ? "," : "", g->ranges[i].first, g->ranges[i].last);
	return g->count ? text : NULL;
}

static int apply(struct up *u, const char *host)
{
	char text[GRANT_TEXT];
	struct port_grant grant;
	int status = grant_of(u, host, &grant);

	if (status == EX_OK && !find(u->managers, "host", host))
		status = manager_start(u->session, u->invocation->network, host, &grant);
	if (status)
		return status;
	json_t *parameters =
		json_pack("{s:s,s:s,s:s,s:s,s:s,s:s?}", "host", host, "path", u->file.path,
			  "directory", u->file.directory, "name", u->name, "text", u->file.text,
			  "grant", grant_text(&grant, text));

	if (!parameters)
		return say_fail(EX_DATAERR, "%s: its path is not UTF-8", u->name);
	return session_call(u->session, "ApplyServices", parameters, NULL);
}

static bool has_services(const struct up *u, const char *host)
{
	const struct config_service *s = u->config.services;

	while (s && strcmp(s->host, host) != 0)
		s = s->next;
	return s != NULL;
}

/* Services of another file would end by this one. */
static int check_managers(const struct up *u)
{
	json_t *manager;
	size_t i;

	json_array_foreach(u->managers, i, manager)
	{
		const char *file = field_text(manager, "file");

		if (file && *file && strcmp(file, u->file.path) != 0)
			return say_fail(EX_UNAVAILABLE,
					"network '%s' runs the services of %s; 'reeve down' first, "
					"or choose another --network",
					u->invocation->network, file);
	}
	return EX_OK;
}

/* The hosts. Without them nothing is begun. */
static int up_hosts(struct up *u)
{
	int status = look(u, "ListHosts", "hosts", &u->hosts);

	if (status == EX_OK)
		status = look(u, "ListManagers", "managers", &u->managers);
	if (status == EX_OK)
		status = check_managers(u);
	for (const struct config_host *h = u->config.hosts; h && status == EX_OK; h = h->next)
		status = up_host(u, h);
	return status;
}

/* A host that fails does not keep the others from what they are to do; a network that refuses one
 * refuses all. */
static int up_services(struct up *u)
{
	int status = EX_OK, failed = EX_OK;
	json_t *manager;
	size_t i;

	for (const struct config_host *h = u->config.hosts; h; h = h->next) {
		if (has_services(u, h->name))
			status = apply(u, h->name);
		if (status == EX_NOPERM)
			return status;
		failed = failed ? failed : status;
	}
	/* Those of whose services none is in the file any more. */
	json_array_foreach(u->managers, i, manager)
	{
		const char *host = field_text(manager, "host");

		if (host && !has_services(u, host))
			status = apply(u, host);
		failed = failed ? failed : status;
	}
	return failed;
}

/* One whose manager has ended meanwhile is in no list. */
static int check_all_there(const struct up *u, const json_t *services)
{
	for (const struct config_service *s = u->config.services; s; s = s->next)
		if (!find(services, "name", s->name))
			return say_fail(EX_UNAVAILABLE,
					"%s:%u:%u: service '%s' is not there: the services of "
					"host '%s' have ended",
					u->name, s->place.line, s->place.column, s->name, s->host);
	return EX_OK;
}

static int start_and_show(struct up *u, double wait_ms)
{
	json_t *services = NULL;
	int status = up_services(u);

	/* So it would the listing. */
	if (status == EX_NOPERM)
		return status;
	const int awaited = linked_await(u->session, NULL, status ? 0 : wait_ms, &services);

	status = status ? status : awaited;
	if (status == EX_OK)
		status = check_all_there(u, services);
	if (services && u->invocation->json)
		json_print(services);
	else if (services)
		linked_print(services);
	json_decref(services);
	return status;
}

static int up(struct up *u, double wait_ms)
{
	int status = session_open(u->invocation->network, SESSION_START, &u->session);

	if (status)
		return status;
	const bool stayed = session_stays(u->session);

	status = up_hosts(u);
	/* What keeps hosts from being there, a network that goes down say, is said once. */
	if (status == EX_OK)
		status = start_and_show(u, wait_ms);
	if (!stayed && session_stays(u->session))
		session_say_stays(u->session);
	json_decref(u->hosts);
	json_decref(u->managers);
	session_free(u->session);
	return status;
}

static void print_check(const struct up *u)
{
	const struct config *c = &u->config;

	printf("%s: %zu host%s, %zu service%s\n", u->name, c->host_count,
	       c->host_count == 1 ? "" : "s", c->service_count, c->service_count == 1 ? "" : "s");
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct up_values *v = values;
	struct up u = { .invocation = invocation, .name = DEFAULT_FILE };
	struct fault fault;
	int status = EX_OK;

	if (invocation->operand_count)
		u.name = invocation->operands[0];
	if (config_file_load(u.name, &u.file, &fault) < 0)
		return complain(u.name, &fault, EX_NOINPUT);
	if (config_file_read(&u.file, u.name, &u.config, &fault) < 0) {
		status = complain(u.name, &fault, EX_DATAERR);
	} else {
		if (v->check)
			print_check(&u);
		else
			status = up(&u, v->wait_ms);
		config_deinit(&u.config);
	}
	config_file_deinit(&u.file);
	return status;
}

static const struct option_spec options[] = {
	{ .name = "check",
	  .help = "only say what is wrong with the file",
	  .offset = offsetof(struct up_values, check) },
	{ .name = "wait",
	  .kind = OPTION_TIME,
	  .argument = "TIME",
	  .help = "for services to open their ports (else up to 10s)",
	  .offset = offsetof(struct up_values, wait_ms) },
	{ 0 },
};

static const struct up_values defaults = { .wait_ms = 10000 };

const struct command command_up = {
	.name = "up",
	.summary = "Start the services of a file, or bring them up to date with it",
	.operands = "[FILE]",
	.text = "The file, else reeve.yaml, links services to ports: see reeve.yaml(5). Again, it\n"
		"changes what has changed in the file and leaves the rest alone.",
	.examples = "  reeve up              the services of ./reeve.yaml\n"
		    "  reeve up --check      what is wrong with it\n"
		    "  reeve status          how they are\n"
		    "  reeve down            ends them\n",
	.options = options,
	.uses = USES_NETWORK | USES_JSON,
	.most_operands = 1,
	.values_size = sizeof(struct up_values),
	.defaults = &defaults,
	.run = run,
};
