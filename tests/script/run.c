/* Events in order, in virtual time. */
#include "run.h"

#include <stdlib.h>

#include "assertion.h"
#include "base/check.h"

static void note_events(struct run *r)
{
	struct reeve_event e;

	while (reeve_host_next_event(r->world.host, &e)) {
		struct handle *const h = e.user;

		if (!h || h->kind != HANDLE_STREAM || h->tcp != e.socket)
			continue;
		h->edges++;
		if (e.what & REEVE_CONNECTED)
			h->was_connected = true;
		if (e.what & REEVE_FAILED && !h->error)
			h->error = reeve_tcp_error(h->tcp);
	}
}

void run_settle(struct run *r)
{
	for (;;) {
		const bool was_active = r->call.is_active;

		world_collect(&r->world);
		note_events(r);
		call_continue(r);
		world_collect(&r->world);
		if (!was_active || r->call.is_active)
			break;
	}
	if (r->world.wrong)
		script_fault(r->fault, (struct script_place){ 1, 1 }, "%s", r->world.wrong);
}

void run_advance(struct run *r, struct reeve_time until)
{
	run_settle(r);
	while (reeve_time_before(r->world.now, until) && !r->fault->is_set) {
		struct reeve_time next = until;

		if (r->call.is_active)
			next = reeve_time_min(next, r->call.timeout);
		world_step(&r->world, next);
		run_settle(r);
	}
}

static struct reeve_time due(const struct run *r, const struct script_time *t)
{
	return reeve_time_add(t->clock == SCRIPT_ABSOLUTE ? r->world.begin : r->previous,
			      t->first_ns);
}

static void run_code(struct run *r, const struct script_event *e)
{
	if (r->under_test < 0)
		script_fault(r->fault, e->place, "there is no socket that this could be about");
	else
		assertion_run(r->script, e, r->handles[r->under_test].tcp, r->fault);
}

static void run_event(struct run *r, const struct script_event *e)
{
	const struct reeve_time at = due(r, &e->time);

	if (e->kind == EVENT_PACKET && !e->packet->is_inbound) {
		run_outbound(r, e);
		return;
	}
	if (reeve_time_since(r->world.now, at) > r->script->settings.tolerance_ns) {
		script_fault(r->fault, e->place, "it is %.6f s already",
			     (double)reeve_time_since(r->world.now, r->world.begin) /
				     (double)REEVE_NS_PER_S);
		return;
	}
	run_advance(r, at);
	if (r->fault->is_set)
		return;
	r->previous = at;
	if (e->kind == EVENT_PACKET)
		run_inbound(r, e);
	else if (e->kind == EVENT_CALL)
		call_begin(r, e);
	else if (e->kind == EVENT_CODE)
		run_code(r, e);
	else
		run_command(r, e->text, e->place);
	run_settle(r);
}

/* A call that has not ended when the script has. */
static void finish_call(struct run *r)
{
	const struct call *const c = &r->call;

	if (!c->is_active)
		return;
	run_advance(r, reeve_time_add(c->begin, c->spec->end_ns - c->event->time.first_ns +
							r->script->settings.tolerance_ns));
	if (c->is_active)
		script_fault(r->fault, c->event->place, "%s() has not come back by its time",
			     c->spec->name);
}

enum run_result run_script(struct script *s, bool is_strict, struct script_fault *fault)
{
	struct run *const r = calloc(1, sizeof(*r));

	*fault = (struct script_fault){ 0 };
	check(r);
	if (s->settings.is_ipv6) {
		free(r);
		return RUN_SKIPPED;
	}
	r->script = s;
	r->fault = fault;
	r->under_test = -1;
	r->call.timeout = REEVE_NEVER;
	world_init(&r->world, &s->settings);
	r->previous = r->world.begin;
	if (s->command)
		run_command(r, s->command, s->command_place);
	for (const struct script_event *e = s->first; e && !fault->is_set; e = e->next)
		run_event(r, e);
	finish_call(r);
	if (is_strict)
		run_expect_nothing(r);
	if (!world_deinit(&r->world))
		script_fault(fault, (struct script_place){ 1, 1 },
			     "packets or buffers are left when the host has gone");
	free(r);
	return fault->is_set ? RUN_FAILED : RUN_PASSED;
}
