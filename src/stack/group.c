/*
 * Multicast groups, and IGMP as a host speaks it (RFC 3376, 5; RFC 2236, 3, towards routers that
 * know no more; not version 1).
 *
 * Theory of operation. A membership is one record, counted by its holders. It has one timer: while
 * a change is news (`left` > 0) it fires for the next report of the change, else it fires to answer
 * a query. One that was left stays in the table, without holders, until that has been said. What a
 * router asks cannot make the host speak more often than once a record in the time that the query
 * gives: a query finds the timer running and leaves it as it is.
 */
#include "stack/group.h"

#include <errno.h>
#include <stdlib.h>

#include "stack/iface.h"
#include "wire/igmp.h"

#define ALL_HOSTS   UINT32_C(0xe0000001) /* 224.0.0.1 */
#define ALL_ROUTERS UINT32_C(0xe0000002)
#define V3_ROUTERS  UINT32_C(0xe0000016) /* 224.0.0.22 */

/* RFC 3376, 8.1, 8.11 and 8.12. */
#define ROBUSTNESS          2
#define REPORT_INTERVAL_MS  1000
#define OLDER_VERSION_MS    260000
#define TOS_NETWORK_CONTROL 0xc0
#define BUCKETS             256
#define BUCKET_BITS         8
#define QUERY_MAX           1500

struct group {
	struct group *next; /* in its bucket */
	uint32_t address;
	uint32_t holders;
	uint8_t iface;
	uint8_t left; /* reports of a change still to be sent */
	struct timer timer;
};

struct group_table {
	uint32_t count;
	struct reeve_time older_until[IFACE_MAX]; /* routers there speak version 2 */
	struct group *buckets[BUCKETS];
};

struct group_table *group_table_new(struct reeve_host *host)
{
	struct group_table *const t = calloc(1, sizeof(*t));

	for (unsigned i = 0; t && i < IFACE_MAX; i++)
		t->older_until[i] = host->now;
	return t;
}

struct group_table *group_table_free(struct reeve_host *host, struct group_table *t)
{
	for (unsigned i = 0; t && i < BUCKETS; i++) {
		while (t->buckets[i]) {
			struct group *const g = t->buckets[i];

			t->buckets[i] = g->next;
			timer_disarm(&host->timers, &g->timer);
			free(g);
		}
	}
	free(t);
	return NULL;
}

/* Where the record is, or would be. The addresses are the host's own programs' choice. */
static struct group **place_of(const struct group_table *t, unsigned iface, uint32_t address)
{
	const uint32_t hash = (address + iface) * UINT32_C(2654435769) >> (32 - BUCKET_BITS);
	struct group *const *at = &t->buckets[hash];

	while (*at && ((*at)->address != address || (*at)->iface != iface))
		at = &(*at)->next;
	return (struct group **)(uintptr_t)at;
}

bool group_has(const struct reeve_host *host, unsigned iface, uint32_t address)
{
	if (address == ALL_HOSTS)
		return true;
	const struct group *const g = *place_of(host->groups, iface, address);

	return g && g->holders > 0;
}

uint32_t group_count(const struct reeve_host *host)
{
	return host->groups->count;
}

static void send_message(struct reeve_host *host, unsigned iface, uint32_t to, const void *bytes,
			 size_t length)
{
	struct reeve_packet *const p = packet_new(host->pool);
	const struct ip_send how = {
		.destination = reeve_address_from_ipv4(to),
		.protocol = IP_IGMP,
		.ttl = 1,
		.tos = TOS_NETWORK_CONTROL,
		.router_alert = true,
		.way = { .out = (uint8_t)(iface + 1), .no_loopback = true },
	};

	if (!p || !packet_append_bytes(p, bytes, length)) {
		reeve_packet_free(p);
		host_count_drop(host, REEVE_DROP_NO_MEMORY);
		return;
	}
	(void)ip_send_take(host, p, &how);
}

static void send_older(struct reeve_host *host, const struct group *g)
{
	uint8_t bytes[IGMP_V2_LENGTH];

	if (g->holders > 0) {
		igmp_emit_v2(IGMP_V2_REPORT, g->address, bytes);
		send_message(host, g->iface, g->address, bytes, sizeof(bytes));
	} else {
		igmp_emit_v2(IGMP_V2_LEAVE, g->address, bytes);
		send_message(host, g->iface, ALL_ROUTERS, bytes, sizeof(bytes));
	}
}

static void send_report(struct reeve_host *host, const struct group *g, bool is_change)
{
	uint8_t bytes[IGMP_V3_LENGTH];

	if (reeve_time_before(host->now, host->groups->older_until[g->iface])) {
		send_older(host, g);
		return;
	}
	igmp_emit_v3(!is_change       ? IGMP_MODE_IS_EXCLUDE
		     : g->holders > 0 ? IGMP_CHANGE_TO_EXCLUDE
				      : IGMP_CHANGE_TO_INCLUDE,
		     g->address, bytes);
	send_message(host, g->iface, V3_ROUTERS, bytes, sizeof(bytes));
}

/* At a random moment within the time (RFC 3376, 5.1 and 5.2). */
static void arm(struct reeve_host *host, struct group *g, uint32_t within_ms)
{
	timer_arm(&host->timers, &g->timer,
		  reeve_time_add_ms(host->now, 1 + random_below(&host->random, within_ms)));
}

static void forget(struct reeve_host *host, struct group *g)
{
	struct group **const at = place_of(host->groups, g->iface, g->address);

	*at = g->next;
	host->groups->count--;
	timer_disarm(&host->timers, &g->timer);
	free(g);
}

/* A change: said at once, and ROBUSTNESS - 1 times more. */
static void tell(struct reeve_host *host, struct group *g)
{
	uint32_t address;

	/* lo has no routers; an interface without an address has nothing to speak from. */
	if (g->iface == IFACE_LO || !iface_source(host, g->iface, g->address, &address)) {
		if (g->holders == 0)
			forget(host, g);
		return;
	}
	send_report(host, g, true);
	g->left = ROBUSTNESS - 1;
	arm(host, g, REPORT_INTERVAL_MS);
}

int group_join(struct reeve_host *host, unsigned iface, uint32_t address)
{
	struct group_table *const t = host->groups;
	struct group **const at = place_of(t, iface, address);
	struct group *g = *at;

	if (address == ALL_HOSTS)
		return 0;
	if (!g) {
		g = t->count < GROUP_MAX ? calloc(1, sizeof(*g)) : NULL;
		if (!g)
			return -ENOBUFS;
		g->address = address;
		g->iface = (uint8_t)iface;
		timer_init(&g->timer, HOST_TIMER_GROUP);
		*at = g;
		t->count++;
	}
	if (g->holders++ == 0)
		tell(host, g);
	return 0;
}

void group_leave(struct reeve_host *host, unsigned iface, uint32_t address)
{
	if (address == ALL_HOSTS)
		return;
	struct group *const g = *place_of(host->groups, iface, address);

	check(g && g->holders > 0);
	if (--g->holders == 0)
		tell(host, g);
}

void group_timer_fired(struct reeve_host *host, struct timer *timer)
{
	struct group *const g = container_of(timer, struct group, timer);

	send_report(host, g, g->left > 0);
	if (g->left > 0 && --g->left > 0)
		arm(host, g, REPORT_INTERVAL_MS);
	else if (g->holders == 0)
		forget(host, g);
}

static void heard_query(struct reeve_host *host, unsigned iface, const struct igmp_query *q)
{
	struct group_table *const t = host->groups;

	if (q->version < 3)
		t->older_until[iface] = reeve_time_add_ms(host->now, OLDER_VERSION_MS);
	for (unsigned i = 0; i < BUCKETS; i++) {
		for (struct group *g = t->buckets[i]; g; g = g->next) {
			if (g->iface == iface && g->holders > 0 && !timer_is_armed(&g->timer) &&
			    (q->group == 0 || q->group == g->address))
				arm(host, g, q->max_response_ms);
		}
	}
}

void group_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		      const struct ip_received *how)
{
	uint8_t bytes[QUERY_MAX], type = 0;
	const size_t length = p_take->length;
	struct igmp_query q;
	bool good = false;

	if (length <= sizeof(bytes)) {
		packet_copy(p_take, 0, length, bytes);
		good = igmp_parse_type(bytes, length, &type);
	}
	if (good && type == IGMP_QUERY) {
		good = igmp_parse_query(bytes, length, &q);
		if (good && how->iface != IFACE_LO)
			heard_query(host, how->iface, &q);
	}
	/* Other members' reports are for routers. */
	if (good)
		reeve_packet_free(p_take);
	else
		host_drop_take(host, p_take, REEVE_DROP_IGMP_BAD);
}
