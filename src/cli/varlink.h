/*
 * A client's side of one Varlink connection (https://varlink.org): a call is a JSON object and a
 * NUL byte, and so is each reply. One call at a time; a call with `more` has several replies.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct varlink;

struct varlink_call {
	const char *method; /* "io.reeve.Network.ListHosts" */
	json_t *parameters; /* taken; NULL: none */
	bool more;          /* wants more than one reply */
	int fd;             /* goes with the call, and stays the caller's; -1: none */
};

struct varlink_reply {
	json_t *parameters; /* an object, perhaps empty; released with varlink_reply_deinit() */
	char *error;        /* "io.reeve.Network.NoSuchHost", or NULL */
	bool continues;     /* another reply to the same call follows */
};

/* Takes the connected descriptor; NULL: out of memory (the descriptor is closed). */
struct varlink *varlink_new(int fd_take);
struct varlink *varlink_free(struct varlink *v);

/* 0, or a negative errno: -EPIPE when the other side has gone. */
int varlink_send(struct varlink *v, const struct varlink_call *call);

/*
 * The next reply. 0; -ETIMEDOUT after `timeout_ms` (-1: waits for ever); -ECONNRESET: the other
 * side has gone; -EBADMSG: what came is no Varlink reply, or longer than 256 MiB; -EINTR.
 */
int varlink_receive(struct varlink *v, int timeout_ms, struct varlink_reply *ret);

void varlink_reply_deinit(struct varlink_reply *reply);
