/*
 * What stands behind a descriptor of a script: a TCP socket with what Linux keeps beside it, or an
 * epoll set. Its number is the script's.
 */
#pragma once

#include "reeve/tcp.h"

#define EPOLL_ITEMS 16

enum handle_kind {
	HANDLE_NONE,
	HANDLE_STREAM,
	HANDLE_EPOLL,
};

struct epoll_item {
	bool is_used;
	int fd;
	uint32_t events;
	uint64_t data, seen; /* edges of the socket when it was last told */
};

struct handle {
	enum handle_kind kind;
	struct reeve_tcp *tcp;
	bool is_nonblocking, is_listener, is_connecting, is_shut_read, is_shut_write,
		resets_at_close;
	bool was_connected;
	int error;                  /* pending, positive: taken from the socket when it was told */
	uint64_t edges;             /* events so far */
	uint32_t read_at, write_at; /* positions in the streams, from 1 */
	struct epoll_item items[EPOLL_ITEMS];
};

/* What poll() says of it. */
uint32_t handle_poll(struct handle *h);

/* The pending error, negative, once; 0 when there is none. */
int handle_take_error(struct handle *h);

/* Whether the handshake is over. */
bool handle_is_connected(const struct handle *h);
