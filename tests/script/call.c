/* A call: its begin, its way, its end. */
#include "call.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "symbols.h"

static const struct call_kind *const tables[] = {
	call_socket_kinds, call_data_kinds, call_option_kinds, call_wait_kinds, call_pipe_kinds,
};

static const struct call_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct call_kind *k = tables[i]; k->name; k++)
			if (strcmp(k->name, name) == 0)
				return k;
	return NULL;
}

const struct script_value *call_argument(const struct call *c, unsigned index)
{
	const struct script_value *v = c->spec->first;

	while (index-- > 0 && v)
		v = v->next;
	return v;
}

bool call_is_any(const struct call *c, unsigned index)
{
	return call_argument(c, index)->kind == VALUE_ANY;
}

int64_t call_integer(const struct call *c, unsigned index)
{
	const struct script_value *const v = call_argument(c, index);

	if (v->kind == VALUE_INTEGER)
		return v->integer;
	script_fault(c->run->fault, v->place, "%s() needs a number here", c->spec->name);
	return 0;
}

typedef void say(struct script_fault *f, struct script_place place, const char *format, ...);

/* `at` NULL: of the whole call. */
static void say_of(const struct call *c, say *how, const struct script_value *at,
		   const char *format, va_list arguments)
{
	char text[256];

	vsnprintf(text, sizeof(text), format, arguments);
	how(c->run->fault, at ? at->place : c->event->place, "%s(): %s", c->spec->name, text);
}

bool call_fault(const struct call *c, const struct script_value *at, int64_t *ret,
		const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_of(c, script_fault, at, format, arguments);
	va_end(arguments);
	*ret = 0;
	return true;
}

bool call_refuse(const struct call *c, const struct script_value *at, int64_t *ret,
		 const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_of(c, script_refuse, at, format, arguments);
	va_end(arguments);
	*ret = 0;
	return true;
}

struct handle *call_socket(const struct call *c, int64_t *ret)
{
	struct handle *const h = call_handle(c, HANDLE_DATAGRAM, ret);

	return h ? h : call_handle(c, HANDLE_STREAM, ret);
}

void call_note_written(const struct handle *h, const char *text, size_t length)
{
	struct reeve_sockaddr local;

	if (reeve_tcp_local(h->tcp, &local) == 0)
		run_note_text(h->run, local.port, h->write_at, text, length);
}

void call_compare_length(const struct call *c, unsigned index, int64_t length)
{
	call_compare_integer(c, call_argument(c, index), length, "the length");
}

struct handle *call_handle(const struct call *c, enum handle_kind kind, int64_t *ret)
{
	const int64_t fd = call_integer(c, 0);
	struct handle *const h = fd >= 0 && fd < RUN_HANDLES ? &c->run->handles[fd] : NULL;

	if (h && h->kind == kind)
		return h;
	*ret = h && h->kind != HANDLE_NONE ? -EINVAL : -EBADF;
	return NULL;
}

struct handle *call_new_handle(const struct call *c, enum handle_kind kind, int64_t *ret_fd)
{
	const struct script_value *const expected = c->spec->result;
	int64_t fd = 3;

	if (expected->kind == VALUE_INTEGER && expected->integer >= 0 &&
	    expected->integer < RUN_HANDLES)
		fd = expected->integer;
	while (fd < RUN_HANDLES && c->run->handles[fd].kind != HANDLE_NONE)
		fd++;
	if (fd == RUN_HANDLES) {
		(void)call_fault(c, NULL, ret_fd, "more than %d descriptors", RUN_HANDLES);
		return NULL;
	}

	struct handle *const h = &c->run->handles[fd];

	*h = (struct handle){
		.kind = kind, .run = c->run, .read_at = 1, .write_at = 1, .linger_s = -1
	};
	*ret_fd = fd;
	return h;
}

int64_t call_value(const struct call *c, const struct script_value *v)
{
	if (v->kind == VALUE_LIST && v->count == 1)
		v = v->first;
	if (v->kind == VALUE_INTEGER)
		return v->integer;
	script_fault(c->run->fault, v->place, "%s() needs a number here", c->spec->name);
	return 0;
}

void call_compare_integer(const struct call *c, const struct script_value *expected, int64_t got,
			  const char *what)
{
	int64_t value;

	if (expected->kind == VALUE_ANY)
		return;
	value = call_value(c, expected);
	if (value != got)
		script_fault(c->run->fault, expected->place,
			     "%s(): %s expected %lld (0x%llx), got %lld (0x%llx)", c->spec->name,
			     what, (long long)value, (unsigned long long)value, (long long)got,
			     (unsigned long long)got);
}

struct reeve_sockaddr call_name(const struct call *c, const struct script_value *v,
				const struct reeve_sockaddr *otherwise)
{
	const struct script_value *address = script_field(v, "sin_addr");
	const struct script_value *port = script_field(v, "sin_port");
	struct reeve_sockaddr name = *otherwise;

	if (v->kind == VALUE_ANY)
		return name;
	if (!address)
		address = script_field(v, "sin6_addr");
	if (!port)
		port = script_field(v, "sin6_port");
	if (!script_field(v, "sa_family") || !port || port->kind != VALUE_INTEGER || !address) {
		script_fault(c->run->fault, v->place, "%s() needs a socket's name here",
			     c->spec->name);
		return name;
	}
	name.port = (uint16_t)port->integer;
	if (address->kind == VALUE_INTEGER && address->integer == INADDR_ANY)
		name.address = reeve_any_ipv4;
	else if (address->kind != VALUE_ANY &&
		 (address->kind != VALUE_TEXT ||
		  reeve_address_parse(address->text, &name.address) < 0))
		script_fault(c->run->fault, address->place, "%s() needs an address here",
			     c->spec->name);
	return name;
}

void call_compare_name(const struct call *c, const struct script_value *expected,
		       const struct reeve_sockaddr *got)
{
	const struct reeve_sockaddr name = call_name(c, expected, got);
	char text[2][REEVE_SOCKADDR_TEXT];

	if (!reeve_sockaddr_equal(&name, got))
		script_fault(c->run->fault, expected->place, "%s(): expected %s, got %s",
			     c->spec->name, reeve_sockaddr_format(&name, text[0]),
			     reeve_sockaddr_format(got, text[1]));
}

static double seconds(const struct run *r, struct reeve_time at)
{
	return (double)reeve_time_since(at, r->world.begin) / (double)REEVE_NS_PER_S;
}

static struct reeve_time expected_end(const struct call *c)
{
	const int64_t lasts = c->spec->has_end ? c->spec->end_ns - c->event->time.first_ns : 0;

	return reeve_time_add(c->begin, lasts);
}

static void check_end(const struct call *c)
{
	struct run *const r = c->run;
	const struct reeve_time end = expected_end(c);
	const int64_t late = reeve_time_since(r->world.now, end);

	const int64_t tolerance = run_tolerance(r, reeve_time_since(end, c->begin));

	if (late > tolerance || -late > tolerance)
		script_fault(r->fault, c->event->place, "%s() was to end at %.6f s, not at %.6f s",
			     c->spec->name, seconds(r, end), seconds(r, r->world.now));
}

static void describe(int64_t result, char text[40])
{
	if (result < 0)
		snprintf(text, 40, "-1 %s", symbol_errno_name((int)-result));
	else
		snprintf(text, 40, "%lld", (long long)result);
}

static void check_result(const struct call *c, int64_t result)
{
	const struct script_value *const e = c->spec->result;
	char got[40], expected[40];

	if (e->kind == VALUE_ANY)
		return;
	if (e->kind != VALUE_INTEGER) {
		script_fault(c->run->fault, e->place, "a result is a number or ...");
		return;
	}
	if (e->integer < 0 ? result < 0 && (!c->spec->error || c->spec->error == -result)
			   : result == e->integer)
		return;
	describe(result, got);
	describe(c->spec->error ? -(int64_t)c->spec->error : e->integer, expected);
	script_fault(c->run->fault, c->event->place, "%s() was to return %s, not %s", c->spec->name,
		     e->integer < 0 && !c->spec->error ? "-1" : expected, got);
}

void call_continue(struct run *r)
{
	struct call *const c = &r->call;
	int64_t result = 0;

	if (!c->is_active || r->fault->is_set)
		return;
	if (!c->kind->try(c, &result)) {
		c->has_started = true;
		if (c->spec->has_end)
			return;
		script_fault(r->fault, c->event->place,
			     "%s() waits: a call that waits says until when, as in +0...+.1",
			     c->spec->name);
	}
	c->is_active = false;
	c->timeout = REEVE_NEVER;
	check_result(c, result);
	check_end(c);
}

/* One call at a time: the one before must have come back. */
static void finish_last(struct run *r)
{
	const struct call *const c = &r->call;

	if (!c->is_active)
		return;
	run_advance(r, reeve_time_add(expected_end(c), r->script->settings.tolerance_ns));
	if (c->is_active)
		script_fault(r->fault, c->event->place, "%s() has not come back by its time",
			     c->spec->name);
}

void call_begin(struct run *r, const struct script_event *e)
{
	const struct script_call *const spec = e->call;
	const struct call_kind *const kind = find_kind(spec->name);

	if (!kind) {
		script_refuse(r->fault, e->place, "the call %.40s() is not supported", spec->name);
		return;
	}
	if (spec->count < kind->least || spec->count > kind->most) {
		script_fault(r->fault, e->place, "%s() takes %u to %u arguments, not %u",
			     kind->name, kind->least, kind->most, spec->count);
		return;
	}
	finish_last(r);
	if (r->fault->is_set)
		return;
	r->call = (struct call){
		.run = r,
		.event = e,
		.spec = spec,
		.kind = kind,
		.is_active = true,
		.begin = r->world.now,
		.timeout = REEVE_NEVER,
	};
	call_continue(r);
}
