/*
 * `reeve address`: an address as a number in four bases, its network and host part, the first and
 * last address, and the block it is in; and back from any of these numbers.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/quantity.h"
#include "cli/block.h"
#include "cli/command.h"
#include "cli/number.h"
#include "cli/output.h"
#include "cli/say.h"

struct address_options {
	bool ipv6;
};

/* An address in its network. */
struct facts {
	struct reeve_address address;
	bool ipv4;
	int bits;   /* 32 or 128 */
	int length; /* of the network part */
	bool given; /* the length was; else it follows from the address */
	unsigned __int128 number, mask, first, last;
};

/* RFC 791, 3.2: the class and its network part; RFC 1112, 4 for D and E. */
static char class_of(uint32_t number, int *ret_length)
{
	if (number >> 31 == 0) {
		*ret_length = 8;
		return 'A';
	}
	if (number >> 30 == 2) {
		*ret_length = 16;
		return 'B';
	}
	if (number >> 29 == 6) {
		*ret_length = 24;
		return 'C';
	}
	*ret_length = 32;
	return number >> 28 == 14 ? 'D' : 'E';
}

static unsigned __int128 mask_of(int length, int bits)
{
	unsigned __int128 all = ~(unsigned __int128)0;

	if (bits < 128)
		all = ((unsigned __int128)1 << bits) - 1;
	return length == 0 ? 0 : all & ~(length == bits ? 0 : all >> length);
}

/* "20", or a netmask such as 255.255.240.0. */
static int parse_length(const char *text, int bits, int *ret)
{
	struct reeve_address mask;
	int64_t length;

	if (quantity_count(text, 0, bits, &length) == 0) {
		*ret = (int)length;
		return 0;
	}
	if (bits != 32 || reeve_address_parse(text, &mask) < 0 || !reeve_address_is_ipv4(&mask))
		return -1;
	for (int l = 0; l <= bits; l++) {
		if (mask_of(l, bits) == reeve_address_to_ipv4(&mask)) {
			*ret = l;
			return 0;
		}
	}
	return -1;
}

static int gather(const char *text, bool ipv6, struct facts *f)
{
	char address[NUMBER_TEXT + 8];
	const char *reason = NULL;
	const size_t length = strcspn(text, "/");

	if (length >= sizeof(address))
		return say_fail(EX_DATAERR, "'%.40s...' is too long for an address", text);
	memcpy(address, text, length);
	address[length] = '\0';
	if (number_parse_address(address, ipv6, &f->address, &reason) < 0)
		return say_fail(EX_DATAERR, "'%s': %s", address, reason);
	f->ipv4 = reeve_address_is_ipv4(&f->address);
	f->bits = f->ipv4 ? 32 : 128;
	f->number = number_of_address(&f->address);
	f->length = 64; /* RFC 4291, 2.5.4 */
	if (f->ipv4)
		class_of((uint32_t)f->number, &f->length);
	if (text[length] == '/') {
		f->given = true;
		if (parse_length(text + length + 1, f->bits, &f->length) < 0)
			return say_fail(EX_DATAERR, "'%s': after the slash comes 0 to %d%s", text,
					f->bits, f->ipv4 ? ", or a netmask" : "");
	}
	f->mask = mask_of(f->length, f->bits);
	f->first = f->number & f->mask;
	f->last = f->number | (mask_of(f->bits, f->bits) & ~f->mask);
	return EX_OK;
}

static const char *address_text(const struct facts *f, unsigned __int128 n,
				char text[REEVE_ADDRESS_TEXT])
{
	const struct reeve_address a = number_to_address(n, f->ipv4 ? REEVE_IPV4 : REEVE_IPV6);

	return reeve_address_format(&a, text);
}

/* 2^128 does not fit in 128 bits. */
static const char *count_text(const struct facts *f, char text[NUMBER_TEXT])
{
	if (f->bits - f->length == 128)
		return "340282366920938463463374607431768211456";
	return number_format((unsigned __int128)1 << (f->bits - f->length), f->bits, NUMBER_DECIMAL,
			     text);
}

/* RFC 791, 3.2; RFC 4291, 2.5.4 */
static const char *length_from(const struct facts *f)
{
	return f->given ? "given" : f->ipv4 ? "class" : "interface identifier";
}

static void print_line(const char *label, const char *text)
{
	printf("%s%-13s%s %s\n", style_on(STYLE_FAINT), label, style_off(STYLE_FAINT), text);
}

static void print_number(const struct facts *f, const char *label, enum number_base base)
{
	char text[NUMBER_TEXT];

	print_line(label, number_format(f->number, f->bits, base, text));
}

/* The bits with a bar where the network part ends. */
static void print_parts(const struct facts *f)
{
	char text[NUMBER_TEXT], line[NUMBER_TEXT + 4];
	size_t at = 0;
	int seen = 0;

	number_format(f->number, f->bits, NUMBER_BINARY, text);
	for (const char *c = text; *c; c++) {
		const bool digit = *c == '0' || *c == '1';

		if (digit && seen++ == f->length) {
			memcpy(line + at, "| ", 2);
			at += 2;
		}
		line[at] = *c;
		if (!digit)
			line[at] = ' ';
		at++;
		if (digit && seen == f->length && (c[1] == '0' || c[1] == '1'))
			line[at++] = ' ';
	}
	if (f->length == f->bits) {
		memcpy(line + at, " |", 2);
		at += 2;
	}
	line[at] = '\0';
	print_line("Parts", line);
}

static const char *yes_or_no(enum block_answer answer)
{
	return answer == BLOCK_YES ? "yes" : answer == BLOCK_NO ? "no" : "n/a";
}

static void print_blocks(const struct facts *f)
{
	char address[REEVE_ADDRESS_TEXT], line[256];
	struct block b;

	for (size_t i = 0; block_of(&f->address, i, &b); i++) {
		reeve_address_format(&b.prefix.address, address);
		snprintf(line, sizeof(line), "%s/%u  %s (%s)", address, b.prefix.length, b.name,
			 b.reference);
		print_line("Block", line);
		snprintf(line, sizeof(line),
			 "source %s, destination %s, forwarded %s, global %s, reserved %s",
			 yes_or_no(b.source), yes_or_no(b.destination), yes_or_no(b.forwardable),
			 yes_or_no(b.global), yes_or_no(b.reserved));
		print_line("", line);
	}
	if (!block_of(&f->address, 0, &b))
		print_line("Block", "no special purpose: global unicast (RFC 6890)");
}

static void print_network(const struct facts *f)
{
	char address[REEVE_ADDRESS_TEXT], number[NUMBER_TEXT], line[256];

	address_text(f, f->first, address);
	snprintf(line, sizeof(line), "%s/%d (%s%s)", address, f->length, f->given ? "" : "by ",
		 length_from(f));
	print_line("Network", line);
	if (f->ipv4)
		print_line("Netmask", address_text(f, f->mask, address));
	print_parts(f);
	number_format(f->number & ~f->mask, f->bits, NUMBER_DECIMAL, number);
	print_line("Host part", number);
	print_line("First", address_text(f, f->first, address));
	print_line("Last", address_text(f, f->last, address));
	print_line("Count", count_text(f, number));
}

static void print_text(const struct facts *f)
{
	char address[REEVE_ADDRESS_TEXT], line[64];
	int length;

	print_line("Address", reeve_address_format(&f->address, address));
	print_number(f, "Decimal", NUMBER_DECIMAL);
	print_number(f, "Hexadecimal", NUMBER_HEXADECIMAL);
	print_number(f, "Octal", NUMBER_OCTAL);
	print_number(f, "Binary", NUMBER_BINARY);
	if (f->ipv4) {
		const char class = class_of((uint32_t)f->number, &length);

		if (length < 32)
			snprintf(line, sizeof(line), "%c (network %d bits, host %d bits)", class,
				 length, 32 - length);
		else
			snprintf(line, sizeof(line), "%c (%s)", class,
				 class == 'D' ? "multicast" : "reserved");
		print_line("Class", line);
	}
	print_network(f);
	print_blocks(f);
}

static json_t *answer_json(enum block_answer answer)
{
	return answer == BLOCK_UNSAID ? json_null() : json_boolean(answer == BLOCK_YES);
}

static json_t *blocks_json(const struct facts *f)
{
	char address[REEVE_ADDRESS_TEXT];
	json_t *blocks = json_array();
	struct block b;

	for (size_t i = 0; block_of(&f->address, i, &b); i++) {
		reeve_address_format(&b.prefix.address, address);
		json_t *block = json_pack(
			"{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "prefix",
			json_sprintf("%s/%u", address, b.prefix.length), "name", b.name,
			"reference", b.reference, "source", answer_json(b.source), "destination",
			answer_json(b.destination), "forwardable", answer_json(b.forwardable),
			"global", answer_json(b.global), "reserved", answer_json(b.reserved));

		json_array_append_new(blocks, block);
	}
	return blocks;
}

static void set_number(json_t *object, const char *key, unsigned __int128 n, int bits,
		       enum number_base base)
{
	char text[NUMBER_TEXT];

	json_object_set_new(object, key, json_string(number_format(n, bits, base, text)));
}

static void set_address(json_t *object, const char *key, const struct facts *f, unsigned __int128 n)
{
	char text[REEVE_ADDRESS_TEXT];

	json_object_set_new(object, key, json_string(address_text(f, n, text)));
}

/* Numbers are strings: those of IPv6 are beyond what JSON's readers hold exactly. */
static json_t *facts_json(const struct facts *f)
{
	char text[NUMBER_TEXT];
	json_t *o = json_object();
	int length;

	set_address(o, "address", f, f->number);
	json_object_set_new(o, "family", json_integer(f->ipv4 ? 4 : 6));
	set_number(o, "decimal", f->number, f->bits, NUMBER_DECIMAL);
	set_number(o, "hexadecimal", f->number, f->bits, NUMBER_HEXADECIMAL);
	set_number(o, "octal", f->number, f->bits, NUMBER_OCTAL);
	set_number(o, "binary", f->number, f->bits, NUMBER_BINARY);
	json_object_set_new(o, "class",
			    f->ipv4 ? json_sprintf("%c", class_of((uint32_t)f->number, &length))
				    : json_null());
	json_object_set_new(o, "prefix_length", json_integer(f->length));
	json_object_set_new(o, "prefix_length_from", json_string(length_from(f)));
	set_address(o, "netmask", f, f->mask);
	set_address(o, "network", f, f->first);
	set_number(o, "host_part", f->number & ~f->mask, f->bits, NUMBER_DECIMAL);
	set_address(o, "first", f, f->first);
	set_address(o, "last", f, f->last);
	json_object_set_new(o, "count", json_string(count_text(f, text)));
	json_object_set_new(o, "blocks", blocks_json(f));
	return o;
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct address_options *options = values;
	json_t *array = invocation->json ? json_array() : NULL;
	int status = EX_OK, shown = 0;

	for (int i = 0; i < invocation->operand_count; i++) {
		struct facts f = { 0 };
		const int one = gather(invocation->operands[i], options->ipv6, &f);

		if (one) {
			status = one;
			continue;
		}
		if (array)
			json_array_append_new(array, facts_json(&f));
		else
			fputs(shown++ ? "\n" : "", stdout);
		if (!array)
			print_text(&f);
	}
	if (array)
		json_print(array);
	json_decref(array);
	return status;
}

static const struct option_spec options[] = {
	{ .name = "ipv6",
	  .letter = '6',
	  .kind = OPTION_FLAG,
	  .help = "a small number is an IPv6 address too",
	  .offset = offsetof(struct address_options, ipv6) },
	{ 0 },
};

const struct command command_address = {
	.name = "address",
	.summary = "Take an address apart: its number, network, host and block",
	.operands = "ADDRESS[/LENGTH]...",
	.text = "ADDRESS is an IPv4 or IPv6 address or its number: decimal, hexadecimal (0x),\n"
		"octal (0o, or a leading 0) or binary (0b, or four groups of eight digits).\n"
		"Without LENGTH the network is that of the address's class, or the first 64 bits.",
	.examples = "  reeve address 192.0.2.130/25      a host in its network\n"
		    "  reeve address 3221226114          the same address by its number\n"
		    "  reeve address 0xc0000282\n"
		    "  reeve address 11000000.00000000.00000010.10000010\n"
		    "  reeve address 2001:db8::1/48\n",
	.options = options,
	.uses = USES_JSON,
	.least_operands = 1,
	.most_operands = -1,
	.values_size = sizeof(struct address_options),
	.run = run,
};
