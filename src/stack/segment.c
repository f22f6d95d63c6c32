/*
 * Owns the cutting of large TCP packets into frames and the filling in of checksums that were left
 * to do. Headers are written anew in front of each piece; the payload stays where it is, as slices
 * of the same buffers.
 *
 * RFC 9293, 3.1 and 3.8.3; RFC 3168, 6.1.2 (CWR); RFC 6864 (the identification); RFC 8200, 8.1.
 */
#include "stack/segment.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "stack/ip.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

/* Pieces smaller than this are no TCP's doing, but somebody's who wants many frames for one. */
#define SEGMENT_LEAST 8

#define VLAN_TAG      4
#define VLAN_TYPE     0x8100
#define IP_LENGTH_MAX 65535

/* Where things are in a packet to be cut. */
struct layout {
	bool ipv6;
	uint16_t ip, tcp, payload; /* offsets of the headers and of what follows them */
	uint64_t addresses;        /* their part of the pseudo-header's sum */
};

/* How far the payload has been given out. */
struct progress {
	uint32_t head;          /* in the head */
	uint16_t slice;         /* then this slice */
	uint32_t slice_offset;  /* from here */
	uint32_t payload_given; /* in all */
};

static bool find_ip(struct reeve_packet *p, struct layout *ret)
{
	uint16_t at = ETHER_HEADER;

	if (!packet_pull(p, ETHER_HEADER))
		return false;
	uint16_t type = load_be16(packet_data(p) + 12);

	if (type == VLAN_TYPE) {
		if (!packet_pull(p, ETHER_HEADER + VLAN_TAG))
			return false;
		type = load_be16(packet_data(p) + 16);
		at += VLAN_TAG;
	}
	ret->ip = at;
	ret->ipv6 = type == ETHER_IPV6;
	return type == ETHER_IPV4 || type == ETHER_IPV6;
}

static bool find_tcp_ipv4(struct reeve_packet *p, struct layout *l)
{
	if (!packet_pull(p, l->ip + IPV4_HEADER))
		return false;
	const uint8_t *ip = packet_data(p) + l->ip;
	const unsigned header = (ip[0] & 0x0fU) * 4;

	if (ip[0] >> 4 != 4 || header < IPV4_HEADER || ip[9] != IP_TCP)
		return false;
	if ((load_be16(ip + 6) & 0x3fff) != 0) /* a fragment */
		return false;
	l->tcp = (uint16_t)(l->ip + header);
	l->addresses = checksum_add(0, ip + 12, 8);
	return true;
}

/* Extension headers are not walked: the packet itself says where its TCP header begins. */
static bool find_tcp_ipv6(struct reeve_packet *p, struct layout *l)
{
	const struct reeve_offload *o = &p->offload;

	if (!packet_pull(p, l->ip + IPV6_HEADER))
		return false;
	const uint8_t *ip = packet_data(p) + l->ip;

	if (ip[0] >> 4 != 6)
		return false;
	l->tcp = (uint16_t)(l->ip + IPV6_HEADER);
	if (ip[6] != IP_TCP) {
		if (o->checksum != REEVE_CHECKSUM_PARTIAL || o->checksum_start <= l->tcp)
			return false;
		l->tcp = o->checksum_start;
	}
	l->addresses = checksum_add(0, ip + 8, 32);
	return true;
}

/* Finds and pulls all headers into the head. False for what is no whole TCP packet. */
static bool find_headers(struct reeve_packet *p, struct layout *ret)
{
	struct layout l;

	if (!find_ip(p, &l) || !(l.ipv6 ? find_tcp_ipv6(p, &l) : find_tcp_ipv4(p, &l)))
		return false;
	if (l.ipv6 != (p->offload.segmentation == REEVE_SEGMENTATION_TCP6))
		return false;
	if (!packet_pull(p, l.tcp + TCP_HEADER_MIN))
		return false;
	const unsigned header = (packet_data(p)[l.tcp + 12] >> 4) * 4U;

	if (header < TCP_HEADER_MIN || p->length - l.ip > IP_LENGTH_MAX ||
	    !packet_pull(p, l.tcp + header))
		return false;
	l.payload = (uint16_t)(l.tcp + header);
	*ret = l;
	return true;
}

/* The next `length` bytes of the slices of `from`, by reference, to the end of `to`. Cannot run out
 * of slices: no piece has more of them than the whole. */
static void give_slices(struct reeve_packet *to, const struct reeve_packet *from,
			struct progress *at, uint32_t length)
{
	while (length) {
		check(at->slice < from->slice_end);
		const struct slice *s = &from->slices[at->slice];
		const uint32_t left = s->length - at->slice_offset;
		const uint32_t n = left < length ? left : length;

		check(packet_append(to, s->buffer, s->offset + at->slice_offset, n));
		at->slice_offset += n;
		length -= n;
		if (at->slice_offset == s->length) {
			at->slice++;
			at->slice_offset = 0;
		}
	}
}

/* A packet of its own with the headers of `from` and the next `size` bytes of its payload, which is
 * copied only where it lies in the head. */
static struct reeve_packet *next_piece(struct reeve_packet *from, const struct layout *l,
				       struct progress *at, uint32_t size)
{
	struct reeve_packet *piece = packet_new(from->pool);

	if (!piece)
		return NULL;
	const uint32_t head_left = (uint32_t)packet_head_length(from) - at->head;
	const uint32_t by_copy = head_left < size ? head_left : size;
	uint8_t *head = packet_push(piece, l->payload + by_copy);

	memcpy(head, packet_data(from), l->payload);
	memcpy(head + l->payload, packet_data(from) + at->head, by_copy);
	at->head += by_copy;
	give_slices(piece, from, at, size - by_copy);
	at->payload_given += size;
	return piece;
}

static void write_ip(uint8_t *ip, const struct layout *l, uint32_t length, uint16_t index)
{
	if (l->ipv6) {
		store_be16(ip + 4, (uint16_t)(length - IPV6_HEADER));
		return;
	}
	store_be16(ip + 2, (uint16_t)length);
	store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + index));
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, l->tcp - l->ip)));
}

/*
 * FIN and PSH belong behind the last byte; CWR is said once, on the first (RFC 3168, 6.1.2). The
 * urgent pointer counts from its own segment's sequence number and has nothing to say behind the
 * urgent byte.
 */
static void write_tcp(uint8_t *tcp, uint32_t offset, bool last)
{
	const uint16_t urgent = load_be16(tcp + 18);

	store_be32(tcp + 4, load_be32(tcp + 4) + offset);
	if (!last)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (offset)
		tcp[13] &= (uint8_t)~TCP_CWR;
	if (!(tcp[13] & TCP_URG) || !offset)
		return;
	if (urgent > offset) {
		store_be16(tcp + 18, (uint16_t)(urgent - offset));
	} else {
		tcp[13] &= (uint8_t)~TCP_URG;
		store_be16(tcp + 18, 0);
	}
}

/* The checksum from `start` on into its field, which lies in the head. */
static void fill_in(struct reeve_packet *p, uint16_t start, uint16_t field)
{
	store_be16(packet_data(p) + field, packet_checksum(p, start));
	p->offload = (struct reeve_offload){ .checksum = REEVE_CHECKSUM_VERIFIED };
}

static void write_headers(struct reeve_packet *p, const struct layout *l, uint32_t offset,
			  uint16_t index, bool last)
{
	uint8_t *const bytes = packet_data(p);
	uint8_t rest[8] = { [7] = IP_TCP }; /* of the pseudo-header: RFC 8200, 8.1 */

	write_ip(bytes + l->ip, l, p->length - l->ip, index);
	write_tcp(bytes + l->tcp, offset, last);
	store_be32(rest, p->length - l->tcp);
	store_be16(bytes + l->tcp + TCP_CHECKSUM_OFFSET,
		   checksum_fold(checksum_add(l->addresses, rest, sizeof(rest))));
}

static bool cut(struct reeve_packet *p, uint32_t offloads, struct packet_queue *out)
{
	const uint32_t size = p->offload.segment_size;
	struct layout l;

	if (size < SEGMENT_LEAST || !find_headers(p, &l))
		return false;
	const uint32_t total = p->length - l.payload;
	struct progress at = { .head = l.payload, .slice = p->first_slice };
	uint16_t index = 0;

	do {
		const uint32_t offset = at.payload_given;
		const uint32_t n = total - offset < size ? total - offset : size;
		struct reeve_packet *piece = next_piece(p, &l, &at, n);

		if (!piece)
			return false;
		write_headers(piece, &l, offset, index++, at.payload_given == total);
		if (offloads & REEVE_OFFLOAD_CHECKSUM)
			piece->offload = (struct reeve_offload){
				.checksum = REEVE_CHECKSUM_PARTIAL,
				.checksum_start = l.tcp,
				.checksum_offset = TCP_CHECKSUM_OFFSET,
			};
		else
			fill_in(piece, l.tcp, (uint16_t)(l.tcp + TCP_CHECKSUM_OFFSET));
		packet_queue_push(out, piece);
	} while (at.payload_given < total);
	return true;
}

static bool complete(struct reeve_packet *p)
{
	const struct reeve_offload *o = &p->offload;
	const size_t field = (size_t)o->checksum_start + o->checksum_offset;

	if (o->checksum_start >= p->length || !packet_pull(p, field + 2))
		return false;
	fill_in(p, o->checksum_start, (uint16_t)field);
	return true;
}

static bool takes_segmentation(uint8_t segmentation, uint32_t offloads)
{
	if (segmentation == REEVE_SEGMENTATION_NONE)
		return true;
	if (!(offloads & REEVE_OFFLOAD_CHECKSUM))
		return false;
	if (segmentation == REEVE_SEGMENTATION_TCP4)
		return offloads & REEVE_OFFLOAD_TCP4;
	return offloads & REEVE_OFFLOAD_TCP6;
}

bool segment_is_needed(const struct reeve_packet *frame, uint32_t offloads)
{
	if (!takes_segmentation(frame->offload.segmentation, offloads))
		return true;
	return frame->offload.checksum == REEVE_CHECKSUM_PARTIAL &&
	       !(offloads & REEVE_OFFLOAD_CHECKSUM);
}

bool segment_for_link(struct reeve_packet *frame_take, uint32_t offloads, struct packet_queue *out)
{
	if (!takes_segmentation(frame_take->offload.segmentation, offloads)) {
		const bool done = cut(frame_take, offloads, out);

		reeve_packet_free(frame_take);
		return done;
	}
	if (segment_is_needed(frame_take, offloads) && !complete(frame_take)) {
		reeve_packet_free(frame_take);
		return false;
	}
	packet_queue_push(out, frame_take);
	return true;
}
