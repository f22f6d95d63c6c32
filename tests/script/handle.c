/* Descriptors. */
#include "handle.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "reeve/udp.h"

void handle_release(struct handle *h)
{
	if (h->pipe && --h->pipe->holders == 0)
		free(h->pipe);
	h->pipe = NULL;
}

bool handle_is_connected(const struct handle *h)
{
	switch (reeve_tcp_state(h->tcp)) {
	case REEVE_TCP_CLOSED:
	case REEVE_TCP_LISTEN:
	case REEVE_TCP_SYN_SENT:
	case REEVE_TCP_SYN_RECEIVED:
		return false;
	case REEVE_TCP_ESTABLISHED:
	case REEVE_TCP_FIN_WAIT_1:
	case REEVE_TCP_FIN_WAIT_2:
	case REEVE_TCP_CLOSE_WAIT:
	case REEVE_TCP_CLOSING:
	case REEVE_TCP_LAST_ACK:
	case REEVE_TCP_TIME_WAIT:
		return true;
	}
	return false;
}

int handle_take_error(struct handle *h)
{
	const int error = h->error ? h->error : reeve_tcp_error(h->tcp);

	h->error = 0;
	return -error;
}

static uint32_t poll_listener(const struct handle *h)
{
	struct reeve_tcp_info info;

	reeve_tcp_info(h->tcp, &info);
	return info.accept_queue > 0 ? EPOLLIN | EPOLLRDNORM : 0;
}

static bool has_room(struct handle *h)
{
	struct iovec iov;

	if (reeve_tcp_reserve(h->tcp, 1, &iov, 1) == 0)
		return false;
	reeve_tcp_commit(h->tcp, 0);
	return true;
}

static uint32_t poll_datagram(const struct handle *h)
{
	struct reeve_datagram d;

	return EPOLLOUT | EPOLLWRNORM | (reeve_udp_peek(h->udp, &d) ? EPOLLIN | EPOLLRDNORM : 0);
}

uint32_t handle_poll(struct handle *h)
{
	if (h->udp)
		return poll_datagram(h);

	const enum reeve_tcp_state state = reeve_tcp_state(h->tcp);
	const bool peer_closed = reeve_tcp_peer_closed(h->tcp) || h->is_shut_read;
	uint32_t mask = 0;

	if (h->is_listener)
		return poll_listener(h);
	if (!h->error)
		h->error = reeve_tcp_error(h->tcp);
	if (state == REEVE_TCP_SYN_SENT || state == REEVE_TCP_SYN_RECEIVED)
		return 0;
	if (state == REEVE_TCP_CLOSED)
		mask |= h->was_connected || h->error ? EPOLLIN | EPOLLRDNORM | EPOLLRDHUP : 0;
	if (state == REEVE_TCP_CLOSED || (peer_closed && h->is_shut_write))
		mask |= EPOLLHUP;
	if (h->error)
		mask |= EPOLLERR;
	if (peer_closed)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (reeve_tcp_readable(h->tcp) > 0)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (state == REEVE_TCP_CLOSED || h->is_shut_write || has_room(h))
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (reeve_tcp_urgent_offset(h->tcp) >= 0)
		mask |= EPOLLPRI;
	return mask;
}
