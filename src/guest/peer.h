/*
 * A socket's other side: what is told to the network process about it, and what the program is
 * made to see of what comes back. Here are the tricks that make an AF_UNIX socket behave as a TCP
 * socket does:
 *
 *	filler	while a connect is under way that the program does not wait for, bytes of ours fill
 *		its (shrunk) send buffer, so that poll() and send() say "not yet". They are taken
 *		out on success: one edge of EPOLLOUT. On failure the other end is closed over them
 *		unread: EPOLLERR and EPOLLHUP, and ECONNRESET from the kernel
 *	reset	one byte is written from the program's own end and its other end is closed with it
 *		unread: the program reads what is queued, then ECONNRESET
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/protocol.h"

struct guest_socket;
struct supervisor;

/* A message about the socket. `fd`: a duplicate of the program's end, or -1: SO_REUSEADDR lives
 * there. */
struct guest_message peer_message(const struct guest_socket *socket, enum guest_message_type type,
				  int fd);

/* What has changed of the options goes out in front of the next message, which is to follow; the network
 * process learns of the socket. */
void peer_tell_options(struct supervisor *s, struct guest_socket *socket);

/* What SO_SNDBUF and SO_RCVBUF of a TCP socket say, set or not. */
int peer_send_size(const struct supervisor *s, const struct guest_socket *socket);
int peer_receive_size(const struct guest_socket *socket);

/* Where they were set they bound what lies between the program and the network process: what the
 * program has written is in its own end's buffer (`fd`, or -1), what it has not read in the other's. */
void peer_set_buffers(const struct guest_socket *socket, int fd);

/* What the program has written and the network process has not yet read; no socket: nothing. */
int32_t peer_unread(const struct guest_socket *socket);

/* Behind the first request about a UDP socket: its end goes to the network process. */
void peer_attach(struct supervisor *s, struct guest_socket *socket);

/* Without an answer; `later`: with the next message, or soon. */
void peer_tell_later(struct supervisor *s, const struct guest_socket *socket,
		     enum guest_message_type type);
void peer_tell(struct supervisor *s, const struct guest_socket *socket,
	       enum guest_message_type type);

/* Joins the program's end (`fd`, a duplicate) and fills it. 0 or a negative errno. */
int peer_fill(struct supervisor *s, struct guest_socket *socket, int fd);
void peer_unfill(struct supervisor *s, struct guest_socket *socket);

/* Before it listens or connects: the address that bind() had given it before a disconnect. */
void peer_bind_again(struct supervisor *s, struct guest_socket *socket);

/*
 * Before the program shuts down the sending of its end `fd` a byte is left behind its last, by which it
 * can be told of a reset later; when the network process has been told of that byte.
 *
 * And before it shuts down the last direction: from then on the other end says nothing of a close.
 * Whoever has announced that in vain takes it back.
 */
void peer_announce_shut(struct supervisor *s, struct guest_socket *socket, bool wants_mark);
bool peer_watch_both(struct supervisor *s, struct guest_socket *socket, int fd); /* false: can't */
void peer_take_back_both(struct supervisor *s, struct guest_socket *socket);
void peer_take_back_mark(struct supervisor *s, struct guest_socket *socket);
void peer_leave_mark(struct supervisor *s, struct guest_socket *socket, int fd);

/* The program sees a reset. Frees the socket when nobody holds it any more. */
void peer_reset(struct supervisor *s, struct guest_socket *socket, int error);

/* The program's end `fd` is made to read ECONNRESET. */
void peer_reset_end(struct guest_socket *socket, int fd);

/* Nobody holds the socket any more: the network process is told, and it is freed. */
void peer_drop(struct supervisor *s, struct guest_socket *socket);

/* What a listener's program will accept; NULL without memory. */
struct guest_socket *peer_new_accepted(struct supervisor *s, const struct guest_socket *listener,
				       const struct reeve_sockaddr *local,
				       const struct reeve_sockaddr *remote);

/* What the program has not yet accepted: reset and freed. */
void peer_drop_queue(struct supervisor *s, struct guest_socket *listener);

/* A message of the network process that is no answer. */
void peer_dispatch(struct supervisor *s, const struct guest_message *m, const uint8_t *data);

/*
 * The pending error of a UDP socket, positive, and clears it. `fd`: a duplicate of the program's
 * end, which has been made to fail too, with ECONNRESET, and is cleared with it.
 */
int peer_take_error(struct guest_socket *socket, int fd);
void peer_clear_end(int fd);

/* A datagram end that may have to be told of errors: whoever pokes it has to find it again. Nobody
 * else can send to it, as it has its peer. `fd`: a duplicate of it. */
void peer_name_end(int fd);

/* The end fails already, and the message that says why has not been handled yet. */
bool peer_error_is_on_its_way(const struct guest_socket *socket, int fd);

/* The network process is gone: every connection is reset, every call that waits is answered,
 * listeners and UDP sockets are quiet. */
void peer_all_lost(struct supervisor *s);

/* Answers every open request with ENETDOWN: those, too, that were made since. */
void peer_fail_requests(struct supervisor *s);
