/*
 * Connections one after another: the client connects, sends a byte, reads one and closes.
 *
 *	pair server PORT		until it is killed
 *	pair client ADDRESS PORT N	prints how many a second
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

static void fail(const char *what)
{
	fprintf(stderr, "pair: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in name_of(const char *address, const char *port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)measure_number(port)) };

	if (inet_pton(AF_INET, address, &name.sin_addr) != 1)
		fail(address);
	return name;
}

static int new_socket(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	return fd;
}

static void serve(const char *port)
{
	const struct sockaddr_in name = name_of("0.0.0.0", port);
	const int listener = new_socket(), yes = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (const struct sockaddr *)&name, sizeof(name)) || listen(listener, 128))
		fail("listen");
	for (;;) {
		const int fd = accept(listener, NULL, NULL);
		char byte;

		if (fd < 0)
			fail("accept");
		if (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) != 1)
			fail("write");
		close(fd);
	}
}

static void exchange(const struct sockaddr_in *name)
{
	const int fd = new_socket();
	char byte = 'r';

	if (connect(fd, (const struct sockaddr *)name, sizeof(*name)))
		fail("connect");
	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		fail("exchange");
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "server") == 0)
		serve(argv[2]);
	if (argc != 5 || strcmp(argv[1], "client") != 0) {
		fprintf(stderr, "usage: pair server PORT | client ADDRESS PORT N\n");
		return 64;
	}
	const struct sockaddr_in name = name_of(argv[2], argv[3]);
	const uint32_t count = measure_number(argv[4]);
	const uint64_t from = measure_now_ns();

	for (uint32_t i = 0; i < count; i++)
		exchange(&name);
	printf("%.1f\n", count / ((double)(measure_now_ns() - from) / 1e9));
	return 0;
}
