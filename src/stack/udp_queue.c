/* The datagrams that wait in a UDP socket. */
#include "stack/udp_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "stack/host_private.h"

#define FIRST_SIZE 4

void udp_queue_init(struct udp_queue *q, uint32_t limit)
{
	*q = (struct udp_queue){ .limit = limit };
}

void udp_queue_deinit(struct udp_queue *q)
{
	while (q->count > 0)
		udp_queue_pop(q);
	free(q->ring);
	q->ring = NULL;
	q->size = 0;
}

static int grow(struct udp_queue *q)
{
	const uint32_t size = q->size ? 2 * q->size : FIRST_SIZE;
	struct udp_waiting *const ring = calloc(size, sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	for (uint32_t i = 0; i < q->count; i++)
		ring[i] = q->ring[(q->first + i) % q->size];
	free(q->ring);
	q->ring = ring;
	q->size = size;
	q->first = 0;
	return 0;
}

int udp_queue_push(struct udp_queue *q, const struct udp_waiting *w)
{
	if (q->charged > q->limit) {
		q->lost++;
		return -ENOBUFS;
	}
	if (q->count == q->size) {
		const int error = grow(q);

		if (error)
			return error;
	}
	struct udp_waiting *const last = &q->ring[(q->first + q->count) % q->size];

	*last = *w;
	last->charge = host_charge(w->packet);
	q->charged += last->charge;
	q->count++;
	return 0;
}

const struct udp_waiting *udp_queue_first(const struct udp_queue *q)
{
	return q->count > 0 ? &q->ring[q->first] : NULL;
}

struct udp_waiting udp_queue_take(struct udp_queue *q)
{
	check(q->count > 0);
	const struct udp_waiting oldest = q->ring[q->first];

	q->charged -= oldest.charge;
	q->first = (q->first + 1) % q->size;
	q->count--;
	return oldest;
}

void udp_queue_pop(struct udp_queue *q)
{
	reeve_packet_free(udp_queue_take(q).packet);
}

uint64_t udp_queue_bytes(const struct udp_queue *q)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < q->count; i++)
		bytes += q->ring[(q->first + i) % q->size].packet->length;
	return bytes;
}
