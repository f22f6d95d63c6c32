/*
 * Where a network's files are: a private directory for each network,
 * $XDG_RUNTIME_DIR/reeve/NAME or, without that variable, /tmp/reeve-UID/NAME. Everything in it is
 * as safe as the directory: it must be ours and closed to all others (mode 0700).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PATH_NETWORK_NAME 32  /* with its NUL */
#define PATH_MAX_LENGTH   104 /* with its NUL: less than what a sockaddr_un holds */
#define PATH_ERROR_TEXT   512

struct path_set {
	char directory[PATH_MAX_LENGTH];
	char control[PATH_MAX_LENGTH]; /* Varlink, SOCK_STREAM */
	char guest[PATH_MAX_LENGTH];   /* guest/protocol.h, SOCK_SEQPACKET */
	char lock[PATH_MAX_LENGTH];    /* what its bytes mean: connect.h */
	char log[PATH_MAX_LENGTH];
	char logs[PATH_MAX_LENGTH]; /* a directory: services' logs */
};

/* 1 to 31 of letters, digits, '-' and '_', the first a letter or a digit. */
bool path_network_name_is_valid(const char *name);

/*
 * The paths of the network. With `make` the directories are made; in any case those that are there
 * are checked. 0; -EINVAL (name), -ENOENT (not there and not to be made), -EPERM (not ours, or open
 * to others), -ENAMETOOLONG, or what the system said. `error` has one line then.
 */
int path_resolve(const char *network, bool make, struct path_set *ret, char error[PATH_ERROR_TEXT]);
