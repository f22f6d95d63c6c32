/* Events in order, in virtual time. */
#include "run.h"

#include <stdlib.h>

#include "assertion.h"
#include "base/check.h"

#define AFTERMATH_NS (10 * REEVE_NS_PER_MS)

static void note_events(struct run *r)
{
	struct reeve_event e;

	while (reeve_host_next_event(r->world.host, &e)) {
		struct handle *const h = e.user;

		if (h && h->kind == HANDLE_DATAGRAM && h->udp == e.socket)
			h->edges++;
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

int64_t run_tolerance(const struct run *r, int64_t after_ns)
{
	const struct script_settings *const s = &r->script->settings;
	const int64_t part = after_ns / 100 * s->tolerance_percent;

	return part > s->tolerance_ns ? part : s->tolerance_ns;
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
	if (reeve_time_since(r->world.now, at) > run_tolerance(r, e->time.first_ns)) {
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

static enum run_result result_of(const struct script_fault *fault)
{
	if (!fault->is_set)
		return RUN_PASSED;
	return fault->is_refusal ? RUN_REFUSED : RUN_FAILED;
}

/* The customary call for Linux's defaults, when the script itself has it not. */
static void prepare(struct run *r)
{
	r->under_test = -1;
	r->call.timeout = REEVE_NEVER;
	for (unsigned i = 0; i < REEVE_TCP_OPTION_COUNT; i++)
		r->options[i] = -1;
	r->fast_open = 1; /* as Linux */
	if (r->how->is_linux)
		run_command(r, "defaults.sh", (struct script_place){ 1, 1 });
	if (r->script->command)
		run_command(r, r->script->command, r->script->command_place);
}

static void run_events(struct run *r)
{
	const struct script *const s = r->script;

	world_init(&r->world, &s->settings, &r->config);
	r->is_running = true;
	r->previous = r->world.begin;
	for (const struct script_event *e = s->first; e && !r->fault->is_set; e = e->next)
		run_event(r, e);
	finish_call(r);
	/* What it sends of its own accord, and not because a timer has run out. */
	if (r->how->is_strict && !r->fault->is_set) {
		run_advance(r, reeve_time_add(r->world.now, AFTERMATH_NS));
		run_expect_nothing(r);
	}
	if (!world_deinit(&r->world))
		script_fault(r->fault, (struct script_place){ 1, 1 },
			     "packets or buffers are left when the host has gone");
}

enum run_result run_script(struct script *s, const struct run_how *how, struct script_fault *fault)
{
	struct run *const r = calloc(1, sizeof(*r));

	*fault = (struct script_fault){ 0 };
	check(r);
	r->script = s;
	r->fault = fault;
	r->how = how;
	if (s->settings.is_ipv6) {
		free(r);
		return RUN_SKIPPED;
	}
	prepare(r);
	if (!fault->is_set && !s->settings.is_dry_run)
		run_events(r);
	run_forget_text(r);
	for (unsigned i = 0; i < RUN_HANDLES; i++)
		handle_release(&r->handles[i]);
	free(r);
	return result_of(fault);
}
