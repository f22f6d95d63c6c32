/*
 * TCP of one host: its tables and limits, the list of connections with work to do, and how sockets
 * come and go in memory.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

#define EPHEMERAL_FIRST 49152 /* RFC 6335, 6 */
#define EPHEMERAL_LAST  65535

/* Made of another one: so nothing else that comes from the seed depends on it. */
static void make_fast_key(struct tcp_host *t)
{
	struct hash_key *const key = &t->fast_keys[0];

	key->k0 = hash_bytes(&t->cookie_key, "fast open 0", 11);
	key->k1 = hash_bytes(&t->cookie_key, "fast open 1", 11);
}

static bool make_tables(struct tcp_host *t)
{
	const struct reeve_host_config *const config = &t->host->config;
	struct port_space_config space = {
		.protocol = PORT_TCP,
		.ephemeral_first = config->ephemeral_first,
		.ephemeral_last = config->ephemeral_last,
	};
	struct port_demux_config demux = {
		.max_flows = config->max_sockets,
		.max_listeners = config->max_sockets,
		.wait_size = sizeof(struct tcp_time_wait),
	};

	if (space.ephemeral_first == 0 && space.ephemeral_last == 0) {
		space.ephemeral_first = EPHEMERAL_FIRST;
		space.ephemeral_last = EPHEMERAL_LAST;
	}
	space.avoid_registered = space.ephemeral_first < EPHEMERAL_FIRST;
	host_derive(t->host, space.seed, sizeof(space.seed));
	host_derive(t->host, &demux.key, sizeof(demux.key));
	host_derive(t->host, &t->isn_key, sizeof(t->isn_key));
	host_derive(t->host, &t->timestamp_key, sizeof(t->timestamp_key));
	host_derive(t->host, &t->cookie_key, sizeof(t->cookie_key));
	make_fast_key(t);
	t->space = port_space_new(&space);
	t->demux = port_demux_new(&demux);
	return t->space && t->demux;
}

struct tcp_host *tcp_host_new(struct reeve_host *host)
{
	struct tcp_host *const t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->host = host;
	t->receive_max =
		host->config.tcp_receive_max ? host->config.tcp_receive_max : TCP_BUFFER_GROWN;
	t->paces = !host->config.tcp_without_pacing;
	list_init(&t->sockets);
	list_init(&t->dirty);
	list_init(&t->dead);
	list_init(&t->gaps);
	slab_init(&t->busy, sizeof(struct tcp_busy));
	list_init(&t->listeners);
	timer_init(&t->time_wait_timer, HOST_TIMER_TCP | TCP_TIMER_TIME_WAIT);
	if (!make_tables(t)) {
		port_space_free(t->space);
		port_demux_free(t->demux);
		free(t);
		return NULL;
	}
	return t;
}

struct tcp_host *tcp_host_free(struct tcp_host *t)
{
	if (!t)
		return NULL;
	while (!list_is_empty(&t->sockets))
		tcp_dispose(list_entry(t->sockets.next, struct reeve_tcp, node));
	tcp_reap(t);
	while (tcp_time_wait_evict(t))
		;
	timer_disarm(&t->host->timers, &t->time_wait_timer);
	check(t->count == 0 && t->half_open == 0 && t->orphans == 0);
	check(port_space_count(t->space) == 0);
	slab_deinit(&t->busy);
	port_space_free(t->space);
	port_demux_free(t->demux);
	free(t->fast_notes);
	free(t);
	return NULL;
}

bool tcp_take_slot(struct tcp_host *t)
{
	if (t->count >= t->host->config.max_sockets && !tcp_time_wait_evict(t))
		return false;
	t->count++;
	return true;
}

void tcp_give_slot(struct tcp_host *t)
{
	check(t->count > 0);
	t->count--;
}

static const struct tcp_settings default_settings = {
	.send_buffer = TCP_BUFFER_DEFAULT,
	.receive_buffer = TCP_BUFFER_DEFAULT,
	.linger2_s = 60,
	.keepalive_idle_s = 7200, /* RFC 9293, 3.8.4 */
	.keepalive_interval_s = 75,
	.keepalive_count = 9,
	.syn_count = 6,
	.ttl = IP_DEFAULT_TTL,
	.congestion = REEVE_CUBIC,
	.ecn = REEVE_ECN_PASSIVE,
};

struct reeve_tcp *tcp_allocate(struct reeve_host *host, enum reeve_family family)
{
	struct tcp_host *const t = host->tcp;

	if (!tcp_take_slot(t))
		return NULL;

	struct reeve_tcp *const tcp = calloc(1, sizeof(*tcp));

	if (!tcp) {
		tcp_give_slot(t);
		return NULL;
	}
	tcp->host = host;
	tcp->family = (uint8_t)family;
	tcp->settings = default_settings;
	if (tcp->settings.receive_buffer > t->receive_max)
		tcp->settings.receive_buffer = t->receive_max;
	list_init(&tcp->node);
	list_init(&tcp->dirty);
	list_append(&t->sockets, &tcp->node);
	socket_events_init(&tcp->events, REEVE_TCP, tcp, NULL);
	port_reservation_init(&tcp->port, family == REEVE_IPV6);
	timer_init(&tcp->timer, HOST_TIMER_TCP | TCP_TIMER_CONN);
	tcp->flow.kind = TCP_FLOW_CONN;
	rtt_init(&tcp->rtt);
	host->stats.tcp_sockets++;
	return tcp;
}

void tcp_mark_dirty(struct reeve_tcp *tcp)
{
	if (!list_is_linked(&tcp->dirty))
		list_append(&tcp_of(tcp)->dirty, &tcp->dirty);
}

void tcp_raise(struct reeve_tcp *tcp, uint32_t what)
{
	if (tcp->owned)
		host_raise(tcp->host, &tcp->events, what);
}

static void let_port_go(struct reeve_tcp *tcp)
{
	struct port_space *const space = tcp_of(tcp)->space;

	if (tcp->port.state != PORT_CONNECTED)
		return;
	if (tcp->is_accepted)
		port_space_release(space, &tcp->port);
	else
		port_space_disconnect(space, &tcp->port);
}

/* What is left is what the reader may still ask for. */
static void leave_unsent(struct tcp_busy *b)
{
	for (unsigned i = 0; i < TCP_DEADLINES; i++)
		b->deadlines[i] = REEVE_NEVER;
	b->retransmit_mode = TCP_MODE_NONE;
	scoreboard_clear(&b->scoreboard);
	sent_times_clear(&b->sent_times);
	send_queue_deinit(&b->send);
	receive_queue_prune(&b->receive);
	tcp_fast_free(b);
	list_remove(&b->gaps);
}

void tcp_detach(struct reeve_tcp *tcp)
{
	struct tcp_host *const t = tcp_of(tcp);

	if (tcp->has_flow)
		port_demux_remove_flow(t->demux, &tcp->flow);
	tcp->has_flow = false;
	let_port_go(tcp);
	timer_disarm(&tcp->host->timers, &tcp->timer);
	list_remove(&tcp->dirty);
	tcp->syn_unanswered = false;
	if (tcp->busy)
		leave_unsent(tcp->busy);
}

void tcp_dispose(struct reeve_tcp *tcp)
{
	struct tcp_host *const t = tcp_of(tcp);

	if (tcp->listener)
		tcp_listener_close(tcp);
	if (tcp->intercepted)
		tcp_intercepted_free(tcp);
	tcp_detach(tcp);
	port_space_release(t->space, &tcp->port);
	if (tcp->busy)
		receive_queue_deinit(&tcp->busy->receive);
	host_silence(&tcp->events);
	if (tcp->is_orphan)
		t->orphans--;
	if (tcp->state != REEVE_TCP_CLOSED)
		tcp_set_state(tcp, REEVE_TCP_CLOSED);
	tcp->owned = false;
	tcp->is_orphan = false;
	list_remove(&tcp->node);
	list_append(&t->dead, &tcp->node);
	tcp->host->stats.tcp_sockets--;
	tcp_give_slot(t);
}

static void reap(struct tcp_host *t, struct reeve_tcp *tcp)
{
	tcp_busy_free(t, tcp->busy);
	free(tcp);
}

void tcp_reap(struct tcp_host *t)
{
	struct list *node;

	while ((node = list_pop(&t->dead)) != NULL)
		reap(t, list_entry(node, struct reeve_tcp, node));
}

/* Packets that all other work of this call may take: a connection that wants more comes again
 * after the others, and not in this call, which makes no room for it. */
bool tcp_flush(struct reeve_host *host)
{
	struct tcp_host *const t = host->tcp;
	unsigned budget = TCP_FLUSH_PACKETS;
	struct list again, *node;

	list_init(&again);
	while (budget > 0 && (node = list_pop(&t->dirty)) != NULL) {
		struct reeve_tcp *const tcp = list_entry(node, struct reeve_tcp, dirty);

		budget--;
		if (tcp_output(tcp, &budget))
			continue;
		list_remove(&tcp->dirty);
		list_append(&again, &tcp->dirty);
	}
	while ((node = list_pop(&again)) != NULL)
		list_append(&t->dirty, node);
	tcp_reap(t);
	return tcp_has_work(host);
}

bool tcp_has_work(const struct reeve_host *host)
{
	return !list_is_empty(&host->tcp->dirty);
}

void tcp_timer_fired(struct reeve_host *host, struct timer *timer)
{
	struct tcp_host *const t = host->tcp;

	switch ((enum tcp_timer_kind)(timer->kind & ~HOST_TIMER_OWNER_MASK)) {
	case TCP_TIMER_CONN:
		tcp_conn_timer(container_of(timer, struct reeve_tcp, timer));
		break;
	case TCP_TIMER_HALF_OPEN:
		tcp_half_open_timer(t, container_of(timer, struct tcp_half_open, timer));
		break;
	case TCP_TIMER_TIME_WAIT:
		tcp_time_wait_expire(t);
		break;
	}
	tcp_reap(t);
}

uint32_t tcp_lingering(const struct reeve_host *host)
{
	return host->tcp->orphans;
}
