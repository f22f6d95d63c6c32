/*
 * Every packet that is not delivered ends in exactly one of these, counted. X(NAME, "name", "text").
 */
#pragma once

#pragma GCC visibility push(default)

#define REEVE_DROPS(X)                                                                           \
	X(NO_MEMORY, "no_memory", "pool or table at its limit")                                  \
	X(LINK_SHORT, "link_short", "frame shorter than its link header")                        \
	X(LINK_NOT_OURS, "link_not_ours", "frame for another station")                           \
	X(LINK_TYPE, "link_type", "unknown ethertype")                                           \
	X(LINK_QUEUE, "link_queue", "interface's queue is full")                                 \
	X(ARP_BAD, "arp_bad", "malformed ARP")                                                   \
	X(ARP_UNSOLICITED, "arp_unsolicited", "ARP answer nobody asked for")                     \
	X(NEIGHBOUR_UNREACHABLE, "neighbour_unreachable", "no answer from the neighbour")        \
	X(NEIGHBOUR_QUEUE, "neighbour_queue", "too many packets wait for the neighbour")         \
	X(IP_SHORT, "ip_short", "packet shorter than its IP header says")                        \
	X(IP_VERSION, "ip_version", "wrong IP version")                                          \
	X(IP_HEADER, "ip_header", "malformed IP header")                                         \
	X(IP_CHECKSUM, "ip_checksum", "wrong IP header checksum")                                \
	X(IP_OPTIONS, "ip_options", "malformed or refused IP options")                           \
	X(IP_SOURCE, "ip_source", "source address that no packet may have")                      \
	X(IP_NOT_OURS, "ip_not_ours", "destination that is not ours")                            \
	X(IP_PROTOCOL, "ip_protocol", "unknown IP protocol")                                     \
	X(IP_NO_ROUTE, "ip_no_route", "no route")                                                \
	X(IP_TOO_BIG, "ip_too_big", "too big, and may not be fragmented")                        \
	X(FRAGMENT_BAD, "fragment_bad", "malformed fragment")                                    \
	X(FRAGMENT_OVERLAP, "fragment_overlap", "overlapping fragments")                         \
	X(FRAGMENT_LIMIT, "fragment_limit", "too many fragments")                                \
	X(FRAGMENT_TIMEOUT, "fragment_timeout", "fragments that never became whole")             \
	X(ICMP_SHORT, "icmp_short", "ICMP shorter than its header")                              \
	X(ICMP_CHECKSUM, "icmp_checksum", "wrong ICMP checksum")                                 \
	X(ICMP_TYPE, "icmp_type", "ICMP of a type we do not handle")                             \
	X(ICMP_UNMATCHED, "icmp_unmatched", "ICMP about nothing of ours")                        \
	X(ICMP_LIMIT, "icmp_limit", "ICMP answer over the rate limit")                           \
	X(IGMP_BAD, "igmp_bad", "malformed IGMP")                                                \
	X(UDP_SHORT, "udp_short", "UDP shorter than its header says")                            \
	X(UDP_CHECKSUM, "udp_checksum", "wrong UDP checksum")                                    \
	X(UDP_NO_PORT, "udp_no_port", "no socket at this UDP port")                              \
	X(UDP_PORT_ZERO, "udp_port_zero", "UDP port 0")                                          \
	X(UDP_QUEUE, "udp_queue", "UDP socket's queue is full")                                  \
	X(TCP_SHORT, "tcp_short", "TCP shorter than its header says")                            \
	X(TCP_HEADER, "tcp_header", "malformed TCP header or options")                           \
	X(TCP_CHECKSUM, "tcp_checksum", "wrong TCP checksum")                                    \
	X(TCP_PORT_ZERO, "tcp_port_zero", "TCP port 0")                                          \
	X(TCP_NO_PORT, "tcp_no_port", "no socket at this TCP port")                              \
	X(TCP_NOT_UNICAST, "tcp_not_unicast", "TCP to or from a multicast or broadcast address") \
	X(TCP_SEQUENCE, "tcp_sequence", "segment outside the window")                            \
	X(TCP_DUPLICATE, "tcp_duplicate", "nothing but data that is already here")               \
	X(TCP_PAWS, "tcp_paws", "old timestamp")                                                 \
	X(TCP_ACK, "tcp_ack", "unacceptable acknowledgment")                                     \
	X(TCP_FLAGS, "tcp_flags", "flags that make no sense in this state")                      \
	X(TCP_BLIND, "tcp_blind", "RST or SYN that is not exactly right")                        \
	X(TCP_REASSEMBLY, "tcp_reassembly", "out-of-order queue is full")                        \
	X(TCP_AFTER_CLOSE, "tcp_after_close", "data for a socket that is closed")                \
	X(TCP_BACKLOG, "tcp_backlog", "listener's queue is full")

enum reeve_drop {
#define REEVE_DROP_ENUM(constant, name, text) REEVE_DROP_##constant,
	REEVE_DROPS(REEVE_DROP_ENUM)
#undef REEVE_DROP_ENUM
		REEVE_DROP_COUNT,
};

/* The reason's text, for people. */
const char *reeve_drop_text(enum reeve_drop reason);

/* The reason as the enumeration has it ("TCP_NO_PORT"), for programs. */
const char *reeve_drop_name(enum reeve_drop reason);

#pragma GCC visibility pop
