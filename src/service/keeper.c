#include "service/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_SOCKET   3 /* SD_LISTEN_FDS_START */
#define TOLD_MOST      256
#define CHILDREN_BYTES 65536

struct keeping {
	const struct keeper_start *start;
	int lease, reports, signals;
	pid_t program;
	bool has_ended; /* the program itself */
	bool is_ending;
	int64_t kill_at_ms; /* while ending */
	pid_t told[TOLD_MOST];
	size_t told_count;
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* In the program's process, the way to itself. */

static _Noreturn void give_up(int reports, enum keeper_step step)
{
	const struct keeper_report r = { KEEPER_FAILED, (uint16_t)step, errno };

	(void)!write(reports, &r, sizeof(r));
	_exit(127);
}

/* Above all numbers that something is to be put at. */
static int lift(int fd, int above)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, above);
}

static bool place_descriptors(const struct keeper_start *s, int *reports)
{
	const int above = FIRST_SOCKET + s->socket_count;
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int standard[3], sockets[64];

	if (null < 0 || s->socket_count > 64)
		return false;
	*reports = lift(*reports, above);
	for (int i = 0; i < 3; i++)
		standard[i] = lift(s->standard[i] >= 0 ? s->standard[i] : null, above);
	for (int i = 0; i < s->socket_count; i++)
		sockets[i] = lift(s->sockets[i], above);
	for (int i = 0; i < 3; i++)
		if (dup2(standard[i], i) < 0)
			return false;
	for (int i = 0; i < s->socket_count; i++)
		if (dup2(sockets[i], FIRST_SOCKET + i) < 0)
			return false;
	/* All others are closed on exec. */
	return *reports >= 0;
}

static void set_number(const char *name, long number)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld", number);
	(void)setenv(name, text, 1);
}

static void set_environment(const struct keeper_start *s)
{
	static const char *const ours[] = { "LISTEN_FDS",  "LISTEN_PID",  "LISTEN_FDNAMES",
					    "REMOTE_ADDR", "REMOTE_PORT", NULL };

	for (const char *const *name = ours; *name; name++)
		(void)unsetenv(*name);
	for (char *const *e = s->environment; *e; e++)
		(void)putenv(*e);
	if (s->socket_count > 0) {
		set_number("LISTEN_FDS", s->socket_count);
		set_number("LISTEN_PID", getpid());
		(void)setenv("LISTEN_FDNAMES", s->socket_names, 1);
	}
	if (s->peer) {
		(void)setenv("REMOTE_ADDR", s->peer, 1);
		(void)setenv("REMOTE_PORT", s->peer_port, 1);
	}
}

/* Whatever ignored signals `reeve up` was started with. The C library keeps two of them (32 and 33) to
 * itself and refuses to set them, so the kernel is asked. */
static void heed_signals(void)
{
	const struct {
		uint64_t handler, flags, restorer, mask;
	} by_default = { (uintptr_t)SIG_DFL, 0, 0, 0 };

	for (int number = 1; number < NSIG; number++)
		(void)syscall(SYS_rt_sigaction, number, &by_default, NULL, sizeof(uint64_t));
}

static _Noreturn void become_program(const struct keeper_start *s, int reports)
{
	/* A session of its own: no terminal, and a group that can be told as a whole. */
	(void)setsid();
	if (!place_descriptors(s, &reports))
		give_up(reports, KEEPER_PROCESS);
	if (chdir(s->directory) < 0)
		give_up(reports, KEEPER_DIRECTORY);
	set_environment(s);
	(void)setrlimit(RLIMIT_NOFILE, s->files);
	heed_signals();
	(void)sigprocmask(SIG_SETMASK, s->signals, NULL);
	execvp(s->run[0], s->run);
	give_up(reports, KEEPER_RUN);
}

/* In the keeper. */

static void report(const struct keeping *k, enum keeper_event event, int value)
{
	const struct keeper_report r = { (uint16_t)event, 0, value };

	(void)!write(k->reports, &r, sizeof(r));
}

/* The children of this process. */
static size_t list_children(pid_t *ret, size_t most)
{
	static char text[CHILDREN_BYTES];
	char path[64];
	size_t count = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	char *at = text, *end = NULL;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (long pid = strtol(at, &end, 10); end != at && count < most;
	     pid = strtol(at, &end, 10)) {
		ret[count++] = (pid_t)pid;
		at = end;
	}
	return count;
}

static bool was_told(const struct keeping *k, pid_t pid)
{
	for (size_t i = 0; i < k->told_count; i++)
		if (k->told[i] == pid)
			return true;
	return false;
}

/* Those that are ours now: the program, then what it leaves behind when it ends, once each. When the
 * time is over, all are killed. */
static void tell_children(struct keeping *k)
{
	pid_t children[TOLD_MOST];
	const size_t count = list_children(children, TOLD_MOST);
	const bool is_over = now_ms() >= k->kill_at_ms;

	for (size_t i = 0; i < count; i++) {
		if (is_over) {
			(void)kill(children[i], SIGKILL);
			continue;
		}
		if (was_told(k, children[i]))
			continue;
		if (k->told_count < TOLD_MOST)
			k->told[k->told_count++] = children[i];
		(void)kill(children[i], SIGTERM);
		/* One that is stopped hears of it when it goes on. */
		(void)kill(children[i], SIGCONT);
	}
}

static void begin_ending(struct keeping *k)
{
	if (k->is_ending)
		return;
	k->is_ending = true;
	k->kill_at_ms = now_ms() + k->start->grace_ms;
}

/* False when no process is left. */
static bool reap(struct keeping *k)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(k->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		/* A number that comes again is somebody else. */
		for (size_t i = 0; i < k->told_count; i++)
			if (k->told[i] == pid)
				k->told[i] = k->told[--k->told_count];
		if (pid != k->program)
			continue;
		k->has_ended = true;
		report(k, KEEPER_ENDED, status);
		if (!k->start->is_lasting || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			begin_ending(k);
	}
	return pid == 0;
}

static _Noreturn void keep(struct keeping *k)
{
	while (reap(k)) {
		struct pollfd p[2] = { { .fd = k->signals, .events = POLLIN },
				       { .fd = k->is_ending ? -1 : k->lease, .events = POLLIN } };
		int timeout_ms = -1;

		if (k->is_ending) {
			tell_children(k);
			const int64_t left = k->kill_at_ms - now_ms();

			/* What comes up from a killed parent is killed with the next look. */
			timeout_ms = left > 0 ? (int)left : 100;
		}
		if (poll(p, 2, timeout_ms) > 0 && p[1].revents)
			begin_ending(k);
	}
	_exit(0);
}

/* Nothing is held but the pipes: sockets are the program's alone, or their end could not be seen. */
static void let_go(struct keeping *k)
{
	const int low = k->lease < k->reports ? k->lease : k->reports;
	const int high = k->lease < k->reports ? k->reports : k->lease;
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		(void)dup2(null, fd);
	if (low > 3)
		close_range(3, (unsigned)low - 1, 0);
	if (high > low + 1)
		close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	close_range((unsigned)high + 1, ~0U, 0);
}

static _Noreturn void become_keeper(const struct keeper_start *start, int lease, int reports)
{
	struct keeping k = { .start = start, .lease = lease, .reports = reports };
	struct keeper_report failure;
	int said[2];
	sigset_t all;

	/* Only the manager tells the keeper what to do; its end is not what ends the program. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "reeve-keeper", 0, 0, 0);
	/* What the program cannot say any more when it is itself: whether it has become that. */
	if (pipe2(said, O_CLOEXEC) < 0)
		give_up(reports, KEEPER_PROCESS);
	k.program = fork();
	if (k.program == 0)
		become_program(start, said[1]);
	if (k.program < 0)
		give_up(reports, KEEPER_PROCESS);
	close(said[1]);
	const bool has_failed = read(said[0], &failure, sizeof(failure)) == sizeof(failure);

	let_go(&k);
	(void)sigemptyset(&all);
	(void)sigaddset(&all, SIGCHLD);
	k.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (has_failed)
		(void)!write(reports, &failure, sizeof(failure));
	else
		report(&k, KEEPER_STARTED, (int)k.program);
	keep(&k);
}

int keeper_begin(const struct keeper_start *start, struct keeper *ret)
{
	int lease[2], reports[2], error;

	if (pipe2(lease, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(reports, O_CLOEXEC) < 0) {
		error = errno;
		close(lease[0]);
		close(lease[1]);
		return -error;
	}
	const pid_t pid = fork();

	if (pid == 0) {
		close(lease[1]);
		close(reports[0]);
		become_keeper(start, lease[0], reports[1]);
	}
	error = errno;
	close(lease[0]);
	close(reports[1]);
	if (pid < 0) {
		close(lease[1]);
		close(reports[0]);
		return -error;
	}
	(void)fcntl(reports[0], F_SETFL, O_NONBLOCK);
	*ret = (struct keeper){ .pid = pid, .lease = lease[1], .reports = reports[0] };
	return 0;
}

void keeper_end_strangers(bool (*is_ours)(pid_t pid, void *user), void *user)
{
	pid_t children[TOLD_MOST];
	const size_t count = list_children(children, TOLD_MOST);

	for (size_t i = 0; i < count; i++)
		if (!is_ours(children[i], user))
			(void)kill(children[i], SIGKILL);
}
