/*
 * The calls of reeve/tcp.h that move data between the owner and a connection's queues.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

#define LONG_PATH_US 2000

/* On a long path it grows with what the path and the peer take, unless the owner has said it. */
uint32_t tcp_send_limit(const struct reeve_tcp *tcp)
{
	const uint32_t window = tcp->busy->congestion.window < tcp->send_window
					? tcp->busy->congestion.window
					: tcp->send_window;
	const uint32_t grown = window < TCP_BUFFER_GROWN / 2 ? 2 * window : TCP_BUFFER_GROWN;

	if (tcp->settings.send_fixed || tcp->rtt.smoothed_us < LONG_PATH_US ||
	    grown < tcp->settings.send_buffer)
		return tcp->settings.send_buffer;
	return grown;
}

/* Before the handshake: what a SYN with data takes. */
static size_t send_room(const struct reeve_tcp *tcp)
{
	if (tcp->state == REEVE_TCP_SYN_SENT)
		return tcp_fast_room(tcp);

	const uint32_t limit = tcp_send_limit(tcp);

	return tcp->busy->send.length < limit ? limit - tcp->busy->send.length : 0;
}

/* No acknowledgment tells when there is memory again: the owner just tries. */
static void wait_for_memory(struct reeve_tcp *tcp)
{
	tcp->wants_write = true;
	tcp_timer_set(tcp, TCP_DEADLINE_MEMORY, reeve_time_add_ms(tcp_now(tcp), TCP_STARVED_MS));
}

size_t reeve_tcp_reserve(struct reeve_tcp *tcp, size_t wanted, struct iovec *iov, size_t count)
{
	struct iovec room[2];
	size_t bytes = 0;

	if (count == 0)
		return 0;
	if (!tcp_may_send(tcp) && tcp_fast_room(tcp) == 0) {
		/* The handshake will be done some time. */
		tcp->wants_write =
			tcp->state == REEVE_TCP_SYN_SENT || tcp->state == REEVE_TCP_SYN_RECEIVED;
		return 0;
	}
	if (!tcp_wake(tcp)) {
		wait_for_memory(tcp);
		return 0;
	}

	const size_t used =
		send_queue_reserve(&tcp->busy->send, tcp->host->pool, send_room(tcp), wanted, room);
	const size_t given = used < count ? used : count;

	for (size_t i = 0; i < given; i++) {
		iov[i] = room[i];
		bytes += room[i].iov_len;
	}
	if (given == 0)
		send_queue_commit(&tcp->busy->send, 0);
	if (bytes < wanted || bytes == 0)
		tcp->wants_write = true;
	if (bytes == 0 && send_room(tcp) > 0)
		wait_for_memory(tcp);
	return given;
}

void reeve_tcp_commit(struct reeve_tcp *tcp, size_t bytes)
{
	if (tcp->busy)
		send_queue_commit(&tcp->busy->send, bytes);
	if (bytes == 0)
		return;
	tcp_fast_written(tcp);
	tcp_mark_dirty(tcp);
}

int64_t reeve_tcp_write(struct reeve_tcp *tcp, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;
	size_t done = 0;

	if (tcp->error)
		return -reeve_tcp_error(tcp);
	if (tcp->state == REEVE_TCP_SYN_SENT || tcp->state == REEVE_TCP_SYN_RECEIVED)
		tcp->wants_write = true;
	else if (!tcp_may_send(tcp))
		return tcp->was_connected ? -EPIPE : -ENOTCONN;
	while (done < length) {
		struct iovec iov[2];
		const size_t count = reeve_tcp_reserve(tcp, length - done, iov, 2);
		size_t filled = 0;

		if (count == 0)
			break;
		for (size_t i = 0; i < count && filled < length - done; i++) {
			const size_t left = length - done - filled;
			const size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

			memcpy(iov[i].iov_base, from + done + filled, part);
			filled += part;
		}
		reeve_tcp_commit(tcp, filled);
		done += filled;
	}
	if (done == length)
		tcp->wants_write = false;
	return (int64_t)done;
}

void reeve_tcp_mark_urgent(struct reeve_tcp *tcp)
{
	if (tcp_queued(tcp) == 0)
		return;
	/* In front of what a SYN is to bring there is the SYN. */
	tcp->urgent_out = true;
	tcp->busy->urgent_end =
		seq_add(tcp->una, tcp->busy->send.length + (tcp->state == REEVE_TCP_SYN_SENT));
	tcp_mark_dirty(tcp);
}

size_t reeve_tcp_peek(const struct reeve_tcp *tcp, struct iovec *iov, size_t count)
{
	return tcp->busy ? receive_queue_peek(&tcp->busy->receive, iov, count) : 0;
}

/* The first byte that was not consumed. */
static struct tcp_seq read_position(const struct reeve_tcp *tcp)
{
	return seq_sub(tcp->rcv_nxt, tcp_received(tcp) + (tcp->fin_received ? 1 : 0));
}

void reeve_tcp_consume(struct reeve_tcp *tcp, size_t bytes)
{
	if (bytes == 0)
		return;
	receive_queue_consume(&tcp->busy->receive, bytes);
	tcp_window_consumed(tcp, bytes);
	if (tcp->urgent_in && !seq_before(read_position(tcp), tcp->busy->rcv_urgent))
		tcp->urgent_in = false;
	if (!tcp->ack_due && tcp_window_should_update(tcp)) {
		tcp->ack_due = true;
		tcp_mark_dirty(tcp);
	}
	tcp_consider_rest(tcp);
}

int64_t reeve_tcp_read(struct reeve_tcp *tcp, void *bytes, size_t length)
{
	uint8_t *to = bytes;
	size_t done = 0;

	while (done < length && tcp_received(tcp) > 0) {
		struct iovec iov;

		receive_queue_peek(&tcp->busy->receive, &iov, 1);

		const size_t left = length - done;
		const size_t part = iov.iov_len < left ? iov.iov_len : left;

		memcpy(to + done, iov.iov_base, part);
		reeve_tcp_consume(tcp, part);
		done += part;
	}
	if (done > 0 || length == 0)
		return (int64_t)done;
	if (tcp->error)
		return -reeve_tcp_error(tcp);
	if (tcp->fin_received)
		return 0;
	if (tcp->state == REEVE_TCP_CLOSED)
		return tcp->was_connected ? 0 : -ENOTCONN;
	return tcp->state == REEVE_TCP_LISTEN ? -ENOTCONN : -EAGAIN;
}

int64_t reeve_tcp_urgent_offset(const struct reeve_tcp *tcp)
{
	if (!tcp->urgent_in)
		return -1;
	return seq_distance(read_position(tcp), tcp->busy->rcv_urgent);
}

size_t reeve_tcp_readable(const struct reeve_tcp *tcp)
{
	return tcp_received(tcp);
}

size_t reeve_tcp_unsent(const struct reeve_tcp *tcp)
{
	return tcp_queued(tcp);
}

bool reeve_tcp_peer_closed(const struct reeve_tcp *tcp)
{
	return tcp->fin_received;
}
