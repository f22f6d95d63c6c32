/*
 * A trapped call: from its receipt to its answer.
 *
 * Whoever handles a call ends it by exactly one of call_answer(), call_answer_fd(),
 * call_continue(), which free it, or keeps it with call_keep() until something else answers it:
 * a request's done(), or the call's own retry() when its socket has changed.
 *
 * A kept call is deaf to signals but fatal ones. So each is looked at, first after 20 ms, then less
 * often, the longer it waits and the more there are: if a signal waits that the program handles, the
 * call is answered with ERESTARTSYS, which the kernel makes into a restart or EINTR as the handler
 * wants; one with a deadline says EINTR, as the kernel's do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/timers.h"
#include "guest/channel.h"
#include "guest/notify.h"
#include "guest/watch.h"

struct call;
struct guest_socket;
struct supervisor;

enum { CALL_TIMER_LOOK, CALL_TIMER_DEADLINE };

/* Tries again; answers the call, or leaves it. */
typedef void call_retry(struct supervisor *s, struct call *c);

struct call {
	struct list node;    /* in the supervisor's kept or free ones */
	struct list waiting; /* in the socket's calls */
	struct trapped trapped;
	unsigned kind;              /* of call, as they are counted */
	struct reeve_time received; /* if they are counted */
	bool is_kept;
	struct guest_socket *socket;
	int fd; /* a duplicate of the descriptor the call is about, closed with it; -1 */
	struct request *request;
	call_retry *retry;     /* NULL: only its request's answer ends it */
	call_retry *interrupt; /* before a signal, or the deadline, ends it; may be NULL */
	struct watch watch;    /* of `fd`, when the call waits for its readiness */
	struct timer look, deadline;
	call_retry *overdue; /* instead of the deadline's answer; may be NULL */
	int timeout_error;   /* what the deadline answers; positive */
	struct reeve_time begun;
	unsigned looks;
	bool tells_itself; /* when it is tried again, whether its caller is still there */
	bool has_signal;   /* seen at the last look, sent to the process as a whole */
	bool is_abreast;   /* see call_catch_up() */
	uint64_t progress; /* the handler's own */
	uint32_t index;    /* likewise: of several messages */
	int64_t partial;   /* what it answers, if not 0, when a signal or the deadline ends it */
	call_retry *then;  /* instead of a connect's success; may be NULL */
};

static inline int call_int(const struct call *c, int argument)
{
	return (int)(uint32_t)c->trapped.arguments[argument];
}

struct call *call_new(struct supervisor *s, const struct trapped *t); /* NULL without memory */

/* Returns false when the caller had vanished: what was done for it should be undone. */
bool call_answer(struct supervisor *s, struct call *c, int64_t value);
void call_continue(struct supervisor *s, struct call *c);

/* A copy of `fd` becomes the answer. The number in the program, or a negative errno, which the
 * program has been given too. */
int call_answer_fd(struct supervisor *s, struct call *c, int fd, bool close_on_exec);

/* Forgets a call whose caller is gone. */
void call_drop(struct supervisor *s, struct call *c);
void call_drop_all(struct supervisor *s, pid_t tid); /* of a thread that has ended */

/* The socket of argument 0, its duplicate in c->fd; NULL when it is none of ours. */
struct guest_socket *call_socket(struct supervisor *s, struct call *c);

/* Keeps it, in the socket's list if there is one. `timeout_ms` < 0: none. */
void call_keep(struct supervisor *s, struct call *c, call_retry *retry, int64_t timeout_ms);

/* The same for a moment that has a sure end: no signal and no time ends it, until call_keep(). */
void call_hold(struct supervisor *s, struct call *c, call_retry *retry);

/* Sends the request that the call is about, and holds the call until its done(). -ENOBUFS without
 * memory: nothing was sent, and the call is still the caller's to end. */
int call_ask(struct supervisor *s, struct call *c, struct guest_message *m, const void *data,
	     request_done *done);

/* Retries one that is kept, once more when all has been heard that the network process has said by
 * now; is_abreast is set then. */
void call_catch_up(struct supervisor *s, struct call *c);

/* Retries one that is kept, if its caller still waits. */
void call_try_again(struct supervisor *s, struct call *c);

/* Retries all that wait for the socket. */
void call_retry_all(struct supervisor *s, struct guest_socket *socket);

/* A timer of the call has fired. */
void call_timer(struct supervisor *s, struct timer *timer);

/* SO_RCVTIMEO or SO_SNDTIMEO of the call's descriptor in ms, -1 for none. */
int64_t call_timeout_ms(const struct call *c, int option);
