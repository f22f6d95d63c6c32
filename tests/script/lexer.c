/* Text to tokens. */
#include "lexer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reeve/time.h"

/* After a fault there is nothing more to read. */
static void stop(struct lexer *l)
{
	l->at = l->end;
	l->token.kind = TOKEN_END;
}

static struct script_place place_of(const struct lexer *l, const char *at)
{
	return (struct script_place){ l->line, (uint32_t)(at - l->line_start) + l->column + 1 };
}

static bool at_text(const struct lexer *l, const char *text)
{
	const size_t length = strlen(text);

	return (size_t)(l->end - l->at) >= length && memcmp(l->at, text, length) == 0;
}

static void step(struct lexer *l)
{
	if (*l->at++ == '\n') {
		l->line++;
		l->line_start = l->at;
		l->column = 0;
	}
}

/* Up to behind `closing`; false, and a fault, when it does not come. */
static bool skip_to(struct lexer *l, struct script_place from, const char *closing)
{
	while (l->at < l->end && !at_text(l, closing))
		step(l);
	if (l->at == l->end) {
		script_fault(l->fault, from, "no %s before the end of the file", closing);
		return false;
	}
	l->at += strlen(closing);
	return true;
}

static void skip_blank(struct lexer *l)
{
	while (l->at < l->end) {
		const struct script_place from = place_of(l, l->at);

		if (isspace((unsigned char)*l->at) || (l->is_code && at_text(l, "\\\n"))) {
			step(l);
		} else if (l->is_code ? *l->at == '#' : at_text(l, "//")) {
			while (l->at < l->end && *l->at != '\n')
				step(l);
		} else if (!l->is_code && at_text(l, "/*")) {
			l->at += 2;
			if (!skip_to(l, from, "*/"))
				return;
		} else {
			return;
		}
	}
}

static void quoted(struct lexer *l, enum token_kind kind, char quote)
{
	const char *const start = ++l->at;

	while (l->at < l->end && *l->at != quote) {
		if (*l->at == '\\' && l->at + 1 < l->end)
			step(l);
		step(l);
	}
	if (l->at >= l->end) {
		script_fault(l->fault, l->token.place, "no closing %c before the end of the file",
			     quote);
		return;
	}
	l->token.kind = kind;
	l->token.text = start;
	l->token.length = (size_t)(l->at - start);
	l->at++;
}

int lexer_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static void number(struct lexer *l)
{
	const char *const start = l->at;
	const bool is_negative = *l->at == '-';
	bool is_hex = false, too_big = false;
	int64_t value = 0;

	l->at += is_negative;
	if (at_text(l, "0x") || at_text(l, "0X")) {
		is_hex = true;
		l->at += 2;
	}
	for (; l->at < l->end; l->at++) {
		const int digit = lexer_digit(*l->at);

		if (digit < 0 || (digit > 9 && !is_hex))
			break;
		too_big |= __builtin_mul_overflow(value, is_hex ? 16 : 10, &value) ||
			   __builtin_add_overflow(value, digit, &value);
	}
	l->token.kind = TOKEN_INTEGER;
	if (!is_hex && l->end - l->at > 1 && *l->at == '.' && isdigit((unsigned char)l->at[1])) {
		l->token.kind = TOKEN_DECIMAL;
		for (l->at++; l->at < l->end && isdigit((unsigned char)*l->at);)
			l->at++;
	}
	l->token.text = start;
	l->token.length = (size_t)(l->at - start);
	l->token.integer = is_negative ? -value : value;
	if (too_big)
		script_fault(l->fault, l->token.place, "the number is too large");
	else if (is_hex && l->token.length - is_negative == 2)
		script_fault(l->fault, l->token.place, "0x without a digit");
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static void word(struct lexer *l, enum token_kind kind)
{
	l->token.kind = kind;
	l->token.text = l->at;
	while (l->at < l->end && is_word(*l->at))
		l->at++;
	l->token.length = (size_t)(l->at - l->token.text);
}

/* A word that was defined is what it stands for: a number, or another word. */
static void replace(struct lexer *l)
{
	const struct script_define *d = l->script->defines;
	struct token *const t = &l->token;
	char *end;

	while (d && (strlen(d->name) != t->length || memcmp(d->name, t->text, t->length) != 0))
		d = d->next;
	if (!d)
		return;
	t->is_defined = true;
	t->text = d->value;
	t->length = strlen(d->value);
	errno = 0;
	t->integer = strtoll(d->value, &end, 0);
	if (*d->value && !*end && errno == 0)
		t->kind = TOKEN_INTEGER;
}

const char *lexer_digits(struct lexer *l, size_t *ret_length)
{
	const char *const text = l->token.text;
	size_t length = l->token.length;

	/* What begins with decimal digits ends as a word. */
	if (!l->token.is_defined) {
		while (text + length < l->end && lexer_digit(text[length]) >= 0)
			length++;
		l->at = text + length;
	}
	*ret_length = length;
	return text;
}

static bool begins_number(const struct lexer *l)
{
	const size_t left = (size_t)(l->end - l->at);
	const size_t sign = *l->at == '-' && !l->is_code;

	if (left > sign && isdigit((unsigned char)l->at[sign]))
		return true;
	return left > sign + 1 && l->at[sign] == '.' && isdigit((unsigned char)l->at[sign + 1]);
}

static void code(struct lexer *l)
{
	const char *const start = l->at += 2;

	if (!skip_to(l, l->token.place, "}%"))
		return;
	l->token.kind = TOKEN_CODE;
	l->token.text = start;
	l->token.length = (size_t)(l->at - start) - 2;
}

void lexer_next(struct lexer *l)
{
	skip_blank(l);
	l->token = (struct token){ .kind = TOKEN_END, .place = place_of(l, l->at), .text = l->at };
	if (l->fault->is_set || l->at >= l->end)
		return;

	const char c = *l->at;

	if (begins_number(l)) {
		number(l);
	} else if (is_word(c)) {
		word(l, TOKEN_WORD);
		replace(l);
	} else if (c == '"' || (c == '\'' && l->is_code)) {
		quoted(l, TOKEN_STRING, c);
	} else if (c == '`') {
		quoted(l, TOKEN_COMMAND, '`');
	} else if (at_text(l, "%{")) {
		code(l);
	} else if (at_text(l, "...")) {
		l->token.kind = TOKEN_ELLIPSIS;
		l->token.text = l->at;
		l->token.length = 3;
		l->at += 3;
	} else if (at_text(l, "--") && l->end - l->at > 2 && is_word(l->at[2])) {
		l->at += 2;
		word(l, TOKEN_OPTION);
	} else {
		l->token.kind = TOKEN_SIGN;
		l->token.text = l->at;
		l->token.length = 1;
		l->at++;
	}
	if (l->fault->is_set)
		l->token.kind = TOKEN_END;
}

void lexer_init(struct lexer *l, struct script *script, const char *text, size_t length,
		struct script_fault *fault)
{
	*l = (struct lexer){ .script = script,
			     .fault = fault,
			     .at = text,
			     .end = text + length,
			     .line_start = text,
			     .line = 1 };
	lexer_next(l);
}

void lexer_init_code(struct lexer *l, struct script *script, const char *text,
		     struct script_place place, struct script_fault *fault)
{
	*l = (struct lexer){ .script = script,
			     .fault = fault,
			     .at = text,
			     .end = text + strlen(text),
			     .line_start = text,
			     .line = place.line,
			     .column = place.column - 1,
			     .is_code = true };
	lexer_next(l);
}

const char *lexer_copy(struct lexer *l)
{
	char *const copy = script_allocate(l->script, l->token.length + 1);

	memcpy(copy, l->token.text, l->token.length);
	return copy;
}

const char *lexer_raw(struct lexer *l)
{
	const char *const start = l->at;

	while (l->at < l->end && !isspace((unsigned char)*l->at))
		l->at++;
	l->token.text = start;
	l->token.length = (size_t)(l->at - start);
	/* As a string it may be quoted. */
	if (l->token.length >= 2 && *start == '"' && l->at[-1] == '"') {
		l->token.text++;
		l->token.length -= 2;
	}

	const char *const copy = lexer_copy(l);

	lexer_next(l);
	return copy;
}

bool lexer_is_sign(const struct lexer *l, char sign)
{
	return l->token.kind == TOKEN_SIGN && *l->token.text == sign;
}

bool lexer_is_word(const struct lexer *l, const char *text)
{
	return l->token.kind == TOKEN_WORD && l->token.length == strlen(text) &&
	       memcmp(l->token.text, text, l->token.length) == 0;
}

bool lexer_take_sign(struct lexer *l, char sign)
{
	const bool is = lexer_is_sign(l, sign);

	if (is)
		lexer_next(l);
	return is;
}

bool lexer_take_word(struct lexer *l, const char *text)
{
	const bool is = lexer_is_word(l, text);

	if (is)
		lexer_next(l);
	return is;
}

void lexer_fault(struct lexer *l, const char *expected)
{
	const int length = l->token.length < 40 ? (int)l->token.length : 40;

	if (l->token.kind == TOKEN_END)
		script_fault(l->fault, l->token.place, "%s expected, but the file ends", expected);
	else
		script_fault(l->fault, l->token.place, "%s expected, not '%.*s'", expected, length,
			     l->token.text);
	stop(l);
}

void lexer_expect_sign(struct lexer *l, char sign)
{
	const char text[] = { '\'', sign, '\'', 0 };

	if (!lexer_take_sign(l, sign))
		lexer_fault(l, text);
}

int64_t lexer_expect_integer(struct lexer *l, int64_t least, int64_t most, const char *what)
{
	const int64_t value = l->token.integer;

	if (l->token.kind != TOKEN_INTEGER) {
		lexer_fault(l, what);
		return 0;
	}
	if (value < least || value > most) {
		script_fault(l->fault, l->token.place, "%s must be %lld to %lld, not %lld", what,
			     (long long)least, (long long)most, (long long)value);
		stop(l);
		return least;
	}
	lexer_next(l);
	return value;
}

/* Digits behind the ninth say less than a nanosecond. */
int64_t lexer_expect_seconds(struct lexer *l)
{
	const struct token t = l->token;
	const char *const end = t.text + t.length, *at = t.text;
	int64_t unit = REEVE_NS_PER_S, ns = 0;

	if (t.kind != TOKEN_INTEGER && t.kind != TOKEN_DECIMAL) {
		lexer_fault(l, "a time in seconds");
		return 0;
	}
	if (*at == '-' || t.integer < 0 || t.integer > 1000000000 ||
	    (t.kind == TOKEN_INTEGER && memchr(at, 'x', t.length))) {
		script_fault(l->fault, t.place, "'%.*s' is no time", (int)t.length, t.text);
		stop(l);
		return 0;
	}
	ns = t.integer * REEVE_NS_PER_S;
	at = t.kind == TOKEN_DECIMAL ? memchr(at, '.', t.length) + 1 : end;
	for (; at < end; at++) {
		unit /= 10;
		ns += (*at - '0') * unit;
	}
	lexer_next(l);
	return ns;
}
