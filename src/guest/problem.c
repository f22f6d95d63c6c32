/* Owns the queue of problems. */
#include "guest/problem.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void problems_push(struct problems *p, const struct reeve_sockaddr *remote, const void *data,
		   size_t length)
{
	if (length < sizeof(struct guest_problem) || p->count == PROBLEMS_MAX)
		return;
	const size_t quoted = length - sizeof(struct guest_problem);
	struct problem *problem = calloc(1, sizeof(*problem) + quoted);
	struct problem **last = &p->first;

	if (!problem)
		return;
	memcpy(&problem->what, data, sizeof(problem->what));
	memcpy(problem->quote, (const uint8_t *)data + sizeof(problem->what), quoted);
	problem->remote = *remote;
	problem->length = (uint32_t)quoted;
	while (*last)
		last = &(*last)->next;
	*last = problem;
	p->count++;
}

void problems_pop(struct problems *p)
{
	struct problem *first = p->first;

	check(first);
	p->first = first->next;
	p->count--;
	free(first);
}

void problems_clear(struct problems *p)
{
	while (p->first)
		problems_pop(p);
}
