/*
 * The kernel's end: a child with a network namespace of its own and with a TAP device there, whose
 * descriptor it gives to its parent. It goes with its parent. CUBIC is named for each socket: a
 * namespace's default can only be what the machine allows to everybody.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "goodput.h"
#include "link/tap.h"

#define DEVICE     "tap0"
#define CONGESTION "cubic"
#define PIECE      65536

static void need(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "goodput: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static struct sockaddr_in name_of(uint8_t number, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr = { htonl(0xc6120000u + number) } };
}

static void set_address(uint8_t number)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = name_of(number, 0);
	struct ifreq request = { .ifr_name = DEVICE };

	memcpy(&request.ifr_addr, &address, sizeof(address));
	need(fd >= 0 && ioctl(fd, SIOCSIFADDR, &request) == 0, "the address");
	address.sin_addr.s_addr = htonl(0xffff0000u);
	memcpy(&request.ifr_netmask, &address, sizeof(address));
	need(ioctl(fd, SIOCSIFNETMASK, &request) == 0, "the netmask");
	close(fd);
}

static void give_descriptor(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *const head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	need(sendmsg(socket, &message, MSG_NOSIGNAL) == 1, "giving the TAP");
}

/* -1: the process has ended, and has said why. */
static int take_descriptor(int socket)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	int fd = -1;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	const struct cmsghdr *const head = CMSG_FIRSTHDR(&message);

	if (head && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static int new_socket(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	need(fd >= 0, "socket");
	need(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, CONGESTION, strlen(CONGESTION)) == 0,
	     "TCP_CONGESTION");
	return fd;
}

static void send_stream(int parent)
{
	static char piece[PIECE];
	const int fd = new_socket();
	uint8_t number;

	need(read(parent, &number, 1) == 1, "the word to connect");
	const struct sockaddr_in to = name_of(number, GOODPUT_PORT);

	need(connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0, "connect");
	while (write(fd, piece, sizeof(piece)) > 0)
		;
	need(false, "write");
}

static int listen_at_port(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(GOODPUT_PORT) };
	const int fd = new_socket();

	need(bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 1) == 0,
	     "listen");
	return fd;
}

static void receive_stream(int listener, struct progress *progress)
{
	static char piece[PIECE];
	const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ssize_t n;

	need(fd >= 0, "accept");
	progress->accepted = true;
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		progress->received += (uint64_t)n;
	need(false, "read");
}

static _Noreturn void be_kernel_end(int parent, uint8_t number, bool sends,
				    struct progress *progress)
{
	int tap, listener = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	need(unshare(CLONE_NEWNET) == 0, "a network namespace");
	need(tap_open(DEVICE, GOODPUT_MTU, false, &tap) == 0, "a TAP device");
	set_address(number);
	if (!sends)
		listener = listen_at_port();
	give_descriptor(parent, tap);
	close(tap);
	if (sends)
		send_stream(parent);
	else
		receive_stream(listener, progress);
	exit(0);
}

void kernel_end_start(struct kernel_end *k, uint8_t number, bool sends, struct progress *progress)
{
	int ends[2];

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	k->pid = fork();
	need(k->pid >= 0, "fork");
	if (k->pid == 0) {
		close(ends[0]);
		be_kernel_end(ends[1], number, sends, progress);
	}
	close(ends[1]);
	k->socket = ends[0];
	k->tap = take_descriptor(k->socket);
	if (k->tap < 0)
		exit(1);
}

void kernel_end_connect(const struct kernel_end *k, uint8_t number)
{
	need(send(k->socket, &number, 1, MSG_NOSIGNAL) == 1, "the word to connect");
}

void kernel_end_stop(struct kernel_end *k)
{
	kill(k->pid, SIGKILL);
	waitpid(k->pid, NULL, 0);
	close(k->socket);
}
