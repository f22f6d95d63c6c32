/*
 * Threads that wait in accept(): `pended THREADS` starts them, says "ready" when all of them sleep,
 * and ends with its standard input.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

#define STACK 65536u

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void *wait_in_accept(void *argument)
{
	const int *listener = argument;

	(void)accept(*listener, NULL, NULL);
	return NULL;
}

int main(int count, char **arguments)
{
	if (count != 2) {
		fputs("usage: pended THREADS\n", stderr);
		return 64;
	}
	const uint32_t threads = measure_number(arguments[1]);
	const struct sockaddr_in any = { .sin_family = AF_INET };
	pthread_attr_t attributes;
	char byte;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
	    listen(listener, 1) < 0)
		fail("listener");
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	for (uint32_t i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, &attributes, wait_in_accept, &listener) != 0)
			fail("thread");
	}
	puts("ready");
	fflush(stdout);
	(void)!read(STDIN_FILENO, &byte, 1);
	return 0;
}
