/*
 * Joining of segments that are almost right: records of four bytes, each a frame of the stream that
 * goes on where the last one ended, with a byte of it changed, cut short, or not. What is taken out
 * must be the bytes that went in, in order, and a packet that says so.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/cursor.h"
#include "base/packet.h"
#include "stack/join.h"
#include "wire/ipv4.h"

#define IP       14
#define TCP      34
#define HEADERS  66 /* with timestamps */
#define MOST     512
#define ALL_MOST 65536

enum {
	CHANGE = 1 << 0,      /* a byte of the frame is another */
	SPOIL = 1 << 1,       /* and the checksums are as before */
	FLAGS = 1 << 2,       /* other flags than ACK */
	IN_HEAD = 1 << 3,     /* the payload begins in the head */
	SHORT = 1 << 4,       /* bytes are missing at the end */
	VERIFIED = 1 << 5,    /* the link says that it is right */
	AS_SEGMENTS = 1 << 6, /* the link says that it is many */
};

struct bench {
	struct reeve_pool *pool;
	struct join join;
	uint32_t sequence;
	uint32_t held;        /* bytes of frame that are held, the first's headers included */
	uint32_t first, last; /* lengths of frames */
	bool last_pushed;
	uint8_t bytes[ALL_MOST + MOST];
};

static void set_checksums(uint8_t *frame, uint32_t length)
{
	const uint8_t rest[4] = { 0, 6, (uint8_t)((length - TCP) >> 8), (uint8_t)(length - TCP) };
	uint64_t sum = checksum_add(0, rest, sizeof(rest));

	memset(frame + IP + 10, 0, 2);
	store_be16(frame + IP + 10, (uint16_t)~checksum_fold(checksum_add(0, frame + IP, 20)));
	memset(frame + TCP + 16, 0, 2);
	sum = checksum_add(checksum_add(sum, frame + IP + 12, 8), frame + TCP, length - TCP);
	store_be16(frame + TCP + 16, (uint16_t)~checksum_fold(sum));
}

static uint32_t build(struct bench *b, uint8_t *frame, uint8_t size)
{
	static const uint8_t options[12] = { 1, 1, 8, 10 };
	const uint32_t length = HEADERS + size * 2U;

	memset(frame, 0, length);
	store_be16(frame + 12, 0x0800);
	frame[IP] = 0x45;
	store_be16(frame + IP + 2, (uint16_t)(length - IP));
	frame[IP + 9] = 6;
	store_be32(frame + TCP + 4, b->sequence);
	frame[TCP + 12] = 0x80;
	frame[TCP + 13] = 0x10;
	memcpy(frame + TCP + 20, options, sizeof(options));
	for (uint32_t i = HEADERS; i < length; i++)
		frame[i] = (uint8_t)(b->sequence + i);
	b->sequence += size * 2U;
	return length;
}

/* What has been held goes up: as it was if it is one, else as one. */
static void take(struct bench *b)
{
	const bool is_joined = b->join.is_joined;
	struct reeve_packet *const p = join_take(&b->join);
	static uint8_t got[ALL_MOST];

	check((p != NULL) == (b->held > 0));
	if (!p)
		return;
	check(p->length == b->held && p->length <= ALL_MOST);
	packet_copy(p, 0, p->length, got);
	if (is_joined) {
		check(p->offload.segmentation == REEVE_SEGMENTATION_TCP4);
		check(load_be16(got + IP + 2) == p->length - IP);
		check(ipv4_checksum_ok(got + IP, IPV4_HEADER));
		check(memcmp(got + HEADERS, b->bytes + HEADERS, p->length - HEADERS) == 0);
	} else {
		check(memcmp(got, b->bytes, p->length) == 0);
	}
	reeve_packet_free(p);
	b->held = 0;
}

/* Lengths, identification, checksums, sequence number, PSH, and what URG would point to. */
static bool may_differ(uint32_t byte)
{
	return (byte >= IP + 2 && byte < IP + 6) || byte == IP + 10 || byte == IP + 11 ||
	       (byte >= TCP + 4 && byte < TCP + 8) || (byte >= TCP + 16 && byte < TCP + 20);
}

static bool checksums_are_right(const uint8_t *frame, uint32_t length)
{
	const uint8_t rest[4] = { 0, 6, (uint8_t)((length - TCP) >> 8), (uint8_t)(length - TCP) };
	const uint64_t pseudo =
		checksum_add(checksum_add(0, rest, sizeof(rest)), frame + IP + 12, 8);

	return checksum_fold(checksum_add(0, frame + IP, 20)) == 0xffff &&
	       checksum_fold(checksum_add(pseudo, frame + TCP, length - TCP)) == 0xffff;
}

/* It has been joined to what is held: it had to be next, and to say the same. */
static void check_joined(const struct bench *b, const uint8_t *frame, uint32_t length,
			 bool is_verified)
{
	const uint8_t push = 0x08;

	check(is_verified || checksums_are_right(frame, length));
	check(length > HEADERS && b->held + length - HEADERS <= ALL_MOST);
	check(load_be32(frame + TCP + 4) == load_be32(b->bytes + TCP + 4) + b->held - HEADERS);
	check(load_be16(frame + IP + 2) == length - IP);
	for (uint32_t i = 0; i < HEADERS; i++) {
		const uint8_t mask = i == TCP + 13 ? (uint8_t)~push : 0xff;

		check(may_differ(i) || ((frame[i] ^ b->bytes[i]) & mask) == 0);
	}
	check(!b->last_pushed && length <= b->first && b->last == b->first);
}

static void note_last(struct bench *b, const uint8_t *frame, uint32_t length)
{
	b->last = length;
	b->last_pushed = frame[TCP + 13] & 0x08;
}

static void bring(struct bench *b, struct reeve_packet *p, const uint8_t *frame)
{
	const bool is_verified = p->offload.checksum == REEVE_CHECKSUM_VERIFIED;
	const uint32_t length = p->length;

	if (join_add(&b->join, p)) {
		check_joined(b, frame, length, is_verified);
		note_last(b, frame, length);
		memcpy(b->bytes + b->held, frame + HEADERS, length - HEADERS);
		b->held += length - HEADERS;
		return;
	}
	take(b);
	if (!join_begin(&b->join, p)) {
		reeve_packet_free(p);
		return;
	}
	note_last(b, frame, length);
	memcpy(b->bytes, frame, length);
	b->first = b->held = length;
}

static void one_record(struct bench *b, struct cursor *c)
{
	uint8_t frame[HEADERS + MOST];
	const uint8_t what = cursor_u8(c), size = cursor_u8(c), at = cursor_u8(c);
	const uint8_t value = cursor_u8(c);
	uint32_t length = build(b, frame, size);

	if (what & FLAGS)
		frame[TCP + 13] = value;
	if (!(what & SPOIL) && (what & CHANGE))
		frame[at % length] = value;
	set_checksums(frame, length);
	if ((what & SPOIL) && (what & CHANGE))
		frame[at % length] = value;
	if (what & SHORT)
		length -= at % length;

	const uint32_t most = what & IN_HEAD ? HEADERS + 20 : HEADERS;
	const uint32_t head = length < most ? length : most;
	struct reeve_packet *const p = packet_new(b->pool);

	check(p);
	memcpy(packet_push(p, head), frame, head);
	check(length == head || packet_append_bytes(p, frame + head, length - head));
	p->offload.checksum = what & VERIFIED ? REEVE_CHECKSUM_VERIFIED : REEVE_CHECKSUM_UNKNOWN;
	if (what & AS_SEGMENTS)
		p->offload.segmentation = REEVE_SEGMENTATION_TCP4;
	bring(b, p, frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct bench b;
	struct cursor c = cursor_over(bytes, length);

	b.pool = reeve_pool_new(&(struct reeve_pool_config){ 1000, UINT64_C(16) << 20 });
	b.sequence = 0xffffff00;
	while (cursor_left(&c) >= 4)
		one_record(&b, &c);
	take(&b);
	reeve_pool_free(b.pool); /* checks that nothing is left */
	return 0;
}
