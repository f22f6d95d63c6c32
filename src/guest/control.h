/* Control data of datagrams (cmsg(3)): what a program says of one that it sends, and is told of one
 * that it receives. */
#pragma once

#include <stdint.h>

#include "guest/message.h"

struct call;
struct guest_socket;
struct problem;
struct socket_datagram;
struct supervisor;

/* For one datagram that is sent. */
struct control_sent {
	struct reeve_sockaddr local; /* all zeroes: any */
	uint32_t out;                /* the interface; 0: any */
	int32_t ttl, tos;            /* -1: as the socket has it */
};

/* 0, -EINVAL, -EPERM, -EFAULT, -ENOBUFS. */
int control_read(const struct call *c, const struct message *m, struct control_sent *ret);

#define CONTROL_MAX 512

/* Timestamps, IP_PKTINFO and its kind, as the socket's options ask for; the bytes used of `ret`. */
uint32_t control_of_datagram(const struct supervisor *s, const struct call *c,
			     const struct socket_datagram *d, uint8_t ret[CONTROL_MAX]);

/* The same of what is read with MSG_ERRQUEUE. */
uint32_t control_of_problem(const struct supervisor *s, const struct call *c,
			    const struct problem *p, uint8_t ret[CONTROL_MAX]);
