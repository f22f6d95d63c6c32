/*
 * Owns the pipe: two ends, each with the bounded queue from which it receives. An end whose other
 * end is gone sends into nothing.
 */
#include "link/pipe.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/packet.h"

struct pipe_end {
	struct link link;
	struct pipe_end *other;    /* NULL once that has been freed */
	struct packet_queue queue; /* to be received here */
	uint32_t queue_packets;
};

static struct pipe_end *end_of(struct link *l)
{
	return container_of(l, struct pipe_end, link);
}

static void pipe_send(struct link *l, struct reeve_packet *p_take, struct reeve_time now)
{
	(void)now;
	struct pipe_end *other = end_of(l)->other;

	if (!other || other->queue.count >= other->queue_packets) {
		l->stats.dropped++;
		reeve_packet_free(p_take);
		return;
	}
	l->stats.sent_packets++;
	l->stats.sent_bytes += p_take->length;
	packet_queue_push(&other->queue, p_take);
}

static struct reeve_packet *pipe_receive(struct link *l, struct reeve_time now)
{
	(void)now;
	struct reeve_packet *p = packet_queue_pop(&end_of(l)->queue);

	if (p) {
		l->stats.received_packets++;
		l->stats.received_bytes += p->length;
	}
	return p;
}

static struct reeve_time pipe_deadline(const struct link *l)
{
	const struct pipe_end *end = container_of_const(l, struct pipe_end, link);

	return end->queue.count ? LINK_AT_ONCE : REEVE_NEVER;
}

static void pipe_free(struct link *l)
{
	struct pipe_end *end = end_of(l);

	if (end->other)
		end->other->other = NULL;
	packet_queue_clear(&end->queue);
	free(end);
}

static const struct link_ops pipe_ops = {
	.name = "pipe",
	.send = pipe_send,
	.receive = pipe_receive,
	.deadline = pipe_deadline,
	.free = pipe_free,
};

static struct pipe_end *end_new(const struct pipe_config *config)
{
	struct pipe_end *end = calloc(1, sizeof(*end));

	if (!end)
		return NULL;
	end->link.ops = &pipe_ops;
	end->link.mtu = config->mtu;
	end->link.offloads = config->offloads;
	end->queue_packets = config->queue_packets;
	packet_queue_init(&end->queue);
	return end;
}

int pipe_new(const struct pipe_config *config, struct link **ret_a, struct link **ret_b)
{
	struct pipe_end *a = end_new(config), *b = end_new(config);

	if (!a || !b) {
		free(a);
		free(b);
		return -ENOMEM;
	}
	a->other = b;
	b->other = a;
	*ret_a = &a->link;
	*ret_b = &b->link;
	return 0;
}
