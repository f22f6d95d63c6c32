/* Listings of sockets, as the network process has them. */
#include "cli/sockets.h"

#include <string.h>
#include <sysexits.h>

#include "base/check.h"
#include "cli/field.h"
#include "cli/output.h"
#include "cli/session.h"

static bool has_text(const json_t *object, const char *key, const char *text)
{
	const char *value = field_text(object, key);

	return value && strcmp(value, text) == 0;
}

/* Waits for what comes: a listener, or a UDP socket that is not connected. */
static bool is_listening(const json_t *socket)
{
	return has_text(socket, "state", "LISTEN") || has_text(socket, "state", "UNCONN");
}

static bool matches(const json_t *socket, const struct sockets_filter *filter)
{
	if (filter->listening && !is_listening(socket))
		return false;
	if (filter->tcp == filter->udp)
		return true;
	return has_text(socket, "protocol", filter->tcp ? "tcp" : "udp");
}

static void add_program(struct table *t, const json_t *socket)
{
	if (json_is_integer(json_object_get(socket, "pid")))
		table_add_integer(t, socket, "pid");
	else
		table_add(t, "");
	table_add(t, field_text(socket, "program"));
}

/* What a listing has of each socket. */
struct listing {
	const struct column *columns;
	size_t column_count;
	void (*add_row)(struct table *t, const json_t *socket);
};

static void print_table(const struct listing *listing, const json_t *sockets)
{
	struct table *t = table_new(listing->columns, listing->column_count);
	json_t *socket;
	size_t i;

	json_array_foreach(sockets, i, socket)
	{
		listing->add_row(t, socket);
	}
	table_print(t);
	table_free(t);
}

static int list(const struct invocation *invocation, const struct sockets_filter *filter,
		const struct listing *listing)
{
	json_t *parameters =
		filter->host ? json_pack("{s:s}", "host", filter->host) : json_object();
	json_t *sockets, *matching, *socket;
	size_t i;
	const int status =
		session_list(invocation->network, filter->host ? SESSION_NEED : SESSION_LOOK,
			     "ListSockets", parameters, "sockets", &sockets);

	if (status)
		return status;
	matching = json_array();
	json_array_foreach(sockets, i, socket)
	{
		if (matches(socket, filter))
			json_array_append(matching, socket);
	}
	if (invocation->json)
		json_print(matching);
	else
		print_table(listing, matching);
	json_decref(matching);
	json_decref(sockets);
	return EX_OK;
}

static void add_socket(struct table *t, const json_t *socket)
{
	table_add(t, field_text(socket, "protocol"));
	table_add(t, field_text(socket, "state"));
	table_add_integer(t, socket, "receive_queue");
	table_add_integer(t, socket, "send_queue");
	table_add(t, field_text(socket, "local"));
	table_add(t, field_text(socket, "remote"));
	table_add(t, field_text(socket, "service"));
	table_add(t, field_text(socket, "host"));
	add_program(t, socket);
}

int sockets_list(const struct invocation *invocation, const struct sockets_filter *filter)
{
	static const struct column columns[] = {
		{ "PROTO", false }, { "STATE", false },   { "RECV-Q", true },   { "SEND-Q", true },
		{ "LOCAL", false }, { "REMOTE", false },  { "SERVICE", false }, { "HOST", false },
		{ "PID", true },    { "PROGRAM", false },
	};
	const struct listing listing = { columns, array_length(columns), add_socket };

	return list(invocation, filter, &listing);
}

/* "80" of "192.0.2.1:80" or "[::]:80". */
static const char *port_text(const json_t *socket)
{
	const char *local = field_text(socket, "local"),
		   *colon = local ? strrchr(local, ':') : NULL;

	return colon ? colon + 1 : "";
}

static void add_service(struct table *t, const json_t *socket)
{
	table_add(t, port_text(socket));
	table_add(t, field_text(socket, "protocol"));
	table_add(t, field_text(socket, "service"));
	table_add(t, field_text(socket, "local"));
	add_program(t, socket);
}

int sockets_list_services(const struct invocation *invocation, const char *host)
{
	static const struct column columns[] = {
		{ "PORT", true },     { "PROTOCOL", false }, { "SERVICE", false },
		{ "ADDRESS", false }, { "PID", true },       { "PROGRAM", false },
	};
	const struct sockets_filter filter = { .host = host, .listening = true };
	const struct listing listing = { columns, array_length(columns), add_service };

	return list(invocation, &filter, &listing);
}
