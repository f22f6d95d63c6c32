/* The host's interfaces as the program may see them: a copy of what the network process last said. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/protocol.h"

struct supervisor;

struct interfaces {
	struct guest_interface list[GUEST_INTERFACES_MAX];
	uint32_t count;
	struct reeve_address gateway; /* all zeroes: none */
};

/* So many struct guest_interface of the network process. */
void interfaces_take(struct interfaces *i, const void *records, uint32_t count);

/* Asks for news, which come later. 0 or -ENOMEM. */
int interfaces_refresh(struct supervisor *s);

const struct guest_interface *interfaces_by_name(const struct interfaces *i, const char *name);
const struct guest_interface *interfaces_by_index(const struct interfaces *i, uint32_t index);
