#include "network/connect.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "network/path.h"

static_assert(NETWORK_ERROR_TEXT == PATH_ERROR_TEXT, "one line is one line");
static_assert(PATH_MAX_LENGTH <= sizeof(((struct sockaddr_un *)0)->sun_path), "a path must fit");

int network_lock(int lock_fd, int byte, short type, bool wait)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	if (fcntl(lock_fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

/* So often a network may end between two steps of ours. */
#define MOST_TRIES 1000

bool network_lock_is_current(int lock_fd, const char *path)
{
	struct stat ours, there;

	return fstat(lock_fd, &ours) == 0 && lstat(path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* 0 and a connected descriptor, or a negative errno without a word. */
static int connect_to(const char *path, int type, int *ret_fd)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	memcpy(name.sun_path, path, strlen(path) + 1);
	while (connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0) {
		if (errno == EINTR)
			continue;
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

bool network_takes_programs(const char *guest_path)
{
	int fd;

	if (connect_to(guest_path, SOCK_SEQPACKET, &fd) < 0)
		return false;
	close(fd);
	return true;
}

static bool is_not_running(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED;
}

/* In the child: nothing else of the caller's may stay open or reach the network process. */
static _Noreturn void become_network_process(const char *network, int ready_fd, int lock_fd)
{
	/* The grandchild is nobody's child: it ends without a wait of ours. */
	const pid_t pid = fork();
	sigset_t none;

	if (pid)
		_exit(pid < 0 ? 1 : 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Where one close_range() can leave them and take all others; by numbers above, as either
	 * may be at the other's place. */
	ready_fd = fcntl(ready_fd, F_DUPFD, 5);
	lock_fd = fcntl(lock_fd, F_DUPFD, 5);
	if (dup2(ready_fd, 3) < 0 || dup2(lock_fd, 4) < 0)
		_exit(1);
	close_range(5, UINT_MAX, 0);
	execl("/proc/self/exe", "reeve", NETWORK_VERB, network, "3", "4", (char *)NULL);
	_exit(127);
}

/* Reads what the new process says of itself: "\0" or a line. */
static int await_ready(int fd, char error[NETWORK_ERROR_TEXT])
{
	size_t length = 0;

	for (;;) {
		const ssize_t n = read(fd, error + length, NETWORK_ERROR_TEXT - 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (error[0] == '\0')
			return 0;
		length += (size_t)n;
		if (length == NETWORK_ERROR_TEXT - 1)
			break;
	}
	error[length] = '\0';
	error[strcspn(error, "\n")] = '\0';
	if (error[0] == '\0')
		snprintf(error, NETWORK_ERROR_TEXT, "the network process ended before it began");
	return -ECHILD;
}

static int start(const char *network, int lock_fd, char error[NETWORK_ERROR_TEXT])
{
	int ready[2], status, r;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		goto failed;
	pid = fork();
	if (pid < 0) {
		close(ready[0]);
		close(ready[1]);
		goto failed;
	}
	if (pid == 0)
		become_network_process(network, ready[1], lock_fd);
	close(ready[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	r = await_ready(ready[0], error);
	close(ready[0]);
	return r;
failed:
	r = -errno;
	snprintf(error, NETWORK_ERROR_TEXT, "cannot start the network process: %s", strerror(-r));
	return r;
}

static int say(int r, const char *network, const char *path, char error[NETWORK_ERROR_TEXT])
{
	if (r == -ESRCH || is_not_running(r)) {
		snprintf(error, NETWORK_ERROR_TEXT, "network '%s' is not running", network);
		return -ESRCH;
	}
	snprintf(error, NETWORK_ERROR_TEXT, "%s: %s", path, strerror(-r));
	return r;
}

/* Byte 1 of a file that is still the one everybody locks; -ESTALE if it is not. */
static int lock_current(int lock_fd, const char *lock_path, short type)
{
	int r;

	do
		r = network_lock(lock_fd, NETWORK_LOCK_CONNECT, type, true);
	while (r == -EINTR);
	if (r == 0 && !network_lock_is_current(lock_fd, lock_path))
		return -ESTALE;
	return r;
}

/* With byte 1 held in turn, shared and exclusive (connect.h). */
static int connect_or_start(const char *network, enum network_socket which,
			    const struct path_set *paths, int lock_fd, int *ret_fd,
			    char error[NETWORK_ERROR_TEXT])
{
	const int type = which == NETWORK_CONTROL ? SOCK_STREAM : SOCK_SEQPACKET;
	const char *path = which == NETWORK_CONTROL ? paths->control : paths->guest;
	int r = lock_current(lock_fd, paths->lock, F_RDLCK);

	if (r == 0)
		r = connect_to(path, type, ret_fd);
	if (!is_not_running(r))
		goto out;
	/* Not by raising the shared lock: two who do that wait for each other. */
	network_lock(lock_fd, NETWORK_LOCK_CONNECT, F_UNLCK, false);
	r = lock_current(lock_fd, paths->lock, F_WRLCK);
	if (r == 0)
		r = connect_to(path, type, ret_fd);
	if (!is_not_running(r))
		goto out;
	r = start(network, lock_fd, error);
	if (r < 0)
		return r;
	r = connect_to(path, type, ret_fd);
out:
	return r < 0 && r != -ESTALE ? say(r, network, path, error) : r;
}

/* -ESTALE: the directory has been removed meanwhile, and it is to be tried again. */
static int try_to_start(const char *network, enum network_socket which, int *ret_fd,
			char error[NETWORK_ERROR_TEXT])
{
	struct path_set paths;

	snprintf(error, NETWORK_ERROR_TEXT, "the directory of network '%s' comes and goes",
		 network);
	int r = path_resolve(network, true, &paths, error);

	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	const int lock_fd = open(paths.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (lock_fd < 0) {
		r = -errno;
		snprintf(error, NETWORK_ERROR_TEXT, "%s: %s", paths.lock, strerror(-r));
		return r == -ENOENT ? -ESTALE : r;
	}
	r = connect_or_start(network, which, &paths, lock_fd, ret_fd, error);
	close(lock_fd);
	return r;
}

int network_connect(const char *network, enum network_socket which, bool start_it, int *ret_fd,
		    char error[NETWORK_ERROR_TEXT])
{
	const int type = which == NETWORK_CONTROL ? SOCK_STREAM : SOCK_SEQPACKET;
	const char *name = network ? network : "default";
	struct path_set paths;
	const char *path;
	int r = -ESTALE;

	/* What the last try said stays in `error`: a directory that cannot be made, say. */
	for (int i = 0; start_it && r == -ESTALE && i < MOST_TRIES; i++)
		r = try_to_start(name, which, ret_fd, error);
	if (start_it)
		return r == -ESTALE ? -ENOENT : r;
	r = path_resolve(name, false, &paths, error);
	if (r == -ENOENT)
		return say(-ESRCH, name, "", error);
	if (r < 0)
		return r;
	path = which == NETWORK_CONTROL ? paths.control : paths.guest;
	r = connect_to(path, type, ret_fd);
	return r < 0 ? say(r, name, path, error) : 0;
}
