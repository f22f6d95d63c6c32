/*
 * The managers of hosts' services (service/manager.h): programs in the network that are told what to
 * do over a connection which they were started with. This side of it: who they are, and calls to
 * them that are answered later. A manager whose connection ends is forgotten.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"
#include "port/policy.h"

struct network;
struct network_host;
struct manager_link;

/* An answer to a call. `reply` is borrowed: {"result": ...} or {"error": text}; NULL: the manager
 * has gone. */
typedef void manager_answer_function(void *user, const json_t *reply);

/* Takes the descriptor in any case. 0; -EEXIST when the host has one; or a negative errno. */
int manager_add(struct network_host *host, int fd_take);

struct manager_link *manager_of(const struct network_host *host); /* NULL: it has none */
struct manager_link *manager_first(const struct network *n);
struct manager_link *manager_next(const struct network *n, const struct manager_link *l);
struct network_host *manager_host(const struct manager_link *l);

/* The file that it goes by, for its callers to keep; "" at first. */
const char *manager_file(const struct manager_link *l);
void manager_set_file(struct manager_link *l, const char *file);

/* The file that services of the network go by, or are about to, if it is not this one; NULL: none. */
const char *managers_other_file(const struct network *n, const char *file);

/* What its programs may bind: what the file grants that holds, and while others are taken over what
 * those grant as well. Whoever asks for one keeps its grant, from manager_grant() until it is taken
 * or withdrawn. -E2BIG: that is too much. */
struct manager_grant {
	struct list node;
	struct port_grant grant;
	char *file; /* that is to be taken over */
};

int manager_grant(struct manager_link *l, struct manager_grant *grant);
void manager_grant_done(struct manager_link *l, struct manager_grant *grant, bool is_taken);

/* The pid of its program, once it has said it; 0 before. */
pid_t manager_pid(const struct manager_link *l);

/* The request gets an id. The answer is called once, never from within; unless this is -ENOBUFS: too
 * many calls are under way. */
int manager_call(struct manager_link *l, json_t *request_take, manager_answer_function *answer,
		 void *user);

/* Whoever waits for answers does so no more; the manager's answers find nobody. */
void manager_forget(struct network *n, const void *user);

/* Tells it to end if no file was ever given to it: nobody needs it. */
void manager_end_unused(struct manager_link *l);

/* Tells all of them to end, with their services. */
void managers_end_all(struct network *n);

/* The host is about to be removed. */
void managers_host_removed(const struct network_host *host);

/* After each turn: frees those that have gone. */
void managers_settle(struct network *n);
void managers_free(struct network *n);
