/*
 * The network's name server: the hosts' names, and the names of their addresses. It has no address
 * of its own: it answers whatever resolver a program was configured with. On the gateway it takes
 * every query to port 53 that leaves for the outside; on each host those to loopback addresses
 * (127.0.0.1, 127.0.0.53, and what else resolv.conf names) where no program of the host listens; and,
 * if resolv.conf names nothing but servers of IPv6, to those.
 * Queries to a host of the network go to that host.
 */
#pragma once

#include <stddef.h>

struct network;
struct network_host;

/* On the gateway, and on any other host. 0 or a negative errno. */
int dns_open_gateway(struct network_host *gateway);
int dns_open_resolvers(struct network_host *host);

/* All that was opened on the host. */
void dns_close(struct network_host *host);

/* The answer to a message: its length, or 0 when there is none to give. */
size_t dns_answer(const struct network *n, const void *message, size_t length, void *ret,
		  size_t size);
