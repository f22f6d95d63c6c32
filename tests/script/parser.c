/* A script: the header's options, a command, then events. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "base/check.h"
#include "reader.h"
#include "reeve/time.h"

#define SCRIPT_MAX (1 << 20) /* bytes */

static const struct script_settings defaults = {
	.prefix_length = 24,
	.mtu = 1500,
	.bind_port = 8080,
	.connect_port = 8080,
	.tolerance_ns = 4 * REEVE_NS_PER_MS,
};

static int64_t option_number(struct lexer *l, struct script_place place, const char *text,
			     int64_t least, int64_t most)
{
	char *end;
	const long long value = strtoll(text, &end, 0);

	if (*text && !*end && value >= least && value <= most)
		return value;
	script_fault(l->fault, place, "'%.40s' is no number of %lld to %lld", text,
		     (long long)least, (long long)most);
	return least;
}

static void option_address(struct lexer *l, struct script_place place, const char *text,
			   struct reeve_address *ret)
{
	if (reeve_address_parse(text, ret) < 0)
		script_fault(l->fault, place, "'%.60s' is no address", text);
	else if (!reeve_address_is_ipv4(ret))
		l->script->settings.is_ipv6 = true;
}

static void option_version(struct lexer *l, struct script_place place, const char *text)
{
	if (strcmp(text, "ipv6") == 0)
		l->script->settings.is_ipv6 = true;
	else if (strcmp(text, "ipv4") != 0)
		script_fault(l->fault, place, "--ip_version may be ipv4 or ipv6, not '%.40s'",
			     text);
}

static void option_netmask(struct lexer *l, struct script_place place, const char *text)
{
	struct reeve_address mask;

	if (reeve_address_parse(text, &mask) < 0 || !reeve_address_is_ipv4(&mask)) {
		script_fault(l->fault, place, "'%.40s' is no netmask", text);
		return;
	}

	const uint32_t host = ~reeve_address_to_ipv4(&mask);

	if (host & (host + 1))
		script_fault(l->fault, place, "'%.40s' is no netmask", text);
	l->script->settings.prefix_length = (uint8_t)(host ? __builtin_clz(host) : 32);
}

/* How fast, how loud; the gateway's address, which is here whichever the host asks for; how segments
 * are put together, and buffers kept, by a kernel; what Python is given. */
static bool is_without_effect(const char *name)
{
	static const char *const names[] = {
		"verbose",      "debug",          "speed",          "gateway_ip",
		"mss",          "send_omit_free", "code_command",   "code_format",
		"code_sockopt", "is_anyip",       "wire_client_dev"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* What the packetdrill that runs kernels has and that makes no sense here, or hides faults. */
static bool is_refused(const char *name)
{
	static const char *const names[] = { "non_fatal",          "wire_client", "wire_server",
					     "persistent_tun_dev", "udp_encap",   "so_filename" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Options that change where packets go; false: it is none of those. */
static bool apply_network(struct lexer *l, struct script_place place, const char *name,
			  const char *value)
{
	struct script_settings *const s = &l->script->settings;

	if (strcmp(name, "mtu") == 0)
		s->mtu = (uint32_t)option_number(l, place, value, 576, 65535);
	else if (strcmp(name, "bind_port") == 0)
		s->bind_port = (uint16_t)option_number(l, place, value, 1, UINT16_MAX);
	else if (strcmp(name, "connect_port") == 0)
		s->connect_port = (uint16_t)option_number(l, place, value, 1, UINT16_MAX);
	else if (strcmp(name, "local_ip") == 0)
		option_address(l, place, value, &s->local);
	else if (strcmp(name, "remote_ip") == 0)
		option_address(l, place, value, &s->remote);
	else if (strcmp(name, "netmask_ip") == 0)
		option_netmask(l, place, value);
	else if (strcmp(name, "ip_version") == 0)
		option_version(l, place, value);
	else
		return false;
	return true;
}

static void apply_option(struct lexer *l, struct script_place place, const char *name,
			 const char *value)
{
	struct script_settings *const s = &l->script->settings;

	if (apply_network(l, place, name, value))
		return;
	if (strcmp(name, "tolerance_usecs") == 0)
		s->tolerance_ns = option_number(l, place, value, 0, 1000000000) * REEVE_NS_PER_US;
	else if (strcmp(name, "tolerance_percent") == 0)
		s->tolerance_percent = option_number(l, place, value, 0, 100);
	else if (strcmp(name, "tcp_ts_tick_usecs") == 0)
		s->timestamp_tick_us = option_number(l, place, value, 0, 10000000);
	else if (strcmp(name, "strict_segments") == 0)
		s->is_strict_segments = true;
	else if (strcmp(name, "dry_run") == 0)
		s->is_dry_run = true;
	else if (strcmp(name, "init_scripts") == 0)
		l->script->command = value;
	else if (strcmp(name, "define") == 0 || strcmp(name, "D") == 0) {
		if (!script_define(l->script, value))
			script_fault(l->fault, place, "'%.40s' is no NAME=VALUE", value);
	} else if (is_refused(name)) {
		script_refuse(l->fault, place, "the option --%s is not supported", name);
	} else if (is_without_effect(name)) {
		script_note(l->script, place, "the option --%s has no effect", name);
	} else {
		script_fault(l->fault, place, "unknown option --%.40s", name);
	}
}

/* --name, --name=value, -D NAME=VALUE. */
static bool read_option(struct lexer *l)
{
	const struct script_place place = l->token.place;
	const char *value = "", *name = "D";

	if (lexer_is_sign(l, '-') && l->end - l->at > 1 && l->at[0] == 'D' && l->at[1] == ' ') {
		l->at += 2;
		value = lexer_raw(l);
	} else if (l->token.kind == TOKEN_OPTION) {
		name = lexer_copy(l);
		/* The value follows at once, and need not be a token. */
		if (l->at < l->end && *l->at == '=') {
			l->at++;
			value = lexer_raw(l);
		} else {
			lexer_next(l);
		}
	} else {
		return false;
	}
	apply_option(l, place, name, value);
	return true;
}

static void read_range(struct lexer *l, struct script_time *t)
{
	const struct script_place place = l->token.place;

	if (lexer_take_sign(l, '+') != (t->clock == SCRIPT_RELATIVE))
		lexer_fault(l, "both times of a range with '+', or neither");
	t->is_range = true;
	t->last_ns = lexer_expect_seconds(l);
	if (t->last_ns < t->first_ns)
		script_fault(l->fault, place, "the range ends before it begins");
}

static void read_time(struct lexer *l, struct script_time *t)
{
	if (lexer_take_sign(l, '*')) {
		t->clock = SCRIPT_ANY;
		return;
	}
	if (lexer_take_sign(l, '+'))
		t->clock = SCRIPT_RELATIVE;
	t->first_ns = t->last_ns = lexer_expect_seconds(l);
	if (lexer_take_sign(l, '~'))
		read_range(l, t);
}

static void read_call_event(struct lexer *l, struct script_event *e)
{
	const struct script_place place = l->token.place;
	bool has_end = false;
	int64_t end_ns = 0;

	if (l->token.kind == TOKEN_ELLIPSIS) {
		lexer_next(l);
		has_end = true;
		(void)lexer_take_sign(l, '+');
		end_ns = lexer_expect_seconds(l);
		if (e->time.clock == SCRIPT_ANY || e->time.is_range)
			script_fault(l->fault, place, "a call that lasts begins at one time");
		else if (end_ns < e->time.first_ns)
			script_fault(l->fault, place, "the call ends before it begins");
	}
	e->kind = EVENT_CALL;
	e->call = reader_call(l);
	e->call->has_end = has_end;
	e->call->end_ns = end_ns;
}

static struct script_event *read_event(struct lexer *l)
{
	struct script_event *const e = script_allocate(l->script, sizeof(*e));

	e->place = l->token.place;
	/* A command may stand alone: it is done when its turn comes. */
	if (l->token.kind == TOKEN_COMMAND)
		e->time.clock = SCRIPT_RELATIVE;
	else
		read_time(l, &e->time);
	if (lexer_is_sign(l, '<') || lexer_is_sign(l, '>')) {
		const bool is_inbound = lexer_take_sign(l, '<');

		if (!is_inbound)
			lexer_next(l);
		e->kind = EVENT_PACKET;
		e->packet = reader_packet(l, is_inbound);
	} else if (l->token.kind == TOKEN_CODE || l->token.kind == TOKEN_COMMAND) {
		e->kind = l->token.kind == TOKEN_CODE ? EVENT_CODE : EVENT_COMMAND;
		e->place = l->token.place;
		e->text = lexer_copy(l);
		if (e->kind == EVENT_CODE) {
			e->place.column += 2; /* behind %{ */
			assertion_check(l->script, e, l->fault);
		}
		lexer_next(l);
	} else {
		read_call_event(l, e);
	}
	if ((e->time.is_range || e->time.clock == SCRIPT_ANY) &&
	    (e->kind != EVENT_PACKET || e->packet->is_inbound))
		script_fault(l->fault, e->place,
			     "only a packet that is expected may have a range of times, or '*'");
	return e;
}

static void read_script(struct lexer *l)
{
	struct script_event **last = &l->script->first;

	while (read_option(l))
		;
	if (l->token.kind == TOKEN_COMMAND) {
		l->script->command_place = l->token.place;
		l->script->command = lexer_copy(l);
		lexer_next(l);
	}
	do {
		*last = read_event(l);
		last = &(*last)->next;
	} while (l->token.kind != TOKEN_END);
}

int script_parse(const char *text, size_t length, const struct script_defines *defines,
		 struct script **ret, struct script_fault *fault)
{
	struct script *const s = calloc(1, sizeof(*s));
	struct lexer l;

	check(s);
	*fault = (struct script_fault){ 0 };
	s->settings = defaults;
	check(reeve_address_parse("198.51.100.1", &s->settings.local) == 0);
	check(reeve_address_parse("192.0.2.1", &s->settings.remote) == 0);
	for (size_t i = 0; defines && i < defines->count; i++)
		if (!script_define(s, defines->list[i]))
			script_fault(fault, (struct script_place){ 1, 1 },
				     "'%.40s' is no NAME=VALUE", defines->list[i]);
	if (length > SCRIPT_MAX) {
		script_fault(fault, (struct script_place){ 1, 1 }, "longer than 1 MiB");
	} else if (memchr(text, 0, length)) {
		script_fault(fault, (struct script_place){ 1, 1 }, "a NUL byte is no text");
	} else {
		lexer_init(&l, s, text, length, fault);
		read_script(&l);
	}
	if (fault->is_set) {
		script_free(s);
		return -EINVAL;
	}
	*ret = s;
	return 0;
}
