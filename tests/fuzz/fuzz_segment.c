/*
 * Cutting of frames with whatever offload facts: eight bytes of facts, a byte of layout, then the
 * frame. What comes out must be something that the link takes.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "base/cursor.h"
#include "base/packet.h"
#include "stack/segment.h"

/* Slices of unequal lengths, from the layout's bits. */
static bool lay_out(struct reeve_packet *p, struct cursor *c, uint8_t layout)
{
	const size_t left = cursor_left(c);
	const size_t head = left < (layout & 0x7fU) ? left : layout & 0x7fU;

	cursor_copy(c, packet_push(p, head), head);
	for (int i = 1; cursor_left(c) > 0; i++) {
		const size_t rest = cursor_left(c);
		const size_t piece = layout & 0x80 && i < 16 ? 1 + rest / 3 : rest;

		if (!packet_append_bytes(p, cursor_bytes(c, piece), piece))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct reeve_pool *pool =
		reeve_pool_new(&(struct reeve_pool_config){ 10000, UINT64_C(16) << 20 });
	struct cursor c = cursor_over(bytes, length);
	const uint8_t kinds = cursor_u8(&c);
	const uint32_t offloads = cursor_u8(&c) & 7;
	const uint8_t layout = cursor_u8(&c);
	struct reeve_offload offload = {
		.checksum = (kinds & 3) % 3,
		.segmentation = (kinds >> 2 & 3) % 3,
	};
	struct reeve_packet *p = packet_new(pool);
	struct packet_queue out;

	offload.segment_size = cursor_be16(&c);
	offload.checksum_start = cursor_be16(&c);
	offload.checksum_offset = cursor_be16(&c);
	packet_queue_init(&out);
	if (cursor_ok(&c) && cursor_left(&c) <= REEVE_FRAME_MAX && lay_out(p, &c, layout)) {
		p->offload = offload;
		segment_for_link(p, offloads, &out);
	} else {
		reeve_packet_free(p);
	}
	while ((p = packet_queue_pop(&out))) {
		check(!segment_is_needed(p, offloads));
		reeve_packet_free(p);
	}
	reeve_pool_free(pool); /* checks that nothing is left */
	return 0;
}
