/*
 * The crowded destinations (see destination.h).
 *
 * Theory of operation. A destination is made when connect has met too many taken ports, long before
 * half of them are. It begins with nothing known: flows that come from then on are entered as they
 * come, older ones as `scanned` passes over their ports, a few at each connect. When it has passed
 * the range the destination is complete:
 *
 *	taken = { p in the range : the flow local:p -> remote is in the demux }
 *
 * and stays so until few of its flows are left, when it is forgotten. So there are at most as many
 * as there are flows, and as a rule one for some hundreds.
 *
 * Recyclable TIME-WAITs are in a queue, oldest first. Those entered by the scan go in front: they
 * are older than all that came after the destination was made. Among each other they have no order,
 * which only matters to who fills the range in less time than a TIME-WAIT takes to come of age.
 */
#include "port/destination.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "port/demux.h"

/* Forgotten when fewer than one port in this many is taken. */
#define SPARSE_PART 64

static uint64_t hash_like(const struct hash_key *key, const struct port_flow *f)
{
	uint8_t bytes[34];

	memcpy(bytes, f->local_address.bytes, 16);
	memcpy(bytes + 16, f->remote_address.bytes, 16);
	memcpy(bytes + 32, &f->remote_port, 2);
	return hash_bytes(key, bytes, sizeof(bytes));
}

void destinations_init(struct destinations *d)
{
	port_table_init(&d->table);
	list_init(&d->all);
	d->recent = NULL;
}

static void destination_free(struct destination *d)
{
	list_remove(&d->node);
	ephemeral_set_deinit(&d->taken);
	free(d);
}

void destinations_deinit(struct destinations *d)
{
	d->recent = NULL;
	list_for_each_safe(node, &d->all)
		destination_free(list_entry(node, struct destination, node));
	port_table_deinit(&d->table);
}

static bool is_of(const struct destination *d, const struct port_flow *like)
{
	return d->remote_port == like->remote_port &&
	       reeve_address_equal(&d->remote_address, &like->remote_address) &&
	       reeve_address_equal(&d->local_address, &like->local_address);
}

struct destination *destinations_find(struct destinations *d, const struct hash_key *key,
				      const struct port_flow *like)
{
	struct port_table_probe probe = { 0 };
	struct destination *found;

	if (list_is_empty(&d->all))
		return NULL;
	if (d->recent && is_of(d->recent, like))
		return d->recent;

	const uint64_t hash = hash_like(key, like);

	while ((found = port_table_find(&d->table, hash, &probe)) && !is_of(found, like))
		;
	if (found)
		d->recent = found;
	return found;
}

struct destination *destinations_add(struct destinations *d, const struct hash_key *key,
				     const struct port_flow *like, const struct ephemeral *range)
{
	struct destination *fresh = malloc(sizeof(*fresh));

	if (!fresh)
		return NULL;
	*fresh = (struct destination){
		.local_address = like->local_address,
		.remote_address = like->remote_address,
		.remote_port = like->remote_port,
		.scanned = range->first,
		.range = range,
	};
	list_init(&fresh->node);
	ephemeral_set_init(&fresh->taken);
	if (ephemeral_set_reserve(&fresh->taken, range) ||
	    port_table_add(&d->table, hash_like(key, like), fresh)) {
		destination_free(fresh);
		return NULL;
	}
	list_append(&d->all, &fresh->node);
	return fresh;
}

static void queue_remove(struct destination *d, struct port_flow *f)
{
	if (f->older)
		f->older->newer = f->newer;
	else
		d->oldest = f->newer;
	if (f->newer)
		f->newer->older = f->older;
	else
		d->newest = f->older;
	f->older = NULL;
	f->newer = NULL;
	f->queued = false;
}

static void queue_append(struct destination *d, struct port_flow *f)
{
	f->older = d->newest;
	f->newer = NULL;
	f->queued = true;
	if (d->newest)
		d->newest->newer = f;
	else
		d->oldest = f;
	d->newest = f;
}

static void queue_prepend(struct destination *d, struct port_flow *f)
{
	f->older = NULL;
	f->newer = d->oldest;
	f->queued = true;
	if (d->oldest)
		d->oldest->older = f;
	else
		d->newest = f;
	d->oldest = f;
}

static bool is_covered(const struct destination *d, const struct port_flow *f)
{
	return ephemeral_covers(d->range, f->local_port);
}

void destinations_flow_added(struct destinations *d, const struct hash_key *key,
			     struct port_flow *f)
{
	struct destination *to = destinations_find(d, key, f);

	if (!to || !is_covered(to, f))
		return;
	check(!ephemeral_set_add(&to->taken, to->range, f->local_port));
	if (!reeve_time_is_never(f->recyclable))
		queue_append(to, f);
}

void destinations_flow_removed(struct destinations *d, const struct hash_key *key,
			       struct port_flow *f)
{
	struct destination *to = destinations_find(d, key, f);

	if (!to || !is_covered(to, f))
		return;
	if (f->queued)
		queue_remove(to, f);
	if (!ephemeral_set_has(&to->taken, to->range, f->local_port))
		return; /* older than the destination, not scanned yet */
	ephemeral_set_remove(&to->taken, to->range, f->local_port);
	if (!to->taken.count ||
	    (destination_is_complete(to) && to->taken.count < to->range->count / SPARSE_PART)) {
		while (to->oldest)
			queue_remove(to, to->oldest);
		port_table_remove(&d->table, hash_like(key, f), to);
		if (d->recent == to)
			d->recent = NULL;
		destination_free(to);
	}
}

void destinations_flow_replaced(struct destinations *d, const struct hash_key *key,
				struct port_flow *old, struct port_flow *f)
{
	struct destination *to = destinations_find(d, key, f);

	if (old->queued)
		queue_remove(to, old);
	if (to && is_covered(to, f) && ephemeral_set_has(&to->taken, to->range, f->local_port) &&
	    !reeve_time_is_never(f->recyclable))
		queue_append(to, f);
}

void destination_enter(struct destination *d, struct port_flow *found)
{
	const uint16_t port = (uint16_t)d->scanned++;

	if (!found || !ephemeral_covers(d->range, port) ||
	    ephemeral_set_has(&d->taken, d->range, port))
		return;
	check(!ephemeral_set_add(&d->taken, d->range, port));
	if (!reeve_time_is_never(found->recyclable))
		queue_prepend(d, found);
}
