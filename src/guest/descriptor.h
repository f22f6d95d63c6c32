/*
 * The program's descriptors, seen from the supervisor: a short-lived duplicate shares the open file
 * with the program, so what is done to it is done to the program's, with all its copies.
 *
 * A socket's identity is its SO_COOKIE: it needs no book-keeping of close, dup, fork or exec.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/watch.h"

#define DESCRIPTOR_CACHE 256

struct descriptor_process {
	pid_t tid, tgid; /* 0: the entry is free */
	int pidfd;       /* of the thread */
	struct watch watch;
};

struct descriptor_cache {
	int epoll_fd;
	struct descriptor_process processes[DESCRIPTOR_CACHE];
};

/* Of memory that is all zeroes. The threads' ends are told in that epoll set: descriptor_forget() is
 * to be called then. */
void descriptor_cache_init(struct descriptor_cache *c, int epoll_fd);
void descriptor_cache_deinit(struct descriptor_cache *c);
void descriptor_forget(struct descriptor_cache *c, struct descriptor_process *p);

/* A duplicate of the thread's descriptor, close-on-exec. -EBADF, -EPERM, -ESRCH, ... */
int descriptor_get(struct descriptor_cache *c, pid_t tid, int fd);

/* The process that a thread belongs to; 0 when it is gone. */
pid_t descriptor_process(struct descriptor_cache *c, pid_t tid);

/* Whether the thread may do what CAP_* of that number allows. */
bool descriptor_is_capable(pid_t tid, int capability);

/* 0 and the cookie; -ENOTSOCK. */
int descriptor_cookie(int fd, uint64_t *ret);

bool descriptor_is_nonblocking(int fd);

/* FD_CLOEXEC belongs to the program's own number: read from /proc. */
bool descriptor_closes_on_exec(pid_t tid, int fd);

/* A duplicate of the socket with that cookie from any process below this one,
 * `hint_tid` and `hint_fd` first; -ENOENT when nobody holds it. */
int descriptor_find(struct descriptor_cache *c, pid_t hint_tid, int hint_fd, uint64_t cookie);
