#include "network/guest_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS 16 /* for trees that fork while they are ended */

struct process {
	pid_t pid, parent;
	uint64_t began;
	size_t tree; /* whose it is, counted from 1; 0: nobody's */
	bool is_told;
};

struct process_list {
	struct process *processes;
	size_t count, size;
};

/* proc(5): what comes behind the name in /proc/pid/stat, counted from 0. */
enum { FIELD_PARENT = 1, FIELD_BEGAN = 19 };

static const char *field(const char *at, unsigned index)
{
	while (index-- && at)
		at = strchr(at + 1, ' ');
	return at;
}

/* The name, in parentheses, may hold anything. */
static int read_process(pid_t pid, struct process *ret)
{
	char path[32], text[1024];
	const char *fields, *began;
	ssize_t n;
	int fd;

	*ret = (struct process){ .pid = pid };
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	fields = strrchr(text, ')');
	fields = fields ? strchr(fields, ' ') : NULL;
	began = field(fields, FIELD_BEGAN);
	if (!began)
		return -ESRCH;
	ret->parent = (pid_t)strtol(field(fields, FIELD_PARENT), NULL, 10);
	ret->began = strtoull(began, NULL, 10);
	return 0;
}

int tree_parent(pid_t pid, pid_t *ret_parent)
{
	struct process p;
	const int r = read_process(pid, &p);

	if (r == 0)
		*ret_parent = p.parent;
	return r;
}

/* The newest takes the place of the oldest. */
static void remember(struct tree_members *m, const struct process *p)
{
	m->members[m->next].pid = p->pid;
	m->members[m->next].began = p->began;
	m->next = (m->next + 1) % TREE_MEMBERS;
	if (m->count < TREE_MEMBERS)
		m->count++;
}

void tree_add(struct tree_members *m, pid_t pid)
{
	struct process p;

	/* Newest first: a program makes many calls in a row. */
	for (uint32_t i = 1; i <= m->count; i++)
		if (m->members[(m->next + TREE_MEMBERS - i) % TREE_MEMBERS].pid == pid)
			return;
	if (pid > 1 && pid != getpid() && read_process(pid, &p) == 0)
		remember(m, &p);
}

static int by_pid(const void *a, const void *b)
{
	const struct process *pa = a, *pb = b;

	return (pa->pid > pb->pid) - (pa->pid < pb->pid);
}

static struct process *find(const struct process_list *list, pid_t pid)
{
	const struct process key = { .pid = pid };

	return list->processes ? bsearch(&key, list->processes, list->count, sizeof(key), by_pid)
			       : NULL;
}

static void add(struct process_list *list, const struct process *p)
{
	if (list->count == list->size) {
		const size_t size = list->size ? 2 * list->size : 256;
		struct process *grown = realloc(list->processes, size * sizeof(*grown));

		if (!grown)
			return;
		list->processes = grown;
		list->size = size;
	}
	list->processes[list->count++] = *p;
}

static void read_all(struct process_list *list)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	struct process p;

	while (proc && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (read_process((pid_t)strtol(entry->d_name, NULL, 10), &p) == 0)
			add(list, &p);
	}
	if (proc)
		closedir(proc);
	if (list->count > 0)
		qsort(list->processes, list->count, sizeof(p), by_pid);
}

static bool is_member(const struct tree_members *m, const struct process *p)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->members[i].pid == p->pid && m->members[i].began == p->began)
			return true;
	return false;
}

/* Whom a member has begotten; each pass goes one generation further at least. */
static void claim_descendants(struct process_list *list)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < list->count; i++) {
			struct process *p = &list->processes[i];
			const struct process *parent = p->tree ? NULL : find(list, p->parent);

			if (parent && parent->tree) {
				p->tree = parent->tree;
				more = true;
			}
		}
	}
}

static void claim(struct process_list *list, pid_t pid, uint64_t began, size_t tree, bool is_told)
{
	struct process *p = find(list, pid);

	if (!p || p->began != began)
		return;
	p->tree = tree;
	p->is_told = p->is_told || is_told;
}

static void claim_members(struct process_list *list, const struct tree_members *m, size_t tree)
{
	struct process *spared = m->spared ? find(list, m->spared) : NULL;

	for (uint32_t i = 0; i < m->count; i++)
		claim(list, m->members[i].pid, m->members[i].began, tree, false);
	if (spared)
		spared->is_told = true;
}

/* By a pidfd, and a look that it is still the one that was meant. */
static bool signal_one(const struct process *p, int number)
{
	const int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	struct process now;
	bool sent = false;

	if (fd < 0)
		return false;
	if (read_process(p->pid, &now) == 0 && now.began == p->began)
		sent = syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) == 0;
	close(fd);
	return sent;
}

static bool is_anyone_alive(const struct tree_members *m)
{
	struct process p;

	for (uint32_t i = 0; i < m->count; i++)
		if (read_process(m->members[i].pid, &p) == 0 && is_member(m, &p))
			return true;
	return false;
}

/* One generation of the list. Those that were told are members from then on, so that what they have
 * forked meanwhile is found the next time. Returns how many there were. */
static size_t signal_round(const struct tree_members *const *trees, size_t count, int number,
			   struct process_list *told)
{
	struct process_list list = { 0 };
	const size_t before = told->count;

	read_all(&list);
	for (size_t i = 0; i < count; i++)
		claim_members(&list, trees[i], i + 1);
	for (size_t i = 0; i < told->count; i++)
		claim(&list, told->processes[i].pid, told->processes[i].began,
		      told->processes[i].tree, true);
	claim_descendants(&list);
	for (size_t i = 0; i < list.count; i++) {
		const struct process *p = &list.processes[i];

		if (!p->tree || p->is_told || !signal_one(p, number))
			continue;
		/* One that is stopped hears of it when it goes on. */
		if (number != SIGKILL)
			signal_one(p, SIGCONT);
		add(told, p);
	}
	free(list.processes);
	return told->count - before;
}

/* Until a round finds nobody new. */
static void signal_all(const struct tree_members *const *trees, size_t count, int number,
		       unsigned *ret_counts)
{
	struct process_list told = { 0 };
	unsigned rounds = 0;

	while (signal_round(trees, count, number, &told) > 0 && ++rounds < ROUNDS)
		;
	for (size_t i = 0; ret_counts && i < count; i++)
		ret_counts[i] = 0;
	for (size_t i = 0; ret_counts && i < told.count; i++)
		ret_counts[told.processes[i].tree - 1]++;
	free(told.processes);
}

void tree_terminate_all(const struct tree_members *const *trees, size_t count)
{
	signal_all(trees, count, SIGTERM, NULL);
}

void tree_kill_all(const struct tree_members *const *trees, size_t count, unsigned *ret_counts)
{
	signal_all(trees, count, SIGKILL, ret_counts);
}

unsigned tree_kill(const struct tree_members *m)
{
	unsigned count = 0;

	if (is_anyone_alive(m))
		tree_kill_all(&m, 1, &count);
	return count;
}
