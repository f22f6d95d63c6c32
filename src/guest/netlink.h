/*
 * rtnetlink (RFC 3549) for programs that list interfaces, addresses and routes: a netlink socket is
 * one end of an AF_UNIX pair, and the other end, the supervisor's, answers dumps and simple
 * questions from the host's interfaces. Nothing can be changed: EPERM.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct call;
struct guest_socket;
struct supervisor;

void netlink_bind(struct supervisor *s, struct call *c);
void netlink_connect(struct supervisor *s, struct call *c);
void netlink_getsockname(struct supervisor *s, struct call *c);
void netlink_getpeername(struct supervisor *s, struct call *c);
void netlink_setsockopt(struct supervisor *s, struct call *c);
void netlink_getsockopt(struct supervisor *s, struct call *c);

/* The program has sent these bytes. */
void netlink_input(struct supervisor *s, struct guest_socket *socket, const void *bytes,
		   size_t length);
