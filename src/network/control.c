#include "network/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "network/control_private.h"
#include "network/guest.h"
#include "network/listener.h"
#include "network/log.h"

#define MAX_CLIENTS    256
#define MAX_ANSWER     (64u << 20) /* bytes of one answer */
#define MAX_WAITING    (1u << 20)  /* bytes that wait while a call that goes on adds to them */
#define MESSAGES_A_GO  16
#define ERROR_NAME_MAX 128
#define WRITE_FLAGS    (JSON_COMPACT | JSON_REAL_PRECISION(15)) /* 0.05, not 0.050000000000000003 */

struct control_server {
	struct network *network;
	struct listener listener;
	struct list clients;
	struct list gone;
	uint32_t client_count;
};

static const struct control_method *const method_tables[] = {
	control_service_methods, control_network_methods, control_host_methods,
	control_socket_methods,  control_link_methods,    control_capture_methods,
	control_ping_methods,    control_manager_methods,
};

static void client_gone(struct control_client *client)
{
	if (client->gone)
		return;
	client->gone = true;
	if (client->session) {
		struct control_session *session = client->session;

		client->session = NULL;
		session->end(session);
	}
	list_remove(&client->node);
	list_append(&client->server->gone, &client->node);
}

static void client_free(struct control_client *client)
{
	struct control_server *s = client->server;
	const int fd = client->source.fd;

	loop_remove(s->network->loop, &client->source);
	close(fd);
	if (client->passed_fd >= 0)
		close(client->passed_fd);
	control_frame_deinit(&client->in);
	free(client->out);
	list_remove(&client->node);
	free(client);
	s->client_count--;
}

static bool is_writing(const struct control_client *client)
{
	return client->out != NULL;
}

/* Reads only when the last answer is gone and no call goes on; a hang-up is always told. What has been
 * read and was not yet taken is the next turn's, for which a socket that can be written will do. */
static void wait_for_more(struct control_client *client)
{
	uint32_t events = 0;

	if (client->gone)
		return;
	if (is_writing(client))
		events |= EPOLLOUT;
	else if (!client->closing && !client->session)
		events |= control_frame_is_whole(&client->in) ? EPOLLOUT : EPOLLIN;
	if (client->session)
		events |= EPOLLRDHUP;
	loop_change(client->network->loop, &client->source, events);
}

static void write_out(struct control_client *client)
{
	while (client->out) {
		const ssize_t n =
			send(client->source.fd, client->out + client->out_done,
			     client->out_length - client->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			client_gone(client);
			return;
		}
		client->out_done += (size_t)n;
		if (client->out_done == client->out_length) {
			free(client->out);
			client->out = NULL;
			client->out_length = client->out_done = 0;
		}
	}
	if (client->closing)
		client_gone(client);
}

/* `text` with its NUL behind what still waits. */
static bool add_out(struct control_client *client, char *text_take)
{
	const size_t length = strlen(text_take) + 1,
		     waiting = client->out_length - client->out_done;
	char *joined;

	if (!client->out) {
		client->out = text_take;
		client->out_length = length;
		client->out_done = 0;
		return true;
	}
	joined = waiting + length <= MAX_WAITING ? malloc(waiting + length) : NULL;
	if (joined) {
		memcpy(joined, client->out + client->out_done, waiting);
		memcpy(joined + waiting, text_take, length);
		free(client->out);
		client->out = joined;
		client->out_length = waiting + length;
		client->out_done = 0;
	}
	free(text_take);
	return joined != NULL;
}

/* False: the client is gone, or takes no more. */
static bool send_message(struct control_client *client, json_t *message_take)
{
	char *text = message_take ? json_dumps(message_take, WRITE_FLAGS) : NULL;
	bool sent;

	json_decref(message_take);
	if (client->gone || client->oneway) {
		free(text);
		return !client->gone;
	}
	if (text && strlen(text) >= MAX_ANSWER) {
		free(text);
		text = strdup("{\"error\":\"io.reeve.Network.Failed\",\"parameters\":"
			      "{\"operation\":\"answer\",\"errno\":\"EMSGSIZE\"}}");
	}
	sent = text && add_out(client, text);
	if (!sent) {
		client_gone(client);
		return false;
	}
	write_out(client);
	wait_for_more(client);
	return !client->gone;
}

bool control_reply(struct control_client *client, json_t *parameters_take, bool continues)
{
	json_t *message = json_object();

	json_object_set_new(message, "parameters",
			    parameters_take ? parameters_take : json_object());
	if (continues)
		json_object_set_new(message, "continues", json_true());
	return send_message(client, message);
}

void control_fail(struct control_client *client, const char *error, json_t *parameters_take)
{
	char name[ERROR_NAME_MAX];
	json_t *message = json_object();

	snprintf(name, sizeof(name), "%s%s", strchr(error, '.') ? "" : "io.reeve.Network.", error);
	json_object_set_new(message, "error", json_string(name));
	json_object_set_new(message, "parameters",
			    parameters_take ? parameters_take : json_object());
	send_message(client, message);
}

void control_end(struct control_client *client)
{
	client->session = NULL;
	wait_for_more(client);
}

void control_host_removed(struct network_host *host)
{
	list_for_each_safe(node, &host->station.network->control->clients) {
		struct control_client *client = list_entry(node, struct control_client, node);
		struct control_session *session = client->session;

		if (!session || session->host != host)
			continue;
		client->session = NULL;
		session->end(session);
		control_errno(client, "RemoveHost", ENODEV);
		control_end(client);
	}
}

static const struct control_method *find_method(const char *name)
{
	for (size_t i = 0; i < array_length(method_tables); i++)
		for (const struct control_method *m = method_tables[i]; m->name; m++)
			if (!strcmp(m->name, name))
				return m;
	return NULL;
}

/* varlink.org/Interface-Definition: an interface's name is all before the last dot. */
static void unknown_method(struct control_client *client, const char *name)
{
	const char *dot = strrchr(name, '.');
	const size_t length = dot ? (size_t)(dot - name) : 0;

	if (!strncmp(name, "io.reeve.Network", length) && length == strlen("io.reeve.Network"))
		control_fail(client, "org.varlink.service.MethodNotFound",
			     json_pack("{s:s}", "method", name));
	else
		control_fail(client, "org.varlink.service.InterfaceNotFound",
			     json_pack("{s:s%}", "interface", name, length));
}

static void call_method(struct control_client *client, json_t *message)
{
	struct control_call call = { .client = client, .network = client->network };
	const char *name = json_string_value(json_object_get(message, "method"));
	const struct control_method *method = name ? find_method(name) : NULL;
	json_t *none = NULL;

	client->more = json_is_true(json_object_get(message, "more"));
	client->oneway = json_is_true(json_object_get(message, "oneway"));
	call.parameters = json_object_get(message, "parameters");
	if (!json_is_object(call.parameters))
		call.parameters = none = json_object();
	if (!name)
		control_refuse(client, "the message has no \"method\"");
	else if (!method)
		unknown_method(client, name);
	else if (client->network->ending && !method->is_last_call)
		control_refuse(client, "the network is going down");
	else
		method->function(&call);
	json_decref(none);
}

static void take_message(struct control_client *client, const char *text, size_t length)
{
	json_error_t error;
	json_t *message = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);

	if (json_is_object(message)) {
		call_method(client, message);
	} else {
		client->closing = true;
		client->oneway = false;
		control_refuse(client, "the message is not a JSON object");
	}
	json_decref(message);
	if (client->passed_fd >= 0)
		close(client->passed_fd);
	client->passed_fd = -1;
}

/* The descriptors that came with a piece of the stream: one is kept, for the request it is in. */
static void take_descriptors(struct control_client *client, struct msghdr *header)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (client->passed_fd >= 0)
				close(client->passed_fd);
			client->passed_fd = fd;
		}
	}
}

/* Bytes read; 0 when there is nothing more to read, be it now or ever. */
static size_t read_in(struct control_client *client)
{
	char ancillary[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov;
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	char *room;
	ssize_t n;

	header.msg_control = ancillary;
	header.msg_controllen = sizeof(ancillary);
	iov.iov_len = control_frame_room(&client->in, &room);
	iov.iov_base = room;
	if (iov.iov_len == 0) {
		client->closing = true;
		client->oneway = false;
		control_refuse(client, "the message is longer than 1 MiB");
		return 0;
	}
	n = recvmsg(client->source.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		client_gone(client);
		return 0;
	}
	take_descriptors(client, &header);
	control_frame_fill(&client->in, (size_t)n);
	return (size_t)n;
}

static bool may_read(const struct control_client *client)
{
	return !client->gone && !client->closing && !client->session && !is_writing(client);
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	struct control_client *client = container_of(source, struct control_client, source);
	size_t length;

	if ((events & (EPOLLERR | EPOLLHUP)) || (client->session && (events & EPOLLRDHUP)))
		client_gone(client);
	if (client->gone)
		return;
	if (events & EPOLLOUT)
		write_out(client);
	for (unsigned taken = 0; taken < MESSAGES_A_GO && may_read(client);) {
		const char *message = control_frame_next(&client->in, &length);

		if (message) {
			take_message(client, message, length);
			taken++;
		} else if (read_in(client) == 0) {
			break;
		}
	}
	wait_for_more(client);
}

int control_adopt(struct control_server *s, int fd_take)
{
	struct control_client *client = calloc(1, sizeof(*client));
	int r;

	if (!client) {
		close(fd_take);
		return -ENOMEM;
	}
	client->server = s;
	client->network = s->network;
	client->passed_fd = -1;
	control_frame_init(&client->in, CONTROL_MESSAGE_MAX);
	loop_source_init(&client->source, client_ready);
	r = loop_add(s->network->loop, &client->source, fd_take, EPOLLIN);
	if (r < 0) {
		close(fd_take);
		free(client);
		return r;
	}
	list_append(&s->clients, &client->node);
	s->client_count++;
	return 0;
}

/* One line to a client that is not let in. It need not arrive. */
static void turn_away(int fd_take, const char *reason)
{
	char text[256];
	const int length = snprintf(text, sizeof(text),
				    "{\"error\":\"io.reeve.Network.Refused\",\"parameters\":"
				    "{\"reason\":\"%s\"}}",
				    reason);

	if (send(fd_take, text, (size_t)length + 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_line("control: turned away unheard: %s", reason);
	close(fd_take);
}

static void take_in(struct listener *l, int fd_take, const struct ucred *peer)
{
	struct control_server *s = container_of(l, struct control_server, listener);

	if (peer->uid != geteuid())
		turn_away(fd_take, "the network belongs to another user");
	else if (s->network->guests && guest_is_inside(s->network->guests, peer->pid))
		turn_away(fd_take, "programs that run inside the network do not control it");
	else
		control_adopt(s, fd_take);
}

static bool is_full(const struct listener *l)
{
	return container_of_const(l, struct control_server, listener)->client_count >= MAX_CLIENTS;
}

static const struct listener_ops listener_ops = { .is_full = is_full, .take_in = take_in };

struct control_server *control_server_new(struct network *n, int listen_fd)
{
	struct control_server *s = calloc(1, sizeof(*s));

	if (!s) {
		if (listen_fd >= 0)
			close(listen_fd);
		return NULL;
	}
	s->network = n;
	list_init(&s->clients);
	list_init(&s->gone);
	if (listener_init(&s->listener, &listener_ops, n->loop, listen_fd) < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void control_accept(struct control_server *s)
{
	listener_accept(&s->listener);
}

void control_close_listener(struct control_server *s)
{
	listener_deinit(&s->listener);
}

struct control_server *control_server_free(struct control_server *s)
{
	if (!s)
		return NULL;
	listener_deinit(&s->listener);
	list_for_each_safe(node, &s->clients)
		client_gone(list_entry(node, struct control_client, node));
	control_settle(s);
	free(s);
	return NULL;
}

uint32_t control_client_count(const struct control_server *s)
{
	return s->client_count;
}

bool control_is_flushed(const struct control_server *s)
{
	list_for_each(node, &s->clients)
		if (is_writing(list_entry(node, struct control_client, node)))
			return false;
	return true;
}

void control_settle(struct control_server *s)
{
	struct list *node;

	while ((node = list_first(&s->gone)))
		client_free(list_entry(node, struct control_client, node));
}
