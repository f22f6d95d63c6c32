/*
 * The crowded destinations (see destination.h).
 *
 * Theory of operation. A destination is made when connect has met too many taken ports, long before
 * half of them are. It begins with nothing known: flows that come from then on are entered as they
 * come, older ones as `scanned` passes over their ports, a few at each connect. When it has passed
 * the range the destination is complete:
 *
 *	taken = { p in the range : local:p -> remote is a flow or a TIME-WAIT }
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
#include "port/wait.h"

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

static bool is_queued(const struct port_wait *w)
{
	return w->queue.next;
}

static bool is_known(const struct destination *d, uint16_t port)
{
	return ephemeral_covers(d->range, port) && ephemeral_set_has(&d->taken, d->range, port);
}

void destinations_flow_added(struct destinations *d, const struct hash_key *key,
			     struct port_flow *f)
{
	struct destination *to = destinations_find(d, key, f);

	/* It is known already if it has the name of a TIME-WAIT that is about to go. */
	if (!to || !ephemeral_covers(to->range, f->local_port) || is_known(to, f->local_port))
		return;
	check(!ephemeral_set_add(&to->taken, to->range, f->local_port));
}

/* `port` has become free; who is of little use is forgotten. */
static void leave(struct destinations *d, const struct hash_key *key, const struct waits *waits,
		  struct destination *to, const struct port_flow *like)
{
	ephemeral_set_remove(&to->taken, to->range, like->local_port);
	if (to->taken.count &&
	    !(destination_is_complete(to) && to->taken.count < to->range->count / SPARSE_PART))
		return;
	while (to->oldest)
		ring_remove(&waits->queues, &to->oldest, to->oldest);
	port_table_remove(&d->table, hash_like(key, like), to);
	if (d->recent == to)
		d->recent = NULL;
	destination_free(to);
}

void destinations_flow_removed(struct destinations *d, const struct hash_key *key,
			       const struct waits *waits, const struct port_flow *f)
{
	struct destination *to = destinations_find(d, key, f);

	/* Not known: older than the destination, not scanned yet. */
	if (to && is_known(to, f->local_port))
		leave(d, key, waits, to, f);
}

void destinations_flow_retired(struct destinations *d, const struct hash_key *key,
			       const struct port_flow *f, const struct waits *waits,
			       struct port_wait *w)
{
	struct destination *to = destinations_find(d, key, f);

	if (to && w->is_recyclable && is_known(to, f->local_port))
		ring_append(&waits->queues, &to->oldest, waits_number(waits, w));
}

void destinations_wait_removed(struct destinations *d, const struct hash_key *key,
			       const struct waits *waits, struct port_wait *w)
{
	if (list_is_empty(&d->all))
		return;

	const struct port_flow name = waits_name(w);
	struct destination *to = destinations_find(d, key, &name);

	if (!to)
		return;
	if (is_queued(w))
		ring_remove(&waits->queues, &to->oldest, waits_number(waits, w));
	if (!w->is_replaced && is_known(to, name.local_port))
		leave(d, key, waits, to, &name);
}

void destinations_wait_renewed(struct destinations *d, const struct hash_key *key,
			       const struct waits *waits, struct port_wait *w)
{
	if (!is_queued(w))
		return;

	const struct port_flow name = waits_name(w);
	struct destination *to = destinations_find(d, key, &name);
	const uint32_t number = waits_number(waits, w);

	ring_remove(&waits->queues, &to->oldest, number);
	ring_append(&waits->queues, &to->oldest, number);
}

void destination_enter(struct destination *d, bool is_taken, const struct waits *waits,
		       struct port_wait *found)
{
	const uint16_t port = (uint16_t)d->scanned++;

	if (!is_taken || !ephemeral_covers(d->range, port) || is_known(d, port))
		return;
	check(!ephemeral_set_add(&d->taken, d->range, port));
	if (found && found->is_recyclable)
		ring_prepend(&waits->queues, &d->oldest, waits_number(waits, found));
}
