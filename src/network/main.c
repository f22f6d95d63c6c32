#include "network/main.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "network/host.h"
#include "network/lifetime.h"
#include "network/log.h"

struct process {
	struct network network;
	struct lifetime lifetime;
};

/* So that the one who started us does not wait for a pipe that nobody will write to. */
static void report(int ready_fd, const char *text, size_t length)
{
	while (write(ready_fd, text, length) < 0 && errno == EINTR)
		;
	close(ready_fd);
}

/* Nothing of whoever started us: no terminal, no directory, no descriptor, no limit. */
static void leave_everything(const struct network_options *o)
{
	const bool ordered = o->ready_fd < o->starter_lock_fd;
	const unsigned low = (unsigned)(ordered ? o->ready_fd : o->starter_lock_fd);
	const unsigned high = (unsigned)(ordered ? o->starter_lock_fd : o->ready_fd);
	struct rlimit files;

	setsid();
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (chdir("/") < 0)
		log_line("cannot leave the working directory: %s", strerror(errno));
	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, UINT_MAX, 0);
	close_range(low, high, CLOSE_RANGE_CLOEXEC);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	prctl(PR_SET_NAME, "reeve-network", 0, 0, 0);
}

/* Standard output and error go to the log, standard input comes from nowhere. */
static int open_log(const char *path, char error[PATH_ERROR_TEXT])
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (null < 0 || log < 0) {
		r = -errno;
		snprintf(error, PATH_ERROR_TEXT, "%s: %s", log < 0 ? path : "/dev/null",
			 strerror(-r));
		return r;
	}
	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close(null);
	close(log);
	log_own();
	return 0;
}

static bool settle(void *user)
{
	struct process *p = user;
	const bool busy = network_settle(&p->network);

	if (!busy)
		lifetime_settle(&p->lifetime);
	return busy;
}

static int begin(struct process *p, const char *name, char error[PATH_ERROR_TEXT])
{
	struct network_host *gateway;
	const struct reeve_address address = reeve_address_from_ipv4(NETWORK_GATEWAY);
	int r = network_init(&p->network, name, settle, p);

	if (r < 0) {
		snprintf(error, PATH_ERROR_TEXT, "cannot make the network: %s", strerror(-r));
		return r;
	}
	if (host_add(&p->network, HOST_GATEWAY_NAME, &address, &gateway) != HOST_OK) {
		snprintf(error, PATH_ERROR_TEXT, "cannot make the gateway: out of memory");
		return -ENOMEM;
	}
	p->network.lifetime = &p->lifetime;
	return lifetime_begin(&p->lifetime, &p->network, error);
}

int network_main(const struct network_options *options)
{
	static struct process process;
	struct path_set paths;
	char error[PATH_ERROR_TEXT];
	int r;

	leave_everything(options);
	r = path_resolve(options->network, true, &paths, error);
	if (r == 0)
		r = open_log(paths.log, error);
	if (r == 0)
		r = begin(&process, options->network, error);
	close(options->starter_lock_fd);
	if (r < 0) {
		report(options->ready_fd, error, strlen(error));
		return EX_UNAVAILABLE;
	}
	log_line("network '%s' begins, process %d", options->network, (int)getpid());
	report(options->ready_fd, "", 1);
	r = loop_run(process.network.loop);
	if (r < 0)
		log_line("the loop failed: %s", strerror(-r));
	lifetime_end(&process.lifetime);
	network_deinit(&process.network);
	log_line("network '%s' ends", options->network);
	return r < 0 ? EX_SOFTWARE : 0;
}
