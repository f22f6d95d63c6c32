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

/* What the headers of all pieces have in common, summed once, and what each has of its own. */
struct common {
	uint64_t ip_sum, tcp_sum; /* without the fields below, lengths and checksums */
	uint32_t sequence;
	uint16_t id, urgent;
	uint8_t flags;
};

/* Of a piece among the others. */
struct place {
	uint32_t offset; /* of its payload in the whole */
	uint16_t index;
	bool is_last;
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
	if (by_copy)
		memcpy(head + l->payload, packet_data(from) + at->head, by_copy);
	at->head += by_copy;
	give_slices(piece, from, at, size - by_copy);
	at->payload_given += size;
	return piece;
}

/* Reads what each piece has of its own, and sums the rest. */
static void sum_common(struct reeve_packet *p, const struct layout *l, struct common *ret)
{
	uint8_t *const ip = packet_data(p) + l->ip, *const tcp = packet_data(p) + l->tcp;

	*ret = (struct common){
		.sequence = load_be32(tcp + 4),
		.urgent = load_be16(tcp + 18),
		.flags = tcp[13],
	};
	if (!l->ipv6) {
		ret->id = load_be16(ip + 4);
		memset(ip + 2, 0, 4);
		memset(ip + 10, 0, 2);
		ret->ip_sum = checksum_add(0, ip, l->tcp - l->ip);
	}
	memset(tcp + 4, 0, 4);
	tcp[13] = 0;
	memset(tcp + 16, 0, 4);
	ret->tcp_sum = checksum_add(0, tcp, l->payload - l->tcp);
}

static void write_ip(uint8_t *ip, const struct layout *l, const struct common *c, uint32_t length,
		     uint16_t index)
{
	if (l->ipv6) {
		store_be16(ip + 4, (uint16_t)(length - IPV6_HEADER));
		return;
	}
	const uint16_t id = (uint16_t)(c->id + index);
	const uint64_t fields = checksum_word((uint16_t)length) + checksum_word(id);

	store_be16(ip + 2, (uint16_t)length);
	store_be16(ip + 4, id);
	store_be16(ip + 10, (uint16_t)~checksum_fold(c->ip_sum + fields));
}

/*
 * FIN and PSH belong behind the last byte; CWR is said once, on the first (RFC 3168, 6.1.2). The
 * urgent pointer counts from its own segment's sequence number and has nothing to say behind the
 * urgent byte. Returns what these fields add to the sum.
 */
static uint64_t write_tcp(uint8_t *tcp, const struct common *c, uint32_t offset, bool last)
{
	const uint32_t sequence = c->sequence + offset;
	uint16_t urgent = c->urgent;
	uint8_t flags = c->flags;

	if (!last)
		flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (offset)
		flags &= (uint8_t)~TCP_CWR;
	if ((flags & TCP_URG) && offset) {
		if (urgent <= offset)
			flags &= (uint8_t)~TCP_URG;
		urgent = urgent > offset ? (uint16_t)(urgent - offset) : 0;
	}
	store_be32(tcp + 4, sequence);
	tcp[13] = flags; /* what is beside it is summed already */
	store_be16(tcp + 18, urgent);
	return checksum_word((uint16_t)(sequence >> 16)) + checksum_word((uint16_t)sequence) +
	       checksum_word(flags) + checksum_word(urgent);
}

/* Never 0: see packet_checksum(). */
static uint16_t complement(uint64_t sum)
{
	const uint16_t folded = checksum_fold(sum);

	return folded == 0xffff ? folded : (uint16_t)~folded;
}

/* The checksum from `start` on into its field, which lies in the head. */
static void fill_in(struct reeve_packet *p, uint16_t start, uint16_t field)
{
	store_be16(packet_data(p) + field, packet_checksum(p, start));
	p->offload = (struct reeve_offload){ .checksum = REEVE_CHECKSUM_VERIFIED };
}

/* All that a piece has of its own, and its checksum, unless the link makes it. */
static void write_headers(struct reeve_packet *p, const struct layout *l, const struct common *c,
			  const struct place *at, uint32_t offloads)
{
	uint8_t *const bytes = packet_data(p), *const tcp = bytes + l->tcp;
	const uint64_t pseudo = l->addresses + checksum_word(IP_TCP) +
				checksum_word((uint16_t)(p->length - l->tcp));

	write_ip(bytes + l->ip, l, c, p->length - l->ip, at->index);
	const uint64_t fields = write_tcp(tcp, c, at->offset, at->is_last);

	if (offloads & REEVE_OFFLOAD_CHECKSUM) {
		store_be16(tcp + TCP_CHECKSUM_OFFSET, checksum_fold(pseudo));
		p->offload = (struct reeve_offload){
			.checksum = REEVE_CHECKSUM_PARTIAL,
			.checksum_start = l->tcp,
			.checksum_offset = TCP_CHECKSUM_OFFSET,
		};
		return;
	}
	const uint64_t sum =
		packet_sum(p, l->payload, p->length - l->payload, pseudo + c->tcp_sum + fields);

	store_be16(tcp + TCP_CHECKSUM_OFFSET, complement(sum));
	p->offload = (struct reeve_offload){ .checksum = REEVE_CHECKSUM_VERIFIED };
}

static bool cut(struct reeve_packet *p, uint32_t offloads, struct packet_queue *out)
{
	const uint32_t size = p->offload.segment_size;
	struct layout l;
	struct common c;

	if (size < SEGMENT_LEAST || !find_headers(p, &l))
		return false;
	sum_common(p, &l, &c);
	const uint32_t total = p->length - l.payload;
	struct progress at = { .head = l.payload, .slice = p->first_slice };
	struct place place = { 0 };

	do {
		place.offset = at.payload_given;
		const uint32_t left = total - place.offset;
		struct reeve_packet *piece = next_piece(p, &l, &at, left < size ? left : size);

		if (!piece)
			return false;
		place.is_last = at.payload_given == total;
		write_headers(piece, &l, &c, &place, offloads);
		place.index++;
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
