/*
 * The manager of a host's services: a program of that host, with sockets of that host, which links
 * them to services as a file says (config.h).
 *
 * It opens the services' ports and keeps them open while programs come and go, so nobody is refused
 * meanwhile; it starts programs, at once or when somebody comes, each in the hands of a keeper
 * (keeper.h), and starts them again when they fail, later each time. What it is to do it hears from
 * the network process, over the connection that it was started with and nobody else has; when that
 * ends, or the manager itself, all services end.
 */
#pragma once

/* The verb by which a program that holds manager_main() must call it: `reeve MANAGER_VERB HOST FD`,
 * under `reeve run`. */
#define MANAGER_VERB "service-manager"

/* An exit status. */
int manager_main(const char *host, int fd);
