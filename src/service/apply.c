/*
 * A new file: first all that could fail (it is read, and the ports that it has new are opened), so
 * that a file that cannot be taken changes nothing; then each service is compared with what it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "service/manager_private.h"

struct prepared {
	const struct config_service *config;
	struct service_socket *sockets[CONFIG_PORTS_MOST];
};

struct applying {
	struct manager *m;
	struct config_holder *holder;
	struct prepared *services; /* of this host */
	size_t count;
	json_int_t id;
	int started, changed, kept, removed;
};

void holder_release(struct config_holder *h)
{
	if (--h->users > 0)
		return;
	config_deinit(&h->config);
	free(h);
}

static const char *text_of(const json_t *request, const char *key)
{
	const char *text = json_string_value(json_object_get(request, key));

	return text ? text : "";
}

/* As whoever sent it has read it; NULL when it has become wrong since, an environment's file say. */
static struct config_holder *read_again(struct manager *m, json_int_t id, const json_t *request)
{
	struct config_file file = { .path = strdup(text_of(request, "path")),
				    .directory = strdup(text_of(request, "directory")),
				    .text = strdup(text_of(request, "text")) };
	struct config_holder *h = calloc(1, sizeof(*h));
	const char *name = text_of(request, "name");
	struct fault fault;

	check(file.path && file.directory && file.text && h); /* as in arena.h */
	file.length = strlen(file.text);
	h->users = 1;
	if (config_file_read(&file, name, &h->config, &fault) < 0) {
		manager_refuse(m, id, "%s:%u:%u: %s", name, fault.place.line, fault.place.column,
			       fault.text);
		free(h);
		h = NULL;
	}
	config_file_deinit(&file);
	return h;
}

static bool refuse_port(struct applying *a, const struct config_service *service,
			const struct config_port *port, int error)
{
	const char *why = strerror(error);

	if (error == EADDRINUSE)
		why = "is in use already";
	else if (error == EACCES)
		why = "is not granted";
	else if (error == EADDRNOTAVAIL)
		why = "is at an address that the host does not have";
	manager_refuse(a->m, a->id, "%s:%u:%u: port %s of '%s' on host '%s' %s",
		       a->holder->config.file, port->place.line, port->place.column, port->text,
		       service->name, a->m->host, why);
	return false;
}

/* One that has failed or ended stays so while nothing has changed, and so do its ports. */
static bool is_at_rest(const struct applying *a, const struct config_service *config)
{
	const struct service *s = service_find(a->m, config->name);

	return s && (s->state == SERVICE_FAILED || s->state == SERVICE_ENDED) &&
	       config_is_same_program(s->config, config);
}

static bool prepare(struct applying *a)
{
	const struct config_port *port;

	a->services = calloc(a->holder->config.service_count + 1, sizeof(*a->services));
	check(a->services);
	for (const struct config_service *c = a->holder->config.services; c; c = c->next) {
		struct prepared *p = &a->services[a->count];

		if (strcmp(c->host, a->m->host) != 0)
			continue;
		p->config = c;
		a->count++;
		if (is_at_rest(a, c))
			continue;
		const int r = sockets_prepare(a->m, c, p->sockets, &port);

		if (r < 0)
			return refuse_port(a, c, port, -r);
	}
	return true;
}

static size_t give_sockets(struct service *s, const struct prepared *p)
{
	const size_t count =
		config_has_sockets(p->config) && p->sockets[0] ? p->config->port_count : 0;

	sockets_give(s, p->sockets, count);
	return count;
}

static void add(struct applying *a, const struct prepared *p)
{
	struct service *s = service_new(a->m, a->holder, p->config);

	give_sockets(s, p);
	service_begin(s);
	a->started++;
}

/* Programs that run as they should go on; limits and rules are new at once. */
static void update(struct applying *a, struct service *s, const struct prepared *p)
{
	const bool is_same = config_is_same_program(s->config, p->config);
	const bool was_called = config_is_called(s->config);

	service_adopt(s, a->holder, p->config);
	give_sockets(s, p);
	if (is_same) {
		a->kept++;
		/* Its sockets may be new to it, and its limits higher. */
		if (s->state == SERVICE_LISTENING)
			sockets_poll(s, true);
		return;
	}
	a->changed++;
	service_log_say(&s->log, "changed in the file");
	/* Nobody who has come runs: there is nothing to end. */
	if (was_called && s->instance_count == 0 && config_is_called(s->config))
		service_begin(s);
	else
		service_restart(s);
}

static void commit(struct applying *a)
{
	struct manager *m = a->m;

	/* Whose they are now is said anew. */
	list_for_each(node, &m->sockets)
		list_entry(node, struct service_socket, node)->service = NULL;
	list_for_each_safe(node, &m->services) {
		struct service *s = list_entry(node, struct service, node);
		const struct config_service *c =
			config_find_service(&a->holder->config, s->config->name);

		if (s->is_removed || (c && strcmp(c->host, m->host) == 0))
			continue;
		a->removed++;
		service_remove(s);
	}
	for (size_t i = 0; i < a->count; i++) {
		struct service *s = service_find(m, a->services[i].config->name);

		if (s)
			update(a, s, &a->services[i]);
		else
			add(a, &a->services[i]);
	}
	sockets_close_unused(m);
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	check(*text);
}

void apply_file(struct manager *m, json_int_t id, const json_t *request)
{
	struct applying a = { .m = m, .id = id };

	a.holder = read_again(m, id, request);
	if (!a.holder)
		return;
	if (prepare(&a)) {
		set_text(&m->file, text_of(request, "path"));
		set_text(&m->logs, text_of(request, "logs"));
		commit(&a);
		manager_answer(m, id,
			       json_pack("{s:i,s:i,s:i,s:i}", "started", a.started, "changed",
					 a.changed, "kept", a.kept, "removed", a.removed));
	} else {
		/* What was opened for it belongs to nobody. */
		sockets_close_unused(m);
	}
	holder_release(a.holder);
	free(a.services);
}
