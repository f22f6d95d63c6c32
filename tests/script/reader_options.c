/* TCP options: <mss 1460,nop,wscale 7,sackOK,TS val 1 ecr 2,sack 1:2 3:4,FO 0123abcd,eol>. */
#include <string.h>

#include "reader.h"

static void read_sack(struct lexer *l, struct script_option *o)
{
	while (l->token.kind == TOKEN_INTEGER) {
		if (o->count == SCRIPT_BLOCKS) {
			lexer_fault(l, "four SACK blocks at most, ',' or '>'");
			return;
		}
		o->start[o->count] =
			(uint32_t)lexer_expect_integer(l, 0, UINT32_MAX, "a sequence number");
		lexer_expect_sign(l, ':');
		o->end[o->count++] =
			(uint32_t)lexer_expect_integer(l, 0, UINT32_MAX, "a sequence number");
	}
	if (o->count == 0)
		lexer_fault(l, "a SACK block");
}

static void read_cookie(struct lexer *l, struct script_option *o)
{
	if (l->token.kind != TOKEN_WORD && l->token.kind != TOKEN_INTEGER)
		return;

	/* A cookie that begins with digits ends as a word. */
	const char *const text = l->token.text;
	size_t length = l->token.length;

	while (text + length < l->end && lexer_digit(text[length]) >= 0)
		length++;
	l->at = text + length;
	if (length % 2 || length / 2 > SCRIPT_COOKIE) {
		lexer_fault(l, "a cookie of up to 16 bytes in hexadecimal digits");
		return;
	}
	for (size_t i = 0; i < length; i++) {
		const int digit = lexer_digit(text[i]);

		if (digit < 0) {
			lexer_fault(l, "a cookie in hexadecimal digits");
			return;
		}
		o->cookie[i / 2] = (uint8_t)(o->cookie[i / 2] << 4 | digit);
	}
	o->count = (uint8_t)(length / 2);
	lexer_next(l);
}

static void read_option(struct lexer *l, struct script_option *o)
{
	if (lexer_take_word(l, "nop")) {
		o->kind = OPTION_NOP;
	} else if (lexer_take_word(l, "eol")) {
		o->kind = OPTION_EOL;
	} else if (lexer_take_word(l, "sackOK")) {
		o->kind = OPTION_SACK_OK;
	} else if (lexer_take_word(l, "mss")) {
		o->kind = OPTION_MSS;
		o->value = (uint32_t)lexer_expect_integer(l, 0, UINT16_MAX, "the MSS");
	} else if (lexer_take_word(l, "wscale")) {
		o->kind = OPTION_SCALE;
		o->value = (uint32_t)lexer_expect_integer(l, 0, UINT8_MAX, "the window scale");
	} else if (lexer_take_word(l, "TS")) {
		o->kind = OPTION_TIMESTAMPS;
		if (!lexer_take_word(l, "val"))
			lexer_fault(l, "'val'");
		o->value = (uint32_t)lexer_expect_integer(l, 0, UINT32_MAX, "a timestamp");
		if (!lexer_take_word(l, "ecr"))
			lexer_fault(l, "'ecr'");
		o->echo = (uint32_t)lexer_expect_integer(l, 0, UINT32_MAX, "a timestamp");
	} else if (lexer_take_word(l, "sack")) {
		o->kind = OPTION_SACK;
		read_sack(l, o);
	} else if (lexer_take_word(l, "FO")) {
		o->kind = OPTION_FAST_OPEN;
		read_cookie(l, o);
	} else {
		lexer_fault(l, "a TCP option (nop, eol, mss, wscale, sackOK, sack, TS, FO)");
	}
}

void reader_options(struct lexer *l, struct script_options *ret)
{
	lexer_expect_sign(l, '<');
	if (l->token.kind == TOKEN_ELLIPSIS) {
		lexer_next(l);
		ret->is_any = true;
		lexer_expect_sign(l, '>');
		return;
	}
	do {
		if (ret->count == SCRIPT_OPTIONS) {
			lexer_fault(l, "40 options at most");
			return;
		}
		read_option(l, &ret->list[ret->count]);
		ret->count++;
	} while (lexer_take_sign(l, ','));
	lexer_expect_sign(l, '>');
}
