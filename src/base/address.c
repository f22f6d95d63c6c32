/* Addresses of both families: classification and text. See reeve/address.h. */
#include "reeve/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

const struct reeve_address reeve_any_ipv4 = { .bytes = { [10] = 0xff, [11] = 0xff } };
const struct reeve_address reeve_any_ipv6 = { .bytes = { 0 } };
const struct reeve_address reeve_loopback_ipv4 = {
	.bytes = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 }
};
const struct reeve_address reeve_loopback_ipv6 = { .bytes = { [15] = 1 } };

struct reeve_address reeve_address_from_ipv4(uint32_t host_order)
{
	struct reeve_address a = reeve_any_ipv4;

	store_be32(a.bytes + 12, host_order);
	return a;
}

uint32_t reeve_address_to_ipv4(const struct reeve_address *a)
{
	return load_be32(a->bytes + 12);
}

bool reeve_address_is_ipv4(const struct reeve_address *a)
{
	return (load_be32(a->bytes) | load_be32(a->bytes + 4)) == 0 &&
	       load_be32(a->bytes + 8) == 0xffff;
}

enum reeve_family reeve_address_family(const struct reeve_address *a)
{
	return reeve_address_is_ipv4(a) ? REEVE_IPV4 : REEVE_IPV6;
}

bool reeve_address_equal(const struct reeve_address *a, const struct reeve_address *b)
{
	uint64_t x[2], y[2];

	/* As words: memcmp() is a call wherever a sanitizer listens, and addresses are compared often. */
	memcpy(x, a->bytes, sizeof(x));
	memcpy(y, b->bytes, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

bool reeve_sockaddr_equal(const struct reeve_sockaddr *a, const struct reeve_sockaddr *b)
{
	return a->port == b->port && a->scope == b->scope &&
	       reeve_address_equal(&a->address, &b->address);
}

bool reeve_address_is_unspecified(const struct reeve_address *a)
{
	return reeve_address_equal(a, &reeve_any_ipv4) || reeve_address_equal(a, &reeve_any_ipv6);
}

bool reeve_address_is_loopback(const struct reeve_address *a)
{
	if (reeve_address_is_ipv4(a))
		return a->bytes[12] == 127;
	return reeve_address_equal(a, &reeve_loopback_ipv6);
}

bool reeve_address_is_multicast(const struct reeve_address *a)
{
	if (reeve_address_is_ipv4(a))
		return (a->bytes[12] & 0xf0) == 0xe0;
	return a->bytes[0] == 0xff;
}

bool reeve_address_is_broadcast(const struct reeve_address *a)
{
	return reeve_address_is_ipv4(a) && reeve_address_to_ipv4(a) == UINT32_MAX;
}

bool reeve_prefix_contains(const struct reeve_prefix *p, const struct reeve_address *a)
{
	const bool ipv4 = reeve_address_is_ipv4(&p->address);

	if (ipv4 != reeve_address_is_ipv4(a))
		return false;
	const unsigned bits = (ipv4 ? 96u : 0u) + p->length;
	const unsigned whole = bits / 8;
	const unsigned rest = bits % 8;

	check(bits <= 128);
	if (memcmp(p->address.bytes, a->bytes, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	const uint8_t mask = (uint8_t)(0xff00u >> rest);

	return ((p->address.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
}

int reeve_address_parse(const char *text, struct reeve_address *ret)
{
	uint8_t ipv4[4];
	struct reeve_address a;

	if (inet_pton(AF_INET, text, ipv4) == 1) {
		*ret = reeve_address_from_ipv4(load_be32(ipv4));
		return 0;
	}
	if (inet_pton(AF_INET6, text, a.bytes) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

/* One to three decimal digits and nothing else. */
static int parse_length(const char *text, unsigned limit, uint8_t *ret)
{
	unsigned value = 0;
	size_t digits = 0;

	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 3; digits++)
		value = value * 10 + (unsigned)(text[digits] - '0');
	if (digits == 0 || text[digits] != '\0' || value > limit)
		return -EINVAL;
	*ret = (uint8_t)value;
	return 0;
}

int reeve_prefix_parse(const char *text, struct reeve_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char head[REEVE_ADDRESS_TEXT];
	struct reeve_prefix p;
	const size_t length = slash ? (size_t)(slash - text) : strlen(text);

	if (length >= sizeof(head))
		return -EINVAL;
	memcpy(head, text, length);
	head[length] = '\0';
	if (reeve_address_parse(head, &p.address))
		return -EINVAL;
	const unsigned limit = reeve_address_is_ipv4(&p.address) ? 32 : 128;

	p.length = (uint8_t)limit;
	if (slash && parse_length(slash + 1, limit, &p.length))
		return -EINVAL;
	*ret = p;
	return 0;
}

char *reeve_address_format(const struct reeve_address *a, char text[REEVE_ADDRESS_TEXT])
{
	if (reeve_address_is_ipv4(a))
		inet_ntop(AF_INET, a->bytes + 12, text, REEVE_ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, a->bytes, text, REEVE_ADDRESS_TEXT);
	return text;
}

char *reeve_sockaddr_format(const struct reeve_sockaddr *s, char text[REEVE_SOCKADDR_TEXT])
{
	char address[REEVE_ADDRESS_TEXT];

	reeve_address_format(&s->address, address);
	if (reeve_address_is_ipv4(&s->address))
		snprintf(text, REEVE_SOCKADDR_TEXT, "%s:%u", address, (unsigned)s->port);
	else
		snprintf(text, REEVE_SOCKADDR_TEXT, "[%s]:%u", address, (unsigned)s->port);
	return text;
}
