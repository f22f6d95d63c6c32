/* Opens a TAP device, if need be in another network namespace. */
#include "cli/tap_opener.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/say.h"
#include "link/tap.h"

enum step {
	STEP_OPENED,
	STEP_NAMESPACE, /* there is none of that name */
	STEP_ENTER,     /* it may not be entered */
	STEP_TAP,
};

/* What the child says, with the descriptor when it is STEP_OPENED. */
struct answer {
	enum step step;
	int error; /* negative errno */
};

/* Room for one descriptor beside the answer. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static struct answer open_here(const struct tap_request *r, int *ret_fd)
{
	const int error = tap_open(r->name, r->mtu, r->offload, ret_fd);

	return (struct answer){ error ? STEP_TAP : STEP_OPENED, error };
}

static struct answer open_there(const struct tap_request *r, int *ret_fd)
{
	char path[256];
	const int length = snprintf(path, sizeof(path), "/run/netns/%s", r->netns);

	if (length >= (int)sizeof(path) || strchr(r->netns, '/'))
		return (struct answer){ STEP_NAMESPACE, -EINVAL };
	const int netns = open(path, O_RDONLY | O_CLOEXEC);

	if (netns < 0)
		return (struct answer){ STEP_NAMESPACE, -errno };
	const int entered = setns(netns, CLONE_NEWNET) < 0 ? -errno : 0;

	close(netns);
	return entered ? (struct answer){ STEP_ENTER, entered } : open_here(r, ret_fd);
}

static void send_answer(int socket, struct answer answer, int fd)
{
	union control control = { 0 };
	struct iovec part = { .iov_base = &answer, .iov_len = sizeof(answer) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (answer.step == STEP_OPENED) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);

		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}
	sendmsg(socket, &message, MSG_NOSIGNAL);
}

static struct answer receive_answer(int socket, int *ret_fd)
{
	struct answer answer = { STEP_TAP, -ECHILD };
	union control control = { 0 };
	struct iovec part = { .iov_base = &answer, .iov_len = sizeof(answer) };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	const struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	if (n != sizeof(answer) || (answer.step == STEP_OPENED && !head))
		return (struct answer){ STEP_TAP, -ECHILD };
	if (head)
		memcpy(ret_fd, CMSG_DATA(head), sizeof(*ret_fd));
	return answer;
}

static struct answer open_in_child(const struct tap_request *r, int *ret_fd)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return (struct answer){ STEP_TAP, -errno };
	const pid_t pid = fork();

	if (pid < 0) {
		const struct answer failed = { STEP_TAP, -errno };

		close(pair[0]);
		close(pair[1]);
		return failed;
	}
	if (pid == 0) {
		int fd = -1;
		const struct answer answer = open_there(r, &fd);

		send_answer(pair[1], answer, fd);
		_exit(0);
	}
	close(pair[1]);
	const struct answer answer = receive_answer(pair[0], ret_fd);

	close(pair[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return answer;
}

static int complain_tap(const struct tap_request *r, int error)
{
	if (error == -EPERM || error == -EACCES)
		return say_fail(EX_NOPERM, "a TAP device needs CAP_NET_ADMIN in its network "
					   "namespace; try as root");
	if (error == -EBUSY || error == -EEXIST)
		return say_fail(EX_UNAVAILABLE, "the kernel has an interface '%s' in use already",
				r->name);
	if (error == -ENOENT || error == -ENODEV || error == -ENXIO)
		return say_fail(EX_OSFILE, "this kernel has no /dev/net/tun (CONFIG_TUN)");
	return say_fail(EX_OSERR, "TAP device '%s': %s", r->name, strerror(-error));
}

int tap_opener_open(const struct tap_request *request, int *ret_fd)
{
	const struct answer answer =
		request->netns ? open_in_child(request, ret_fd) : open_here(request, ret_fd);

	switch (answer.step) {
	case STEP_OPENED:
		return EX_OK;
	case STEP_NAMESPACE:
		return say_fail(EX_NOINPUT, "no network namespace '%s'; 'ip netns' lists them",
				request->netns);
	case STEP_ENTER:
		return say_fail(EX_NOPERM, "cannot enter network namespace '%s': %s",
				request->netns, strerror(-answer.error));
	case STEP_TAP:
		break;
	}
	return complain_tap(request, answer.error);
}
