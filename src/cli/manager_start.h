/*
 * Starts the manager of a host's services: a program of that host in the background, and a
 * connection between it and the network process that nobody else has.
 */
#pragma once

#include "cli/session.h"
#include "port/policy.h"

/* 0; or the exit status after a complaint. */
int manager_start(struct session *s, const char *network, const char *host,
		  const struct port_grant *grant);
