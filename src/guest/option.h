/*
 * Socket options whose value is one number: a table says of each what values it takes, what it is
 * at first, and what the network process is told of it. What needs more is in sys_options_*.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_COUNT 128 /* room for the table's rows; the table says so */

/* How an option is looked up, stored and told. */
struct option_row {
	int16_t level, name;
	int16_t tcp, udp;    /* enum guest_setting or the stack's options; -1: not told */
	int32_t first, last; /* else EINVAL */
	int32_t initial;
	uint16_t flags;
};

enum {
	OPTION_FOR_TCP = 1 << 0, /* may be set on one; may be read of any */
	OPTION_FOR_UDP = 1 << 1,
	OPTION_BOOL = 1 << 2,       /* any number but 0 is 1 */
	OPTION_NOT_EMPTY = 1 << 3,  /* IPPROTO_IP: no bytes at all are not 0 but EINVAL */
	OPTION_MAY_MISS = 1 << 4,   /* IPPROTO_IPV6: too few bytes are 0 and not EINVAL */
	OPTION_FRESH = 1 << 5,      /* EINVAL once the socket is bound or connected */
	OPTION_READ_ONLY = 1 << 6,  /* ENOPROTOOPT when it is set */
	OPTION_PRIVILEGED = 1 << 7, /* EPERM for any value but 0 */
	OPTION_RESETS = 1 << 8,     /* -1 is the first value again */
	OPTION_NO_ZERO = 1 << 9,    /* 0 is EINVAL */
};

struct socket_options {
	int32_t values[OPTION_COUNT];
	uint64_t changed[OPTION_COUNT / 64]; /* bit i: the network process has to be told */
};

/* Rows of options that the supervisor itself looks at. */
int32_t socket_option(const struct socket_options *o, int level, int name);
void socket_option_set(struct socket_options *o, int level, int name, int32_t value);

void socket_options_init(struct socket_options *o);

/* Notes that the network process has to be told of row i; takes the next such row out, or -1. */
void socket_options_change(struct socket_options *o, int i);
/* A socket that the network process knows nothing of: all that are not as they were at first. */
void socket_options_change_all(struct socket_options *o);
int socket_options_next_change(struct socket_options *o);

/* The row's index, or -1. */
int option_find(int level, int name);
const struct option_row *option_at(int index);
int option_count(void);
