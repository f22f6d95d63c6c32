/* Owns the pidfds of the program's threads. */
#include "guest/descriptor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/kernel.h"

#define DEPTH 64 /* of a tree of processes */

void descriptor_cache_init(struct descriptor_cache *c, int epoll_fd)
{
	c->epoll_fd = epoll_fd;
}

void descriptor_forget(struct descriptor_cache *c, struct descriptor_process *p)
{
	if (p->tid == 0)
		return;
	watch_stop(c->epoll_fd, &p->watch);
	close(p->pidfd);
	p->tid = 0;
}

void descriptor_cache_deinit(struct descriptor_cache *c)
{
	for (int i = 0; i < DESCRIPTOR_CACHE; i++)
		descriptor_forget(c, &c->processes[i]);
}

static void read_text(const char *path, char *ret, size_t size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : -1;

	if (fd >= 0)
		close(fd);
	ret[n > 0 ? n : 0] = '\0';
}

static pid_t read_tgid(pid_t tid)
{
	char path[32], text[2048];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", tid);
	read_text(path, text, sizeof(text));
	const char *line = strstr(text, "\nTgid:");

	return line ? (pid_t)strtol(line + 6, NULL, 10) : 0;
}

/* Kernels before 6.9 have pidfds of whole processes only: then the leader's serves, as long as
 * threads share their descriptors, which all but a few do. */
static int open_pidfd(pid_t tid, pid_t tgid)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, tid == tgid ? 0 : PIDFD_THREAD);

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_pidfd_open, tgid, 0);
	return fd < 0 ? -errno : fd;
}

static int look_up(struct descriptor_cache *c, pid_t tid, struct descriptor_process **ret)
{
	struct descriptor_process *p = &c->processes[(unsigned)tid % DESCRIPTOR_CACHE];

	if (p->tid != tid) {
		const pid_t tgid = read_tgid(tid);

		if (tgid == 0)
			return -ESRCH;
		const int fd = open_pidfd(tid, tgid);

		if (fd < 0)
			return fd;
		descriptor_forget(c, p);
		*p = (struct descriptor_process){
			.tid = tid,
			.tgid = tgid,
			.pidfd = fd,
			.watch = { .kind = WATCH_PROCESS, .fd = -1 },
		};
		/* Or else its end is seen when it is asked for again. */
		(void)watch_start(c->epoll_fd, &p->watch, fd, EPOLLIN);
	}
	*ret = p;
	return 0;
}

int descriptor_get(struct descriptor_cache *c, pid_t tid, int fd)
{
	/* A cached pidfd of a thread that has ended says ESRCH: its number may be another's now. */
	for (int attempt = 0; attempt < 2; attempt++) {
		struct descriptor_process *p = NULL;
		const int r = look_up(c, tid, &p);

		if (r < 0)
			return r;
		const int copy = (int)syscall(SYS_pidfd_getfd, p->pidfd, fd, 0);

		if (copy >= 0)
			return copy;
		if (errno != ESRCH)
			return -errno;
		descriptor_forget(c, p);
	}
	return -ESRCH;
}

pid_t descriptor_process(struct descriptor_cache *c, pid_t tid)
{
	struct descriptor_process *p = NULL;

	return look_up(c, tid, &p) < 0 ? 0 : p->tgid;
}

bool descriptor_is_capable(pid_t tid, int capability)
{
	char path[32], text[2048];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", tid);
	read_text(path, text, sizeof(text));
	const char *line = strstr(text, "\nCapEff:");

	return line && strtoull(line + 8, NULL, 16) >> capability & 1;
}

int descriptor_cookie(int fd, uint64_t *ret)
{
	socklen_t length = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret, &length) < 0 ? -errno : 0;
}

bool descriptor_is_nonblocking(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_NONBLOCK);
}

bool descriptor_closes_on_exec(pid_t tid, int fd)
{
	char path[48], text[256];

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, fd);
	read_text(path, text, sizeof(text));
	const char *line = strstr(text, "flags:");

	return line && (strtol(line + 6, NULL, 8) & O_CLOEXEC);
}

static int get_if(struct descriptor_cache *c, pid_t tid, int fd, uint64_t cookie)
{
	const int copy = descriptor_get(c, tid, fd);
	uint64_t found = 0;

	if (copy < 0)
		return copy;
	if (descriptor_cookie(copy, &found) == 0 && found == cookie)
		return copy;
	close(copy);
	return -ENOENT;
}

struct search {
	struct descriptor_cache *cache;
	uint64_t cookie;
	int depth;
};

static int find_in_process(const struct search *s, pid_t pid)
{
	char path[32], target[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *directory = opendir(path);
	int found = -ENOENT;

	if (!directory)
		return -ENOENT;
	for (struct dirent *e = readdir(directory); e && found < 0; e = readdir(directory)) {
		const ssize_t n =
			readlinkat(dirfd(directory), e->d_name, target, sizeof(target) - 1);

		if (n > 7 && strncmp(target, "socket:", 7) == 0)
			found = get_if(s->cache, pid, (int)strtol(e->d_name, NULL, 10), s->cookie);
	}
	closedir(directory);
	return found;
}

static int find_below(struct search *s, pid_t pid);

static int find_in_children(struct search *s, const char *path)
{
	char text[4096], *at = text, *end = NULL;
	int found = -ENOENT;

	read_text(path, text, sizeof(text));
	for (long pid = strtol(at, &end, 10); end != at && found < 0; pid = strtol(at, &end, 10)) {
		found = find_in_process(s, (pid_t)pid);
		if (found < 0)
			found = find_below(s, (pid_t)pid);
		at = end;
	}
	return found;
}

/* Each thread has children of its own. */
static int find_below(struct search *s, pid_t pid)
{
	char path[320];
	int found = -ENOENT;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *threads = s->depth < DEPTH ? opendir(path) : NULL;

	if (!threads)
		return -ENOENT;
	s->depth++;
	for (struct dirent *e = readdir(threads); e && found < 0; e = readdir(threads)) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/children", pid, e->d_name);
		found = find_in_children(s, path);
	}
	s->depth--;
	closedir(threads);
	return found;
}

int descriptor_find(struct descriptor_cache *c, pid_t hint_tid, int hint_fd, uint64_t cookie)
{
	struct search s = { .cache = c, .cookie = cookie };
	const int found = hint_tid ? get_if(c, hint_tid, hint_fd, cookie) : -ENOENT;

	return found >= 0 ? found : find_below(&s, getpid());
}
