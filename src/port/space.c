/*
 * The port space of one host and protocol (see space.h).
 *
 * Theory of operation. A port that somebody has is a *bucket*; in it, all reservations of one
 * address, family, IPV6_V6ONLY and owner are a *use*, which only counts them, by the class that
 * Linux's conflict rules tell apart: SO_REUSEADDR (worth nothing to a listener), SO_REUSEPORT,
 * TIME-WAIT. So a server with a million connections on its port is one bucket with few uses, and
 * to ask whether one may bind beside them costs no walk over them.
 *
 *	a bucket exists     <=> the port has a use        <=> the port is in `used`
 *	a use exists        <=> it has references          => the port is in its address's set
 *	bucket.bound > 0    <=> somebody asked for the port => the port is in `bound`
 *	references = sum of counts + reservations whose `home` it is
 *	range.count - used.count >= held
 *
 * (the sets know only ports of the ephemeral range). The last line is what makes bind(0) safe to
 * put off: whoever would take a port that nobody has, be it bind, connect or another bind(0), is
 * refused, or made to share, while all of those are promised to deferred reservations.
 *
 * connect chooses among the ports that nobody asked for by number or by bind(0) (Linux skips those
 * too) and whose four-tuple is free, and may share such a port with other destinations. A port
 * whose four-tuple is a TIME-WAIT that may be taken over counts as free.
 *
 * The conflict rules are inet_rcv_saddr_equal() and inet_bind_conflict(), with what programs can see
 * of Linux's inside: a bind to a specific IPv6 address sets IPV6_V6ONLY; an AF_INET wildcard
 * conflicts with a specific IPv6 address that a socket without IPV6_V6ONLY came to by connect or
 * accept, though not the other way round; a socket that was bound to ::ffff:0.0.0.0 stays at the
 * address it was connected from. One thing is stricter: once a socket has joined a SO_REUSEPORT
 * group, Linux lets further members in without looking at the port's other sockets; here each is
 * looked at, so that none gets beside a socket that shares with nobody.
 */
#include "port/space.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"
#include "port/destination.h"
#include "port/ephemeral.h"
#include "port/table.h"

#define INDEX_FROM  8  /* uses from which a bucket has an index */
#define DRAWS       16 /* ports tried for a destination before they are counted */
#define MISSES      2  /* of those that make a destination a crowded one */
#define SCAN_STEP   8  /* ports entered per connect while a destination is new */
#define OLDEST_LOOK 64 /* TIME-WAITs looked at when nothing else is left */

enum {
	CLASS_REUSE_ADDRESS = 1,
	CLASS_REUSE_PORT = 2,
	CLASS_TIME_WAIT = 4,
	CLASS_COUNT = 8,
};

struct bucket {
	struct list uses;
	struct port_table *index; /* by address; NULL while there are few */
	uint32_t use_count;
	uint32_t bound; /* reservations that are not implicit */
	uint16_t port;
};

struct port_use {
	struct list node;
	struct bucket *bucket;
	struct reeve_address address;
	uint32_t owner;
	bool ipv6, ipv6_only;
	uint32_t references;
	uint32_t counts[CLASS_COUNT];
};

/* The ports of the range that are taken at one local address. */
struct local {
	struct reeve_address address;
	struct ephemeral_set taken;
};

struct port_space {
	struct hash_key key;
	struct ephemeral range;
	struct ephemeral_set used, bound, wild; /* by anybody; not implicitly; at a wildcard */
	struct port_table buckets, locals;
	uint32_t held;  /* ports promised to deferred reservations */
	uint32_t count; /* reservations that are not NONE */
	enum port_protocol protocol;
};

static uint64_t hash_port(const struct port_space *s, uint16_t port)
{
	return hash_bytes(&s->key, &port, sizeof(port));
}

static uint64_t hash_address(const struct port_space *s, const struct reeve_address *a)
{
	return hash_bytes(&s->key, a->bytes, sizeof(a->bytes));
}

struct port_space *port_space_new(const struct port_space_config *config)
{
	struct port_space *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct port_space){ .protocol = config->protocol };
	if (ephemeral_init(&s->range, config->ephemeral_first, config->ephemeral_last,
			   config->seed)) {
		free(s);
		return NULL;
	}
	if (config->avoid_registered &&
	    ephemeral_avoid_registered(&s->range, config->protocol == PORT_UDP)) {
		free(s);
		return NULL;
	}
	s->key.k0 = random_u64(&s->range.random);
	s->key.k1 = random_u64(&s->range.random);
	return s;
}

struct port_space *port_space_free(struct port_space *s)
{
	if (!s)
		return NULL;
	check(s->count == 0 && s->held == 0);
	ephemeral_set_deinit(&s->used);
	ephemeral_set_deinit(&s->bound);
	ephemeral_set_deinit(&s->wild);
	ephemeral_deinit(&s->range);
	port_table_deinit(&s->buckets);
	port_table_deinit(&s->locals);
	free(s);
	return NULL;
}

void port_reservation_init(struct port_reservation *r, bool ipv6)
{
	*r = (struct port_reservation){ .ipv6 = ipv6 };
}

uint32_t port_space_count(const struct port_space *s)
{
	return s->count;
}

uint64_t port_space_steps(const struct port_space *s)
{
	return s->range.steps;
}

/* Ports of the range that nobody has. */
static uint32_t unused(const struct port_space *s)
{
	return s->range.count - s->used.count;
}

/* Buckets and uses */

static struct bucket *find_bucket(const struct port_space *s, uint16_t port)
{
	struct port_table_probe probe = { 0 };
	const uint64_t hash = hash_port(s, port);
	struct bucket *b;

	while ((b = port_table_find(&s->buckets, hash, &probe)) && b->port != port)
		;
	return b;
}

static struct bucket *new_bucket(struct port_space *s, uint16_t port)
{
	struct bucket *b = malloc(sizeof(*b));

	if (!b)
		return NULL;
	*b = (struct bucket){ .port = port };
	list_init(&b->uses);
	if (port_table_add(&s->buckets, hash_port(s, port), b)) {
		free(b);
		return NULL;
	}
	if (ephemeral_covers(&s->range, port) && ephemeral_set_add(&s->used, &s->range, port)) {
		port_table_remove(&s->buckets, hash_port(s, port), b);
		free(b);
		return NULL;
	}
	return b;
}

static void drop_bucket_if_empty(struct port_space *s, struct bucket *b)
{
	if (b->use_count)
		return;
	if (ephemeral_covers(&s->range, b->port))
		ephemeral_set_remove(&s->used, &s->range, b->port);
	port_table_remove(&s->buckets, hash_port(s, b->port), b);
	if (b->index)
		port_table_deinit(b->index);
	free(b->index);
	free(b);
}

/* The next use of this address after `previous`, whatever its owner and family. */
static struct port_use *next_use(const struct port_space *s, const struct bucket *b,
				 const struct reeve_address *address,
				 struct port_table_probe *probe, const struct port_use *previous)
{
	if (b->index) {
		const uint64_t hash = hash_address(s, address);
		struct port_use *u;

		while ((u = port_table_find(b->index, hash, probe))) {
			if (reeve_address_equal(&u->address, address))
				return u;
		}
		return NULL;
	}
	for (struct list *node = previous ? previous->node.next : b->uses.next; node != &b->uses;
	     node = node->next) {
		struct port_use *u = container_of(node, struct port_use, node);

		if (reeve_address_equal(&u->address, address))
			return u;
	}
	return NULL;
}

static struct port_use *find_use(const struct port_space *s, const struct bucket *b,
				 const struct reeve_address *address,
				 const struct port_reservation *r)
{
	struct port_table_probe probe = { 0 };
	struct port_use *u = NULL;

	while ((u = next_use(s, b, address, &probe, u))) {
		if (u->owner == r->owner && u->ipv6 == r->ipv6 && u->ipv6_only == r->ipv6_only)
			break;
	}
	return u;
}

static int index_use(struct port_space *s, struct bucket *b, struct port_use *u)
{
	if (!b->index && b->use_count < INDEX_FROM)
		return 0;
	if (b->index)
		return port_table_add(b->index, hash_address(s, &u->address), u);

	struct port_table *index = malloc(sizeof(*index));
	int error = index ? 0 : -ENOMEM;

	if (!error) {
		port_table_init(index);
		error = port_table_add(index, hash_address(s, &u->address), u);
	}
	list_for_each(node, &b->uses) {
		struct port_use *other = list_entry(node, struct port_use, node);

		if (!error)
			error = port_table_add(index, hash_address(s, &other->address), other);
	}
	if (error) {
		if (index)
			port_table_deinit(index);
		free(index);
		return error;
	}
	b->index = index;
	return 0;
}

/* The sets of taken ports by local address */

static struct local *find_local(const struct port_space *s, const struct reeve_address *address)
{
	struct port_table_probe probe = { 0 };
	const uint64_t hash = hash_address(s, address);
	struct local *l;

	while ((l = port_table_find(&s->locals, hash, &probe)) &&
	       !reeve_address_equal(&l->address, address))
		;
	return l;
}

static void drop_local_if_empty(struct port_space *s, struct local *l)
{
	if (l->taken.count)
		return;
	port_table_remove(&s->locals, hash_address(s, &l->address), l);
	ephemeral_set_deinit(&l->taken);
	free(l);
}

static int take_at(struct port_space *s, const struct reeve_address *address, uint16_t port)
{
	if (!ephemeral_covers(&s->range, port))
		return 0;
	if (reeve_address_is_unspecified(address))
		return ephemeral_set_has(&s->wild, &s->range, port)
			       ? 0
			       : ephemeral_set_add(&s->wild, &s->range, port);

	struct local *l = find_local(s, address);

	if (!l) {
		l = malloc(sizeof(*l));
		if (!l)
			return -ENOMEM;
		*l = (struct local){ .address = *address };
		if (port_table_add(&s->locals, hash_address(s, address), l)) {
			free(l);
			return -ENOMEM;
		}
	}
	if (ephemeral_set_has(&l->taken, &s->range, port))
		return 0;
	if (ephemeral_set_add(&l->taken, &s->range, port)) {
		drop_local_if_empty(s, l);
		return -ENOMEM;
	}
	return 0;
}

/* The last use of `address` in the bucket has gone. */
static void leave_at(struct port_space *s, const struct reeve_address *address, uint16_t port)
{
	if (!ephemeral_covers(&s->range, port))
		return;
	if (reeve_address_is_unspecified(address)) {
		ephemeral_set_remove(&s->wild, &s->range, port);
		return;
	}

	struct local *l = find_local(s, address);

	ephemeral_set_remove(&l->taken, &s->range, port);
	drop_local_if_empty(s, l);
}

static bool has_use_at(const struct port_space *s, const struct bucket *b,
		       const struct reeve_address *address)
{
	struct port_table_probe first = { 0 }, second = { 0 };

	if (!reeve_address_is_unspecified(address))
		return next_use(s, b, address, &first, NULL);
	return next_use(s, b, &reeve_any_ipv4, &first, NULL) ||
	       next_use(s, b, &reeve_any_ipv6, &second, NULL);
}

static struct port_use *new_use(struct port_space *s, struct bucket *b,
				const struct reeve_address *address,
				const struct port_reservation *r)
{
	const bool first = !has_use_at(s, b, address);
	struct port_use *u = malloc(sizeof(*u));

	if (!u)
		return NULL;
	*u = (struct port_use){
		.bucket = b,
		.address = *address,
		.owner = r->owner,
		.ipv6 = r->ipv6,
		.ipv6_only = r->ipv6_only,
	};
	if (take_at(s, address, b->port)) {
		free(u);
		return NULL;
	}
	if (index_use(s, b, u)) {
		if (first)
			leave_at(s, address, b->port);
		free(u);
		return NULL;
	}
	list_prepend(&b->uses, &u->node);
	b->use_count++;
	return u;
}

static void drop_use_if_unreferenced(struct port_space *s, struct port_use *u)
{
	struct bucket *b = u->bucket;

	if (u->references)
		return;
	list_remove(&u->node);
	if (b->index)
		port_table_remove(b->index, hash_address(s, &u->address), u);
	b->use_count--;
	if (!has_use_at(s, b, &u->address))
		leave_at(s, &u->address, b->port);
	free(u);
	drop_bucket_if_empty(s, b);
}

/* Counting reservations in and out */

static uint8_t class_of(const struct port_reservation *r)
{
	unsigned class = 0;

	if (r->reuse_address && r->state != PORT_LISTENING)
		class |= CLASS_REUSE_ADDRESS;
	if (r->reuse_port)
		class |= CLASS_REUSE_PORT;
	if (r->state == PORT_TIME_WAIT)
		class |= CLASS_TIME_WAIT;
	return (uint8_t) class;
}

/* The reservation's state or flags have changed. */
static void recount(struct port_reservation *r)
{
	if (!r->use)
		return;
	r->use->counts[r->class]--;
	r->class = class_of(r);
	r->use->counts[r->class]++;
}

/* Enters `r` at an address and port; its state and flags are set. -ENOMEM: nothing has changed. */
static int attach(struct port_space *s, struct port_reservation *r,
		  const struct reeve_address *address, uint16_t port)
{
	struct bucket *b = find_bucket(s, port);

	if (!b)
		b = new_bucket(s, port);
	if (!b)
		return -ENOMEM;

	struct port_use *u = find_use(s, b, address, r);

	if (!u)
		u = new_use(s, b, address, r);
	if (!u) {
		drop_bucket_if_empty(s, b);
		return -ENOMEM;
	}
	if (!r->implicit && !b->bound && ephemeral_covers(&s->range, port) &&
	    ephemeral_set_add(&s->bound, &s->range, port)) {
		drop_use_if_unreferenced(s, u);
		return -ENOMEM;
	}
	b->bound += !r->implicit;
	u->references++;
	r->class = class_of(r);
	u->counts[r->class]++;
	r->use = u;
	r->address = *address;
	r->port = port;
	return 0;
}

static void detach(struct port_space *s, struct port_reservation *r)
{
	struct port_use *u = r->use;

	if (!u)
		return;

	struct bucket *b = u->bucket;

	b->bound -= !r->implicit;
	if (!r->implicit && !b->bound && ephemeral_covers(&s->range, b->port))
		ephemeral_set_remove(&s->bound, &s->range, b->port);
	u->counts[r->class]--;
	u->references--;
	if (r->home) {
		r->home->references--;
		drop_use_if_unreferenced(s, r->home);
	}
	drop_use_if_unreferenced(s, u);
	r->use = NULL;
	r->home = NULL;
	r->port = 0;
}

/* Conflicts */

/* inet_rcv_saddr_equal(): whether a new reservation at `address` would share packets with `u`. */
static bool overlaps(const struct port_reservation *r, const struct reeve_address *address,
		     const struct port_use *u)
{
	const bool any = reeve_address_is_unspecified(address);
	const bool its_any = reeve_address_is_unspecified(&u->address);
	const bool its_ipv4 = reeve_address_is_ipv4(&u->address);

	if (!reeve_address_is_ipv4(address)) {
		if (its_any && !its_ipv4)
			return true;
		if (any)
			return !(r->ipv6_only && its_ipv4);
		return reeve_address_equal(address, &u->address);
	}
	if (u->ipv6_only)
		return false;
	if (its_ipv4)
		return any || its_any || reeve_address_equal(address, &u->address);
	return its_any || (any && !r->ipv6);
}

/* inet_bind_conflict(): whether one that is counted in `u` bars `r`. */
static bool is_barred_by(const struct port_reservation *r, const struct port_use *u)
{
	for (unsigned class = 0; class < CLASS_COUNT; class ++) {
		const uint32_t self = r->use == u && r->class == class;

		if (u->counts[class] == self)
			continue;
		if (r->reuse_address && (class & CLASS_REUSE_ADDRESS))
			continue;
		if (r->reuse_port && (class & CLASS_REUSE_PORT) &&
		    ((class & CLASS_TIME_WAIT) || r->owner == u->owner))
			continue;
		return true;
	}
	return false;
}

static bool conflicts_at(const struct port_space *s, const struct bucket *b,
			 const struct port_reservation *r, const struct reeve_address *address,
			 const struct reeve_address *at)
{
	struct port_table_probe probe = { 0 };
	struct port_use *u = NULL;

	while ((u = next_use(s, b, at, &probe, u))) {
		if (overlaps(r, address, u) && is_barred_by(r, u))
			return true;
	}
	return false;
}

static bool conflicts(const struct port_space *s, const struct bucket *b,
		      const struct port_reservation *r, const struct reeve_address *address)
{
	if (b->index && !reeve_address_is_unspecified(address))
		return conflicts_at(s, b, r, address, address) ||
		       conflicts_at(s, b, r, address, &reeve_any_ipv4) ||
		       conflicts_at(s, b, r, address, &reeve_any_ipv6);
	list_for_each(node, &b->uses) {
		const struct port_use *u = list_entry(node, struct port_use, node);

		if (overlaps(r, address, u) && is_barred_by(r, u))
			return true;
	}
	return false;
}

/* bind, settle, listen */

static void enter(struct port_space *s, struct port_reservation *r, enum port_state state)
{
	s->count += (r->state == PORT_NONE);
	r->state = (uint8_t)state;
	recount(r);
}

/* A port of the range that is free at the address, 0 if there is none. */
static uint16_t choose_at(struct port_space *s, const struct reeve_address *address,
			  const struct ephemeral_set *within)
{
	if (reeve_address_is_unspecified(address))
		return ephemeral_choose(&s->range, &s->used, NULL, within);

	const struct local *l = find_local(s, address);

	return ephemeral_choose(&s->range, &s->wild, l ? &l->taken : NULL, within);
}

static int bind_to_any_port(struct port_space *s, struct port_reservation *r,
			    const struct reeve_address *address)
{
	if (unused(s) > s->held) {
		s->held++;
		r->deferred = true;
		r->address = *address;
		return 0;
	}

	const uint16_t port = choose_at(s, address, &s->used);

	return port ? attach(s, r, address, port) : -EADDRINUSE;
}

static int bind_to_port(struct port_space *s, struct port_reservation *r,
			const struct reeve_address *address, uint16_t port)
{
	const struct bucket *b = find_bucket(s, port);

	if (b ? conflicts(s, b, r, address)
	      : ephemeral_covers(&s->range, port) && unused(s) <= s->held)
		return -EADDRINUSE;
	return attach(s, r, address, port);
}

int port_space_bind(struct port_space *s, struct port_reservation *r,
		    const struct reeve_address *address, uint16_t port)
{
	const bool ipv4 = reeve_address_is_ipv4(address);
	const bool any = reeve_address_is_unspecified(address);
	const bool ipv6_only = r->ipv6_only;

	if (r->state != PORT_NONE || (ipv6_only && ipv4))
		return -EINVAL;
	r->deferred = false;
	r->implicit = false;
	r->ipv6_only = ipv6_only || (!ipv4 && !any);

	const int error =
		port ? bind_to_port(s, r, address, port) : bind_to_any_port(s, r, address);

	if (error) {
		r->ipv6_only = ipv6_only;
		return error;
	}
	r->any = 0;
	if (any && !(r->ipv6 && ipv4))
		r->any = ipv4 ? 4 : 6;
	enter(s, r, PORT_BOUND);
	return 0;
}

int port_space_settle(struct port_space *s, struct port_reservation *r)
{
	if (r->state != PORT_BOUND || !r->deferred)
		return 0;

	const struct reeve_address address = r->address;
	const uint16_t port = choose_at(s, &address, NULL);

	check(port);

	const int error = attach(s, r, &address, port);

	if (error)
		return error;
	r->deferred = false;
	s->held--;
	return 0;
}

int port_space_listen(struct port_space *s, struct port_reservation *r)
{
	const bool fresh = r->state == PORT_NONE;
	int error = 0;

	if (r->state == PORT_LISTENING)
		return 0;
	if (fresh)
		error = port_space_bind(s, r, r->ipv6 ? &reeve_any_ipv6 : &reeve_any_ipv4, 0);
	if (!error && r->state != PORT_BOUND)
		error = -EINVAL;
	if (!error)
		error = port_space_settle(s, r);
	if (!error && conflicts(s, r->use->bucket, r, &r->address))
		error = -EADDRINUSE;
	if (error) {
		if (fresh)
			port_space_release(s, r);
		return error;
	}
	enter(s, r, PORT_LISTENING);
	return 0;
}

void port_space_unlisten(struct port_space *s, struct port_reservation *r)
{
	check(r->state == PORT_LISTENING);
	enter(s, r, PORT_BOUND);
}

/* connect */

static struct port_flow *find_same(const struct port_demux *demux, const struct port_flow *flow)
{
	const struct reeve_sockaddr local = { .address = flow->local_address,
					      .port = flow->local_port };
	const struct reeve_sockaddr remote = { .address = flow->remote_address,
					       .port = flow->remote_port };

	return port_demux_find_flow(demux, &local, &remote);
}

static bool is_recyclable(const struct port_flow *f, struct reeve_time now)
{
	return !reeve_time_is_never(f->recyclable) && !reeve_time_before(now, f->recyclable);
}

/* Enters what the demux knows of a crowded destination, up to `ports` ports of it. */
static void scan(struct port_space *s, struct destination *to, const struct port_demux *demux,
		 struct port_flow *flow, uint32_t ports)
{
	for (; ports && !destination_is_complete(to); ports--) {
		s->range.steps++;
		flow->local_port = (uint16_t)to->scanned;
		destination_enter(to, find_same(demux, flow));
	}
}

/* Among the ports free towards a destination of which all is known. */
static int choose_from(struct port_space *s, const struct destination *to, struct port_flow *flow,
		       const struct ephemeral_set *within, struct reeve_time now,
		       struct port_flow **ret_replaced)
{
	flow->local_port = ephemeral_choose(&s->range, &to->taken, &s->bound, within);
	if (flow->local_port)
		return 0;

	struct port_flow *f = to->oldest;

	for (unsigned i = 0; f && i < OLDEST_LOOK; i++, f = f->newer) {
		s->range.steps++;
		if (is_recyclable(f, now) &&
		    !ephemeral_set_has(&s->bound, &s->range, f->local_port)) {
			flow->local_port = f->local_port;
			*ret_replaced = f;
			return 0;
		}
	}
	return -EADDRNOTAVAIL;
}

/* Chooses flow->local_port. *ret_replaced is NULL before. */
static int choose_towards(struct port_space *s, struct port_demux *demux, struct port_flow *flow,
			  const struct ephemeral_set *within, struct reeve_time now,
			  struct port_flow **ret_replaced)
{
	struct destinations *all = port_demux_destinations(demux);
	const struct hash_key *key = port_demux_key(demux);
	struct destination *to = destinations_find(all, key, flow);
	unsigned misses = 0;

	if (to)
		scan(s, to, demux, flow, SCAN_STEP);
	for (unsigned i = 0; i < DRAWS && !(to && destination_is_complete(to)); i++) {
		flow->local_port = ephemeral_choose(&s->range, &s->bound, NULL, within);
		if (!flow->local_port)
			return -EADDRNOTAVAIL;

		struct port_flow *same = find_same(demux, flow);

		if (!same)
			return 0;
		if (is_recyclable(same, now)) {
			*ret_replaced = same;
			return 0;
		}
		if (++misses == MISSES && !to)
			to = destinations_add(all, key, flow, &s->range);
	}
	if (!to)
		to = destinations_add(all, key, flow, &s->range);
	if (!to)
		return -ENOMEM;
	scan(s, to, demux, flow, UINT32_MAX);
	return choose_from(s, to, flow, within, now, ret_replaced);
}

/* The port that the reservation has, for another flow of it: 0, -EADDRNOTAVAIL, or 1: give it up
 * and choose another. */
static int keep_port(const struct port_reservation *r, const struct port_demux *demux,
		     struct port_flow *flow, struct port_flow **ret_replaced)
{
	flow->local_port = r->port;

	struct port_flow *same = find_same(demux, flow);

	if (!same)
		return 0;
	if (r->implicit)
		return 1;
	if (port_demux_has_duplicates(demux))
		return 0;
	/* As in Linux, a port that was asked for doesn't wait until the time to recycle it. */
	if (reeve_time_is_never(same->recyclable))
		return -EADDRNOTAVAIL;
	*ret_replaced = same;
	return 0;
}

static int choose_for_connect(struct port_space *s, const struct port_reservation *r,
			      struct port_demux *demux, struct port_flow *flow,
			      struct reeve_time now, struct port_flow **ret_replaced)
{
	const bool holds = r->deferred && r->state == PORT_BOUND;

	if (r->port) {
		const int kept = keep_port(r, demux, flow, ret_replaced);

		if (kept <= 0)
			return kept;
	}
	return choose_towards(s, demux, flow, unused(s) + holds > s->held ? NULL : &s->used, now,
			      ret_replaced);
}

int port_space_connect(struct port_space *s, struct port_reservation *r, struct port_demux *demux,
		       struct port_flow *flow, struct reeve_time now,
		       struct port_flow **ret_replaced)
{
	const bool holds = r->deferred && r->state == PORT_BOUND;
	const uint16_t local_port = flow->local_port;
	struct port_reservation next = *r;
	struct port_flow *replaced = NULL;

	if (r->state == PORT_LISTENING || r->state == PORT_TIME_WAIT)
		return -EINVAL;

	int error = choose_for_connect(s, r, demux, flow, now, &replaced);

	next.state = PORT_CONNECTED;
	next.use = NULL;
	next.implicit = r->implicit || !r->port;
	if (!error)
		error = attach(s, &next, &flow->local_address, flow->local_port);
	if (!error)
		flow->recyclable = REEVE_NEVER;
	if (!error && replaced) {
		port_demux_replace_flow(demux, replaced, flow);
	} else if (!error) {
		error = port_demux_add_flow(demux, flow);
		if (error) {
			next.home = NULL;
			detach(s, &next);
		}
	}
	if (error) {
		flow->local_port = local_port;
		return error;
	}

	/* A wildcard bound by number stays its home, to go back to; it no longer counts there. */
	if (r->state == PORT_BOUND && r->use && r->any) {
		next.home = r->use;
		next.home->references++;
	}
	next.class = class_of(&next);
	s->held -= holds;
	s->count += (r->state == PORT_NONE);
	r->home = NULL;
	detach(s, r);
	*r = next;
	*ret_replaced = replaced;
	return 0;
}

static const struct reeve_address *bound_address(const struct port_reservation *r)
{
	if (!r->any)
		return &r->address;
	return r->any == 4 ? &reeve_any_ipv4 : &reeve_any_ipv6;
}

void port_space_disconnect(struct port_space *s, struct port_reservation *r)
{
	check(r->state == PORT_CONNECTED);
	if (!r->implicit) {
		struct port_use *home = r->home;

		if (home) {
			r->use->counts[r->class]--;
			r->use->references--;
			drop_use_if_unreferenced(s, r->use);
			r->use = home;
			r->home = NULL;
			home->counts[r->class]++;
			r->address = home->address;
		}
		enter(s, r, PORT_BOUND);
		return;
	}

	const bool was_deferred = r->deferred;
	const struct reeve_address address = *bound_address(r);

	port_space_release(s, r);
	if (was_deferred && unused(s) > s->held) {
		s->held++;
		r->deferred = true;
		r->address = address;
		enter(s, r, PORT_BOUND);
	}
}

int port_space_inherit(struct port_space *s, struct port_reservation *child,
		       const struct port_reservation *listener, const struct reeve_address *address)
{
	struct port_reservation fresh = {
		.owner = listener->owner,
		.state = PORT_CONNECTED,
		.ipv6 = listener->ipv6,
		.ipv6_only = listener->ipv6_only,
		.reuse_address = listener->reuse_address,
		.reuse_port = listener->reuse_port,
	};

	check(child->state == PORT_NONE && listener->port);

	const int error = attach(s, &fresh, address, listener->port);

	if (error)
		return error;
	s->count++;
	*child = fresh;
	return 0;
}

void port_space_move(struct port_space *s, struct port_reservation *from,
		     struct port_reservation *to, enum port_state state)
{
	check(to->state == PORT_NONE && from->state != PORT_NONE && state != PORT_NONE);
	*to = *from;
	from->use = NULL;
	from->home = NULL;
	from->port = 0;
	from->state = PORT_NONE;
	from->deferred = false;
	from->implicit = false;
	from->any = 0;
	enter(s, to, state);
}

void port_space_release(struct port_space *s, struct port_reservation *r)
{
	if (r->state == PORT_NONE)
		return;
	if (r->state == PORT_BOUND && r->deferred)
		s->held--;
	detach(s, r);
	s->count--;
	r->state = PORT_NONE;
	r->deferred = false;
	r->implicit = false;
}

void port_space_set_reuse(struct port_space *s, struct port_reservation *r, bool reuse_address,
			  bool reuse_port)
{
	(void)s;
	r->reuse_address = reuse_address;
	r->reuse_port = reuse_port;
	recount(r);
}
