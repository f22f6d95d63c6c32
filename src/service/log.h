/*
 * A service's log: what its programs write, and lines of the manager's own. A file of bounded size:
 * when it is full it becomes FILE.1, in place of an older one, and is begun anew. A FIFO or a device
 * has no size, and stays where it is; what it does not take at once is lost. So is what cannot be
 * written to a file: why is known meanwhile, and as soon as it can be written again, a line in the
 * log says how much is missing there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct service_log {
	char *path;
	int64_t bytes, most;
	int fd;       /* -1: not open */
	int in;       /* what programs write is read here; -1: no pipe */
	int out;      /* and this is what they get */
	bool is_file; /* what is open */
	int error;    /* the errno for which what came last was lost; 0: it was written */
	int64_t lost; /* bytes since something was written */
};

void service_log_init(struct service_log *l);
void service_log_deinit(struct service_log *l);

/* Where it is from now on. It is opened, so that a wrong place is known at once. */
void service_log_place(struct service_log *l, const char *path, int64_t most);

/* Why what came last was lost; NULL: it was not. */
const char *service_log_fault(const struct service_log *l);

/* The pipe for programs. 0 or a negative errno. */
int service_log_open_pipe(struct service_log *l);

/* What has come by the pipe, a bounded piece. False: nothing was there. */
bool service_log_take(struct service_log *l);

/* A line of the manager's, with the time. */
__attribute__((format(printf, 2, 3))) void service_log_say(struct service_log *l,
							   const char *format, ...);
