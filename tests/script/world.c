/* The host and its wire. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stack/ip.h"

#define ANNOUNCED_MS 10000
#define SENT_MAX     100000

static void add_host(struct world *w, const struct script_settings *settings,
		     const struct world_config *said)
{
	const struct reeve_host_config config = {
		.pool = w->pool,
		.seed = { 4 },
		.max_sockets = 4096,
		.tcp_receive_max = said->receive_max,
		.tcp_without_pacing = !said->is_pacing,
	};
	const struct reeve_prefix own = { settings->local, settings->prefix_length };
	const struct reeve_prefix all = { reeve_any_ipv4, 0 };
	struct reeve_iface_config iface = {
		.name = "eth0",
		.mac = { 2, 0, 0, 0, 0, 1 },
		.mtu = settings->mtu,
		.queue_packets = 4096,
	};

	w->host = reeve_host_new(&config, w->now);
	check(w->host);
	check(reeve_host_add_iface(w->host, &iface, &w->iface) == 0);
	check(reeve_host_add_address(w->host, w->iface, &own) == 0);
	check(reeve_host_add_route(w->host, &all, NULL, w->iface) == 0);
	w->station.pool = w->pool;
	w->station.host = w->host;
	w->station.iface = w->iface;
	w->station.host_address = reeve_address_to_ipv4(&settings->local);
	memcpy(w->station.host_mac, iface.mac, 6);
	memcpy(w->station.mac, (const uint8_t[6]){ 2, 0, 0, 0, 0, 2 }, 6);
}

void world_init(struct world *w, const struct script_settings *settings,
		const struct world_config *config)
{
	static const struct reeve_pool_config pool = {
		.max_packets = 65536,
		.max_buffer_bytes = 256 << 20,
	};

	w->pool = reeve_pool_new(&pool);
	check(w->pool);
	w->mtu = settings->mtu;
	w->now.ns = 1000 * REEVE_NS_PER_S;
	w->last = &w->first;
	add_host(w, settings, config);

	const struct reeve_time end = reeve_time_add_ms(w->now, ANNOUNCED_MS);

	while (reeve_time_before(w->now, end))
		world_step(w, end);
	w->begin = w->now;
}

bool world_deinit(struct world *w)
{
	struct reeve_pool_stats stats;
	struct sent *s;

	world_collect(w);
	while ((s = world_take(w)) != NULL)
		free(s);
	reeve_host_free(w->host);
	reeve_pool_stats(w->pool, &stats);
	if (stats.packets > 0 || stats.buffers > 0)
		return false; /* the pool refuses to be freed */
	reeve_pool_free(w->pool);
	return true;
}

static void note(struct world *w, const char *what)
{
	if (!w->wrong)
		w->wrong = what;
}

static void remember(struct world *w, const struct station_packet *p)
{
	if (w->count >= SENT_MAX) {
		note(w, "the host has sent 100,000 packets that were not expected");
		return;
	}

	struct sent *const s = malloc(sizeof(*s) + p->length);

	check(s);
	s->at = w->now;
	s->ip = p->ip;
	s->length = p->length;
	s->next = NULL;
	memcpy(s->body, p->body, p->length);
	*w->last = s;
	w->last = &s->next;
	w->count++;
}

void world_collect(struct world *w)
{
	struct reeve_packet *frame;
	struct station_packet p;
	unsigned iface;

	while ((frame = reeve_host_output(w->host, w->now, &iface)) != NULL) {
		switch (station_read(&w->station, frame, w->now, &p)) {
		case STATION_ANSWERED:
			break;
		case STATION_PACKET:
			if (p.ip.total_length > w->mtu)
				note(w, "the host has sent a packet that is longer than the MTU");
			if (!station_checksum_ok(&p))
				note(w, "the host has sent a packet with a wrong checksum");
			remember(w, &p);
			break;
		case STATION_WRONG:
			note(w, "the host has sent a malformed frame");
			break;
		}
	}
}

void world_step(struct world *w, struct reeve_time until)
{
	const struct reeve_time next = reeve_host_deadline(w->host);

	if (reeve_time_before(w->now, until) && reeve_time_before(w->now, next))
		w->now = reeve_time_min(next, until);
	reeve_host_tick(w->host, w->now);
	world_collect(w);
}

struct sent *world_take(struct world *w)
{
	struct sent *const s = w->first;

	if (!s)
		return NULL;
	w->first = s->next;
	if (!w->first)
		w->last = &w->first;
	w->count--;
	return s;
}
