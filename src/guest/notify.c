/* Owns the listener's requests. */
#include "guest/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/kernel.h"

int notify_init(struct notify *n, int fd_take)
{
	struct seccomp_notif_sizes sizes;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return -errno;
	if (sizes.seccomp_notif > sizeof(struct seccomp_notif) ||
	    sizes.seccomp_notif_resp > sizeof(struct seccomp_notif_resp))
		return -ENOTSUP;
	n->fd = fd_take;
	/* Faster where the kernel has it (6.6): caller and supervisor take turns. */
	(void)ioctl(fd_take, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	return 0;
}

void notify_deinit(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

int notify_receive(struct notify *n, struct trapped *ret)
{
	struct seccomp_notif request;

	memset(&request, 0, sizeof(request));
	if (ioctl(n->fd, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	ret->id = request.id;
	ret->tid = (pid_t)request.pid;
	ret->number = request.data.nr;
	for (int i = 0; i < 6; i++)
		ret->arguments[i] = request.data.args[i];
	return 0;
}

static int respond(struct notify *n, struct seccomp_notif_resp *response)
{
	while (ioctl(n->fd, SECCOMP_IOCTL_NOTIF_SEND, response) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int notify_answer(struct notify *n, const struct trapped *t, int64_t value)
{
	struct seccomp_notif_resp response = {
		.id = t->id,
		.val = value < 0 ? 0 : value,
		.error = value < 0 ? (int)value : 0,
	};

	return respond(n, &response);
}

int notify_continue(struct notify *n, const struct trapped *t)
{
	struct seccomp_notif_resp response = {
		.id = t->id,
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	return respond(n, &response);
}

static int add(struct notify *n, struct seccomp_notif_addfd *request)
{
	for (;;) {
		const int r = ioctl(n->fd, SECCOMP_IOCTL_NOTIF_ADDFD, request);

		if (r >= 0)
			return r;
		if (errno != EINTR)
			return -errno;
	}
}

int notify_add(struct notify *n, const struct trapped *t, int fd, bool close_on_exec)
{
	struct seccomp_notif_addfd request = {
		.id = t->id,
		.srcfd = (uint32_t)fd,
		.newfd_flags = close_on_exec ? O_CLOEXEC : 0,
	};

	return add(n, &request);
}

int notify_replace(struct notify *n, const struct trapped *t, int fd, int at, bool close_on_exec)
{
	struct seccomp_notif_addfd request = {
		.id = t->id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (uint32_t)fd,
		.newfd = (uint32_t)at,
		.newfd_flags = close_on_exec ? O_CLOEXEC : 0,
	};

	return add(n, &request);
}

bool notify_is_waiting(const struct notify *n, const struct trapped *t)
{
	uint64_t id = t->id;

	return ioctl(n->fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}
