/*
 * Interfaces and their addresses.
 *
 * Every packet that comes in asks whether its destination is the host's, so the addresses stand in
 * a small hash table; they are the administrator's choice, not a stranger's, and a plain
 * multiplicative hash does.
 */
#include "stack/iface.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/conflict.h"
#include "stack/ip.h"
#include "stack/route.h"
#include "stack/segment.h"
#include "wire/ipv4.h"

#define SLOTS     512 /* an address and its two broadcasts each: at most 192 are taken */
#define SLOT_BITS 9

#define ADDRESS_FLAGS (REEVE_ADDRESS_PROBE | REEVE_ADDRESS_YIELD | REEVE_ADDRESS_QUIET)

struct iface {
	struct reeve_iface_info info;
	uint32_t queue_limit;      /* of frames */
	struct packet_queue queue; /* packets as they came from above */
	struct packet_queue cut;   /* what the first of them was cut to: goes before */
	struct iface_probing probing;
};

struct slot {
	uint32_t address;
	uint8_t relation; /* enum iface_relation; IFACE_FOREIGN: free */
	uint8_t iface;
};

struct iface_table {
	unsigned count, address_count;
	unsigned unusable; /* of the addresses */
	unsigned turn;     /* whose frame goes next */
	uint32_t queued;
	struct iface ifaces[IFACE_MAX];
	struct iface_address addresses[IFACE_ADDRESSES];
	struct slot slots[SLOTS];
};

static_assert(SLOTS == 1 << SLOT_BITS && SLOTS > 3 * IFACE_ADDRESSES, "the table never fills");

static void iface_init(struct iface *i, const struct reeve_iface_config *config)
{
	snprintf(i->info.name, sizeof(i->info.name), "%s", config->name);
	memcpy(i->info.mac, config->mac, sizeof(i->info.mac));
	i->info.mtu = config->mtu;
	i->info.offloads = config->offloads;
	i->info.up = true;
	i->queue_limit = config->queue_packets;
	packet_queue_init(&i->queue);
	packet_queue_init(&i->cut);
}

struct iface_table *iface_table_new(void)
{
	static const struct reeve_iface_config lo = {
		.name = "lo",
		.mtu = IFACE_LO_MTU,
		.offloads = REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 | REEVE_OFFLOAD_TCP6,
	};
	struct iface_table *const t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	iface_init(&t->ifaces[IFACE_LO], &lo);
	t->count = 1;
	return t;
}

struct iface_table *iface_table_free(struct iface_table *t)
{
	if (!t)
		return NULL;
	for (unsigned i = 0; i < t->count; i++) {
		packet_queue_clear(&t->ifaces[i].queue);
		packet_queue_clear(&t->ifaces[i].cut);
	}
	free(t);
	return NULL;
}

struct reeve_iface_info *iface_info(const struct reeve_host *host, unsigned iface)
{
	check(iface < host->ifaces->count);
	return &host->ifaces->ifaces[iface].info;
}

unsigned iface_count(const struct reeve_host *host)
{
	return host->ifaces->count;
}

bool iface_exists(const struct reeve_host *host, unsigned iface)
{
	return iface < host->ifaces->count;
}

static unsigned slot_of(uint32_t address)
{
	return address * UINT32_C(2654435769) >> (32 - SLOT_BITS);
}

enum iface_relation iface_relation_of(const struct reeve_host *host, uint32_t address,
				      unsigned *ret_iface)
{
	const struct iface_table *const t = host->ifaces;

	for (unsigned i = slot_of(address);; i = (i + 1) % SLOTS) {
		const struct slot *const s = &t->slots[i];

		if (s->relation == IFACE_FOREIGN)
			return IFACE_FOREIGN;
		if (s->address == address) {
			*ret_iface = s->iface;
			return (enum iface_relation)s->relation;
		}
	}
}

/* What is there stays: an address of our own is no broadcast, whatever another network says. */
static void slot_add(struct iface_table *t, uint32_t address, enum iface_relation relation,
		     unsigned iface)
{
	unsigned i = slot_of(address);

	while (t->slots[i].relation != IFACE_FOREIGN && t->slots[i].address != address)
		i = (i + 1) % SLOTS;
	struct slot *const s = &t->slots[i];

	if (s->relation == IFACE_FOREIGN || relation == IFACE_OWN)
		*s = (struct slot){ address, (uint8_t)relation, (uint8_t)iface };
}

int reeve_host_add_iface(struct reeve_host *host, const struct reeve_iface_config *config,
			 unsigned *ret_index)
{
	struct iface_table *const t = host->ifaces;

	if (!config->name || !*config->name ||
	    strlen(config->name) >= sizeof(t->ifaces[0].info.name))
		return -EINVAL;
	if (config->mtu < 576 || config->mtu > IPV4_PACKET_MAX || ether_is_group(config->mac) ||
	    config->queue_packets == 0)
		return -EINVAL;
	if (t->count == IFACE_MAX)
		return -ENOSPC;
	iface_init(&t->ifaces[t->count], config);
	*ret_index = t->count++;
	return 0;
}

int reeve_host_set_offloads(struct reeve_host *host, unsigned iface, uint32_t offloads)
{
	if (iface == IFACE_LO || !iface_exists(host, iface))
		return -ENODEV;
	host->ifaces->ifaces[iface].info.offloads = offloads;
	return 0;
}

int reeve_host_iface(const struct reeve_host *host, unsigned iface, struct reeve_iface_info *ret)
{
	if (!iface_exists(host, iface))
		return -ENODEV;
	*ret = *iface_info(host, iface);
	return 0;
}

/* -EINVAL for what no interface may be called. */
static int address_check(unsigned iface, const struct reeve_prefix *a)
{
	if (!reeve_address_is_ipv4(&a->address))
		return iface == IFACE_LO && a->length == 128 &&
				       !reeve_address_is_unspecified(&a->address) &&
				       !reeve_address_is_multicast(&a->address)
			       ? 0
			       : -EINVAL;
	if (a->length > 32 || reeve_address_is_unspecified(&a->address) ||
	    reeve_address_is_multicast(&a->address) || reeve_address_is_broadcast(&a->address))
		return -EINVAL;
	return reeve_address_is_loopback(&a->address) && iface != IFACE_LO ? -EINVAL : 0;
}

static void address_index(struct iface_table *t, const struct iface_address *a)
{
	const uint32_t address = reeve_address_to_ipv4(&a->prefix.address);
	const uint32_t mask = route_mask(a->prefix.length);

	slot_add(t, address, IFACE_OWN, a->iface);
	/* RFC 1122, 3.2.1.3 and 3.3.6: all ones, and the old all zeroes; RFC 3021: a /31 has none. */
	if (a->prefix.length < 31 && a->iface != IFACE_LO) {
		slot_add(t, address | ~mask, IFACE_BROADCAST, a->iface);
		slot_add(t, address & mask, IFACE_BROADCAST, a->iface);
	}
}

static void index_rebuild(struct iface_table *t)
{
	memset(t->slots, 0, sizeof(t->slots));
	for (unsigned i = 0; i < t->address_count; i++) {
		const struct iface_address *const a = &t->addresses[i];

		if (a->state == REEVE_ADDRESS_USABLE && reeve_address_is_ipv4(&a->prefix.address))
			address_index(t, a);
	}
}

void iface_address_become(struct reeve_host *host, struct iface_address *a,
			  enum reeve_address_state state)
{
	struct iface_table *const t = host->ifaces;
	const bool was_usable = a->state == REEVE_ADDRESS_USABLE;

	a->state = (uint8_t)state;
	if (was_usable && state != REEVE_ADDRESS_USABLE) {
		t->unusable++;
		index_rebuild(t);
	} else if (!was_usable && state == REEVE_ADDRESS_USABLE) {
		t->unusable--;
		if (reeve_address_is_ipv4(&a->prefix.address))
			address_index(t, a);
	}
}

static bool has_failed(const struct iface_address *a)
{
	return a->state == REEVE_ADDRESS_DUPLICATE || a->state == REEVE_ADDRESS_LOST;
}

static struct iface_address *find(struct iface_table *t, const struct reeve_address *address)
{
	for (unsigned i = 0; i < t->address_count; i++) {
		if (reeve_address_equal(&t->addresses[i].prefix.address, address))
			return &t->addresses[i];
	}
	return NULL;
}

/* A record for the address: its own if it has failed, a new one, or that of any that has failed.
 * The caller counts what it takes. */
static int choose_record(struct iface_table *t, const struct reeve_address *address,
			 struct iface_address **ret)
{
	struct iface_address *a = find(t, address);

	if (a && !has_failed(a))
		return -EEXIST;
	if (!a && t->address_count < IFACE_ADDRESSES)
		a = &t->addresses[t->address_count];
	for (unsigned i = 0; !a && i < t->address_count; i++) {
		if (has_failed(&t->addresses[i]))
			a = &t->addresses[i];
	}
	if (!a)
		return -ENOSPC;
	*ret = a;
	return 0;
}

int reeve_host_claim_address(struct reeve_host *host, unsigned iface,
			     const struct reeve_prefix *address, unsigned flags)
{
	struct iface_table *const t = host->ifaces;
	struct iface_address *a;

	if (!iface_exists(host, iface))
		return -ENODEV;
	if ((flags & ~(unsigned)(ADDRESS_FLAGS)) || (flags && iface == IFACE_LO))
		return -EINVAL;
	int error = address_check(iface, address);

	if (!error)
		error = choose_record(t, &address->address, &a);
	if (error)
		return error;
	if (reeve_address_is_ipv4(&address->address)) {
		/* Another address of the same network has already brought the route. */
		error = reeve_host_add_route(host, address, NULL, iface);
		if (error && error != -EEXIST)
			return error;
	}
	/* One that had failed was counted as unusable, and a new one is now. */
	if (a == &t->addresses[t->address_count]) {
		t->address_count++;
		t->unusable++;
	}
	*a = (struct iface_address){ .prefix = *address, .iface = iface };
	if (iface == IFACE_LO)
		iface_address_become(host, a, REEVE_ADDRESS_USABLE);
	else
		conflict_begin(host, a, flags);
	return 0;
}

int reeve_host_add_address(struct reeve_host *host, unsigned iface,
			   const struct reeve_prefix *address)
{
	return reeve_host_claim_address(host, iface, address, 0);
}

int reeve_host_address_info(const struct reeve_host *host, const struct reeve_address *address,
			    struct reeve_address_info *ret)
{
	const struct iface_address *const a = find(host->ifaces, address);

	if (!a)
		return -ENOENT;
	*ret = (struct reeve_address_info){
		.state = (enum reeve_address_state)a->state,
		.conflicts = a->conflicts,
	};
	memcpy(ret->conflict_mac, a->conflict_mac, sizeof(ret->conflict_mac));
	return 0;
}

bool iface_is_unusable(const struct reeve_host *host, const struct reeve_address *address)
{
	if (host->ifaces->unusable == 0)
		return false;
	const struct iface_address *const a = find(host->ifaces, address);

	return a && a->state != REEVE_ADDRESS_USABLE;
}

struct iface_probing *iface_probing(struct reeve_host *host, unsigned iface)
{
	check(iface < host->ifaces->count);
	return &host->ifaces->ifaces[iface].probing;
}

int reeve_host_address(const struct reeve_host *host, unsigned iface, unsigned index,
		       struct reeve_prefix *ret)
{
	const struct iface_table *const t = host->ifaces;

	for (unsigned i = 0; i < t->address_count; i++) {
		if (t->addresses[i].iface != iface || index-- > 0)
			continue;
		*ret = t->addresses[i].prefix;
		return 0;
	}
	return -ENOENT;
}

bool reeve_host_has_address(const struct reeve_host *host, const struct reeve_address *a)
{
	unsigned iface;

	if (reeve_address_is_loopback(a))
		return true;
	if (!reeve_address_is_ipv4(a))
		return iface_is_own_ipv6(host, a);
	return iface_relation_of(host, reeve_address_to_ipv4(a), &iface) == IFACE_OWN;
}

bool iface_is_own_ipv6(const struct reeve_host *host, const struct reeve_address *a)
{
	const struct iface_table *const t = host->ifaces;

	if (reeve_address_equal(a, &reeve_loopback_ipv6))
		return true;
	for (unsigned i = 0; i < t->address_count; i++)
		if (reeve_address_equal(&t->addresses[i].prefix.address, a))
			return true;
	return false;
}

bool iface_source(const struct reeve_host *host, unsigned iface, uint32_t next_hop,
		  uint32_t *ret_address)
{
	const struct iface_table *const t = host->ifaces;
	const struct iface_address *first = NULL;

	for (unsigned i = 0; i < t->address_count; i++) {
		const struct iface_address *const a = &t->addresses[i];

		if (a->iface != iface || a->state != REEVE_ADDRESS_USABLE ||
		    !reeve_address_is_ipv4(&a->prefix.address))
			continue;
		const uint32_t address = reeve_address_to_ipv4(&a->prefix.address);

		if (((address ^ next_hop) & route_mask(a->prefix.length)) == 0) {
			*ret_address = address;
			return true;
		}
		if (!first)
			first = a;
	}
	if (!first)
		return false;
	*ret_address = reeve_address_to_ipv4(&first->prefix.address);
	return true;
}

bool iface_on_link(const struct reeve_host *host, unsigned iface, uint32_t address)
{
	const struct iface_table *const t = host->ifaces;
	const struct reeve_address a = reeve_address_from_ipv4(address);

	for (unsigned i = 0; i < t->address_count; i++) {
		if (t->addresses[i].iface == iface &&
		    t->addresses[i].state == REEVE_ADDRESS_USABLE &&
		    reeve_prefix_contains(&t->addresses[i].prefix, &a))
			return true;
	}
	return false;
}

struct iface_address *iface_find(struct reeve_host *host, unsigned iface, uint32_t address)
{
	const struct reeve_address wanted = reeve_address_from_ipv4(address);
	struct iface_address *const a = find(host->ifaces, &wanted);

	return a && a->iface == iface ? a : NULL;
}

bool iface_owns(struct reeve_host *host, unsigned iface, uint32_t address)
{
	const struct iface_address *const a = iface_find(host, iface, address);

	return a && a->state == REEVE_ADDRESS_USABLE;
}

/* Frames that wait, as many as the link will see of them. */
static uint32_t frames_waiting(const struct iface *i)
{
	const uint64_t by_bytes = i->queue.bytes / i->info.mtu;

	if ((i->info.offloads & REEVE_OFFLOAD_TCP4) || by_bytes < i->queue.count)
		return i->cut.count + i->queue.count;
	return i->cut.count + (uint32_t)by_bytes;
}

static uint32_t limit_of(const struct reeve_host *host, unsigned iface)
{
	check(iface < host->ifaces->count);
	return iface == IFACE_LO ? HOST_LOOPBACK_PACKETS : host->ifaces->ifaces[iface].queue_limit;
}

uint32_t iface_room(const struct reeve_host *host, unsigned iface)
{
	const uint32_t limit = limit_of(host, iface);
	const uint32_t used = iface == IFACE_LO ? host->loopback.count
						: frames_waiting(&host->ifaces->ifaces[iface]);

	return limit > used ? limit - used : 0;
}

bool iface_is_crowded(const struct reeve_host *host, unsigned iface)
{
	return iface_room(host, iface) < limit_of(host, iface) / 2;
}

int iface_send_take(struct reeve_host *host, unsigned iface, struct reeve_packet *p_take,
		    const uint8_t destination[ETHER_ADDRESS], uint16_t type)
{
	struct iface_table *const t = host->ifaces;
	struct iface *const i = &t->ifaces[iface];

	check(iface < t->count && iface != IFACE_LO);
	if (frames_waiting(i) >= i->queue_limit) {
		host_drop_take(host, p_take, REEVE_DROP_LINK_QUEUE);
		return -ENOBUFS;
	}
	struct ether_header h = { .type = type };

	memcpy(h.destination, destination, ETHER_ADDRESS);
	memcpy(h.source, i->info.mac, ETHER_ADDRESS);
	ether_emit(&h, packet_push(p_take, ETHER_HEADER));
	packet_queue_push(&i->queue, p_take);
	t->queued++;
	return 0;
}

/* The next frame of the interface, which TCP may have made longer than the link takes: it is cut
 * here, where all that lies above has been done once for the whole. NULL when none waits, or for
 * want of memory. */
static struct reeve_packet *next_frame(struct reeve_host *host, struct iface *i)
{
	struct reeve_packet *p = packet_queue_pop(&i->cut);

	if (!p) {
		p = packet_queue_pop(&i->queue);
		if (p && segment_is_needed(p, i->info.offloads)) {
			if (!segment_for_link(p, i->info.offloads, &i->cut))
				host_count_drop(host, REEVE_DROP_NO_MEMORY);
			p = packet_queue_pop(&i->cut);
			host->ifaces->queued += i->cut.count - (p == NULL);
		}
	}
	if (!p)
		return NULL;
	host->ifaces->queued--;
	i->info.tx_packets++;
	i->info.tx_bytes += p->length;
	return p;
}

struct reeve_packet *iface_output(struct reeve_host *host, unsigned *ret_iface)
{
	struct iface_table *const t = host->ifaces;

	while (t->queued > 0) {
		const unsigned i = t->turn;
		struct reeve_packet *const p = next_frame(host, &t->ifaces[i]);

		t->turn = i + 1 < t->count ? i + 1 : IFACE_LO + 1; /* nothing waits at lo */
		if (!p)
			continue;
		*ret_iface = i;
		return p;
	}
	return NULL;
}

bool iface_has_output(const struct reeve_host *host)
{
	return host->ifaces->queued > 0;
}
