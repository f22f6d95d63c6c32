/*
 * What it costs the kernel to choose a port, over its loopback interface.
 *
 *	ports_kernel FIRST LAST SAMPLES
 *
 * To be run in a network namespace of its own whose net.ipv4.ip_local_port_range is FIRST LAST.
 * connect: with all taken ports connected to the same listener. given: connect() of a socket that
 * was bound to a free port before, the same without the search. bind(0): with all taken ports bound.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define SERVER_PORT 80
#define HELD        8000 /* ports a holder, with two files each */

struct range {
	uint16_t first;
	uint32_t count;
};

static void fail(const char *what)
{
	fprintf(stderr, "ports_kernel: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static int new_socket(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	return fd;
}

static void do_bind(int fd, uint16_t port)
{
	const struct sockaddr_in name = loopback(port);

	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)))
		fail("bind");
}

/* Any port of the range that is free, found by trying: once the kernel's own choice is slow. */
static void bind_somewhere(int fd, const struct range *range)
{
	static uint32_t next;

	for (uint32_t tries = 0; tries < range->count; tries++) {
		next = (next + 7919) % range->count; /* a prime: comes by all of them */
		const struct sockaddr_in name = loopback((uint16_t)(range->first + next));

		if (!bind(fd, (const struct sockaddr *)&name, sizeof(name)))
			return;
		if (errno != EADDRINUSE)
			break;
	}
	fail("bind");
}

static void do_connect(int fd)
{
	const struct sockaddr_in name = loopback(SERVER_PORT);

	if (connect(fd, (const struct sockaddr *)&name, sizeof(name)))
		fail("connect");
}

/* Reset, so that no TIME-WAIT is left. */
static void close_both(int client, int server)
{
	const struct linger reset = { 1, 0 };

	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(client);
	close(server);
}

static int do_accept(int listener)
{
	const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		fail("accept");
	return fd;
}

static void measure_connect(int listener, const char *level, uint64_t *ns, size_t samples)
{
	for (size_t i = 0; i < samples; i++) {
		const int fd = new_socket();
		const uint64_t from = measure_now_ns();

		do_connect(fd);
		ns[i] = measure_now_ns() - from;
		close_both(fd, do_accept(listener));
	}
	measure_report("connect", level, ns, samples);
}

static void measure_given(int listener, uint64_t *ns, size_t samples)
{
	for (size_t i = 0; i < samples; i++) {
		const int fd = new_socket();

		do_bind(fd, (uint16_t)(1024 + i % 1000));
		const uint64_t from = measure_now_ns();

		do_connect(fd);
		ns[i] = measure_now_ns() - from;
		close_both(fd, do_accept(listener));
	}
	measure_report("connect, port given", "0 %", ns, samples);
}

static void measure_bind(const char *level, uint64_t *ns, size_t samples)
{
	for (size_t i = 0; i < samples; i++) {
		const int fd = new_socket();
		const uint64_t from = measure_now_ns();

		do_bind(fd, 0);
		ns[i] = measure_now_ns() - from;
		close(fd);
	}
	measure_report("bind(0)", level, ns, samples);
}

/* Who holds the taken ports: processes, because one may not have as many files as a range has
 * ports. They keep them until the pipe is closed. */
struct holders {
	int listener;
	bool connected; /* or only bound */
	struct range range;
	uint32_t taken;
	int until[2];
};

static void take_port(const struct holders *h, uint32_t taken)
{
	const int fd = new_socket();

	if (h->connected) {
		do_connect(fd);
		do_accept(h->listener);
	} else if (taken < h->range.count / 2) {
		do_bind(fd, 0);
	} else {
		bind_somewhere(fd, &h->range);
	}
}

static void hold_ports(const struct holders *h, uint32_t count, int ready)
{
	char byte = 0;

	close(h->until[1]);
	for (uint32_t i = 0; i < count; i++)
		take_port(h, h->taken + i);
	if (write(ready, &byte, 1) != 1)
		fail("write");
	while (read(h->until[0], &byte, 1) > 0)
		;
	_exit(0);
}

static void take_ports(struct holders *h, uint32_t wanted)
{
	while (h->taken < wanted) {
		const uint32_t part = wanted - h->taken < HELD ? wanted - h->taken : HELD;
		int ready[2];
		char byte;

		if (pipe(ready))
			fail("pipe");
		const pid_t child = fork();

		if (child < 0)
			fail("fork");
		if (child == 0)
			hold_ports(h, part, ready[1]);
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			exit(1);
		close(ready[0]);
		h->taken += part;
	}
}

static void release_ports(struct holders *h)
{
	close(h->until[1]);
	while (wait(NULL) > 0)
		;
	close(h->until[0]);
}

static void measure_by_level(struct holders *h, uint64_t *ns, size_t samples)
{
	if (pipe(h->until))
		fail("pipe");
	for (size_t l = 0; l < sizeof(measure_levels) / sizeof(measure_levels[0]); l++) {
		take_ports(h, measure_taken(&measure_levels[l], h->range.count));
		if (h->connected)
			measure_connect(h->listener, measure_levels[l].name, ns, samples);
		else
			measure_bind(measure_levels[l].name, ns, samples);
	}
	release_ports(h);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: ports_kernel FIRST LAST SAMPLES\n");
		return 64;
	}
	const struct range range = { (uint16_t)measure_number(argv[1]),
				     measure_number(argv[2]) - measure_number(argv[1]) + 1 };
	const size_t samples = measure_number(argv[3]);
	uint64_t *const ns = calloc(samples, sizeof(*ns));
	const int listener = new_socket();

	do_bind(listener, SERVER_PORT);
	if (!ns || listen(listener, 4096))
		fail("listen");
	measure_given(listener, ns, samples);
	struct holders bound = { .listener = listener, .range = range };
	struct holders connected = { .listener = listener, .connected = true, .range = range };

	measure_by_level(&bound, ns, samples);
	measure_by_level(&connected, ns, samples);
	free(ns);
	return 0;
}
