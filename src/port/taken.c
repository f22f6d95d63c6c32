/*
 * The ports of a space that are taken (see taken.h).
 *
 * Theory of operation. A port that somebody has is a *bucket*; in it, all reservations of one
 * address, family, IPV6_V6ONLY and owner are a *use*, and all TIME-WAITs of those another. A use only
 * counts them, by the class that Linux's conflict rules tell apart: SO_REUSEADDR (worth nothing to a
 * listener) and SO_REUSEPORT. So a server with a million connections on its port is one bucket with
 * few uses, and to ask whether one may bind beside them costs no walk over them; if it has many
 * addresses, all but a few uses are found by theirs.
 *
 * A client has many ports, each a bucket with a use or two: so uses are small, and known by number.
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

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"

#define FEW        8 /* uses of a port that are looked at one by one */
#define BLOCK_BITS 3 /* eight uses are allocated together: few, for hosts with few ports */

enum {
	CLASS_REUSE_ADDRESS = 1,
	CLASS_REUSE_PORT = 2,
	CLASS_COUNT = 4,
};

struct port_use {
	uint32_t next; /* in its chain */
	struct ring_link sibling;
	struct reeve_address address;
	uint32_t owner;
	uint32_t references;
	uint32_t counts[CLASS_COUNT];
	uint16_t port;
	bool ipv6 : 1, ipv6_only : 1;
	bool waits : 1;      /* of TIME-WAITs */
	bool is_crowded : 1; /* and in a chain; those that are not come first in their bucket */
};

static_assert(sizeof(struct port_use) == 56, "there is one for each port of a client");

/* The ports of the range that are taken at one local address. */
struct local {
	struct reeve_address address;
	struct ephemeral_set taken;
};

static uint64_t hash_address(const struct taken *t, const struct reeve_address *a)
{
	return hash_bytes(&t->key, a->bytes, sizeof(a->bytes));
}

static uint64_t hash_name(const struct taken *t, const struct reeve_address *a, uint16_t port)
{
	return hash_address(t, a) + bucket_hash(&t->key, port);
}

static uint64_t hash_use(const struct chains *c, const void *record)
{
	const struct port_use *const u = record;

	return hash_name(container_of_const(c, struct taken, crowded), &u->address, u->port);
}

void taken_init(struct taken *t, struct ephemeral *range)
{
	*t = (struct taken){ .range = range };
	t->key.k0 = random_u64(&range->random);
	t->key.k1 = random_u64(&range->random);
	buckets_init(&t->buckets, &t->key);
	records_init(&t->uses, sizeof(struct port_use), BLOCK_BITS);
	chains_init(&t->crowded, &t->uses, offsetof(struct port_use, next), hash_use);
	t->siblings = (struct rings){ &t->uses, offsetof(struct port_use, sibling) };
}

void taken_deinit(struct taken *t)
{
	ephemeral_set_deinit(&t->used);
	ephemeral_set_deinit(&t->bound);
	ephemeral_set_deinit(&t->wild);
	buckets_deinit(&t->buckets);
	chains_deinit(&t->crowded);
	records_deinit(&t->uses);
	port_table_deinit(&t->locals);
}

static struct port_use *use_at(const struct taken *t, uint32_t number)
{
	return number ? records_at(&t->uses, number) : NULL;
}

bool taken_has(const struct taken *t, uint16_t port)
{
	return buckets_find(&t->buckets, port);
}

static struct bucket *new_bucket(struct taken *t, uint16_t port)
{
	struct bucket *const b = buckets_add(&t->buckets, port);

	if (!b)
		return NULL;
	if (ephemeral_covers(t->range, port) && ephemeral_set_add(&t->used, t->range, port)) {
		buckets_remove(&t->buckets, port);
		return NULL;
	}
	return b;
}

static void drop_bucket_if_empty(struct taken *t, const struct bucket *b, uint16_t port)
{
	if (b->first)
		return;
	if (ephemeral_covers(t->range, port))
		ephemeral_set_remove(&t->used, t->range, port);
	buckets_remove(&t->buckets, port);
}

static bool has_name(const struct port_use *u, const struct reeve_address *address, uint16_t port)
{
	return u->port == port && reeve_address_equal(&u->address, address);
}

static uint32_t next_crowded(const struct taken *t, const struct reeve_address *address,
			     uint16_t port, uint32_t number)
{
	while (number && !has_name(use_at(t, number), address, port))
		number = use_at(t, number)->next;
	return number;
}

/* The next use of this name after `previous`, whatever its owner and family: among the few that are
 * looked at one by one, then among those found by it. */
static uint32_t next_use(const struct taken *t, const struct bucket *b,
			 const struct reeve_address *address, uint16_t port, uint32_t previous)
{
	const struct port_use *u = use_at(t, previous);

	if (u && u->is_crowded)
		return next_crowded(t, address, port, u->next);

	uint32_t number = u ? ring_next(&t->siblings, b->first, previous) : b->first;

	for (; (u = use_at(t, number)); number = ring_next(&t->siblings, b->first, number)) {
		if (u->is_crowded)
			return next_crowded(t, address, port,
					    chains_first(&t->crowded, hash_name(t, address, port)));
		if (has_name(u, address, port))
			break;
	}
	return number;
}

static bool is_waiting(const struct port_reservation *r)
{
	return r->state == PORT_TIME_WAIT;
}

static uint32_t find_use(const struct taken *t, const struct bucket *b,
			 const struct reeve_address *address, uint16_t port,
			 const struct port_reservation *r)
{
	uint32_t number = 0;

	while ((number = next_use(t, b, address, port, number))) {
		const struct port_use *const u = use_at(t, number);

		if (u->owner == r->owner && u->ipv6 == r->ipv6 && u->ipv6_only == r->ipv6_only &&
		    u->waits == is_waiting(r))
			break;
	}
	return number;
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
		       const struct reeve_address *address, uint16_t port)
{
	if (!reeve_address_is_unspecified(address))
		return next_use(t, b, address, port, 0);
	return next_use(t, b, &reeve_any_ipv4, port, 0) || next_use(t, b, &reeve_any_ipv6, port, 0);
}

static bool has_few(const struct taken *t, const struct bucket *b)
{
	uint32_t number = b->first;
	unsigned count = 0;

	for (; number && !use_at(t, number)->is_crowded; count++)
		number = ring_next(&t->siblings, b->first, number);
	return count < FEW;
}

static int link_use(struct taken *t, struct bucket *b, uint32_t number)
{
	if (has_few(t, b)) {
		ring_prepend(&t->siblings, &b->first, number);
		return 0;
	}
	if (chains_add(&t->crowded, number))
		return -ENOMEM;
	ring_append(&t->siblings, &b->first, number);
	use_at(t, number)->is_crowded = true;
	return 0;
}

static void unlink_use(struct taken *t, struct bucket *b, uint32_t number)
{
	if (use_at(t, number)->is_crowded)
		chains_remove(&t->crowded, number);
	ring_remove(&t->siblings, &b->first, number);
}

static uint32_t new_use(struct taken *t, struct bucket *b, const struct reeve_address *address,
			uint16_t port, const struct port_reservation *r)
{
	const uint32_t number = records_new(&t->uses);

	if (!number)
		return 0;
	*use_at(t, number) = (struct port_use){
		.address = *address,
		.owner = r->owner,
		.port = port,
		.ipv6 = r->ipv6,
		.ipv6_only = r->ipv6_only,
		.waits = is_waiting(r),
	};
	if (link_use(t, b, number)) {
		records_free(&t->uses, number);
		return 0;
	}
	if (take_at(t, address, port)) {
		unlink_use(t, b, number);
		records_free(&t->uses, number);
		return 0;
	}
	return number;
}

static void drop_use_if_unreferenced(struct taken *t, struct bucket *b, uint32_t number)
{
	const struct port_use u = *use_at(t, number);

	if (u.references)
		return;
	unlink_use(t, b, number);
	records_free(&t->uses, number);
	if (!has_use_at(t, b, &u.address, u.port))
		leave_at(t, &u.address, u.port);
	drop_bucket_if_empty(t, b, u.port);
}

/* Counting reservations in and out */

static uint8_t class_of(const struct port_reservation *r)
{
	unsigned class = 0;

	if (r->reuse_address && r->state != PORT_LISTENING)
		class |= CLASS_REUSE_ADDRESS;
	if (r->reuse_port)
		class |= CLASS_REUSE_PORT;
	return (uint8_t) class;
}

static void count_in(struct port_use *u, struct port_reservation *r)
{
	r->class = class_of(r) & (CLASS_COUNT - 1);
	u->counts[r->class]++;
}

void taken_recount(const struct taken *t, struct port_reservation *r)
{
	struct port_use *const u = use_at(t, r->use);

	if (!u)
		return;
	u->counts[r->class]--;
	count_in(u, r);
}

int taken_enter(struct taken *t, struct port_reservation *r, const struct reeve_address *address,
		uint16_t port)
{
	struct bucket *const known = buckets_find(&t->buckets, port);
	struct bucket *const b = known ? known : new_bucket(t, port);

	if (!b)
		return -ENOMEM;

	const uint32_t found = find_use(t, b, address, port, r);
	const uint32_t use = found ? found : new_use(t, b, address, port, r);
	struct port_use *const u = use_at(t, use);

	if (!u) {
		drop_bucket_if_empty(t, b, port);
		return -ENOMEM;
	}
	if (!r->implicit && !b->bound && ephemeral_covers(t->range, port) &&
	    ephemeral_set_add(&t->bound, t->range, port)) {
		drop_use_if_unreferenced(t, b, use);
		return -ENOMEM;
	}
	b->bound += !r->implicit;
	u->references++;
	count_in(u, r);
	r->use = use;
	r->address = *address;
	r->port = port;
	return 0;
}

void taken_find(const struct taken *t, struct port_reservation *r,
		const struct reeve_address *address, uint16_t port)
{
	const struct bucket *const b = buckets_find(&t->buckets, port);

	r->use = b ? find_use(t, b, address, port, r) : 0;
	r->class = class_of(r) & (CLASS_COUNT - 1);
	check(r->use && use_at(t, r->use)->counts[r->class] > 0);
	r->address = *address;
	r->port = port;
}

static void drop_home(struct taken *t, struct port_reservation *r, struct bucket *b)
{
	if (!r->home)
		return;
	use_at(t, r->home)->references--;
	drop_use_if_unreferenced(t, b, r->home);
	r->home = 0;
}

void taken_leave(struct taken *t, struct port_reservation *r)
{
	struct port_use *const u = use_at(t, r->use);

	if (!u)
		return;

	struct bucket *const b = buckets_find(&t->buckets, r->port);

	b->bound -= !r->implicit;
	if (!r->implicit && !b->bound && ephemeral_covers(t->range, r->port))
		ephemeral_set_remove(&t->bound, t->range, r->port);
	u->counts[r->class]--;
	u->references--;
	drop_home(t, r, b);
	drop_use_if_unreferenced(t, b, r->use);
	r->use = 0;
	r->port = 0;
}

void taken_set_home(const struct taken *t, struct port_reservation *r,
		    const struct port_reservation *from)
{
	r->home = from->use;
	use_at(t, r->home)->references++;
}

void taken_go_home(struct taken *t, struct port_reservation *r)
{
	const uint32_t left = r->use;
	struct port_use *const u = use_at(t, left);

	u->counts[r->class]--;
	u->references--;
	r->use = r->home;
	r->home = 0;
	use_at(t, r->use)->counts[r->class]++;
	r->address = use_at(t, r->use)->address;
	drop_use_if_unreferenced(t, buckets_find(&t->buckets, r->port), left);
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
static bool is_barred_by(const struct port_reservation *r, const struct port_use *u, bool is_its)
{
	for (unsigned class = 0; class < CLASS_COUNT; class ++) {
		const uint32_t self = is_its && r->class == class;

		if (u->counts[class] == self)
			continue;
		if (r->reuse_address && (class & CLASS_REUSE_ADDRESS))
			continue;
		if (r->reuse_port && (class & CLASS_REUSE_PORT) &&
		    (u->waits || r->owner == u->owner))
			continue;
		return true;
	}
	return false;
}

static bool conflicts_with(const struct taken *t, const struct port_reservation *r,
			   const struct reeve_address *address, uint32_t number)
{
	const struct port_use *const u = use_at(t, number);

	return overlaps(r, address, u) && is_barred_by(r, u, r->use == number);
}

static bool conflicts_at(const struct taken *t, const struct bucket *b,
			 const struct port_reservation *r, const struct reeve_address *address,
			 uint16_t port, const struct reeve_address *at)
{
	uint32_t number = 0;

	while ((number = next_use(t, b, at, port, number))) {
		if (conflicts_with(t, r, address, number))
			return true;
	}
	return false;
}

bool taken_conflicts(const struct taken *t, const struct port_reservation *r,
		     const struct reeve_address *address, uint16_t port)
{
	const struct bucket *const b = buckets_find(&t->buckets, port);

	if (!b)
		return false;
	if (!reeve_address_is_unspecified(address))
		return conflicts_at(t, b, r, address, port, address) ||
		       conflicts_at(t, b, r, address, port, &reeve_any_ipv4) ||
		       conflicts_at(t, b, r, address, port, &reeve_any_ipv6);
	for (uint32_t i = b->first; i; i = ring_next(&t->siblings, b->first, i)) {
		if (conflicts_with(t, r, address, i))
			return true;
	}
	return false;
}
