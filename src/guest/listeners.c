/* Owns the table of listeners. */
#include "guest/listeners.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/peer.h"
#include "guest/supervisor.h"

int listeners_init(struct listeners *l)
{
	list_init(&l->all);
	l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return l->fd < 0 ? -errno : 0;
}

void listeners_deinit(struct listeners *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static struct guest_socket **bucket_of(struct listeners *l, uint16_t port)
{
	return &l->by_port[port % LISTENER_BUCKETS];
}

void listeners_add(struct listeners *l, struct guest_socket *socket)
{
	struct guest_socket **bucket = bucket_of(l, socket->local.port);

	list_append(&l->all, &socket->listening);
	socket->next_by_port = *bucket;
	*bucket = socket;
	l->count++;
}

void listeners_remove(struct listeners *l, struct guest_socket *socket)
{
	struct guest_socket **at = bucket_of(l, socket->local.port);

	if (!list_is_linked(&socket->listening))
		return;
	list_remove(&socket->listening);
	while (*at != socket)
		at = &(*at)->next_by_port;
	*at = socket->next_by_port;
	l->count--;
}

static bool is_closed(const struct supervisor *s, const struct guest_socket *listener)
{
	return rendezvous_probe(&s->rendezvous, s->listeners.fd, listener->path) == -ECONNREFUSED;
}

void listeners_look(struct supervisor *s, struct guest_socket *listener)
{
	if (is_closed(s, listener))
		peer_drop(s, listener);
}

void listeners_look_at_port(struct supervisor *s, uint16_t port)
{
	struct guest_socket *next = NULL;

	for (struct guest_socket *l = *bucket_of(&s->listeners, port); l; l = next) {
		next = l->next_by_port;
		if (l->local.port == port)
			listeners_look(s, l);
	}
}

void listeners_look_at_all(struct supervisor *s)
{
	const struct reeve_time start = supervisor_clock();

	list_for_each_safe(node, &s->listeners.all)
		listeners_look(s, list_entry(node, struct guest_socket, listening));
	s->listeners.cost_ns = reeve_time_since(supervisor_clock(), start);
}
