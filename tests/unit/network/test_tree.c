/* A tree's processes are found and ended, by number and time of birth, and no others. */
#include "network/guest_tree.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cmocka_all.h"

static _Noreturn void wait_for_ever(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* A process with a child; both numbers come by the pipe. The child's parent ends it with itself
 * only if it is told to: here it is the tree that has to. */
static pid_t make_tree(pid_t *ret_child)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const pid_t child = fork();

		if (child == 0)
			for (;;)
				pause();
		if (write(ends[1], &child, sizeof(child)) != (ssize_t)sizeof(child))
			_exit(1);
		wait_for_ever();
	}
	assert_int_equal(read(ends[0], ret_child, sizeof(*ret_child)), sizeof(*ret_child));
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static void expect_killed(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void test_parent(void **state)
{
	pid_t child, parent;
	const pid_t pid = make_tree(&child);

	(void)state;
	assert_int_equal(tree_parent(child, &parent), 0);
	assert_int_equal(parent, pid);
	assert_int_equal(tree_parent(pid, &parent), 0);
	assert_int_equal(parent, getpid());
	assert_true(tree_parent(1 << 30, &parent) < 0);
	kill(child, SIGKILL);
	kill(pid, SIGKILL);
	expect_killed(pid);
	expect_killed(child);
}

/* Of one tree the root is known, of the other only the child; a third is none of ours. */
static void test_kill(void **state)
{
	static struct tree_members members;
	pid_t children[3], roots[3];

	(void)state;
	members = (struct tree_members){ 0 };
	for (unsigned i = 0; i < 3; i++)
		roots[i] = make_tree(&children[i]);
	tree_add(&members, roots[0]);
	tree_add(&members, children[1]);
	tree_add(&members, children[1]);
	tree_add(&members, getpid());
	tree_add(&members, 1);
	assert_int_equal(members.count, 2);
	assert_int_equal(tree_kill(&members), 3);
	expect_killed(roots[0]);
	expect_killed(children[0]);
	assert_int_equal(kill(roots[1], 0), 0);
	assert_int_equal(kill(children[2], 0), 0);
	for (unsigned i = 1; i < 3; i++) {
		kill(children[2], SIGKILL);
		kill(roots[i], SIGKILL);
		expect_killed(roots[i]);
	}
	expect_killed(children[1]);
	expect_killed(children[2]);
	assert_int_equal(tree_kill(&members), 0);
}

/* Two trees at once, of one of which a process is spared. */
static void test_kill_all(void **state)
{
	static struct tree_members members[3];
	const struct tree_members *const trees[] = { &members[0], &members[1], &members[2] };
	pid_t children[2], roots[2];
	unsigned counts[3] = { 9, 9, 9 };

	(void)state;
	memset(members, 0, sizeof(members));
	for (size_t i = 0; i < 2; i++) {
		roots[i] = make_tree(&children[i]);
		tree_add(&members[2 * i], roots[i]);
	}
	members[2].spared = roots[1];
	tree_kill_all(trees, 3, counts);
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 0);
	assert_int_equal(counts[2], 1);
	expect_killed(roots[0]);
	expect_killed(children[0]);
	assert_int_equal(kill(roots[1], 0), 0);
	kill(roots[1], SIGKILL);
	expect_killed(roots[1]);
	expect_killed(children[1]);
}

/* The same number at another time is somebody else. */
static void test_number_given_away(void **state)
{
	static struct tree_members members;
	pid_t child;
	const pid_t pid = make_tree(&child);

	(void)state;
	members = (struct tree_members){ 0 };
	tree_add(&members, pid);
	members.members[0].began--;
	assert_int_equal(tree_kill(&members), 0);
	assert_int_equal(kill(pid, 0), 0);
	kill(child, SIGKILL);
	kill(pid, SIGKILL);
	expect_killed(pid);
	expect_killed(child);
}

/* More than there is room for: the last ones are known. */
static void test_many_members(void **state)
{
	static struct tree_members members;
	pid_t child;
	const pid_t pid = make_tree(&child);

	(void)state;
	members = (struct tree_members){ .count = TREE_MEMBERS, .next = TREE_MEMBERS - 1 };
	tree_add(&members, pid);
	assert_int_equal(members.count, TREE_MEMBERS);
	assert_int_equal(members.next, 0);
	assert_int_equal(members.members[TREE_MEMBERS - 1].pid, pid);
	assert_int_equal(tree_kill(&members), 2);
	expect_killed(pid);
	expect_killed(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parent),       cmocka_unit_test(test_kill),
		cmocka_unit_test(test_kill_all),     cmocka_unit_test(test_number_given_away),
		cmocka_unit_test(test_many_members),
	};

	/* The children of a child that has ended are ours to wait for. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		return 1;
	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
