/*
 * Datagrams one after another: a connected client sends a request and waits for its answer; the
 * server answers whoever asks.
 *
 *	udp_pair server PORT		until it is killed
 *	udp_pair client ADDRESS PORT MS	asks for so long; prints how many a second, how many in all,
 *					and how many had to be sent again
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "measure.h"
#include "pair.h"

#define WAIT_US    200000L
#define START_US   20000
#define MOST_WAITS 50 /* for one answer */

static _Noreturn void serve(const char *port)
{
	const struct sockaddr_in name = pair_name("0.0.0.0", port);
	const int fd = pair_socket(SOCK_DGRAM);

	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)))
		pair_fail("bind");
	for (;;) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		uint32_t number;

		if (recvfrom(fd, &number, sizeof(number), 0, (struct sockaddr *)&from, &length) !=
		    sizeof(number))
			pair_fail("recvfrom");
		(void)sendto(fd, &number, sizeof(number), 0, (struct sockaddr *)&from, length);
	}
}

/* False when no answer has come in time, or nobody is there. */
static bool receive(int fd, uint32_t number)
{
	uint32_t answer;

	/* A late answer to what was sent again is passed over. */
	do {
		if (recv(fd, &answer, sizeof(answer), 0) != sizeof(answer))
			return false;
	} while (answer != number);
	return true;
}

/* How often it had to be sent again. */
static uint32_t exchange(int fd, uint32_t number)
{
	for (uint32_t lost = 0; lost < MOST_WAITS; lost++) {
		(void)send(fd, &number, sizeof(number), 0);
		if (receive(fd, number))
			return lost;
		if (errno == ECONNREFUSED)
			usleep(START_US); /* the server is about to start */
	}
	pair_fail("no answer");
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "server") == 0)
		serve(argv[2]);
	if (argc != 5 || strcmp(argv[1], "client") != 0) {
		fprintf(stderr, "usage: udp_pair server PORT | client ADDRESS PORT MS\n");
		return 64;
	}
	const struct sockaddr_in name = pair_name(argv[2], argv[3]);
	const uint64_t most_ns = measure_number(argv[4]) * UINT64_C(1000000);
	const struct timeval wait = { .tv_usec = WAIT_US };
	const int fd = pair_socket(SOCK_DGRAM);
	uint32_t done = 0, lost = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
	    connect(fd, (const struct sockaddr *)&name, sizeof(name)))
		pair_fail("connect");
	(void)exchange(fd, UINT32_MAX);
	const uint64_t from = measure_now_ns();

	for (; measure_now_ns() - from < most_ns; done++)
		lost += exchange(fd, done);
	printf("%.1f %u %u\n", done / ((double)(measure_now_ns() - from) / 1e9), done, lost);
	return 0;
}
