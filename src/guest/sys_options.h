/*
 * What setsockopt() and getsockopt() share. An option is *special* when a function of one of the
 * files sys_options_*.c sets or gets it; else it is a row of option.h's table; else it is unknown.
 *
 * How a value is read and written depends on its level, as in the kernel: SOL_SOCKET, IPPROTO_TCP
 * and IPPROTO_UDP want a whole int; IPPROTO_IP takes a byte, or nothing, for one; IPPROTO_IPV6
 * takes a null pointer for 0.
 */
#pragma once

#include <stdint.h>

struct call;
struct guest_socket;
struct supervisor;

/* What a special function says besides 0 and a negative errno. */
enum {
	OPTION_NATIVE = 1, /* the kernel's answer about the program's own end is right */
	OPTION_KEPT,       /* the call waits for the network process */
};

typedef int option_function(struct supervisor *s, struct call *c, struct guest_socket *socket);

struct option_special {
	int level, name;
	option_function *set, *get; /* NULL: as if it were not here */
};

extern const struct option_special options_of_socket[], options_of_tcp[], options_of_ip[];
extern const struct option_special options_of_groups[];
extern const int options_of_socket_count, options_of_tcp_count, options_of_ip_count;
extern const int options_of_groups_count;

/* The length that the program has given to setsockopt(). */
uint32_t option_length(const struct call *c);

/* The value as the call's level has it. -EFAULT, or -EINVAL for too short a one. */
int option_read(const struct call *c, int32_t *ret);

/* Exactly `size` bytes of what was given. -EINVAL for less. */
int option_read_bytes(const struct call *c, void *ret, uint32_t size);

/* A text of at most size - 1 bytes, ended by a NUL. -EINVAL for none. */
int option_read_text(const struct call *c, char *ret, uint32_t size);

/* Keeps the value of the call's row and tells the network process. */
void option_keep(struct supervisor *s, const struct call *c, struct guest_socket *socket,
		 int32_t value);

/* What getsockopt() gives: at most as much as the program has room for, and how much it was. */
int option_write(const struct call *c, const void *value, uint32_t length);
int option_write_int(const struct call *c, int32_t value);

/* The room that getsockopt() was called with. */
int32_t option_room(const struct call *c);

/* The errno after what is wrong with the value itself, as the level sees it. */
int option_refuse(const struct call *c, int error);

/* Sets the call's row as the table has it. */
int option_set_row(struct supervisor *s, struct call *c, struct guest_socket *socket);

/* The value of the call's row. */
int32_t option_value(const struct call *c, const struct guest_socket *socket);
