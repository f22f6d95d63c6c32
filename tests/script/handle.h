/*
 * What stands behind a descriptor of a script: a socket with what Linux keeps beside it, an epoll set,
 * an end of a pipe, or a file. Its number is the script's.
 */
#pragma once

#include "reeve/tcp.h"

struct reeve_udp;

#define EPOLL_ITEMS 16
#define PIPE_BYTES  65536 /* as Linux */

enum handle_kind {
	HANDLE_NONE,
	HANDLE_STREAM,
	HANDLE_EPOLL,
	HANDLE_DATAGRAM,
	HANDLE_PIPE,
	HANDLE_FILE,
};

struct pipe {
	unsigned holders; /* descriptors */
	size_t start, length;
	uint8_t bytes[PIPE_BYTES];
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
	struct reeve_udp *udp;
	struct pipe *pipe;
	struct run *run;
	bool is_writer;   /* of a pipe */
	bool has_inq;     /* TCP_INQ: recvmsg() says how much is left */
	bool is_more;     /* corked by MSG_MORE, till a call without it */
	bool is_corked;   /* by TCP_CORK */
	int64_t linger_s; /* -1: close() does not wait */
	bool is_nonblocking, is_listener, is_connecting, is_shut_read, is_shut_write;
	bool was_connected;
	int error;                  /* pending, positive: taken from the socket when it was told */
	uint64_t edges;             /* events so far */
	uint32_t read_at, write_at; /* positions in the streams, from 1 */
	struct epoll_item items[EPOLL_ITEMS];
};

/* What poll() says of it. */
uint32_t handle_poll(struct handle *h);

/* Lets go what is not the host's. */
void handle_release(struct handle *h);

/* The pending error, negative, once; 0 when there is none. */
int handle_take_error(struct handle *h);

/* Whether the handshake is over. */
bool handle_is_connected(const struct handle *h);
