/* The other end of the wire. */
#include "station.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/packet.h"
#include "stack/ip.h"
#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/pseudo.h"

static bool give(struct station *s, const uint8_t *frame, size_t length, struct reeve_time now)
{
	struct reeve_packet *const p = reeve_packet_from_bytes(s->pool, frame, length, NULL);

	if (!p)
		return false;
	reeve_host_input(s->host, s->iface, p, now);
	return true;
}

static void answer(struct station *s, const uint8_t *bytes, size_t length, struct reeve_time now)
{
	struct cursor c = cursor_over(bytes, length);
	uint8_t frame[ETHER_HEADER + ARP_PACKET];
	struct ether_header e = { .type = ETHER_ARP };
	struct arp_packet a;

	if (!arp_parse(&c, &a) || a.operation != ARP_REQUEST || a.target == s->host_address)
		return;
	memcpy(e.destination, s->host_mac, 6);
	memcpy(e.source, s->mac, 6);
	ether_emit(&e, frame);

	struct arp_packet reply = { .operation = ARP_REPLY,
				    .sender = a.target,
				    .target = a.sender };

	memcpy(reply.sender_mac, s->mac, 6);
	memcpy(reply.target_mac, s->host_mac, 6);
	arp_emit(&reply, frame + ETHER_HEADER);
	(void)give(s, frame, sizeof(frame), now);
}

bool station_send(struct station *s, const struct ipv4_header *ip, const uint8_t *body,
		  size_t length, struct reeve_time now)
{
	struct ether_header e = { .type = ETHER_IPV4 };
	struct ipv4_header header = *ip;

	if (ETHER_HEADER + IPV4_HEADER + length > STATION_FRAME)
		return false;
	header.header_length = IPV4_HEADER;
	header.total_length = (uint16_t)(IPV4_HEADER + length);
	memcpy(e.destination, s->host_mac, 6);
	memcpy(e.source, s->mac, 6);
	ether_emit(&e, s->frame);
	ipv4_emit(&header, s->frame + ETHER_HEADER);
	memcpy(s->frame + ETHER_HEADER + IPV4_HEADER, body, length);
	return give(s, s->frame, ETHER_HEADER + IPV4_HEADER + length, now);
}

enum station_frame station_read(struct station *s, struct reeve_packet *frame_take,
				struct reeve_time now, struct station_packet *ret)
{
	const size_t length = reeve_packet_length(frame_take);
	const struct reeve_offload offload = *reeve_packet_offload(frame_take);
	struct ether_header e;
	struct ipv4_header ip;

	if (length <= sizeof(s->frame))
		packet_copy(frame_take, 0, length, s->frame);
	reeve_packet_free(frame_take);
	if (length > sizeof(s->frame))
		return STATION_WRONG;

	struct cursor c = cursor_over(s->frame, length);

	if (!ether_parse(&c, &e))
		return STATION_WRONG;
	if (e.type == ETHER_ARP) {
		answer(s, c.at, cursor_left(&c), now);
		return STATION_ANSWERED;
	}
	if (e.type != ETHER_IPV4 || ipv4_parse(&c, &ip) != IPV4_OK ||
	    ETHER_HEADER + (size_t)ip.total_length != length)
		return STATION_WRONG;
	*ret = (struct station_packet){
		.ip = ip,
		.body = s->frame + ETHER_HEADER + ip.header_length,
		.length = ip.total_length - (size_t)ip.header_length,
		.offload = offload,
	};
	return STATION_PACKET;
}

static uint64_t sum_before(const struct ipv4_header *ip, size_t length)
{
	const struct reeve_address from = reeve_address_from_ipv4(ip->source);
	const struct reeve_address to = reeve_address_from_ipv4(ip->destination);

	if (ip->protocol == IP_ICMP)
		return 0;
	return pseudo_sum(&from, &to, ip->protocol, (uint32_t)length);
}

bool station_checksum_ok(const struct station_packet *p)
{
	if (p->offload.checksum == REEVE_CHECKSUM_PARTIAL)
		return true;
	return checksum_fold(checksum_add(sum_before(&p->ip, p->length), p->body, p->length)) ==
	       0xffff;
}

void station_fill_checksum(const struct ipv4_header *ip, uint8_t *body, size_t length,
			   size_t offset)
{
	store_be16(body + offset, 0);
	store_be16(body + offset,
		   (uint16_t)~checksum_fold(checksum_add(sum_before(ip, length), body, length)));
}
