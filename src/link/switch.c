/*
 * Owns the switch: its ports, what it knows of stations, and who has frames waiting.
 *
 * Stations are entries of one array made with the switch: in a hash table by address, in the list
 * of the port they were last heard on and in one list of all, both by age. A port that finds the
 * array full gives up its own oldest station, or takes one that is out of date; so a port on which
 * made-up addresses pour in spoils the table for nobody else.
 */
#include "link/switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "base/packet.h"
#include "stack/segment.h"
#include "wire/ether.h"

#define VLAN_TAG 4

struct station {
	struct list by_age;      /* in switch_.stations_by_age, or switch_.stations_free */
	struct list of_port;     /* in switch_port.stations */
	struct station *chained; /* in a bucket */
	struct switch_port *port;
	struct reeve_time heard;
	uint8_t mac[ETHER_ADDRESS];
};

struct switch_port {
	struct link link;
	struct switch_ *of;
	struct list node;     /* in switch_.ports */
	struct list ready;    /* in switch_.ready while there is news */
	struct list stations; /* oldest first */
	struct packet_queue queue;
	unsigned index;
};

struct switch_ {
	struct switch_config config;
	struct switch_stats stats;
	struct list ports, ready;
	struct switch_port **by_index; /* NULL: free */
	uint32_t port_count;
	struct list stations_by_age, stations_free;
	struct station *stations;
	struct station **buckets;
	uint32_t bucket_mask;
};

static struct station **bucket_of(const struct switch_ *s, const uint8_t mac[ETHER_ADDRESS])
{
	return &s->buckets[hash_bytes(&s->config.key, mac, ETHER_ADDRESS) & s->bucket_mask];
}

static struct station *station_find(const struct switch_ *s, const uint8_t mac[ETHER_ADDRESS])
{
	struct station *station = *bucket_of(s, mac);

	while (station && memcmp(station->mac, mac, ETHER_ADDRESS) != 0)
		station = station->chained;
	return station;
}

static bool station_is_old(const struct switch_ *s, const struct station *station,
			   struct reeve_time now)
{
	return reeve_time_since(now, station->heard) >= s->config.ageing_s * REEVE_NS_PER_S;
}

static void station_forget(struct switch_ *s, struct station *station)
{
	struct station **at = bucket_of(s, station->mac);

	while (*at != station)
		at = &(*at)->chained;
	*at = station->chained;
	list_remove(&station->of_port);
	list_remove(&station->by_age);
	list_append(&s->stations_free, &station->by_age);
	s->stats.stations--;
}

/* An entry for one more station of the port, or NULL when no other may be given up for it. */
static struct station *station_get(struct switch_ *s, struct switch_port *port,
				   struct reeve_time now)
{
	if (list_is_empty(&s->stations_free)) {
		struct list *own = list_first(&port->stations);
		struct list *oldest = list_first(&s->stations_by_age);

		if (own) {
			station_forget(s, list_entry(own, struct station, of_port));
		} else if (oldest) {
			struct station *station = list_entry(oldest, struct station, by_age);

			if (!station_is_old(s, station, now))
				return NULL;
			station_forget(s, station);
		}
	}
	struct list *node = list_pop(&s->stations_free);

	return node ? list_entry(node, struct station, by_age) : NULL;
}

static void station_learn(struct switch_ *s, struct switch_port *port,
			  const uint8_t mac[ETHER_ADDRESS], struct reeve_time now)
{
	struct station *station;

	if (ether_is_group(mac)) /* no station sends from a group's address */
		return;
	station = station_find(s, mac);
	if (!station) {
		station = station_get(s, port, now);
		if (!station)
			return;
		struct station **bucket = bucket_of(s, mac);

		memcpy(station->mac, mac, ETHER_ADDRESS);
		station->chained = *bucket;
		*bucket = station;
		s->stats.stations++;
	}
	station->port = port;
	station->heard = now;
	list_remove(&station->by_age);
	list_append(&s->stations_by_age, &station->by_age);
	list_remove(&station->of_port);
	list_append(&port->stations, &station->of_port);
}

static struct switch_port *port_of(struct link *l)
{
	return container_of(l, struct switch_port, link);
}

static void port_enqueue(struct switch_port *port, struct reeve_packet *p_take)
{
	struct switch_ *s = port->of;

	if (port->queue.count >= s->config.queue_packets ||
	    port->queue.bytes + p_take->length > s->config.queue_bytes) {
		port->link.stats.dropped++;
		reeve_packet_free(p_take);
		return;
	}
	packet_queue_push(&port->queue, p_take);
	if (!list_is_linked(&port->ready))
		list_append(&s->ready, &port->ready);
}

/* A frame on its way out at a port: cut to what was declared for it. */
static void port_forward(struct switch_port *port, struct reeve_packet *p_take)
{
	struct packet_queue pieces;
	struct reeve_packet *piece;

	if (!segment_is_needed(p_take, port->link.offloads)) {
		if (p_take->offload.segmentation == REEVE_SEGMENTATION_NONE &&
		    p_take->length > port->link.mtu + ETHER_HEADER + VLAN_TAG) {
			port->link.stats.dropped++;
			reeve_packet_free(p_take);
			return;
		}
		port_enqueue(port, p_take);
		return;
	}
	packet_queue_init(&pieces);
	if (!segment_for_link(p_take, port->link.offloads, &pieces))
		port->link.stats.dropped++;
	while ((piece = packet_queue_pop(&pieces)))
		port_enqueue(port, piece);
}

/* To all ports but the one it came from; the last gets the frame itself. */
static void flood(struct switch_ *s, const struct switch_port *from, struct reeve_packet *p_take)
{
	struct switch_port *last = NULL;

	s->stats.flooded++;
	list_for_each(node, &s->ports) {
		struct switch_port *port = list_entry(node, struct switch_port, node);

		if (port == from)
			continue;
		if (last) {
			struct reeve_packet *copy = packet_clone(p_take);

			if (copy)
				port_forward(last, copy);
			else
				last->link.stats.dropped++;
		}
		last = port;
	}
	if (last)
		port_forward(last, p_take);
	else
		reeve_packet_free(p_take);
}

/* Addresses that never pass a bridge (IEEE 802.1D-2004, 7.12.6). */
static bool is_reserved(const uint8_t mac[ETHER_ADDRESS])
{
	static const uint8_t prefix[ETHER_ADDRESS - 1] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };

	return memcmp(mac, prefix, sizeof(prefix)) == 0 && mac[5] < 0x10;
}

static void switch_send(struct link *l, struct reeve_packet *p_take, struct reeve_time now)
{
	struct switch_port *from = port_of(l);
	struct switch_ *s = from->of;

	l->stats.sent_packets++;
	l->stats.sent_bytes += p_take->length;
	if (!packet_pull(p_take, ETHER_HEADER)) {
		s->stats.malformed++;
		reeve_packet_free(p_take);
		return;
	}
	const uint8_t *to = packet_data(p_take);

	station_learn(s, from, to + ETHER_ADDRESS, now);
	if (is_reserved(to)) {
		s->stats.filtered++;
		reeve_packet_free(p_take);
		return;
	}
	const struct station *station = ether_is_group(to) ? NULL : station_find(s, to);

	if (!station || station_is_old(s, station, now)) {
		flood(s, from, p_take);
	} else if (station->port == from) {
		s->stats.filtered++;
		reeve_packet_free(p_take);
	} else {
		s->stats.forwarded++;
		port_forward(station->port, p_take);
	}
}

static struct reeve_packet *switch_receive(struct link *l, struct reeve_time now)
{
	(void)now;
	struct reeve_packet *p = packet_queue_pop(&port_of(l)->queue);

	if (p) {
		l->stats.received_packets++;
		l->stats.received_bytes += p->length;
	}
	return p;
}

static struct reeve_time switch_deadline(const struct link *l)
{
	const struct switch_port *port = container_of_const(l, struct switch_port, link);

	return port->queue.count ? LINK_AT_ONCE : REEVE_NEVER;
}

static void switch_free_port(struct link *l)
{
	struct switch_port *port = port_of(l);
	struct switch_ *s = port->of;

	while (!list_is_empty(&port->stations))
		station_forget(s, list_entry(port->stations.next, struct station, of_port));
	list_remove(&port->node);
	list_remove(&port->ready);
	packet_queue_clear(&port->queue);
	s->by_index[port->index] = NULL;
	s->port_count--;
	free(port);
}

static const struct link_ops switch_ops = {
	.name = "switch",
	.send = switch_send,
	.receive = switch_receive,
	.deadline = switch_deadline,
	.free = switch_free_port,
};

struct switch_ *switch_new(const struct switch_config *config)
{
	struct switch_ *s = calloc(1, sizeof(*s));
	uint32_t buckets = 1;

	if (!s)
		return NULL;
	while (buckets < config->max_stations && buckets < UINT32_C(1) << 31)
		buckets *= 2;
	s->config = *config;
	s->bucket_mask = buckets - 1;
	list_init(&s->ports);
	list_init(&s->ready);
	list_init(&s->stations_by_age);
	list_init(&s->stations_free);
	s->by_index = calloc(config->max_ports, sizeof(struct switch_port *));
	s->stations = calloc(config->max_stations, sizeof(struct station));
	s->buckets = calloc(buckets, sizeof(struct station *));
	if (!s->by_index || !s->stations || !s->buckets)
		return switch_free(s);
	for (uint32_t i = 0; i < config->max_stations; i++) {
		list_init(&s->stations[i].of_port);
		list_append(&s->stations_free, &s->stations[i].by_age);
	}
	return s;
}

struct switch_ *switch_free(struct switch_ *s)
{
	if (!s)
		return NULL;
	check(s->port_count == 0);
	free(s->by_index);
	free(s->stations);
	free(s->buckets);
	free(s);
	return NULL;
}

int switch_add_port(struct switch_ *s, uint32_t mtu, uint32_t offloads, struct link **ret,
		    unsigned *ret_index)
{
	if (s->port_count == s->config.max_ports)
		return -ENOSPC;
	struct switch_port *port = calloc(1, sizeof(*port));

	if (!port)
		return -ENOMEM;
	while (s->by_index[port->index])
		port->index++;
	s->by_index[port->index] = port;
	s->port_count++;
	port->of = s;
	port->link.ops = &switch_ops;
	port->link.mtu = mtu;
	port->link.offloads = offloads;
	packet_queue_init(&port->queue);
	list_init(&port->ready);
	list_init(&port->stations);
	list_append(&s->ports, &port->node);
	*ret = &port->link;
	*ret_index = port->index;
	return 0;
}

bool switch_next_ready(struct switch_ *s, unsigned *ret_index)
{
	struct list *node = list_pop(&s->ready);

	if (!node)
		return false;
	*ret_index = list_entry(node, struct switch_port, ready)->index;
	return true;
}

void switch_stats(const struct switch_ *s, struct switch_stats *ret)
{
	*ret = s->stats;
}
