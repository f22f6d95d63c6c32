/*
 * A command's talk with one network: connects, starts the network where that makes sense, calls,
 * and turns what goes wrong into one line and an exit status.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "cli/varlink.h"

struct session;

enum session_start {
	SESSION_START, /* starts the network if it does not run */
	SESSION_LOOK,  /* listings of all: no network is an empty one, with a note */
	SESSION_NEED,  /* who names something of a network: no network is an error */
};

/* 0; or the exit status after a complaint. With SESSION_LOOK and no network, 0 and *ret NULL. */
int session_open(const char *network, enum session_start start, struct session **ret);
struct session *session_free(struct session *s);

/* What the calls from here on are about, a place in a file say, as a prefix of complaints: "F:3:5";
 * "": of nothing in particular. */
void session_about(struct session *s, const char *place);

/* One call of io.reeve.Network with one reply. `parameters_take` is NULL, and that is told, where what
 * the user gave cannot be JSON. 0 and, if wanted, *ret the reply's parameters (a new reference); or
 * the exit status after a complaint. */
int session_call(struct session *s, const char *method, json_t *parameters_take, json_t **ret);

/* A listing: the array `key` of the reply (a new reference), empty where there is no network and
 * `start` allows that. */
int session_list(const char *network, enum session_start start, const char *method,
		 json_t *parameters_take, const char *key, json_t **ret);

/* The same as session_call() with a descriptor that goes with it. */
int session_call_fd(struct session *s, const char *method, json_t *parameters_take, int fd,
		    json_t **ret);

/* Nor is there a complaint when the network answers with `error`: then *ret_is_error. */
int session_try(struct session *s, const char *method, json_t *parameters_take, int fd,
		const char *error, bool *ret_is_error);

/* A call with several replies: begin, then next until *ret is NULL: the last was there,
 * or a signal came. */
int session_begin(struct session *s, const char *method, json_t *parameters_take, int fd);
int session_next(struct session *s, int timeout_ms, json_t **ret);

/* Whether the network stays when its last program has ended. Commands that may make it stay ask
 * before and after, and tell the user if they did. */
bool session_stays(struct session *s);
void session_say_stays(const struct session *s);
