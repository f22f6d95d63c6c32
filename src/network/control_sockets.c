/* ListSockets, ListPrograms. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "network/control_private.h"
#include "network/guest.h"
#include "port/registry.h"

static json_t *string_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* The process's own name, as ss shows it: what `reeve run sh -c ...` was asked to run is not what
 * has the socket. The one looked up last is remembered, as a program's sockets come in a row. */
struct process_name {
	uint32_t pid;
	char text[32];
};

static const char *name_of(struct process_name *last, const struct socket_owner *owner)
{
	char path[32];
	ssize_t n;
	int fd;

	if (!owner || !owner->program)
		return NULL;
	if (last->pid == owner->pid)
		return last->text[0] ? last->text : owner->program;
	last->pid = owner->pid;
	last->text[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%u/comm", owner->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return owner->program;
	n = read(fd, last->text, sizeof(last->text) - 1);
	close(fd);
	last->text[n > 0 ? n : 0] = '\0';
	last->text[strcspn(last->text, "\n")] = '\0';
	return last->text[0] ? last->text : owner->program;
}

static json_t *describe_socket(const struct network_host *host,
			       const struct reeve_socket_info *info, struct process_name *last)
{
	const struct socket_owner *owner = info->user;
	const bool is_tcp = info->kind == REEVE_TCP;
	const bool connected = info->remote.port != 0;
	const char *state = connected ? "ESTAB" : "UNCONN";
	const char *service =
		registry_service_name(info->local.port, is_tcp ? REGISTRY_TCP : REGISTRY_UDP);
	json_t *object;

	if (is_tcp)
		state = reeve_tcp_state_name(info->state);
	if (!service && connected)
		service = registry_service_name(info->remote.port,
						is_tcp ? REGISTRY_TCP : REGISTRY_UDP);
	object = json_pack("{s:s,s:s,s:I,s:I,s:o,s:o,s:o,s:s}", "protocol", is_tcp ? "tcp" : "udp",
			   "state", state, "receive_queue", (json_int_t)info->receive_queue,
			   "send_queue", (json_int_t)info->send_queue, "local",
			   control_sockaddr(&info->local, true), "remote",
			   control_sockaddr(&info->remote, connected), "service",
			   string_or_null(service), "host", host->name);
	json_object_set_new(object, "program", string_or_null(name_of(last, owner)));
	json_object_set_new(object, "pid",
			    owner && owner->program ? json_integer(owner->pid) : json_null());
	return object;
}

/* What the network process itself has open, its name server, is no socket of the host's. */
static bool is_own(const struct reeve_socket_info *info)
{
	const struct socket_owner *owner = info->user;

	return owner && !owner->program;
}

static void add_sockets(json_t *sockets, const struct network_host *host)
{
	const struct guest_socket *direct = NULL;
	struct process_name last = { 0 };
	struct reeve_socket_info info;
	uint64_t cursor = 0;

	while (reeve_host_next_socket(host->stack, &cursor, &info))
		if (info.kind != REEVE_PING && !is_own(&info))
			json_array_append_new(sockets, describe_socket(host, &info, &last));
	while ((direct = guest_next_direct(host, direct, &info)))
		json_array_append_new(sockets, describe_socket(host, &info, &last));
}

/* A call that waits until what is known is what there is. */
struct listing {
	struct control_session session;
	struct control_client *client;
	struct guest_look look;
};

static void listing_free(struct listing *l)
{
	if (l->session.host)
		host_release(l->session.host);
	free(l);
}

static void client_gone(struct control_session *session)
{
	struct listing *l = container_of(session, struct listing, session);

	guest_look_cancel(&l->look);
	listing_free(l);
}

static void list_now(struct guest_look *look)
{
	struct listing *l = container_of(look, struct listing, look);
	struct control_client *client = l->client;
	struct network_host *one = l->session.host;
	json_t *sockets = json_array();

	for (struct network_host *host = one ? one : host_first(client->network); host;
	     host = one ? NULL : host_next(host))
		add_sockets(sockets, host);
	client->session = NULL;
	listing_free(l);
	control_reply(client, json_pack("{s:o}", "sockets", sockets), false);
	control_end(client);
}

static void list_sockets(struct control_call *call)
{
	const char *name = NULL;
	struct network_host *host = NULL;
	struct listing *l;

	if (!control_string(call, "host", true, &name))
		return;
	if (name && !(host = control_find_host(call, name)))
		return;
	l = calloc(1, sizeof(*l));
	if (!l) {
		control_no_memory(call->client, "list");
		return;
	}
	if (host)
		host_hold(host); /* its last program may end meanwhile */
	l->session = (struct control_session){ .end = client_gone, .host = host };
	l->client = call->client;
	call->client->session = &l->session;
	guest_look_begin(call->network->guests, &l->look, host, list_now);
}

static void list_programs(struct control_call *call)
{
	const struct guest_session *session = NULL;
	const struct network_host *host = NULL;
	struct guest_program program;
	const char *name = NULL;
	json_t *programs;

	if (!control_string(call, "host", true, &name))
		return;
	host = name ? control_find_host(call, name) : NULL;
	if (name && !host)
		return;
	programs = json_array();
	while ((session = guest_next_program(call->network->guests, session, &program)))
		if (!host || program.host == host)
			json_array_append_new(programs,
					      json_pack("{s:s,s:i,s:s}", "host", program.host->name,
							"pid", (int)program.pid, "command",
							program.command));
	control_reply(call->client, json_pack("{s:o}", "programs", programs), false);
}

const struct control_method control_socket_methods[] = {
	{ "io.reeve.Network.ListSockets", list_sockets, true },
	{ "io.reeve.Network.ListPrograms", list_programs, true },
	{ NULL, NULL },
};
