/* Owns the sets of sockets whose holders are watched. */
#include "guest/liveness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "guest/peer.h"
#include "guest/supervisor.h"

#define SET_SOCKETS 64 /* that a set takes before the next is begun */
#define LINE_MOST   128

struct liveness_set {
	struct list node;
	struct list members;
	uint32_t taken; /* ever; the kernel may hold as many */
	int epoll_fd;
	bool is_looked_at; /* and may not end now */
};

void liveness_init(struct liveness *l)
{
	*l = (struct liveness){ 0 };
	list_init(&l->sets);
}

static void set_free(struct liveness *l, struct liveness_set *set)
{
	if (l->open == set)
		l->open = NULL;
	list_remove(&set->node);
	close(set->epoll_fd);
	free(set);
}

void liveness_deinit(struct liveness *l)
{
	list_for_each_safe(node, &l->sets)
		set_free(l, list_entry(node, struct liveness_set, node));
}

static struct liveness_set *open_set(struct liveness *l)
{
	if (l->open)
		return l->open;
	struct liveness_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (set->epoll_fd < 0) {
		free(set);
		return NULL;
	}
	list_init(&set->members);
	list_append(&l->sets, &set->node);
	l->open = set;
	return set;
}

/* The open one stays until it is full, so that sockets that come and go alone need no new set
 * each. */
static void end_if_done(struct liveness *l, struct liveness_set *set)
{
	if (set == l->open && set->taken >= SET_SOCKETS)
		l->open = NULL;
	if (set != l->open && list_is_empty(&set->members) && !set->is_looked_at)
		set_free(l, set);
}

void liveness_add(struct liveness *l, struct guest_socket *socket, int fd)
{
	struct epoll_event event = { .events = 0, .data.u64 = socket->number };

	if (socket->set)
		return;
	struct liveness_set *set = open_set(l);

	if (!set || (epoll_ctl(set->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EEXIST))
		return;
	socket->set = set;
	set->taken++;
	list_append(&set->members, &socket->member);
	end_if_done(l, set);
}

void liveness_remove(struct liveness *l, struct guest_socket *socket)
{
	struct liveness_set *set = socket->set;

	if (!set)
		return;
	socket->set = NULL;
	list_remove(&socket->member);
	end_if_done(l, set);
}

/* Marks with the look's number what is alive. False when it could not look. */
static bool mark(struct supervisor *s, const struct liveness_set *set)
{
	char path[48], text[(SET_SOCKETS + 1) * LINE_MOST];
	size_t length = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", set->epoll_fd);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	while (length < sizeof(text) - 1 &&
	       (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	if (n != 0)
		return false;
	text[length] = '\0';
	for (char *at = strstr(text, "data:"); at; at = strstr(at, "data:")) {
		struct guest_socket *socket =
			socket_by_number(&s->sockets, strtoull(at + 5, &at, 16));

		if (socket)
			socket->seen = s->liveness.looks;
	}
	return true;
}

static void look(struct supervisor *s, struct liveness_set *set)
{
	const uint64_t number = ++s->liveness.looks;

	if (list_is_empty(&set->members) || !mark(s, set))
		return;
	set->is_looked_at = true;
	list_for_each_safe(node, &set->members) {
		struct guest_socket *socket = list_entry(node, struct guest_socket, member);

		if (socket->seen != number)
			peer_drop(s, socket);
	}
	set->is_looked_at = false;
	end_if_done(&s->liveness, set);
}

bool liveness_is_held(struct supervisor *s, const struct guest_socket *socket)
{
	const uint64_t number = ++s->liveness.looks;

	return !socket->set || !mark(s, socket->set) || socket->seen == number;
}

void liveness_look_at(struct supervisor *s, const struct guest_socket *socket)
{
	if (socket->set)
		look(s, socket->set);
}

static bool has_port(const struct liveness_set *set, uint16_t port)
{
	list_for_each(node, &set->members) {
		const struct guest_socket *socket = list_entry(node, struct guest_socket, member);

		if (socket->is_bound && (socket->local.port == port || socket->local.port == 0))
			return true;
	}
	return false;
}

void liveness_look_at_port(struct supervisor *s, uint16_t port)
{
	list_for_each_safe(node, &s->liveness.sets) {
		struct liveness_set *set = list_entry(node, struct liveness_set, node);

		if (has_port(set, port))
			look(s, set);
	}
}

bool liveness_sweep(struct supervisor *s)
{
	struct liveness *l = &s->liveness;
	const struct reeve_time start = supervisor_clock();
	bool has_members = false;

	list_for_each_safe(node, &l->sets)
		look(s, list_entry(node, struct liveness_set, node));
	list_for_each(node, &l->sets)
		has_members |=
			!list_is_empty(&list_entry(node, struct liveness_set, node)->members);
	l->cost_ns = reeve_time_since(supervisor_clock(), start);
	return has_members;
}
