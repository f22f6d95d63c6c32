/*
 * A new end for a program that wants to use a socket again: an AF_UNIX socket that was connected
 * once cannot be unconnected, so a connect() after one that failed in the background, or one to
 * AF_UNSPEC, needs another file. The calling process finds it at every number by which it held the
 * old one, with its options, and in every epoll set of its own that watched it. Copies that other
 * processes hold stay with the old one.
 */
#pragma once

#include <stdbool.h>

struct call;
struct supervisor;

/* The end of the socket of the call, a connect(), whose duplicate is exchanged too. The socket is
 * fresh then; with `renumber` it is another to the network process, which may still speak of the
 * old one. 0 or a negative errno. */
int replace_end(struct supervisor *s, struct call *c, bool renumber);
