/* Owns the exchange of a program's end for a fresh one. */
#include "guest/replace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "guest/supervisor.h"

/* More copies, and more sets that watch them, than any program has; what is over stays dead. */
#define COPIES_MAX  64
#define WATCHES_MAX 64

struct watched {
	int set; /* the program's number of the epoll set */
	struct epoll_event event;
	int at; /* the number by which the set knows the socket */
};

struct holdings {
	char socket[32], directory[32]; /* what the program's links say; where they are */
	unsigned long inode;
	int copies[COPIES_MAX];
	struct watched watches[WATCHES_MAX];
	size_t copy_count, watch_count;
};

/* Options that live in the AF_UNIX socket itself. */
static const int carried[] = { SO_REUSEADDR, SO_RCVLOWAT, SO_OOBINLINE };
static const int carried_times[] = { SO_RCVTIMEO, SO_SNDTIMEO };

static void carry_options(int from, int to)
{
	for (size_t i = 0; i < array_length(carried); i++) {
		int value = 0;
		socklen_t length = sizeof(value);

		if (getsockopt(from, SOL_SOCKET, carried[i], &value, &length) == 0)
			(void)setsockopt(to, SOL_SOCKET, carried[i], &value, length);
	}
	for (size_t i = 0; i < array_length(carried_times); i++) {
		struct timeval value = { 0 };
		socklen_t length = sizeof(value);

		if (getsockopt(from, SOL_SOCKET, carried_times[i], &value, &length) == 0)
			(void)setsockopt(to, SOL_SOCKET, carried_times[i], &value, length);
	}
	const int owner = fcntl(from, F_GETOWN), signal = fcntl(from, F_GETSIG);

	if (owner != 0)
		(void)fcntl(to, F_SETOWN, owner);
	if (signal > 0)
		(void)fcntl(to, F_SETSIG, signal);
	(void)fcntl(to, F_SETFL, fcntl(from, F_GETFL));
}

static void look_into_set(struct holdings *h, pid_t tid, int set)
{
	char path[48], line[256];

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, set);
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	while (h->watch_count < WATCHES_MAX && fgets(line, sizeof(line), f)) {
		struct watched *w = &h->watches[h->watch_count];
		unsigned long inode = 0;
		unsigned long long data = 0;
		unsigned events = 0;
		int at = -1;

		/* The kernel's own format: every number is short enough. */
		/* NOLINTNEXTLINE(cert-err34-c) */
		if (sscanf(line, "tfd: %d events: %x data: %llx pos:%*d ino:%lx", &at, &events,
			   &data, &inode) != 4 ||
		    inode != h->inode)
			continue;
		*w = (struct watched){ .set = set, .at = at };
		w->event.events = events;
		w->event.data.u64 = data;
		h->watch_count++;
	}
	(void)fclose(f);
}

static void look_at(struct holdings *h, pid_t tid, const char *name)
{
	char path[64], target[64];

	(void)snprintf(path, sizeof(path), "%s/%.16s", h->directory, name);
	const ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0)
		return;
	target[n] = '\0';
	const int number = (int)strtol(name, NULL, 10);

	if (strcmp(target, h->socket) == 0 && h->copy_count < COPIES_MAX)
		h->copies[h->copy_count++] = number;
	else if (strcmp(target, "anon_inode:[eventpoll]") == 0)
		look_into_set(h, tid, number);
}

static int look_around(struct holdings *h, pid_t tid, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	h->inode = st.st_ino;
	(void)snprintf(h->socket, sizeof(h->socket), "socket:[%lu]", h->inode);
	(void)snprintf(h->directory, sizeof(h->directory), "/proc/%d/fd", tid);
	DIR *d = opendir(h->directory);

	if (!d)
		return -errno;
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		if (e->d_name[0] != '.')
			look_at(h, tid, e->d_name);
	closedir(d);
	return 0;
}

/* A set knows its members by file and number, the caller's: so the file is put at that number
 * here for as long as the call takes, whatever else may be there. */
static void change_set(int set, int operation, int fd, int at, struct epoll_event *event)
{
	const bool is_used = fcntl(at, F_GETFD) >= 0;
	const int own = is_used ? fcntl(at, F_DUPFD_CLOEXEC, 0) : -1;

	if (is_used && own < 0)
		return;
	if (fd == at || dup3(fd, at, O_CLOEXEC) >= 0)
		(void)epoll_ctl(set == at ? own : set, operation, at, event);
	if (is_used && fd != at)
		(void)dup3(own, at, O_CLOEXEC);
	if (is_used)
		close(own);
	else
		close(at);
}

static void move_watches(struct supervisor *s, const struct call *c, struct holdings *h, int fresh)
{
	for (size_t i = 0; i < h->watch_count; i++) {
		struct watched *w = &h->watches[i];
		const int set = descriptor_get(&s->descriptors, c->trapped.tid, w->set);

		if (set < 0)
			continue;
		change_set(set, EPOLL_CTL_DEL, c->fd, w->at, &w->event);
		change_set(set, EPOLL_CTL_ADD, fresh, w->at, &w->event);
		close(set);
	}
}

static int put_at_all(struct supervisor *s, const struct call *c, const struct holdings *h,
		      int fresh)
{
	for (size_t i = 0; i < h->copy_count; i++) {
		const int at = h->copies[i];
		const int r = notify_replace(&s->notify, &c->trapped, fresh, at,
					     descriptor_closes_on_exec(c->trapped.tid, at));

		if (r < 0)
			return r;
	}
	return 0;
}

int replace_end(struct supervisor *s, struct call *c, bool renumber)
{
	struct guest_socket *const dead = c->socket;
	struct holdings h = { .copy_count = 0 };
	uint64_t cookie = 0;
	const int fresh = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fresh < 0)
		return -errno;
	int r = look_around(&h, c->trapped.tid, c->fd);

	if (r == 0)
		r = descriptor_cookie(fresh, &cookie);
	if (r == 0) {
		carry_options(c->fd, fresh);
		r = put_at_all(s, c, &h, fresh);
	}
	if (r < 0) {
		close(fresh);
		return r;
	}
	move_watches(s, c, &h, fresh);
	close(c->fd);
	c->fd = fresh;
	liveness_remove(&s->liveness, dead);
	dead->state = SOCKET_FRESH;
	dead->is_shut = dead->is_marked = dead->has_shut_read = dead->is_confirmed = false;
	dead->is_both = dead->is_asked = false;
	if (dead->is_direct)
		direct_end(s, dead);
	socket_set_cookie(&s->sockets, dead, cookie);
	if (renumber)
		socket_set_number(&s->sockets, dead, cookie);
	liveness_add(&s->liveness, dead, fresh);
	supervisor_sweep_later(s);
	return 0;
}
