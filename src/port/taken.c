/*
 * The ports of a space that are taken (see taken.h).
 *
 * Theory of operation. A port that somebody has is a *bucket*; in it, all reservations of one
 * address, family, IPV6_V6ONLY and owner are a *use*, which only counts them, by the class that
 * Linux's conflict rules tell apart: SO_REUSEADDR (worth nothing to a listener), SO_REUSEPORT,
 * TIME-WAIT. So a server with a million connections on its port is one bucket with few uses, and
 * to ask whether one may bind beside them costs no walk over them.
 *
 *	a bucket exists     <=> the port has a use         <=> the port is in `used`
 *	a use exists        <=> it has references           => the port is in its address's set
 *	bucket.bound > 0    <=> somebody asked for the port <=> the port is in `bound`
 *	references = sum of counts + reservations whose `home` it is
 *
 * (the sets know only ports of the ephemeral range).
 *
 * The conflict rules are inet_rcv_saddr_equal() and inet_bind_conflict(), with what programs can see
 * of Linux's inside: an AF_INET wildcard conflicts with a specific IPv6 address that a socket
 * without IPV6_V6ONLY came to by connect or accept, though not the other way round. One thing is
 * stricter: once a socket has joined a SO_REUSEPORT group, Linux lets further members in without
 * looking at the port's other sockets; here each is looked at, so that none gets beside a socket
 * that shares with nobody.
 */
#include "port/taken.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"

#define INDEX_FROM 8 /* uses from which a bucket has an index */

enum {
	CLASS_REUSE_ADDRESS = 1,
	CLASS_REUSE_PORT = 2,
	CLASS_TIME_WAIT = 4,
	CLASS_COUNT = 8,
};

struct port_use {
	struct list node;
	struct bucket *bucket; /* NULL: a bucket's `first`, not in use */
	struct reeve_address address;
	uint32_t owner;
	bool ipv6, ipv6_only;
	uint32_t references;
	uint32_t counts[CLASS_COUNT];
};

struct bucket {
	struct list uses;
	struct port_table *index; /* by address; NULL while there are few */
	uint32_t use_count;
	uint32_t bound; /* reservations that are not implicit */
	uint16_t port;
	struct port_use first; /* most ports have no other */
};

/* The ports of the range that are taken at one local address. */
struct local {
	struct reeve_address address;
	struct ephemeral_set taken;
};

/* There are too few ports for an attacker to need anything stronger. */
static uint64_t hash_port(const struct taken *t, uint16_t port)
{
	const uint64_t product = (port ^ t->key[0]) * (t->key[1] | 1);

	return product ^ product >> 32;
}

static uint64_t hash_address(const struct taken *t, const struct reeve_address *a)
{
	const struct hash_key key = { t->key[0], t->key[1] };

	return hash_bytes(&key, a->bytes, sizeof(a->bytes));
}

void taken_init(struct taken *t, struct ephemeral *range)
{
	*t = (struct taken){ .range = range };
	t->key[0] = random_u64(&range->random);
	t->key[1] = random_u64(&range->random);
}

void taken_deinit(struct taken *t)
{
	ephemeral_set_deinit(&t->used);
	ephemeral_set_deinit(&t->bound);
	ephemeral_set_deinit(&t->wild);
	port_table_deinit(&t->buckets);
	port_table_deinit(&t->locals);
}

static struct bucket *find_bucket(const struct taken *t, uint16_t port)
{
	struct port_table_probe probe = { 0 };
	const uint64_t hash = hash_port(t, port);
	struct bucket *b;

	while ((b = port_table_find(&t->buckets, hash, &probe)) && b->port != port)
		;
	return b;
}

bool taken_has(const struct taken *t, uint16_t port)
{
	return find_bucket(t, port);
}

static struct bucket *new_bucket(struct taken *t, uint16_t port)
{
	struct bucket *b = malloc(sizeof(*b));

	if (!b)
		return NULL;
	*b = (struct bucket){ .port = port };
	list_init(&b->uses);
	if (port_table_add(&t->buckets, hash_port(t, port), b)) {
		free(b);
		return NULL;
	}
	if (ephemeral_covers(t->range, port) && ephemeral_set_add(&t->used, t->range, port)) {
		port_table_remove(&t->buckets, hash_port(t, port), b);
		free(b);
		return NULL;
	}
	return b;
}

static void drop_bucket_if_empty(struct taken *t, struct bucket *b)
{
	if (b->use_count)
		return;
	if (ephemeral_covers(t->range, b->port))
		ephemeral_set_remove(&t->used, t->range, b->port);
	port_table_remove(&t->buckets, hash_port(t, b->port), b);
	if (b->index)
		port_table_deinit(b->index);
	free(b->index);
	free(b);
}

/* The next use of this address after `previous`, whatever its owner and family. */
static struct port_use *next_use(const struct taken *t, const struct bucket *b,
				 const struct reeve_address *address,
				 struct port_table_probe *probe, const struct port_use *previous)
{
	if (b->index) {
		const uint64_t hash = hash_address(t, address);
		struct port_use *u;

		while ((u = port_table_find(b->index, hash, probe))) {
			if (reeve_address_equal(&u->address, address))
				return u;
		}
		return NULL;
	}

	bool behind = !previous;

	list_for_each(node, &b->uses) {
		struct port_use *u = list_entry(node, struct port_use, node);

		if (behind && reeve_address_equal(&u->address, address))
			return u;
		behind |= u == previous;
	}
	return NULL;
}

static struct port_use *find_use(const struct taken *t, const struct bucket *b,
				 const struct reeve_address *address,
				 const struct port_reservation *r)
{
	struct port_table_probe probe = { 0 };
	struct port_use *u = NULL;

	while ((u = next_use(t, b, address, &probe, u))) {
		if (u->owner == r->owner && u->ipv6 == r->ipv6 && u->ipv6_only == r->ipv6_only)
			break;
	}
	return u;
}

static int index_use(struct taken *t, struct bucket *b, struct port_use *u)
{
	if (!b->index && b->use_count < INDEX_FROM)
		return 0;
	if (b->index)
		return port_table_add(b->index, hash_address(t, &u->address), u);

	struct port_table *index = malloc(sizeof(*index));
	int error = index ? 0 : -ENOMEM;

	if (!error) {
		port_table_init(index);
		error = port_table_add(index, hash_address(t, &u->address), u);
	}
	list_for_each(node, &b->uses) {
		struct port_use *other = list_entry(node, struct port_use, node);

		if (!error)
			error = port_table_add(index, hash_address(t, &other->address), other);
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

static struct local *find_local(struct taken *t, const struct reeve_address *address)
{
	struct port_table_probe probe = { 0 };
	struct local *l;

	if (t->recent && reeve_address_equal(&t->recent->address, address))
		return t->recent;

	const uint64_t hash = hash_address(t, address);

	while ((l = port_table_find(&t->locals, hash, &probe)) &&
	       !reeve_address_equal(&l->address, address))
		;
	t->recent = l;
	return l;
}

const struct ephemeral_set *taken_at(struct taken *t, const struct reeve_address *address)
{
	const struct local *l = find_local(t, address);

	return l ? &l->taken : NULL;
}

static void drop_local_if_empty(struct taken *t, struct local *l)
{
	if (l->taken.count)
		return;
	port_table_remove(&t->locals, hash_address(t, &l->address), l);
	ephemeral_set_deinit(&l->taken);
	if (t->recent == l)
		t->recent = NULL;
	free(l);
}

static int take_at(struct taken *t, const struct reeve_address *address, uint16_t port)
{
	if (!ephemeral_covers(t->range, port))
		return 0;
	if (reeve_address_is_unspecified(address))
		return ephemeral_set_has(&t->wild, t->range, port)
			       ? 0
			       : ephemeral_set_add(&t->wild, t->range, port);

	struct local *l = find_local(t, address);

	if (!l) {
		l = malloc(sizeof(*l));
		if (!l)
			return -ENOMEM;
		*l = (struct local){ .address = *address };
		if (port_table_add(&t->locals, hash_address(t, address), l)) {
			free(l);
			return -ENOMEM;
		}
	}
	if (ephemeral_set_has(&l->taken, t->range, port))
		return 0;
	if (ephemeral_set_add(&l->taken, t->range, port)) {
		drop_local_if_empty(t, l);
		return -ENOMEM;
	}
	return 0;
}

/* The last use of `address` in the bucket has gone. */
static void leave_at(struct taken *t, const struct reeve_address *address, uint16_t port)
{
	if (!ephemeral_covers(t->range, port))
		return;
	if (reeve_address_is_unspecified(address)) {
		ephemeral_set_remove(&t->wild, t->range, port);
		return;
	}

	struct local *l = find_local(t, address);

	ephemeral_set_remove(&l->taken, t->range, port);
	drop_local_if_empty(t, l);
}

static bool has_use_at(const struct taken *t, const struct bucket *b,
		       const struct reeve_address *address)
{
	struct port_table_probe first = { 0 }, second = { 0 };

	if (!reeve_address_is_unspecified(address))
		return next_use(t, b, address, &first, NULL);
	return next_use(t, b, &reeve_any_ipv4, &first, NULL) ||
	       next_use(t, b, &reeve_any_ipv6, &second, NULL);
}

static void free_use(struct bucket *b, struct port_use *u)
{
	if (u == &b->first)
		u->bucket = NULL;
	else
		free(u);
}

static struct port_use *new_use(struct taken *t, struct bucket *b,
				const struct reeve_address *address,
				const struct port_reservation *r)
{
	const bool first = !has_use_at(t, b, address);
	struct port_use *u = b->first.bucket ? malloc(sizeof(*u)) : &b->first;

	if (!u)
		return NULL;
	*u = (struct port_use){
		.bucket = b,
		.address = *address,
		.owner = r->owner,
		.ipv6 = r->ipv6,
		.ipv6_only = r->ipv6_only,
	};
	if (take_at(t, address, b->port)) {
		free_use(b, u);
		return NULL;
	}
	if (index_use(t, b, u)) {
		if (first)
			leave_at(t, address, b->port);
		free_use(b, u);
		return NULL;
	}
	list_prepend(&b->uses, &u->node);
	b->use_count++;
	return u;
}

static void drop_use_if_unreferenced(struct taken *t, struct port_use *u)
{
	struct bucket *b = u->bucket;

	if (u->references)
		return;
	list_remove(&u->node);
	if (b->index)
		port_table_remove(b->index, hash_address(t, &u->address), u);
	b->use_count--;
	if (!has_use_at(t, b, &u->address))
		leave_at(t, &u->address, b->port);
	free_use(b, u);
	drop_bucket_if_empty(t, b);
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

void taken_recount(struct port_reservation *r)
{
	if (!r->use)
		return;
	r->use->counts[r->class]--;
	r->class = class_of(r) & (CLASS_COUNT - 1);
	r->use->counts[r->class]++;
}

int taken_enter(struct taken *t, struct port_reservation *r, const struct reeve_address *address,
		uint16_t port)
{
	struct bucket *b = find_bucket(t, port);

	if (!b)
		b = new_bucket(t, port);
	if (!b)
		return -ENOMEM;

	struct port_use *u = find_use(t, b, address, r);

	if (!u)
		u = new_use(t, b, address, r);
	if (!u) {
		drop_bucket_if_empty(t, b);
		return -ENOMEM;
	}
	if (!r->implicit && !b->bound && ephemeral_covers(t->range, port) &&
	    ephemeral_set_add(&t->bound, t->range, port)) {
		drop_use_if_unreferenced(t, u);
		return -ENOMEM;
	}
	b->bound += !r->implicit;
	u->references++;
	r->class = class_of(r) & (CLASS_COUNT - 1);
	u->counts[r->class]++;
	r->use = u;
	r->address = *address;
	r->port = port;
	return 0;
}

void taken_find(const struct taken *t, struct port_reservation *r,
		const struct reeve_address *address, uint16_t port)
{
	const struct bucket *b = find_bucket(t, port);
	struct port_use *u = b ? find_use(t, b, address, r) : NULL;

	r->class = class_of(r) & (CLASS_COUNT - 1);
	check(u && u->counts[r->class] > 0);
	r->use = u;
	r->address = *address;
	r->port = port;
}

void taken_leave(struct taken *t, struct port_reservation *r)
{
	struct port_use *u = r->use;

	if (!u)
		return;

	struct bucket *b = u->bucket;

	b->bound -= !r->implicit;
	if (!r->implicit && !b->bound && ephemeral_covers(t->range, b->port))
		ephemeral_set_remove(&t->bound, t->range, b->port);
	u->counts[r->class]--;
	u->references--;
	if (r->home) {
		r->home->references--;
		drop_use_if_unreferenced(t, r->home);
	}
	drop_use_if_unreferenced(t, u);
	r->use = NULL;
	r->home = NULL;
	r->port = 0;
}

void taken_set_home(struct port_reservation *r, const struct port_reservation *from)
{
	r->home = from->use;
	r->home->references++;
}

void taken_go_home(struct taken *t, struct port_reservation *r)
{
	struct port_use *left = r->use;

	left->counts[r->class]--;
	left->references--;
	r->use = r->home;
	r->home = NULL;
	r->use->counts[r->class]++;
	r->address = r->use->address;
	drop_use_if_unreferenced(t, left);
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

static bool conflicts_at(const struct taken *t, const struct bucket *b,
			 const struct port_reservation *r, const struct reeve_address *address,
			 const struct reeve_address *at)
{
	struct port_table_probe probe = { 0 };
	struct port_use *u = NULL;

	while ((u = next_use(t, b, at, &probe, u))) {
		if (overlaps(r, address, u) && is_barred_by(r, u))
			return true;
	}
	return false;
}

bool taken_conflicts(const struct taken *t, const struct port_reservation *r,
		     const struct reeve_address *address, uint16_t port)
{
	const struct bucket *b = find_bucket(t, port);

	if (!b)
		return false;
	if (b->index && !reeve_address_is_unspecified(address))
		return conflicts_at(t, b, r, address, address) ||
		       conflicts_at(t, b, r, address, &reeve_any_ipv4) ||
		       conflicts_at(t, b, r, address, &reeve_any_ipv6);
	list_for_each(node, &b->uses) {
		const struct port_use *u = list_entry(node, struct port_use, node);

		if (overlaps(r, address, u) && is_barred_by(r, u))
			return true;
	}
	return false;
}
