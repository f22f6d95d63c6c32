/*
 * Every packet that is not delivered ends in exactly one of these, counted. X(NAME, "text").
 */
#pragma once

#pragma GCC visibility push(default)

#define REEVE_DROPS(X)                                                        \
	X(NO_MEMORY, "pool or table at its limit")                            \
	X(LINK_SHORT, "frame shorter than its link header")                   \
	X(LINK_NOT_OURS, "frame for another station")                         \
	X(LINK_TYPE, "unknown ethertype")                                     \
	X(LINK_DOWN, "interface is down")                                     \
	X(LINK_QUEUE, "interface's queue is full")                            \
	X(ARP_BAD, "malformed ARP")                                           \
	X(ARP_UNSOLICITED, "ARP answer nobody asked for")                     \
	X(NEIGHBOUR_UNREACHABLE, "no answer from the neighbour")              \
	X(NEIGHBOUR_QUEUE, "too many packets wait for the neighbour")         \
	X(IP_SHORT, "packet shorter than its IP header says")                 \
	X(IP_VERSION, "wrong IP version")                                     \
	X(IP_HEADER, "malformed IP header")                                   \
	X(IP_CHECKSUM, "wrong IP header checksum")                            \
	X(IP_OPTIONS, "malformed or refused IP options")                      \
	X(IP_SOURCE, "source address that no packet may have")                \
	X(IP_NOT_OURS, "destination that is not ours")                        \
	X(IP_PROTOCOL, "unknown IP protocol")                                 \
	X(IP_NO_ROUTE, "no route")                                            \
	X(IP_TTL, "time to live exceeded")                                    \
	X(IP_TOO_BIG, "too big, and may not be fragmented")                   \
	X(FRAGMENT_BAD, "malformed fragment")                                 \
	X(FRAGMENT_OVERLAP, "overlapping fragments")                          \
	X(FRAGMENT_LIMIT, "too many fragments")                               \
	X(FRAGMENT_TIMEOUT, "fragments that never became whole")              \
	X(ICMP_SHORT, "ICMP shorter than its header")                         \
	X(ICMP_CHECKSUM, "wrong ICMP checksum")                               \
	X(ICMP_TYPE, "ICMP of a type we do not handle")                       \
	X(ICMP_UNMATCHED, "ICMP about nothing of ours")                       \
	X(ICMP_LIMIT, "ICMP answer over the rate limit")                      \
	X(UDP_SHORT, "UDP shorter than its header says")                      \
	X(UDP_CHECKSUM, "wrong UDP checksum")                                 \
	X(UDP_NO_PORT, "no socket at this UDP port")                          \
	X(UDP_PORT_ZERO, "UDP port 0")                                        \
	X(UDP_QUEUE, "UDP socket's queue is full")                            \
	X(TCP_SHORT, "TCP shorter than its header says")                      \
	X(TCP_HEADER, "malformed TCP header or options")                      \
	X(TCP_CHECKSUM, "wrong TCP checksum")                                 \
	X(TCP_PORT_ZERO, "TCP port 0")                                        \
	X(TCP_NO_PORT, "no socket at this TCP port")                          \
	X(TCP_NOT_UNICAST, "TCP to or from a multicast or broadcast address") \
	X(TCP_SEQUENCE, "segment outside the window")                         \
	X(TCP_DUPLICATE, "nothing but data that is already here")             \
	X(TCP_PAWS, "old timestamp")                                          \
	X(TCP_ACK, "unacceptable acknowledgment")                             \
	X(TCP_FLAGS, "flags that make no sense in this state")                \
	X(TCP_BLIND, "RST or SYN that is not exactly right")                  \
	X(TCP_REASSEMBLY, "out-of-order queue is full")                       \
	X(TCP_AFTER_CLOSE, "data for a socket that is closed")                \
	X(TCP_BACKLOG, "listener's queue is full")

enum reeve_drop {
#define REEVE_DROP_ENUM(name, text) REEVE_DROP_##name,
	REEVE_DROPS(REEVE_DROP_ENUM)
#undef REEVE_DROP_ENUM
		REEVE_DROP_COUNT,
};

/* The reason's text, for people. */
const char *reeve_drop_text(enum reeve_drop reason);

/* The reason as the enumeration has it ("TCP_NO_PORT"), for programs. */
const char *reeve_drop_name(enum reeve_drop reason);

#pragma GCC visibility pop
