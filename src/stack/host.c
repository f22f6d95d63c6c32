/*
 * The host itself: it is made of the modules beside it, and here they meet: what comes in, what
 * goes out, whose timer fires, who is told what.
 */
#include "reeve/host.h"

#include <stdlib.h>
#include <string.h>

#include "stack/conflict.h"
#include "stack/fragment.h"
#include "stack/group.h"
#include "stack/host_private.h"
#include "stack/icmp.h"
#include "stack/iface.h"
#include "stack/ip.h"
#include "stack/join.h"
#include "stack/neighbour.h"
#include "stack/route.h"
#include "stack/tcp/tcp.h"
#include "stack/udp.h"

/* What one call does at most before it returns: packets brought in again, timers. What is left is
 * done by the next call, which the deadline then asks for at once. */
#define OUTPUT_BUDGET 256
#define TIMER_BUDGET  4096
#define FLUSH_EVERY \
	64 /* packets after which connections have their turn, whoever has filled the queues */

#define MAX_SOCKETS      (UINT32_C(1) << 26)
#define EPHEMERAL_FIRST  49152 /* RFC 6335, 6 */
#define EPHEMERAL_LAST   65535
#define EPHEMERAL_LOWEST 1024

static bool config_is_good(const struct reeve_host_config *c)
{
	return c->pool && c->max_sockets > 0 && c->max_sockets <= MAX_SOCKETS &&
	       c->ephemeral_first >= EPHEMERAL_LOWEST && c->ephemeral_first <= c->ephemeral_last &&
	       c->tcp_receive_max <= TCP_RECEIVE_MOST;
}

static bool make_modules(struct reeve_host *host)
{
	host->ifaces = iface_table_new();
	host->routes = route_table_new();
	host->neighbours = neighbour_table_new(host);
	host->fragments = fragment_table_new(host);
	host->icmp = icmp_host_new(host);
	host->groups = group_table_new(host);
	host->udp = udp_host_new(host, false);
	host->tcp = tcp_host_new(host);
	return host->ifaces && host->routes && host->neighbours && host->fragments && host->icmp &&
	       host->groups && host->udp && host->tcp;
}

struct reeve_host *reeve_host_new(const struct reeve_host_config *config, struct reeve_time now)
{
	static const struct reeve_prefix loopback[] = {
		{ { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 } }, 8 },
		{ { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } }, 128 },
	};
	struct reeve_host_config c = *config;

	if (c.ephemeral_first == 0 && c.ephemeral_last == 0) {
		c.ephemeral_first = EPHEMERAL_FIRST;
		c.ephemeral_last = EPHEMERAL_LAST;
	}
	if (!config_is_good(&c))
		return NULL;
	struct reeve_host *const host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	host->config = c;
	host->pool = c.pool;
	host->now = now;
	random_init(&host->random, c.seed);
	timers_init(&host->timers, now);
	list_init(&host->events);
	packet_queue_init(&host->loopback);
	host_derive(host, &host->ip_key, sizeof(host->ip_key));
	host_derive(host, host->ip_ids, sizeof(host->ip_ids));
	if (!make_modules(host))
		return reeve_host_free(host);
	for (size_t i = 0; i < array_length(loopback); i++)
		check(reeve_host_add_address(host, IFACE_LO, &loopback[i]) == 0);
	return host;
}

struct reeve_host *reeve_host_free(struct reeve_host *host)
{
	if (!host)
		return NULL;
	tcp_host_free(host->tcp);
	udp_host_free(host->udp);
	udp_host_free(host->echo);
	group_table_free(host, host->groups);
	icmp_host_free(host->icmp);
	fragment_table_free(host, host->fragments);
	neighbour_table_free(host, host->neighbours);
	route_table_free(host->routes);
	iface_table_free(host->ifaces);
	packet_queue_clear(&host->loopback);
	free(host);
	return NULL;
}

void host_derive(struct reeve_host *host, void *ret, size_t length)
{
	uint8_t *to = ret;

	while (length > 0) {
		const uint32_t word = random_u32(&host->random);
		const size_t part = length < sizeof(word) ? length : sizeof(word);

		memcpy(to, &word, part);
		to += part;
		length -= part;
	}
}

uint32_t host_charge(const struct reeve_packet *p)
{
	uint32_t charge = sizeof(*p);

	for (unsigned i = p->first_slice; i < p->slice_end; i++)
		charge += p->slices[i].buffer->size / p->slices[i].buffer->references;
	return charge;
}

void host_count_drop(struct reeve_host *host, enum reeve_drop reason)
{
	check(reason < REEVE_DROP_COUNT);
	host->stats.drops[reason]++;
}

void host_drop_take(struct reeve_host *host, struct reeve_packet *p_take, enum reeve_drop reason)
{
	host_count_drop(host, reason);
	reeve_packet_free(p_take);
}

void socket_events_init(struct socket_events *e, enum reeve_socket_kind kind, void *socket,
			void *user)
{
	list_init(&e->node);
	e->kind = (uint8_t)kind;
	e->what = 0;
	e->offset = (uint16_t)((char *)e - (char *)socket);
	e->user = user;
}

void host_raise(struct reeve_host *host, struct socket_events *e, uint32_t what)
{
	e->what |= what;
	if (e->what && !list_is_linked(&e->node))
		list_append(&host->events, &e->node);
}

void host_silence(struct socket_events *e)
{
	e->what = 0;
	list_remove(&e->node);
}

bool reeve_host_next_event(struct reeve_host *host, struct reeve_event *ret)
{
	struct list *const node = list_pop(&host->events);

	if (!node)
		return false;
	struct socket_events *const e = list_entry(node, struct socket_events, node);

	*ret = (struct reeve_event){
		.kind = (enum reeve_socket_kind)e->kind,
		.what = e->what,
		.socket = (char *)e - e->offset,
		.user = e->user,
	};
	e->what = 0;
	return true;
}

/* A clock that goes backwards stands still. */
static void move_on(struct reeve_host *host, struct reeve_time now)
{
	if (reeve_time_before(host->now, now))
		host->now = now;
}

/* The link layer's part (RFC 894, RFC 1122, 2.3.3). False with the reason. */
static bool judge_frame(const struct reeve_host *host, unsigned iface, struct reeve_packet *p,
			struct ether_header *h, enum reeve_drop *ret_reason)
{
	const uint8_t *const mac = iface_info(host, iface)->mac;

	*ret_reason = REEVE_DROP_LINK_SHORT;
	if (!packet_pull(p, ETHER_HEADER))
		return false;
	struct cursor c = cursor_over(packet_data(p), ETHER_HEADER);

	check(ether_parse(&c, h));
	*ret_reason = REEVE_DROP_LINK_NOT_OURS;
	if (!ether_is_group(h->destination) && memcmp(h->destination, mac, ETHER_ADDRESS) != 0)
		return false;
	/* From a group, or from ourselves: no station sends that. */
	if (ether_is_group(h->source) || memcmp(h->source, mac, ETHER_ADDRESS) == 0)
		return false;
	*ret_reason = REEVE_DROP_LINK_TYPE;
	return h->type == ETHER_IPV4 || h->type == ETHER_ARP;
}

static void input_frame_take(struct reeve_host *host, unsigned iface, struct reeve_packet *p_take)
{
	struct ether_header h;
	enum reeve_drop reason;

	if (!judge_frame(host, iface, p_take, &h, &reason)) {
		host_drop_take(host, p_take, reason);
		return;
	}
	packet_strip(p_take, ETHER_HEADER);
	if (h.type == ETHER_ARP)
		neighbour_input_take(host, iface, p_take);
	else
		ip_input_take(host,
			      &(struct ip_arrival){ .iface = iface,
						    .group = ether_is_group(h.destination) },
			      p_take);
}

/* What was held has no successor. */
static void input_held(struct reeve_host *host, unsigned iface, struct join *j)
{
	struct reeve_packet *const p = join_take(j);

	if (p)
		input_frame_take(host, iface, p);
}

void reeve_host_input_many(struct reeve_host *host, unsigned iface,
			   struct reeve_packet **packets_take, size_t count, struct reeve_time now)
{
	struct join held = { 0 };

	check(iface != IFACE_LO && iface_exists(host, iface));
	move_on(host, now);
	struct reeve_iface_info *const info = iface_info(host, iface);

	for (size_t i = 0; i < count; i++) {
		struct reeve_packet *const p = packets_take[i];

		info->rx_packets++;
		info->rx_bytes += p->length;
		if (join_add(&held, p))
			continue;
		input_held(host, iface, &held);
		if (i + 1 == count || !join_begin(&held, p))
			input_frame_take(host, iface, p);
	}
	input_held(host, iface, &held);
}

void reeve_host_input(struct reeve_host *host, unsigned iface, struct reeve_packet *packet_take,
		      struct reeve_time now)
{
	reeve_host_input_many(host, iface, &packet_take, 1, now);
}

static void bring_in_again(struct reeve_host *host)
{
	struct reeve_packet *const p = packet_queue_pop(&host->loopback);
	const struct ip_arrival arrival = { .iface = p->iface, .own = true };

	if (arrival.iface == IFACE_LO) {
		struct reeve_iface_info *const lo = iface_info(host, IFACE_LO);

		lo->rx_packets++;
		lo->rx_bytes += p->length;
	}
	ip_input_take(host, &arrival, p);
}

struct reeve_packet *reeve_host_output(struct reeve_host *host, struct reeve_time now,
				       unsigned *ret_iface)
{
	move_on(host, now);
	if (host->outputs % FLUSH_EVERY == 0 && tcp_has_work(host))
		tcp_flush(host);
	for (unsigned work = 0; work < OUTPUT_BUDGET; work++) {
		struct reeve_packet *const p = iface_output(host, ret_iface);

		if (p) {
			host->outputs++;
			return p;
		}
		if (host->loopback.count > 0)
			bring_in_again(host);
		else if (tcp_has_work(host))
			tcp_flush(host);
		else
			return NULL;
	}
	return iface_output(host, ret_iface);
}

static void timer_fired(struct reeve_host *host, struct timer *timer)
{
	switch ((enum host_timer)(timer->kind & HOST_TIMER_OWNER_MASK)) {
	case HOST_TIMER_TCP:
		tcp_timer_fired(host, timer);
		return;
	case HOST_TIMER_NEIGHBOUR:
		neighbour_timer_fired(host, timer);
		return;
	case HOST_TIMER_FRAGMENT:
		fragment_timer_fired(host, timer);
		return;
	case HOST_TIMER_CONFLICT:
		conflict_timer_fired(host, timer);
		return;
	case HOST_TIMER_GROUP:
		group_timer_fired(host, timer);
		return;
	case HOST_TIMER_ICMP:
	case HOST_TIMER_OWNER_MASK:
		break;
	}
	check(false);
}

void reeve_host_tick(struct reeve_host *host, struct reeve_time now)
{
	struct timer *timer;

	move_on(host, now);
	timers_advance(&host->timers, host->now);
	for (unsigned n = 0; n < TIMER_BUDGET && (timer = timers_next(&host->timers)); n++)
		timer_fired(host, timer);
}

struct reeve_time reeve_host_deadline(const struct reeve_host *host)
{
	if (iface_has_output(host) || host->loopback.count > 0 || tcp_has_work(host))
		return host->now;
	const struct reeve_time timer = timers_deadline(&host->timers);

	return reeve_time_before(timer, host->now) ? host->now : timer;
}

void reeve_host_stats(const struct reeve_host *host, struct reeve_host_stats *ret)
{
	*ret = host->stats;
}

uint32_t reeve_host_lingering(const struct reeve_host *host)
{
	return tcp_lingering(host);
}

/* The cursor's lowest bit says whose the rest is: UDP's sockets come first. */
bool reeve_host_next_socket(const struct reeve_host *host, uint64_t *cursor,
			    struct reeve_socket_info *ret)
{
	uint64_t inner = *cursor >> 1;

	if (!(*cursor & 1)) {
		if (udp_next_socket(host, &inner, ret)) {
			*cursor = inner << 1;
			return true;
		}
		inner = 0;
	}
	const bool found = tcp_next_socket(host, &inner, ret);

	*cursor = inner << 1 | 1;
	return found;
}
