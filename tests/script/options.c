/* TCP options, in order. */
#include "options.h"

#include <string.h>

#include "base/bytes.h"

#define OPTIONS_BYTES 40

static size_t option_length(const struct script_option *o)
{
	switch ((enum script_option_kind)o->kind) {
	case OPTION_EOL:
	case OPTION_NOP:
		return 1;
	case OPTION_MSS:
		return 4;
	case OPTION_SCALE:
		return 3;
	case OPTION_SACK_OK:
		return 2;
	case OPTION_SACK:
		return 2 + 8 * (size_t)o->count;
	case OPTION_TIMESTAMPS:
		return 10;
	case OPTION_MD5:
	case OPTION_FAST_OPEN:
	case OPTION_ECN0:
	case OPTION_ECN1:
	case OPTION_EXPERIMENT:
		return 2 + (size_t)o->count;
	}
	return 0;
}

static void emit(const struct script_option *o, uint8_t *at)
{
	switch ((enum script_option_kind)o->kind) {
	case OPTION_EOL:
	case OPTION_NOP:
	case OPTION_SACK_OK:
		break;
	case OPTION_MSS:
		store_be16(at + 2, (uint16_t)o->value);
		break;
	case OPTION_SCALE:
		at[2] = (uint8_t)o->value;
		break;
	case OPTION_SACK:
		for (unsigned i = 0; i < o->count; i++) {
			store_be32(at + 2 + 8 * (size_t)i, o->start[i]);
			store_be32(at + 6 + 8 * (size_t)i, o->end[i]);
		}
		break;
	case OPTION_TIMESTAMPS:
		store_be32(at + 2, o->value);
		store_be32(at + 6, o->echo);
		break;
	case OPTION_MD5:
	case OPTION_FAST_OPEN:
	case OPTION_ECN0:
	case OPTION_ECN1:
	case OPTION_EXPERIMENT:
		memcpy(at + 2, o->bytes, o->count);
		break;
	}
}

int options_emit(const struct script_options *o, uint8_t ret[40])
{
	size_t length = 0;

	for (unsigned i = 0; i < o->count; i++) {
		const size_t own = option_length(&o->list[i]);

		if (length + own > OPTIONS_BYTES)
			return -1;
		ret[length] = o->list[i].kind;
		if (own > 1)
			ret[length + 1] = (uint8_t)own;
		emit(&o->list[i], ret + length);
		length += own;
	}
	return length % 4 ? -1 : (int)length;
}

bool option_has_bytes(uint8_t kind)
{
	return kind == OPTION_MD5 || kind == OPTION_FAST_OPEN || kind == OPTION_ECN0 ||
	       kind == OPTION_ECN1 || kind == OPTION_EXPERIMENT;
}

/* An option of another length than is its kind's is left as one of an unknown kind. */
static void parse(const uint8_t *at, size_t length, struct script_option *o)
{
	o->kind = at[0];
	o->count = (uint8_t)((length - 2) / 8);
	if (option_has_bytes(o->kind))
		o->count = (uint8_t)(length - 2 < SCRIPT_BYTES ? length - 2 : SCRIPT_BYTES);
	if (o->kind == OPTION_SACK && o->count > SCRIPT_BLOCKS)
		o->count = SCRIPT_BLOCKS;
	if (option_length(o) != length)
		return;
	switch ((enum script_option_kind)o->kind) {
	case OPTION_EOL:
	case OPTION_NOP:
	case OPTION_SACK_OK:
		break;
	case OPTION_MSS:
		o->value = load_be16(at + 2);
		break;
	case OPTION_SCALE:
		o->value = at[2];
		break;
	case OPTION_SACK:
		for (unsigned i = 0; i < o->count; i++) {
			o->start[i] = load_be32(at + 2 + 8 * (size_t)i);
			o->end[i] = load_be32(at + 6 + 8 * (size_t)i);
		}
		break;
	case OPTION_TIMESTAMPS:
		o->value = load_be32(at + 2);
		o->echo = load_be32(at + 6);
		break;
	case OPTION_MD5:
	case OPTION_FAST_OPEN:
	case OPTION_ECN0:
	case OPTION_ECN1:
	case OPTION_EXPERIMENT:
		memcpy(o->bytes, at + 2, o->count);
		break;
	}
	if (o->kind != OPTION_SACK && !option_has_bytes(o->kind))
		o->count = 0;
}

bool options_parse(const uint8_t *bytes, size_t length, struct script_options *ret)
{
	struct script_options o = { 0 };
	size_t at = 0;

	while (at < length && o.count < SCRIPT_OPTIONS) {
		struct script_option *const option = &o.list[o.count++];

		if (bytes[at] <= OPTION_NOP) {
			option->kind = bytes[at++];
			continue;
		}
		if (length - at < 2 || bytes[at + 1] < 2 || bytes[at + 1] > length - at)
			return false;
		parse(bytes + at, bytes[at + 1], option);
		at += bytes[at + 1];
	}
	*ret = o;
	return true;
}
