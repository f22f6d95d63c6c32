/* Calls and the values in them: numbers, constants, strings, lists, structures. */
#include <string.h>

#include "reader.h"
#include "symbols.h"

#define DEPTH 12

static struct script_value *read_value(struct lexer *l, unsigned depth);

static bool read_constant(struct lexer *l, int64_t *ret)
{
	if (l->token.kind == TOKEN_INTEGER)
		*ret = l->token.integer;
	else if (l->token.kind != TOKEN_WORD || !symbol_value(l->token.text, l->token.length, ret))
		return false;
	lexer_next(l);
	return true;
}

/* A | B | ... */
static void read_integer(struct lexer *l, struct script_value *v)
{
	do {
		int64_t part = 0;

		if (!read_constant(l, &part)) {
			lexer_fault(l, "a number or the name of a constant");
			return;
		}
		v->integer |= part;
	} while (lexer_take_sign(l, '|'));
	v->kind = VALUE_INTEGER;
}

static void read_text(struct lexer *l, struct script_value *v)
{
	if (l->token.kind != TOKEN_STRING) {
		lexer_fault(l, "a string");
		return;
	}

	char *const text = script_allocate(l->script, l->token.length + 1);

	for (size_t i = 0; i < l->token.length; i++) {
		char c = l->token.text[i];

		if (c == '\\' && i + 1 < l->token.length) {
			c = l->token.text[++i];
			if (c == 'n')
				c = '\n';
			else if (c == 'r')
				c = '\r';
			else if (c == 't')
				c = '\t';
			else if (c == '0')
				c = 0;
		}
		text[v->length++] = c;
	}
	v->kind = VALUE_TEXT;
	v->text = text;
	lexer_next(l);
	if (l->token.kind == TOKEN_ELLIPSIS) {
		v->has_more = true;
		lexer_next(l);
	}
}

/* The field that is read has a name, and may have something in parentheses behind it that says
 * how long it is: msg_iov(2)=[...]. */
static const char *read_name(struct lexer *l, int64_t *ret_count)
{
	static const char *const names[] = {
		"sa_family", "sin_port",    "sin_addr",  "sin6_port", "sin6_addr", "msg_name",
		"msg_iov",   "msg_flags",   "fd",        "events",    "revents",   "onoff",
		"linger",    "msg_control", "u32",       "u64",       "ptr",       "tv_sec",
		"tv_usec",   "cmsg_level",  "cmsg_type", "cmsg_data", "ee_errno",  "ee_origin",
		"ee_type",   "ee_code",     "ee_info",   "ee_data",   "scm_sec",   "scm_nsec",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!lexer_take_word(l, names[i]))
			continue;
		*ret_count = -1;
		if (lexer_take_sign(l, '(')) {
			if (l->token.kind == TOKEN_INTEGER)
				*ret_count = l->token.integer;
			else if (l->token.kind != TOKEN_ELLIPSIS)
				lexer_fault(l, "a length");
			lexer_next(l);
			lexer_expect_sign(l, ')');
		}
		lexer_expect_sign(l, '=');
		return names[i];
	}
	return NULL;
}

static void read_elements(struct lexer *l, struct script_value *v, char closing, unsigned depth)
{
	struct script_value **last = &v->first;

	lexer_next(l);
	if (lexer_take_sign(l, closing))
		return;
	do {
		int64_t said = -1;
		const char *const name = closing == '}' ? read_name(l, &said) : NULL;
		struct script_value *const element = read_value(l, depth + 1);

		if (said >= 0 && element->kind == VALUE_LIST && said != element->count)
			script_fault(l->fault, element->place, "%s has %u elements, not %lld", name,
				     element->count, (long long)said);

		/* inet_pton() says its field behind the value. */
		if (name)
			element->name = name;
		*last = element;
		last = &element->next;
		v->count++;
	} while (lexer_take_sign(l, ','));
	lexer_expect_sign(l, closing);
}

/* htons(8080), inet_addr("192.0.2.1"), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr) */
static bool read_function(struct lexer *l, struct script_value *v)
{
	int64_t family = 0;

	if (lexer_take_word(l, "htons")) {
		lexer_expect_sign(l, '(');
		v->kind = VALUE_INTEGER;
		v->integer = lexer_expect_integer(l, 0, UINT16_MAX, "a port");
	} else if (lexer_take_word(l, "inet_addr")) {
		lexer_expect_sign(l, '(');
		read_text(l, v);
	} else if (lexer_take_word(l, "inet_pton")) {
		lexer_expect_sign(l, '(');
		if (!read_constant(l, &family))
			lexer_fault(l, "an address family");
		lexer_expect_sign(l, ',');
		read_text(l, v);
		lexer_expect_sign(l, ',');
		lexer_expect_sign(l, '&');
		v->name = lexer_copy(l);
		lexer_next(l);
	} else {
		return false;
	}
	lexer_expect_sign(l, ')');
	return true;
}

static struct script_value *read_value(struct lexer *l, unsigned depth)
{
	struct script_value *const v = script_allocate(l->script, sizeof(*v));

	v->place = l->token.place;
	if (depth > DEPTH) {
		lexer_fault(l, "less depth");
		return v;
	}
	if (l->token.kind == TOKEN_ELLIPSIS) {
		lexer_next(l);
	} else if (l->token.kind == TOKEN_STRING) {
		read_text(l, v);
	} else if (lexer_is_sign(l, '[')) {
		v->kind = VALUE_LIST;
		read_elements(l, v, ']', depth);
	} else if (lexer_is_sign(l, '{')) {
		v->kind = VALUE_STRUCT;
		read_elements(l, v, '}', depth);
	} else if (!read_function(l, v)) {
		read_integer(l, v);
	}
	return v;
}

/* -1 EAGAIN (Resource temporarily unavailable): the name, and a note that nobody reads. */
static void read_error(struct lexer *l, struct script_call *c)
{
	if (l->token.kind == TOKEN_WORD) {
		c->error = symbol_errno(l->token.text, l->token.length);
		if (!c->error)
			lexer_fault(l, "the name of an errno");
		else if (c->result->kind != VALUE_INTEGER || c->result->integer != -1)
			script_fault(l->fault, l->token.place, "an errno goes with -1");
		lexer_next(l);
	}
	if (!lexer_take_sign(l, '('))
		return;
	while (l->token.kind != TOKEN_END && !lexer_is_sign(l, ')'))
		lexer_next(l);
	lexer_expect_sign(l, ')');
}

struct script_call *reader_call(struct lexer *l)
{
	struct script_call *const c = script_allocate(l->script, sizeof(*c));
	struct script_value **last = &c->first;

	if (l->token.kind != TOKEN_WORD) {
		lexer_fault(l, "'<', '>', a call, %{ code }% or a `command`");
		return c;
	}
	c->name = lexer_copy(l);
	lexer_next(l);
	lexer_expect_sign(l, '(');
	if (!lexer_take_sign(l, ')')) {
		do {
			*last = read_value(l, 0);
			last = &(*last)->next;
			c->count++;
		} while (lexer_take_sign(l, ','));
		lexer_expect_sign(l, ')');
	}
	lexer_expect_sign(l, '=');
	c->result = read_value(l, 0);
	if (c->result->kind == VALUE_INTEGER && c->result->integer < -1)
		script_fault(l->fault, c->result->place, "a call fails with -1");
	read_error(l, c);
	return c;
}
