/*
 * Who may bind what. The well-known ports, 0..1023 (RFC 6335, 6), belong to the network's owner's
 * programs, or, on a host added with --well-known=granted, only to programs to which the port was
 * granted by name. All other ports are free to all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PORT_WELL_KNOWN_LAST 1023
#define PORT_GRANT_MAX       64 /* ranges */

enum port_well_known {
	PORT_WELL_KNOWN_OWNER,
	PORT_WELL_KNOWN_GRANTED,
};

struct port_range {
	uint16_t first, last; /* inclusive */
};

/* What --allow-port said. */
struct port_grant {
	uint32_t count;
	struct port_range ranges[PORT_GRANT_MAX];
};

/* "80,443,8000-8100". 0, or -EINVAL (not such a list, a range that runs backwards, port 0 or over
 * 65535), -E2BIG; *ret untouched then. */
int port_grant_parse(const char *text, struct port_grant *ret);
/* Adds what `other` covers. 0, or -E2BIG, *g untouched then. */
int port_grant_join(struct port_grant *g, const struct port_grant *other);
bool port_grant_covers(const struct port_grant *g, uint16_t port);

struct port_actor {
	bool is_owner; /* runs as the network's owner */
	struct port_grant grant;
};

/* 0, or -EACCES. Port 0, "choose one", is free to all. */
int port_policy_may_bind(enum port_well_known policy, const struct port_actor *who, uint16_t port);
