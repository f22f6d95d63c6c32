/*
 * The client's way to a network process: connect to one of its sockets and, if it is wanted and
 * there is none, start it first.
 *
 * The file `lock` keeps order, by locks on its bytes (of the open file description, so that they
 * end with whoever holds them, however it ends):
 *
 *	byte 0	held by the network process for its life: there is one at a time
 *	byte 1	shared: a client is about to connect. Exclusive: a client starts the network
 *		process, or the idle network process is about to end
 *
 * The network process is started with the open file by which its starter holds byte 1, and closes it
 * when it listens: though its starter be killed, nobody starts another meanwhile. So one that finds
 * byte 0 held, and nobody who takes in programs, waits for one that ends.
 *
 * A network process that ends in order removes the directory, `lock` last. Whoever removes `lock`
 * holds both bytes of it, byte 1 exclusively; whoever has got a byte looks whether its file is still
 * the one at the path, and if not begins anew. So nobody goes on with a lock that others do not
 * see: while a byte of the file at the path is held it stays there.
 *
 * So a client that has connected is either seen by the network process before it decides to end,
 * or finds no socket and starts the next one. Sockets of a process that was killed refuse; the next
 * network process removes them, under byte 0.
 */
#pragma once

#include <stdbool.h>

#define NETWORK_ERROR_TEXT 512

enum network_socket {
	NETWORK_CONTROL, /* Varlink (io.reeve.Network) over SOCK_STREAM */
	NETWORK_GUEST,   /* guest/protocol.h over SOCK_SEQPACKET */
};

/* The verb by which a program that holds network_main() must call it: `reeve NETWORK_VERB NAME
 * READY_FD LOCK_FD`. Started as /proc/self/exe. */
#define NETWORK_VERB "network-process"

/*
 * A connected, blocking, close-on-exec descriptor. `network` NULL: "default". Without `start` a
 * network that does not run is -ESRCH. Else a negative errno with one line in `error`.
 */
int network_connect(const char *network, enum network_socket which, bool start, int *ret_fd,
		    char error[NETWORK_ERROR_TEXT]);

/* Does a process listen at this socket for programs, and so mean to stay? */
bool network_takes_programs(const char *guest_path);

enum { NETWORK_LOCK_LIFE = 0, NETWORK_LOCK_CONNECT = 1 };

/* For the network process: `type` is F_RDLCK, F_WRLCK or F_UNLCK. 0 or a negative errno (-EAGAIN:
 * held by another, and `wait` is false; -EINTR: a signal came while it waited). */
int network_lock(int lock_fd, int byte, short type, bool wait);

/* Is the open file still the one at the path? To be asked when a byte of it is held. */
bool network_lock_is_current(int lock_fd, const char *path);
