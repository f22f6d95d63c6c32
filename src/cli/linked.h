/*
 * Services that are linked to ports, as the network tells of them: lists, and the wait until they
 * are as they should be.
 */
#pragma once

#include <jansson.h>

#include "cli/session.h"

/* All of them, in the order of their file; a new reference. 0; or the exit status after a
 * complaint. */
int linked_list(struct session *s, json_t **ret);

void linked_print(const json_t *services);

/* The service of that name; NULL and a complaint with what it may be meant. */
json_t *linked_find(const char *network, const json_t *services, const char *name);

/* Until each has its ports open, or has failed; as long as `wait_ms`. The last list is given (a new
 * reference). `name`: of one service only, or NULL. 0; or the exit status after a line for each that
 * is not as it should be. */
int linked_await(struct session *s, const char *name, double wait_ms, json_t **ret);
