/*
 * Processes of a program's tree, as /proc shows them. A process is known by its number and the time
 * at which it began, so that a number that was given away again is not mistaken.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TREE_MEMBERS 1024

/* The last processes of a tree of which something was heard. */
struct tree_members {
	uint32_t count, next; /* in use; where the next is put */
	pid_t spared;         /* not ended with the others; 0: none */
	struct {
		pid_t pid;
		uint64_t began;
	} members[TREE_MEMBERS];
};

/* 0 or a negative errno. */
int tree_parent(pid_t pid, pid_t *ret_parent);

void tree_add(struct tree_members *m, pid_t pid);

/* Ends every member that still runs, and all processes that descend from one. Returns how many. */
unsigned tree_kill(const struct tree_members *m);

/* The same for many trees at once, as all processes of the machine are looked at for it; how many
 * there were of each. */
void tree_kill_all(const struct tree_members *const *trees, size_t count, unsigned *ret_counts);

/* Asks them to end: SIGTERM. */
void tree_terminate_all(const struct tree_members *const *trees, size_t count);
