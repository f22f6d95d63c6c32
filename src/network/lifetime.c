#include "network/lifetime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "network/connect.h"
#include "network/control_private.h"
#include "network/guest.h"
#include "network/host.h"
#include "network/log.h"
#include "network/managers.h"

#define DRAIN_MS 2000
#define RETRY_MS 100

/* What one that ends takes for it at most. */
#define END_MS (LIFETIME_GRACE_MOST_MS + 2 * DRAIN_MS)

/* So often a lock may be removed in front of us. */
#define MOST_TRIES 1000

/* Bound under byte 0 of the lock: what is there is stale. */
static int listen_at(const char *path, int type, int *ret_fd, char error[PATH_ERROR_TEXT])
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		goto failed;
	memcpy(name.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 1024) < 0)
		goto failed;
	*ret_fd = fd;
	return 0;
failed:
	r = -errno;
	snprintf(error, PATH_ERROR_TEXT, "cannot listen at %s: %s", path, strerror(-r));
	if (fd >= 0)
		close(fd);
	return r;
}

static int listen_both(struct lifetime *l, char error[PATH_ERROR_TEXT])
{
	struct network *n = l->network;
	int control_fd = -1, guest_fd = -1;
	int r = listen_at(l->paths.control, SOCK_STREAM, &control_fd, error);

	if (r < 0)
		return r;
	r = listen_at(l->paths.guest, SOCK_SEQPACKET, &guest_fd, error);
	if (r < 0) {
		close(control_fd);
		return r;
	}
	n->control = control_server_new(n, control_fd);
	n->guests = guest_server_new(n, guest_fd);
	if (!n->control || !n->guests) {
		snprintf(error, PATH_ERROR_TEXT, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

static void signal_ready(struct loop_source *source, uint32_t events)
{
	struct lifetime *l = container_of(source, struct lifetime, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		l->keep_log = true;
		log_line("ends by signal %u from process %u", info.ssi_signo, info.ssi_pid);
		lifetime_down(l, l->network->ending ? 0 : LIFETIME_GRACE_MS);
	}
}

static int catch_signals(struct lifetime *l, char error[PATH_ERROR_TEXT])
{
	sigset_t set;
	int fd, r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = fd < 0 ? -errno : loop_add(l->network->loop, &l->signals, fd, EPOLLIN);
	if (r < 0)
		snprintf(error, PATH_ERROR_TEXT, "cannot wait for signals: %s", strerror(-r));
	return r;
}

static void grace_over(struct loop_timer *timer)
{
	struct lifetime *l = container_of(timer, struct lifetime, grace);

	if (guest_session_count(l->network->guests) > 0)
		log_line("ends %u programs that have not ended when they were told to",
			 guest_session_count(l->network->guests));
	guest_end_all(l->network->guests);
}

static void drain_over(struct loop_timer *timer)
{
	struct lifetime *l = container_of(timer, struct lifetime, drained);
	struct network *n = l->network;

	l->keep_log = true;
	log_line("gives up what %u hosts could not deliver in %d ms", host_count(n), DRAIN_MS);
	guest_give_up(n->guests);
	while (host_first(n))
		host_remove(host_first(n));
	if (n->ending)
		loop_stop(n->loop);
	else
		lifetime_settle(l);
}

static void look_again(struct loop_timer *timer)
{
	lifetime_settle(container_of(timer, struct lifetime, retry));
}

static void wake(int signal)
{
	(void)signal;
}

/* One that is about to end, and takes in no more programs, holds the lock while those that it has
 * end and while it delivers. One that takes in will stay, and one that does not end is stuck. */
static int become_the_one(const struct lifetime *l)
{
	const struct sigaction action = { .sa_handler = wake }; /* no SA_RESTART */
	/* Again and again, as the first may come before the wait begins. */
	const struct itimerval on = { .it_value = { .tv_sec = END_MS / 1000 },
				      .it_interval = { .tv_sec = 1 } };
	const struct itimerval off = { .it_value = { 0 } };
	int r = network_lock(l->lock_fd, NETWORK_LOCK_LIFE, F_WRLCK, false);

	if (r != -EAGAIN || network_takes_programs(l->paths.guest))
		return r;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &on, NULL);
	r = network_lock(l->lock_fd, NETWORK_LOCK_LIFE, F_WRLCK, true);
	setitimer(ITIMER_REAL, &off, NULL);
	return r == -EINTR ? -ETIMEDOUT : r;
}

/* -ESTALE: the one that has just ended has removed the file (connect.h). */
static int take_lock(struct lifetime *l, char error[PATH_ERROR_TEXT])
{
	int r = path_resolve(l->network->name, true, &l->paths, error);

	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	l->lock_fd = open(l->paths.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = l->lock_fd < 0 ? -errno : become_the_one(l);
	if (r == -EAGAIN)
		snprintf(error, PATH_ERROR_TEXT, "network '%s' runs already", l->network->name);
	else if (r == -ETIMEDOUT)
		snprintf(error, PATH_ERROR_TEXT, "network '%s' is to end and does not",
			 l->network->name);
	else if (r < 0)
		snprintf(error, PATH_ERROR_TEXT, "%s: %s", l->paths.lock, strerror(-r));
	else if (!network_lock_is_current(l->lock_fd, l->paths.lock))
		r = -ESTALE;
	if (r == -ESTALE)
		snprintf(error, PATH_ERROR_TEXT, "%s comes and goes", l->paths.lock);
	if (r < 0 && l->lock_fd >= 0)
		close(l->lock_fd);
	if (r < 0)
		l->lock_fd = -1;
	return r == -ENOENT ? -ESTALE : r;
}

int lifetime_begin(struct lifetime *l, struct network *n, char error[PATH_ERROR_TEXT])
{
	int r = -ESTALE;

	*l = (struct lifetime){ .network = n, .lock_fd = -1 };
	loop_source_init(&l->signals, signal_ready);
	loop_timer_init(&l->grace, grace_over);
	list_init(&l->callers);
	loop_timer_init(&l->drained, drain_over);
	loop_timer_init(&l->retry, look_again);
	for (int i = 0; r == -ESTALE && i < MOST_TRIES; i++)
		r = take_lock(l, error);
	if (r < 0)
		return r;
	r = catch_signals(l, error);
	return r < 0 ? r : listen_both(l, error);
}

/* From here on programs find no socket, and wait for the next network. Only ever under byte 0 of the
 * lock. */
static void take_in_no_programs(struct lifetime *l)
{
	if (network_lock_is_current(l->lock_fd, l->paths.lock))
		unlink(l->paths.guest);
	guest_close_listener(l->network->guests);
}

/* Nor do other clients. */
static void unlisten(struct lifetime *l)
{
	take_in_no_programs(l);
	if (network_lock_is_current(l->lock_fd, l->paths.lock))
		unlink(l->paths.control);
	control_close_listener(l->network->control);
}

const char *lifetime_logs(const struct lifetime *l)
{
	if (mkdir(l->paths.logs, 0700) < 0 && errno != EEXIST)
		log_line("cannot make %s: %s", l->paths.logs, strerror(errno));
	return l->paths.logs;
}

static void remove_logs(const struct lifetime *l)
{
	DIR *logs = opendir(l->paths.logs);
	const struct dirent *entry;

	while (logs && (entry = readdir(logs)))
		unlinkat(dirfd(logs), entry->d_name, 0);
	if (logs)
		closedir(logs);
	rmdir(l->paths.logs);
}

/* Nothing is left of a network that ended well. If a client is about to connect, it needs the
 * directory for the next. */
static void remove_directory(const struct lifetime *l)
{
	if (network_lock(l->lock_fd, NETWORK_LOCK_CONNECT, F_WRLCK, false) < 0 ||
	    !network_lock_is_current(l->lock_fd, l->paths.lock))
		return;
	remove_logs(l);
	unlink(l->paths.log);
	unlink(l->paths.lock); /* after it others may be at work here: only the empty one goes */
	rmdir(l->paths.directory);
}

void lifetime_end(struct lifetime *l)
{
	struct network *n = l->network;

	if (n->control && n->guests)
		unlisten(l);
	n->guests = guest_server_free(n->guests);
	n->control = control_server_free(n->control);
	loop_timer_disarm(n->loop, &l->grace);
	loop_timer_disarm(n->loop, &l->drained);
	loop_timer_disarm(n->loop, &l->retry);
	if (l->signals.fd >= 0) {
		const int fd = l->signals.fd;

		loop_remove(n->loop, &l->signals);
		close(fd);
	}
	if (l->lock_fd >= 0 && n->ending && !l->keep_log)
		remove_directory(l);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	l->lock_fd = -1;
}

void lifetime_down(struct lifetime *l, int64_t grace_ms)
{
	struct network *n = l->network;
	const struct reeve_time until = reeve_time_add_ms(network_now(n), grace_ms);

	if (n->ending && (l->is_delivering || reeve_time_since(until, l->grace_until) >= 0))
		return;
	if (!n->ending) {
		n->ending = true;
		n->keep = false;
		n->configured = false;
		l->programs = guest_session_count(n->guests);
		take_in_no_programs(l);
		managers_end_all(n);
		if (grace_ms > 0)
			guest_terminate_all(n->guests);
	}
	l->grace_until = until;
	loop_timer_arm(n->loop, &l->grace, until);
}

/* One who waits for the programs' end. */
struct down_call {
	struct control_session session;
	struct control_client *client;
	struct list node;
};

static void caller_gone(struct control_session *session)
{
	struct down_call *d = container_of(session, struct down_call, session);

	list_remove(&d->node);
	free(d);
}

void lifetime_down_for(struct lifetime *l, int64_t grace_ms, struct control_client *client)
{
	struct down_call *d = calloc(1, sizeof(*d));

	if (!d) {
		control_no_memory(client, "Down");
		return;
	}
	d->session.end = caller_gone;
	d->client = client;
	client->session = &d->session;
	list_append(&l->callers, &d->node);
	lifetime_down(l, grace_ms);
}

/* The programs have ended: what they have written last is still delivered. */
static void deliver(struct lifetime *l)
{
	struct network *n = l->network;

	l->is_delivering = true;
	loop_timer_disarm(n->loop, &l->grace);
	unlisten(l);
	for (struct network_host *host = host_first(n); host; host = host_next(host)) {
		host->is_explicit = false;
		host_activate(host);
	}
	loop_timer_arm(n->loop, &l->drained, reeve_time_add_ms(network_now(n), DRAIN_MS));
	list_for_each_safe(node, &l->callers) {
		struct down_call *d = list_entry(node, struct down_call, node);
		struct control_client *client = d->client;

		client->session = NULL;
		caller_gone(&d->session);
		control_reply(client, json_pack("{s:I}", "programs", (json_int_t)l->programs),
			      false);
		control_end(client);
	}
}

static void settle_end(struct lifetime *l)
{
	struct network *n = l->network;

	if (!l->is_delivering && guest_session_count(n->guests) == 0)
		deliver(l);
	if (l->is_delivering && host_count(n) == 0 && control_is_flushed(n->control))
		loop_stop(n->loop);
}

static bool is_needed(const struct network *n)
{
	return n->keep || n->configured || guest_session_count(n->guests) > 0 ||
	       control_client_count(n->control) > 0;
}

/* Nobody uses the network, and all is delivered. Has somebody just come? (connect.h) */
static void end_unless_called(struct lifetime *l)
{
	struct network *n = l->network;

	if (network_lock(l->lock_fd, NETWORK_LOCK_CONNECT, F_WRLCK, false) < 0) {
		loop_timer_arm(n->loop, &l->retry, reeve_time_add_ms(network_now(n), RETRY_MS));
		return;
	}
	control_accept(n->control);
	guest_accept(n->guests);
	if (!is_needed(n)) {
		n->ending = true;
		unlisten(l);
		loop_stop(n->loop);
	}
	network_lock(l->lock_fd, NETWORK_LOCK_CONNECT, F_UNLCK, false);
}

void lifetime_settle(struct lifetime *l)
{
	struct network *n = l->network;

	if (n->ending) {
		settle_end(l);
		return;
	}
	if (is_needed(n)) {
		l->draining = false;
		loop_timer_disarm(n->loop, &l->drained);
		loop_timer_disarm(n->loop, &l->retry);
		return;
	}
	if (host_count(n) == 0) {
		end_unless_called(l);
		return;
	}
	if (!l->draining)
		loop_timer_arm(n->loop, &l->drained, reeve_time_add_ms(network_now(n), DRAIN_MS));
	l->draining = true;
}
