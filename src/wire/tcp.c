#include "wire/tcp.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/cursor.h"

/* RFC 9293, 3.1; RFC 2018, 2 and 3; RFC 7323, 2.2 and 3.2. */
enum option_kind {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WINDOW_SCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
	OPTION_FAST_OPEN = 34, /* RFC 7413, 4.1.1 */
};

#define MSS_LENGTH            4
#define WINDOW_SCALE_LENGTH   3
#define SACK_PERMITTED_LENGTH 2
#define TIMESTAMPS_LENGTH     10
#define FAST_OPEN_LENGTH      2 /* and the cookie's */

size_t tcp_header_length_field(const uint8_t *bytes)
{
	return (size_t)(bytes[12] >> 4) * 4;
}

static void parse_sack(struct cursor *body, struct tcp_options *ret)
{
	const size_t left = cursor_left(body);

	if (left % TCP_SACK_BLOCK_LENGTH != 0 || left / TCP_SACK_BLOCK_LENGTH > TCP_SACK_BLOCKS)
		return;
	ret->sack_count = (uint8_t)(left / TCP_SACK_BLOCK_LENGTH);
	for (unsigned i = 0; i < ret->sack_count; i++) {
		ret->sack[i].start = cursor_be32(body);
		ret->sack[i].end = cursor_be32(body);
	}
}

/* RFC 7413, 4.1.1: of another length it is ignored. */
static void parse_fast_open(struct cursor *body, struct tcp_fast_open *ret)
{
	const size_t length = cursor_left(body);

	if (length % 2 != 0 || length > TCP_FAST_OPEN_MAX ||
	    (length > 0 && length < TCP_FAST_OPEN_MIN))
		return;
	ret->is_there = true;
	ret->length = (uint8_t)length;
	if (length > 0)
		memcpy(ret->cookie, cursor_bytes(body, length), length);
}

/* `length` counts kind and length too; `body` is what is behind them. */
static void parse_option(uint8_t kind, size_t length, struct cursor *body, struct tcp_options *ret)
{
	switch (kind) {
	case OPTION_MSS:
		if (length == MSS_LENGTH)
			ret->mss = cursor_be16(body);
		break;
	case OPTION_WINDOW_SCALE:
		if (length == WINDOW_SCALE_LENGTH) {
			ret->has_window_scale = true;
			ret->window_scale = cursor_u8(body);
		}
		break;
	case OPTION_SACK_PERMITTED:
		if (length == SACK_PERMITTED_LENGTH)
			ret->sack_permitted = true;
		break;
	case OPTION_SACK:
		parse_sack(body, ret);
		break;
	case OPTION_TIMESTAMPS:
		if (length == TIMESTAMPS_LENGTH) {
			ret->has_timestamps = true;
			ret->timestamp = cursor_be32(body);
			ret->timestamp_echo = cursor_be32(body);
		}
		break;
	case OPTION_FAST_OPEN:
		parse_fast_open(body, &ret->fast_open);
		break;
	default:
		break;
	}
}

static int parse_options(struct cursor *c, struct tcp_options *ret)
{
	while (cursor_left(c) > 0) {
		const uint8_t kind = cursor_u8(c);

		if (kind == OPTION_END)
			return 0;
		if (kind == OPTION_NOP)
			continue;

		const uint8_t length = cursor_u8(c); /* 0 when it is beyond the end */

		if (length < 2)
			return -EBADMSG;

		const uint8_t *const bytes = cursor_bytes(c, (size_t)length - 2);

		if (!bytes)
			return -EBADMSG;

		struct cursor body = cursor_over(bytes, (size_t)length - 2);

		parse_option(kind, length, &body, ret);
	}
	return 0;
}

int tcp_header_parse(const uint8_t *bytes, size_t length, struct tcp_header *ret)
{
	if (length < TCP_HEADER_MIN)
		return -EMSGSIZE;

	const size_t header_length = tcp_header_length_field(bytes);

	if (header_length < TCP_HEADER_MIN)
		return -EBADMSG;
	if (header_length > length)
		return -EMSGSIZE;

	struct cursor c = cursor_over(bytes, header_length);
	struct tcp_header h = { .length = (uint8_t)header_length };

	h.source_port = cursor_be16(&c);
	h.destination_port = cursor_be16(&c);
	h.sequence = cursor_be32(&c);
	h.acknowledgment = cursor_be32(&c);
	cursor_u8(&c);
	h.flags = cursor_u8(&c);
	h.window = cursor_be16(&c);
	h.checksum = cursor_be16(&c);
	h.urgent = cursor_be16(&c);

	const int r = parse_options(&c, &h.options);

	if (!(h.flags & TCP_SYN)) /* RFC 7413, 4.1.1 */
		h.options.fast_open.is_there = false;
	if (r == 0)
		*ret = h;
	return r;
}

static size_t fast_open_padding(const struct tcp_fast_open *f)
{
	return (4 - (FAST_OPEN_LENGTH + f->length) % 4U) % 4;
}

size_t tcp_header_size(const struct tcp_header *h)
{
	const struct tcp_options *const o = &h->options;
	size_t size = TCP_HEADER_MIN;

	if (o->mss)
		size += MSS_LENGTH;
	if (o->sack_permitted && !o->has_timestamps)
		size += 2 + SACK_PERMITTED_LENGTH;
	if (o->has_timestamps)
		size += TCP_TIMESTAMPS_LENGTH;
	if (o->has_window_scale)
		size += 1 + WINDOW_SCALE_LENGTH;
	if (o->sack_count)
		size += TCP_SACK_LENGTH + (size_t)o->sack_count * TCP_SACK_BLOCK_LENGTH;
	if (o->fast_open.is_there)
		size += FAST_OPEN_LENGTH + o->fast_open.length + fast_open_padding(&o->fast_open);
	return size;
}

static uint8_t *emit_option(uint8_t *at, uint8_t kind, uint8_t length)
{
	*at++ = kind;
	*at++ = length;
	return at;
}

static uint8_t *emit_pad(uint8_t *at, unsigned count)
{
	memset(at, OPTION_NOP, count);
	return at + count;
}

static uint8_t *emit_fast_open(const struct tcp_fast_open *f, uint8_t *at)
{
	at = emit_option(at, OPTION_FAST_OPEN, (uint8_t)(FAST_OPEN_LENGTH + f->length));
	memcpy(at, f->cookie, f->length);
	return emit_pad(at + f->length, (unsigned)fast_open_padding(f));
}

/* SACK-permitted stands in the place of the two NOPs that align the timestamps. */
static uint8_t *emit_options(const struct tcp_options *o, uint8_t *at)
{
	if (o->mss) {
		at = emit_option(at, OPTION_MSS, MSS_LENGTH);
		store_be16(at, o->mss);
		at += 2;
	}
	if (o->sack_permitted && !o->has_timestamps)
		at = emit_pad(at, 2);
	if (o->sack_permitted)
		at = emit_option(at, OPTION_SACK_PERMITTED, SACK_PERMITTED_LENGTH);
	if (o->has_timestamps) {
		if (!o->sack_permitted)
			at = emit_pad(at, 2);
		at = emit_option(at, OPTION_TIMESTAMPS, TIMESTAMPS_LENGTH);
		store_be32(at, o->timestamp);
		store_be32(at + 4, o->timestamp_echo);
		at += 8;
	}
	if (o->has_window_scale) {
		at = emit_pad(at, 1);
		at = emit_option(at, OPTION_WINDOW_SCALE, WINDOW_SCALE_LENGTH);
		*at++ = o->window_scale;
	}
	if (o->sack_count) {
		at = emit_pad(at, 2);
		at = emit_option(at, OPTION_SACK,
				 (uint8_t)(2 + o->sack_count * TCP_SACK_BLOCK_LENGTH));
		for (unsigned i = 0; i < o->sack_count; i++) {
			store_be32(at, o->sack[i].start);
			store_be32(at + 4, o->sack[i].end);
			at += TCP_SACK_BLOCK_LENGTH;
		}
	}
	if (o->fast_open.is_there)
		at = emit_fast_open(&o->fast_open, at);
	return at;
}

void tcp_header_emit(const struct tcp_header *h, uint8_t *ret_bytes)
{
	const size_t size = tcp_header_size(h);

	check(size <= TCP_HEADER_MAX && h->options.sack_count <= TCP_SACK_BLOCKS);
	store_be16(ret_bytes, h->source_port);
	store_be16(ret_bytes + 2, h->destination_port);
	store_be32(ret_bytes + 4, h->sequence);
	store_be32(ret_bytes + 8, h->acknowledgment);
	ret_bytes[12] = (uint8_t)(size / 4 << 4);
	ret_bytes[13] = h->flags;
	store_be16(ret_bytes + 14, h->window);
	store_be16(ret_bytes + TCP_CHECKSUM_OFFSET, h->checksum);
	store_be16(ret_bytes + 18, h->urgent);

	const uint8_t *const end = emit_options(&h->options, ret_bytes + TCP_HEADER_MIN);

	check(end == ret_bytes + size);
}
