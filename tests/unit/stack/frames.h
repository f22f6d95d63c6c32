/*
 * Frames made by hand, as another station on the wire would send them: station 9, 192.0.2.9 unless
 * the headers say something else, to host 0 of the net.
 */
#pragma once

#include "net.h"
#include "wire/arp.h"
#include "wire/ipv4.h"

#define FRAME_MAX     (14 + 65535)
#define FRAME_STATION 9

/* A header to 192.0.2.1; total_length 0 is filled in when it is put into a frame. */
struct ipv4_header frame_header(uint8_t protocol);
uint32_t frame_ipv4(const char *text);

/* Ethernet, the header as it is (its checksum computed), the payload. The frame's length. */
size_t frame_put(uint8_t *frame, const struct ipv4_header *h, const void *payload, size_t length);

/* A UDP datagram's bytes, its checksum computed. Their length. */
size_t frame_put_udp(uint8_t *bytes, const struct ipv4_header *h, uint16_t source,
		     uint16_t destination, const void *data, size_t length);

/* The checksum of a TCP segment that is there otherwise; at least 20 bytes. */
void frame_finish_tcp(uint8_t *bytes, const struct ipv4_header *h, size_t length);

/* An ICMP message's bytes, its checksum computed. Their length. */
size_t frame_put_icmp(uint8_t *bytes, uint8_t type, uint8_t code, uint32_t rest, const void *data,
		      size_t length);

/* An ARP packet in a frame, padded as Ethernet wants it. */
size_t frame_put_arp(uint8_t *frame, const struct arp_packet *a);

/* Makes host 0 know station 9, by a request that it answers; takes what it sends meanwhile. */
void frame_introduce(struct net *n);
