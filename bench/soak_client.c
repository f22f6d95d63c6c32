/*
 * The client of the endurance run: every kind of connection and of datagram, mixed by a seed.
 *
 *	soak_client ADDRESS PORT	for each line "CONNECTIONS DATAGRAMS SEED" from standard input
 *					it makes so many, and says "done LOST" (datagrams)
 *	soak_client ADDRESS PORT hang	opens some of each, says "hanging", and waits to be killed
 *
 * What does not end as Linux would have it ends the client, with a line that says what.
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "soak.h"

#define WAIT_S            20 /* for what must come */
#define DATAGRAM_WAIT_US  500000
#define DATAGRAMS_A_GO    64
#define LARGEST_OF_STREAM 4096

static const char *address;
static uint32_t first_port;
static uint64_t state; /* of the mixture */
static char out[SOAK_MOST], in[SOAK_MOST];
static uint32_t lost;

/* Knuth's MMIX generator: its high bits. */
static uint32_t below(uint32_t limit)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((state >> 33) % limit);
}

static _Noreturn void wrong(const char *kind, const char *what, long got)
{
	fprintf(stderr, "soak: %s: %s gave %ld, %s\n", kind, what, got, strerror(errno));
	exit(1);
}

static void expect(const char *kind, const char *what, long got, long wanted)
{
	if (got != wanted)
		wrong(kind, what, got);
}

static int stream(int flags)
{
	const int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	const struct timeval wait = { .tv_sec = WAIT_S };

	if (fd < 0)
		soak_fail("socket");
	if (!(flags & SOCK_NONBLOCK))
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

static int connect_to(int fd, enum soak_port port)
{
	const struct sockaddr_in name = soak_name(address, first_port + port);

	return connect(fd, (const struct sockaddr *)&name, sizeof(name));
}

static int connected(const char *kind, enum soak_port port)
{
	const int fd = stream(0);

	expect(kind, "connect", connect_to(fd, port), 0);
	return fd;
}

static size_t say(const char *kind, int fd)
{
	const size_t size = 1 + below(LARGEST_OF_STREAM);

	expect(kind, "send", send(fd, out, size, MSG_NOSIGNAL), (long)size);
	return size;
}

static void hear(const char *kind, int fd, size_t size)
{
	expect(kind, "recv", recv(fd, in, size, MSG_WAITALL), (long)size);
}

static void hear_end(const char *kind, int fd)
{
	expect(kind, "recv at the end", recv(fd, in, 1, 0), 0);
}

static void hear_reset(const char *kind, int fd)
{
	const ssize_t n = recv(fd, in, sizeof(in), 0);

	if (n != -1 || errno != ECONNRESET)
		wrong(kind, "recv of a reset", n);
}

static void wait_for(const char *kind, int fd, short event)
{
	struct pollfd p = { .fd = fd, .events = event };

	expect(kind, "poll", poll(&p, 1, WAIT_S * 1000), 1);
}

static void orderly(const char *kind)
{
	const int fd = connected(kind, SOAK_ECHO);

	hear(kind, fd, say(kind, fd));
	close(fd);
}

static void peer_first(const char *kind)
{
	const int fd = connected(kind, SOAK_ONCE);

	hear(kind, fd, say(kind, fd));
	hear_end(kind, fd);
	close(fd);
}

static void half_close(const char *kind)
{
	const int fd = connected(kind, SOAK_ECHO);
	const size_t size = say(kind, fd);

	expect(kind, "shutdown", shutdown(fd, SHUT_WR), 0);
	hear(kind, fd, size);
	hear_end(kind, fd);
	close(fd);
}

static void reset(const char *kind)
{
	const int fd = connected(kind, SOAK_ECHO);

	hear(kind, fd, say(kind, fd));
	soak_reset(fd);
}

static void reset_by_peer(const char *kind)
{
	const int fd = connected(kind, SOAK_RESET);

	say(kind, fd);
	hear_reset(kind, fd);
	close(fd);
}

static void unread(const char *kind)
{
	const int fd = connected(kind, SOAK_ECHO);

	say(kind, fd);
	wait_for(kind, fd, POLLIN);
	close(fd);
}

static void unread_by_peer(const char *kind)
{
	const int fd = connected(kind, SOAK_UNREAD);

	say(kind, fd);
	hear_reset(kind, fd);
	close(fd);
}

static void refused(const char *kind)
{
	const int fd = stream(0);

	expect(kind, "connect", connect_to(fd, SOAK_CLOSED), -1);
	expect(kind, "connect's errno", errno, ECONNREFUSED);
	close(fd);
}

static int outcome(const char *kind, int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);

	wait_for(kind, fd, POLLOUT);
	expect(kind, "SO_ERROR", getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	return error;
}

static void nonblocking(const char *kind)
{
	const int fd = stream(SOCK_NONBLOCK);

	expect(kind, "connect", connect_to(fd, SOAK_ECHO), -1);
	expect(kind, "connect's errno", errno, EINPROGRESS);
	expect(kind, "the outcome", outcome(kind, fd), 0);
	const size_t size = say(kind, fd);

	for (size_t got = 0; got < size;) {
		wait_for(kind, fd, POLLIN);
		const ssize_t n = recv(fd, in, size - got, 0);

		if (n <= 0)
			wrong(kind, "recv", n);
		got += (size_t)n;
	}
	close(fd);
}

static void nonblocking_refused(const char *kind)
{
	const int fd = stream(SOCK_NONBLOCK);

	expect(kind, "connect", connect_to(fd, SOAK_CLOSED), -1);
	expect(kind, "connect's errno", errno, EINPROGRESS);
	expect(kind, "the outcome", outcome(kind, fd), ECONNREFUSED);
	close(fd);
}

static void abandoned(const char *kind)
{
	const int fd = stream(SOCK_NONBLOCK);

	expect(kind, "connect", connect_to(fd, SOAK_ECHO), -1);
	close(fd);
}

/* The listener may just be between two lives. */
static void never_accepted(const char *kind)
{
	const int fd = stream(0);

	if (connect_to(fd, SOAK_LAZY) == 0)
		(void)send(fd, out, 1, MSG_NOSIGNAL);
	else if (errno != ECONNREFUSED && errno != ECONNRESET)
		wrong(kind, "connect", -1);
	close(fd);
}

/* A listener of this program's own, closed while a connection waits in its queue. */
/* False while every port of the range is in TIME-WAIT, as by Linux: the bench outruns them. */
static bool bind_anywhere(const char *kind, int fd, const char *address_text)
{
	const struct sockaddr_in name = soak_name(address_text, 0);
	const int r = bind(fd, (const struct sockaddr *)&name, sizeof(name));

	if (r < 0 && errno == EADDRINUSE)
		return false;
	expect(kind, "bind", r, 0);
	return true;
}

static void own_listener(const char *kind)
{
	const int listener = stream(0), fd = stream(0);
	struct sockaddr_in name;
	socklen_t length = sizeof(name);

	if (bind_anywhere(kind, listener, "127.0.0.1")) {
		expect(kind, "listen", listen(listener, 1), 0);
		expect(kind, "getsockname",
		       getsockname(listener, (struct sockaddr *)&name, &length), 0);
		expect(kind, "connect", connect(fd, (struct sockaddr *)&name, length), 0);
		close(listener);
		hear_reset(kind, fd);
	} else {
		close(listener);
	}
	close(fd);
}

static void unused(const char *kind)
{
	const int fd = stream(0);

	(void)bind_anywhere(kind, fd, "0.0.0.0");
	close(fd);
	close(stream(SOCK_NONBLOCK));
}

/* A process of the tree that is killed with a connection and a datagram socket of its own. */
static void killed(const char *kind)
{
	const pid_t child = fork();
	int status = 0;

	if (child == 0) {
		const int fd = connected(kind, SOAK_ECHO), unconnected = stream(0);
		const int datagrams = socket(AF_INET, SOCK_DGRAM, 0);

		(void)unconnected;
		(void)connect_to(datagrams, SOAK_ECHO);
		say(kind, fd);
		(void)raise(SIGKILL);
	}
	expect(kind, "wait", waitpid(child, &status, 0), child);
	expect(kind, "the child's end", status, SIGKILL);
}

static const struct {
	const char *name;
	void (*run)(const char *kind);
	uint32_t weight;
} connections[] = {
	{ "orderly", orderly, 60 },
	{ "the peer closes first", peer_first, 30 },
	{ "half-close", half_close, 30 },
	{ "reset", reset, 20 },
	{ "reset by the peer", reset_by_peer, 20 },
	{ "closed with unread data", unread, 20 },
	{ "closed with unread data by the peer", unread_by_peer, 20 },
	{ "refused", refused, 15 },
	{ "non-blocking", nonblocking, 40 },
	{ "non-blocking, refused", nonblocking_refused, 15 },
	{ "abandoned", abandoned, 10 },
	{ "never accepted", never_accepted, 10 },
	{ "own listener closed", own_listener, 5 },
	{ "never connected", unused, 5 },
	{ "killed", killed, 1 },
};

#define KINDS (sizeof(connections) / sizeof(connections[0]))

static void one_connection(void)
{
	uint32_t all = 0, kind = 0;

	for (size_t i = 0; i < KINDS; i++)
		all += connections[i].weight;
	uint32_t left = below(all);

	while (left >= connections[kind].weight)
		left -= connections[kind++].weight;
	connections[kind].run(connections[kind].name);
}

static size_t datagram_size(void)
{
	static const size_t sizes[] = { 0, 1, 64, 64, 512, 512, 1400, 1400, 4000, 9000 };
	const uint32_t choice = below(200);

	return choice == 0 ? SOAK_MOST : sizes[choice % (sizeof(sizes) / sizeof(sizes[0]))];
}

static int datagram_socket(void)
{
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);
	const struct timeval wait = { .tv_usec = DATAGRAM_WAIT_US };

	if (fd < 0)
		soak_fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

/* One there and one back; false when none came back, which UDP allows, or late, which nobody may take
 * for the next. */
static bool exchange(int fd, bool is_connected)
{
	const struct sockaddr_in name = soak_name(address, first_port + SOAK_ECHO);
	const size_t size = datagram_size();
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	ssize_t n;

	if (is_connected)
		n = send(fd, out, size, 0);
	else
		n = sendto(fd, out, size, 0, (const struct sockaddr *)&name, sizeof(name));
	expect("datagram", "send", n, (long)size);
	n = is_connected ? recv(fd, in, sizeof(in), 0)
			 : recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &length);
	if (n < 0 && errno == EAGAIN) {
		lost++;
		return false;
	}
	expect("datagram", "recv", n, (long)size);
	return true;
}

/* Some of one socket's. Returns how many datagrams there were. */
static uint32_t some_datagrams(uint32_t most)
{
	const int fd = datagram_socket();
	const uint32_t kind = below(20);
	uint32_t count = 0;

	if (kind > 2) {
		const bool is_connected = kind > 8;

		if (is_connected)
			expect("datagram", "connect", connect_to(fd, SOAK_ECHO), 0);
		do
			count += 2;
		while (exchange(fd, is_connected) && count < most);
	} else {
		/* To a closed port, or echoes that nobody reads. */
		expect("datagram", "connect", connect_to(fd, kind ? SOAK_CLOSED : SOAK_ECHO), 0);
		for (; count < most; count += kind ? 1 : 2)
			(void)send(fd, out, datagram_size(), MSG_DONTWAIT);
	}
	close(fd);
	return count;
}

/* Both kinds by turns, so that they meet. */
static void work(uint32_t left_connections, uint32_t left_datagrams)
{
	while (left_connections > 0 || left_datagrams > 0) {
		const uint64_t both = (uint64_t)left_connections + left_datagrams;
		const uint32_t most =
			left_datagrams < DATAGRAMS_A_GO ? left_datagrams : DATAGRAMS_A_GO;

		if (below((uint32_t)both) < left_connections) {
			one_connection();
			left_connections--;
		} else {
			const uint32_t count = some_datagrams(most);

			left_datagrams -= count < left_datagrams ? count : left_datagrams;
		}
	}
}

static _Noreturn void hang(void)
{
	for (int i = 0; i < 16; i++) {
		say("hang", connected("hang", SOAK_ECHO));
		(void)stream(0);
		(void)connect_to(stream(SOCK_NONBLOCK), SOAK_ECHO);
		(void)connected("hang", SOAK_ONCE);
		(void)exchange(datagram_socket(), false);
	}
	puts("hanging");
	fflush(stdout);
	for (;;)
		(void)pause();
}

int main(int argc, char **argv)
{
	char line[64];

	if (argc < 3) {
		fprintf(stderr, "usage: soak_client ADDRESS PORT [hang]\n");
		return 64;
	}
	address = argv[1];
	first_port = measure_number(argv[2]);
	if (argc > 3)
		hang();
	while (fgets(line, sizeof(line), stdin)) {
		char *at = line;
		const unsigned long count_connections = strtoul(at, &at, 10);
		const unsigned long count_datagrams = strtoul(at, &at, 10);

		state = strtoul(at, NULL, 10);
		work((uint32_t)count_connections, (uint32_t)count_datagrams);
		printf("done %u\n", lost);
		fflush(stdout);
	}
	return 0;
}
