/* What an epoll event of the supervisor belongs to; lies inside what it belongs to. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum watch_kind {
	WATCH_NOTIFY,
	WATCH_CHANNEL,
	WATCH_SIGNAL,
	WATCH_FRONT,
	WATCH_END,     /* of a guest_socket */
	WATCH_CALL,    /* of a call */
	WATCH_PROCESS, /* of a descriptor_process */
};

struct watch {
	enum watch_kind kind;
	int fd; /* -1: not watched */
};

/* Starts, or changes what is waited for. 0 or a negative errno. */
int watch_start(int epoll_fd, struct watch *w, int fd, uint32_t events);
void watch_stop(int epoll_fd, struct watch *w);
