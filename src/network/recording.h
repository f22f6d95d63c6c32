/*
 * Captures that run: each writes what some hosts' capture links see to one descriptor, a pipe for
 * instance, as pcapng. A reader that is too slow loses frames, which the stream then says; it never
 * holds the network up.
 */
#pragma once

#include "network/network.h"

struct network_host;
struct recording;

typedef void recording_ended_function(void *user);

/* Owns the descriptor in any case. `host` NULL: all hosts, those to come as well. `ended` is called
 * when the reader has closed its end, or the only host has gone; the recording is freed then. 0,
 * -EINVAL (nothing that can be written to), -ENOSPC (the host has no room for one more), -ENOMEM. */
int recording_new(struct network *n, struct network_host *host, int fd_take,
		  struct recording **ret);
void recording_on_end(struct recording *r, recording_ended_function *ended, void *user);

/* What is there is still written out, as far as the reader takes it at once. */
struct recording *recording_free(struct recording *r);

/* The hosts' names, one by one: start with index 0; NULL after the last. */
const char *recording_interface(const struct recording *r, unsigned index);

void recording_host_added(struct network_host *host);
void recording_host_removed(struct network_host *host);

/* After each turn: writes out what has come together. */
void recording_flush(struct network *n);
