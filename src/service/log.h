/*
 * A service's log: what its programs write, and lines of the manager's own. A file of bounded size:
 * when it is full it becomes FILE.1, in place of an older one, and is begun anew. A FIFO or a device
 * has no size, and stays where it is; what it does not take at once is lost.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct service_log {
	char *path;
	int64_t bytes, most;
	int fd;          /* -1: not open */
	int in;          /* what programs write is read here; -1: no pipe */
	int out;         /* and this is what they get */
	bool is_file;    /* what is open */
	bool has_failed; /* it could not be opened; not tried again before it is placed anew */
};

void service_log_init(struct service_log *l);
void service_log_deinit(struct service_log *l);

/* Where it is from now on. */
void service_log_place(struct service_log *l, const char *path, int64_t most);

/* The pipe for programs. 0 or a negative errno. */
int service_log_open_pipe(struct service_log *l);

/* What has come by the pipe, a bounded piece. False: nothing was there. */
bool service_log_take(struct service_log *l);

/* A line of the manager's, with the time. */
__attribute__((format(printf, 2, 3))) void service_log_say(struct service_log *l,
							   const char *format, ...);
