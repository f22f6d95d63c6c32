#include "network/managers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "network/control_frame.h"
#include "network/guest.h"
#include "network/host.h"
#include "network/log.h"
#include "network/network.h"

#define CALLS_MOST    256
#define WAITING_MOST  (8u << 20)
#define MESSAGES_A_GO 16

/* All that a manager may have to tell: the services of a file, each with the longest of paths. */
#define MESSAGE_MOST (32u << 20)

struct manager_call {
	struct list node;
	json_int_t id;
	manager_answer_function *answer;
	void *user; /* NULL: nobody waits any more */
};

struct manager_link {
	struct network *network;
	struct network_host *host;
	struct list node;
	struct loop_source source;
	struct control_frame in;
	char *out;
	size_t out_length, out_done;
	struct list calls;
	uint32_t call_count;
	json_int_t last_id;
	pid_t pid;
	char *file;
	struct port_grant grant;
	struct list grants; /* struct manager_grant */
	bool is_gone;
};

static void finish(struct manager_link *l, struct manager_call *call, const json_t *reply)
{
	manager_answer_function *answer = call->answer;
	void *user = call->user;

	list_remove(&call->node);
	l->call_count--;
	free(call);
	if (user)
		answer(user, reply);
}

/* Its own end, or ours with it: the manager ends its services when it sees that. */
static void go(struct manager_link *l, const char *why)
{
	const int fd = l->source.fd;

	if (l->is_gone)
		return;
	l->is_gone = true;
	if (!l->network->ending || why)
		log_line("the manager of host '%s' (process %d) %s", l->host->name, (int)l->pid,
			 why ? why : "has ended");
	loop_remove(l->network->loop, &l->source);
	close(fd);
	if (l->pid && l->network->guests)
		guest_set_managed(l->network->guests, l->pid, false);
	for (struct list *node; (node = list_first(&l->calls));)
		finish(l, list_entry(node, struct manager_call, node), NULL);
}

static void manager_free(struct manager_link *l)
{
	list_remove(&l->node);
	control_frame_deinit(&l->in);
	host_release(l->host);
	free(l->out);
	free(l->file);
	free(l);
}

static void write_out(struct manager_link *l)
{
	while (l->out_done < l->out_length) {
		const ssize_t n = send(l->source.fd, l->out + l->out_done,
				       l->out_length - l->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			loop_change(l->network->loop, &l->source, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n < 0)
			return; /* what is wrong is read */
		l->out_done += (size_t)n;
	}
	free(l->out);
	l->out = NULL;
	l->out_length = l->out_done = 0;
	loop_change(l->network->loop, &l->source, EPOLLIN);
}

static int send_message(struct manager_link *l, json_t *message_take)
{
	char *text = message_take ? json_dumps(message_take, JSON_COMPACT) : NULL;
	const size_t length = text ? strlen(text) + 1 : 0;
	char *grown = NULL;

	json_decref(message_take);
	if (text && l->out_length + length <= WAITING_MOST)
		grown = realloc(l->out, l->out_length + length);
	if (!grown) {
		free(text);
		return -ENOBUFS;
	}
	memcpy(grown + l->out_length, text, length);
	free(text);
	l->out = grown;
	l->out_length += length;
	write_out(l);
	return 0;
}

static int give_grants(struct manager_link *l);

static void take_message(struct manager_link *l, const json_t *message)
{
	const json_t *pid = json_object_get(message, "pid");
	const json_int_t id = json_integer_value(json_object_get(message, "id"));

	if (json_is_integer(pid) && l->pid == 0) {
		l->pid = (pid_t)json_integer_value(pid);
		guest_set_managed(l->network->guests, l->pid, true);
		if (!list_is_empty(&l->grants))
			(void)give_grants(l); /* joined before, and not too much then */
		return;
	}
	list_for_each_safe(node, &l->calls) {
		struct manager_call *call = list_entry(node, struct manager_call, node);

		if (call->id != id)
			continue;
		finish(l, call, message);
		return;
	}
}

/* False when there is nothing more. */
static bool read_in(struct manager_link *l)
{
	char *room;
	const size_t size = control_frame_room(&l->in, &room);
	const ssize_t n = size ? recv(l->source.fd, room, size, MSG_DONTWAIT) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		go(l, size ? NULL : "says too much");
		return false;
	}
	control_frame_fill(&l->in, (size_t)n);
	return true;
}

static void take_text(struct manager_link *l, const char *text, size_t length)
{
	json_t *message = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(message))
		take_message(l, message);
	else
		go(l, "says what is not JSON");
	json_decref(message);
}

static void link_ready(struct loop_source *source, uint32_t events)
{
	struct manager_link *l = container_of(source, struct manager_link, source);
	size_t length;

	if (l->is_gone)
		return;
	if (events & EPOLLOUT)
		write_out(l);
	for (unsigned taken = 0; taken < MESSAGES_A_GO && !l->is_gone;) {
		const char *text = control_frame_next(&l->in, &length);

		if (text) {
			take_text(l, text, length);
			taken++;
		} else if (!read_in(l)) {
			break;
		}
	}
	/* What has been read already is the next turn's, and nothing readable would tell of it. */
	if (!l->is_gone && control_frame_is_whole(&l->in))
		loop_change(l->network->loop, &l->source, EPOLLIN | EPOLLOUT);
}

struct manager_link *manager_of(const struct network_host *host)
{
	list_for_each(node, &host->station.network->managers) {
		struct manager_link *l = list_entry(node, struct manager_link, node);

		if (l->host == host && !l->is_gone)
			return l;
	}
	return NULL;
}

static struct manager_link *living(const struct network *n, struct list *node)
{
	for (; node != &n->managers; node = node->next) {
		struct manager_link *l = list_entry(node, struct manager_link, node);

		if (!l->is_gone)
			return l;
	}
	return NULL;
}

struct manager_link *manager_first(const struct network *n)
{
	return living(n, n->managers.next);
}

struct manager_link *manager_next(const struct network *n, const struct manager_link *l)
{
	return living(n, l->node.next);
}

struct network_host *manager_host(const struct manager_link *l)
{
	return l->host;
}

const char *manager_file(const struct manager_link *l)
{
	return l->file ? l->file : "";
}

void manager_set_file(struct manager_link *l, const char *file)
{
	free(l->file);
	l->file = strdup(file);
}

static bool is_other(const char *one, const char *file)
{
	return one && strcmp(one, file) != 0;
}

const char *managers_other_file(const struct network *n, const char *file)
{
	for (struct manager_link *l = manager_first(n); l; l = manager_next(n, l)) {
		if (is_other(l->file, file))
			return l->file;
		list_for_each(node, &l->grants) {
			const char *pending = list_entry(node, struct manager_grant, node)->file;

			if (is_other(pending, file))
				return pending;
		}
	}
	return NULL;
}

/* What all of them grant, to its programs. */
static int give_grants(struct manager_link *l)
{
	struct port_grant all = l->grant;

	if (l->is_gone)
		return 0;
	list_for_each(node, &l->grants) {
		const int r =
			port_grant_join(&all, &list_entry(node, struct manager_grant, node)->grant);

		if (r < 0)
			return r;
	}
	guest_set_grant(l->network->guests, l->pid, &all);
	return 0;
}

int manager_grant(struct manager_link *l, struct manager_grant *grant)
{
	list_append(&l->grants, &grant->node);
	const int r = give_grants(l);

	if (r < 0)
		list_remove(&grant->node);
	return r;
}

void manager_grant_done(struct manager_link *l, struct manager_grant *grant, bool is_taken)
{
	list_remove(&grant->node);
	if (is_taken)
		l->grant = grant->grant;
	(void)give_grants(l); /* less than before, so not too much */
}

pid_t manager_pid(const struct manager_link *l)
{
	return l->pid;
}

int manager_add(struct network_host *host, int fd_take)
{
	struct network *n = host->station.network;
	struct manager_link *l = manager_of(host) ? NULL : calloc(1, sizeof(*l));
	int r = manager_of(host) ? -EEXIST : -ENOMEM;

	if (l) {
		l->network = n;
		l->host = host;
		control_frame_init(&l->in, MESSAGE_MOST);
		list_init(&l->calls);
		list_init(&l->grants);
		loop_source_init(&l->source, link_ready);
		r = loop_add(n->loop, &l->source, fd_take, EPOLLIN);
	}
	if (r < 0) {
		close(fd_take);
		free(l);
		return r;
	}
	host_hold(host);
	list_append(&n->managers, &l->node);
	return 0;
}

int manager_call(struct manager_link *l, json_t *request_take, manager_answer_function *answer,
		 void *user)
{
	struct manager_call *call = l->call_count < CALLS_MOST ? calloc(1, sizeof(*call)) : NULL;

	if (!call || l->is_gone) {
		free(call);
		json_decref(request_take);
		return -ENOBUFS;
	}
	call->id = ++l->last_id;
	call->answer = answer;
	call->user = user;
	json_object_set_new(request_take, "id", json_integer(call->id));
	list_append(&l->calls, &call->node);
	l->call_count++;
	const int r = send_message(l, request_take);

	if (r < 0) {
		list_remove(&call->node);
		l->call_count--;
		free(call);
	}
	return r;
}

void manager_forget(struct network *n, const void *user)
{
	list_for_each(node, &n->managers) {
		const struct manager_link *l = list_entry(node, struct manager_link, node);

		list_for_each(waiting, &l->calls) {
			struct manager_call *call = list_entry(waiting, struct manager_call, node);

			if (call->user == user)
				call->user = NULL;
		}
	}
}

void manager_end_unused(struct manager_link *l)
{
	if (!l->file && list_is_empty(&l->grants))
		(void)send_message(l, json_pack("{s:s}", "call", "end"));
}

void managers_end_all(struct network *n)
{
	for (struct manager_link *l = manager_first(n); l; l = manager_next(n, l))
		(void)send_message(l, json_pack("{s:s}", "call", "end"));
}

void managers_host_removed(const struct network_host *host)
{
	list_for_each_safe(node, &host->station.network->managers) {
		struct manager_link *l = list_entry(node, struct manager_link, node);

		if (l->host != host)
			continue;
		go(l, NULL);
		manager_free(l);
	}
}

void managers_settle(struct network *n)
{
	list_for_each_safe(node, &n->managers) {
		struct manager_link *l = list_entry(node, struct manager_link, node);

		if (l->is_gone)
			manager_free(l);
	}
}

void managers_free(struct network *n)
{
	list_for_each(node, &n->managers)
		go(list_entry(node, struct manager_link, node), NULL);
	managers_settle(n);
}
