/*
 * The internet layer as the transports see it (RFC 791, RFC 1122, 3): a route, a packet to send, a
 * packet received. Both families go through these shapes; of IPv6, only ::1 is a route.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/packet.h"
#include "reeve/address.h"
#include "reeve/host.h"

enum ip_protocol {
	IP_ICMP = 1,
	IP_IGMP = 2,
	IP_TCP = 6,
	IP_UDP = 17,
	IP_ICMPV6 = 58,
};

#define IP_DEFAULT_TTL 64

/* The two lowest bits of the TOS (RFC 3168, 5). */
enum ip_ecn {
	IP_ECN_NONE = 0, /* Not-ECT: the sender does not take part */
	IP_ECN_ECT1 = 1,
	IP_ECN_ECT0 = 2,
	IP_ECN_CE = 3, /* a router had no room to spare */
	IP_ECN_MASK = 3,
};

struct ip_route {
	unsigned iface;
	struct reeve_address source;   /* what a packet to there is sent from, if nobody says */
	struct reeve_address next_hop; /* the gateway, or the destination itself */
	uint32_t mtu;
	uint32_t offloads; /* REEVE_OFFLOAD_* of the interface */
	bool local;        /* the destination is the host itself */
	bool broadcast;    /* of the interface's network, or 255.255.255.255 */
	bool multicast;
};

/* 0, -ENETUNREACH (also from one family to the other), or -EINVAL (from a loopback address to
 * elsewhere). `source` NULL or unspecified: the interface's own choice (RFC 1122, 3.3.4.3); given,
 * it is put in as it is, and chooses the interface only of a broadcast to 255.255.255.255 and of
 * multicast. */
int ip_route(const struct reeve_host *host, const struct reeve_address *destination,
	     const struct reeve_address *source, struct ip_route *ret);

/* What a socket wants of the way beyond that; all 0: nothing. */
struct ip_way {
	uint8_t out;      /* by this interface, counted from 1; 0: by the routes' */
	bool on_link;     /* without a gateway: SO_DONTROUTE */
	bool no_loopback; /* multicast: the host's own members do not get it */
};

/* ip_route() with a way. An interface that was asked for and has no route there is taken for one
 * that has the destination on its link, as in Linux. */
int ip_route_by(const struct reeve_host *host, const struct reeve_address *destination,
		const struct reeve_address *source, struct ip_way way, struct ip_route *ret);

struct ip_send {
	struct reeve_address source, destination;
	uint8_t protocol, ttl, tos;
	bool dont_fragment;
	bool host_only;    /* a ttl of 0, which else means the default: multicast within the host */
	bool router_alert; /* with the option of RFC 2113 */
	struct ip_way way;
};

/*
 * Sends a transport packet (its header first): adds the IP and link headers, fragments what is
 * longer than the MTU and is not to be segmented further down, and queues it at the interface or
 * brings it back to the host itself. The offload's offsets count from the transport header on
 * entry. Takes the packet in every case. 0, -ENETUNREACH, -EMSGSIZE (dont_fragment), -ENOBUFS.
 */
int ip_send_take(struct reeve_host *host, struct reeve_packet *p_take, const struct ip_send *how);

/* Fills in a PARTIAL checksum: it is then as on the wire. */
void ip_complete_checksum(struct reeve_packet *p);

/* A packet that has arrived whole for this host; the packet itself begins with the transport
 * header and ends with the payload. */
struct ip_received {
	struct reeve_address source, destination;
	unsigned iface;
	uint16_t header_length; /* of the IP header, which still lies in front of packet_data() */
	uint8_t protocol, ttl, tos;
	bool broadcast; /* or multicast: at the link or by its destination */
};

/* How a packet has come in. */
struct ip_arrival {
	unsigned iface;
	bool group; /* the frame was for more than this station */
	bool own;   /* the host has sent it itself: it has gone round inside */
};

/* A packet that has come in, its link header gone. */
void ip_input_take(struct reeve_host *host, const struct ip_arrival *arrival,
		   struct reeve_packet *p_take);

/* Counts and frees. The one end of every packet that is not delivered. */
void host_drop_take(struct reeve_host *host, struct reeve_packet *p_take, enum reeve_drop reason);
void host_count_drop(struct reeve_host *host, enum reeve_drop reason);
