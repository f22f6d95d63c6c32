/*
 * Addresses and sockets' names, both families in one type.
 *
 * An IPv4 address is kept as its IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2: ::ffff:a.b.c.d), so
 * that every table, structure and message holds one shape and a dual-stack socket needs no second
 * look-up. The two wildcards stay apart: 0.0.0.0 is ::ffff:0.0.0.0, and :: is all zeroes.
 *
 * Bytes are in network order inside the address; ports and IPv4 numbers are in host order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

struct reeve_address {
	uint8_t bytes[16];
};

/* An address and a port: what RFC 793 calls a socket. `scope` is an interface's index for IPv6
 * link-local addresses, else 0. */
struct reeve_sockaddr {
	struct reeve_address address;
	uint16_t port;
	uint32_t scope;
};

/* `length` counts bits of the address's own family: 0..32 for IPv4, 0..128 for IPv6. */
struct reeve_prefix {
	struct reeve_address address;
	uint8_t length;
};

enum reeve_family {
	REEVE_IPV4 = 4,
	REEVE_IPV6 = 6,
};

/* Big enough for any address with its NUL; with port and brackets; with a prefix length. */
#define REEVE_ADDRESS_TEXT  46
#define REEVE_SOCKADDR_TEXT 64

extern const struct reeve_address reeve_any_ipv4;      /* 0.0.0.0 */
extern const struct reeve_address reeve_any_ipv6;      /* :: */
extern const struct reeve_address reeve_loopback_ipv4; /* 127.0.0.1 */
extern const struct reeve_address reeve_loopback_ipv6; /* ::1 */

struct reeve_address reeve_address_from_ipv4(uint32_t host_order);

/* Host order. Only for an address for which reeve_address_is_ipv4() holds. */
uint32_t reeve_address_to_ipv4(const struct reeve_address *a);

enum reeve_family reeve_address_family(const struct reeve_address *a);
bool reeve_address_is_ipv4(const struct reeve_address *a);
bool reeve_address_is_unspecified(const struct reeve_address *a); /* 0.0.0.0 or :: */
bool reeve_address_is_loopback(const struct reeve_address *a);    /* 127.0.0.0/8 or ::1 */
bool reeve_address_is_multicast(const struct reeve_address *a);   /* 224.0.0.0/4 or ff00::/8 */
bool reeve_address_is_broadcast(const struct reeve_address *a);   /* 255.255.255.255 */
bool reeve_address_equal(const struct reeve_address *a, const struct reeve_address *b);
bool reeve_sockaddr_equal(const struct reeve_sockaddr *a, const struct reeve_sockaddr *b);

/* Whether `a` lies in the prefix; never across families. */
bool reeve_prefix_contains(const struct reeve_prefix *p, const struct reeve_address *a);

/*
 * Text to address: dotted quad with four decimal parts, or RFC 4291 text; "::ffff:1.2.3.4" is the
 * IPv4 address. The prefix form takes "address/length" and, without "/length", a whole address.
 * 0, or -EINVAL with *ret untouched.
 */
int reeve_address_parse(const char *text, struct reeve_address *ret);
int reeve_prefix_parse(const char *text, struct reeve_prefix *ret);

/* Address to text, RFC 5952 for IPv6; "1.2.3.4:80" and "[2001:db8::1]:80". Returns `text`. */
char *reeve_address_format(const struct reeve_address *a, char text[REEVE_ADDRESS_TEXT]);
char *reeve_sockaddr_format(const struct reeve_sockaddr *s, char text[REEVE_SOCKADDR_TEXT]);

#pragma GCC visibility pop
