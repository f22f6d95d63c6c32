/* Frames made by hand. */
#include "frames.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "wire/icmp.h"
#include "wire/pseudo.h"
#include "wire/udp.h"

#define ETHERNET_LEAST 60

uint32_t frame_ipv4(const char *text)
{
	const struct reeve_address a = net_address(text);

	return reeve_address_to_ipv4(&a);
}

struct ipv4_header frame_header(uint8_t protocol)
{
	return (struct ipv4_header){
		.header_length = IPV4_HEADER,
		.ttl = 64,
		.protocol = protocol,
		.source = frame_ipv4("192.0.2.9"),
		.destination = frame_ipv4("192.0.2.1"),
	};
}

size_t frame_put(uint8_t *frame, const struct ipv4_header *h, const void *payload, size_t length)
{
	struct ether_header e = { .type = ETHER_IPV4 };
	struct ipv4_header ip = *h;

	net_mac(1, e.destination);
	net_mac(FRAME_STATION, e.source);
	if (ip.total_length == 0)
		ip.total_length = (uint16_t)(ip.header_length + length);
	ether_emit(&e, frame);
	ipv4_emit(&ip, frame + ETHER_HEADER);
	if (length > 0)
		memcpy(frame + ETHER_HEADER + ip.header_length, payload, length);
	return ETHER_HEADER + ip.header_length + length;
}

size_t frame_put_udp(uint8_t *bytes, const struct ipv4_header *h, uint16_t source,
		     uint16_t destination, const void *data, size_t length)
{
	const struct reeve_address from = reeve_address_from_ipv4(h->source);
	const struct reeve_address to = reeve_address_from_ipv4(h->destination);
	const uint16_t total = (uint16_t)(UDP_HEADER + length);
	const struct udp_header udp = { source, destination, total, 0 };

	udp_emit(&udp, bytes);
	if (length > 0)
		memcpy(bytes + UDP_HEADER, data, length);
	const uint64_t sum = pseudo_sum(&from, &to, 17, total);
	const uint16_t checksum = (uint16_t)~checksum_fold(checksum_add(sum, bytes, total));

	store_be16(bytes + UDP_CHECKSUM_OFFSET, checksum ? checksum : 0xffff);
	return total;
}

void frame_finish_tcp(uint8_t *bytes, const struct ipv4_header *h, size_t length)
{
	const struct reeve_address from = reeve_address_from_ipv4(h->source);
	const struct reeve_address to = reeve_address_from_ipv4(h->destination);

	store_be16(bytes + 16, 0);
	const uint64_t sum = pseudo_sum(&from, &to, 6, (uint32_t)length);

	store_be16(bytes + 16, (uint16_t)~checksum_fold(checksum_add(sum, bytes, length)));
}

size_t frame_put_icmp(uint8_t *bytes, uint8_t type, uint8_t code, uint32_t rest, const void *data,
		      size_t length)
{
	const struct icmp_header h = { .type = type, .code = code, .rest = rest };

	icmp_emit(&h, bytes);
	if (length > 0)
		memcpy(bytes + ICMP_HEADER, data, length);
	const uint64_t sum = checksum_add(0, bytes, ICMP_HEADER + length);

	store_be16(bytes + ICMP_CHECKSUM_OFFSET, (uint16_t)~checksum_fold(sum));
	return ICMP_HEADER + length;
}

size_t frame_put_arp(uint8_t *frame, const struct arp_packet *a)
{
	struct ether_header e = { .type = ETHER_ARP };

	memset(frame, 0, ETHERNET_LEAST);
	memcpy(e.destination, ether_broadcast, ETHER_ADDRESS);
	memcpy(e.source, a->sender_mac, ETHER_ADDRESS);
	ether_emit(&e, frame);
	arp_emit(a, frame + ETHER_HEADER);
	return ETHERNET_LEAST;
}

void frame_introduce(struct net *n)
{
	uint8_t frame[2048];
	struct arp_packet a = {
		.operation = ARP_REQUEST,
		.sender = frame_ipv4("192.0.2.9"),
		.target = frame_ipv4("192.0.2.1"),
	};

	net_mac(FRAME_STATION, a.sender_mac);
	net_input(n, 0, frame, frame_put_arp(frame, &a));
	while (net_output(n, 0, frame, sizeof(frame)) > 0)
		;
}
