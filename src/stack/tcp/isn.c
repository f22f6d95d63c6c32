/*
 * Initial sequence numbers (RFC 6528) and timestamps (RFC 7323, 5.4): a clock, and an offset that
 * is secret and different for each pair of sockets, so that neither can be guessed from another
 * connection, while both only grow for one pair.
 */
#include <string.h>

#include "stack/tcp/conn_private.h"

/* RFC 9293, 3.4.1 says about 4 us. Faster, as Linux, so that a new connection of the same pair begins
 * beyond what the last one has sent even when that was microseconds ago: a listener in TIME-WAIT
 * then takes its SYN. Still more than four minutes until the numbers come round. */
#define ISN_TICK_NS 64

static uint64_t hash_flow(const struct hash_key *key, const struct port_flow *flow)
{
	uint8_t bytes[36];

	memcpy(bytes, flow->local_address.bytes, 16);
	memcpy(bytes + 16, flow->remote_address.bytes, 16);
	memcpy(bytes + 32, &flow->local_port, 2);
	memcpy(bytes + 34, &flow->remote_port, 2);
	return hash_bytes(key, bytes, sizeof(bytes));
}

struct tcp_seq tcp_initial_sequence(const struct tcp_host *t, const struct port_flow *flow)
{
	const uint64_t ticks = (uint64_t)t->host->now.ns / ISN_TICK_NS;

	return (struct tcp_seq){ (uint32_t)(ticks + hash_flow(&t->isn_key, flow)) };
}

uint32_t tcp_timestamp_offset(const struct tcp_host *t, const struct port_flow *flow)
{
	return (uint32_t)hash_flow(&t->timestamp_key, flow);
}

uint32_t tcp_timestamp(const struct tcp_host *t, uint32_t offset)
{
	return (uint32_t)((uint64_t)t->host->now.ns / (uint64_t)REEVE_NS_PER_MS) + offset;
}
