/*
 * How long connect() takes while many sockets are open.
 *
 *	scale_client ADDRESS PORT OPEN LISTENERS COUNT
 *
 * Opens listeners of its own, and so many connections to a soak_server, which holds them, then times
 * COUNT connections one after another. Prints the median of connect() in nanoseconds.
 */
#include <sys/resource.h>

#include "soak.h"

/* Ports that hold a connection until something is said; to each there can be as many as there are
 * local ports. */
#define HOLDING 4

static int connected(const char *address, uint32_t port)
{
	const struct sockaddr_in name = soak_name(address, port);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof(name)))
		soak_fail("connect");
	return fd;
}

static void listener(void)
{
	const struct sockaddr_in name = soak_name("0.0.0.0", 0);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof(name)) || listen(fd, 16))
		soak_fail("listen");
}

static uint64_t time_of_one(const struct sockaddr_in *name)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	const uint64_t from = measure_now_ns();

	if (fd < 0 || connect(fd, (const struct sockaddr *)name, sizeof(*name)))
		soak_fail("connect");
	const uint64_t took = measure_now_ns() - from;

	soak_reset(fd); /* leaves no TIME-WAIT */
	return took;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc != 6) {
		fprintf(stderr, "usage: scale_client ADDRESS PORT OPEN LISTENERS COUNT\n");
		return 64;
	}
	const uint32_t port = measure_number(argv[2]), open = measure_number(argv[3]);
	const struct sockaddr_in name = soak_name(argv[1], port);
	const uint32_t count = measure_number(argv[5]);
	uint64_t *samples = calloc(count, sizeof(*samples));
	int *held = calloc(open, sizeof(*held));

	if (!samples || !held || count == 0 || getrlimit(RLIMIT_NOFILE, &files))
		soak_fail("start");
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	for (uint32_t left = measure_number(argv[4]); left > 0; left--)
		listener();
	for (uint32_t i = 0; i < open; i++)
		held[i] = connected(argv[1], port + i % HOLDING);
	for (uint32_t i = 0; i < count; i++)
		samples[i] = time_of_one(&name);
	for (uint32_t i = 0; i < open; i++)
		soak_reset(held[i]);
	qsort(samples, count, sizeof(*samples), measure_order);
	printf("%llu\n", (unsigned long long)samples[count / 2]);
	return 0;
}
