/*
 * A script's text as tokens. The lexer stands on one token and knows no more than that; a fault
 * makes everything behind it TOKEN_END, so that the parser reads straight on and asks once.
 */
#pragma once

#include "script.h"

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_INTEGER,
	TOKEN_DECIMAL, /* with a point */
	TOKEN_STRING,
	TOKEN_COMMAND, /* `in backquotes` */
	TOKEN_CODE,    /* %{ ... }% */
	TOKEN_OPTION,  /* --name */
	TOKEN_ELLIPSIS,
	TOKEN_SIGN, /* one character */
};

struct token {
	enum token_kind kind;
	struct script_place place;
	bool is_defined;  /* a word stood there that was defined as this */
	const char *text; /* what is within, for those that have quotes */
	size_t length;
	int64_t integer;
};

struct lexer {
	struct script *script;
	struct script_fault *fault;
	const char *at, *end, *line_start;
	uint32_t line, column; /* of line_start, from 0 */
	bool is_code;          /* what is within %{ }%: no sign belongs to a number, '#' comments */
	struct token token;
};

/* Of a hexadecimal digit, 0 to 15; -1 for other characters. */
int lexer_digit(char c);

void lexer_init(struct lexer *l, struct script *script, const char *text, size_t length,
		struct script_fault *fault);
/* Of a text that begins within the file. */
void lexer_init_code(struct lexer *l, struct script *script, const char *text,
		     struct script_place place, struct script_fault *fault);
void lexer_next(struct lexer *l);

/* The hexadecimal digits that begin with the token, which is a word or a number; the token behind
 * them is the next. */
const char *lexer_digits(struct lexer *l, size_t *ret_length);

/* Everything up to the next white space, for an option's value; then the token behind it. */
const char *lexer_raw(struct lexer *l);

bool lexer_is_sign(const struct lexer *l, char sign);
bool lexer_is_word(const struct lexer *l, const char *word);

/* True, and past it, when the token is that one. */
bool lexer_take_sign(struct lexer *l, char sign);
bool lexer_take_word(struct lexer *l, const char *word);

/* A fault when the token is not that one. */
void lexer_expect_sign(struct lexer *l, char sign);
int64_t lexer_expect_integer(struct lexer *l, int64_t least, int64_t most, const char *what);

/* A fault at the token: what was expected, and what is there. */
void lexer_fault(struct lexer *l, const char *expected);

/* A copy of the token's text, with a NUL. */
const char *lexer_copy(struct lexer *l);

/* The token as a time in seconds, in nanoseconds; then past it. */
int64_t lexer_expect_seconds(struct lexer *l);
