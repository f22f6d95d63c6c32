/* DNS over TCP (RFC 7766): messages behind their length, several on one connection. */
#pragma once

#include <stdint.h>

#include "reeve/address.h"

struct network_host;
struct dns_listener;

/* Takes the connections to the port at these addresses (NULL: all) that no socket of the host
 * takes. 0 or a negative errno. */
int dns_listener_new(struct network_host *host, const struct reeve_prefix *to, uint16_t port,
		     struct dns_listener **ret);
struct dns_listener *dns_listener_free(struct dns_listener *l); /* with its connections */
