/* The arguments of a call that sends or receives, of whichever of the six it is. */
#pragma once

#include <stdint.h>

#include "guest/memory.h"
#include "reeve/address.h"

struct call;
struct guest_socket;
struct socket_datagram;
struct supervisor;

struct message {
	struct memory_message memory;
	uint64_t header; /* the msghdr's address in the program; 0: recvfrom() or sendto() */
	uint64_t name_length_at; /* recvfrom()'s pointer to a length */
	int flags;
};

/* sendto() and recvfrom(). */
int message_read_plain(const struct call *c, struct message *ret);

/* sendmsg() and recvmsg(): the msghdr at `header`. */
int message_read_header(const struct call *c, uint64_t header, int flags, struct message *ret);
void message_deinit(struct message *m);

/* What control data ask for, for one datagram. */
struct message_control {
	struct reeve_sockaddr local; /* all zeroes: any */
	int32_t ttl, tos;            /* -1: as the socket has it */
};

/* 0, -EINVAL, -EFAULT, -ENOBUFS. */
int message_read_control(const struct call *c, const struct message *m,
			 struct message_control *ret);

/* What is written back behind the data. */
struct message_result {
	const void *name;
	uint32_t name_length;
	const void *control;
	uint32_t control_length;
	int flags;
};

int message_write_result(const struct call *c, const struct message *m,
			 const struct message_result *result);

#define MESSAGE_CONTROL 256

/* IP_PKTINFO and its kind, as the socket's options ask for; the bytes used of `ret`. */
uint32_t message_build_control(const struct supervisor *s, const struct guest_socket *socket,
			       const struct socket_datagram *d, uint8_t ret[MESSAGE_CONTROL]);
