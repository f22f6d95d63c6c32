/*
 * The front: the process that whoever called `reeve run` waits for. It stays in the terminal's
 * session and process group together with the program; the supervisor has left both.
 *
 * Signals that the terminal sends reach the program by themselves, so the front passes on only
 * those that were sent to it alone. When the program stops, the front stops too, so that a shell
 * sees the job as stopped.
 */
#pragma once

#include <signal.h>

/* Blocks what the front takes up itself; *ret_before is how the program will have it. */
void front_block_signals(sigset_t *ret_before);

struct counts;
struct run_options;

/* Waits for the program's end, or for its beginning if it is detached, at `fd`, the supervisor's reports; the exit status. Ends the caller
 * itself if a signal has ended the program. `before`: the caller's signals. When calls are counted
 * it waits for the end of the whole tree, and prints them. */
int front_main(int fd, const struct run_options *options, const sigset_t *before);

/* The supervisor's side: the program's pid once it runs, then each status of waitpid(), last what
 * was counted; and a line for stderr. */
void front_started(int fd, int pid);
void front_report(int fd, int wait_status);
void front_count(int fd, const struct counts *counts);
void front_say(int fd, const char *text);
