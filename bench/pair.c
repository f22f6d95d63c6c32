/*
 * Connections one after another: the client connects, sends a byte, reads one and closes.
 *
 *	pair server PORT		until it is killed
 *	pair client ADDRESS PORT N [MS]	prints how many a second; given a time, which ends it before N,
 *					how many in all, too
 */
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "pair.h"

static _Noreturn void serve(const char *port)
{
	const struct sockaddr_in name = pair_name("0.0.0.0", port);
	const int listener = pair_socket(SOCK_STREAM), yes = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (const struct sockaddr *)&name, sizeof(name)) || listen(listener, 128))
		pair_fail("listen");
	for (;;) {
		const int fd = accept(listener, NULL, NULL);
		char byte;

		if (fd < 0)
			pair_fail("accept");
		if (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) != 1)
			pair_fail("write");
		close(fd);
	}
}

static void exchange(const struct sockaddr_in *name)
{
	const int fd = pair_socket(SOCK_STREAM);
	char byte = 'r';

	if (connect(fd, (const struct sockaddr *)name, sizeof(*name)))
		pair_fail("connect");
	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		pair_fail("exchange");
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "server") == 0)
		serve(argv[2]);
	if ((argc != 5 && argc != 6) || strcmp(argv[1], "client") != 0) {
		fprintf(stderr, "usage: pair server PORT | client ADDRESS PORT N [MS]\n");
		return 64;
	}
	const struct sockaddr_in name = pair_name(argv[2], argv[3]);
	const uint32_t count = measure_number(argv[4]);
	const uint64_t most_ns =
		argc == 6 ? measure_number(argv[5]) * UINT64_C(1000000) : UINT64_MAX;
	const uint64_t from = measure_now_ns();
	uint32_t done = 0;

	for (; done < count && measure_now_ns() - from < most_ns; done++)
		exchange(&name);
	printf("%.1f", done / ((double)(measure_now_ns() - from) / 1e9));
	if (argc == 6)
		printf(" %u", done);
	putchar('\n');
	return 0;
}
