/* Owns the table of the program's sockets and its two indexes. */
#include "guest/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"

#define FIRST_BUCKETS  256
#define FIRST_DATAGRAM 16

static uint32_t bucket_of(const struct socket_index *i, uint64_t key)
{
	/* Keys are counters of the kernel's and the network process's: spread, not defended. */
	return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & i->mask;
}

static int index_init(struct socket_index *i)
{
	i->buckets = calloc(FIRST_BUCKETS, sizeof(struct guest_socket *));
	i->mask = FIRST_BUCKETS - 1;
	i->count = 0;
	return i->buckets ? 0 : -ENOMEM;
}

static uint64_t key_of(const struct guest_socket *s, bool by_cookie)
{
	return by_cookie ? s->cookie : s->number;
}

static struct guest_socket **next_of(struct guest_socket *s, bool by_cookie)
{
	return by_cookie ? &s->next_by_cookie : &s->next_by_number;
}

static void link_in(struct socket_index *i, struct guest_socket *s, bool by_cookie)
{
	struct guest_socket **bucket = &i->buckets[bucket_of(i, key_of(s, by_cookie))];

	*next_of(s, by_cookie) = *bucket;
	*bucket = s;
	i->count++;
}

static void grow(struct socket_index *i, bool by_cookie)
{
	struct socket_index larger = { .mask = i->mask * 2 + 1 };

	larger.buckets = calloc((size_t)larger.mask + 1, sizeof(struct guest_socket *));
	if (!larger.buckets)
		return; /* slower chains, nothing worse */
	for (uint32_t b = 0; b <= i->mask; b++) {
		while (i->buckets[b]) {
			struct guest_socket *s = i->buckets[b];

			i->buckets[b] = *next_of(s, by_cookie);
			link_in(&larger, s, by_cookie);
		}
	}
	free(i->buckets);
	*i = larger;
}

static void index_add(struct socket_index *i, struct guest_socket *s, bool by_cookie)
{
	if (i->count > i->mask)
		grow(i, by_cookie);
	link_in(i, s, by_cookie);
}

static void index_remove(struct socket_index *i, struct guest_socket *s, bool by_cookie)
{
	struct guest_socket **at = &i->buckets[bucket_of(i, key_of(s, by_cookie))];

	while (*at && *at != s)
		at = next_of(*at, by_cookie);
	check(*at == s);
	*at = *next_of(s, by_cookie);
	i->count--;
}

int socket_table_init(struct socket_table *t)
{
	list_init(&t->all);
	t->count = 0;
	if (index_init(&t->by_cookie) < 0)
		return -ENOMEM;
	if (index_init(&t->by_number) == 0)
		return 0;
	free(t->by_cookie.buckets);
	return -ENOMEM;
}

void socket_table_deinit(struct socket_table *t)
{
	list_for_each_safe(node, &t->all)
		socket_free(t, list_entry(node, struct guest_socket, node));
	free(t->by_cookie.buckets);
	free(t->by_number.buckets);
}

struct guest_socket *socket_new(struct socket_table *t, enum socket_kind kind, int family)
{
	struct guest_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->kind = kind;
	s->family = family;
	s->end = s->early_fd = -1;
	s->pacing_max = UINT64_MAX;
	s->watch = (struct watch){ .kind = WATCH_END, .fd = -1 };
	list_init(&s->calls);
	list_init(&s->queue);
	list_init(&s->listening);
	list_init(&s->member);
	list_init(&s->young);
	socket_options_init(&s->options);
	list_append(&t->all, &s->node);
	t->count++;
	return s;
}

struct guest_socket *socket_free(struct socket_table *t, struct guest_socket *socket)
{
	if (!socket)
		return NULL;
	if (socket->cookie)
		index_remove(&t->by_cookie, socket, true);
	if (socket->number)
		index_remove(&t->by_number, socket, false);
	if (socket->end >= 0)
		close(socket->end);
	if (socket->early_fd >= 0)
		close(socket->early_fd);
	list_remove(&socket->node);
	t->count--;
	free(socket->datagrams.ring);
	problems_clear(&socket->problems);
	free(socket);
	return NULL;
}

void socket_set_cookie(struct socket_table *t, struct guest_socket *s, uint64_t cookie)
{
	if (s->cookie)
		index_remove(&t->by_cookie, s, true);
	s->cookie = cookie;
	if (cookie)
		index_add(&t->by_cookie, s, true);
}

void socket_set_number(struct socket_table *t, struct guest_socket *s, uint64_t number)
{
	if (s->number)
		index_remove(&t->by_number, s, false);
	s->number = number;
	if (number)
		index_add(&t->by_number, s, false);
}

struct guest_socket *socket_by_cookie(const struct socket_table *t, uint64_t cookie)
{
	struct guest_socket *s = t->by_cookie.buckets[bucket_of(&t->by_cookie, cookie)];

	while (s && s->cookie != cookie)
		s = s->next_by_cookie;
	return s;
}

struct guest_socket *socket_by_number(const struct socket_table *t, uint64_t number)
{
	struct guest_socket *s = t->by_number.buckets[bucket_of(&t->by_number, number)];

	while (s && s->number != number)
		s = s->next_by_number;
	return s;
}

static bool make_room(struct socket_datagrams *d)
{
	const uint32_t size = d->size ? d->size * 2 : FIRST_DATAGRAM;

	if (d->count < d->size)
		return true;
	if (size > SOCKET_DATAGRAMS)
		return false;
	struct socket_datagram *ring = calloc(size, sizeof(*ring));

	if (!ring)
		return false;
	for (uint32_t i = 0; i < d->count; i++)
		ring[i] = d->ring[(d->first + i) & (d->size - 1)];
	free(d->ring);
	d->ring = ring;
	d->size = size;
	d->first = 0;
	return true;
}

void socket_datagram_push(struct socket_datagrams *d, const struct socket_datagram *datagram)
{
	if (!make_room(d)) {
		if (d->size == 0)
			return;
		socket_datagram_pop(d);
	}
	d->ring[(d->first + d->count) & (d->size - 1)] = *datagram;
	d->count++;
	d->charged += datagram->charge;
}

const struct socket_datagram *socket_datagram_first(const struct socket_datagrams *d)
{
	return d->count ? &d->ring[d->first] : NULL;
}

void socket_datagram_pop(struct socket_datagrams *d)
{
	check(d->count > 0);
	d->charged -= d->ring[d->first].charge;
	d->first = (d->first + 1) & (d->size - 1);
	d->count--;
}
