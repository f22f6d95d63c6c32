/* Assertions about a connection. */
#include "assertion.h"

#include <stdio.h>
#include <string.h>

#include "lexer.h"
#include "symbols.h"
#include "tcp_info.h"

#define DEPTH 48

struct reader {
	struct lexer l;
	const struct tcp_info_values *values; /* NULL: only reading */
	bool is_message; /* behind the comma: what Python would say, and we need not */
	unsigned depth;
	char names[256]; /* what the names that were read stand for */
};

static int64_t read_or(struct reader *r);

static void remember(struct reader *r, const struct token *t, int64_t value)
{
	const size_t length = strlen(r->names);

	snprintf(r->names + length, sizeof(r->names) - length, "%s%.*s is %lld", length ? ", " : "",
		 (int)t->length, t->text, (long long)value);
}

static int64_t read_name(struct reader *r)
{
	const struct token t = r->l.token;
	int64_t value = 1;

	if (lexer_take_word(&r->l, "True"))
		return 1;
	if (lexer_take_word(&r->l, "False"))
		return 0;
	if (tcp_info_value(r->values, t.text, t.length, &value))
		remember(r, &t, value);
	else if ((t.length > 5 && memcmp(t.text, "tcpi_", 5) == 0) ||
		 (t.length > 11 && memcmp(t.text, "SK_MEMINFO_", 11) == 0))
		script_refuse(r->l.fault, t.place, "the stack does not say %.*s",
			      t.length < 60 ? (int)t.length : 60, t.text);
	else if (!symbol_value(t.text, t.length, &value))
		lexer_fault(&r->l, "a name of tcp_info that is known here");
	lexer_next(&r->l);
	return value;
}

/* What the message is made of besides numbers: 'srtt=%d' % (a, b). */
static bool take_text(struct reader *r)
{
	if (!r->is_message || r->l.token.kind != TOKEN_STRING)
		return false;
	lexer_next(&r->l);
	return true;
}

static int64_t read_primary(struct reader *r)
{
	const int64_t number = r->l.token.integer;

	if (take_text(r))
		return 0;
	if (r->l.token.kind == TOKEN_INTEGER) {
		lexer_next(&r->l);
		return number;
	}
	if (r->l.token.kind == TOKEN_WORD)
		return read_name(r);
	if (lexer_take_sign(&r->l, '(')) {
		const int64_t value = read_or(r);

		while (r->is_message && lexer_take_sign(&r->l, ','))
			(void)read_or(r);
		lexer_expect_sign(&r->l, ')');
		return value;
	}
	lexer_fault(&r->l, "a whole number, a name or '('");
	return 0;
}

/* The signs before it are few: each is a call. */
static int64_t read_unary(struct reader *r)
{
	int64_t value;

	if (++r->depth > DEPTH) {
		lexer_fault(&r->l, "less depth");
		return 0;
	}
	if (lexer_take_sign(&r->l, '-'))
		value = (int64_t) - (uint64_t)read_unary(r);
	else if (lexer_take_sign(&r->l, '~'))
		value = ~read_unary(r);
	else if (lexer_take_sign(&r->l, '+'))
		value = read_unary(r);
	else
		value = read_primary(r);
	r->depth--;
	return value;
}

/* Rounded down; while only reading, whatever the divisor is. */
static int64_t divide(struct reader *r, int64_t a, int64_t b, bool is_rest)
{
	if (b == 0 && r->values && !r->is_message)
		script_fault(r->l.fault, r->l.token.place, "division by 0");
	if (b == 0 || b == -1)
		return is_rest || b == 0 ? 0 : (int64_t) - (uint64_t)a;

	const int64_t rest = a % b, down = rest != 0 && (rest < 0) != (b < 0);

	return is_rest ? rest + (down ? b : 0) : a / b - down;
}

static int64_t read_product(struct reader *r)
{
	int64_t value = read_unary(r);

	for (;;) {
		if (lexer_take_sign(&r->l, '*')) {
			value = (int64_t)((uint64_t)value * (uint64_t)read_unary(r));
		} else if (lexer_take_sign(&r->l, '/')) {
			(void)lexer_take_sign(&r->l, '/');
			value = divide(r, value, read_unary(r), false);
		} else if (lexer_take_sign(&r->l, '%')) {
			value = divide(r, value, read_unary(r), true);
		} else {
			return value;
		}
	}
}

static int64_t read_sum(struct reader *r)
{
	int64_t value = read_product(r);

	for (;;) {
		if (lexer_take_sign(&r->l, '+'))
			value = (int64_t)((uint64_t)value + (uint64_t)read_product(r));
		else if (lexer_take_sign(&r->l, '-'))
			value = (int64_t)((uint64_t)value - (uint64_t)read_product(r));
		else
			return value;
	}
}

/* "<<" or ">>", which the lexer has as two signs. */
static bool take_pair(struct reader *r, char sign)
{
	if (!lexer_is_sign(&r->l, sign) || r->l.at >= r->l.end || *r->l.at != sign)
		return false;
	lexer_next(&r->l);
	lexer_next(&r->l);
	return true;
}

static int64_t read_shift(struct reader *r)
{
	int64_t value = read_sum(r);

	for (;;) {
		const bool is_left = take_pair(r, '<');

		if (!is_left && !take_pair(r, '>'))
			return value;

		const int64_t by = read_sum(r);

		if (by < 0 || by > 63)
			script_fault(r->l.fault, r->l.token.place, "a shift by %lld",
				     (long long)by);
		else
			value = is_left ? (int64_t)((uint64_t)value << by) : value >> by;
	}
}

static int64_t read_bit_and(struct reader *r)
{
	int64_t value = read_shift(r);

	while (lexer_take_sign(&r->l, '&'))
		value &= read_shift(r);
	return value;
}

static int64_t read_bit_xor(struct reader *r)
{
	int64_t value = read_bit_and(r);

	while (lexer_take_sign(&r->l, '^'))
		value ^= read_bit_and(r);
	return value;
}

static int64_t read_bit_or(struct reader *r)
{
	int64_t value = read_bit_xor(r);

	while (lexer_take_sign(&r->l, '|'))
		value |= read_bit_xor(r);
	return value;
}

/* Two characters, for those that have two. */
static const char *take_comparison(struct reader *r)
{
	static const char *const texts[] = { "==", "!=", "<=", ">=", "<", ">" };

	if (r->l.token.kind != TOKEN_SIGN)
		return NULL;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const size_t length = strlen(texts[i]);

		if ((size_t)(r->l.end - r->l.token.text) < length ||
		    memcmp(r->l.token.text, texts[i], length) != 0)
			continue;
		r->l.at = r->l.token.text + length;
		lexer_next(&r->l);
		return texts[i];
	}
	return NULL;
}

static bool compare(const char *how, int64_t a, int64_t b)
{
	switch (how[0]) {
	case '=':
		return a == b;
	case '!':
		return a != b;
	case '<':
		return how[1] ? a <= b : a < b;
	default:
		return how[1] ? a >= b : a > b;
	}
}

static int64_t read_comparison(struct reader *r)
{
	int64_t left = read_bit_or(r), value = left;
	bool is_first = true;

	for (const char *how; (how = take_comparison(r)) != NULL; is_first = false) {
		const int64_t right = read_bit_or(r);

		value = compare(how, left, right) && (is_first || value);
		left = right;
	}
	return value;
}

static int64_t read_not(struct reader *r)
{
	bool is_not = false, any = false;

	while (lexer_take_word(&r->l, "not")) {
		is_not = !is_not;
		any = true;
	}

	const int64_t value = read_comparison(r);

	return any ? (value != 0) != is_not : value;
}

static int64_t read_and(struct reader *r)
{
	int64_t value = read_not(r);

	while (lexer_take_word(&r->l, "and")) {
		const int64_t right = read_not(r);

		value = value && right;
	}
	return value;
}

static int64_t read_or(struct reader *r)
{
	if (++r->depth > DEPTH) {
		lexer_fault(&r->l, "less depth");
		return 0;
	}

	int64_t value = read_and(r);

	while (lexer_take_word(&r->l, "or")) {
		const int64_t right = read_and(r);

		value = value || right;
	}
	r->depth--;
	return value;
}

/* assert A; assert A, message */
static void read_assert(struct reader *r, struct script_place place)
{
	const char *const start = r->l.token.text;
	const bool is_defined = r->l.token.is_defined;

	r->names[0] = 0;

	const bool holds = read_or(r) != 0;
	const char *end = r->l.token.is_defined || is_defined ? start : r->l.token.text;

	while (end > start && end[-1] == ' ')
		end--;
	r->is_message = true;
	if (lexer_take_sign(&r->l, ','))
		(void)read_or(r);
	r->is_message = false;
	if (!holds && r->values)
		script_fault(r->l.fault, place, "assert %.*s does not hold: %s", (int)(end - start),
			     start, r->names);
}

/* print(A, ...): nothing to do but to read it. */
static void read_print(struct reader *r)
{
	r->is_message = true;
	(void)read_or(r);
	r->is_message = false;
}

static void run(struct script *s, const struct script_event *e,
		const struct tcp_info_values *values, struct script_fault *fault)
{
	struct reader r = { .values = values };

	lexer_init_code(&r.l, s, e->text, e->place, fault);
	do {
		const struct script_place place = r.l.token.place;

		if (lexer_take_word(&r.l, "assert"))
			read_assert(&r, place);
		else if (lexer_take_word(&r.l, "print"))
			read_print(&r);
		else
			lexer_fault(&r.l, "'assert'");
		while (lexer_take_sign(&r.l, ';'))
			;
	} while (r.l.token.kind != TOKEN_END);
}

void assertion_check(struct script *s, const struct script_event *e, struct script_fault *fault)
{
	run(s, e, NULL, fault);
}

void assertion_run(struct script *s, const struct script_event *e, const struct reeve_tcp *tcp,
		   struct script_fault *fault)
{
	struct tcp_info_values values;

	tcp_info_read(tcp, &values);
	run(s, e, &values, fault);
}
