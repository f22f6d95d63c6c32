/* The arguments of a call that sends or receives, of whichever of the six it is. */
#pragma once

#include <stdint.h>

#include "guest/memory.h"
#include "reeve/address.h"

struct call;

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
