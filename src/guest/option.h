/*
 * Socket options: one table says of each what values it takes, what it is at first, and what the
 * network process is told of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_COUNT 60 /* room for the table's rows; the table says so */

/* How an option is looked up, stored and told. */
struct option_row {
	int level, name;
	int16_t tcp, udp;    /* enum guest_setting or the stack's options; -1: not told */
	int32_t first, last; /* else EINVAL */
	int32_t initial;
	uint8_t flags;
};

enum {
	OPTION_FOR_TCP = 1 << 0,
	OPTION_FOR_UDP = 1 << 1,
	OPTION_BOOL = 1 << 2,      /* any number but 0 is 1 */
	OPTION_BYTE = 1 << 3,      /* may also be a single byte */
	OPTION_IPV6_ONLY = 1 << 4, /* ENOPROTOOPT on an AF_INET socket */
	OPTION_FRESH = 1 << 5,     /* EINVAL once the socket is bound or connected */
};

struct socket_options {
	int32_t values[OPTION_COUNT];
	uint64_t changed; /* bit i: the network process has to be told */
};

/* Rows of options that the supervisor itself looks at. */
int32_t socket_option(const struct socket_options *o, int level, int name);
void socket_option_set(struct socket_options *o, int level, int name, int32_t value);

void socket_options_init(struct socket_options *o);

/* The row's index, or -1. */
int option_find(int level, int name);
const struct option_row *option_at(int index);
int option_count(void);
