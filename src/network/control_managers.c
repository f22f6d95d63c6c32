/*
 * AddManager, ListManagers, ApplyServices, ListServices, RestartService: what is asked of the
 * managers of services. Their answers come later; a call waits for as many as it has asked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "network/control_private.h"
#include "network/lifetime.h"
#include "network/managers.h"

#define PORT_BITS 65536

struct asking {
	struct control_session session;
	struct control_client *client;
	struct manager_link *link; /* of a call to one */
	struct network_host *host;
	json_t *services; /* gathered, of a call to all */
	unsigned outstanding;
	bool is_applying;
	struct manager_grant grant;
};

static void asking_free(struct asking *a)
{
	json_decref(a->services);
	free(a->grant.file);
	free(a);
}

static void client_gone(struct control_session *session)
{
	struct asking *a = container_of(session, struct asking, session);

	/* What a manager makes of a file holds, whether or not somebody waits for it. */
	if (a->is_applying) {
		a->client = NULL;
		return;
	}
	manager_forget(a->client->network, a);
	asking_free(a);
}

static struct asking *asking_new(struct control_call *call)
{
	struct asking *a = calloc(1, sizeof(*a));

	if (!a) {
		control_no_memory(call->client, "services");
		return NULL;
	}
	a->session.end = client_gone;
	a->client = call->client;
	return a;
}

/* The call is over: `a` is freed, and then its client is answered, with one of these. */
static void conclude(struct asking *a, json_t *result_take, const char *error)
{
	struct control_client *client = a->client;
	json_t *fault = error ? json_pack("{s:s}", "reason", error)
			      : json_pack("{s:s}", "host", a->host ? a->host->name : "");

	asking_free(a);
	if (!client) {
		json_decref(result_take);
		json_decref(fault);
		return;
	}
	client->session = NULL;
	if (result_take) {
		json_decref(fault);
		control_reply(client, result_take, false);
	} else {
		control_fail(client, error ? "ServicesRefused" : "ManagerGone", fault);
	}
	control_end(client);
}

/* Which ports are open on a host: a bit each. */
struct open_ports {
	uint8_t tcp[PORT_BITS / 8], udp[PORT_BITS / 8];
};

static void find_open_ports(const struct network_host *host, struct open_ports *ret)
{
	struct reeve_socket_info info;
	uint64_t cursor = 0;

	memset(ret, 0, sizeof(*ret));
	while (reeve_host_next_socket(host->stack, &cursor, &info)) {
		const uint16_t port = info.local.port;

		if (info.kind == REEVE_TCP && info.remote.port == 0)
			ret->tcp[port / 8] |= (uint8_t)(1 << port % 8);
		else if (info.kind == REEVE_UDP)
			ret->udp[port / 8] |= (uint8_t)(1 << port % 8);
	}
}

static void mark_ports(json_t *service, const struct open_ports *open)
{
	json_t *port;
	size_t i;

	json_array_foreach(json_object_get(service, "ports"), i, port)
	{
		const char *protocol = json_string_value(json_object_get(port, "protocol"));
		const json_int_t number = json_integer_value(json_object_get(port, "port"));
		const uint8_t *bits = protocol && !strcmp(protocol, "udp") ? open->udp : open->tcp;
		const bool is_open =
			number >= 0 && number < PORT_BITS && (bits[number / 8] >> number % 8 & 1);

		json_object_set_new(port, "open", json_boolean(is_open));
	}
}

static void gather(struct asking *a, struct network_host *host, json_t *services)
{
	static struct open_ports open;
	json_t *service;
	size_t i;

	find_open_ports(host, &open);
	json_array_foreach(services, i, service)
	{
		mark_ports(service, &open);
		json_array_append(a->services, service);
	}
}

/* One manager's answer to ListServices; of one that has gone there is nothing to tell. */
static void listed(void *user, const json_t *reply)
{
	struct asking *a = user;
	json_t *services = json_object_get(json_object_get(reply, "result"), "services");
	const char *name = json_string_value(json_object_get(json_array_get(services, 0), "host"));
	struct network_host *host = name ? host_by_name(a->client->network, name) : NULL;

	if (host)
		gather(a, host, services);
	if (--a->outstanding == 0)
		conclude(a, json_pack("{s:O}", "services", a->services), NULL);
}

static void list_services(struct control_call *call)
{
	const char *name = NULL;
	struct network_host *host = NULL;
	struct asking *a;

	if (!control_string(call, "host", true, &name))
		return;
	host = name ? control_find_host(call, name) : NULL;
	if (name && !host)
		return;
	a = asking_new(call);
	if (!a)
		return;
	a->services = json_array();
	a->outstanding = 1;
	call->client->session = &a->session;
	for (struct manager_link *l = manager_first(call->network); l;
	     l = manager_next(call->network, l)) {
		if (host && manager_host(l) != host)
			continue;
		if (manager_call(l, json_pack("{s:s}", "call", "list"), listed, a) == 0)
			a->outstanding++;
	}
	listed(a, NULL);
}

static void answered(void *user, const json_t *reply)
{
	struct asking *a = user;
	json_t *result = json_object_get(reply, "result");
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (a->is_applying)
		manager_grant_done(a->link, &a->grant, result != NULL);
	if (a->is_applying && result)
		manager_set_file(a->link, a->grant.file);
	if (result && json_object_get(result, "service")) {
		static struct open_ports open;

		find_open_ports(a->host, &open);
		mark_ports(json_object_get(result, "service"), &open);
	}
	conclude(a, json_incref(result), error);
}

/* Of one manager. Takes the request. */
static void ask(struct control_call *call, struct asking *a, json_t *request_take)
{
	call->client->session = &a->session;
	if (manager_call(a->link, request_take, answered, a) == 0)
		return;
	if (a->is_applying)
		manager_grant_done(a->link, &a->grant, false);
	conclude(a, NULL, "its manager has too much to do");
}

static struct manager_link *find_manager(struct control_call *call, struct network_host **ret_host)
{
	const char *name;
	struct manager_link *l;

	if (!control_string(call, "host", false, &name))
		return NULL;
	*ret_host = control_find_host(call, name);
	if (!*ret_host)
		return NULL;
	l = manager_of(*ret_host);
	if (!l)
		control_fail(call->client, "NoManager", json_pack("{s:s}", "host", name));
	return l;
}

static void add_manager(struct control_call *call)
{
	const char *name;
	struct network_host *host;
	int fd, r;

	if (!control_string(call, "host", false, &name))
		return;
	host = control_find_host(call, name);
	fd = host ? control_take_fd(call) : -1;
	if (fd < 0)
		return;
	r = manager_add(host, fd);
	if (r == -EEXIST)
		control_fail(call->client, "ManagerExists", json_pack("{s:s}", "host", name));
	else if (r < 0)
		control_errno(call->client, "AddManager", r);
	else
		control_reply(call->client, NULL, false);
}

static void list_managers(struct control_call *call)
{
	json_t *managers = json_array();

	for (struct manager_link *l = manager_first(call->network); l;
	     l = manager_next(call->network, l))
		json_array_append_new(
			managers, json_pack("{s:s,s:i,s:s}", "host", manager_host(l)->name, "pid",
					    (int)manager_pid(l), "file", manager_file(l)));
	control_reply(call->client, json_pack("{s:o}", "managers", managers), false);
}

static bool read_grant(struct control_call *call, struct port_grant *ret)
{
	const char *text = NULL;

	if (!control_string(call, "grant", true, &text))
		return false;
	if (!text || port_grant_parse(text, ret) == 0)
		return true;
	control_invalid(call->client, "grant");
	return false;
}

static const char *logs_of(const struct network *n)
{
	return n->lifetime ? lifetime_logs(n->lifetime) : "";
}

/* Services of another file would end by this one. */
static bool refuse_other_file(const struct control_call *call, const char *path)
{
	const char *other = managers_other_file(call->network, path), *name;
	const struct network_host *host;
	struct manager_link *l;

	if (!other)
		return false;
	if (!control_string(call, "host", false, &name))
		return true;
	control_fail(call->client, "OtherFile", json_pack("{s:s}", "file", other));
	host = host_by_name(call->network, name);
	l = host ? manager_of(host) : NULL;
	if (l)
		manager_end_unused(l);
	return true;
}

static void apply_services(struct control_call *call)
{
	const char *path, *directory, *name, *text;
	struct port_grant grant = { 0 };
	struct network_host *host;
	struct manager_link *l;
	struct asking *a;

	if (!control_string(call, "path", false, &path) ||
	    !control_string(call, "directory", false, &directory) ||
	    !control_string(call, "name", false, &name) ||
	    !control_string(call, "text", false, &text))
		return;
	if (refuse_other_file(call, path))
		return;
	l = find_manager(call, &host);
	if (!l || !read_grant(call, &grant))
		return;
	a = asking_new(call);
	if (!a)
		return;
	a->link = l;
	a->host = host;
	a->grant.grant = grant;
	a->grant.file = strdup(path);
	if (!a->grant.file) {
		asking_free(a);
		control_no_memory(call->client, "services");
		return;
	}
	if (manager_grant(l, &a->grant) < 0) {
		asking_free(a);
		control_invalid(call->client, "grant");
		return;
	}
	a->is_applying = true;
	ask(call, a,
	    json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "call", "apply", "path", path, "directory",
		      directory, "name", name, "text", text, "logs", logs_of(call->network)));
}

static void restart_service(struct control_call *call)
{
	const char *service;
	struct network_host *host;
	struct manager_link *l;
	struct asking *a;

	if (!control_string(call, "service", false, &service))
		return;
	l = find_manager(call, &host);
	a = l ? asking_new(call) : NULL;
	if (!a)
		return;
	a->link = l;
	a->host = host;
	ask(call, a, json_pack("{s:s,s:s}", "call", "restart", "service", service));
}

const struct control_method control_manager_methods[] = {
	{ "io.reeve.Network.AddManager", add_manager, false },
	{ "io.reeve.Network.ListManagers", list_managers, true },
	{ "io.reeve.Network.ApplyServices", apply_services, false },
	{ "io.reeve.Network.ListServices", list_services, true },
	{ "io.reeve.Network.RestartService", restart_service, false },
	{ NULL, NULL, false },
};
