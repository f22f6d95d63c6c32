/* Owns the queue of problems of a socket, and how it is read. */
#include "stack/udp_problem.h"

#include <stdlib.h>

#include "stack/udp_private.h"

void udp_problems_deinit(struct udp_problems *p)
{
	while (p->count > 0)
		udp_problems_pop(p);
	free(p->ring);
	p->ring = NULL;
}

bool udp_problems_push_take(struct udp_problems *p, const struct reeve_udp_problem *facts,
			    struct reeve_packet *quote_take)
{
	if (!p->ring)
		p->ring = calloc(UDP_PROBLEMS, sizeof(*p->ring));
	if (!p->ring || p->count == UDP_PROBLEMS) {
		reeve_packet_free(quote_take);
		return false;
	}
	p->ring[(p->first + p->count) % UDP_PROBLEMS] = (struct udp_problem){ *facts, quote_take };
	p->count++;
	return true;
}

const struct udp_problem *udp_problems_first(const struct udp_problems *p)
{
	return p->count > 0 ? &p->ring[p->first] : NULL;
}

void udp_problems_pop(struct udp_problems *p)
{
	check(p->count > 0);
	reeve_packet_free(p->ring[p->first].quote);
	p->first = (p->first + 1) % UDP_PROBLEMS;
	p->count--;
}

bool reeve_udp_problem(const struct reeve_udp *udp, struct reeve_udp_problem *ret)
{
	const struct udp_problem *const oldest = udp_problems_first(&udp->problems);

	if (!oldest)
		return false;
	*ret = oldest->facts;
	ret->iov_count = 0;
	if (oldest->quote)
		ret->iov_count = reeve_packet_iov(oldest->quote, ret->iov, array_length(ret->iov));
	return true;
}

void reeve_udp_consume_problem(struct reeve_udp *udp)
{
	if (udp_problems_first(&udp->problems))
		udp_problems_pop(&udp->problems);
}
