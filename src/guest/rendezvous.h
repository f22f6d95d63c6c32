/*
 * Where AF_UNIX sockets meet: a directory of mode 0700 with the supervisor's own listener, to which
 * a connecting program's socket is joined, and a file for each of the program's listeners. Names in
 * the file system, because strangers can't reach them, as they could abstract ones; and who has
 * connected is checked as well.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define RENDEZVOUS_PREFIX "reeve-run-" /* of the directories' names */
#define RENDEZVOUS_PATH   80
#define RENDEZVOUS_FILE   (RENDEZVOUS_PATH + 12) /* in such a directory */

struct rendezvous {
	char directory[RENDEZVOUS_PATH];
	int fd; /* the supervisor's own listener */
	pid_t pid;
	uint32_t last_path;
};

/* Makes the directory: under XDG_RUNTIME_DIR, or else /tmp. 0 or a negative errno. */
int rendezvous_make_directory(char ret[RENDEZVOUS_PATH]);
void rendezvous_remove_directory(const char *directory); /* with what is in it */

int rendezvous_init(struct rendezvous *r, const char *directory); /* 0 or a negative errno */
void rendezvous_deinit(struct rendezvous *r);

/* Connects the program's socket `fd`, in place; the other end, or a negative errno. */
int rendezvous_join(struct rendezvous *r, int fd);

/* Binds the program's socket to a new file and listens; the file's number in *ret_path. */
int rendezvous_listen(struct rendezvous *r, int fd, uint32_t *ret_path);

/* So many connections may wait at a listener: more, and who connects would have to wait. */
int rendezvous_most_waiting(void);

/* The file's name, and its length with its NUL. */
uint32_t rendezvous_file(const struct rendezvous *r, uint32_t path, char ret[RENDEZVOUS_FILE]);

/* -ECONNREFUSED: that listener has no holder any more. `fd`: an unconnected datagram socket, which
 * stays one. */
int rendezvous_probe(const struct rendezvous *r, int fd, uint32_t path);

void rendezvous_forget(struct rendezvous *r, uint32_t path);

/* Connects the program's socket `fd`, in place, to a file of another program's. */
int rendezvous_connect(int fd, const char *file);

/* Puts a connection of the supervisor's own into the queue of a listener, which makes it ready. False
 * when it is full, and so ready anyhow. */
bool rendezvous_put_token(const struct rendezvous *r, uint32_t path);

/* Who has joined a listener. */
struct rendezvous_guest {
	pid_t pid;
	struct sockaddr_un name;
	socklen_t name_length;
};

/* The next connection that waits at the program's listener `fd`, and whose it is; -EAGAIN when there is
 * none. */
int rendezvous_accept(int fd, bool nonblocking, struct rendezvous_guest *ret);
