/* TCP options: <mss 1460,nop,wscale 7,sackOK,TS val 1 ecr 2,sack 1:2 3:4,FO 0123abcd,
 * FOEXP 01ab,md5 0123abcd,ECN e1b 1 ceb 0 e0b 1,eol>. */
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

/* Up to `most` bytes in hexadecimal digits; none, when there is no word. */
static void read_bytes(struct lexer *l, struct script_option *o, size_t most)
{
	size_t length;

	if (l->token.kind != TOKEN_WORD && l->token.kind != TOKEN_INTEGER)
		return;

	const char *const text = lexer_digits(l, &length);

	if (length % 2 || length / 2 > most) {
		lexer_fault(l, "an even number of hexadecimal digits, and not so many");
		return;
	}
	for (size_t i = 0; i < length; i++) {
		const int digit = lexer_digit(text[i]);
		uint8_t *const byte = &o->bytes[o->count + i / 2];

		if (digit < 0) {
			lexer_fault(l, "hexadecimal digits");
			return;
		}
		*byte = (uint8_t)(*byte << 4 | digit);
	}
	o->count = (uint8_t)(o->count + length / 2);
	lexer_next(l);
}

/* RFC 9768, 3.2.3: three counters of 24 bits, of which the last ones may be absent. */
static void read_ecn(struct lexer *l, struct script_option *o)
{
	static const char *const names[2][3] = { { "e0b", "ceb", "e1b" }, { "e1b", "ceb", "e0b" } };
	const unsigned order = lexer_is_word(l, "e1b");

	o->kind = order ? OPTION_ECN1 : OPTION_ECN0;
	for (unsigned i = 0; i < 3 && lexer_take_word(l, names[order][i]); i++) {
		const int64_t bytes = lexer_expect_integer(l, 0, 0xffffff, "a counter of 24 bits");

		o->bytes[o->count++] = (uint8_t)(bytes >> 16);
		o->bytes[o->count++] = (uint8_t)(bytes >> 8);
		o->bytes[o->count++] = (uint8_t)bytes;
	}
}

static void read_timestamps(struct lexer *l, struct script_option *o)
{
	o->kind = OPTION_TIMESTAMPS;
	if (!lexer_take_word(l, "val"))
		lexer_fault(l, "'val'");
	o->value = (uint32_t)lexer_expect_integer(l, 0, UINT32_MAX, "a timestamp");
	if (!lexer_take_word(l, "ecr"))
		lexer_fault(l, "'ecr'");
	o->echo = (uint32_t)lexer_expect_integer(l, 0, UINT32_MAX, "a timestamp");
}

/* Options that consist of bytes. */
static bool read_bytes_option(struct lexer *l, struct script_option *o)
{
	if (lexer_take_word(l, "FO")) {
		o->kind = OPTION_FAST_OPEN;
		read_bytes(l, o, 16);
	} else if (lexer_take_word(l, "FOEXP")) {
		o->kind = OPTION_EXPERIMENT;
		o->bytes[0] = 0xf9;
		o->bytes[1] = 0x89;
		o->count = 2;
		read_bytes(l, o, 16);
	} else if (lexer_take_word(l, "md5")) {
		o->kind = OPTION_MD5;
		read_bytes(l, o, 16);
	} else if (lexer_take_word(l, "ECN")) {
		read_ecn(l, o);
	} else {
		return false;
	}
	return true;
}

/* What belongs to a protocol that the stack does not speak. */
static bool is_multipath(const struct lexer *l)
{
	static const char *const names[] = { "mp_capable",   "mp_capable_no_cs",
					     "mp_join_syn",  "mp_join_syn_ack",
					     "mp_join_ack",  "mp_join_syn_backup",
					     "dss",          "dss_ack4",
					     "dss_dsn4",     "dss_dsn8",
					     "dss_ack8",     "add_address",
					     "add_addr",     "mp_fail",
					     "mp_fastclose", "remove_address",
					     "mp_prio",      "mp_reset" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (lexer_is_word(l, names[i]))
			return true;
	return false;
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
		read_timestamps(l, o);
	} else if (lexer_take_word(l, "sack")) {
		o->kind = OPTION_SACK;
		read_sack(l, o);
	} else if (is_multipath(l)) {
		script_refuse(l->fault, l->token.place, "the stack has no multipath TCP");
	} else if (!read_bytes_option(l, o)) {
		lexer_fault(l, "a TCP option (nop, eol, mss, wscale, sackOK, sack, TS, FO, FOEXP, "
			       "md5, ECN)");
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
