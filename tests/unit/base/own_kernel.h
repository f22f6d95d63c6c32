/*
 * The kernel as what something is compared with: a network namespace of the test's own, and names
 * as its calls take them.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_all.h"

/* With its loopback interface up. Where that is forbidden, on the machine's own. */
static inline void enter_own_network(void)
{
	const bool root = geteuid() == 0;

	if (unshare(root ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET)) {
		printf("# on this machine's own loopback: %s\n", strerror(errno));
		return;
	}
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

union name {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

/* Its length. */
static inline socklen_t make_name(union name *n, bool ipv6, const char *address, uint16_t port)
{
	memset(n, 0, sizeof(*n));
	if (ipv6) {
		n->ipv6.sin6_family = AF_INET6;
		n->ipv6.sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, address, &n->ipv6.sin6_addr), 1);
		return sizeof(n->ipv6);
	}
	n->ipv4.sin_family = AF_INET;
	n->ipv4.sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, address, &n->ipv4.sin_addr), 1);
	return sizeof(n->ipv4);
}
