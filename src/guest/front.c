/* Owns the front's loop and its messages. */
#include "guest/front.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/count.h"
#include "guest/run.h"

enum front_kind { FRONT_STARTED, FRONT_STATUS, FRONT_SAY, FRONT_COUNT };

struct front_message {
	enum front_kind kind;
	int value;
	union {
		char text[384];
		struct counts counts;
	};
};

static void tell(int fd, const struct front_message *m)
{
	(void)send(fd, m, sizeof(*m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void front_started(int fd, int pid)
{
	const struct front_message m = { .kind = FRONT_STARTED, .value = pid };

	tell(fd, &m);
}

void front_report(int fd, int wait_status)
{
	const struct front_message m = { .kind = FRONT_STATUS, .value = wait_status };

	tell(fd, &m);
}

void front_count(int fd, const struct counts *counts)
{
	const struct front_message m = { .kind = FRONT_COUNT, .counts = *counts };

	tell(fd, &m);
}

void front_say(int fd, const char *text)
{
	struct front_message m = { .kind = FRONT_SAY };

	(void)snprintf(m.text, sizeof(m.text), "%s", text);
	tell(fd, &m);
}

void front_block_signals(sigset_t *ret_before)
{
	sigset_t all;

	(void)sigfillset(&all);
	/* These mean that the front itself is broken. */
	(void)sigdelset(&all, SIGSEGV);
	(void)sigdelset(&all, SIGBUS);
	(void)sigdelset(&all, SIGILL);
	(void)sigdelset(&all, SIGFPE);
	(void)sigdelset(&all, SIGABRT);
	(void)sigdelset(&all, SIGSYS);
	(void)sigdelset(&all, SIGTRAP);
	(void)sigprocmask(SIG_BLOCK, &all, ret_before);
}

/* Dies of the signal that the program died of, without a core file of its own. */
static int die_of(int number)
{
	const struct rlimit none = { 0, 0 };
	sigset_t one;

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)signal(number, SIG_DFL);
	(void)sigemptyset(&one);
	(void)sigaddset(&one, number);
	(void)raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + number;
}

struct front {
	const struct run_options *options;
	const sigset_t *before; /* the caller's mask */
	int fd;                 /* the supervisor's reports */
	pid_t pid;
	bool has_ended;
	bool awaits_count; /* after that */
	int status;        /* of the program, or of what ended the front before there was one */
};

/* What the signal would do to the caller if it were not blocked here. */
static void take_signal(struct front *f, int number)
{
	struct sigaction action;

	if (sigismember(f->before, number) == 1 || sigaction(number, NULL, &action) < 0 ||
	    action.sa_handler == SIG_IGN)
		return;
	switch (number) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
		return;
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		(void)raise(SIGSTOP);
		return;
	default:
		break;
	}
	if (f->has_ended) {
		/* The rest of the tree is not waited for: what has been counted so far will do. */
		(void)shutdown(f->fd, SHUT_WR);
		return;
	}
	f->has_ended = true;
	f->awaits_count = false;
	f->status = number; /* as wait() has it */
}

static void pass_on(struct front *f, int signal_fd)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	const int number = (int)info.ssi_signo;

	if (f->pid <= 0 || f->has_ended)
		take_signal(f, number);
	/* The terminal (SI_KERNEL) has sent it to the whole process group already. */
	else if (info.ssi_code != SI_KERNEL && number != SIGCHLD)
		(void)kill(f->pid, number);
}

/* A stop is told late: whoever has stopped the front along with the program may have woken both
 * since. */
static bool is_stopped(pid_t program)
{
	char path[32], text[256];
	sigset_t pending;

	if (sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == 1)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)program);
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	const size_t n = fread(text, 1, sizeof(text) - 1, f);

	(void)fclose(f);
	text[n] = '\0';
	/* The name, in parentheses, may hold any character. */
	const char *state = strrchr(text, ')');

	/* Z: the first thread has ended, and says nothing of the others. */
	return state && state[1] == ' ' && strchr("TtZ", state[2]);
}

static void print_counts(const struct run_options *o, const struct counts *counts)
{
	if (o->is_counting)
		(void)counts_print(counts, stderr);
	if (o->count_to && !counts_print_json(counts, o->count_to))
		(void)fprintf(stderr, "reeve: cannot write '%s': %s\n", o->count_name,
			      strerror(errno));
}

static void take_message(struct front *f, const struct front_message *m)
{
	switch (m->kind) {
	case FRONT_STARTED:
		f->pid = m->value;
		/* Its status is that of an exit with 0. */
		f->has_ended = f->options->is_detached;
		return;
	case FRONT_SAY:
		(void)fprintf(stderr, "reeve: %.*s\n", (int)sizeof(m->text), m->text);
		return;
	case FRONT_COUNT:
		f->awaits_count = false;
		print_counts(f->options, &m->counts);
		return;
	case FRONT_STATUS:
		break;
	}
	if (WIFSTOPPED(m->value)) {
		if (!is_stopped(f->pid))
			return;
		(void)raise(SIGSTOP);
		/* Whoever woke the front alone means the program. */
		(void)kill(f->pid, SIGCONT);
		return;
	}
	if (WIFCONTINUED(m->value))
		return;
	f->has_ended = true;
	f->status = m->value;
}

/* False when the supervisor is gone. */
static bool receive(struct front *f)
{
	struct front_message m;
	const ssize_t n = recv(f->fd, &m, sizeof(m), 0);

	if (n < 0)
		return errno == EINTR;
	if (n == 0)
		return false;
	if (n == (ssize_t)sizeof(m))
		take_message(f, &m);
	return true;
}

/* Says what was not to be, and the status of that; -1: the program has ended, and all is told. */
static int complain(const struct front *f)
{
	const char *program = f->options->argv[0];

	if (!f->has_ended) {
		if (f->pid)
			(void)fprintf(stderr,
				      "reeve: the supervisor of '%s' has ended, and the program "
				      "with it\n",
				      program);
		return RUN_FAILED;
	}
	if (f->awaits_count && f->pid)
		(void)fprintf(stderr,
			      "reeve: the supervisor of '%s' has ended, and its count with it\n",
			      program);
	return -1;
}

int front_main(int fd, const struct run_options *options, const sigset_t *before)
{
	struct front f = {
		.options = options,
		.before = before,
		.fd = fd,
		.awaits_count = options->is_counting || options->count_to,
	};
	sigset_t all;

	(void)sigfillset(&all);
	const int signal_fd = signalfd(-1, &all, SFD_CLOEXEC);
	bool is_open = signal_fd >= 0;

	while (is_open && !(f.has_ended && !f.awaits_count)) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
				       { .fd = signal_fd, .events = POLLIN } };

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			is_open = receive(&f);
		if (is_open && p[1].revents)
			pass_on(&f, signal_fd);
	}
	const int status = complain(&f);

	if (status >= 0)
		return status;
	/* Signals stay blocked: what is sent after the program's end does not change its status. */
	if (WIFSIGNALED(f.status))
		return die_of(WTERMSIG(f.status));
	return WEXITSTATUS(f.status);
}
