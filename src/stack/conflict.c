/*
 * Conflicts.
 *
 * Theory of operation. An address has one timer and a count of what is left to be sent: probes
 * while it is TENTATIVE, announcements while it is USABLE. When no probe is left the timer runs
 * once more, for ANNOUNCE_WAIT, and then the address is ours. DUPLICATE and LOST are ends: nothing
 * is sent or waited for, until the embedder adds the address again.
 */
#include "stack/conflict.h"

#include <string.h>

#include "stack/neighbour.h"
#include "stack/tcp/tcp.h"

/* RFC 5227, 1.1 */
#define PROBE_WAIT_MS          1000
#define PROBE_NUM              3
#define PROBE_MIN_MS           1000
#define PROBE_MAX_MS           2000
#define ANNOUNCE_WAIT_MS       2000
#define ANNOUNCE_NUM           2
#define ANNOUNCE_INTERVAL_MS   2000
#define MAX_CONFLICTS          10
#define RATE_LIMIT_INTERVAL_MS 60000
#define DEFEND_INTERVAL_MS     10000

static void arm(struct reeve_host *host, struct iface_address *a, uint32_t ms)
{
	timer_arm(&host->timers, &a->timer, reeve_time_add_ms(host->now, ms));
}

/* Both probe and announcement are requests for the address itself; a probe does not say that it is
 * ours (RFC 5227, 2.1.1 and 2.3). */
static bool send_request(struct reeve_host *host, const struct iface_address *a, bool is_probe)
{
	const uint32_t address = reeve_address_to_ipv4(&a->prefix.address);
	struct arp_packet arp = {
		.operation = ARP_REQUEST,
		.sender = is_probe ? 0 : address,
		.target = address,
	};

	memcpy(arp.sender_mac, iface_info(host, a->iface)->mac, ETHER_ADDRESS);
	return neighbour_send_arp(host, a->iface, &arp, ether_broadcast);
}

static void announce_next(struct reeve_host *host, struct iface_address *a)
{
	send_request(host, a, false);
	if (--a->left > 0)
		arm(host, a, ANNOUNCE_INTERVAL_MS);
}

/* RFC 5227, 2.3: it may be used as soon as the first announcement is on its way. */
static void announce(struct reeve_host *host, struct iface_address *a)
{
	iface_address_become(host, a, REEVE_ADDRESS_USABLE);
	if (a->quiet)
		return;
	a->left = ANNOUNCE_NUM;
	announce_next(host, a);
}

/* RFC 5227, 2.1.1: hosts that start together do not probe together; and one that always meets
 * others may not go on asking for one address after the other. */
static void probe_first(struct reeve_host *host, struct iface_address *a)
{
	struct iface_probing *const p = iface_probing(host, a->iface);
	struct reeve_time start = host->now;

	if (p->failures >= MAX_CONFLICTS) {
		const struct reeve_time next = reeve_time_add_ms(p->last, RATE_LIMIT_INTERVAL_MS);

		if (reeve_time_before(start, next))
			start = next;
	}
	start = reeve_time_add_ms(start, random_below(&host->random, PROBE_WAIT_MS + 1));
	p->last = start;
	a->left = PROBE_NUM;
	timer_arm(&host->timers, &a->timer, start);
}

/* A probe that could not be sent has asked nobody: it is tried again. */
static void probe_next(struct reeve_host *host, struct iface_address *a)
{
	if (a->left == 0) {
		announce(host, a);
		return;
	}
	if (send_request(host, a, true))
		a->left--;
	if (a->left > 0)
		arm(host, a,
		    PROBE_MIN_MS + random_below(&host->random, PROBE_MAX_MS - PROBE_MIN_MS + 1));
	else
		arm(host, a, ANNOUNCE_WAIT_MS);
}

void conflict_begin(struct reeve_host *host, struct iface_address *a, unsigned flags)
{
	timer_init(&a->timer, HOST_TIMER_CONFLICT);
	a->not_defended = (struct reeve_time){ INT64_MIN };
	a->yields = flags & REEVE_ADDRESS_YIELD;
	a->quiet = flags & REEVE_ADDRESS_QUIET;
	if (flags & REEVE_ADDRESS_PROBE)
		probe_first(host, a);
	else
		announce(host, a);
}

void conflict_timer_fired(struct reeve_host *host, struct timer *timer)
{
	struct iface_address *const a = container_of(timer, struct iface_address, timer);

	if (a->state == REEVE_ADDRESS_TENTATIVE)
		probe_next(host, a);
	else
		announce_next(host, a);
}

static void fail(struct reeve_host *host, struct iface_address *a, enum reeve_address_state state)
{
	timer_disarm(&host->timers, &a->timer);
	a->left = 0;
	iface_probing(host, a->iface)->failures++;
	iface_address_become(host, a, state);
}

/* RFC 5227, 2.4. Two hosts that both keep the address must not fill the link with saying so. */
static void defend(struct reeve_host *host, struct iface_address *a)
{
	if (!reeve_time_before(host->now, a->not_defended)) {
		a->not_defended = reeve_time_add_ms(host->now, DEFEND_INTERVAL_MS);
		if (send_request(host, a, false))
			host->stats.arp_defences++;
		return;
	}
	if (!a->yields)
		return;
	host->stats.address_losses++;
	/* While the resets may still be sent from it. */
	tcp_address_lost(host, &a->prefix.address);
	fail(host, a, REEVE_ADDRESS_LOST);
}

static bool is_our_mac(const struct reeve_host *host, const uint8_t mac[ETHER_ADDRESS])
{
	for (unsigned i = IFACE_LO + 1; i < iface_count(host); i++) {
		if (memcmp(iface_info(host, i)->mac, mac, ETHER_ADDRESS) == 0)
			return true;
	}
	return false;
}

struct iface_address *conflict_claimed(struct reeve_host *host, unsigned iface,
				       const struct arp_packet *arp)
{
	const bool is_probe = arp->sender == 0;
	struct iface_address *const a =
		iface_find(host, iface, is_probe ? arp->target : arp->sender);

	if (!a)
		return NULL;
	/* Somebody asks for what we ask for: neither may have it. A probe for what we have is a
	 * question like others (RFC 5227, 2.1.1). */
	if (is_probe)
		return a->state == REEVE_ADDRESS_TENTATIVE && !is_our_mac(host, arp->sender_mac)
			       ? a
			       : NULL;
	return a->state == REEVE_ADDRESS_TENTATIVE || a->state == REEVE_ADDRESS_USABLE ? a : NULL;
}

bool conflict_heard(struct reeve_host *host, struct iface_address *a, const struct arp_packet *arp)
{
	if (a->state == REEVE_ADDRESS_USABLE && is_our_mac(host, arp->sender_mac))
		return false;
	host->stats.arp_conflicts++;
	a->conflicts++;
	memcpy(a->conflict_mac, arp->sender_mac, sizeof(a->conflict_mac));
	if (a->state == REEVE_ADDRESS_USABLE) {
		defend(host, a);
		return true;
	}
	host->stats.address_duplicates++;
	fail(host, a, REEVE_ADDRESS_DUPLICATE);
	return true;
}
