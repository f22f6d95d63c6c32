/*
 * Demultiplexing (see demux.h).
 *
 * Theory of operation. Two tables (port/table.h), keyed with SipHash over the whole name:
 *
 *	flows      local address, local port, remote address, remote port -> the newest such flow
 *	listeners  address, port -> a group: every listener there, newest first, and those of
 *	           them with reuse_port in an array, so that a hash picks one without a walk
 *
 * Equal four-tuples (UDP only) hang behind the newest, linked by `older`; the table knows only the
 * first, which alone has no `newer`.
 *
 * A name is a flow's or a TIME-WAIT's, but for the moment between connect, which lets a new flow
 * take a TIME-WAIT's name, and the owner's removal of that: then the flow is found.
 *
 * A listener is looked for at the exact address, then at the wildcard of the address's own family,
 * then, for IPv4, at a :: that is not IPv6-only. Within a group the order is Linux's score: for
 * IPv4 the sockets of AF_INET before those of AF_INET6, then the newest; if that one has
 * reuse_port, the flow's hash chooses among all of the same rank that have.
 */
#include "port/demux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "port/destination.h"
#include "port/table.h"

struct group {
	struct reeve_address address;
	uint16_t port;
	struct list listeners; /* newest first */
	struct port_listener **shares;
	uint32_t share_count, share_room;
	uint32_t takes_ipv4; /* listeners that are not IPv6-only */
};

struct port_demux {
	struct port_demux_config config;
	struct port_table flows, groups;
	struct waits waits;
	struct destinations destinations;
	uint32_t flow_count, listener_count;
};

static uint64_t hash_flow(const struct port_demux *d, const struct reeve_address *local,
			  uint16_t local_port, const struct reeve_address *remote,
			  uint16_t remote_port)
{
	uint8_t bytes[36];

	memcpy(bytes, local->bytes, 16);
	memcpy(bytes + 16, remote->bytes, 16);
	memcpy(bytes + 32, &local_port, 2);
	memcpy(bytes + 34, &remote_port, 2);
	return hash_bytes(&d->config.key, bytes, sizeof(bytes));
}

uint64_t port_demux_hash(const struct port_demux *d, const struct port_flow *like)
{
	return hash_flow(d, &like->local_address, like->local_port, &like->remote_address,
			 like->remote_port);
}

static uint64_t hash_socket(const struct port_demux *d, const struct reeve_address *address,
			    uint16_t port)
{
	uint8_t bytes[18];

	memcpy(bytes, address->bytes, 16);
	memcpy(bytes + 16, &port, 2);
	return hash_bytes(&d->config.key, bytes, sizeof(bytes));
}

struct port_demux *port_demux_new(const struct port_demux_config *config)
{
	struct port_demux *d = malloc(sizeof(*d));

	if (!d)
		return NULL;
	*d = (struct port_demux){ .config = *config };
	port_table_init(&d->flows);
	port_table_init(&d->groups);
	waits_init(&d->waits, &config->key,
		   config->wait_size ? config->wait_size : sizeof(struct port_wait));
	destinations_init(&d->destinations);
	return d;
}

struct port_demux *port_demux_free(struct port_demux *d)
{
	if (!d)
		return NULL;
	check(d->flow_count == 0 && d->listener_count == 0);
	destinations_deinit(&d->destinations);
	waits_deinit(&d->waits);
	port_table_deinit(&d->flows);
	port_table_deinit(&d->groups);
	free(d);
	return NULL;
}

static struct port_flow *find_flow(const struct port_demux *d, uint64_t hash,
				   const struct reeve_sockaddr *local,
				   const struct reeve_sockaddr *remote)
{
	struct port_table_probe probe = { 0 };
	struct port_flow *f;

	while ((f = port_table_find(&d->flows, hash, &probe))) {
		if (f->local_port == local->port && f->remote_port == remote->port &&
		    reeve_address_equal(&f->local_address, &local->address) &&
		    reeve_address_equal(&f->remote_address, &remote->address))
			break;
	}
	return f;
}

struct port_flow *port_demux_look(const struct port_demux *d, const struct port_flow *like,
				  uint64_t hash)
{
	const struct reeve_sockaddr local = { .address = like->local_address,
					      .port = like->local_port };
	const struct reeve_sockaddr remote = { .address = like->remote_address,
					       .port = like->remote_port };

	return find_flow(d, hash, &local, &remote);
}

static void link_flow(struct port_demux *d, struct port_flow *f, struct port_flow *same)
{
	f->older = same;
	f->newer = NULL;
	if (same)
		same->newer = f;
	d->flow_count++;
}

int port_demux_add_absent(struct port_demux *d, struct port_flow *f, uint64_t hash)
{
	if (d->flow_count + waits_count(&d->waits) >= d->config.max_flows)
		return -ENOBUFS;
	if (port_table_add(&d->flows, hash, f))
		return -ENOMEM;
	link_flow(d, f, NULL);
	destinations_flow_added(&d->destinations, &d->config.key, f);
	return 0;
}

int port_demux_add_flow(struct port_demux *d, struct port_flow *f)
{
	const uint64_t hash = port_demux_hash(d, f);
	struct port_flow *same = port_demux_look(d, f, hash);

	if (!same)
		return port_demux_add_absent(d, f, hash);
	if (!d->config.duplicate_flows)
		return -EADDRINUSE;
	if (d->flow_count >= d->config.max_flows)
		return -ENOBUFS;
	port_table_replace(&d->flows, hash, same, f);
	link_flow(d, f, same);
	return 0;
}

void port_demux_replace_flow(struct port_demux *d, struct port_flow *old, struct port_flow *f)
{
	const uint64_t hash = port_demux_hash(d, f);

	check(!d->config.duplicate_flows && hash == port_demux_hash(d, old));
	port_table_replace(&d->flows, hash, old, f);
	f->older = NULL;
	f->newer = NULL;
}

void port_demux_remove_flow(struct port_demux *d, struct port_flow *f)
{
	const uint64_t hash = port_demux_hash(d, f);

	d->flow_count--;
	if (d->config.duplicate_flows && (f->newer || f->older)) {
		if (f->newer)
			f->newer->older = f->older;
		else
			port_table_replace(&d->flows, hash, f, f->older);
		if (f->older)
			f->older->newer = f->newer;
	} else {
		port_table_remove(&d->flows, hash, f);
		destinations_flow_removed(&d->destinations, &d->config.key, &d->waits, f);
	}
	f->older = NULL;
	f->newer = NULL;
}

struct port_flow *port_demux_find_flow(const struct port_demux *d,
				       const struct reeve_sockaddr *local,
				       const struct reeve_sockaddr *remote)
{
	return find_flow(d,
			 hash_flow(d, &local->address, local->port, &remote->address, remote->port),
			 local, remote);
}

/* TIME-WAITs */

struct port_wait *port_demux_retire_flow(struct port_demux *d, struct port_flow *f,
					 bool is_recyclable, struct reeve_time now)
{
	check(!d->config.duplicate_flows);

	struct port_wait *const w = waits_add(&d->waits, f, now);

	if (!w)
		return NULL;
	w->is_recyclable = is_recyclable;
	port_table_remove(&d->flows, port_demux_hash(d, f), f);
	d->flow_count--;
	destinations_flow_retired(&d->destinations, &d->config.key, f, &d->waits, w);
	return w;
}

void port_demux_remove_wait(struct port_demux *d, struct port_wait *w)
{
	destinations_wait_removed(&d->destinations, &d->config.key, &d->waits, w);
	waits_remove(&d->waits, w);
}

void port_demux_renew_wait(struct port_demux *d, struct port_wait *w, struct reeve_time now)
{
	waits_renew(&d->waits, w, now);
	destinations_wait_renewed(&d->destinations, &d->config.key, &d->waits, w);
}

struct port_wait *port_demux_find_wait(const struct port_demux *d,
				       const struct reeve_sockaddr *local,
				       const struct reeve_sockaddr *remote)
{
	return waits_find(&d->waits, local, remote);
}

struct port_wait *port_demux_look_wait(const struct port_demux *d, const struct port_flow *like)
{
	const struct reeve_sockaddr local = { like->local_address, like->local_port, 0 };
	const struct reeve_sockaddr remote = { like->remote_address, like->remote_port, 0 };

	return waits_find(&d->waits, &local, &remote);
}

struct port_wait *port_demux_oldest_wait(const struct port_demux *d)
{
	return waits_at(&d->waits, d->waits.oldest);
}

const struct waits *port_demux_waits(const struct port_demux *d)
{
	return &d->waits;
}

/* Listeners */

static struct group *find_group(const struct port_demux *d, const struct reeve_address *address,
				uint16_t port)
{
	if (!d->listener_count)
		return NULL;

	const uint64_t hash = hash_socket(d, address, port);
	struct port_table_probe probe = { 0 };
	struct group *g;

	while ((g = port_table_find(&d->groups, hash, &probe))) {
		if (g->port == port && reeve_address_equal(&g->address, address))
			break;
	}
	return g;
}

static void group_free(struct port_demux *d, struct group *g)
{
	port_table_remove(&d->groups, hash_socket(d, &g->address, g->port), g);
	free(g->shares);
	free(g);
}

static struct group *group_new(struct port_demux *d, const struct reeve_address *address,
			       uint16_t port)
{
	struct group *g = malloc(sizeof(*g));

	if (!g)
		return NULL;
	*g = (struct group){ .address = *address, .port = port };
	list_init(&g->listeners);
	if (port_table_add(&d->groups, hash_socket(d, address, port), g)) {
		free(g);
		return NULL;
	}
	return g;
}

static int group_add_share(struct group *g, struct port_listener *l)
{
	if (g->share_count == g->share_room) {
		const uint32_t room = g->share_room ? g->share_room * 2 : 2;
		struct port_listener **shares =
			realloc(g->shares, room * sizeof(struct port_listener *));

		if (!shares)
			return -ENOMEM;
		g->shares = shares;
		g->share_room = room;
	}
	l->share = g->share_count;
	g->shares[g->share_count++] = l;
	return 0;
}

int port_demux_add_listener(struct port_demux *d, struct port_listener *l)
{
	if (d->listener_count >= d->config.max_listeners)
		return -ENOBUFS;

	struct group *g = find_group(d, &l->address, l->port);

	if (!g)
		g = group_new(d, &l->address, l->port);
	if (!g)
		return -ENOMEM;
	if (l->reuse_port && group_add_share(g, l)) {
		if (list_is_empty(&g->listeners))
			group_free(d, g);
		return -ENOMEM;
	}
	list_init(&l->node);
	list_prepend(&g->listeners, &l->node);
	g->takes_ipv4 += !l->ipv6_only;
	d->listener_count++;
	return 0;
}

void port_demux_remove_listener(struct port_demux *d, struct port_listener *l)
{
	struct group *g = find_group(d, &l->address, l->port);

	check(g);
	list_remove(&l->node);
	g->takes_ipv4 -= !l->ipv6_only;
	if (l->reuse_port) {
		check(g->shares[l->share] == l);

		struct port_listener *last = g->shares[--g->share_count];

		last->share = l->share;
		g->shares[l->share] = last;
	}
	d->listener_count--;
	if (list_is_empty(&g->listeners))
		group_free(d, g);
}

/* Linux's score within one address and port: RANK_BEST, or less, or none at all. */
enum {
	RANK_NONE,
	RANK_SECOND,
	RANK_BEST,
};

static int rank_of(const struct port_listener *l, bool to_ipv4)
{
	if (!to_ipv4)
		return RANK_BEST;
	if (!reeve_address_is_ipv4(&l->address))
		return l->ipv6_only ? RANK_NONE : RANK_BEST;
	return l->ipv6 ? RANK_SECOND : RANK_BEST;
}

/* The member that the hash chooses, or the next of the same rank: one look-up when, as nearly
 * always, all members are of one rank. */
static struct port_listener *choose_share(const struct group *g, uint64_t hash, bool to_ipv4,
					  int rank)
{
	uint32_t i = (uint32_t)(((hash >> 32) * g->share_count) >> 32);

	while (rank_of(g->shares[i], to_ipv4) != rank)
		i = (i + 1) % g->share_count;
	return g->shares[i];
}

static struct port_listener *find_in_group(const struct port_demux *d, const struct group *g,
					   const struct reeve_sockaddr *local,
					   const struct reeve_sockaddr *remote)
{
	const bool to_ipv4 = reeve_address_is_ipv4(&local->address);
	struct port_listener *best = NULL;
	int best_rank = RANK_NONE;

	if (!g || (to_ipv4 && !g->takes_ipv4))
		return NULL;
	list_for_each(node, &g->listeners) {
		struct port_listener *l = list_entry(node, struct port_listener, node);
		const int rank = rank_of(l, to_ipv4);

		if (rank > best_rank) {
			best = l;
			best_rank = rank;
		}
		if (best_rank == RANK_BEST)
			break;
	}
	if (!best || !best->reuse_port || g->share_count < 2)
		return best;
	return choose_share(
		g, hash_flow(d, &local->address, local->port, &remote->address, remote->port),
		to_ipv4, best_rank);
}

/* The places where a listener for this address can be, in order; NULL after the last. */
static const struct reeve_address *tier_address(const struct reeve_sockaddr *local, unsigned tier)
{
	const bool to_ipv4 = reeve_address_is_ipv4(&local->address);

	switch (tier) {
	case 0:
		return &local->address;
	case 1:
		return to_ipv4 ? &reeve_any_ipv4 : &reeve_any_ipv6;
	case 2:
		return to_ipv4 ? &reeve_any_ipv6 : NULL;
	default:
		return NULL;
	}
}

struct port_listener *port_demux_find_listener(const struct port_demux *d,
					       const struct reeve_sockaddr *local,
					       const struct reeve_sockaddr *remote)
{
	const struct reeve_address *address;

	for (unsigned tier = 0; (address = tier_address(local, tier)); tier++) {
		struct port_listener *l =
			find_in_group(d, find_group(d, address, local->port), local, remote);

		if (l)
			return l;
	}
	return NULL;
}

struct port_listener *port_demux_next_match(const struct port_demux *d,
					    const struct reeve_sockaddr *local,
					    const struct port_listener *previous)
{
	const bool to_ipv4 = reeve_address_is_ipv4(&local->address);
	const struct reeve_address *address;

	for (unsigned tier = 0; (address = tier_address(local, tier)); tier++) {
		const struct group *g;
		struct list *node;

		if (tier && reeve_address_equal(address, &local->address))
			continue; /* `local` is a wildcard: seen at tier 0 */
		if (previous && !reeve_address_equal(&previous->address, address))
			continue;
		g = find_group(d, address, local->port);
		if (!g) {
			previous = NULL;
			continue;
		}
		node = previous ? previous->node.next : g->listeners.next;
		previous = NULL;
		for (; node != &g->listeners; node = node->next) {
			struct port_listener *l = container_of(node, struct port_listener, node);

			if (rank_of(l, to_ipv4) != RANK_NONE)
				return l;
		}
	}
	return NULL;
}

bool port_demux_has_duplicates(const struct port_demux *d)
{
	return d->config.duplicate_flows;
}

uint32_t port_demux_flow_count(const struct port_demux *d)
{
	return d->flow_count;
}

uint32_t port_demux_wait_count(const struct port_demux *d)
{
	return waits_count(&d->waits);
}

uint32_t port_demux_listener_count(const struct port_demux *d)
{
	return d->listener_count;
}

struct destinations *port_demux_destinations(struct port_demux *d)
{
	return &d->destinations;
}

const struct hash_key *port_demux_key(const struct port_demux *d)
{
	return &d->config.key;
}

/* The cursor's upper half says how many flows of the slot's chain were given already. */
struct port_flow *port_demux_next_flow(const struct port_demux *d, uint64_t *cursor)
{
	uint64_t slot = *cursor & UINT32_MAX;
	uint64_t depth = *cursor >> 32;

	for (;;) {
		uint64_t next = slot;
		struct port_flow *f = port_table_walk(&d->flows, &next);

		if (!f)
			return NULL;
		for (uint64_t i = 0; d->config.duplicate_flows && f && i < depth; i++)
			f = f->older;
		if (f) {
			*cursor = d->config.duplicate_flows ? (depth + 1) << 32 | (next - 1) : next;
			return f;
		}
		slot = next;
		depth = 0;
	}
}

struct port_wait *port_demux_next_wait(const struct port_demux *d, uint64_t *cursor)
{
	return waits_walk(&d->waits, cursor);
}
