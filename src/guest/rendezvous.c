/* Owns the private directory and the ways sockets are joined in it. */
#include "guest/rendezvous.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* As many as the kernel allows; the network process lets no more wait (rendezvous_most_waiting()). */
#define LISTENER_BACKLOG 65535

int rendezvous_make_directory(char ret[RENDEZVOUS_PATH])
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	const char *const bases[] = { base && base[0] == '/' ? base : "/tmp", "/tmp" };
	int error = ENOENT;

	for (int i = 0; i < 2; i++) {
		char path[RENDEZVOUS_PATH];
		const int n =
			snprintf(path, sizeof(path), "%s/" RENDEZVOUS_PREFIX "XXXXXX", bases[i]);

		/* Room for "/4294967295" in a socket's name as well. */
		if (n < 0 || n >= RENDEZVOUS_PATH)
			continue;
		if (mkdtemp(path)) {
			memcpy(ret, path, sizeof(path));
			return 0;
		}
		error = errno;
	}
	return -error;
}

void rendezvous_remove_directory(const char *directory)
{
	DIR *d = opendir(directory);

	if (!d)
		return;
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	(void)rmdir(directory);
}

static socklen_t name_of(const struct rendezvous *r, uint32_t path, struct sockaddr_un *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	(void)snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%u", r->directory, path);
	return sizeof(*ret);
}

static int bind_listener(struct rendezvous *r, int fd, uint32_t path)
{
	struct sockaddr_un name;
	const socklen_t length = name_of(r, path, &name);

	if (bind(fd, (struct sockaddr *)&name, length) < 0 || listen(fd, LISTENER_BACKLOG) < 0)
		return -errno;
	return 0;
}

int rendezvous_init(struct rendezvous *r, const char *directory)
{
	*r = (struct rendezvous){ .fd = -1, .pid = getpid() };
	(void)snprintf(r->directory, sizeof(r->directory), "%s", directory);
	r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0)
		return -errno;
	return bind_listener(r, r->fd, 0);
}

void rendezvous_deinit(struct rendezvous *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

/* The process at the other end; 0 when that can't be said. */
static pid_t made_by(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ? 0 : peer.pid;
}

int rendezvous_join(struct rendezvous *r, int fd)
{
	struct sockaddr_un name;
	const socklen_t length = name_of(r, 0, &name);

	if (connect(fd, (struct sockaddr *)&name, length) < 0)
		return -errno;
	for (;;) {
		const int end = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (end < 0)
			return -errno;
		if (made_by(end) == r->pid)
			return end;
		close(end);
	}
}

int rendezvous_listen(struct rendezvous *r, int fd, uint32_t *ret_path)
{
	const uint32_t path = r->last_path + 1;
	const int e = bind_listener(r, fd, path);

	if (e < 0)
		return e;
	r->last_path = path;
	*ret_path = path;
	return 0;
}

int rendezvous_most_waiting(void)
{
	const int fd = open("/proc/sys/net/core/somaxconn", O_RDONLY | O_CLOEXEC);
	char text[16];
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return SOMAXCONN;
	text[n] = '\0';
	const long most = strtol(text, NULL, 10);

	return most > 0 && most < SOMAXCONN ? (int)most : SOMAXCONN;
}

uint32_t rendezvous_file(const struct rendezvous *r, uint32_t path, char ret[RENDEZVOUS_FILE])
{
	return (uint32_t)snprintf(ret, RENDEZVOUS_FILE, "%s/%u", r->directory, path) + 1;
}

int rendezvous_probe(const struct rendezvous *r, int fd, uint32_t path)
{
	struct sockaddr_un name;
	const socklen_t length = name_of(r, path, &name);

	return connect(fd, (struct sockaddr *)&name, length) < 0 ? -errno : 0;
}

void rendezvous_forget(struct rendezvous *r, uint32_t path)
{
	struct sockaddr_un name;

	(void)name_of(r, path, &name);
	(void)unlink(name.sun_path);
}

int rendezvous_connect(int fd, const char *file)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", file);
	return connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 ? -errno : 0;
}

bool rendezvous_put_token(const struct rendezvous *r, uint32_t path)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const bool is_there = fd >= 0 && rendezvous_probe(r, fd, path) == 0;

	if (fd >= 0)
		close(fd);
	return is_there;
}

int rendezvous_accept(int fd, bool nonblocking, struct rendezvous_guest *ret)
{
	/* The program's listener may block; this process must not. */
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
		return -EAGAIN;
	ret->name_length = sizeof(ret->name);

	const int accepted = accept4(fd, (struct sockaddr *)&ret->name, &ret->name_length,
				     SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0));

	if (accepted < 0)
		return -errno;
	ret->pid = made_by(accepted);
	return accepted;
}
