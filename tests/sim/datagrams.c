/*
 * Datagrams: each begins with its number and length and goes on as they say. It may be lost or come
 * twice, but never come other than it was sent.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "world.h"

#define DATAGRAM_HEADER 8
#define DATAGRAM_PORT   5000

static uint64_t stream_of(const struct world *w, const struct datagrams *d, uint32_t number)
{
	return (w->scenario.seed * 1000 + 500 + d->index) << 20 | number;
}

static struct reeve_sockaddr name_of(const struct world *w, const struct datagrams *d)
{
	return (struct reeve_sockaddr){
		.address = w->machines[d->plan->to].address,
		.port = (uint16_t)(DATAGRAM_PORT + d->index),
	};
}

void datagrams_open(struct world *w, struct datagrams *d)
{
	const struct reeve_sockaddr name = name_of(w, d);

	d->from = reeve_udp_new(w->machines[d->plan->from].host, REEVE_IPV4, d);
	d->to = reeve_udp_new(w->machines[d->plan->to].host, REEVE_IPV4, d);
	d->next = (struct reeve_time){ d->plan->start_ns };
	if (!d->from || !d->to || reeve_udp_bind(d->to, &name) < 0)
		world_fail(w, "datagrams %u: no sockets", d->index);
}

void datagrams_wake(struct world *w, struct datagrams *d)
{
	static uint8_t bytes[REEVE_UDP_MAX];
	const struct reeve_sockaddr to = name_of(w, d);
	const uint32_t number = d->sent++;
	const uint32_t length =
		DATAGRAM_HEADER + (number * 7919) % (d->plan->most_bytes - DATAGRAM_HEADER + 1);
	const struct iovec iov[] = { { bytes, 5 }, { bytes + 5, length - 5 } };

	store_be32(bytes, number);
	store_be32(bytes + 4, length);
	content_fill(stream_of(w, d, number), 0, bytes + DATAGRAM_HEADER, length - DATAGRAM_HEADER);
	const int error = reeve_udp_send(d->from, &to, NULL, iov, 2);

	if (error && error != -ENOBUFS && error != -EHOSTUNREACH)
		world_fail(w, "datagrams %u: send: error %d (%s)", d->index, -error,
			   strerror(-error));
	d->next = d->sent < d->plan->count ? reeve_time_add(w->now, d->plan->gap_ns) : REEVE_NEVER;
}

static void receive_one(struct world *w, const struct datagrams *d,
			const struct reeve_datagram *got)
{
	static uint8_t bytes[REEVE_UDP_MAX];
	size_t length = 0;

	for (size_t i = 0; i < got->iov_count; i++) {
		memcpy(bytes + length, got->iov[i].iov_base, got->iov[i].iov_len);
		length += got->iov[i].iov_len;
	}
	w->result->datagrams++;
	if (length != got->length || length < DATAGRAM_HEADER || load_be32(bytes + 4) != length ||
	    load_be32(bytes) >= d->sent ||
	    !content_matches(stream_of(w, d, load_be32(bytes)), 0, bytes + DATAGRAM_HEADER,
			     length - DATAGRAM_HEADER))
		world_fail(w, "datagrams %u: one that was never sent so", d->index);
	if (!reeve_address_equal(&got->remote.address, &w->machines[d->plan->from].address) ||
	    !reeve_address_equal(&got->local.address, &w->machines[d->plan->to].address))
		world_fail(w, "datagrams %u: from or to a wrong address", d->index);
}

void datagrams_event(struct world *w, struct datagrams *d)
{
	struct reeve_datagram got;

	reeve_udp_error(d->from);
	while (reeve_udp_peek(d->to, &got)) {
		receive_one(w, d, &got);
		reeve_udp_consume(d->to);
	}
}

void datagrams_close(struct datagrams *d)
{
	reeve_udp_close(d->from);
	reeve_udp_close(d->to);
}
