/*
 * The floor that the traps alone set: runs a program under Reeve's own filter and answers its
 * trapped calls with the least that makes sockets which work, AF_UNIX ones joined directly: no
 * names but the port, no identities, no options, no network process, no TCP; UDP is the kernel's.
 * What Reeve does is measured against it, since no supervisor can be faster.
 *
 *	floor [--names | --relay=NAME] PROGRAM [ARGUMENT...]
 *
 * Programs that are started so find each other by port. With --names the supervisor also asks what any
 * has to ask that is to answer getpeername() and to know when a port is free again: which socket a call
 * speaks of, as no close() is trapped; who has connected; and who is still held by a program. With a relay
 * (relay.c) what programs send each other passes through that process, which is the least that any engine
 * does that is one. Signals do not interrupt accept(); SIGTERM is passed on.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "floor.h"
#include "guest/descriptor.h"
#include "guest/filter.h"
#include "guest/memory.h"
#include "guest/notify.h"
#include "measure.h"

#define MOST_CALLS  1024
#define SET_SOCKETS 64 /* that are watched together, as by guest/liveness.c */

/* A blocking accept() that waits; `fd` is the listener's duplicate. */
struct pended {
	struct trapped call;
	int fd;
};

struct floor {
	struct notify notify;
	struct descriptor_cache descriptors;
	struct pended pended[MOST_CALLS];
	int epoll_fd;
	const char *relay; /* its name, or NULL */
	bool has_names;
	unsigned connections;
	int set_fd; /* of those that are watched, the newest */
	unsigned watched;
};

static void fail(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int int_argument(const struct trapped *t, int argument)
{
	return (int)(uint32_t)t->arguments[argument];
}

static void identify(const struct floor *f, int fd)
{
	uint64_t cookie;

	if (f->has_names)
		(void)descriptor_cookie(fd, &cookie);
}

/* A set forgets what nobody holds any more, and can be asked what is left (/proc/self/fdinfo). */
static void watch_holders(struct floor *f, int fd)
{
	struct epoll_event event = { 0 };

	if (!f->has_names)
		return;
	if (f->watched++ % SET_SOCKETS == 0) {
		if (f->set_fd >= 0)
			close(f->set_fd);
		f->set_fd = epoll_create1(EPOLL_CLOEXEC);
	}
	(void)epoll_ctl(f->set_fd, EPOLL_CTL_ADD, fd, &event);
}

static void answer_fd(struct floor *f, const struct trapped *t, int fd, bool close_on_exec)
{
	(void)notify_answer(&f->notify, t, notify_add(&f->notify, t, fd, close_on_exec));
	close(fd);
}

static void do_socket(struct floor *f, const struct trapped *t)
{
	const int type = int_argument(t, 1);
	const int flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);
	const int family = int_argument(t, 0);

	if ((family != AF_INET && family != AF_INET6) || (type & ~flags) != SOCK_STREAM) {
		(void)notify_continue(&f->notify, t);
		return;
	}
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	identify(f, fd);
	watch_holders(f, fd);
	answer_fd(f, t, fd, flags & SOCK_CLOEXEC);
}

/* The port that the call names, or -1. */
static int read_port(const struct trapped *t)
{
	struct sockaddr_in name;

	if (t->arguments[2] < sizeof(name) ||
	    memory_read(t->tid, t->arguments[1], &name, sizeof(name)) < 0 ||
	    (name.sin_family != AF_INET && name.sin_family != AF_INET6))
		return -1;
	return ntohs(name.sin_port);
}

static int call_by_name(const struct trapped *t, int fd, const struct sockaddr_un *name,
			socklen_t length)
{
	const struct sockaddr *n = (const struct sockaddr *)name;
	const int r = t->number == SYS_bind ? bind(fd, n, length) : connect(fd, n, length);

	return r < 0 ? -errno : 0;
}

/* The relay is to know where to; who accepts, from whom. */
static void name_end(struct floor *f, int fd, int port)
{
	struct sockaddr_un name;
	const socklen_t length = floor_name(&name, "%d-%u-%d", getpid(), f->connections++, port);

	(void)bind(fd, (const struct sockaddr *)&name, length);
}

static void do_named(struct floor *f, const struct trapped *t, int fd)
{
	const int port = read_port(t);
	struct sockaddr_un name;
	socklen_t length;

	if (port < 0) {
		(void)notify_continue(&f->notify, t);
		return;
	}
	if ((f->relay || f->has_names) && t->number == SYS_connect)
		name_end(f, fd, port);
	if (f->relay && t->number == SYS_connect)
		length = floor_name(&name, "%s", f->relay);
	else
		length = floor_name(&name, "%d", port);
	const int r = call_by_name(t, fd, &name, length);

	if (r == -EAFNOSUPPORT)
		(void)notify_continue(&f->notify, t); /* none of ours */
	else
		(void)notify_answer(&f->notify, t, r);
}

/* Whoever asks for an address is given one of the family's shape. */
static void write_name(const struct trapped *t)
{
	const struct sockaddr_in name = { .sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const uint32_t length = sizeof(name);
	uint32_t room;

	if (t->arguments[1] == 0 || memory_read(t->tid, t->arguments[2], &room, sizeof(room)) < 0)
		return;
	(void)memory_write(t->tid, t->arguments[1], &name, room < length ? room : length);
	(void)memory_write(t->tid, t->arguments[2], &length, sizeof(length));
}

static void do_getname(struct floor *f, const struct trapped *t, int fd)
{
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof(name);
	const int r = t->number == SYS_getsockname
			      ? getsockname(fd, (struct sockaddr *)&name, &length)
			      : getpeername(fd, (struct sockaddr *)&name, &length);

	if (r < 0 || name.sun_family != AF_UNIX) {
		(void)notify_continue(&f->notify, t); /* an error too is the kernel's to say */
		return;
	}
	write_name(t);
	(void)notify_answer(&f->notify, t, 0);
}

/* False when nobody waits in the queue. */
static bool try_accept(struct floor *f, const struct trapped *t, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	const int flags = t->number == SYS_accept4 ? int_argument(t, 3) : 0;

	if (poll(&p, 1, 0) <= 0)
		return false;
	struct sockaddr_un from;
	socklen_t length = sizeof(from);
	const int end = accept4(fd, f->has_names ? (struct sockaddr *)&from : NULL,
				f->has_names ? &length : NULL, SOCK_CLOEXEC | flags);

	if (end < 0) {
		(void)notify_answer(&f->notify, t, -errno);
		return true;
	}
	identify(f, end);
	watch_holders(f, end);
	write_name(t);
	answer_fd(f, t, end, flags & SOCK_CLOEXEC);
	return true;
}

/* True when the descriptor is kept. */
static bool do_accept(struct floor *f, const struct trapped *t, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (try_accept(f, t, fd))
		return false;
	if (descriptor_is_nonblocking(fd)) {
		(void)notify_answer(&f->notify, t, -EAGAIN);
		return false;
	}
	for (uint32_t i = 0; i < MOST_CALLS; i++) {
		if (f->pended[i].fd >= 0)
			continue;
		f->pended[i] = (struct pended){ .call = *t, .fd = fd };
		event.data.u32 = i;
		if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			fail("epoll_ctl");
		return true;
	}
	(void)notify_answer(&f->notify, t, -ENOMEM);
	return false;
}

static void handle_descriptor(struct floor *f, const struct trapped *t)
{
	const int fd = descriptor_get(&f->descriptors, t->tid, int_argument(t, 0));
	bool is_kept = false;

	if (fd < 0) {
		(void)notify_continue(&f->notify, t);
		return;
	}
	identify(f, fd);
	if (t->number == SYS_bind || t->number == SYS_connect)
		do_named(f, t, fd);
	else if (t->number == SYS_getsockname || t->number == SYS_getpeername)
		do_getname(f, t, fd);
	else
		is_kept = do_accept(f, t, fd);
	if (!is_kept)
		close(fd);
}

static void handle(struct floor *f, const struct trapped *t)
{
	switch (t->number) {
	case SYS_socket:
		do_socket(f, t);
		return;
	case SYS_setsockopt:
		(void)notify_answer(&f->notify, t, 0);
		return;
	case SYS_bind:
	case SYS_connect:
	case SYS_getsockname:
	case SYS_getpeername:
	case SYS_accept:
	case SYS_accept4:
		handle_descriptor(f, t);
		return;
	default:
		(void)notify_continue(&f->notify, t);
	}
}

static void retry(struct floor *f, struct pended *p)
{
	if (!try_accept(f, &p->call, p->fd))
		return;
	(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, p->fd, NULL);
	close(p->fd);
	p->fd = -1;
}

static void serve(struct floor *f)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = UINT32_MAX };

	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll_fd < 0 || epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->notify.fd, &event) < 0)
		fail("epoll");
	for (;;) {
		struct trapped t;

		if (epoll_wait(f->epoll_fd, &event, 1, -1) < 0)
			continue;
		if (event.data.u32 != UINT32_MAX)
			retry(f, &f->pended[event.data.u32]);
		else if (!(event.events & EPOLLIN))
			return; /* the last program with the filter has ended */
		else if (notify_receive(&f->notify, &t) == 0)
			handle(f, &t);
	}
}

/* The child: its listener's number goes through the pipe, as sending it is trapped. */
static _Noreturn void run(const struct sock_fprog *filter, int report_fd, int go_fd, char **argv)
{
	bool is_killable;
	const int listener = filter_install(filter, &is_killable);
	char go;

	if (write(report_fd, &listener, sizeof(listener)) != sizeof(listener) || listener < 0 ||
	    read(go_fd, &go, 1) != 1)
		_exit(1);
	execvp(argv[0], argv);
	fail(argv[0]);
	_exit(1);
}

static pid_t program;

static void pass_on(int number)
{
	(void)kill(program, number);
}

int main(int argc, char **argv)
{
	static struct floor f = { .set_fd = -1 };
	const struct sigaction action = { .sa_handler = pass_on };
	const struct filter_options options = { .udp_lite = true, .hold_dumpable = true };
	const struct sock_fprog filter = filter_get(&options);
	int report[2], go[2], listener = -1, status = 0;

	f.has_names = argc > 1 && strcmp(argv[1], "--names") == 0;
	if (argc > 1 && strncmp(argv[1], "--relay=", 8) == 0)
		f.relay = argv[1] + 8;
	if (f.has_names || f.relay) {
		argc--;
		argv++;
	}
	if (argc < 2) {
		fprintf(stderr, "usage: floor [--names | --relay=NAME] PROGRAM [ARGUMENT...]\n");
		return 64;
	}
	if (pipe2(report, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		fail("pipe");
	program = fork();
	if (program == 0) {
		/* A server goes with the measurement that stops its floor. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(&filter, report[1], go[0], argv + 1);
	}
	(void)sigaction(SIGTERM, &action, NULL);
	if (program < 0 || read(report[0], &listener, sizeof(listener)) != sizeof(listener))
		fail("fork");
	descriptor_cache_init(&f.descriptors, -1);
	listener = descriptor_get(&f.descriptors, program, listener);
	if (listener < 0 || notify_init(&f.notify, listener) < 0 || write(go[1], "", 1) != 1)
		fail("seccomp");
	for (int i = 0; i < MOST_CALLS; i++)
		f.pended[i].fd = -1;
	serve(&f);
	while (waitpid(program, &status, 0) < 0)
		if (errno != EINTR)
			fail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
