/*
 * The server of the endurance run: ends connections in every way that a server can (soak.h).
 *
 *	soak_server PORT	says "ready", and serves until it is killed
 */
#include <sys/epoll.h>
#include <sys/resource.h>

#include "soak.h"

#define MOST_DESCRIPTORS 65536
#define BACKLOG          256

/* The listener that does not accept begins anew after so many events, or when nothing else comes. */
#define LAZY_EVENTS 4
#define LAZY_MS     100

enum role { ROLE_NONE, ROLE_LISTENER, ROLE_CONNECTION, ROLE_DATAGRAMS };

struct served {
	enum role role;
	enum soak_port port;
};

static struct served descriptors[MOST_DESCRIPTORS];
static int epoll_fd;
static uint32_t first_port;
static int lazy_fd;
static unsigned lazy_events;
static char buffer[SOAK_MOST];

static void watch(int fd, enum role role, enum soak_port port)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd >= MOST_DESCRIPTORS)
		soak_fail("too many descriptors");
	if (role == ROLE_LISTENER && port == SOAK_LAZY)
		event.events |= EPOLLET;
	descriptors[fd] = (struct served){ role, port };
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		soak_fail("epoll_ctl");
}

static int bound_socket(int type, enum soak_port port)
{
	const struct sockaddr_in name = soak_name("0.0.0.0", first_port + port);
	const int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0), yes = 1;

	if (fd < 0)
		soak_fail("socket");
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)))
		soak_fail("bind");
	return fd;
}

static void start_listener(enum soak_port port)
{
	const int fd = bound_socket(SOCK_STREAM, port);

	if (listen(fd, BACKLOG))
		soak_fail("listen");
	if (port == SOAK_LAZY)
		lazy_fd = fd;
	watch(fd, ROLE_LISTENER, port);
}

static void end(int fd)
{
	descriptors[fd].role = ROLE_NONE;
	close(fd);
}

static void renew_lazy(void)
{
	lazy_events = 0;
	end(lazy_fd);
	start_listener(SOAK_LAZY);
}

static void serve_listener(int fd, enum soak_port port)
{
	if (port == SOAK_LAZY) {
		if (++lazy_events == LAZY_EVENTS)
			renew_lazy();
		return;
	}
	const int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK);

	if (accepted >= 0)
		watch(accepted, ROLE_CONNECTION, port);
	else if (errno != EAGAIN)
		soak_fail("accept");
}

static void serve_connection(int fd, enum soak_port port)
{
	if (port == SOAK_RESET) {
		descriptors[fd].role = ROLE_NONE;
		soak_reset(fd);
		return;
	}
	if (port == SOAK_UNREAD) {
		end(fd);
		return;
	}
	const ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n < 0 && errno == EAGAIN)
		return;
	/* A client that is gone does not take what is sent. */
	if (n > 0)
		(void)send(fd, buffer, (size_t)n, MSG_NOSIGNAL);
	if (n <= 0 || port == SOAK_ONCE)
		end(fd);
}

static void serve_datagram(int fd)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	const ssize_t n =
		recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length);

	if (n >= 0)
		(void)sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&from, length);
}

static void serve(const struct epoll_event *event)
{
	const int fd = event->data.fd;
	const struct served *served = &descriptors[fd];

	switch (served->role) {
	case ROLE_NONE:
		return;
	case ROLE_LISTENER:
		serve_listener(fd, served->port);
		return;
	case ROLE_CONNECTION:
		serve_connection(fd, served->port);
		return;
	case ROLE_DATAGRAMS:
		serve_datagram(fd);
		return;
	}
}

int main(int argc, char **argv)
{
	const struct rlimit files = { MOST_DESCRIPTORS, MOST_DESCRIPTORS };
	struct epoll_event event;

	if (argc != 2) {
		fprintf(stderr, "usage: soak_server PORT\n");
		return 64;
	}
	first_port = measure_number(argv[1]);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned port = 0; port < SOAK_LISTENERS; port++)
		start_listener((enum soak_port)port);
	watch(bound_socket(SOCK_DGRAM, SOAK_ECHO), ROLE_DATAGRAMS, SOAK_ECHO);
	puts("ready");
	fflush(stdout);
	/* One at a time: what one event does may end what the next is about. */
	for (;;) {
		const int n = epoll_wait(epoll_fd, &event, 1, lazy_events ? LAZY_MS : -1);

		if (n == 1)
			serve(&event);
		else if (n == 0)
			renew_lazy();
	}
}
