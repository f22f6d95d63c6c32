/*
 * Neighbours.
 *
 * Theory of operation. An entry begins INCOMPLETE: requests are broadcast, one a second, and
 * packets wait. An answer makes it REACHABLE for a minute. If it was used in that minute it is then
 * PROBING: asked directly, and used meanwhile (RFC 1122, 2.3.2.1, (2)); if not, it is forgotten. So
 * each entry has one timer, always armed, and every entry that nobody uses goes away.
 *
 * Nothing that a stranger sends makes an entry but a request for an address of ours from an address
 * of the link's own network, and that only while the table has room. Answers that nobody asked for
 * change what is there (RFC 826's merge flag) and add nothing.
 */
#include "stack/neighbour.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "stack/conflict.h"
#include "stack/icmp.h"
#include "stack/ip.h"

#define BUCKETS      256
#define TRIES        3
#define RETRY_MS     1000
#define REACHABLE_MS 60000

enum state {
	INCOMPLETE, /* asked for, nothing known; packets wait */
	REACHABLE,  /* has answered within the last minute */
	PROBING,    /* asked directly whether it is still there */
};

struct neighbour {
	struct list bucket;
	struct list recent; /* least recently used first */
	struct timer timer;
	unsigned iface;
	uint32_t address;
	uint8_t mac[ETHER_ADDRESS];
	uint8_t state; /* enum state */
	uint8_t tries;
	bool used; /* since it became REACHABLE */
	struct packet_queue waiting;
};

struct neighbour_table {
	struct hash_key key;
	uint32_t count;
	struct list recent;
	struct list buckets[BUCKETS];
};

struct neighbour_table *neighbour_table_new(struct reeve_host *host)
{
	struct neighbour_table *const t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	host_derive(host, &t->key, sizeof(t->key));
	list_init(&t->recent);
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&t->buckets[i]);
	return t;
}

static void forget(struct reeve_host *host, struct neighbour_table *t, struct neighbour *n)
{
	timer_disarm(&host->timers, &n->timer);
	list_remove(&n->bucket);
	list_remove(&n->recent);
	packet_queue_clear(&n->waiting);
	t->count--;
	free(n);
}

struct neighbour_table *neighbour_table_free(struct reeve_host *host, struct neighbour_table *t)
{
	if (!t)
		return NULL;
	list_for_each_safe(node, &t->recent)
		forget(host, t, list_entry(node, struct neighbour, recent));
	free(t);
	return NULL;
}

uint32_t neighbour_count(const struct reeve_host *host)
{
	return host->neighbours->count;
}

static struct list *bucket_of(struct neighbour_table *t, unsigned iface, uint32_t address)
{
	const uint32_t key[2] = { iface, address };

	return &t->buckets[hash_bytes(&t->key, key, sizeof(key)) % BUCKETS];
}

static struct neighbour *find(struct reeve_host *host, unsigned iface, uint32_t address)
{
	const struct list *const bucket = bucket_of(host->neighbours, iface, address);

	list_for_each(node, bucket) {
		struct neighbour *const n = list_entry(node, struct neighbour, bucket);

		if (n->address == address && n->iface == iface)
			return n;
	}
	return NULL;
}

static void drop_waiting(struct reeve_host *host, struct neighbour *n, enum reeve_drop reason)
{
	for (struct reeve_packet *p; (p = packet_queue_pop(&n->waiting)) != NULL;)
		host_drop_take(host, p, reason);
}

/* NULL: no memory. At the limit the one that has been idle for longest makes room. */
static struct neighbour *create(struct reeve_host *host, unsigned iface, uint32_t address)
{
	struct neighbour_table *const t = host->neighbours;

	if (t->count == NEIGHBOUR_MAX) {
		struct neighbour *const oldest =
			list_entry(list_first(&t->recent), struct neighbour, recent);

		drop_waiting(host, oldest, REEVE_DROP_NEIGHBOUR_QUEUE);
		forget(host, t, oldest);
	}
	struct neighbour *const n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->iface = iface;
	n->address = address;
	n->state = INCOMPLETE;
	timer_init(&n->timer, NEIGHBOUR_TIMER_ENTRY);
	packet_queue_init(&n->waiting);
	list_init(&n->bucket);
	list_init(&n->recent);
	list_append(bucket_of(t, iface, address), &n->bucket);
	list_append(&t->recent, &n->recent);
	t->count++;
	return n;
}

bool neighbour_send_arp(struct reeve_host *host, unsigned iface, const struct arp_packet *a,
			const uint8_t destination[ETHER_ADDRESS])
{
	struct reeve_packet *const p = packet_new(host->pool);

	if (!p) {
		host_count_drop(host, REEVE_DROP_NO_MEMORY);
		return false;
	}
	arp_emit(a, packet_push(p, ARP_PACKET));
	if (iface_send_take(host, iface, p, destination, ETHER_ARP) < 0)
		return false;
	host->stats.arp_out++;
	return true;
}

/* Broadcast, or to the station itself while it is thought to be there. */
static void ask(struct reeve_host *host, struct neighbour *n)
{
	struct arp_packet a = { .operation = ARP_REQUEST, .target = n->address };
	uint32_t source;

	memcpy(a.sender_mac, iface_info(host, n->iface)->mac, ETHER_ADDRESS);
	/* Without an address, ask as a probe does (RFC 5227, 1.1). */
	if (iface_source(host, n->iface, n->address, &source))
		a.sender = source;
	n->tries++;
	timer_arm(&host->timers, &n->timer, reeve_time_add_ms(host->now, RETRY_MS));
	neighbour_send_arp(host, n->iface, &a, n->state == PROBING ? n->mac : ether_broadcast);
}

static void wait_for(struct reeve_host *host, struct neighbour *n, struct reeve_packet *p_take)
{
	/* The latest packets are the ones worth keeping (RFC 1122, 2.3.2.2). */
	if (n->waiting.count == NEIGHBOUR_QUEUE_MAX)
		host_drop_take(host, packet_queue_pop(&n->waiting), REEVE_DROP_NEIGHBOUR_QUEUE);
	packet_queue_push(&n->waiting, p_take);
}

int neighbour_send_take(struct reeve_host *host, unsigned iface, uint32_t next_hop,
			struct reeve_packet *p_take)
{
	struct neighbour *n = find(host, iface, next_hop);

	if (!n) {
		n = create(host, iface, next_hop);
		if (!n) {
			host_drop_take(host, p_take, REEVE_DROP_NO_MEMORY);
			return -ENOBUFS;
		}
		wait_for(host, n, p_take);
		ask(host, n);
		return 0;
	}
	n->used = true;
	list_remove(&n->recent);
	list_append(&host->neighbours->recent, &n->recent);
	if (n->state == INCOMPLETE) {
		wait_for(host, n, p_take);
		return 0;
	}
	return iface_send_take(host, iface, p_take, n->mac, ETHER_IPV4);
}

/* The station has said where it is. */
static void confirm(struct reeve_host *host, struct neighbour *n, const uint8_t mac[ETHER_ADDRESS])
{
	memcpy(n->mac, mac, ETHER_ADDRESS);
	n->state = REACHABLE;
	n->tries = 0;
	n->used = false;
	timer_arm(&host->timers, &n->timer, reeve_time_add_ms(host->now, REACHABLE_MS));
	for (struct reeve_packet *p; (p = packet_queue_pop(&n->waiting)) != NULL;)
		iface_send_take(host, n->iface, p, n->mac, ETHER_IPV4);
}

/* The entry is gone before the transports hear of it, because they may send at once. */
static void give_up(struct reeve_host *host, struct neighbour *n)
{
	struct packet_queue waiting;

	packet_queue_init(&waiting);
	for (struct reeve_packet *p; (p = packet_queue_pop(&n->waiting)) != NULL;)
		packet_queue_push(&waiting, p);
	forget(host, host->neighbours, n);
	for (struct reeve_packet *p; (p = packet_queue_pop(&waiting)) != NULL;)
		icmp_unreachable_take(host, p);
}

static void entry_fired(struct reeve_host *host, struct neighbour *n)
{
	switch ((enum state)n->state) {
	case INCOMPLETE:
	case PROBING:
		if (n->tries < TRIES)
			ask(host, n);
		else
			give_up(host, n);
		return;
	case REACHABLE:
		if (!n->used) {
			forget(host, host->neighbours, n);
			return;
		}
		n->state = PROBING;
		n->tries = 0;
		ask(host, n);
		return;
	}
}

void neighbour_timer_fired(struct reeve_host *host, struct timer *timer)
{
	entry_fired(host, container_of(timer, struct neighbour, timer));
}

/* A sender that no station on a link may be. 0.0.0.0 only asks (RFC 5227, 1.1). */
static bool sender_is_bad(const struct arp_packet *a)
{
	const struct reeve_address sender = reeve_address_from_ipv4(a->sender);

	return ether_is_group(a->sender_mac) || reeve_address_is_multicast(&sender) ||
	       reeve_address_is_broadcast(&sender) || reeve_address_is_loopback(&sender) ||
	       (a->sender == 0 && a->operation != ARP_REQUEST);
}

static void answer(struct reeve_host *host, unsigned iface, const struct arp_packet *request)
{
	struct arp_packet reply = {
		.operation = ARP_REPLY,
		.sender = request->target,
		.target = request->sender,
	};

	memcpy(reply.sender_mac, iface_info(host, iface)->mac, ETHER_ADDRESS);
	memcpy(reply.target_mac, request->sender_mac, ETHER_ADDRESS);
	neighbour_send_arp(host, iface, &reply, request->sender_mac);
}

/* RFC 826, "Packet Reception". False with the reason when the packet is of no use. */
static bool receive(struct reeve_host *host, unsigned iface, const struct arp_packet *a,
		    enum reeve_drop *ret_reason)
{
	struct iface_address *const claimed = conflict_claimed(host, iface, a);

	if (claimed) {
		*ret_reason = REEVE_DROP_ARP_UNSOLICITED;
		return conflict_heard(host, claimed, a);
	}
	struct neighbour *n = a->sender ? find(host, iface, a->sender) : NULL;

	if (n)
		confirm(host, n, a->sender_mac);
	if (a->operation == ARP_REPLY) {
		*ret_reason = REEVE_DROP_ARP_UNSOLICITED;
		return n != NULL;
	}
	/* Others' questions reach every station, and are no packets lost. */
	if (!iface_owns(host, iface, a->target))
		return true;
	if (!n && a->sender && host->neighbours->count < NEIGHBOUR_MAX &&
	    iface_on_link(host, iface, a->sender)) {
		n = create(host, iface, a->sender);
		if (n)
			confirm(host, n, a->sender_mac);
	}
	answer(host, iface, a);
	return true;
}

void neighbour_input_take(struct reeve_host *host, unsigned iface, struct reeve_packet *p_take)
{
	struct arp_packet a;
	enum reeve_drop reason = REEVE_DROP_ARP_BAD;

	if (packet_pull(p_take, ARP_PACKET)) {
		struct cursor c = cursor_over(packet_data(p_take), ARP_PACKET);

		if (arp_parse(&c, &a) && !sender_is_bad(&a) && receive(host, iface, &a, &reason)) {
			host->stats.arp_in++;
			reeve_packet_free(p_take);
			return;
		}
	}
	host_drop_take(host, p_take, reason);
}
