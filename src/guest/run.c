/* Owns the start: keeper, supervisor, program, and what they are given. */
#include "guest/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/filter.h"
#include "guest/front.h"
#include "guest/kernel.h"
#include "guest/program.h"
#include "guest/protocol.h"
#include "guest/supervisor.h"

#define KERNEL_LEAST_MAJOR 5
#define KERNEL_LEAST_MINOR 14

/* So long the network process may take to answer; as long as every other command waits. */
#define ANSWER_MS 20000

/* Everything of a run that the processes inherit. */
struct run {
	const struct run_options *options;
	struct sock_fprog filter;
	sigset_t signals; /* as the program will have them */
	int front_fd;     /* the supervisor's end */
	char directory[RENDEZVOUS_PATH];
};

bool run_is_nested(void)
{
	return prctl(FILTER_PROBE, 0, 0, 0, 0) < 0 && errno == EBUSY;
}

static int fail(const char *what, int error)
{
	(void)fprintf(stderr, "reeve: %s: %s\n", what, strerror(error));
	return RUN_FAILED;
}

static bool is_kernel_too_old(void)
{
	struct utsname name;

	if (uname(&name) < 0)
		return false;
	char *rest = NULL;
	const long major = strtol(name.release, &rest, 10);
	const long minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;

	if (major > KERNEL_LEAST_MAJOR ||
	    (major == KERNEL_LEAST_MAJOR && minor >= KERNEL_LEAST_MINOR))
		return false;
	(void)fprintf(stderr, "reeve: 'run' needs Linux %d.%d or newer; this is %s\n",
		      KERNEL_LEAST_MAJOR, KERNEL_LEAST_MINOR, name.release);
	return true;
}

/* Nothing that the caller had open is held any longer, nor its terminal or directory. */
static void leave(const int *keep, int count)
{
	int last = 2;
	const int null = open("/dev/null", O_RDWR);

	(void)setsid();
	(void)!chdir("/");
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		(void)dup2(null, fd);
	for (int i = 0; i < count; i++) {
		/* `keep` is in rising order. */
		if (keep[i] > last + 1)
			(void)syscall(SYS_close_range, last + 1, keep[i] - 1, 0);
		if (keep[i] > last)
			last = keep[i];
	}
	(void)syscall(SYS_close_range, last + 1, ~0U, 0);
}

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The directory of the network process's socket. */
static void find_private_directory(int network_fd, char *ret, size_t size)
{
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof(name) - 1;

	ret[0] = '\0';
	if (getpeername(network_fd, (struct sockaddr *)&name, &length) < 0 ||
	    name.sun_path[0] != '/')
		return;
	char *slash = strrchr(name.sun_path, '/');

	*slash = '\0';
	(void)snprintf(ret, size, "%s", name.sun_path);
}

static int send_hello(int fd, const struct guest_message *m, const struct guest_hello *hello,
		      int pidfd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	const struct iovec iov[2] = { { (void *)(uintptr_t)m, sizeof(*m) },
				      { (void *)(uintptr_t)hello, sizeof(*hello) } };
	const struct msghdr h = {
		.msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &pidfd, sizeof(pidfd));
	return sendmsg(fd, &h, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void fill_hello(const struct run_options *o, pid_t program, struct guest_hello *ret)
{
	*ret = (struct guest_hello){
		.version = GUEST_PROTOCOL_VERSION,
		.uid = geteuid(),
		.supervisor_pid = (uint32_t)getpid(),
		.program_pid = (uint32_t)program,
		.is_direct = o->is_direct,
		.address = o->address,
		.grant = o->grant,
	};
	(void)snprintf(ret->host, sizeof(ret->host), "%s", o->host);
	size_t used = 0;

	if (o->title)
		(void)snprintf(ret->command, sizeof(ret->command), "%s", o->title);
	for (char **a = o->argv; !o->title && *a && used + 1 < sizeof(ret->command); a++) {
		const int n = snprintf(ret->command + used, sizeof(ret->command) - used, "%s%s",
				       used ? " " : "", *a);

		used += n > 0 ? (size_t)n : 0;
	}
}

/* Nor does anybody wait on when the front has been ended meanwhile. */
static int await_answer(int network_fd, int front_fd)
{
	struct pollfd p[2] = { { .fd = network_fd, .events = POLLIN },
			       { .fd = front_fd, .events = POLLRDHUP } };
	const int n = poll(p, 2, ANSWER_MS);

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIMEDOUT;
	return p[1].revents ? -ECANCELED : 0;
}

static int say_hello(const struct run_options *o, pid_t program)
{
	struct guest_hello hello;
	const struct guest_message m = { .type = GUEST_HELLO,
					 .request = 1,
					 .data_length = sizeof(hello) };
	const int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	fill_hello(o, program, &hello);
	const int r = send_hello(o->network_fd, &m, &hello, pidfd);

	close(pidfd);
	return r;
}

/* 0, or a line of text in `error`. `said`: what has become of the hello. */
static int hear_welcome(const struct run *run, int said, struct guest_welcome *ret,
			char error[GUEST_ERROR_TEXT])
{
	const int network_fd = run->options->network_fd;
	struct {
		struct guest_message message;
		uint8_t data[sizeof(*ret)];
	} answer = { 0 };
	int r = said < 0 ? said : await_answer(network_fd, run->front_fd);

	if (r == 0) {
		const ssize_t n = recv(network_fd, &answer, sizeof(answer), MSG_DONTWAIT);

		r = n < (ssize_t)sizeof(answer.message) ? -ECONNRESET : 0;
	}
	if (r < 0) {
		(void)snprintf(error, GUEST_ERROR_TEXT, "the network does not answer: %s",
			       strerror(-r));
		return r;
	}
	if (answer.message.type == GUEST_WELCOME && answer.message.data_length == sizeof(*ret)) {
		memcpy(ret, answer.data, sizeof(*ret));
		return 0;
	}
	const bool has_text = answer.message.type == GUEST_REFUSED && answer.message.data_length;

	(void)snprintf(error, GUEST_ERROR_TEXT, "%.*s",
		       has_text ? (int)answer.message.data_length : GUEST_ERROR_TEXT - 1,
		       has_text ? (const char *)answer.data
				: "the network speaks another version of the protocol");
	return -EPROTO;
}

/* The listener, out of the program that has just made it. */
static int fetch_listener(pid_t program, const struct program_report *report,
			  char error[GUEST_ERROR_TEXT])
{
	const int pidfd = (int)syscall(SYS_pidfd_open, program, 0);
	const int fd = report->listener < 0
			       ? -1
			       : (int)syscall(SYS_pidfd_getfd, pidfd, report->listener, 0);
	const int e = report->listener < 0 ? -report->listener : errno;

	if (pidfd >= 0)
		close(pidfd);
	if (fd >= 0)
		return fd;
	if (report->listener >= 0)
		(void)snprintf(error, GUEST_ERROR_TEXT,
			       "the program's process may not be looked into (%s): is ptrace "
			       "forbidden here?",
			       strerror(e));
	else if (e == EBUSY)
		(void)snprintf(error, GUEST_ERROR_TEXT,
			       "another supervisor traps the calls here already");
	else
		(void)snprintf(error, GUEST_ERROR_TEXT, "cannot trap the program's calls: %s",
			       strerror(e));
	return -e;
}

static int prepare(const struct run *r, int report_fd, int said, struct supervisor_start *ret,
		   struct guest_welcome *ret_welcome)
{
	struct program_report report;
	char error[GUEST_ERROR_TEXT];

	/* Without a report the program has said itself what is wrong. */
	if (read(report_fd, &report, sizeof(report)) != (ssize_t)sizeof(report))
		return 0;
	int fd = fetch_listener(ret->program, &report, error);

	if (fd >= 0 && hear_welcome(r, said, ret_welcome, error) < 0) {
		close(fd);
		fd = -EPROTO;
	}
	if (fd < 0) {
		front_say(r->front_fd, error);
		return fd;
	}
	ret->notify_fd = fd;
	ret->is_killable = report.is_killable;
	if (!report.is_killable)
		front_say(r->front_fd, "note: before Linux 5.19 signals may disturb socket calls");
	return 1;
}

static void end_program(const struct run *r, pid_t program)
{
	int status = 0;

	while (waitpid(program, &status, 0) < 0 && errno == EINTR)
		;
	front_report(r->front_fd, status);
}

static int supervisor_main(const struct run *r)
{
	int report[2], go[2];
	char private_directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct guest_welcome welcome;
	struct supervisor_start start = {
		.network_fd = r->options->network_fd,
		.is_direct = r->options->is_direct,
		.front_fd = r->front_fd,
		.is_counting = r->options->is_counting || r->options->count_to,
		.is_detached = r->options->is_detached,
		.directory = r->directory,
		.private_directory = private_directory,
		.welcome = &welcome,
	};

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (pipe2(report, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		return 1;
	start.program = fork();
	if (start.program == 0) {
		close(report[0]);
		close(go[1]);
		program_main(&r->filter, report[1], go[0], &r->signals, r->options->argv);
	}
	int keep[] = { report[0], go[1], start.network_fd, start.front_fd };

	/* The network process makes up its mind while the program puts its filter on. */
	const int said = start.program < 0 ? 0 : say_hello(r->options, start.program);

	qsort(keep, 4, sizeof(keep[0]), compare_ints);
	leave(keep, 4);
	if (start.program < 0) {
		front_say(r->front_fd, "cannot start another process");
		return 1;
	}
	find_private_directory(start.network_fd, private_directory, sizeof(private_directory));
	const int prepared = prepare(r, report[0], said, &start, &welcome);

	close(report[0]);
	if (prepared > 0) {
		front_started(r->front_fd, start.program);
		(void)!write(go[1], "", 1);
	}
	close(go[1]);
	if (prepared <= 0) {
		end_program(r, start.program);
		return prepared < 0;
	}
	/* Its calls wait until they are received. */
	const int status = supervisor_run(&start);

	/* The keeper does so too, unless it was killed. */
	rendezvous_remove_directory(r->directory);
	return status;
}

/* Ends every process below, as they come up from their parents. */
static void end_tree(void)
{
	char path[64], text[4096];
	int status = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	do {
		const int fd = open(path, O_RDONLY | O_CLOEXEC);
		const ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
		char *at = text, *end = NULL;

		if (fd >= 0)
			close(fd);
		text[n > 0 ? n : 0] = '\0';
		for (long pid = strtol(at, &end, 10); end != at; pid = strtol(at, &end, 10)) {
			(void)kill((pid_t)pid, SIGKILL);
			at = end;
		}
	} while (waitpid(-1, &status, 0) > 0 || errno != ECHILD);
}

static _Noreturn void keeper_main(struct run *r)
{
	int status = 0;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	const pid_t supervisor = fork();

	if (supervisor == 0)
		_exit(supervisor_main(r));
	leave(NULL, 0);
	while (supervisor > 0 && waitpid(supervisor, &status, 0) < 0 && errno == EINTR)
		;
	end_tree();
	rendezvous_remove_directory(r->directory);
	_exit(0);
}

static int start(struct run *r)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return fail("cannot start", errno);
	front_block_signals(&r->signals);
	r->front_fd = ends[1];
	const pid_t keeper = fork();

	if (keeper == 0) {
		close(ends[0]);
		keeper_main(r);
	}
	close(ends[1]);
	close(r->options->network_fd);
	if (keeper < 0) {
		rendezvous_remove_directory(r->directory);
		return fail("cannot start another process", errno);
	}
	return front_main(ends[0], r->options, &r->signals);
}

int run_main(const struct run_options *options)
{
	struct run r = { .options = options };
	const struct filter_options filter = {
		.udp_lite = options->udp_lite,
		.hostname = options->hostname,
		.hold_dumpable = geteuid() != 0,
	};

	if (is_kernel_too_old())
		return RUN_FAILED;
	(void)fcntl(options->network_fd, F_SETFD, FD_CLOEXEC);
	r.filter = filter_get(&filter);
	const int e = rendezvous_make_directory(r.directory);

	return e < 0 ? fail("cannot make a private directory", -e) : start(&r);
}
