/* Owns the table of options. Numbers and defaults are Linux's (ip(7), ipv6(7), tcp(7), udp(7)). */
#include "guest/option.h"

#include <assert.h>
#include <limits.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "guest/kernel.h"
#include "guest/protocol.h"
#include "reeve/tcp.h"
#include "reeve/udp.h"

#define TCP  OPTION_FOR_TCP
#define UDP  OPTION_FOR_UDP
#define BOTH (OPTION_FOR_TCP | OPTION_FOR_UDP)
#define BOOL OPTION_BOOL
#define FULL OPTION_NOT_EMPTY
#define SOME OPTION_MAY_MISS
#define READ OPTION_READ_ONLY
#define BACK OPTION_RESETS
#define ROOT (OPTION_PRIVILEGED | OPTION_BOOL)

/* In the order of level and name. */
static const struct option_row rows[] = {
	{ IPPROTO_IP, IP_TOS, REEVE_TCP_TOS, REEVE_UDP_TOS, INT_MIN, INT_MAX, 0, BOTH },
	{ IPPROTO_IP, IP_TTL, REEVE_TCP_TTL, REEVE_UDP_TTL, -1, 255, 64,
	  BOTH | BACK | OPTION_NO_ZERO },
	{ IPPROTO_IP, IP_HDRINCL, -1, -1, INT_MIN, INT_MAX, 0, BOTH | READ },
	{ IPPROTO_IP, IP_ROUTER_ALERT, -1, -1, INT_MIN, INT_MAX, 0, 0 },
	{ IPPROTO_IP, IP_RECVOPTS, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_RETOPTS, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_PKTINFO, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_MTU_DISCOVER, -1, REEVE_UDP_DONT_FRAGMENT, 0, 5, 1, BOTH },
	{ IPPROTO_IP, IP_RECVERR, -1, REEVE_UDP_PROBLEMS, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_RECVTTL, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_RECVTOS, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_FREEBIND, -1, -1, 0, 1, 0, BOTH | BOOL | FULL },
	{ IPPROTO_IP, IP_PASSSEC, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_TRANSPARENT, -1, -1, 0, 1, 0, BOTH | FULL | ROOT },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_MINTTL, -1, -1, 0, 255, 0, BOTH | FULL },
	{ IPPROTO_IP, IP_NODEFRAG, -1, -1, INT_MIN, INT_MAX, 0, BOTH | READ },
	{ IPPROTO_IP, IP_CHECKSUM, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IP, IP_RECVFRAGSIZE, -1, -1, 0, 1, 0, UDP | BOOL },
	{ IPPROTO_IP, IP_RECVERR_RFC4884, -1, -1, 0, 1, 0, BOTH },
	{ IPPROTO_IP, IP_MULTICAST_TTL, -1, REEVE_UDP_MULTICAST_TTL, -1, 255, 1,
	  UDP | FULL | BACK },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, -1, REEVE_UDP_MULTICAST_LOOP, 0, 1, 1,
	  BOTH | BOOL | FULL },
	{ IPPROTO_IP, IP_MULTICAST_ALL, -1, REEVE_UDP_MULTICAST_ALL, 0, 1, 1, BOTH | FULL },
	{ IPPROTO_IP, IP_UNICAST_IF, -1, -1, INT_MIN, INT_MAX, 0, BOTH },
	{ IPPROTO_IP, IP_LOCAL_PORT_RANGE, -1, -1, INT_MIN, INT_MAX, 0, BOTH },

	{ SOL_SOCKET, SO_DONTROUTE, -1, REEVE_UDP_DONT_ROUTE, 0, 1, 0, BOTH | BOOL },
	{ SOL_SOCKET, SO_BROADCAST, -1, REEVE_UDP_BROADCAST, 0, 1, 0, BOTH | BOOL },
	{ SOL_SOCKET, SO_SNDBUF, REEVE_TCP_SEND_BUFFER, -1, 0, INT_MAX, 0, TCP },
	{ SOL_SOCKET, SO_RCVBUF, REEVE_TCP_RECEIVE_BUFFER, -1, 0, INT_MAX, 0, TCP },
	{ SOL_SOCKET, SO_KEEPALIVE, REEVE_TCP_KEEPALIVE, -1, 0, 1, 0, BOTH | BOOL },
	{ SOL_SOCKET, SO_REUSEPORT, REEVE_TCP_REUSE_PORT, REEVE_UDP_REUSE_PORT, 0, 1, 0,
	  BOTH | BOOL },
	/* 1 when it is set: socket.h has the rate. */
	{ SOL_SOCKET, SO_MAX_PACING_RATE, REEVE_TCP_MAX_PACING_RATE, -1, 0, 1, 0, TCP },
	{ SOL_SOCKET, SO_BINDTOIFINDEX, -1, REEVE_UDP_DEVICE, 0, INT_MAX, 0, BOTH },
	{ SOL_SOCKET, SO_TXREHASH, -1, -1, -1, 1, 1, TCP | BACK },

	{ IPPROTO_TCP, TCP_NODELAY, REEVE_TCP_NO_DELAY, -1, 0, 1, 0, TCP | BOOL },
	{ IPPROTO_TCP, TCP_MAXSEG, REEVE_TCP_MAX_SEGMENT, -1, 0, 32767, 0, TCP },
	{ IPPROTO_TCP, TCP_CORK, REEVE_TCP_CORK, -1, 0, 1, 0, TCP | BOOL },
	{ IPPROTO_TCP, TCP_KEEPIDLE, REEVE_TCP_KEEPALIVE_IDLE_S, -1, 1, 32767, 7200, TCP },
	{ IPPROTO_TCP, TCP_KEEPINTVL, REEVE_TCP_KEEPALIVE_INTERVAL_S, -1, 1, 32767, 75, TCP },
	{ IPPROTO_TCP, TCP_KEEPCNT, REEVE_TCP_KEEPALIVE_COUNT, -1, 1, 127, 9, TCP },
	{ IPPROTO_TCP, TCP_SYNCNT, REEVE_TCP_SYN_COUNT, -1, 1, 127, 6, TCP },
	{ IPPROTO_TCP, TCP_LINGER2, REEVE_TCP_LINGER2_S, -1, INT_MIN, INT_MAX, 60, TCP },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, REEVE_TCP_DEFER_ACCEPT_S, -1, INT_MIN, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, -1, -1, INT_MIN, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_QUICKACK, REEVE_TCP_QUICK_ACK, -1, 0, 1, 1, TCP | BOOL },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, -1, -1, 0, 1, 0, TCP },
	{ IPPROTO_TCP, TCP_THIN_DUPACK, -1, -1, 0, 1, 0, TCP },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, REEVE_TCP_USER_TIMEOUT_MS, -1, 0, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_REPAIR, -1, -1, INT_MIN, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_FASTOPEN, -1, -1, 0, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1, -1, INT_MIN, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_SAVE_SYN, -1, -1, 0, 2, 0, TCP },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, -1, -1, 0, 1, 0, TCP },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, -1, -1, 0, 1, 0, TCP },
	{ IPPROTO_TCP, TCP_INQ, -1, -1, 0, 1, 0, TCP },
	{ IPPROTO_TCP, TCP_TX_DELAY, -1, -1, 0, (1 << 28) - 1, 0, TCP },
	{ IPPROTO_TCP, TCP_IS_MPTCP, -1, -1, INT_MIN, INT_MAX, 0, TCP | READ },
	{ IPPROTO_TCP, TCP_RTO_MAX_MS, -1, -1, 1000, 120000, 120000, TCP },
	{ IPPROTO_TCP, TCP_RTO_MIN_US, -1, -1, 8000, 200000, 200000, TCP },
	{ IPPROTO_TCP, TCP_DELACK_MAX_US, -1, -1, 8000, 200000, 200000, TCP },

	{ IPPROTO_UDP, UDP_CORK, -1, REEVE_UDP_CORK, 0, 1, 0, UDP | BOOL },
	{ IPPROTO_UDP, UDPLITE_SEND_CSCOV, -1, -1, INT_MIN, INT_MAX, 0, UDP | READ },
	{ IPPROTO_UDP, UDPLITE_RECV_CSCOV, -1, -1, INT_MIN, INT_MAX, 0, UDP | READ },
	{ IPPROTO_UDP, UDP_ENCAP, -1, -1, 0, 0, 0, UDP },
	{ IPPROTO_UDP, UDP_NO_CHECK6_TX, -1, -1, 0, 1, 0, UDP | BOOL },
	{ IPPROTO_UDP, UDP_NO_CHECK6_RX, -1, -1, 0, 1, 0, UDP | BOOL },
	{ IPPROTO_UDP, UDP_GRO, -1, -1, 0, 1, 0, UDP | BOOL },

	{ IPPROTO_IPV6, IPV6_2292PKTINFO, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_2292HOPOPTS, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_2292DSTOPTS, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_2292RTHDR, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_2292HOPLIMIT, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_FLOWINFO, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, REEVE_TCP_TTL, REEVE_UDP_TTL, -1, 255, 64, BOTH | BACK },
	{ IPPROTO_IPV6, IPV6_MULTICAST_IF, -1, -1, INT_MIN, INT_MAX, 0, UDP },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, -1, -1, -1, 255, 1, UDP | BACK },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, -1, -1, 0, 1, 1, BOTH },
	{ IPPROTO_IPV6, IPV6_ROUTER_ALERT, -1, -1, INT_MIN, INT_MAX, 0, BOTH | READ },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, -1, -1, 0, 5, 1, BOTH },
	{ IPPROTO_IPV6, IPV6_MTU, -1, -1, 0, INT_MAX, 0, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVERR, -1, REEVE_UDP_PROBLEMS, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_V6ONLY, REEVE_TCP_IPV6_ONLY, REEVE_UDP_IPV6_ONLY, 0, 1, 0,
	  BOTH | BOOL | OPTION_FRESH },
	{ IPPROTO_IPV6, IPV6_MULTICAST_ALL, -1, -1, 0, 1, 1, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_ROUTER_ALERT_ISOLATE, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_RECVERR_RFC4884, -1, -1, 0, 1, 0, BOTH },
	{ IPPROTO_IPV6, IPV6_FLOWINFO_SEND, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_RECVHOPOPTS, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_RECVRTHDR, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_RECVDSTOPTS, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_RECVPATHMTU, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, -1, -1, 0, 1, 0, BOTH | BOOL | SOME },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_TCLASS, REEVE_TCP_TOS, REEVE_UDP_TOS, -1, 255, 0, BOTH | BACK },
	{ IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, -1, -1, 0, 1, 1, BOTH | BOOL | SOME },
	{ IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, -1, -1, INT_MIN, INT_MAX, 0x500, BOTH },
	{ IPPROTO_IPV6, IPV6_MINHOPCOUNT, -1, -1, 0, 255, 0, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, -1, -1, 0, 1, 0, BOTH | BOOL },
	{ IPPROTO_IPV6, IPV6_TRANSPARENT, -1, -1, 0, 1, 0, BOTH | ROOT },
	{ IPPROTO_IPV6, IPV6_UNICAST_IF, -1, -1, INT_MIN, INT_MAX, 0, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVFRAGSIZE, -1, -1, 0, 1, 0, BOTH | BOOL | SOME },
	{ IPPROTO_IPV6, IPV6_FREEBIND, -1, -1, 0, 1, 0, BOTH | BOOL },
};

static_assert(array_length(rows) <= OPTION_COUNT, "OPTION_COUNT is too small");
static_assert(OPTION_COUNT % 64 == 0, "`changed` has whole words");

int option_count(void)
{
	return (int)array_length(rows);
}

int option_find(int level, int name)
{
	size_t first = 0, last = array_length(rows);

	while (first < last) {
		const size_t middle = (first + last) / 2;
		const struct option_row *row = &rows[middle];

		if (row->level == level && row->name == name)
			return (int)middle;
		if (row->level < level || (row->level == level && row->name < name))
			first = middle + 1;
		else
			last = middle;
	}
	return -1;
}

const struct option_row *option_at(int index)
{
	check(index >= 0 && index < option_count());
	return &rows[index];
}

void socket_options_init(struct socket_options *o)
{
	memset(o->changed, 0, sizeof(o->changed));
	for (size_t i = 0; i < array_length(rows); i++)
		o->values[i] = rows[i].initial;
}

int32_t socket_option(const struct socket_options *o, int level, int name)
{
	const int i = option_find(level, name);

	check(i >= 0);
	return o->values[i];
}

void socket_option_set(struct socket_options *o, int level, int name, int32_t value)
{
	const int i = option_find(level, name);

	check(i >= 0);
	if (o->values[i] != value)
		socket_options_change(o, i);
	o->values[i] = value;
}

void socket_options_change(struct socket_options *o, int i)
{
	o->changed[i / 64] |= UINT64_C(1) << (i % 64);
}

void socket_options_change_all(struct socket_options *o)
{
	for (int i = 0; i < option_count(); i++)
		if (o->values[i] != option_at(i)->initial)
			socket_options_change(o, i);
}

int socket_options_next_change(struct socket_options *o)
{
	for (int word = 0; word < OPTION_COUNT / 64; word++) {
		if (!o->changed[word])
			continue;
		const int bit = __builtin_ctzll(o->changed[word]);

		o->changed[word] &= o->changed[word] - 1;
		return word * 64 + bit;
	}
	return -1;
}
