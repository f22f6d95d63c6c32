/*
 * Two programs of one host joined directly, where both were started so (`--loopback=direct`): their
 * AF_UNIX sockets are connected to each other, and no byte comes by here.
 *
 * The connection is made in the stack all the same, so that ports, conflicts, refusals and listings
 * are what they are. A connect() to the host itself is an *offer*: within two rounds of the host's
 * work the handshake goes round its loopback interface, and if the listener's program takes direct
 * ones, the connecting supervisor is told the listener's file, and the accepting one who will come.
 * What has not met by then goes its ordinary way, and the supervisor is told that, too, since it
 * keeps the program waiting for that moment.
 *
 * The two sockets of the stack stay while the programs' do, as their names; nothing is sent, at the end
 * neither: closed ones are found many at a time, and their resets would crowd out the SYNs of others.
 */
#include <errno.h>
#include <string.h>

#include "network/guest_private.h"

#define ROUNDS 2

void guest_direct_offer(struct guest_socket *s)
{
	s->offer_rounds = ROUNDS;
	list_append(&s->session->host->offers, &s->offer);
	socket_owner_resume(&s->owner);
}

void guest_direct_withdraw(struct guest_socket *s)
{
	list_remove(&s->offer);
}

bool guest_direct_round(struct guest_socket *s)
{
	const struct guest_message m = { .type = GUEST_EXACT, .socket = s->number };

	if (--s->offer_rounds > 0) {
		socket_owner_resume(&s->owner);
		return false;
	}
	list_remove(&s->offer);
	guest_send(s->session, &m, NULL, 0);
	return true;
}

struct guest_socket *guest_direct_find(const struct guest_socket *listener, struct reeve_tcp *tcp)
{
	struct reeve_sockaddr remote, local, from, to;

	if (!listener->session->is_direct || list_is_empty(&listener->session->host->offers) ||
	    reeve_tcp_remote(tcp, &remote) < 0 || reeve_tcp_local(tcp, &local) < 0)
		return NULL;
	list_for_each(node, &listener->session->host->offers) {
		struct guest_socket *s = list_entry(node, struct guest_socket, offer);

		if (reeve_tcp_local(s->tcp, &from) == 0 && reeve_tcp_remote(s->tcp, &to) == 0 &&
		    reeve_sockaddr_equal(&from, &remote) && reeve_sockaddr_equal(&to, &local))
			return s;
	}
	return NULL;
}

void guest_direct_join(struct guest_socket *listener, struct guest_socket *accepted,
		       struct guest_socket *offer)
{
	struct guest_message incoming = {
		.type = GUEST_INCOMING_CONNECTION,
		.flags = GUEST_DIRECT,
		.socket = accepted->number,
		.value = (int64_t)listener->number,
		.pid = (uint32_t)offer->session->supervisor,
	};
	struct guest_message answer = {
		.type = GUEST_ANSWER,
		.flags = GUEST_DIRECT,
		.request = offer->connect_request,
		.socket = offer->number,
	};

	list_remove(&offer->offer);
	offer->connecting = false;
	offer->connected = true;
	offer->is_direct = accepted->is_direct = true;
	offer->peer = accepted;
	accepted->peer = offer;
	guest_socket_name(accepted, &incoming);
	guest_socket_name(offer, &answer);
	/* In this order: mostly the connection is there when who accepts hears of it, and need not be
	 * waited for. One that is met unannounced waits for its announcement. */
	guest_send(offer->session, &answer, listener->path, strlen(listener->path) + 1);
	guest_send(listener->session, &incoming, NULL, 0);
}

void guest_direct_end(struct guest_socket *s, bool was_joined)
{
	struct guest_socket *peer = s->peer;

	if (s->is_direct)
		reeve_tcp_forget(s->tcp);
	s->peer = NULL;
	if (!peer)
		return;
	peer->peer = NULL;
	reeve_tcp_forget(peer->tcp);
	if (!was_joined && peer->is_pending) {
		const struct guest_message m = {
			.type = GUEST_RESET,
			.socket = peer->number,
			.error = ECONNRESET,
		};

		guest_send(peer->session, &m, NULL, 0);
	}
}
