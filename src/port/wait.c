/*
 * TIME-WAITs (see wait.h): found by their names in chains, and by their ages in a ring, in which a
 * record's neighbour tells its number: it need not be kept.
 */
#include "port/wait.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "port/demux.h"

#define BLOCK_BITS 7

static_assert(sizeof(struct port_wait) == 40, "there are a million of them");

static uint64_t hash_names(const struct waits *t, const void *addresses, size_t length,
			   uint16_t local_port, uint16_t remote_port)
{
	uint8_t bytes[36];

	memcpy(bytes, addresses, length);
	memcpy(bytes + length, &local_port, 2);
	memcpy(bytes + length + 2, &remote_port, 2);
	return hash_bytes(&t->key, bytes, length + 4);
}

static uint64_t hash_wait(const struct chains *c, const void *record)
{
	const struct waits *const t = container_of_const(c, struct waits, names);
	const struct port_wait *const w = record;

	return w->is_ipv6 ? hash_names(t, w->ipv6, sizeof(*w->ipv6), w->local_port, w->remote_port)
			  : hash_names(t, &w->ipv4, sizeof(w->ipv4), w->local_port, w->remote_port);
}

void waits_init(struct waits *t, const struct hash_key *key, size_t record_size)
{
	*t = (struct waits){ .key = *key };
	records_init(&t->records, record_size, BLOCK_BITS);
	slab_init(&t->pairs, sizeof(struct port_wait_pair));
	chains_init(&t->names, &t->records, offsetof(struct port_wait, next), hash_wait);
	t->ages = (struct rings){ &t->records, offsetof(struct port_wait, age) };
	t->queues = (struct rings){ &t->records, offsetof(struct port_wait, queue) };
}

void waits_deinit(struct waits *t)
{
	chains_deinit(&t->names);
	records_deinit(&t->records);
	slab_deinit(&t->pairs);
}

struct port_wait *waits_at(const struct waits *t, uint32_t number)
{
	return number ? records_at(&t->records, number) : NULL;
}

uint32_t waits_number(const struct waits *t, const struct port_wait *w)
{
	return ring_number(&t->ages, &w->age);
}

uint32_t waits_count(const struct waits *t)
{
	return t->names.count;
}

static int set_name(struct waits *t, struct port_wait *w, const struct port_flow *f)
{
	w->local_port = f->local_port;
	w->remote_port = f->remote_port;
	w->is_ipv6 = !reeve_address_is_ipv4(&f->local_address) ||
		     !reeve_address_is_ipv4(&f->remote_address);
	if (!w->is_ipv6) {
		memcpy(w->ipv4.local, f->local_address.bytes + 12, 4);
		memcpy(w->ipv4.remote, f->remote_address.bytes + 12, 4);
		return 0;
	}
	w->ipv6 = slab_new(&t->pairs);
	if (!w->ipv6)
		return -ENOMEM;
	w->ipv6->local = f->local_address;
	w->ipv6->remote = f->remote_address;
	return 0;
}

struct port_flow waits_name(const struct port_wait *w)
{
	struct port_flow f = { .local_port = w->local_port, .remote_port = w->remote_port };

	if (w->is_ipv6) {
		f.local_address = w->ipv6->local;
		f.remote_address = w->ipv6->remote;
		return f;
	}
	f.local_address = reeve_any_ipv4;
	f.remote_address = reeve_any_ipv4;
	memcpy(f.local_address.bytes + 12, w->ipv4.local, 4);
	memcpy(f.remote_address.bytes + 12, w->ipv4.remote, 4);
	return f;
}

static void free_record(struct waits *t, uint32_t number)
{
	const struct port_wait *const w = waits_at(t, number);

	if (w->is_ipv6)
		slab_free(&t->pairs, w->ipv6);
	records_free(&t->records, number);
}

struct port_wait *waits_add(struct waits *t, const struct port_flow *f, struct reeve_time now)
{
	const uint32_t number = records_new(&t->records);
	struct port_wait *const w = waits_at(t, number);

	if (!w)
		return NULL;
	if (set_name(t, w, f) || chains_add(&t->names, number)) {
		free_record(t, number);
		return NULL;
	}
	w->since = wait_tick_after(now);
	ring_append(&t->ages, &t->oldest, number);
	return w;
}

void waits_remove(struct waits *t, struct port_wait *w)
{
	const uint32_t number = waits_number(t, w);

	chains_remove(&t->names, number);
	ring_remove(&t->ages, &t->oldest, number);
	free_record(t, number);
}

void waits_renew(struct waits *t, struct port_wait *w, struct reeve_time now)
{
	const uint32_t number = waits_number(t, w);

	w->since = wait_tick_after(now);
	ring_remove(&t->ages, &t->oldest, number);
	ring_append(&t->ages, &t->oldest, number);
}

static bool has_name(const struct port_wait *w, const struct reeve_sockaddr *local,
		     const struct reeve_sockaddr *remote)
{
	if (w->local_port != local->port || w->remote_port != remote->port)
		return false;

	const struct port_flow f = waits_name(w);

	return reeve_address_equal(&f.local_address, &local->address) &&
	       reeve_address_equal(&f.remote_address, &remote->address);
}

struct port_wait *waits_find(const struct waits *t, const struct reeve_sockaddr *local,
			     const struct reeve_sockaddr *remote)
{
	const bool is_ipv4 =
		reeve_address_is_ipv4(&local->address) && reeve_address_is_ipv4(&remote->address);
	const size_t from = is_ipv4 ? 12 : 0, length = 16 - from;
	uint8_t addresses[32];

	if (!t->oldest)
		return NULL;
	memcpy(addresses, local->address.bytes + from, length);
	memcpy(addresses + length, remote->address.bytes + from, length);

	const uint64_t hash = hash_names(t, addresses, 2 * length, local->port, remote->port);
	uint32_t number = chains_first(&t->names, hash);

	while (number && !has_name(waits_at(t, number), local, remote))
		number = waits_at(t, number)->next;
	return waits_at(t, number);
}

struct port_wait *waits_walk(const struct waits *t, uint64_t *cursor)
{
	return waits_at(t, chains_walk(&t->names, cursor));
}
