/*
 * The way back from any state of a TCP socket to that of a fresh one: connect() to AF_UNSPEC, and
 * shutdown() of a listener or while connecting. A connection is reset, a listener's queue too; what
 * bind() gave stays.
 */
#pragma once

struct call;
struct supervisor;

/* The socket of the call, connect() or shutdown(). 0 or a negative errno. */
int disconnect(struct supervisor *s, struct call *c);
