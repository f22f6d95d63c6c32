#include "network/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"
#include "network/control.h"
#include "network/guest.h"
#include "network/host.h"
#include "network/links.h"
#include "network/managers.h"
#include "network/recording.h"

#define MAX_PORTS (NETWORK_MAX_HOSTS + NETWORK_MAX_LINKS + 1)

/* Steps of stations between two looks at the loop's other sources. */
#define STEPS_A_TURN 32

static int make_switch(struct network *n)
{
	struct switch_config config = {
		.max_ports = MAX_PORTS,
		.max_stations = 1u << 17,
		.queue_packets = NETWORK_QUEUE_PACKETS,
		.queue_bytes = NETWORK_QUEUE_BYTES,
		.ageing_s = 300,
	};

	config.key.k0 = random_u64(&n->random);
	config.key.k1 = random_u64(&n->random);
	n->switch_ = switch_new(&config);
	return n->switch_ ? 0 : -ENOMEM;
}

int network_init(struct network *n, const char *name, loop_settle_function *settle, void *user)
{
	const struct reeve_pool_config pool = {
		.max_packets = NETWORK_MAX_PACKETS,
		.max_buffer_bytes = NETWORK_MAX_BUFFERS,
	};
	uint8_t seed[32];

	*n = (struct network){ .max_hosts = NETWORK_MAX_HOSTS };
	strncpy(n->name, name, sizeof(n->name) - 1);
	list_init(&n->active);
	list_init(&n->links);
	list_init(&n->recordings);
	list_init(&n->managers);
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -errno;
	random_init(&n->random, seed);
	n->key.k0 = random_u64(&n->random);
	n->key.k1 = random_u64(&n->random);
	n->loop = loop_new(settle, user);
	n->pool = reeve_pool_new(&pool);
	n->ports = calloc(MAX_PORTS, sizeof(struct station *));
	n->hosts = host_table_new();
	if (!n->loop || !n->pool || !n->ports || !n->hosts || make_switch(n) < 0) {
		network_deinit(n);
		return -ENOMEM;
	}
	n->started = loop_now(n->loop);
	return 0;
}

void network_deinit(struct network *n)
{
	managers_free(n);
	n->hosts = n->hosts ? host_table_free(n) : NULL;
	links_free_all(n);
	n->switch_ = switch_free(n->switch_);
	free(n->ports);
	n->ports = NULL;
	n->pool = reeve_pool_free(n->pool);
	n->loop = loop_free(n->loop);
}

struct reeve_time network_now(const struct network *n)
{
	return loop_now(n->loop);
}

static void activate_ready_ports(struct network *n)
{
	unsigned port;

	while (switch_next_ready(n->switch_, &port))
		station_activate(n->ports[port]);
}

bool network_settle(struct network *n)
{
	for (unsigned step = 0; step < STEPS_A_TURN; step++) {
		struct list *node;

		activate_ready_ports(n);
		node = list_pop(&n->active);
		if (!node)
			break;
		struct station *station = list_entry(node, struct station, active);

		station->work(station);
	}
	recording_flush(n);
	if (n->guests)
		guest_settle(n->guests);
	if (n->control)
		control_settle(n->control);
	managers_settle(n);
	activate_ready_ports(n);
	return !list_is_empty(&n->active);
}

static void station_fired(struct loop_timer *timer)
{
	station_activate(container_of(timer, struct station, timer));
}

int station_init(struct station *s, struct network *n, uint32_t offloads,
		 station_work_function *work)
{
	struct link *link;
	unsigned port;
	const int r = switch_add_port(n->switch_, NETWORK_MTU, offloads, &link, &port);

	if (r < 0)
		return r;
	*s = (struct station){ .network = n, .work = work, .link = link, .port = port };
	list_init(&s->active);
	loop_timer_init(&s->timer, station_fired);
	check(port < MAX_PORTS && !n->ports[port]);
	n->ports[port] = s;
	return 0;
}

void station_deinit(struct station *s)
{
	list_remove(&s->active);
	loop_timer_disarm(s->network->loop, &s->timer);
	s->network->ports[s->port] = NULL;
	s->link = link_free(s->link);
}

void station_activate(struct station *s)
{
	/* The port of a station that has just gone may still have been named. */
	if (s && !list_is_linked(&s->active))
		list_append(&s->network->active, &s->active);
}

void station_wait(struct station *s, struct reeve_time deadline)
{
	const struct reeve_time link = link_deadline(s->link);

	loop_timer_arm(s->network->loop, &s->timer, reeve_time_min(deadline, link));
}
