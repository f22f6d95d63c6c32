/* Sockets' names between the program's memory and ours. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "reeve/address.h"

#define NAME_IPV6_LEAST 24 /* bytes: RFC 2133's sockaddr_in6 had no scope */

struct call;

/* A name as the program gave it. AF_UNSPEC's address is left out. */
struct name {
	int family; /* AF_INET, AF_INET6 or AF_UNSPEC */
	struct reeve_sockaddr socket;
};

/*
 * Reads a name for a socket of `family` as Linux's bind() and connect() do: -EFAULT, -EINVAL (too
 * short, too long), -EAFNOSUPPORT. An AF_INET name is taken for any socket, and AF_UNSPEC: whether
 * they will do is the caller's to say.
 */
int name_read(const struct call *c, uint64_t from, uint32_t length, int family, struct name *ret);
int name_parse(const void *bytes, uint32_t length, int family, struct name *ret);

/* The sockaddr's bytes for a socket of that family: its length. `ret` holds 28 bytes. */
uint32_t name_format(const struct reeve_sockaddr *s, int family, void *ret);

/* What getsockname() and accept() do with their two pointers: writes as much as there is room for
 * and the whole length. 0, -EFAULT, -EINVAL. */
int name_write(const struct call *c, uint64_t to, uint64_t to_length,
	       const struct reeve_sockaddr *s, int family);
int name_write_bytes(const struct call *c, uint64_t to, uint64_t to_length, const void *bytes,
		     uint32_t length);

/* 0.0.0.0 or ::, which as a destination mean the host itself. */
void name_make_destination(struct reeve_sockaddr *s);
