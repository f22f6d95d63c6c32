#include "network/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "network/charge.h"
#include "network/guest_private.h"
#include "network/log.h"

#define MESSAGES_A_GO    64
#define MESSAGES_AT_ONCE 1024 /* more than its socket holds */
#define MAX_ANCESTORS    4096

static void session_ready(struct loop_source *source, uint32_t events);

static void hang_up(struct guest_session *session)
{
	struct loop *loop = session->network->loop;
	const int fd = session->source.fd, pidfd = session->death.fd;

	guest_outgoing_stop(session);
	loop_remove(loop, &session->source);
	loop_remove(loop, &session->death);
	close(fd);
	if (pidfd >= 0)
		close(pidfd);
	session->server->session_count--;
}

void guest_session_over(struct guest_session *session)
{
	session->is_delivering = false;
	list_remove(&session->node);
	list_append(&session->server->gone, &session->node);
	if (!session->host)
		return;
	guest_direct_deinit(session);
	session->host->programs--;
	host_release(session->host);
	session->host = NULL;
}

/* From here on nothing is heard of it and nothing told. It is freed when the turn is over, or when
 * what its programs have written is delivered. */
static void end(struct guest_session *session, const char *why, unsigned killed)
{
	hang_up(session);
	if (session->host)
		guest_direct_remember(session);
	if (killed > 0)
		log_line("supervisor %d %s: ended %u processes of '%s' on host '%s'",
			 (int)session->supervisor, why, killed, session->command,
			 session->host->name);
	guest_socket_drop_all(session, session->is_done && killed == 0);
	if (session->count == 0) {
		guest_session_over(session);
		return;
	}
	session->is_delivering = true;
	list_remove(&session->node);
	list_append(&session->server->delivering, &session->node);
}

void guest_session_end(struct guest_session *session, const char *why)
{
	unsigned killed = 0;

	if (session->gone)
		return;
	session->gone = true;
	guest_looked(session, UINT64_MAX);
	/* An orderly supervisor goes when the tree has: then nobody is found. Before it hears that
	 * its connection has ended, so that no call of theirs is answered with that. */
	if (session->host)
		killed = tree_kill(&session->members);
	end(session, why, killed);
}

static void session_free(struct guest_session *session)
{
	guest_outgoing_free(session);
	list_remove(&session->answering);
	list_remove(&session->node);
	free(session->sockets);
	free(session);
}

/* The first descriptor that came; more than one is no message of ours. */
static int take_descriptor(struct msghdr *header)
{
	int first = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (first < 0)
				first = fd;
			else
				close(fd);
		}
	}
	return first;
}

/* One message behind another; the descriptor is the last one's. */
static void handle_datagram(struct guest_session *session, size_t length, int *fd)
{
	struct guest_server *s = session->server;
	size_t at = 0;

	while (at < length && !session->gone) {
		struct guest_message message;
		struct guest_call call = { .session = session, .message = &message, .fd = -1 };
		const size_t taken = parcel_next(s->buffer + at, length - at, &message);

		if (taken == 0) {
			guest_session_end(session, "speaks another protocol");
			return;
		}
		call.data = s->buffer + at + sizeof(message);
		at += taken;
		if (at == length) {
			call.fd = *fd;
			*fd = -1;
		}
		guest_handle(&call);
		if (call.fd >= 0)
			close(call.fd);
	}
}

/* False when there is nothing more to read. */
static bool receive(struct guest_session *session)
{
	struct guest_server *s = session->server;
	char ancillary[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = { s->buffer, sizeof(s->buffer) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	header.msg_control = ancillary;
	header.msg_controllen = sizeof(ancillary);
	n = recvmsg(session->source.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		guest_session_end(session, "has gone");
		return false;
	}
	int fd = take_descriptor(&header);

	if (header.msg_flags & MSG_TRUNC)
		guest_session_end(session, "speaks another protocol");
	else
		handle_datagram(session, (size_t)n, &fd);
	if (fd >= 0)
		close(fd);
	return !session->gone;
}

void guest_session_hear(struct guest_session *session)
{
	for (unsigned i = 0; i < MESSAGES_AT_ONCE && !session->gone; i++)
		if (!receive(session))
			break;
}

static void session_ready(struct loop_source *source, uint32_t events)
{
	struct guest_session *session = container_of(source, struct guest_session, source);

	if (session->gone)
		return;
	if (events & EPOLLOUT)
		guest_flush(session);
	for (unsigned i = 0; i < MESSAGES_A_GO && !session->gone; i++)
		if (!receive(session))
			break;
}

static void supervisor_died(struct loop_source *source, uint32_t events)
{
	struct guest_session *session = container_of(source, struct guest_session, death);

	(void)events;
	/* What it has said before comes first: that it is done, for one. */
	guest_session_hear(session);
	guest_session_end(session, "has died");
}

static struct guest_session *session_new(struct guest_server *s, int fd_take)
{
	struct guest_session *session = calloc(1, sizeof(*session));

	if (!session) {
		close(fd_take);
		return NULL;
	}
	session->server = s;
	session->network = s->network;
	session->asked = session->looked = s->looks; /* none of those before it */
	loop_source_init(&session->source, session_ready);
	loop_source_init(&session->death, supervisor_died);
	list_init(&session->node);
	list_init(&session->answering);
	guest_outgoing_init(session);
	if (loop_add(s->network->loop, &session->source, fd_take, EPOLLIN) < 0) {
		close(fd_take);
		free(session);
		return NULL;
	}
	list_append(&s->sessions, &session->node);
	s->session_count++;
	return session;
}

int guest_adopt(struct guest_server *s, int fd_take)
{
	struct guest_session *session = session_new(s, fd_take);

	if (!session)
		return -ENOMEM;
	session->uid = geteuid();
	return 0;
}

static bool is_supervisor(const struct guest_server *s, pid_t pid)
{
	list_for_each(node, &s->sessions)
		if (pid > 0 && list_entry(node, struct guest_session, node)->supervisor == pid)
			return true;
	return false;
}

/* One that cannot be looked at, as it has just ended, is taken for one. */
bool guest_is_inside(const struct guest_server *s, pid_t pid)
{
	for (unsigned i = 0; i < MAX_ANCESTORS; i++) {
		pid_t parent;

		if (pid <= 1)
			return false;
		if (tree_parent(pid, &parent) < 0)
			return i == 0;
		if (is_supervisor(s, parent))
			return true;
		pid = parent;
	}
	return true;
}

static void take_in(struct listener *l, int fd_take, const struct ucred *peer)
{
	struct guest_server *s = container_of(l, struct guest_server, listener);
	struct guest_session *session = session_new(s, fd_take);

	if (!session)
		return;
	session->uid = peer->uid;
	/* Said in answer to HELLO, so that it is heard. */
	if (peer->uid != geteuid())
		session->refusal = "the network belongs to another user";
	else if (guest_is_inside(s, peer->pid))
		session->refusal = "a program that runs in the network cannot run others there";
}

static const struct listener_ops listener_ops = { .take_in = take_in };

static struct guest_server *release(struct guest_server *s)
{
	if (s->probe_fd >= 0)
		close(s->probe_fd);
	charges_free(s->charges);
	free(s);
	return NULL;
}

struct guest_server *guest_server_new(struct network *n, int listen_fd)
{
	struct guest_server *s = calloc(1, sizeof(*s));

	if (!s) {
		if (listen_fd >= 0)
			close(listen_fd);
		return NULL;
	}
	s->charges = charges_new();
	s->probe_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	s->network = n;
	list_init(&s->sessions);
	list_init(&s->delivering);
	list_init(&s->gone);
	list_init(&s->dead);
	list_init(&s->looking);
	list_init(&s->answering);
	guest_listener_init(s);
	guest_direct_start(s);
	if (listener_init(&s->listener, &listener_ops, n->loop, listen_fd) < 0)
		return release(s);
	if (s->charges && s->probe_fd >= 0)
		return s;
	listener_deinit(&s->listener);
	return release(s);
}

void guest_accept(struct guest_server *s)
{
	listener_accept(&s->listener);
}

void guest_close_listener(struct guest_server *s)
{
	listener_deinit(&s->listener);
}

/* Processes that never made a socket are its descendants, too. Itself it ends when they have, and
 * can still tell how; without it their calls would fail oddly before they end. */
static void mean_whole_tree(struct guest_session *session)
{
	tree_add(&session->members, session->supervisor);
	session->members.spared = session->supervisor;
}

static struct guest_session *find_program(const struct guest_server *s, pid_t program)
{
	list_for_each(node, &s->sessions) {
		struct guest_session *session = list_entry(node, struct guest_session, node);

		if (session->host && session->program == program)
			return session;
	}
	return NULL;
}

void guest_set_managed(struct guest_server *s, pid_t program, bool is_managed)
{
	struct guest_session *session = find_program(s, program);

	if (session)
		session->is_managed = is_managed;
}

void guest_set_grant(struct guest_server *s, pid_t program, const struct port_grant *grant)
{
	struct guest_session *session = find_program(s, program);

	if (session)
		session->actor.grant = *grant;
}

/* The trees of all sessions, in their order, and room for a count of each. NULL without memory. */
struct all_trees {
	size_t count;
	unsigned *killed;
	const struct tree_members *trees[];
};

static struct all_trees *all_trees(struct guest_server *s, bool with_managed)
{
	struct all_trees *all =
		calloc(1, sizeof(*all) + s->session_count * sizeof(struct tree_members *));

	if (!all)
		return NULL;
	list_for_each(node, &s->sessions) {
		struct guest_session *session = list_entry(node, struct guest_session, node);

		if (session->is_managed && !with_managed)
			continue;
		mean_whole_tree(session);
		all->trees[all->count++] = &session->members;
	}
	all->killed = calloc(all->count + 1, sizeof(all->killed[0]));
	if (all->killed)
		return all;
	free(all);
	return NULL;
}

static void all_trees_free(struct all_trees *all)
{
	if (all)
		free(all->killed);
	free(all);
}

void guest_terminate_all(struct guest_server *s)
{
	struct all_trees *all = all_trees(s, false);

	if (all)
		tree_terminate_all(all->trees, all->count);
	all_trees_free(all);
}

void guest_end_all(struct guest_server *s)
{
	struct all_trees *all = all_trees(s, true);
	size_t i = 0;

	if (all && all->count > 0)
		tree_kill_all(all->trees, all->count, all->killed);
	list_for_each_safe(node, &s->sessions) {
		struct guest_session *session = list_entry(node, struct guest_session, node);

		session->gone = true;
		end(session, "is told to end",
		    all ? all->killed[i++] : tree_kill(&session->members));
	}
	all_trees_free(all);
}

struct guest_server *guest_server_free(struct guest_server *s)
{
	if (!s)
		return NULL;
	listener_deinit(&s->listener);
	guest_end_all(s);
	guest_give_up(s);
	guest_settle(s);
	guest_listener_deinit(s);
	guest_direct_stop(s);
	guest_look_deinit(s);
	return release(s);
}

void guest_give_up(struct guest_server *s)
{
	list_for_each_safe(node, &s->delivering)
		guest_socket_drop_all(list_entry(node, struct guest_session, node), false);
}

uint32_t guest_session_count(const struct guest_server *s)
{
	return s->session_count;
}

void guest_settle(struct guest_server *s)
{
	struct list *node;

	guest_send_settled(s);
	while ((node = list_pop(&s->dead)))
		free(list_entry(node, struct guest_socket, dead));
	while ((node = list_first(&s->gone)))
		session_free(list_entry(node, struct guest_session, node));
}

const struct guest_session *guest_next_program(const struct guest_server *s,
					       const struct guest_session *after,
					       struct guest_program *ret)
{
	struct list *node = after ? after->node.next : s->sessions.next;

	for (; node != &s->sessions; node = node->next) {
		const struct guest_session *session = list_entry(node, struct guest_session, node);

		if (!session->host)
			continue;
		*ret = (struct guest_program){
			.host = session->host,
			.pid = session->members.count ? session->members.members[0].pid : 0,
			.command = session->command,
		};
		return session;
	}
	return NULL;
}
