/* Datagrams: what read() and write() and what is like them do with a UDP socket. */
#include "call_datagram.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

bool datagram_write(struct call *c, struct handle *h, const struct iovec *iov, int64_t *ret)
{
	const struct script_settings *const s = &c->run->script->settings;
	const struct reeve_sockaddr peer = { s->remote, s->connect_port, 0 };
	const bool has_name = strcmp(c->spec->name, "sendto") == 0;
	struct reeve_sockaddr name = peer, connected;

	if (has_name)
		name = call_name(c, call_argument(c, 4), &peer);
	if (c->run->fault->is_set)
		return true;

	const bool is_connected = reeve_udp_remote(h->udp, &connected) == 0;
	const int error =
		reeve_udp_send(h->udp, has_name && !is_connected ? &name : NULL, NULL, iov, 1);

	*ret = error < 0 ? error : (int64_t)iov->iov_len;
	return true;
}

bool datagram_read(struct call *c, struct handle *h, uint8_t *bytes, size_t length, int64_t flags,
		   int64_t *ret)
{
	struct reeve_datagram d;
	size_t done = 0;

	const int error = reeve_udp_error(h->udp);

	if (error > 0) {
		*ret = -error;
		return true;
	}
	if (!reeve_udp_peek(h->udp, &d)) {
		*ret = -EAGAIN;
		return h->is_nonblocking || flags & MSG_DONTWAIT;
	}
	for (size_t i = 0; i < d.iov_count && done < length; i++) {
		const size_t left = length - done;
		const size_t part = d.iov[i].iov_len < left ? d.iov[i].iov_len : left;

		memcpy(bytes + done, d.iov[i].iov_base, part);
		done += part;
	}
	*ret = flags & MSG_TRUNC ? (int64_t)d.length : (int64_t)done;
	if (strcmp(c->spec->name, "recvfrom") == 0)
		call_compare_name(c, call_argument(c, 4), &d.remote);
	if (!flow_is_content(1, bytes, done))
		script_fault(c->run->fault, c->event->place, "%s(): other bytes than were sent",
			     c->spec->name);
	if (!(flags & MSG_PEEK))
		reeve_udp_consume(h->udp);
	return true;
}
