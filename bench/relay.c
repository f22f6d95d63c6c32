/*
 * The floor of every engine that is a process of its own: the connections of `floor --relay=NAME`
 * pass through here, and all that is done with them is to carry the bytes on. No TCP, no ports,
 * no names, no supervisor told of anything.
 *
 *	relay NAME	until it is killed
 *
 * A connecting socket's own name ends with the port that it asks for (floor.h).
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "floor.h"
#include "measure.h"

#define EVENTS  64
#define SCRATCH 65536

/* One end of a connection, and what it still has to be sent. */
struct side {
	struct flow *flow;
	int fd;
	bool has_ended; /* nothing more will be read of it */
	size_t left, left_at;
	char *bytes;
};

struct flow {
	struct side sides[2];
	struct flow *next_dead;
};

struct relay {
	int epoll_fd;
	int listener;
	struct flow *dead; /* events of this batch may still name it */
	char scratch[SCRATCH];
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int new_socket(void)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		fail("socket");
	return fd;
}

static void watch(const struct relay *r, int fd, struct side *side)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				     .data.ptr = side };

	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

/* To the server's socket of that port; without one the client sees its connection end. */
static void take(struct relay *r, int client_fd)
{
	struct sockaddr_un name;
	socklen_t length = sizeof(name);
	struct flow *flow = calloc(1, sizeof(*flow));
	const int server_fd = new_socket();

	if (!flow)
		fail("memory");
	if (getpeername(client_fd, (struct sockaddr *)&name, &length) < 0)
		fail("getpeername");
	length = floor_name(&name, "%s", floor_port_of(&name, length));
	if (connect(server_fd, (const struct sockaddr *)&name, length) < 0) {
		close(client_fd);
		close(server_fd);
		free(flow);
		return;
	}
	flow->sides[0] = (struct side){ .flow = flow, .fd = client_fd };
	flow->sides[1] = (struct side){ .flow = flow, .fd = server_fd };
	watch(r, client_fd, &flow->sides[0]);
	watch(r, server_fd, &flow->sides[1]);
}

static void accept_all(struct relay *r)
{
	for (;;) {
		const int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			take(r, fd);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR && errno != ECONNABORTED)
			fail("accept");
	}
}

/* What could not be sent is kept. False when nothing more may be read for this side now. */
static bool deliver(struct side *to, const char *bytes, size_t length)
{
	const ssize_t n = send(to->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	const size_t sent = n > 0 ? (size_t)n : 0;

	if (sent == length || (n < 0 && errno != EAGAIN && errno != EINTR))
		return true; /* nobody is there to read the rest */
	to->bytes = malloc(length - sent);
	if (!to->bytes)
		fail("memory");
	memcpy(to->bytes, bytes + sent, length - sent);
	to->left = length - sent;
	to->left_at = 0;
	return false;
}

static bool deliver_left(struct side *to)
{
	if (to->left == 0)
		return true;
	const ssize_t n =
		send(to->fd, to->bytes + to->left_at, to->left, MSG_DONTWAIT | MSG_NOSIGNAL);
	const size_t sent = n > 0 ? (size_t)n : errno == EAGAIN || errno == EINTR ? 0 : to->left;

	to->left -= sent;
	to->left_at += sent;
	if (to->left)
		return false;
	free(to->bytes);
	to->bytes = NULL;
	return true;
}

/* `more`: the end may follow what is read. */
static void pump(struct relay *r, struct side *from, struct side *to, bool more)
{
	while (deliver_left(to) && !from->has_ended) {
		const ssize_t n = recv(from->fd, r->scratch, sizeof(r->scratch), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			from->has_ended = true;
			(void)shutdown(to->fd, SHUT_WR);
			return;
		}
		if (!deliver(to, r->scratch, (size_t)n) ||
		    ((size_t)n < sizeof(r->scratch) && !more))
			return;
	}
}

static void handle(struct relay *r, struct side *side, uint32_t events)
{
	struct flow *flow = side->flow;
	struct side *other = &flow->sides[side == &flow->sides[0]];

	if (side->fd < 0)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
		pump(r, side, other, events & (EPOLLRDHUP | EPOLLHUP));
	if (side->left && events & EPOLLOUT)
		pump(r, other, side, true);
	if (!side->has_ended || !other->has_ended || side->left || other->left)
		return;
	close(side->fd);
	close(other->fd);
	side->fd = other->fd = -1;
	flow->next_dead = r->dead;
	r->dead = flow;
}

int main(int argc, char **argv)
{
	static struct relay r;
	struct epoll_event events[EVENTS];
	struct sockaddr_un name;

	if (argc != 2) {
		fprintf(stderr, "usage: relay NAME\n");
		return 64;
	}
	const socklen_t length = floor_name(&name, "%s", argv[1]);

	r.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r.listener = new_socket();
	if (r.epoll_fd < 0 || bind(r.listener, (const struct sockaddr *)&name, length) < 0 ||
	    listen(r.listener, SOMAXCONN) < 0)
		fail(argv[1]);
	watch(&r, r.listener, NULL);
	puts("ready");
	fflush(stdout);
	for (;;) {
		const int n = epoll_wait(r.epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				handle(&r, events[i].data.ptr, events[i].events);
			else
				accept_all(&r);
		}
		while (r.dead) {
			struct flow *flow = r.dead;

			r.dead = flow->next_dead;
			free(flow);
		}
	}
}
