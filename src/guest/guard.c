/* Owns the list of AF_UNIX sockets that are refused. */
#include "guest/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "guest/memory.h"
#include "guest/supervisor.h"

/* nscd, systemd-resolved (nss-resolve), systemd-machined (nss-mymachines), Avahi (nss-mdns). */
static const char *const name_services[] = {
	"/run/nscd/socket",
	"/run/systemd/resolve/io.systemd.Resolve",
	"/run/systemd/resolve/io.systemd.Resolve.Monitor",
	"/run/systemd/machine/io.systemd.Machine",
	"/run/avahi-daemon/socket",
};

static const char *const private_sockets[] = { "control", "guest" };

static bool is_same(const struct stat *a, const char *path)
{
	struct stat b;

	return stat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

/* /proc/self and /proc/thread-self are the program's, and not ours. */
static const char *skip_self(const char *path)
{
	static const char *const prefixes[] = { "/proc/self/", "/proc/thread-self/" };

	for (size_t i = 0; i < array_length(prefixes); i++)
		if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0)
			return path + strlen(prefixes[i]);
	return NULL;
}

/* What the path leads the program to, by whatever links: a descriptor that only names it. */
static int open_path(const struct call *c, const char *path)
{
	char there[PATH_MAX];
	const char *own = skip_self(path);

	if (own)
		(void)snprintf(there, sizeof(there), "/proc/%d/%s", c->trapped.tid, own);
	else
		(void)snprintf(there, sizeof(there), "/proc/%d/%s/%s", c->trapped.tid,
			       path[0] == '/' ? "root" : "cwd", path);
	return open(there, O_PATH | O_CLOEXEC);
}

/* Whether the file is the network process's, or one that joins programs of any `reeve run`. */
static bool is_in_private(int fd, const char *directory)
{
	char link[48], target[PATH_MAX];
	struct stat of_parent;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	const ssize_t n = readlink(link, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(target, '/');

	if (!slash)
		return false;
	*slash = '\0';
	slash = strrchr(target, '/');
	if (slash && strncmp(slash + 1, RENDEZVOUS_PREFIX, strlen(RENDEZVOUS_PREFIX)) == 0)
		return true;
	return directory[0] && stat(target, &of_parent) == 0 && is_same(&of_parent, directory);
}

static bool is_private(const struct supervisor *s, int fd, const struct stat *of_socket)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < array_length(private_sockets); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", s->private_directory,
			       private_sockets[i]);
		if (is_same(of_socket, path))
			return true;
	}
	return is_in_private(fd, s->private_directory);
}

static int judge(const struct supervisor *s, int fd)
{
	struct stat of_socket;

	if (fstat(fd, &of_socket) < 0)
		return 0;
	for (size_t i = 0; i < array_length(name_services); i++)
		if (is_same(&of_socket, name_services[i]))
			return -ENOENT;
	return is_private(s, fd, &of_socket) ? -EACCES : 0;
}

int guard_check(const struct supervisor *s, const struct call *c)
{
	struct sockaddr_un name;
	const size_t length = (uint32_t)c->trapped.arguments[2];
	const size_t known = length < sizeof(name) ? length : sizeof(name);
	char path[sizeof(name.sun_path) + 1] = { 0 };

	memset(&name, 0, sizeof(name));
	if (memory_read(c->trapped.tid, c->trapped.arguments[1], &name, known) < 0 ||
	    name.sun_family != AF_UNIX || name.sun_path[0] == '\0')
		return 0;
	memcpy(path, name.sun_path, sizeof(name.sun_path));
	const int fd = open_path(c, path);
	const int r = fd >= 0 ? judge(s, fd) : 0;

	if (fd >= 0)
		close(fd);
	return r;
}
