/*
 * The control socket: Varlink (varlink.org), one request after another on each connection.
 *
 * Only processes of the network's owner are let in, and none of those that run inside the network:
 * a program must not be able to grant itself a port. Memory is bounded: a message is at most
 * CONTROL_MESSAGE_MAX bytes, the next request is read when the last answer has been written, and the
 * number of clients is limited.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CONTROL_MESSAGE_MAX (1u << 20)

struct network;
struct control_server;

/* Owns the listening descriptor in any case; -1: none. NULL: no memory. */
struct control_server *control_server_new(struct network *n, int listen_fd);
struct control_server *control_server_free(struct control_server *s);
void control_close_listener(struct control_server *s);

/* Takes in whoever waits at the socket. */
void control_accept(struct control_server *s);

/* A client that is connected already, without a look at who it is. For tests. */
int control_adopt(struct control_server *s, int fd_take);

uint32_t control_client_count(const struct control_server *s);
bool control_is_flushed(const struct control_server *s); /* no answer is still on its way */

/* After each turn: frees the clients that have gone. */
void control_settle(struct control_server *s);
