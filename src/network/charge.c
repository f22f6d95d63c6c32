/* Owns the table of charges. */
#include "network/charge.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTHS 65536

struct charges {
	int ends[2];
	uint32_t of[LENGTHS]; /* 0: not measured yet */
	uint8_t zeroes[LENGTHS];
};

struct charges *charges_new(void)
{
	struct charges *const c = calloc(1, sizeof(*c));

	if (c && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, c->ends) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

struct charges *charges_free(struct charges *c)
{
	if (!c)
		return NULL;
	close(c->ends[0]);
	close(c->ends[1]);
	free(c);
	return NULL;
}

uint32_t charge_of(struct charges *c, uint32_t length)
{
	int charge = 0;

	if (length >= LENGTHS)
		return 0;
	if (c->of[length])
		return c->of[length];
	if (send(c->ends[0], c->zeroes, length, 0) < 0)
		return 0;
	if (ioctl(c->ends[0], SIOCOUTQ, &charge) < 0)
		charge = 0;
	(void)!recv(c->ends[1], c->zeroes, 0, 0);
	c->of[length] = (uint32_t)charge;
	return (uint32_t)charge;
}
