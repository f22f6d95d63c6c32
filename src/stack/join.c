#include "stack/join.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/packet.h"
#include "stack/ip.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#define IP      ETHER_HEADER /* offsets in the frame */
#define TCP     (IP + IPV4_HEADER)
#define HEADERS (TCP + TCP_HEADER_MIN)

/* Payload of a plain segment of TCP, all of it behind the head; 0 for everything else. */
static uint32_t plain_payload(struct reeve_packet *p, uint16_t *ret_offset)
{
	const size_t head = packet_head_length(p);
	const uint8_t *const bytes = packet_data(p);

	if (head < HEADERS || p->offload.segmentation || load_be16(bytes + 12) != ETHER_IPV4)
		return 0;
	/* No options, no fragment, nothing behind the datagram. */
	if (bytes[IP] != 0x45 || bytes[IP + 9] != IP_TCP || (load_be16(bytes + IP + 6) & 0x3fff) ||
	    load_be16(bytes + IP + 2) != p->length - IP)
		return 0;
	if (TCP + (size_t)(bytes[TCP + 12] >> 4) * 4 != head || p->length <= head)
		return 0;
	*ret_offset = (uint16_t)head;
	return p->length - (uint32_t)head;
}

static bool checksums_are_right(struct reeve_packet *p)
{
	const uint8_t *const ip = packet_data(p) + IP;
	const uint32_t length = p->length - TCP;

	if (!ipv4_checksum_ok(ip, IPV4_HEADER))
		return false;
	if (p->offload.checksum != REEVE_CHECKSUM_UNKNOWN)
		return true;
	const uint64_t pseudo = checksum_add(0, ip + 12, 8) + checksum_word(IP_TCP) +
				checksum_word((uint16_t)length);

	return checksum_fold(packet_sum(p, TCP, length, pseudo)) == 0xffff;
}

bool join_begin(struct join *j, struct reeve_packet *frame)
{
	uint16_t payload;
	const uint32_t size = plain_payload(frame, &payload);
	const uint8_t *const tcp = packet_data(frame) + TCP;

	if (size == 0 || tcp[13] != TCP_ACK)
		return false;
	*j = (struct join){
		.packet = frame,
		.payload = payload,
		.next = load_be32(tcp + 4) + size,
		.size = size,
	};
	return true;
}

/* All of both headers but what may differ: see join.h. */
static bool says_the_same(const uint8_t *a, const uint8_t *b, uint16_t payload)
{
	return memcmp(a, b, IP + 2) == 0 &&                  /* stations, TOS */
	       memcmp(a + IP + 6, b + IP + 6, 4) == 0 &&     /* DF, TTL, protocol */
	       memcmp(a + IP + 12, b + IP + 12, 12) == 0 &&  /* addresses, ports */
	       memcmp(a + TCP + 8, b + TCP + 8, 5) == 0 &&   /* acknowledgment, length */
	       memcmp(a + TCP + 14, b + TCP + 14, 2) == 0 && /* window */
	       memcmp(a + HEADERS, b + HEADERS, payload - (size_t)HEADERS) == 0; /* options */
}

/* Whether the frame is next, and may be added. */
static bool continues(const struct join *j, struct reeve_packet *frame)
{
	const uint8_t *const bytes = packet_data(frame);
	uint16_t payload;
	const uint32_t size = plain_payload(frame, &payload);

	return size > 0 && size <= j->size && payload == j->payload &&
	       load_be32(bytes + TCP + 4) == j->next && (bytes[TCP + 13] & ~TCP_PSH) == TCP_ACK &&
	       says_the_same(packet_data(j->packet), bytes, payload) &&
	       j->packet->length - IP + size <= UINT16_MAX;
}

bool join_add(struct join *j, struct reeve_packet *frame)
{
	if (!j->packet || j->is_whole || !continues(j, frame))
		return false;
	if ((!j->is_joined && !checksums_are_right(j->packet)) || !checksums_are_right(frame)) {
		j->is_whole = true;
		return false;
	}
	const uint8_t push = packet_data(frame)[TCP + 13] & TCP_PSH;
	const uint32_t size = frame->length - j->payload;

	if (!packet_append_slices(j->packet, frame)) {
		j->is_whole = true;
		return false;
	}
	reeve_packet_free(frame);
	packet_data(j->packet)[TCP + 13] |= push;
	j->next += size;
	j->is_joined = true;
	j->is_whole = push || size < j->size;
	return true;
}

struct reeve_packet *join_take(struct join *j)
{
	struct reeve_packet *const p = j->packet;

	j->packet = NULL;
	if (!p || !j->is_joined)
		return p;
	uint8_t *const ip = packet_data(p) + IP;

	store_be16(ip + 2, (uint16_t)(p->length - IP));
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, IPV4_HEADER)));
	p->offload = (struct reeve_offload){
		.checksum = REEVE_CHECKSUM_VERIFIED,
		.segmentation = REEVE_SEGMENTATION_TCP4,
		.segment_size = (uint16_t)j->size,
	};
	return p;
}
