/*
 * The requests of ioctl(2) about interfaces (netdevice(7)): answered from the host's, whatever socket
 * they are made on, for on an AF_UNIX one the kernel would show the machine's.
 */
#pragma once

struct call;
struct supervisor;

/* The answer to a request of the pages 0x89 to 0x8b on a socket of `family`, or 1: the kernel's own
 * is right. */
int interface_request(const struct supervisor *s, const struct call *c, int family);
