/*
 * Ctrl-C and SIGTERM, for commands that then end in order. Both are held back but for the time of a
 * wait, so that none comes unseen between a look whether it has come and the wait that it is to end.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

/* From here on they end no process, but waits. */
void interrupt_catch(void);

/* One has come. */
bool interrupt_came(void);

/* poll() for one descriptor: 1; 0 after `timeout_ms` (-1: never); or a negative errno, -EINTR also
 * when one of them had come before. */
int interrupt_poll(int fd, short events, int timeout_ms);
