/*
 * Answers each connection with its own name, and closes.
 *
 *	scale_server PORT NAME	says "ready", and serves until it is killed
 */
#include "soak.h"

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: scale_server PORT NAME\n");
		return 64;
	}
	const struct sockaddr_in name = soak_name("0.0.0.0", measure_number(argv[1]));
	const int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (const struct sockaddr *)&name, sizeof(name)) ||
	    listen(listener, 16))
		soak_fail("listen");
	puts("ready");
	fflush(stdout);
	for (;;) {
		const int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			soak_fail("accept");
		(void)send(fd, argv[2], strlen(argv[2]), MSG_NOSIGNAL);
		close(fd);
	}
}
