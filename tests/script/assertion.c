/* Assertions about a connection. */
#include "assertion.h"

#include <stdio.h>
#include <string.h>

#include "lexer.h"
#include "symbols.h"
#include "tcp_info.h"

#define DEPTH 24

struct reader {
	struct lexer l;
	const struct tcp_info_values *values; /* NULL: only reading */
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
	else if (!symbol_value(t.text, t.length, &value))
		lexer_fault(&r->l, "a name of tcp_info that is known here");
	lexer_next(&r->l);
	return value;
}

static int64_t read_primary(struct reader *r)
{
	const int64_t number = r->l.token.integer;

	if (r->l.token.kind == TOKEN_INTEGER) {
		lexer_next(&r->l);
		return number;
	}
	if (r->l.token.kind == TOKEN_WORD)
		return read_name(r);
	if (lexer_take_sign(&r->l, '(')) {
		const int64_t value = read_or(r);

		lexer_expect_sign(&r->l, ')');
		return value;
	}
	lexer_fault(&r->l, "a number, a name or '('");
	return 0;
}

static int64_t read_unary(struct reader *r)
{
	bool is_negative = false;

	for (;;) {
		if (lexer_take_sign(&r->l, '-'))
			is_negative = !is_negative;
		else if (!lexer_take_sign(&r->l, '+'))
			break;
	}

	const int64_t value = read_primary(r);

	return is_negative ? (int64_t) - (uint64_t)value : value;
}

/* Rounded down; while only reading, whatever the divisor is. */
static int64_t divide(struct reader *r, int64_t a, int64_t b, bool is_rest)
{
	if (b == 0 && r->values)
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
	int64_t left = read_sum(r), value = left;
	bool is_first = true;

	for (const char *how; (how = take_comparison(r)) != NULL; is_first = false) {
		const int64_t right = read_sum(r);

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

static void run(struct script *s, const struct script_event *e,
		const struct tcp_info_values *values, struct script_fault *fault)
{
	struct reader r = { .values = values };

	lexer_init_code(&r.l, s, e->text, e->place, fault);
	do {
		const char *const start = r.l.token.text;
		const struct script_place place = r.l.token.place;

		if (!lexer_take_word(&r.l, "assert"))
			lexer_fault(&r.l, "'assert'");
		r.names[0] = 0;

		const bool holds = read_or(&r) != 0;
		const char *end = r.l.token.text;

		while (end > start && end[-1] == ' ')
			end--;

		/* What Python would say: our own message says it all. */
		if (lexer_take_sign(&r.l, ','))
			(void)read_or(&r);
		if (!holds && values)
			script_fault(fault, place, "%.*s does not hold: %s", (int)(end - start),
				     start, r.names);
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
