/* Owns trapped calls and the looks at those that wait. */
#include "guest/call.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/check.h"
#include "guest/kernel.h"
#include "guest/supervisor.h"

#define LOOK_FIRST_MS 20
#define LOOK_LAST_MS  80

/* After so many looks, some seconds, it is one of a server that has nothing to do, of which there may
 * be many on a machine. */
#define LOOKS_OF_IDLE 64
#define LOOK_IDLE_MS  320

/* Looks may take one part in so many of the time, however many calls are kept. */
#define LOOK_PART 150

struct call *call_new(struct supervisor *s, const struct trapped *t)
{
	struct list *node = list_pop(&s->free_calls);
	struct call *c = node ? list_entry(node, struct call, node) : malloc(sizeof(*c));

	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	list_init(&c->node);
	list_init(&c->waiting);
	c->trapped = *t;
	if (s->is_counting)
		c->received = supervisor_clock();
	c->fd = -1;
	c->begun = s->now;
	c->watch = (struct watch){ .kind = WATCH_CALL, .fd = -1 };
	timer_init(&c->look, CALL_TIMER_LOOK);
	timer_init(&c->deadline, CALL_TIMER_DEADLINE);
	return c;
}

/* Before the answer: the program may run on before the supervisor does, close its own descriptor,
 * and have others find the file closed. */
static void give_back(struct supervisor *s, struct call *c)
{
	watch_stop(s->epoll_fd, &c->watch);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void release(struct supervisor *s, struct call *c)
{
	list_remove(&c->node);
	list_remove(&c->waiting);
	if (c->is_kept) {
		s->kept--;
		timer_disarm(&s->timers, &c->look);
		timer_disarm(&s->timers, &c->deadline);
	}
	if (c->request)
		c->request->call = NULL;
	give_back(s, c);
	list_prepend(&s->free_calls, &c->node);
}

/* Before the answer, as the kernel may let the program run on before the supervisor does. */
static void count_call(struct supervisor *s, const struct call *c)
{
	if (s->is_counting)
		counts_add(&s->counts, c->kind, c->is_kept,
			   reeve_time_since(supervisor_clock(), c->received));
}

bool call_answer(struct supervisor *s, struct call *c, int64_t value)
{
	count_call(s, c);
	give_back(s, c);
	const bool reached = notify_answer(&s->notify, &c->trapped, value) == 0;

	release(s, c);
	return reached;
}

void call_continue(struct supervisor *s, struct call *c)
{
	count_call(s, c);
	give_back(s, c);
	(void)notify_continue(&s->notify, &c->trapped);
	release(s, c);
}

int call_answer_fd(struct supervisor *s, struct call *c, int fd, bool close_on_exec)
{
	const int number = notify_add(&s->notify, &c->trapped, fd, close_on_exec);

	(void)call_answer(s, c, number);
	return number;
}

void call_drop(struct supervisor *s, struct call *c)
{
	count_call(s, c);
	release(s, c);
}

/* Else a copy of a listener's descriptor would outlive the program that waited in accept(). */
void call_drop_all(struct supervisor *s, pid_t tid)
{
	list_for_each_safe(node, &s->calls) {
		struct call *c = list_entry(node, struct call, node);

		if (c->trapped.tid == tid && !notify_is_waiting(&s->notify, &c->trapped))
			call_drop(s, c);
	}
}

struct guest_socket *call_socket(struct supervisor *s, struct call *c)
{
	uint64_t cookie = 0;

	if (c->fd < 0)
		c->fd = descriptor_get(&s->descriptors, c->trapped.tid, call_int(c, 0));
	if (c->fd == -EPERM)
		supervisor_log(s, "process %d may not be looked into: its sockets stay mute",
			       c->trapped.tid);
	if (c->fd < 0 || descriptor_cookie(c->fd, &cookie) < 0)
		return NULL;
	c->socket = socket_by_cookie(&s->sockets, cookie);
	return c->socket;
}

static int64_t interval_ms(unsigned looks)
{
	if (looks < 2)
		return LOOK_FIRST_MS << looks;
	return looks < LOOKS_OF_IDLE ? LOOK_LAST_MS : LOOK_IDLE_MS;
}

/* On a grid, so that many are looked at in one turn of the loop; but not on that of all other
 * supervisors. */
static struct reeve_time next_look(const struct supervisor *s, const struct call *c)
{
	const int64_t wanted = interval_ms(c->looks);
	const int64_t least = s->kept * s->look_cost_ns * LOOK_PART / REEVE_NS_PER_MS;
	const int64_t grid = LOOK_FIRST_MS * REEVE_NS_PER_MS;
	const struct reeve_time t = reeve_time_add_ms(s->now, wanted > least ? wanted : least);

	return (struct reeve_time){ (t.ns + grid - 1) / grid * grid +
				    s->program % LOOK_FIRST_MS * REEVE_NS_PER_MS };
}

void call_hold(struct supervisor *s, struct call *c, call_retry *retry)
{
	if (!c->is_kept) {
		c->is_kept = true;
		s->kept++;
		list_append(&s->calls, &c->node);
		if (c->socket)
			list_append(&c->socket->calls, &c->waiting);
	}
	c->retry = retry;
}

int call_ask(struct supervisor *s, struct call *c, struct guest_message *m, const void *data,
	     request_done *done)
{
	c->request = channel_request(s, m, data, done);
	if (!c->request)
		return -ENOBUFS;
	c->request->call = c;
	call_hold(s, c, NULL);
	return 0;
}

static void caught_up(struct supervisor *s, struct request *r, const struct guest_message *answer,
		      const uint8_t *data)
{
	struct call *c = r->call;

	(void)answer;
	(void)data;
	if (!c)
		return;
	c->request = NULL;
	c->is_abreast = true;
	call_try_again(s, c);
}

void call_catch_up(struct supervisor *s, struct call *c)
{
	struct guest_message m = { .type = GUEST_SYNC };
	call_retry *const retry = c->retry;

	if (call_ask(s, c, &m, NULL, caught_up) < 0) {
		c->is_abreast = true;
		retry(s, c);
		return;
	}
	/* What it waits for may come before. */
	c->retry = retry;
}

void call_keep(struct supervisor *s, struct call *c, call_retry *retry, int64_t timeout_ms)
{
	const bool is_new = !timer_is_armed(&c->look);

	call_hold(s, c, retry);
	if (!is_new)
		return;
	timer_arm(&s->timers, &c->look, next_look(s, c));
	if (timeout_ms >= 0)
		timer_arm(&s->timers, &c->deadline, reeve_time_add_ms(s->now, timeout_ms));
}

void call_try_again(struct supervisor *s, struct call *c)
{
	/* For a caller that has ended meanwhile nothing is taken: it would be lost. */
	if (!c->tells_itself && !notify_is_waiting(&s->notify, &c->trapped))
		call_drop(s, c);
	else
		c->retry(s, c);
}

void call_retry_all(struct supervisor *s, struct guest_socket *socket)
{
	/* One retry may answer only its own call, so the next in the list stays. */
	list_for_each_safe(node, &socket->calls) {
		struct call *c = list_entry(node, struct call, waiting);

		if (c->retry)
			call_try_again(s, c);
	}
}

static uint64_t mask_of(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? strtoull(line + strlen(name), NULL, 16) : 0;
}

enum look { LOOK_QUIET, LOOK_THREAD_SIGNAL, LOOK_PROCESS_SIGNAL };

/* Whether a signal waits for the thread that would interrupt a call of the kernel's. */
static enum look look_at(pid_t tid)
{
	char path[32], text[4096];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", tid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return LOOK_QUIET;
	text[n] = '\0';
	const uint64_t stops = UINT64_C(1) << (SIGSTOP - 1) | UINT64_C(1) << (SIGTSTP - 1) |
			       UINT64_C(1) << (SIGTTIN - 1) | UINT64_C(1) << (SIGTTOU - 1);
	const uint64_t mine = mask_of(text, "\nSigPnd:"), shared = mask_of(text, "\nShdPnd:");
	const uint64_t acted = (mask_of(text, "\nSigCgt:") | stops) & ~mask_of(text, "\nSigIgn:") &
			       ~mask_of(text, "\nSigBlk:");

	if (mine & acted)
		return LOOK_THREAD_SIGNAL;
	return shared & acted ? LOOK_PROCESS_SIGNAL : LOOK_QUIET;
}

static void end_early(struct supervisor *s, struct call *c, int error)
{
	if (c->interrupt)
		c->interrupt(s, c);
	(void)call_answer(s, c, c->partial ? c->partial : -error);
}

/* With SO_RCVTIMEO or SO_SNDTIMEO a call is not begun anew: it would wait too long. */
static int interruption(const struct call *c)
{
	return timer_is_armed(&c->deadline) ? EINTR : KERNEL_ERESTARTSYS;
}

void call_timer(struct supervisor *s, struct timer *timer)
{
	if (timer->kind == CALL_TIMER_DEADLINE) {
		struct call *c = container_of(timer, struct call, deadline);

		if (c->overdue)
			c->overdue(s, c);
		else
			end_early(s, c, c->timeout_error);
		return;
	}
	struct call *c = container_of(timer, struct call, look);
	const struct reeve_time start = supervisor_clock();

	if (!notify_is_waiting(&s->notify, &c->trapped)) {
		call_drop(s, c);
		return;
	}
	const enum look look = s->is_killable ? look_at(c->trapped.tid) : LOOK_QUIET;

	/* Eased, as one look may be cut short by another process. */
	s->look_cost_ns += (reeve_time_since(supervisor_clock(), start) - s->look_cost_ns) / 8;

	/* One for the process may be taken by another thread: it must be there twice. */
	if (look == LOOK_THREAD_SIGNAL || (look == LOOK_PROCESS_SIGNAL && c->has_signal)) {
		end_early(s, c, interruption(c));
		return;
	}
	c->has_signal = look == LOOK_PROCESS_SIGNAL;
	c->looks = c->has_signal ? 0 : c->looks + 1;
	timer_arm(&s->timers, &c->look, next_look(s, c));
}

int64_t call_timeout_ms(const struct call *c, int option)
{
	struct timeval t = { 0 };
	socklen_t length = sizeof(t);

	if (getsockopt(c->fd, SOL_SOCKET, option, &t, &length) < 0 || (!t.tv_sec && !t.tv_usec))
		return -1;
	return (int64_t)t.tv_sec * 1000 + (t.tv_usec + 999) / 1000;
}
