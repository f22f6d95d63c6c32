/*
 * Addresses as numbers: an IPv4 address is one of 32 bits (RFC 791, 2.3), an IPv6 address one of
 * 128. Written and read back in decimal, hexadecimal, octal and binary.
 */
#pragma once

#include <stdbool.h>

#include "reeve/address.h"

enum number_base {
	NUMBER_DECIMAL,     /* 3325256834 */
	NUMBER_HEXADECIMAL, /* 0xc6336482 */
	NUMBER_OCTAL,       /* 0o30614662202 */
	NUMBER_BINARY,      /* 11000110.00110011.01100100.10000010; 0b... without separators too */
};

#define NUMBER_TEXT 160 /* 128 binary digits with their separators and a NUL */

unsigned __int128 number_of_address(const struct reeve_address *a);
struct reeve_address number_to_address(unsigned __int128 n, enum reeve_family family);

/* In full width but for decimal; `bits` is 32 or 128. Returns `text`. */
char *number_format(unsigned __int128 n, int bits, enum number_base base, char text[NUMBER_TEXT]);

/*
 * An address in its own text or as a number in any of the forms above. '_' may stand between
 * digits; '.' and ':' too in hexadecimal and binary, if all digits are there. A leading 0 means
 * octal. Numbers of up to 32 bits, or written with as many digits, are IPv4 unless `ipv6`.
 * 0, or -EINVAL with *ret_reason why.
 */
int number_parse_address(const char *text, bool ipv6, struct reeve_address *ret,
			 const char **ret_reason);
