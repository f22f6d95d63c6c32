/*
 * The seccomp listener: receiving trapped calls and answering them.
 *
 * With WAIT_KILLABLE_RECV a received call waits, deaf to all signals but fatal ones, until it is
 * answered; so every call that is kept is looked at again and again (pended.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct notify {
	int fd;
};

struct trapped {
	uint64_t id;
	pid_t tid;
	int number; /* of the system call */
	uint64_t arguments[6];
};

/* Takes the listener. The kernel's structures must fit ours: -ENOTSUP. */
int notify_init(struct notify *n, int fd_take);
void notify_deinit(struct notify *n);

/* 0; -ENOENT when the call has vanished meanwhile; -EAGAIN; another negative errno: no more. */
int notify_receive(struct notify *n, struct trapped *ret);

/* `value` as the system call returns it: negative errnos too. A call that has vanished is no
 * error here: -ENOENT says that the answer reached nobody. */
int notify_answer(struct notify *n, const struct trapped *t, int64_t value);

/* Lets the kernel do the call as the program asked. */
int notify_continue(struct notify *n, const struct trapped *t);

/* A copy of `fd` in the program, at the lowest free number: the number, or a negative errno. */
int notify_add(struct notify *n, const struct trapped *t, int fd, bool close_on_exec);

/* The same at the number `at`, in place of what is there. */
int notify_replace(struct notify *n, const struct trapped *t, int fd, int at, bool close_on_exec);

/* Whether the call still waits: asked after its memory or descriptors were looked at. */
bool notify_is_waiting(const struct notify *n, const struct trapped *t);
