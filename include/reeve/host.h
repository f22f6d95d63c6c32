/*
 * A host: one machine of a network, with addresses, interfaces, routes, port spaces and sockets.
 *
 * Sans-IO. The embedder brings frames and time in and takes frames and events out:
 *
 *	reeve_host_input(host, iface, packet, now);       a frame has arrived
 *	reeve_host_tick(host, now);                       time has passed
 *	while (reeve_host_next_event(host, &event)) ...   what the sockets' owners should know
 *	while ((packet = reeve_host_output(host, now, &iface))) ...   frames to send
 *	wait until reeve_host_deadline(host)
 *
 * Socket calls only mark work; packets come into being in reeve_host_output(). So after any input,
 * tick or socket call: take events and output until both are empty, then ask for the deadline.
 *
 * Frames that have arrived together may come in together, by reeve_host_input_many(): it costs less.
 *
 * Everything of one host belongs to one thread. Same seed and same inputs give the same bytes.
 *
 * Errors are 0 or a negative errno; outputs are untouched on failure.
 */
#pragma once

#include "reeve/address.h"
#include "reeve/drop.h"
#include "reeve/packet.h"
#include "reeve/time.h"

#pragma GCC visibility push(default)

struct reeve_host;

struct reeve_host_config {
	struct reeve_pool *pool;  /* shared by the hosts of one loop; must outlive the host */
	uint8_t seed[32];         /* secret: sequence numbers, ports and hash keys come from it */
	uint32_t max_sockets;     /* TCP and UDP each, TIME-WAIT and half-open included */
	uint16_t ephemeral_first; /* 0 and 0: 49152..65535 (RFC 6335, 6); least 1024 */
	uint16_t ephemeral_last;
	bool any_address; /* takes packets to any destination as its own (for intercept) */
	/* TCP sends at once what its windows allow, also on paths with round trips of 2 ms and more, where
	 * it is spread over the round trip else. REEVE_TCP_MAX_PACING_RATE holds all the same. */
	bool tcp_without_pacing;
	/* Bytes: as far as TCP's receive buffers grow by themselves, and window scales are chosen for
	 * it. 0: 16 MiB; most 64 MiB. */
	uint32_t tcp_receive_max;
};

/* NULL: out of memory, or a config outside the limits above. Interface 0, "lo", is there with
 * 127.0.0.1/8 and ::1/128. */
struct reeve_host *reeve_host_new(const struct reeve_host_config *config, struct reeve_time now);

/* Frees all sockets too, without a word to their peers. */
struct reeve_host *reeve_host_free(struct reeve_host *host);

struct reeve_iface_config {
	const char *name; /* copied; at most 15 bytes */
	uint8_t mac[6];
	uint32_t mtu;           /* of IP packets: 576..65535 */
	uint32_t offloads;      /* REEVE_OFFLOAD_* of the link behind it */
	uint32_t queue_packets; /* frames that may wait for reeve_host_output() */
};

struct reeve_iface_info {
	char name[16];
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t offloads;
	bool up;
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* *ret_index is what input and output call the interface. -EINVAL, -ENOMEM, -ENOSPC (over 16). */
int reeve_host_add_iface(struct reeve_host *host, const struct reeve_iface_config *config,
			 unsigned *ret_index);
int reeve_host_set_offloads(struct reeve_host *host, unsigned iface, uint32_t offloads);
int reeve_host_iface(const struct reeve_host *host, unsigned iface, struct reeve_iface_info *ret);

/* Also adds the route to the prefix. An address of IPv6 is lo's, a /128. -EEXIST, -EINVAL, -ENOSPC (over 64), -ENODEV. */
int reeve_host_add_address(struct reeve_host *host, unsigned iface,
			   const struct reeve_prefix *address);

/* How an address is taken into use (RFC 5227). */
enum {
	/* Asked for on the link first, for 4 to 7 s. Until nobody has claimed it the host neither
	 * sends from it, nor receives at it, nor answers for it. */
	REEVE_ADDRESS_PROBE = 1 << 0,
	/* Another station that uses it too is told once in 10 s that it is taken. If that does not
	 * help, the address is given up, its connections are reset and nothing is sent from it any
	 * more (2.4 (b)). Without this flag it is kept, whatever happens (2.4 (c)). */
	REEVE_ADDRESS_YIELD = 1 << 1,
	/* Not announced (2.3): the embedder knows that no station can have known it as another's. */
	REEVE_ADDRESS_QUIET = 1 << 2,
};

/* As reeve_host_add_address(), which has no flags. The route is there at once, and stays. After ten
 * failures on an interface probing begins once a minute at most (2.1.1). An address that has failed
 * may be added again, and makes room for others. */
int reeve_host_claim_address(struct reeve_host *host, unsigned iface,
			     const struct reeve_prefix *address, unsigned flags);

enum reeve_address_state {
	REEVE_ADDRESS_TENTATIVE, /* still asked for */
	REEVE_ADDRESS_USABLE,
	REEVE_ADDRESS_DUPLICATE, /* failed: another station had it */
	REEVE_ADDRESS_LOST,      /* failed: another station took it, and we gave it up */
};

struct reeve_address_info {
	enum reeve_address_state state;
	uint32_t conflicts;      /* ARP packets by which another station claimed it */
	uint8_t conflict_mac[6]; /* the last such station's */
};

/* What has become of an address of the host, to be asked after input and tick. -ENOENT. */
int reeve_host_address_info(const struct reeve_host *host, const struct reeve_address *address,
			    struct reeve_address_info *ret);

/* The index-th address of the interface, whatever its state. -ENOENT past the last. */
int reeve_host_address(const struct reeve_host *host, unsigned iface, unsigned index,
		       struct reeve_prefix *ret);
/* Whether it is the host's and usable. */
bool reeve_host_has_address(const struct reeve_host *host, const struct reeve_address *a);

/* `gateway` NULL: on the link. -EEXIST, -EINVAL, -ENOSPC (over 256), -ENODEV. */
int reeve_host_add_route(struct reeve_host *host, const struct reeve_prefix *to,
			 const struct reeve_address *gateway, unsigned iface);

/* The source address a packet to `to` would have. -ENETUNREACH. */
int reeve_host_source(const struct reeve_host *host, const struct reeve_address *to,
		      struct reeve_address *ret);

/* Takes the frame, whatever becomes of it. */
void reeve_host_input(struct reeve_host *host, unsigned iface, struct reeve_packet *packet_take,
		      struct reeve_time now);

/* The same for frames that have arrived in this order. Segments of one connection that continue each
 * other are joined, and handled as one. */
void reeve_host_input_many(struct reeve_host *host, unsigned iface,
			   struct reeve_packet **packets_take, size_t count, struct reeve_time now);

/* The next frame to send and its interface; NULL when there is none. The caller owns it. Frames
 * for the host itself go round inside and are never seen here. */
struct reeve_packet *reeve_host_output(struct reeve_host *host, struct reeve_time now,
				       unsigned *ret_iface);

void reeve_host_tick(struct reeve_host *host, struct reeve_time now);

/* When to call tick next, at the latest; REEVE_NEVER when nothing waits for time. Never in the
 * past after a tick: a host cannot make its caller spin. */
struct reeve_time reeve_host_deadline(const struct reeve_host *host);

enum reeve_socket_kind {
	REEVE_TCP,
	REEVE_UDP,
	REEVE_PING,
};

/* What has become true since the last event of the socket. */
enum {
	REEVE_READABLE = 1 << 0,    /* data (or a datagram, or a reply) has come */
	REEVE_WRITABLE = 1 << 1,    /* room again, after a write that was cut short */
	REEVE_CONNECTED = 1 << 2,   /* the handshake is done */
	REEVE_ACCEPTABLE = 1 << 3,  /* a connection waits in the listener */
	REEVE_PEER_CLOSED = 1 << 4, /* FIN: no data after what is queued */
	REEVE_FAILED = 1 << 5,      /* reeve_tcp_error(), reeve_udp_error() say what */
	REEVE_CLOSED = 1 << 6,      /* both directions have ended, ours is acknowledged */
	REEVE_URGENT = 1 << 7,      /* the urgent pointer has moved (RFC 6093) */
	REEVE_INTERCEPTED = 1 << 8, /* a SYN waits for proceed or refuse */
};

struct reeve_event {
	enum reeve_socket_kind kind;
	uint32_t what; /* the bits above */
	void *socket;  /* struct reeve_tcp, reeve_udp or reeve_ping; never one that was closed */
	void *user;    /* as given when the socket was made, or at accept */
};

/* False when there is none. The socket may be closed while its event is handled. */
bool reeve_host_next_event(struct reeve_host *host, struct reeve_event *ret);

struct reeve_host_stats {
	uint64_t drops[REEVE_DROP_COUNT];
	uint64_t ip_in, ip_out, ip_fragments_in, ip_fragments_out, ip_reassembled;
	uint64_t ip_fragments_joined; /* those of datagrams that became whole */
	uint64_t arp_in, arp_out;
	uint64_t arp_conflicts;      /* in: of other stations that claim an address of ours */
	uint64_t arp_defences;       /* out: addresses announced because of that */
	uint64_t address_duplicates; /* that were another station's when asked for */
	uint64_t address_losses;     /* that were given up */
	uint64_t icmp_in, icmp_out;
	uint64_t udp_in, udp_out;
	uint64_t tcp_segments_in, tcp_segments_out;
	uint64_t tcp_bytes_in, tcp_bytes_out; /* payload, each byte once */
	uint64_t tcp_retransmits;             /* segments sent again */
	uint64_t tcp_timeouts;                /* retransmission timer fired */
	uint64_t tcp_fast_recoveries;
	uint64_t tcp_active_opens, tcp_passive_opens, tcp_failed, tcp_resets_in, tcp_resets_out;
	uint64_t tcp_cookies_out, tcp_cookies_in; /* SYNs answered so, connections made so */
	uint32_t tcp_sockets, tcp_time_wait, udp_sockets; /* now */
};

void reeve_host_stats(const struct reeve_host *host, struct reeve_host_stats *ret);

/* Connections that their owner has closed and that still have something to deliver. */
uint32_t reeve_host_lingering(const struct reeve_host *host);

enum reeve_tcp_state {
	REEVE_TCP_CLOSED,
	REEVE_TCP_LISTEN,
	REEVE_TCP_SYN_SENT,
	REEVE_TCP_SYN_RECEIVED,
	REEVE_TCP_ESTABLISHED,
	REEVE_TCP_FIN_WAIT_1,
	REEVE_TCP_FIN_WAIT_2,
	REEVE_TCP_CLOSE_WAIT,
	REEVE_TCP_CLOSING,
	REEVE_TCP_LAST_ACK,
	REEVE_TCP_TIME_WAIT,
};

/* "ESTAB", "TIME-WAIT", ... as ss prints them. */
const char *reeve_tcp_state_name(enum reeve_tcp_state state);

struct reeve_socket_info {
	enum reeve_socket_kind kind;
	enum reeve_tcp_state state; /* TCP only */
	struct reeve_sockaddr local;
	struct reeve_sockaddr remote; /* unspecified and 0 when not connected */
	uint64_t receive_queue;       /* bytes; a listener's waiting connections */
	uint64_t send_queue;          /* bytes; a listener's backlog */
	void *user;                   /* NULL for TIME-WAIT and closed ones */
};

/* Walks all sockets, for listings: start with *cursor 0; false after the last. A socket that comes
 * or goes between two calls may be missed or seen twice. */
bool reeve_host_next_socket(const struct reeve_host *host, uint64_t *cursor,
			    struct reeve_socket_info *ret);

#pragma GCC visibility pop
